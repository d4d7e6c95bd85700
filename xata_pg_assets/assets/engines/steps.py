"""A step as every engine of ours takes it: picked from the run by its name, done by a process somewhere."""

from __future__ import annotations

from typing import Any

import dagster as dg
from dagster import _check as check
from dagster._core.definitions.reconstruct import ReconstructableJob
from dagster._core.execution.api import create_execution_plan, execute_plan
from dagster._core.executor.step_delegating import StepHandlerContext
from dagster._grpc.types import ExecuteStepArgs

from xata_pg_assets.errors import in_one_line

__all__ = ["do_step", "job_of", "reason_of", "run_of", "step_key_of"]


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


def step_key_of(context: StepHandlerContext) -> str:
    """Return the name of the only step that is asked for."""
    (step_key,) = context.execute_step_args.step_keys_to_execute or ()
    return step_key


def job_of(context: StepHandlerContext) -> ReconstructableJob:
    """Return what makes the job of the run in another process."""
    return check.inst(context.get_step_context(step_key_of(context)).job, ReconstructableJob)


def run_of(context: StepHandlerContext) -> dg.DagsterRun:
    """Return the run with its tags as they now are."""
    return check.not_none(context.instance.get_run_by_id(context.execute_step_args.run_id))


def reason_of(error: Any) -> str:
    """Say in a line why a process could not do its step, other than by an error of the step itself."""
    lines = str(error).strip().splitlines() or ["failed"]
    is_ours = type(error).__module__.startswith("xata_pg_assets")
    return in_one_line(lines[0] if is_ours else f"{type(error).__name__}: {lines[0]}")
