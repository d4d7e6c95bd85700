"""Killed, cut off, stopped, timed out or out of disk: run again, and the database is the undisturbed one."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from xata_pg_assets.postgres import embedded
from xata_pg_assets.postgres.cluster import find_cluster
from xata_pg_assets.postgres.postmaster import Postmaster, while_alive
from xata_pg_assets_tests.fix_proxy import Proxy, after_bytes, at_statement
from xata_pg_assets_tests.fix_server import Database, Server
from xata_pg_assets_tests.fix_waiting import until
from xata_pg_assets_tests.test_survival.conftest import (
    DONE,
    IS_LONG,
    Moments,
    Stage,
    Stages,
    data_dir,
    drop,
    shuffled,
    times,
)
from xata_pg_assets_tests.test_survival.driver import Driver

_OUT_OF_LUCK = 10  # times as many tries as hits are wanted: a kill may come when all is done
_STATEMENTS = (b"COMMIT", b"CREATE TABLE", b"COPY ", b"INSERT INTO", b"ADD CONSTRAINT", b"CREATE INDEX", b"pg_advisory")
_SETTERS = ["DATABASE {database}", "ROLE {role} IN DATABASE {database}"]
_TRANSIENT = {"TransientError", "UnreachableError"}


def test_sigkill_at_random_moments(stages: Stages, dice: random.Random):
    wanted, hits, moments = times(2, 110), 0, Moments(dice)
    for name in shuffled(dice, wanted * _OUT_OF_LUCK):
        stage = stages(name)
        database = stage.new_database()
        driver = stage.start(database)
        moments.wait(driver.process, stage.seconds)
        driver.kill()
        if driver.end().code != -signal.SIGKILL:
            drop(stage.server, database)
            continue
        stage.assert_same_after_another_run(database)
        DONE["SIGKILL at a random moment"] += 1
        hits += 1
        if hits == wanted:
            return
    pytest.fail(f"{hits} kills in {wanted * _OUT_OF_LUCK} tries")


def test_sigkill_at_random_statements(stages: Stages, dice: random.Random):
    """Before and after COMMITs, in the middle of a COPY: what a clock seldom hits."""
    wanted, hits = times(2, 100), 0
    for name in shuffled(dice, wanted * _OUT_OF_LUCK):
        stage = stages(name)
        database = stage.new_database()
        proxy = Proxy(database.url)
        started: list[Driver] = []
        word = dice.choice((*_STATEMENTS, None))
        watch = (
            after_bytes(dice.randrange(stage.bytes))
            if word is None
            else at_statement(word, dice.randint(1, 3 * len(stage.dataset.schema.tables)), is_sent=dice.random() < 0.5)
        )
        proxy.arm(watch, lambda started=started: (until(lambda: started, every=0.005), started[0].kill()))
        started.append(stage.start(database, proxy.url))
        code = started[0].end().code
        proxy.close()
        if code != -signal.SIGKILL:
            drop(stage.server, database)
            continue
        stage.assert_same_after_another_run(database)
        DONE["SIGKILL at a random statement or byte"] += 1
        hits += 1
        if hits == wanted:
            return
    pytest.fail(f"{hits} kills in {wanted * _OUT_OF_LUCK} tries")


def test_sessions_terminated_at_random_moments(stages: Stages, dice: random.Random):
    """The administrator ends one of its sessions: what fails for it is transient, or goes on by itself."""
    wanted, hits, moments = times(1, 52), 0, Moments(dice)
    for name in shuffled(dice, wanted * _OUT_OF_LUCK):
        stage = stages(name)
        database = stage.new_database()
        with psycopg.connect(database.url, autocommit=True) as conn:
            driver = stage.start(database)
            moments.wait(driver.process, stage.seconds)
            struck = _terminate(conn, dice)
            ending = driver.end()
        if not struck:
            drop(stage.server, database)
            continue
        assert ending.is_green or ending.error in _TRANSIENT, ending
        stage.assert_same_after_another_run(database)
        DONE["pg_terminate_backend of one of its sessions"] += 1
        hits += 1
        if hits == wanted:
            return
    pytest.fail(f"{hits} sessions in {wanted * _OUT_OF_LUCK} tries")


def _terminate(conn: psycopg.Connection, dice: random.Random) -> bool:
    pids = conn.execute(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND backend_type = 'client backend' ORDER BY pid"
    ).fetchall()
    return bool(pids) and conn.execute("SELECT pg_terminate_backend(%s)", dice.choice(pids)).fetchone() == (True,)


def test_connections_cut_at_random_bytes(stages: Stages, dice: random.Random):
    wanted = times(2, 60)
    for name in shuffled(dice, wanted):
        stage = stages(name)
        database = stage.new_database()
        proxy = Proxy(database.url)
        proxy.arm(after_bytes(dice.randrange(stage.bytes * 9 // 10)))  # a run may need a little less than another
        ending = stage.start(database, proxy.url).end()
        assert proxy.has_struck
        proxy.close()
        assert ending.is_green or ending.error in _TRANSIENT, ending
        stage.assert_same_after_another_run(database)
        DONE["connections cut at a random byte"] += 1


def _crash(server: Server, number: int) -> None:
    """Stop the server at once, as `pg_ctl stop -m immediate` does, or as a kernel without memory."""
    place = data_dir(server)
    postmaster = Postmaster.read(place / "postmaster.pid")
    assert postmaster is not None
    os.kill(postmaster.pid, number)
    for _ in while_alive(place):
        pass


def test_immediate_stops_of_the_server(mortal: tuple[Server, Stages], dice: random.Random):
    server, stages = mortal
    wanted, hits, moments = times(1, 16), 0, Moments(dice)
    for name in shuffled(dice, wanted * _OUT_OF_LUCK, short=("strict",)):
        stage = stages(name)
        database = stage.new_database()
        driver = stage.start(database)
        moments.wait(driver.process, stage.seconds)
        _crash(server, dice.choice((signal.SIGQUIT, signal.SIGKILL)))
        ending = driver.end()
        assert embedded.ensure_running(server.home).uri == server.url
        if ending.is_green:
            drop(server, database)
            continue
        assert ending.error in _TRANSIENT, ending
        stage.assert_same_after_another_run(database)
        DONE["immediate stop of the server"] += 1
        hits += 1
        if hits == wanted:
            return
    pytest.fail(f"{hits} stops in {wanted * _OUT_OF_LUCK} tries")


@pytest.mark.parametrize("name", ["faults", "strict", "newer"] if IS_LONG else ["strict"])
def test_staging_emptied_between_two_steps_is_noticed(mortal: tuple[Server, Stages], name: str):
    """Unlogged tables are empty after a crash of the server: the steps that follow stage again what they need."""
    from xata_pg_assets.migration import Migration
    from xata_pg_assets.settings import load_settings
    from xata_pg_assets_tests.test_survival.image import image

    server, stages = mortal
    stage = stages(name)
    database = stage.new_database()
    flags = {**stage.dataset.flags, "source": str(stage.folder), "target": database.url, "home": stage.folder}
    migration = Migration(load_settings(flags=flags), stage.dataset.schema)
    for step in ("stage", "map_ids", "load", "check"):
        for table in migration.plan.tables:
            result = getattr(migration, step)(table)
            if step == "check":
                assert [check.description for check in result if not check.passed] == []
            if table in (migration.plan.tables[0], migration.plan.tables[-1]) and step != "stage":
                _crash(server, signal.SIGQUIT)
                embedded.ensure_running(server.home)
                assert database.value(f'SELECT count(*) FROM xata_staging."{table.staging}"') == 0
                DONE["staging emptied between two steps"] += 1
    found = image(database.url)
    for table in migration.plan.tables:
        for here in (f"public.{table.name}", f"xata_migration.{table.mapping}"):
            assert found[here] == stage.wanted[here], here
    for here in ("xata_migration.rejected_rows", "xata_migration.dangling_links", "constraints", "next ids"):
        assert found[here] == stage.wanted[here], here
    stage.assert_same_after_another_run(database)


@pytest.fixture
def small_disk(server: Server) -> Iterator[Path]:
    """A file system of 64 MB with a tablespace `small` on it."""
    place = Path(tempfile.mkdtemp(prefix="xata-pg-disk-"))
    place.chmod(0o755)
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m,mode=755", "tmpfs", str(place)], capture_output=True, check=False
    )
    if not mounted or mounted.returncode:
        place.rmdir()
        pytest.skip("a file system that can be filled takes root's right to mount one")
    try:
        cluster = find_cluster(server.home)
        assert cluster is not None
        (place / "space").mkdir()
        os.chown(place / "space", cluster.account.uid, cluster.account.gid)
        admin = Database(server.url)
        admin.query(f"CREATE TABLESPACE small LOCATION '{place / 'space'}'")
        yield place
        admin.query("DROP TABLESPACE small")
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)
        place.rmdir()


def test_disk_full(stages: Stages, dice: random.Random, small_disk: Path):
    for name in shuffled(dice, times(1, 12)):
        stage = stages(name)
        room = dice.uniform(0.05, 0.7) * _growth(stage)
        database = stage.new_database("small")
        ballast = small_disk / "ballast"
        with ballast.open("wb") as file:
            free = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize
            os.posix_fallocate(file.fileno(), 0, int(free - room))
        try:
            ending = stage.start(database).end()
        finally:
            ballast.unlink()
        # A statement's is for good, since it does not pass by itself; a server so full that nobody gets in is away
        words = {"TargetError": "the server's disk is full", "UnreachableError": "No space left on device"}
        assert words[ending.error or ""] in ending.message, ending
        stage.assert_same_after_another_run(database)
        DONE["disk full"] += 1


def _growth(stage: Stage) -> int:
    """Return the bytes that an undisturbed run adds to the database."""
    database, size = stage.new_database(), "SELECT pg_database_size(current_database())"
    before = database.value(size)
    assert stage.start(database).end().is_green
    grown = database.value(size) - before
    drop(stage.server, database)
    return int(grown)


@pytest.mark.parametrize("whom", _SETTERS if IS_LONG else _SETTERS[:1])
def test_timeouts_set_by_the_server_stop_nothing(stages: Stages, whom: str):
    stage = stages("newer")
    database = stage.new_database()
    names = database.value("SELECT current_database()"), database.value("SELECT current_user")
    for setting in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
        database.query(f"ALTER {whom.format(database=names[0], role=names[1])} SET {setting} = '1ms'")
        DONE["timeout of a millisecond set by the server"] += 1
    ending = stage.start(database).end()
    assert ending.is_green, ending
    database.query(f"ALTER {whom.format(database=names[0], role=names[1])} RESET ALL")
    stage.assert_same_after_another_run(database)
