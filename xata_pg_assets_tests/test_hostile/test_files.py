"""What may stand in a folder that somebody else packed: links, pipes, devices, folders; nothing of it is waited for."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path

import pytest

from xata_pg_assets_tests.fix_export import METADATA
from xata_pg_assets_tests.fix_server import Database
from xata_pg_assets_tests.test_cli.conftest import XataPg
from xata_pg_assets_tests.test_hostile.conftest import single_table

ROWS = f"id,s,j,{','.join(METADATA)}\nr1,a,{{}},0,,\n"


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server, chdir(path.parent):
        server.bind(path.name)  # a socket's whole path must be short


def _device(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root makes devices")
    os.mknod(path, 0o644 | 0o020000, os.makedev(1, 5))  # /dev/zero, which never ends


SPECIAL: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "socket": _socket,
    "device": _device,
    "folder": Path.mkdir,
    "folder of parts": lambda path: (path / "part-000.csv").mkdir(parents=True),
    "dangling link": lambda path: path.symlink_to("nowhere.csv"),
    "circle": lambda path: path.symlink_to(path.name),
}
OUTSIDE = {"link to a file": "/etc/passwd", "link to a device": "/dev/zero", "relative link": "../secret.csv"}


@pytest.mark.parametrize("kind", SPECIAL)
@pytest.mark.parametrize("name", ["t.csv", "t.json.gz"])
def test_what_is_no_file_is_refused_at_once(xata_pg: XataPg, tmp_path: Path, database: Database, kind: str, name: str):
    export = single_table(tmp_path)
    SPECIAL[kind](export / name)
    for command in ("plan", "migrate"):
        outcome = xata_pg(command, "--source", export, "--target", database.url)
        assert (outcome.code, outcome.error) == (2, f"{name} is not a regular file; put the file itself there")


@pytest.mark.parametrize("kind", OUTSIDE)
def test_a_link_that_leads_out_is_refused_unless_it_is_allowed(
    xata_pg: XataPg, tmp_path: Path, database: Database, kind: str
):
    export = single_table(tmp_path)
    (tmp_path / "secret.csv").write_text(ROWS)
    (export / "t.csv").symlink_to(OUTSIDE[kind])
    flags = ("--source", export, "--target", database.url)
    for command in ("plan", "migrate"):
        outcome = xata_pg(command, *flags)
        assert outcome.code == 2
        assert outcome.error.startswith("t.csv is a link that leads out of ")
        assert outcome.error.endswith("or set follow_links")
    outcome = xata_pg("migrate", *flags, "--follow-links")
    expected = {"/etc/passwd": (3, "t.csv:1: "), "/dev/zero": (2, "t.csv is not a regular"), "../secret.csv": (0, "")}
    code, error = expected[OUTSIDE[kind]]
    assert outcome.code == code
    assert error in outcome.err
    assert "root:x" not in outcome.out + outcome.err


def test_a_folder_reached_by_a_link_is_fine(xata_pg: XataPg, tmp_path: Path, database: Database):
    export = single_table(tmp_path)
    (export / "real.csv").write_text(ROWS)
    (export / "t.csv").symlink_to("real.csv")
    (tmp_path / "elsewhere").symlink_to("export")
    outcome = xata_pg("migrate", "--source", tmp_path / "elsewhere", "--target", database.url, "--json")
    assert (outcome.code, outcome.report["tables"][0]["target_rows"]) == (0, 1)


@pytest.mark.parametrize("kind", SPECIAL)
def test_a_schema_that_is_no_file_is_refused_at_once(xata_pg: XataPg, tmp_path: Path, kind: str):
    export = single_table(tmp_path)
    (export / "schema.json").unlink()
    SPECIAL[kind](export / "schema.json")
    for flags in (("--source", export), ("--schema", export / "schema.json")):
        outcome = xata_pg("plan", *flags)
        assert outcome.code == 2
        assert len(outcome.error) < 400


@pytest.mark.parametrize("name", [b"\xff\xfe", b"a b'\"%s{}", b"\xe2\x80\xaeevil", b"new\nline", b"[bold]"])
def test_a_source_folder_of_any_bytes(xata_pg: XataPg, tmp_path: Path, database: Database, name: bytes):
    folder = tmp_path / os.fsdecode(name)
    single_table(tmp_path).rename(folder)
    (folder / "t.csv").write_text(ROWS)
    (folder / os.fsdecode(name + b".csv")).write_text(ROWS)  # a stranger, told of by a warning
    flags = ("--source", folder, "--target", database.url)
    for command in ("plan", "migrate", "report"):
        outcome = xata_pg(command, *flags)
        assert (outcome.code, "error" in outcome.err) == (0, False), outcome.err
        assert {character for character in outcome.out if not character.isprintable()} <= {"\n"}
    assert xata_pg("report", *flags, "--json").report["tables"][0]["target_rows"] == 1
