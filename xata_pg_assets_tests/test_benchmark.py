"""The comparison of benchmarks/, end to end on little: it measures, proves and writes down; no clock is asserted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
SIDES = ["ours", "copy", "hand"]


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCHMARKS / "compare.py"), "--keep", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """What a comparison of the sides that need nothing installed wrote, and the folder of it."""
    folder = tmp_path_factory.mktemp("benchmark")
    folder.chmod(0o755)
    files = ["--json", str(folder / "out.json"), "--plot", str(folder / "out.svg")]
    grid = ["--shapes", "mixed", "--sizes", "1", "2", "--repeats", "1", "--sides", *SIDES, "dlt"]
    ended = run(folder, *grid, "--peers", "/nowhere/python", *files)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return json.loads((folder / "out.json").read_text()), folder


def test_every_side_is_measured_in_every_size(compared: tuple[dict[str, Any], Path]) -> None:
    result, _ = compared
    assert [one["megabytes"] for one in result["measured"]] == [1, 2]
    for one in result["measured"]:
        assert list(one["sides"]) == SIDES
        assert all(len(side["runs"]) == 1 and side["ended"] is None for side in one["sides"].values())
        assert one["sides"]["copy"]["ratio"] == 1
        assert 0 < one["sides"]["ours"]["peak_megabytes"]["largest"] < 300
    assert set(result["growth"]["mixed"]) == set(SIDES)
    assert result["red"] == []


def test_what_is_not_installed_is_left_out_with_a_word(compared: tuple[dict[str, Any], Path]) -> None:
    result, _ = compared
    assert result["missing"] == ["dlt"]
    assert list(result["sides"]) == SIDES


def test_the_plot_shows_a_line_for_each_side(compared: tuple[dict[str, Any], Path]) -> None:
    _, folder = compared
    drawing = ElementTree.parse(folder / "out.svg").getroot()  # noqa: S314 - drawn by us
    assert len(drawing.findall("{*}polyline")) == len(SIDES)


def run_broken(folder: Path, broken: str) -> subprocess.CompletedProcess[str]:
    """Compare after a statement that spoils something; `folder` has the export already."""
    program = f"import sys; sys.path.insert(0, sys.argv.pop(1)); import compare\n{broken}\nsys.exit(compare.main())"
    arguments = ["--shapes", "mixed", "--sizes", "1", "--repeats", "1", "--sides", "ours", "hand"]
    command = [sys.executable, "-c", program, str(BENCHMARKS), "--keep", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_no_time_counts_where_a_cell_was_lost(compared: tuple[dict[str, Any], Path]) -> None:
    """The SQL by hand writes one column's texts in small letters: its comparison must not let that pass."""
    broken = """
from psycopg import sql
from sides import by_hand
value = by_hand._value
by_hand._value = lambda column: sql.SQL("lower({})").format(value(column)) if column.name == "title" else value(column)
"""
    ended = run_broken(compared[1], broken)
    assert ended.returncode == 1
    assert "RunError: hand: posts differs from the migration's in" in ended.stderr


def test_a_process_that_takes_too_much_memory_is_red(compared: tuple[dict[str, Any], Path]) -> None:
    ended = run_broken(compared[1], "compare.MEMORY_LIMIT = 1")
    assert ended.returncode == 1
    assert "RED mixed 1 MB: a process of ours took" in ended.stdout


def test_the_page_gets_the_figures_between_its_marks(compared: tuple[dict[str, Any], Path]) -> None:
    result, folder = compared
    page = folder / "page.md"
    page.write_text("before\n<!-- measured -->\nold\n<!-- /measured -->\nafter\n")
    plot = ["--page", str(page), "--plot", str(folder / "page.svg")]
    command = [sys.executable, str(BENCHMARKS / "results.py"), str(folder / "out.json"), *plot]
    subprocess.run(command, check=True)
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("<!-- /measured -->\nafter\n")
    assert "\nold\n" not in text
    seconds = result["measured"][1]["sides"]["ours"]["seconds"]
    assert f"| mixed, 2 MB | 2,765 | {seconds:.2f} (" in text


def test_the_exponent_is_the_slope_in_logarithms() -> None:
    assert subprocess.run([sys.executable, "-m", "doctest", str(BENCHMARKS / "growth.py")], check=False).returncode == 0


@pytest.mark.parametrize("shape", ["mixed", "small", "large", "links", "text", "vectors"])
def test_an_export_has_the_same_bytes_every_time(tmp_path: Path, shape: str) -> None:
    made = []
    for name in ("one", "two"):
        command = [sys.executable, str(BENCHMARKS / "export.py"), str(tmp_path / name), "--shape", shape]
        rows = json.loads(subprocess.run([*command, "--megabytes", "1"], capture_output=True, check=True).stdout)
        files = {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        made.append((rows, files))
    assert made[0] == made[1]
    rows, files = made[0]
    assert set(files) == {"schema.json", *(f"{table}.csv" for table in rows)}
