"""Steps that other processes do, told to whoever watches the migration: a terminal, as a rule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import dagster as dg
from dagster._core.definitions.dependency import NodeHandle

from xata_pg_assets.migration import Migration, Step
from xata_pg_assets.plan.tables import TargetTable

__all__ = ["StepsSeen", "is_end"]

_STEPS: Mapping[str, Step] = {"xata": "staging", "id_mapping": "mapping", "postgres": "loading"}


def is_end(event: dg.DagsterEvent) -> bool:
    """Tell whether a step is over, for this time."""
    return event.is_step_success or event.is_step_failure or event.is_step_up_for_retry


class StepsSeen:
    """Tells the observer of a migration when the steps of its tables begin and end."""

    def __init__(self, migration: Migration, job: dg.JobDefinition) -> None:
        self._observer = migration.observer
        self._steps = dict(_steps_of(migration, job))
        self._begun = set[str]()

    def tell(self, event: dg.DagsterEvent) -> None:
        """Look at an event of the run; a step that is begun again, by another worker, is told once."""
        key = event.step_key
        if key is None or key not in self._steps:
            return
        if event.is_step_start and key not in self._begun:
            self._begun.add(key)
            self._observer.begin(*self._steps[key], None)
        elif key in self._begun and is_end(event):
            self._begun.remove(key)
            self._observer.end(*self._steps[key])


def _steps_of(migration: Migration, job: dg.JobDefinition) -> Iterator[tuple[str, tuple[TargetTable, Step]]]:
    """Yield the names of steps with their tables and what they are; those of no table are left out."""
    tables = {table.name: table for table in migration.plan.tables}
    for name in job.graph.node_dict:
        for key in job.asset_layer.get_selected_entity_keys_for_node(NodeHandle(name, None)):
            of = key.asset_key if isinstance(key, dg.AssetCheckKey) else key
            family, *names = of.path
            if names and names[0] in tables and family in _STEPS:
                yield name, (tables[names[0]], "checking" if isinstance(key, dg.AssetCheckKey) else _STEPS[family])
