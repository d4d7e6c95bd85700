"""An export in a store is read as one in a folder: the same rows, faults, digests and lines; no key is ever shown."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import pytest

from xata_pg_assets.errors import UsageError
from xata_pg_assets.stores import StoredPath, open_path, secrets_of
from xata_pg_assets_tests.fix_server import Database, Server
from xata_pg_assets_tests.test_cli.conftest import XataPg, export, fresh_home, migrating, xata_pg
from xata_pg_assets_tests.test_engines.conftest import scheduler, worker
from xata_pg_assets_tests.test_files.conftest import KEY, SECRET, Store, s3_server, store
from xata_pg_assets_tests.test_survival.image import image

__all__ = ["export", "fresh_home", "migrating", "s3_server", "scheduler", "store", "xata_pg"]

WHERE_FROM = ("ledger",)  # names the source


def put(store: Store, folder: Path) -> dict[str, str]:
    """Copy a folder into the bucket; return the settings that name it."""
    for path in folder.rglob("*"):
        if path.is_file():
            store.client.put_object(
                Bucket=store.bucket, Key=f"export/{path.relative_to(folder)}", Body=path.read_bytes()
            )
    return {"XATA_PG_SOURCE": f"s3://{store.bucket}/export", "XATA_PG_SOURCE_OPTIONS": json.dumps(store.options)}


def test_rows_faults_and_lines_are_those_of_a_folder(
    migrating: XataPg, store: Store, database: Database, server: Server
):
    folder = migrating.folder / "export"
    (folder / "posts.csv").unlink()
    text = 'id,title,likes,author\np1,one,1,u1\np2,"two\nlines",x,u2\np2,"two\nlines",3,u2\np1,other,2,u1\n'
    (folder / "posts.csv.gz").write_bytes(gzip.compress(text.encode()))
    here, there = server.new_database(), database
    outcomes = [
        migrating("migrate", "--json", env={"XATA_PG_TARGET": here.url}),
        migrating("migrate", "--json", env=put(store, folder)),
    ]
    assert [outcome.code for outcome in outcomes] == [1, 1]
    images = [image(each.url) for each in (here, there)]
    for each in images:
        each["ledger"] = [line[:3] + line[4:] for line in each["ledger"]]  # type: ignore[attr-defined]
    assert images[0] == images[1]
    found = there.query("SELECT file, line, reason, raw FROM xata_migration.rejected_rows ORDER BY line")
    assert [line[:3] for line in found] == [("posts.csv.gz", 2, "duplicate_id"), ("posts.csv.gz", 3, "bad_value")]
    assert outcomes[1].report["source"] == f"s3://{store.bucket}/export"
    assert SECRET not in outcomes[1].out + outcomes[1].err


def test_the_same_file_is_not_read_again_and_another_one_is(migrating: XataPg, store: Store, database: Database):
    settings = put(store, migrating.folder / "export")
    assert migrating("migrate", env=settings).code == 0
    staged = "SELECT xata_table, staged_at FROM xata_migration.loads ORDER BY 1"
    first = database.query(staged)
    assert migrating("migrate", env=settings).code == 0
    assert database.query(staged) == first
    store.client.put_object(Bucket=store.bucket, Key="export/users.csv", Body=b"id,email,name\nu1,ann@x.org,Anna\n")
    migrating("migrate", env=settings)
    assert database.query("SELECT name FROM users") == [("Anna",)]


@pytest.mark.parametrize("executor", ["multiprocess", "dask"])
def test_with_processes_of_its_own(migrating: XataPg, store: Store, database: Database, executor: str):
    if executor == "dask":
        pytest.importorskip("distributed")
    settings = put(store, migrating.folder / "export")
    outcome = migrating.start("migrate", "--json", "--executor", executor, env=settings).end(600)
    assert (outcome.code, outcome.report["ok"]) == (0, True)
    assert database.value("SELECT count(*) FROM posts") == 5


def test_workers_that_stay_see_what_the_store_then_has(
    migrating: XataPg, store: Store, database: Database, scheduler: int
):
    assert scheduler
    migrating.variables |= put(store, migrating.folder / "export")
    shutil.rmtree(migrating.folder / "export")
    with worker(migrating, 1):
        assert migrating.start("migrate", "--json").end(600).code == 0
        assert database.value("SELECT count(*) FROM posts") == 5
        users = b"id,email,name\nu1,ann@x.org,Anna\nu2,bob@x.org,Bob\nu3,c@x.org,Cleo\n"
        store.client.put_object(Bucket=store.bucket, Key="export/users.csv", Body=users)
        assert migrating.start("migrate", "--json").end(600).code == 0
    assert database.query("SELECT name FROM users ORDER BY id") == [("Anna",), ("Bob",), ("Cleo",)]


def test_what_is_not_there_is_one_line_without_a_key(migrating: XataPg, store: Store):
    env = {"XATA_PG_SOURCE": f"s3://{store.bucket}/none", "XATA_PG_SOURCE_OPTIONS": json.dumps(store.options)}
    outcome = migrating("plan", env=env)
    assert outcome.code == 2
    assert f"s3://{store.bucket}/none" in outcome.error
    assert SECRET not in outcome.err
    assert KEY not in outcome.err


def test_a_scheme_that_nobody_knows_is_one_line():
    with pytest.raises(UsageError, match=r"^setting source: nowhere://host/x: .*correct the URL"):
        open_path("nowhere://me:pw@host/x", {}, "source")


def test_what_a_store_says_is_told_without_keys():
    hidden = secrets_of("s3://me:pa55@bucket/x?token=t0k3n", {"key": KEY, "client_kwargs": {"tokens": [SECRET]}})
    assert hidden(f"{KEY} of me:pa55 with {SECRET} and t0k3n\nis wrong") == "*** of me:*** with *** and ***"


def test_a_folder_is_listed_once(store: Store, tmp_path: Path):
    (tmp_path / "a.csv").write_text("id\n")
    (tmp_path / "b.csv").write_text("id\nb\n")
    put(store, tmp_path)
    folder = open_path(f"s3://{store.bucket}/export", store.options, "source")
    assert isinstance(folder, StoredPath)
    assert sorted(path.name for path in folder.iterdir()) == ["a.csv", "b.csv"]
    store.client.delete_object(Bucket=store.bucket, Key="export/b.csv")
    assert [(folder / name).stat().st_size for name in ("a.csv", "b.csv")] == [3, 5]
