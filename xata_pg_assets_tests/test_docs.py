"""The docs tell every command, setting, reason and check, and nothing that the code does not have."""

from __future__ import annotations

import ast
import importlib.util
import re
import shlex
from pathlib import Path
from types import ModuleType

import dagster as dg
import pytest
import typer.main

from xata_pg_assets.cli.commands import app
from xata_pg_assets.postgres.checks import CHECKS, REWRITING_CHECKS
from xata_pg_assets.settings import Settings
from xata_pg_assets.xata.records import Reason

ROOT = Path(__file__).parent.parent
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md")}
ALL_CHECKS = {**CHECKS, **REWRITING_CHECKS}
COMMANDS = typer.main.get_command(app).commands
COMMAND_LINE = re.compile(r"^\$ (?:[A-Z_]+=\S+ )*(xata-pg .*)$", re.MULTILINE)
TOLD_BY_OTHERS = {"connection refused", 'type "vector" already exists'}  # PostgreSQL's own words


def block_with(page: str, text: str) -> str:
    """Return the code block that holds a text."""
    (block,) = [block for block in re.findall(r"```python\n(.*?)```", PAGES[page], re.DOTALL) if text in block]
    return block


@pytest.fixture(scope="module")
def generated() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generated", ROOT / "docs" / "generated.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_there(command):
    assert f"| `xata-pg {command}` |" in PAGES["commands"]


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_there(generated, name):
    page = generated.on_page_markdown(PAGES["settings"])
    field = Settings.model_fields[name]
    assert f"| `{field.validation_alias or name}` |" in page
    assert str(field.description) in page


@pytest.mark.parametrize("check", ALL_CHECKS)
def test_every_check_is_there(generated, check):
    assert f"\n## {check}\n" in PAGES["checks"]
    assert ALL_CHECKS[check] in generated.on_page_markdown(PAGES["checks"])


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_there(reason):
    assert f"\n| `{reason}` |" in PAGES["checks"]


@pytest.mark.parametrize("page", PAGES)
def test_every_command_line_is_one(page):
    for line in COMMAND_LINE.findall(PAGES[page]):
        _, command, *words = shlex.split(line.partition("#")[0])
        if command == "--version":
            continue
        flags = {
            flag for parameter in COMMANDS[command].params for flag in (*parameter.opts, *parameter.secondary_opts)
        }
        assert {word.partition("=")[0] for word in words if word.startswith("--")} <= flags, line


def test_every_message_is_one_of_the_code():
    texts = [
        node.value
        for path in (ROOT / "xata_pg_assets").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    messages = re.findall(r"^\| `([^`]+)` \|", PAGES["troubleshooting"], re.MULTILINE)
    assert len(messages) > 20
    pieces = {piece.strip("(): ") for message in messages for piece in re.split(r"…(?:\.csv:12)?", message)}
    unknown = {piece for piece in pieces - TOLD_BY_OTHERS if not any(piece in text for text in texts)}
    assert unknown == set()


def test_the_asset_of_ones_own_loads(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@localhost/none")
    names: dict[str, object] = {}
    exec(block_with("notebook", "defs = dg.Definitions("), names)  # noqa: S102  our own page
    assert isinstance(names["defs"], dg.Definitions)
    assert names["defs"].resolve_asset_graph().get(dg.AssetKey("emails")).parent_keys == {
        dg.AssetKey(["postgres", "users"])
    }


def test_the_navigation_has_every_page():
    listed = re.findall(r"^  - .*: (\w+)\.md$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(PAGES)
