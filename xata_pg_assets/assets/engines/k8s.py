"""Steps as Kubernetes jobs, by dagster-k8s: the options are the configuration of its `k8s_job_executor`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import dagster as dg
from dagster import _check as check
from dagster._config import process_config
from dagster_k8s import k8s_job_executor
from kubernetes.config import ConfigException

from xata_pg_assets.assets.engines.needs import K8sOptions, options_of
from xata_pg_assets.errors import UsageError
from xata_pg_assets.settings import Settings

__all__ = ["configuration", "opened"]


@contextmanager
def opened(settings: Settings, init: dg.InitExecutorContext) -> Iterator[dg.Executor]:
    """Give the executor, made as Dagster would make it from run config.

    Raises:
        UsageError: there is no such option, or it has no such value; or no cluster is to be found.
    """
    given = init._replace(executor_def=k8s_job_executor, executor_config=configuration(settings))
    create = check.not_none(k8s_job_executor.executor_creation_fn)
    try:
        executor: dg.Executor = create(given)
    except ConfigException:
        raise UsageError(
            "setting executor_options: no Kubernetes cluster is configured here; run inside of one, or set "
            "load_incluster_config = false and kubeconfig_file"
        ) from None
    yield executor


def configuration(settings: Settings) -> Mapping[str, Any]:
    """Return the options as dagster-k8s takes them, its defaults filled in.

    Raises:
        UsageError: there is no such option, or it has no such value.
    """
    options = options_of(settings, K8sOptions).model_dump(exclude_none=True)
    outcome = process_config(k8s_job_executor.config_schema.config_type, options)
    if not outcome.success:
        error = (outcome.errors or [])[0]
        path = ".".join(str(getattr(part, "field_name", "")) for part in error.stack.entries)
        raise UsageError(  # without the value: it may be a secret of the cluster's
            f"setting executor_options: {path or 'an option'} is not as k8s_job_executor takes it "
            f"({error.reason.value.lower().replace('_', ' ')}); see the page on executors"
        )
    value: Mapping[str, Any] = check.not_none(outcome.value)
    return value
