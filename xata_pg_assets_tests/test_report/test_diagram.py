"""The diagram: every table, column and link is in it, under whatever name."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from xata_pg_assets.migration import example_schema_path
from xata_pg_assets.plan.tables import Plan, PlanOptions, make_plan
from xata_pg_assets.report.diagram import Diagram, mermaid
from xata_pg_assets.report.html import render_svg
from xata_pg_assets.xata.schema import XataSchema
from xata_pg_assets.xata.schema_files import read_schema
from xata_pg_assets_tests.fix_export import column, link, table
from xata_pg_assets_tests.fix_report import hostile_schema

SVG = "{http://www.w3.org/2000/svg}"
_ENTITY = r'[A-Za-z][A-Za-z0-9_]*(\["[^"#;<>`\\%\n]+"\])?'
_LINE = re.compile(
    rf"erDiagram|  {_ENTITY} \{{|  \}}"
    r'|    [a-z0-9]+(\[\]|\(\d+\))? [A-Za-z][A-Za-z0-9_]*( (PK|FK|UK)(, (FK|UK))*)?( "[^"\n]+")?'
    r'|  \w+ (\|\||\|o)--(o\{|o\|) \w+ : "[^"#;<>`\\%\n]+"'
)


def example() -> Plan:
    return make_plan(read_schema(example_schema_path()))


def hostile() -> Plan:
    return make_plan(hostile_schema(), PlanOptions(naming="preserve"))


def parsed(plan: Plan) -> ET.Element:
    return ET.fromstring(render_svg(Diagram(plan)))  # noqa: S314  # our own


def texts(root: ET.Element, kind: str) -> list[str]:
    return ["".join(node.itertext()) for node in root.iter(f"{SVG}text") if kind in node.get("class", "").split()]


def test_the_example_is_drawn_whole():
    plan, root = example(), parsed(example())
    assert texts(root, "name") == [each.name for each in plan.tables]
    assert len(texts(root, "name")) == 27
    drawn = [c.name for each in plan.tables for c in each.columns if not c.name.startswith("xata_")]
    assert texts(root, "column") == drawn
    titles = [node.findtext(f"{SVG}title") for node in root.iter(f"{SVG}g") if node.get("class") == "edge"]
    assert sorted(str(title) for title in titles) == sorted(
        f"{each.name}.{c.name} → {plan.by_xata_name[c.link.table].name}.id ON DELETE SET NULL"
        for each in plan.tables
        for c in each.links
        if c.link
    )


def test_texts_fit_their_boxes():
    """Measured at 0.6 em a character, as the usual fixed-width fonts have it."""
    for box in Diagram(example()).boxes:
        assert 12 * 0.6 * len(box.name) + 20 <= box.width
        for row in box.rows:
            assert 44 + 12 * 0.6 * (len(row.name) + 1 + len(row.type)) + 10 <= box.width
            assert box.y < row.y < box.y + box.height


def test_a_line_ends_at_its_columns():
    plan = make_plan(XataSchema((table("a"), table("b", column("x"), link("to", "a", not_null=True, unique=True)))))
    diagram = Diagram(plan)
    a, b = diagram.boxes
    (edge,) = diagram.edges
    assert edge.path.startswith(f"M{b.x:.1f} {b.rows[2].y:.1f}")
    assert edge.path.split()[-1] in (f"{a.rows[0].y:.1f}", edge.path.split()[-1])
    assert f"{a.x + a.width:.1f}" in edge.path
    assert b.rows[2].marks == "FK UQ NN"


def test_a_table_may_link_to_itself_and_to_its_cycle():
    plan = make_plan(XataSchema((table("a", link("up", "a"), link("b", "b")), table("b", link("a", "a")))))
    diagram = Diagram(plan)
    assert len(diagram.edges) == 3
    assert all(edge.path.count("M") == 1 for edge in diagram.edges)
    right = max(float(x) for edge in diagram.edges for x in re.findall(r"[MCH ](-?[\d.]+) ", edge.path + " "))
    assert right <= diagram.width


def test_a_long_name_is_cut_and_whole_in_its_title():
    name = "n" * 60
    root = parsed(make_plan(XataSchema((table("a", column(name)),))))
    (drawn,) = [text for text in texts(root, "column") if "…" in text]
    assert name in drawn


@pytest.mark.parametrize("plan", [example(), hostile()], ids=["example", "hostile"])
def test_mermaid_is_in_its_grammar(plan):
    lines = mermaid(plan).splitlines()
    assert [line for line in lines if not _LINE.fullmatch(line)] == []
    assert sum(line.endswith("{") for line in lines) == len(plan.tables)
    assert sum("--o" in line for line in lines) == sum(len(each.links) for each in plan.tables)
    entities = [line.split("[")[0].split()[0] for line in lines if line.endswith("{")]
    assert len(set(entities)) == len(entities)
    ends = {end for line in lines if "--o" in line for end in (line.split()[0], line.split()[2])}
    assert ends <= set(entities)


def test_mermaid_has_words_of_its_own():
    """As found by giving each to Mermaid 11: it takes none of them for a table, and not the keys for a column."""
    text = mermaid(make_plan(XataSchema((table("class", column("PK")), table("end", link("to", "class"))))))
    assert '  n0_class["class"] {\n' in text
    assert '    text n1_pk "pk"\n' in text
    assert '  n0_class |o--o{ n1_end : "to_id"\n' in text


def test_mermaid_tells_keys_and_needs():
    plan = make_plan(
        XataSchema((table("a", column("f", "float")), table("b", link("to", "a", unique=True, not_null=True))))
    )
    text = mermaid(plan)
    assert "    float8 f\n" in text
    assert '    bigint to_id FK, UK "not null"\n' in text
    assert '  a ||--o| b : "to_id"\n' in text


def test_hostile_names_are_text():
    root = parsed(hostile())
    assert {node.tag for node in root.iter()} == {
        f"{SVG}{name}" for name in ("svg", "title", "style", "rect", "g", "path", "text")
    }
    assert any("<script>" in text for text in texts(root, "name"))
    assert not any(attribute.startswith("on") for node in root.iter() for attribute in node.attrib)
