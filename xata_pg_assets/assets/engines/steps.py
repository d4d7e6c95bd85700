"""A step as every engine of ours takes it: picked from the run by its name, done by a process somewhere."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg
from dagster import _check as check
from dagster._core.definitions.reconstruct import ReconstructableJob
from dagster._core.execution.api import create_execution_plan, execute_plan
from dagster._core.execution.retries import RetryMode
from dagster._core.executor.step_delegating import (
    CheckStepHealthResult,
    StepDelegatingExecutor,
    StepHandler,
    StepHandlerContext,
)
from dagster._grpc.types import ExecuteStepArgs

from xata_pg_assets.assets.steps_seen import is_end
from xata_pg_assets.errors import in_one_line

__all__ = ["EngineExecutor", "EngineSteps", "do_step", "reason_of"]


def do_step(job: ReconstructableJob, run: dg.DagsterRun, args: ExecuteStepArgs) -> None:
    """Do a step, in whatever process this is; what becomes of it stands in Dagster's records."""
    with dg.DagsterInstance.from_ref(check.not_none(args.instance_ref)) as instance:
        subset = job.get_subset(
            op_selection=run.resolved_op_selection,
            asset_selection=run.asset_selection,
            asset_check_selection=run.asset_check_selection,
        )
        plan = create_execution_plan(
            subset, run.run_config, step_keys_to_execute=args.step_keys_to_execute, known_state=args.known_state
        )
        execute_plan(plan, subset, instance, run, run_config=run.run_config, retry_mode=args.retry_mode)


def reason_of(error: Any) -> str:
    """Say in a line why a process could not do its step, other than by an error of the step itself."""
    lines = str(error).strip().splitlines() or ["failed"]
    is_ours = type(error).__module__.startswith("xata_pg_assets")
    return in_one_line(lines[0] if is_ours else f"{type(error).__name__}: {lines[0]}")


class EngineSteps(StepHandler):
    """Gives steps to an engine, by their names."""

    def __init__(self) -> None:
        super().__init__()
        self.launches = Counter[str]()

    @property
    def name(self) -> str:
        """The engine, in the log of a run."""
        return type(self).__name__

    @abstractmethod
    def submit(self, step: str, job: ReconstructableJob, run: dg.DagsterRun, args: ExecuteStepArgs) -> None:
        """Let `do_step` be done with the job, the run as it now is, and the arguments."""

    @abstractmethod
    def what_is_wrong(self, step: str) -> str | None:
        """Tell in a line why a step will not come to its end; None as long as it may."""

    @abstractmethod
    def take_back(self, step: str) -> None:
        """End a step, as far as the engine can; one that is at work has its sessions ended by the launcher."""

    def launch_step(self, step_handler_context: StepHandlerContext) -> Iterator[dg.DagsterEvent]:
        """Submit the step; Dagster's side of it."""
        step, args = _step_of(step_handler_context), step_handler_context.execute_step_args
        job = check.inst(step_handler_context.get_step_context(step).job, ReconstructableJob)
        run = check.not_none(step_handler_context.instance.get_run_by_id(args.run_id))
        self.launches[step] += 1
        self.submit(step, job, run, args)
        yield from ()

    def check_step_health(self, step_handler_context: StepHandlerContext) -> CheckStepHealthResult:
        """Look after a step; Dagster's side of it."""
        wrong = self.what_is_wrong(_step_of(step_handler_context))
        return CheckStepHealthResult.healthy() if wrong is None else CheckStepHealthResult.unhealthy(wrong)

    def terminate_step(self, step_handler_context: StepHandlerContext) -> Iterator[dg.DagsterEvent]:
        """Take the step back; Dagster's side of it."""
        self.take_back(_step_of(step_handler_context))
        yield from ()


class EngineExecutor(StepDelegatingExecutor):
    """Gives out steps as soon as they may begin, and learns from Dagster's records how they end.

    `seconds` is how often it looks there, `health_seconds` how often at the engine. An engine that gives the step of
    a worker that it takes for dead to another one may have it done twice: the first end counts.
    """

    def __init__(self, steps: EngineSteps, most: int | None, *, seconds: float, health_seconds: int) -> None:
        super().__init__(
            steps,
            retries=RetryMode.ENABLED,
            sleep_seconds=seconds,
            check_step_health_interval_seconds=health_seconds,
            max_concurrent=most,
        )
        self._launches = steps.launches
        self._ends = Counter[str]()

    def _pop_events(
        self, instance: dg.DagsterInstance, run_id: str, seen_storage_ids: set[int]
    ) -> Sequence[dg.DagsterEvent]:
        events = super()._pop_events(instance, run_id, seen_storage_ids)
        return [event for event in events if not self._is_second_end(event)]

    def _is_second_end(self, event: dg.DagsterEvent) -> bool:
        step = event.step_key
        if step is None or not is_end(event):
            return False
        self._ends[step] += 1
        return self._ends[step] > self._launches[step]


def _step_of(context: StepHandlerContext) -> str:
    """Return the name of the only step that is asked for."""
    (step,) = context.execute_step_args.step_keys_to_execute or ()
    return step
