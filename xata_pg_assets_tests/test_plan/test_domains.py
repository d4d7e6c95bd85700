"""Domains by name, and what each needs to be migrated by itself."""

from __future__ import annotations

from xata_pg_assets.plan.domains import domains, with_upstream
from xata_pg_assets.plan.tables import PlanOptions, make_plan
from xata_pg_assets.xata.schema import XataSchema
from xata_pg_assets_tests.fix_export import link, table


def named(*names: str, naming: str = "snake_case") -> dict[str, list[str]]:
    plan = make_plan(XataSchema(tuple(table(name) for name in names)), PlanOptions(naming=naming))  # type: ignore[arg-type]
    return {domain: [each.name for each in tables] for domain, tables in domains(plan).items()}


def test_the_first_word_in_singular_or_plural():
    assert named("users", "userSavedEvents", "user-teams", "events", "event_topics", "tags") == {
        "users": ["users", "user_saved_events", "user_teams"],
        "events": ["events", "event_topics"],
        "tags": ["tags"],
    }
    assert named("stories", "story_parts", "classes") == {"stories": ["stories", "story_parts"], "classes": ["classes"]}


def test_without_a_table_of_just_that_word_it_is_the_word_and_a_table_alone_its_name():
    assert named("case-files", "map_pins", "map_lines") == {
        "case_files": ["case_files"],
        "map": ["map_pins", "map_lines"],
    }


def test_names_as_they_were_and_names_without_letters():
    assert named("userTeams", "Users", "~~", naming="preserve") == {"users": ["userTeams", "Users"], "_": ["~~"]}


def test_upstream_goes_all_the_way_round_cycles_too():
    schema = XataSchema(
        (
            table("far"),
            table("near", link("up", "far")),
            table("one", link("there", "two")),
            table("two", link("back", "one"), link("near", "near")),
            table("other", link("one", "one")),
        )
    )
    plan = make_plan(schema)
    names = [each.name for each in with_upstream(plan, (plan.by_name["one"],))]
    assert sorted(names) == ["far", "near", "one", "two"]
    assert names == [each.name for each in plan.tables if each.name != "other"]
    assert [each.name for each in with_upstream(plan, (plan.by_name["near"],))] == ["far", "near"]
