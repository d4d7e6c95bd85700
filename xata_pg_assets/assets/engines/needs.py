"""What an executor needs of the settings and of the installation, told before anything is touched."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, PositiveInt, ValidationError

from xata_pg_assets.errors import UsageError
from xata_pg_assets.settings import Engine, Settings

__all__ = [
    "CeleryOptions",
    "DaskOptions",
    "EngineOptions",
    "K8sOptions",
    "MultiprocessOptions",
    "is_on_many_machines",
    "options_of",
    "refuse_unfit_executor",
]

# What is imported, and what brings it
_PACKAGES: dict[Engine, tuple[str, ...]] = {
    "celery": ("celery", "dagster_celery"),
    "dask": ("distributed",),
    "k8s": ("dagster_k8s",),
}


class EngineOptions(BaseModel):
    """The options of every executor: `max_concurrent` steps at once."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    max_concurrent: PositiveInt | None = None


class MultiprocessOptions(EngineOptions):
    """Processes of this machine."""


class DaskOptions(EngineOptions):
    """A Dask scheduler by its `address`; without one, `n_workers` processes of this machine."""

    address: str | None = None
    n_workers: PositiveInt | None = None


class CeleryOptions(EngineOptions):
    """A `broker` and a result `backend` by their URLs, and the `queue` that the workers listen to."""

    broker: str | None = None
    backend: str | None = None
    queue: str = "dagster"


class K8sOptions(EngineOptions):
    """The configuration of Dagster's `k8s_job_executor`, by the names that it has there."""

    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True)


_OptionsT = TypeVar("_OptionsT", bound=EngineOptions)

_MODELS: dict[Engine, type[EngineOptions]] = {
    "in_process": EngineOptions,
    "multiprocess": MultiprocessOptions,
    "dask": DaskOptions,
    "celery": CeleryOptions,
    "k8s": K8sOptions,
}


def options_of(settings: Settings, kind: type[_OptionsT]) -> _OptionsT:
    """Read the options of an executor.

    Raises:
        UsageError: there is no such option, or it has no such value.
    """
    try:
        return kind(**settings.executor_options)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            known = ", ".join(kind.model_fields)
            raise UsageError(
                f"setting executor_options: {settings.executor} has no option {name}; it has {known}"
            ) from None
        raise UsageError(f"setting executor_options: {name}: {first['msg'][0].lower()}{first['msg'][1:]}") from None


def is_on_many_machines(settings: Settings) -> bool:
    """Tell whether the steps may run on machines that share nothing with this one."""
    if settings.executor == "dask":
        return options_of(settings, DaskOptions).address is not None
    return settings.executor in ("celery", "k8s")


def refuse_unfit_executor(settings: Settings) -> None:
    """Keep a run from an executor that is not installed, or that lacks what its processes must share.

    Raises:
        UsageError: it does; names the setting, and the mend.
    """
    executor = settings.executor
    options_of(settings, _MODELS[executor])
    for package in _PACKAGES.get(executor, ()):
        if find_spec(package) is None:
            raise UsageError(
                f"setting executor: {executor} needs a package that is not installed; "
                f"pip install 'xata-pg-assets[{executor}]'"
            )
    if not is_on_many_machines(settings):
        return
    missing: list[tuple[str, Any, str]] = [
        (
            "target",
            settings.target,
            "the URL of a PostgreSQL that all workers reach; the embedded one is this machine's",
        ),
        ("dagster_url", settings.dagster_url, "the URL of a PostgreSQL for Dagster's records, which all workers write"),
    ]
    for name, value, what in missing:
        if value is None:
            raise UsageError(f"setting {name}: not set, and executor {executor} needs it: {what}")
