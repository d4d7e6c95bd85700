"""Files made to fill memory, disk or the night: each ends in one line or in rejected rows, in bounded memory."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from xata_pg_assets.errors import ExportError, SchemaError
from xata_pg_assets.xata.byte_stream import ByteStream
from xata_pg_assets.xata.schema_files import read_schema
from xata_pg_assets_tests.fix_export import METADATA
from xata_pg_assets_tests.fix_server import Database
from xata_pg_assets_tests.test_cli.conftest import XataPg
from xata_pg_assets_tests.test_hostile.conftest import measured, single_table

MB = 1024 * 1024
# A record of 64 MB is held in a few forms at once; what explodes takes gigabytes
MEMORY = 1000
HEAD = f"id,s,j,{','.join(METADATA)}\n"
TAIL = ",0,,\n"
DEEP = 10_000


def _write(path: Path, pieces: Iterator[str] | list[str]) -> None:
    with gzip.open(path, "wt", 9) if path.suffix == ".gz" else path.open("w") as file:
        file.writelines(pieces)


def _cell(size: int) -> list[str]:
    return ["a" * MB] * size


# Texts are made when they are asked for: every process of a run in parallel reads this file
SCHEMAS: dict[str, tuple[Callable[[], str], str]] = {
    "200 levels": (lambda: '{"a":' * 200 + "1" + "}" * 200, "no "),
    "200 levels of tables": (lambda: '{"schema":' * 200 + '{"tables": []}' + "}" * 200, "no "),
    "a million brackets": (lambda: "[" * 1_000_000, "nested too deep"),
    "columns in columns": (
        lambda: (
            '{"tables":[{"name":"t","columns":[' + '{"name":"c","type":"object","columns":[' * 200 + "]}" * 200 + "]}]}"
        ),
        "nested too deep",
    ),
    "brackets for columns": (
        lambda: '{"tables":[{"name":"t","columns":' + "[" * 50_000 + "]" * 50_000 + "}]}",
        "nested too",
    ),
    "a deep default": (
        lambda: (
            '{"tables":[{"name":"t","columns":[{"name":"c","type":"string","defaultValue":'
            + "[" * 900
            + "]" * 900
            + "}]}]}"
        ),
        "",
    ),
    "100 MB": (lambda: '{"tables":[' + '{"name":"t","columns":[]},' * 4_000_000 + "{}]}", "larger than 16 MiB"),
    "half a million tables": (
        lambda: '{"tables":[' + ",".join(f'{{"name":"t{n}"}}' for n in range(500_000)) + "]}",
        "500,000 tables: more than 2,000",
    ),
    "a hundred thousand columns": (
        lambda: (
            '{"tables":[{"name":"t","columns":['
            + ",".join(f'{{"name":"c{n}","type":"int"}}' for n in range(100_000))
            + "]}]}"
        ),
        "100,000 columns, and a table of PostgreSQL takes 1,595",
    ),
    "a number of a million digits": (lambda: '{"tables":' + "9" * 1_000_000 + "}", ""),
}
SCRIPTS: dict[str, tuple[Callable[[], str], str]] = {
    "never closed": (lambda: "const tables = " + "[" * 200_000, "never closed"),
    "a million brackets": (lambda: "const tables = " + "[" * 500_000 + "]" * 500_000, "not a plain literal"),
    "100 MB": (lambda: "const tables = [" + '{"name":"t"},' * 8_000_000 + "]", "larger than 16 MiB"),
    "quotes": (lambda: "const tables = " + '"\\' * 4_000_000, "no `const tables"),
    "blanks": (lambda: "const tables " + " " * 5_000_000 + "x", "no `const tables"),
    "declarations": (lambda: "const tables a" * 500_000, "no `const tables"),
    "comments": (lambda: "/*" * 5_000_000, "no `const tables"),
    "half a million tables": (
        lambda: "const tables = [" + ",".join(f"{{name:'t{n}'}}" for n in range(500_000)) + "]",
        "more than 2,000",
    ),
}


@pytest.mark.parametrize(
    ("name", "case"),
    [("schema.json", case) for case in SCHEMAS] + [("xata.ts", case) for case in SCRIPTS],
)
def test_a_schema_made_to_fill_memory_is_refused_in_one_line(tmp_path: Path, name: str, case: str):
    text, reason = (SCHEMAS if name == "schema.json" else SCRIPTS)[case]
    path = tmp_path / name
    path.write_text(text())
    if not reason:  # a text beyond reason, and yet a schema
        with suppress(SchemaError):
            read_schema(path)
        return
    with pytest.raises(SchemaError) as caught:
        read_schema(path)
    assert reason in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_schema_of_100_mb_by_the_command_line(xata_pg: XataPg, tmp_path: Path):
    path = tmp_path / "schema.json"
    path.write_text(SCHEMAS["100 MB"][0]())
    outcome, peak = measured(xata_pg, "plan", "--schema", path)
    assert (outcome.code, "larger than 16 MiB" in outcome.error) == (2, True)
    assert peak < MEMORY


BOMBS = {
    "t.csv.gz": [HEAD, *["\n" * MB] * 40],
    "t.csv.gz quoted": [HEAD, 'r1,"', *_cell(40), '",{}' + TAIL],
    "t.jsonl.gz": [" " * MB] * 40,
    "t.json.gz": ["[", *[" " * MB] * 40, "]"],
    "t.log.gz": ["\n" * MB] * 40,
}


@pytest.mark.parametrize("case", BOMBS)
def test_a_gzip_bomb_fails_its_table_and_names_the_setting(
    xata_pg: XataPg, tmp_path: Path, database: Database, case: str
):
    export = single_table(tmp_path)
    _write(export / case.split(maxsplit=1)[0], BOMBS[case])
    flags = ("--source", export, "--target", database.url)
    outcome = xata_pg("migrate", *flags)
    assert outcome.code == 3
    (line,) = [line for line in outcome.err.splitlines() if line.startswith("error")]
    assert line.startswith(f"error: {case.split(maxsplit=1)[0]}:")
    assert line.endswith("more than 1000 times as large as its .gz; if that is right, set max_gzip_ratio")
    assert xata_pg("migrate", *flags, "--max-gzip-ratio", "0").code == 0


def test_the_ratio_counts_beyond_some_megabytes_only_and_wherever_the_file_is_read(tmp_path: Path):
    path = tmp_path / "t.csv.gz"
    _write(path, ["\n" * MB] * 15)
    with ByteStream(path, "t.csv.gz", 2) as stream:
        assert len(stream.read(20 * MB)) == 15 * MB
    _write(path, ["\n" * MB] * 40)
    with ByteStream(path, "t.csv.gz", 1000) as stream:
        assert len(stream.read(16 * MB)) == 16 * MB
        stream.seek(0)
        assert len(stream.read(10 * MB)) == 10 * MB  # read twice is not twice as large
        with pytest.raises(ExportError, match="set max_gzip_ratio"):
            stream.read(30 * MB)


def _deep(name: str) -> str:
    nested = "[" * DEEP + "]" * DEEP
    return {
        "t.csv": f"{HEAD}r1,a,{nested}{TAIL}r2,b,1{TAIL}",
        "t.jsonl": f'{{"id": "r1", "j": {nested}}}\n{{"id": "r2", "j": 1}}\n',
        "t.json": f'[{{"id": "r1", "j": {nested}}}, {{"id": "r2", "j": 1}}]',
        "t.log": f"{{'id': 'r1', 'j': {nested}}}\n{{'id': 'r2', 'j': 1}}\n",
    }[name]


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.json", "t.log"])
def test_a_cell_of_10_000_levels_is_stored_or_rejected_and_the_other_row_is_in(
    xata_pg: XataPg, tmp_path: Path, database: Database, name: str
):
    export = single_table(tmp_path)
    (export / name).write_text(_deep(name))
    outcome = xata_pg("migrate", "--source", export, "--target", database.url, "--json")
    (told,) = outcome.report["tables"]
    assert (told["source_rows"], told["target_rows"] + told["rejected_rows"]) == (2, 2)
    assert outcome.code == min(1, told["rejected_rows"])
    assert database.query("SELECT count(*) FROM t WHERE j = '1'") == [(1,)]
    reasons = database.query("SELECT old_id, reason FROM xata_migration.rejected_rows")
    assert reasons == [("r1", "bad_value")] * told["rejected_rows"]


@pytest.mark.parametrize("opening", ["[", '{"a":', "[{", "("])
@pytest.mark.parametrize("name", ["t.jsonl", "t.json", "t.log"])
def test_a_file_of_brackets_ends(xata_pg: XataPg, tmp_path: Path, database: Database, name: str, opening: str):
    export = single_table(tmp_path)
    (export / name).write_text(opening * 100_000)
    outcome = xata_pg("migrate", "--source", export, "--target", database.url)
    assert outcome.code in (1, 3)
    assert "should not happen" not in outcome.err
    assert "Traceback" not in outcome.err
    assert all(len(line) < 1000 for line in (outcome.out + outcome.err).splitlines())


LARGE = {
    "t.csv": (lambda: [HEAD, 'r1,"', *_cell(200), '",{}' + TAIL], "t.csv:2: the record is longer than 64 MB"),
    "t.jsonl": (lambda: ['{"id": "r1", "s": "', *_cell(200), '"}\n'], "t.jsonl:1: the line is longer than 64 MB"),
    "t.json": (lambda: ['[{"id": "r1", "s": "', *_cell(200), '"}]'], "record 1: the file has a record longer than 64"),
    "t.log": (lambda: ["{'id': 'r1', 's': '", *_cell(200), "'}\n"], "t.log:1: the line is longer than 64 MB"),
}


@pytest.mark.parametrize("name", LARGE)
def test_a_cell_of_200_mb_fails_its_table_in_bounded_memory(
    xata_pg: XataPg, tmp_path: Path, database: Database, name: str
):
    export = single_table(tmp_path)
    pieces, reason = LARGE[name]
    _write(export / name, pieces())
    outcome, peak = measured(xata_pg, "migrate", "--source", export, "--target", database.url)
    assert outcome.code == 3
    assert reason in outcome.err
    assert peak < MEMORY


ENDLESS = {
    "no line end": [HEAD, "r1,", *["a," * (MB // 2)] * 30],
    "quotes out of place": [HEAD, "r1,", *['a"b,' * (MB // 4)] * 30],
    "a quote never closed": [HEAD, 'r1,"', *_cell(30)],
    "a header without an end": ["c,", *["a," * (MB // 2)] * 30],
    "a header of quotes": ['"a"b,' * 200_000],
    "a header of many columns": ["id," + ",".join(f"c{n}" for n in range(100_000)) + "\n"],
}


@pytest.mark.parametrize("case", ENDLESS)
def test_a_record_without_an_end_takes_no_memory_for_its_cells(
    xata_pg: XataPg, tmp_path: Path, database: Database, case: str
):
    export = single_table(tmp_path)
    _write(export / "t.csv", ENDLESS[case])
    outcome, peak = measured(xata_pg, "migrate", "--source", export, "--target", database.url)
    assert outcome.code in (1, 3)
    assert "should not happen" not in outcome.err
    if outcome.code == 3:
        assert "error: t.csv:" in outcome.err
    else:
        assert database.query("SELECT reason, old_id FROM xata_migration.rejected_rows") == [("ragged", "r1")]
    assert peak < MEMORY
