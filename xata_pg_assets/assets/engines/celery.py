"""Steps as tasks of Celery: the workers are those of dagster-celery, started by `xata-pg worker` or by hand.

Celery itself tells nobody that a worker died with a task, or that there is none: what waits for it would wait for
ever. So the workers are asked, all at once and every few seconds, which tasks they have.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

import dagster as dg
from celery import Celery
from celery.exceptions import CeleryError
from celery.result import AsyncResult
from dagster._core.definitions.reconstruct import ReconstructableJob
from dagster._grpc.types import ExecuteStepArgs
from dagster._serdes import pack_value
from dagster_celery.config import DEFAULT_CONFIG, dict_wrapper
from dagster_celery.defaults import broker_url
from dagster_celery.make_app import make_app
from dagster_celery.tasks import create_task
from kombu import Queue
from kombu.exceptions import OperationalError

from xata_pg_assets.assets.engines.needs import CeleryOptions, options_of
from xata_pg_assets.assets.engines.steps import EngineExecutor, EngineSteps, reason_of
from xata_pg_assets.errors import TransientError
from xata_pg_assets.settings import Settings

__all__ = ["app_of", "opened"]

_SECONDS_TO_ANSWER = 2
_TRIES = 5
# A worker on a busy machine may be slow to answer; one that is gone for so long has lost its tasks
_SECONDS_TO_BE_MISSED = 60


@contextmanager
def opened(settings: Settings) -> Iterator[dg.Executor]:
    """Connect to the broker.

    Raises:
        TransientError: it cannot be reached, or no worker listens to the queue.
    """
    options = options_of(settings, CeleryOptions)
    app = app_of(settings)
    try:
        _refuse_nobody(app, options.queue)
        yield EngineExecutor(_CelerySteps(app, options.queue), options.max_concurrent, seconds=0.2, health_seconds=5)
    finally:
        app.close()


def app_of(settings: Settings) -> Celery:
    """Return the application, the same for the run and for its workers: `CELERY_BROKER_URL` without the options."""
    options = options_of(settings, CeleryOptions)
    broker = options.broker or os.environ.get("CELERY_BROKER_URL") or broker_url
    is_redis = broker.startswith(("redis", "sentinel"))
    backend = options.backend or os.environ.get("CELERY_RESULT_BACKEND") or (broker if is_redis else "rpc://")
    config = {
        **DEFAULT_CONFIG,
        "broker_connection_timeout": _SECONDS_TO_ANSWER * 2,
        "broker_connection_retry_on_startup": True,
        "task_default_queue": options.queue,
        "worker_prefetch_multiplier": 1,  # a step may take hours: none waits behind it
        "worker_hijack_root_logger": False,
    }
    app: Celery = make_app({"broker": broker, "backend": backend, "config_source": dict_wrapper(config)})
    if options.queue != "dagster":
        app.conf.task_queues = [
            Queue(options.queue, routing_key=f"{options.queue}.#", queue_arguments={"x-max-priority": 10})
        ]
    return app


def _refuse_nobody(app: Celery, queue: str) -> None:
    """Raises TransientError unless a worker listens to the queue."""
    where = f"the Celery broker {_shown(app)}"
    try:
        with app.connection() as connection:
            connection.ensure_connection(max_retries=1, interval_start=1, timeout=2 * _SECONDS_TO_ANSWER)
        for _ in range(_TRIES):
            queues = app.control.inspect(timeout=_SECONDS_TO_ANSWER).active_queues() or {}
            if any(queue in (each["name"] for each in listened) for listened in queues.values()):
                return
    except (OperationalError, OSError, CeleryError) as error:
        raise TransientError(
            f"setting executor_options: {where} cannot be reached ({type(error).__name__}); is it up?"
        ) from None
    raise TransientError(
        f"setting executor_options: no Celery worker listens to queue {queue} at {where}; start one (xata-pg worker)"
    )


def _shown(app: Celery) -> str:
    """Name the broker without its password."""
    with app.connection() as connection:
        return f"{connection.transport_cls}://{connection.hostname}:{connection.port}"


class _CelerySteps(EngineSteps):
    def __init__(self, app: Celery, queue: str) -> None:
        super().__init__()
        self._app = app
        self._queue = queue
        self._task = create_task(app)
        self._results: dict[str, AsyncResult] = {}
        self._seen: dict[str, float] = {}  # when a step was last known to wait or to be at work
        self._asked = 0.0
        self._held = set[str]()  # ids of the tasks that the workers have
        self._is_served = True

    def submit(self, step: str, job: ReconstructableJob, run: dg.DagsterRun, args: ExecuteStepArgs) -> None:
        """Send dagster-celery's own task, so that its workers can do it, too."""
        del run  # the task asks for it
        signature = self._task.si(execute_step_args_packed=pack_value(args), executable_dict=job.to_dict())
        self._results[step] = signature.apply_async(queue=self._queue, routing_key=f"{self._queue}.execute_plan")
        self._seen[step] = monotonic()

    def what_is_wrong(self, step: str) -> str | None:
        result = self._results[step]
        if result.state in ("FAILURE", "REVOKED"):
            return _reason(result.result)
        if result.state == "SUCCESS" or self._is_held(result.id):
            self._seen[step] = monotonic()
        elif monotonic() - self._seen[step] > _SECONDS_TO_BE_MISSED:
            return "no Celery worker has it any more, or none is left; start one (xata-pg worker), then run again"
        return None

    def take_back(self, step: str) -> None:
        if step in self._results:
            self._results[step].revoke(terminate=True, signal="SIGTERM")

    def _is_held(self, task: str) -> bool:
        """Tell whether a worker has a task, or it may still wait at the broker for one of those that answer."""
        if monotonic() - self._asked > _SECONDS_TO_ANSWER:
            inspect = self._app.control.inspect(timeout=_SECONDS_TO_ANSWER)
            answers = [inspect.active() or {}, inspect.reserved() or {}]
            self._held = {each["id"] for answer in answers for tasks in answer.values() for each in tasks}
            self._is_served = bool(answers[0])
            self._asked = monotonic()
        return task in self._held or (self._is_served and self._waiting() > 0)

    def _waiting(self) -> int:
        """Return how many tasks wait at the broker."""
        with self._app.connection_or_acquire() as connection:
            return int(connection.default_channel.queue_declare(self._queue, passive=True).message_count)


def _reason(error: object) -> str:
    """Say why a task failed, other than by an error of its step."""
    if type(error).__name__ == "WorkerLostError":
        return "its worker process died; see the worker's log, then run again"
    return reason_of(error)
