"""The home folder: any name that a folder can have, and nobody else's eyes."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from xata_pg_assets.postgres import binaries, cluster, embedded
from xata_pg_assets_tests.fix_server import Database
from xata_pg_assets_tests.test_cli.conftest import Folder, XataPg

NAMES = [
    "a b",
    "a'b",
    'a"b',
    "a#b",
    "a%20b",
    "%s",
    "{x}",
    "$HOME",
    "é😀",
    "\u202eevil",
    "[bold]",
    "-rf",
]


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.mark.parametrize("name", NAMES)
def test_a_home_with_odd_characters_holds_the_records(migrating: XataPg, name: str):
    home = migrating.folder / name
    migrating.variables["XATA_PG_HOME"] = str(home)
    for _ in range(2):
        outcome = migrating("migrate")
        assert (outcome.code, "error" in outcome.err) == (0, False)
    assert (home / "dagster" / "history" / "runs.db").is_file()
    # Dagster makes a `.dagster` in the user's home now and then; what matters here is that the name made no other place
    made = {path.name for path in migrating.folder.iterdir()} - {".dagster"}
    assert made <= {"export", "home", "std.out", "std.err", name}


@pytest.mark.parametrize("name", ["a'b %s", "new\nline"])
def test_the_embedded_server_under_such_a_home(xata_pg: XataPg, export: Folder, name: str):
    home = xata_pg.folder / name
    try:
        outcome = xata_pg("migrate", "--source", export.path, "--home", home)
        if "\n" in name:
            assert (outcome.code, "choose another XATA_PG_HOME" in outcome.err) == (3, True)
            assert "should not happen" not in outcome.err
            return
        assert outcome.code == 0
        uri = xata_pg("uri", "--home", home).out.strip()
        assert Database(uri).value("SELECT count(*) FROM users") == 2
    finally:
        if "\n" not in name:
            embedded.destroy(home)


def test_a_home_that_dagster_cannot_use_is_refused(migrating: XataPg):
    outcome = migrating("migrate", env={"XATA_PG_HOME": str(migrating.folder / "a?b")})
    assert outcome.code == 2
    assert outcome.error.startswith("setting home: ")
    assert "name another folder" in outcome.error


@pytest.mark.parametrize("kind", ["file", "circle", "dangling link", "inside a file"])
def test_a_home_that_is_no_folder_is_one_line(migrating: XataPg, kind: str):
    home = migrating.folder / "none"
    match kind:
        case "file":
            home.write_text("")
        case "circle":
            home.symlink_to("none")
        case "dangling link":
            home.symlink_to("nowhere")
        case _:
            home.write_text("")
            home = home / "home"
    outcome = migrating("migrate", env={"XATA_PG_HOME": str(home)})
    if kind == "dangling link":  # which can be made
        assert outcome.code in (0, 2)
        return
    assert outcome.code == 2
    assert outcome.error.startswith("setting home: ")


def test_only_the_user_can_look_into_a_home(migrating: XataPg):
    home = migrating.folder / "deep" / "new"
    before = os.umask(0o022)
    try:
        assert migrating("migrate", env={"XATA_PG_HOME": str(home)}).code == 0
    finally:
        os.umask(before)
    assert _mode(home) & 0o066 == 0
    assert _mode(home / "dagster") == 0o700


def test_a_home_that_is_there_keeps_its_mode(migrating: XataPg):
    home = migrating.folder / "theirs"
    home.mkdir(mode=0o750)
    home.chmod(0o750)
    assert migrating("migrate", env={"XATA_PG_HOME": str(home)}).code == 0
    assert _mode(home) == 0o750
    assert _mode(home / "dagster") == 0o700


@pytest.mark.usefixtures("umask")
def test_the_embedded_server_starts_under_the_strictest_umask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Root's server runs as another account, which must reach programs and cluster all the same."""
    state = Path(tempfile.mkdtemp(prefix="xata-pg-")) / "state"  # pytest's folder is closed to others
    state.parent.chmod(0o755)
    monkeypatch.setattr(binaries, "STATE", state)
    home = tmp_path / "home"
    try:
        server = embedded.ensure_running(home)
        assert Database(server.uri).value("SELECT 1") == 1
        assert _mode(server.data_dir) == 0o700
        assert _mode(home / embedded.LOG) == 0o600
        assert cluster.find_cluster(home) is not None
    finally:
        embedded.destroy(home)
        shutil.rmtree(state.parent)
