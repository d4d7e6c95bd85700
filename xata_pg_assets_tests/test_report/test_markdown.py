"""The Markdown: read by a Markdown reader, it shows names and values as they are, and nothing else."""

from __future__ import annotations

import re

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from xata_pg_assets.report.escape import visible
from xata_pg_assets.report.markdown import render_markdown
from xata_pg_assets_tests.fix_report import IMAGE, NO_FILE, ROWS, VALUES, Reported

READER = MarkdownIt("commonmark").enable("table")


@pytest.fixture(scope="module")
def tokens(hostile: Reported) -> list[Token]:
    return READER.parse(render_markdown(hostile.document(has_values=True)))


def inline(tokens: list[Token]) -> list[Token]:
    return [child for token in tokens for child in token.children or []]


def test_hostile_names_and_values_are_shown_as_they_are(tokens: list[Token]):
    shown = {token.content for token in inline(tokens) if token.type == "code_inline"}
    for text in (NO_FILE, ROWS, IMAGE, *VALUES[:3]):
        assert visible(text) in shown, text


def test_there_is_no_markup_but_the_folds(tokens: list[Token]):
    kinds = {token.type for token in inline(tokens)}
    assert kinds <= {"text", "code_inline", "softbreak", "strong_open", "strong_close"}
    blocks = [token.content for token in tokens if token.type == "html_block"]
    folded = re.compile(r"(<details><summary>[^<>]*</summary>|</details>)\n?")
    assert [block for block in blocks if not folded.fullmatch(block)] == []
    assert sum("<details>" in block for block in blocks) == sum("</details>" in block for block in blocks) >= 6


def test_every_row_has_the_cells_of_its_head(tokens: list[Token]):
    widths: list[set[int]] = []
    for token in tokens:
        if token.type == "table_open":
            widths.append(set())
            rows: list[int] = []
        elif token.type == "tr_open":
            rows.append(0)
        elif token.type in ("th_open", "td_open"):
            rows[-1] += 1
        elif token.type == "table_close":
            widths[-1] = set(rows)
            assert len(rows) > 1
    assert len(widths) >= 9
    assert all(len(found) == 1 for found in widths)


def test_all_tables_have_their_line(hostile: Reported):
    text = render_markdown(hostile.document())
    lines = [line for line in text.partition("## Checks")[0].splitlines() if line.startswith("| `")]
    assert len(lines) == 4
    assert "| 6 | 2 | 3 | 1 | 0 |" in lines[0]


def test_code_blocks_hold_the_diagram_and_the_statements(tokens: list[Token], hostile: Reported):
    document = hostile.document()
    blocks = [(token.info, token.content) for token in tokens if token.type == "fence"]
    assert blocks[0] == ("mermaid", document.mermaid)
    assert blocks[1:] == [("sql", f"{recipe.sql}\n") for recipe in document.recipes]


def test_values_only_when_asked_for(hostile: Reported):
    assert "| reason | value |" not in render_markdown(hostile.document())
    assert "| reason | value |" in render_markdown(hostile.document(has_values=True))
