"""The bars: as long as the seconds say, the slowest first."""

from __future__ import annotations

import pytest

from xata_pg_assets.plan.tables import make_plan
from xata_pg_assets.postgres.ledger import Entry
from xata_pg_assets.report.timings import Timings
from xata_pg_assets.xata.schema import XataSchema
from xata_pg_assets_tests.fix_export import table


def timings(*steps: tuple[float, float, float, float]) -> Timings:
    names = [f"t{n}" for n in range(len(steps))]
    plan = make_plan(XataSchema(tuple(table(name) for name in [*names, "never_run"])))
    keys = ("staging_seconds", "mapping_seconds", "load_seconds", "check_seconds")
    lines = {
        name: Entry(name, name, "", **dict(zip(keys, seconds, strict=True)))
        for name, seconds in zip(names, steps, strict=True)
    }
    return Timings(plan, lines)


def test_bars_are_as_long_as_the_seconds_say():
    found = timings((0.5, 0.5, 0.0, 1.0), (1.0, 0.0, 2.0, 1.0))
    assert [bar.name for bar in found.bars] == ["t1", "t0"]
    slow, quick = found.bars
    assert (quick.end - found.left) / (slow.end - found.left) == pytest.approx(0.5)
    assert [piece.width for piece in quick.pieces] == pytest.approx([77.5, 77.5, 0, 155])
    assert [piece.x for piece in quick.pieces][2] == pytest.approx(found.left + 155)
    assert slow.end < found.width
    assert found.total == 6
    assert dict(found.by_step) == {"reading": 1.5, "mapping ids": 0.5, "loading": 2.0, "checking": 2.0}


@pytest.mark.parametrize("longest", [0.0004, 0.3, 0.99, 1, 7, 59, 100000])
def test_the_axis_has_few_round_numbers(longest):
    found = timings((longest, 0, 0, 0))
    assert 2 <= len(found.ticks) <= 6
    assert found.ticks[0] == ("0 s", found.left)
    assert all(x <= found.bars[0].end + 1e-6 for _, x in found.ticks)


def test_of_many_tables_the_slowest_are_drawn():
    found = timings(*[(float(n), 0, 0, 0) for n in range(90)])
    assert (len(found.bars), found.tables) == (40, 90)
    assert [bar.seconds for bar in found.bars][:2] == [89, 88]
    assert found.total == sum(range(90))


def test_nothing_run_is_no_bar():
    found = timings()
    assert (found.bars, found.total) == ([], 0)
    assert found.ticks[0][0] == "0 s"
