"""Files of the report: there whole or not at all, and for nobody else's eyes."""

from __future__ import annotations

import os
import threading

import pytest

from xata_pg_assets.errors import ExitCode, UsageError
from xata_pg_assets.report.files import PUBLIC, write_file


def test_it_is_private_and_alone_in_its_folder(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("old")
    path.chmod(0o644)
    write_file(path, "né\n", what="flag --html")
    assert path.read_bytes() == "né\n".encode()
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_public_one_is_as_the_umask_has_it(tmp_path):
    before = os.umask(0o027)
    try:
        write_file(tmp_path / "erd.svg", "x", what="argument", mode=PUBLIC)
    finally:
        os.umask(before)
    assert (tmp_path / "erd.svg").stat().st_mode & 0o777 == 0o640


def test_what_was_there_stays_when_writing_fails(tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UsageError, match="no space left"):
        write_file(path, "new", what="flag --html")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "here").mkdir()
    link = tmp_path / "link.html"
    link.symlink_to(tmp_path / "here" / "report.html")
    write_file(link, "x", what="flag --html")
    assert link.is_symlink()
    assert link.read_text() == "x"


def test_a_pipe_is_written_into(tmp_path):
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    write_file(pipe, "through", what="flag --html")
    reader.join(60)
    assert read == ["through"]
    assert pipe.is_fifo()


@pytest.mark.parametrize("name", ["missing/report.html", "folder", "file/report.html", "circle", "x" * 300])
def test_a_place_that_cannot_be_written_is_named(tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    with pytest.raises(UsageError, match=r"^flag --html .*; name a file in a folder") as caught:
        write_file(tmp_path / name, "x", what="flag --html")
    assert caught.value.exit_code is ExitCode.USAGE
    assert "\n" not in str(caught.value)
