"""Steps that other processes do, as a terminal sees them: each that begins ends, well or not."""

from __future__ import annotations

import dagster as dg

from xata_pg_assets.assets.graph import build_definitions
from xata_pg_assets.assets.steps_seen import StepsSeen
from xata_pg_assets.migration import Nobody, Step
from xata_pg_assets.plan.tables import TargetTable
from xata_pg_assets_tests.fix_export import NewExport, column, table
from xata_pg_assets_tests.test_assets.conftest import run


class Watching(Nobody):
    def __init__(self) -> None:
        self.at_work = list[tuple[str, Step]]()
        self.seen = list[tuple[str, Step]]()

    def begin(self, table: TargetTable, step: Step, size: int | None) -> None:
        del size
        self.at_work.append((table.name, step))
        self.seen.append((table.name, step))

    def end(self, table: TargetTable, step: Step) -> None:
        self.at_work.remove((table.name, step))


def test_what_begins_ends_and_is_told_once(new_export: NewExport, instance: dg.DagsterInstance):
    export = new_export(table("good", column("n", "int")), table("torn"))
    export.rows("good", "id,n", [["a", "1"]])
    export.write("torn", 'id\n"a\n')
    migration = export.migration()
    migration.observer = watching = Watching()
    job = build_definitions(migration).resolve_job_def("migrate")
    events = run(export.migration(), instance).all_events
    assert [event.step_key for event in events if event.is_step_failure] == ["xata__torn"]
    seen = StepsSeen(migration, job)
    for event in events:
        seen.tell(event)
        if event.is_step_start:
            seen.tell(event)  # by a worker that took it over
    assert watching.at_work == []
    steps = ("staging", "mapping", "loading", "checking")
    assert sorted(watching.seen) == sorted([("torn", "staging"), *(("good", step) for step in steps)])
