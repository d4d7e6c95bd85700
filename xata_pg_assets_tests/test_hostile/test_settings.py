"""Settings that are empty, endless, of another kind, or name what nobody should."""

from __future__ import annotations

from pathlib import Path

import pytest

from xata_pg_assets_tests.fix_server import Database
from xata_pg_assets_tests.test_cli.conftest import XataPg
from xata_pg_assets_tests.test_hostile.conftest import single_table

SCHEMAS = ["target_schema", "work_schema", "staging_schema", "source_schema"]
EMPTY = ["source", "schema", "target", "home", "dagster_url", *SCHEMAS]


def refused(xata_pg: XataPg, *flags: str | Path) -> str:
    outcome = xata_pg("plan", *flags)
    assert (outcome.code, outcome.out) == (2, "")
    return outcome.error


@pytest.mark.parametrize("blank", ["", " "])
@pytest.mark.parametrize("name", EMPTY)
def test_an_empty_setting_is_none_of_the_defaults(xata_pg: XataPg, name: str, blank: str):
    """`--target "$UNSET"` must not become libpq's defaults, nor `source = ""` the current folder."""
    wanted = f"setting {name}: it is empty; leave it out, or say what it is"
    assert refused(xata_pg, f"--{name.replace('_', '-')}", blank) == wanted
    (xata_pg.folder / "xata_pg.toml").write_text(f'{name} = "{blank}"\n')
    del xata_pg.variables["XATA_PG_HOME"]
    assert refused(xata_pg) == wanted
    assert not (xata_pg.folder / ".xata_pg").exists()


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_name_that_postgresql_would_cut_or_keeps_is_refused(xata_pg: XataPg, name: str):
    flag = f"--{name.replace('_', '-')}"
    assert "63 bytes" in refused(xata_pg, flag, "x" * 64)
    assert "63 bytes" in refused(xata_pg, flag, "é" * 32)
    assert "keeps this name" in refused(xata_pg, flag, "pg_mine")
    assert "keeps this name" in refused(xata_pg, flag, "information_schema")
    assert xata_pg("plan", flag, "x" * 63).code == 0


def test_schemas_of_63_bytes_hold_a_migration(xata_pg: XataPg, tmp_path: Path, database: Database):
    export = single_table(tmp_path)
    (export / "t.csv").write_text("id,s,j\nr1,a,1\n")
    names = {name: f"{name[0]}{'é' * 31}" for name in SCHEMAS[:3]}
    flags = [word for name, value in names.items() for word in (f"--{name.replace('_', '-')}", value)]
    for command in ("migrate", "migrate", "check"):
        assert xata_pg(command, "--source", export, "--target", database.url, *flags).code == 0
    found = database.query("SELECT nspname FROM pg_namespace WHERE nspname LIKE '_éé%' ORDER BY 1")
    assert sorted(name for (name,) in found) == sorted(names.values())


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 100_000,
        "source" + ".a" * 50_000 + " = 1",
        'source = "a\\u0000b"',
        'target = "postgresql://h/\\u0000"',
        'target_schema = "\\u0000"',
        "source = [1, 2]",
        "source = {a = 1}",
        "max_rejected_rows = " + "9" * 5000,
        "max_rejected_rows = -1",
        "max_gzip_ratio = -1",
        "[on_delete_links]\n" + "\n".join(f'"t.c{n}" = "cascade"' for n in range(20_000)),
        "\x00",
        "\ufffe",
        "#" * 2_000_000,
        'on_delete_links = "posts"',
        '"\x1b[31m" = 1',
    ],
)
def test_a_settings_file_that_is_none_ends_in_one_line(xata_pg: XataPg, text: str):
    (xata_pg.folder / "xata_pg.toml").write_text(text)
    error = refused(xata_pg)
    assert "should not happen" not in error
    assert error.isprintable()


@pytest.mark.parametrize("data", [b"\xff\xfe", b"\x80", b"\0" * 100])
def test_a_settings_file_of_bytes(xata_pg: XataPg, data: bytes):
    (xata_pg.folder / "xata_pg.toml").write_bytes(data)
    assert refused(xata_pg).startswith("settings file xata_pg.toml: ")


@pytest.mark.parametrize("path", ["/dev/zero", "/dev", "/nowhere"])
def test_a_settings_file_that_never_ends_is_not_read(xata_pg: XataPg, path: str):
    assert refused(xata_pg, "--config", path) == f"settings file {path}: not found"


def test_a_dotenv_file_is_not_ours(xata_pg: XataPg):
    """Nobody runs commands in a downloaded folder to have their rows sent somewhere else."""
    (xata_pg.folder / ".env").write_text("XATA_PG_TARGET=postgresql://evil.invalid/db\nDATABASE_URL=postgresql://x/y\n")
    assert "embedded" in xata_pg("plan", "--json").report["target"]
