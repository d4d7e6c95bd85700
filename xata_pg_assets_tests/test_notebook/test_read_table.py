"""Migrated tables as frames: dtypes, exact values, chunks, names."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from xata_pg_assets import read_table
from xata_pg_assets.errors import TargetError, UsageError
from xata_pg_assets.settings import load_settings
from xata_pg_assets_tests.fix_export import Export

DTYPES = {
    "id": "Int64", "s": "string", "i": "Int64", "f": "Float64", "b": "boolean", "d": "datetime64[us, UTC]",
    "m": "object", "j": "object", "v": "object", "boss_id": "Int64",
}  # fmt: skip


class TestValues:
    def test_every_type_arrives_as_it_is(self, people: Export):
        frame = read_table("the_people", people.database.url)
        assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == DTYPES
        assert frame["s"].dtype.storage == "pyarrow"
        first, _, last = (frame.iloc[place] for place in range(3))
        assert [first["id"], last["id"], last["boss_id"]] == [1, 3, 1]
        assert [first["s"], last["s"]] == ["it's é\n", ""]
        assert [first["i"], last["i"]] == [9007199254740993, -(2**63)]
        assert math.copysign(1, first["f"]) == -1
        assert [first["f"], last["f"]] == [0.0, 1e308]
        assert [first["b"], last["b"]] == [True, False]
        assert np.asarray(frame["d"].dt.tz_localize(None))[[0, 2]].astype(str).tolist() == [
            "0001-01-01T00:00:00.000001",
            "9999-12-31T09:59:59.999999",
        ]
        assert [first["m"], last["m"]] == [["a", "NULL", ""], []]
        assert first["j"] == {"a": [1, None, "x"], "big": 123456789012345678901234567890}
        assert (first["v"].dtype, first["v"].shape) == (np.float32, (3,))
        assert first["v"].tolist() == np.array([1, -0.5, 3e-7], np.float32).tolist()
        assert last["v"].tolist() == [0, 0, 0]

    def test_null_is_missing_in_every_type(self, people: Export):
        missing = read_table("the_people", people.database.url).isna()
        assert missing.drop(columns="id").iloc[1].all()
        assert not missing.iloc[0].drop("boss_id").any()
        assert missing["j"].tolist() == [False, True, True]  # JSON's null is Python's None, too

    def test_times_before_the_year_1_and_beyond_9999(self, people: Export):
        people.database.query("UPDATE the_people SET d = '4713-01-01 00:00:00+00 BC' WHERE id = 1")
        people.database.query("UPDATE the_people SET d = '290000-02-03 04:05:06.000007+00' WHERE id = 3")
        times = read_table("the_people", people.database.url, columns=["d"])["d"]
        assert np.asarray(times.dt.tz_localize(None)).astype("M8[us]").astype(str)[[0, 2]].tolist() == [
            "-4712-01-01T00:00:00.000000",
            "290000-02-03T04:05:06.000007",
        ]

    @pytest.mark.parametrize("time", ["infinity", "-infinity", "294276-12-31 00:00:00+00"])
    def test_a_time_that_no_frame_holds_is_refused(self, people: Export, time: str):
        people.database.query("UPDATE the_people SET d = %s WHERE id = 1", time)
        with pytest.raises(TargetError, match="column d: holds a time that a frame cannot"):
            read_table("the_people", people.database.url)

    def test_columns_of_the_users_own(self, people: Export):
        people.database.query("ALTER TABLE the_people ADD n int DEFAULT 7, ADD u uuid, ADD r real DEFAULT 0.5")
        frame = read_table("the_people", people.database.url, columns=["r", "n", "u"])
        assert [str(dtype) for dtype in frame.dtypes] == ["Float32", "Int32", "object"]
        assert frame.columns.tolist() == ["r", "n", "u"]


class TestChunks:
    def test_frames_of_so_many_rows_make_the_table(self, people: Export):
        url = people.database.url
        frames = list(read_table("the_people", url, chunk_rows=2))
        assert [len(frame) for frame in frames] == [2, 1]
        pd.testing.assert_frame_equal(pd.concat(frames), read_table("the_people", url))

    def test_many_rows_come_in_the_order_of_their_ids(self, people: Export):
        people.database.query("INSERT INTO the_people (id, i) SELECT g, -g FROM generate_series(25000, 4, -1) g")
        frame = read_table("the_people", people.database.url, columns=["id"])
        assert frame["id"].tolist() == list(range(1, 25001))
        assert frame.index.tolist() == list(range(25000))

    @pytest.mark.parametrize("chunk_rows", [None, 5])
    def test_an_empty_table_has_its_dtypes(self, people: Export, chunk_rows: int | None):
        read = read_table("empty", people.database.url, chunk_rows=chunk_rows)
        (frame,) = [read] if chunk_rows is None else read
        assert len(frame) == 0
        assert [str(dtype) for dtype in frame.dtypes] == ["Int64", "Int64", "datetime64[us, UTC]", "object"]

    def test_no_rows_are_no_chunk(self, people: Export):
        with pytest.raises(UsageError, match="argument chunk_rows: 0 is no number of rows"):
            next(read_table("empty", people.database.url, chunk_rows=0))


class TestNames:
    def test_a_xata_name_finds_its_table(self, people: Export):
        pd.testing.assert_frame_equal(
            read_table("thePeople", people.database.url), read_table("the_people", people.database.url)
        )

    def test_settings_tell_the_target_and_its_schema(self, people: Export):
        people.database.query("CREATE SCHEMA app")
        people.database.query("CREATE TABLE app.empty (id bigint, x text)")
        settings = load_settings(flags={"target": people.database.url, "target_schema": "app"})
        assert read_table("empty", settings=settings).columns.tolist() == ["id", "x"]
        assert read_table("empty", people.database.url, settings=settings).columns.tolist() == ["id", "x"]

    def test_variables_tell_the_target(self, people: Export, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("XATA_PG_TARGET", people.database.url)
        assert len(read_table("thePeople")) == 3

    def test_what_is_not_there_is_named(self, people: Export):
        with pytest.raises(UsageError, match=r"table nobody: not in schema public of .*/test_"):
            read_table("nobody", people.database.url)
        with pytest.raises(
            UsageError, match=r'column x: table "public"\."empty" has none of this name; it has id, i, d, v'
        ):
            read_table("empty", people.database.url, columns=["x"])

    def test_no_server_is_made_to_find_nothing(self, tmp_path):
        with pytest.raises(UsageError, match="nothing was migrated into this target yet"):
            read_table("users", settings=load_settings(flags={"home": tmp_path / "home"}))
        assert not (tmp_path / "home").exists()


def test_importing_the_package_imports_nothing_heavy():
    program = (
        "import sys, xata_pg_assets; print([name for name in ('pandas', 'psycopg', 'dagster', 'numpy', 'pydantic')"
        " if name in sys.modules], xata_pg_assets.__version__)"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True).startswith("[] ")


def test_the_package_hands_out_what_it_names():
    import xata_pg_assets

    assert all(getattr(xata_pg_assets, name) for name in xata_pg_assets.__all__)
    with pytest.raises(AttributeError, match="no attribute 'read_tabel'"):
        _ = xata_pg_assets.read_tabel
