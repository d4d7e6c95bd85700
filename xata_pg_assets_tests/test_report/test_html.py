"""The page: well formed, alone in the world, and whatever it shows is text. Looked at by a parser and by a browser."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from xata_pg_assets.report.html import render_html
from xata_pg_assets_tests.fix_report import IMAGE, NO_FILE, PWN, VALUES, Reported

VOID = {"meta", "br"}
PWNED = "<title>0</title>"
CHROMIUM = shutil.which("chromium")


class Page(HTMLParser):
    """Reads a page and refuses one whose elements are not nested as they should be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), (tag, attrs)
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.texts.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def text(hostile: Reported) -> str:
    return render_html(hostile.document(has_values=True))


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_hostile_names_and_values_are_text(page: Page):
    shown = "".join(page.texts)
    assert NO_FILE in shown
    assert IMAGE in shown
    assert VALUES[0] in shown
    assert VALUES[1] in shown
    assert len(page.of("script")) == 1
    assert page.of("img") == page.of("i") == page.of("b b") == []
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    assert PWN in shown


def test_it_needs_nothing_but_itself(page: Page, text: str):
    assert page.of("link") == page.of("iframe") == page.of("object") == []
    for _, attributes in page.elements:
        assert not {"src", "srcset", "style", "action", "data"} & attributes.keys()
        assert (attributes.get("href") or "#").startswith("#")
    assert re.findall(r"@import|url\(|https?://(?!www\.w3\.org/2000/svg)", text) == []


def test_its_policy_allows_its_own_style_and_script_alone(page: Page):
    (policy,) = [meta["content"] for meta in page.of("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert policy.count("'sha256-") == 2


def test_it_can_be_read_aloud(page: Page):
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {str(a["href"])[1:] for a in page.of("a")} <= set(ids)
    assert len(page.of("h1")) == 1
    assert page.of("html") == [{"lang": "en"}]
    assert all(cell.get("scope") in ("row", "col") for cell in page.of("th"))
    for svg in page.of("svg"):
        assert svg.get("aria-hidden") == "true" or svg.get("aria-labelledby") in ids
    assert len(page.of("table")) >= 10


def test_every_section_is_there(page: Page):
    sections = [section["id"] for section in page.of("section")]
    assert sections == [
        "wrong", "warnings", "tables", "checks", "rejected", "dangling", "names", "time", "diagram", "settings", "sql"
    ]  # fmt: skip


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, as WCAG 2 defines it."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_colours_are_told_apart_in_light_and_dark(text: str):
    blocks = re.findall(r":root \{(.*?)\}", text, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        colour = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
        for ink in ("ink", "dim", "good", "fair", "bad", "link"):
            for ground in ("paper", "back"):
                assert contrast(colour[ink], colour[ground]) >= 4.5, (ink, ground)
        for tone in ("good", "fair", "bad"):
            assert contrast(colour[tone], colour[f"{tone}-back"]) >= 4.5, tone
            assert contrast(colour["ink"], colour[f"{tone}-back"]) >= 4.5, tone


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (apt-get install chromium)")
class TestInBrowser:
    def run(self, folder: Path, text: str, *arguments: str) -> str:
        (folder / "report.html").write_text(text)
        command = [
            str(CHROMIUM),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={folder / 'profile'}",
        ]
        done = subprocess.run(
            [*command, *arguments, (folder / "report.html").as_uri()],
            capture_output=True,
            text=True,
            check=True,
            timeout=1200,
        )
        return done.stdout

    def test_its_script_runs_and_nothing_hostile_does(self, text: str, tmp_path: Path):
        dom = self.run(tmp_path, text, "--dump-dom", "--window-size=1400,1000")
        assert PWNED not in dom
        assert '<p class="tools">' in dom  # hidden without the script
        assert 'style="width: ' in dom  # the diagram, fitted

    def test_what_would_be_seen_if_it_did(self, tmp_path: Path):
        assert PWNED in self.run(tmp_path, f"<html><body><script>{PWN}</script>", "--dump-dom")

    def test_the_policy_holds_even_where_escaping_failed(self, text: str, tmp_path: Path):
        broken = text.replace("</main>", f"<script>{PWN}</script><img src=x onerror={PWN}></main>")
        assert PWNED not in self.run(tmp_path, broken, "--dump-dom")

    def test_it_prints(self, text: str, tmp_path: Path):
        self.run(tmp_path, text, "--no-pdf-header-footer", f"--print-to-pdf={tmp_path / 'report.pdf'}")
        pages = re.findall(rb"/Type\s*/Page\b", (tmp_path / "report.pdf").read_bytes())
        assert 2 <= len(pages) <= 10
