"""The plan of whole schemas: names, columns, keys, cycles, and the example schema's golden facts."""

import hashlib
import json
from importlib.resources import files

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xata_pg_assets.errors import UsageError
from xata_pg_assets.plan.tables import PlanOptions, Role, make_plan
from xata_pg_assets.plan.types import NOW, Default
from xata_pg_assets.xata.schema import XataColumn, XataSchema, XataTable, XataType

METADATA = ["xata_version", "xata_createdat", "xata_updatedat"]


def col(name, type_="string", **facts):
    if type_ == "vector":
        facts.setdefault("dimension", 3)
    return XataColumn(name, XataType(type_), **facts)


def link(name, to, **facts):
    return XataColumn(name, XataType.LINK, link=to, **facts)


def plan_of(*tables, **options):
    return make_plan(
        XataSchema(tuple(XataTable(name, tuple(columns)) for name, *columns in tables)),
        PlanOptions(**options),
    )


def names(table):
    return [column.name for column in table.columns]


def own_names(*columns, **options):
    (table,) = plan_of(("t", *columns), **options).tables
    return [column.name for column in table.columns if column.role is Role.OWN]


def column(plan, table, xata_name):
    (found,) = [c for c in plan.by_xata_name[table].staged_columns if c.xata_name == xata_name]
    return found


def relations(plan):
    """Every name in the target schema that PostgreSQL keeps in pg_class, and every constraint."""
    for table in plan.tables:
        yield from (table.name, table.primary_key, table.sequence)
        for c in table.columns:
            if c.unique_constraint:
                yield c.unique_constraint
            if c.link:
                yield from (c.link.constraint, c.link.index)


# Columns


def test_a_table_without_columns_has_its_id_and_metadata():
    (table,) = plan_of(("tags",)).tables
    assert names(table) == ["id", *METADATA]
    assert [str(c.type) for c in table.columns] == ["bigint", "bigint", "timestamptz", "timestamptz"]
    assert [c.xata_name for c in table.columns] == ["id", "xata.version", "xata.createdAt", "xata.updatedAt"]


def test_own_columns_stand_in_schema_order_between_id_and_metadata():
    (table,) = plan_of(("t", col("b"), link("a", "t"), col("c", "int"))).tables
    assert names(table) == ["id", "b", "a_id", "c", *METADATA]
    assert [c.role for c in table.columns] == [Role.ID, *[Role.OWN] * 3, *[Role.METADATA] * 3]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["id", "a", *METADATA]),
        ({"metadata_columns": False}, ["id", "a"]),
        ({"keep_old_id": True}, ["id", "a", *METADATA, "xata_id"]),
        ({"keep_old_id": True, "metadata_columns": False}, ["id", "a", "xata_id"]),
    ],
)
def test_metadata_and_old_id_as_set(options, expected):
    (table,) = plan_of(("t", col("a")), **options).tables
    assert names(table) == expected


def test_the_old_id_is_unique_text_and_no_column_of_the_export():
    (table,) = plan_of(("t", col("a")), keep_old_id=True).tables
    old_id = table.columns[-1]
    assert (str(old_id.type), old_id.role) == ("text", Role.OLD_ID)
    assert old_id.unique_constraint
    assert old_id not in table.unique_columns
    assert old_id not in table.staged_columns


@pytest.mark.parametrize("options", [{}, {"metadata_columns": False}, {"naming": "preserve"}])
@pytest.mark.parametrize("name", ["xata_id", *METADATA])
def test_reserved_names_are_taken_even_when_unused(name, options):
    assert own_names(col(name), **options) == [f"{name}_2"]


@pytest.mark.parametrize("name", ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"])
@pytest.mark.parametrize("naming", ["snake_case", "preserve"])
def test_postgresqls_own_columns_are_taken(name, naming):
    """PostgreSQL refuses a column of such a name, in the target and in staging."""
    (table,) = plan_of(("t", col(name)), naming=naming).tables
    assert [(c.name, c.staging) for c in table.columns if c.role is Role.OWN] == [(f"{name}_2", f"{name}_2")]


def test_preserve_is_case_sensitive():
    assert own_names(col("ID"), col("Xata_Id"), col("aB"), col("ab"), naming="preserve") == [
        "ID",
        "Xata_Id",
        "aB",
        "ab",
    ]
    assert own_names(col("ID"), col("Xata_Id"), col("aB"), col("a_b")) == [
        "id_2",
        "xata_id_2",
        "a_b",
        "a_b_2",
    ]


def test_columns_that_meet_are_numbered_in_schema_order_after_the_link_ending():
    assert own_names(col("author_id"), link("author", "t"), link("author-id", "t")) == [
        "author_id",
        "author_id_2",
        "author_id_3",
    ]
    assert own_names(link("author", "t"), col("author_id")) == ["author_id", "author_id_2"]


def test_own_columns_called_like_metadata():
    assert own_names(col("createdAt", "datetime"), col("xataVersion"), col("version"), col("created_at")) == [
        "created_at",
        "xata_version_2",
        "version",
        "created_at_2",
    ]


def test_staging_keeps_xatas_names():
    (table,) = plan_of(("userEvents", col("createdAt"), link("author", "userEvents"), col("tags", "multiple"))).tables
    assert table.staging == "userEvents"
    assert [(c.staging, str(c.staging_type)) for c in table.staged_columns] == [
        ("createdAt", "text"),
        ("author", "text"),
        ("tags", "jsonb"),
        ("xata.version", "bigint"),
        ("xata.createdAt", "timestamptz"),
        ("xata.updatedAt", "timestamptz"),
    ]


def test_constraints_and_defaults():
    plan = plan_of(
        (
            "t",
            col("a", not_null=True, unique=True, default="null"),
            col("b", "datetime", default="now"),
            col("c", "int", default="7", description="seven"),
            col("d"),
        )
    )
    a, b, c, d = (column(plan, "t", name) for name in "abcd")
    assert (a.not_null, a.default) == (True, Default("null"))
    assert a.unique_constraint
    assert b.default == NOW
    assert (c.default, c.description) == (Default("7"), "seven")
    assert (d.not_null, d.unique_constraint, d.default) == (False, None, None)
    assert plan.by_xata_name["t"].unique_columns == (a,)
    assert plan.warnings == ()


def test_a_default_left_out_is_a_warning_that_names_it():
    plan = plan_of(("posts", col("a", "int", default="12.5"), link("b", "posts", default="rec_x")))
    assert column(plan, "posts", "a").default is None
    assert column(plan, "posts", "b").default is None
    assert ["posts.a" in plan.warnings[0], "posts.b" in plan.warnings[1]] == [True, True]


def test_a_default_without_an_offset_is_a_warning():
    plan = plan_of(("posts", col("a", "datetime", default="2020-01-01T00:00:00"), col("b", "datetime", default="now")))
    assert column(plan, "posts", "a").default == Default("2020-01-01T00:00:00Z")
    (warning,) = plan.warnings
    assert "posts.a" in warning
    assert "UTC" in warning


# Links


@pytest.mark.parametrize("unique", [True, False])
def test_a_link_is_a_foreign_key_with_an_index(unique):
    plan = plan_of(("posts", link("author", "users", unique=unique)), ("users",))
    author = column(plan, "posts", "author")
    assert (author.name, str(author.type), author.link.table) == ("author_id", "bigint", "users")
    assert author.link.constraint
    assert author.link.index
    assert bool(author.unique_constraint) == unique
    assert author not in plan.by_xata_name["posts"].value_columns


@pytest.mark.parametrize("rule", ["set null", "no action", "restrict", "cascade"])
def test_on_delete(rule):
    plan = plan_of(("t", link("a", "t")), on_delete=rule)
    assert column(plan, "t", "a").link.on_delete == rule


def test_on_delete_is_set_null_unless_said_and_single_links_have_their_own():
    plan = plan_of(("t", link("a", "t"), link("b", "t")), on_delete_links={"t.b": "cascade"})
    assert [c.link.on_delete for c in plan.tables[0].links] == ["set null", "cascade"]


@pytest.mark.parametrize("name", ["t.x", "x.a", "t.b", "a", "T.a", "t.a_id"])
def test_a_delete_rule_for_no_link_is_refused(name):
    with pytest.raises(UsageError, match=name) as caught:
        plan_of(("t", link("a", "t"), col("b")), on_delete_links={name: "cascade"})
    assert "\n" not in str(caught.value)


def test_a_link_out_of_the_schema_is_text_named_as_a_link_and_a_warning():
    plan = plan_of(("posts", link("author", "users", unique=True, not_null=True)))
    author = column(plan, "posts", "author")
    assert (author.name, str(author.type), author.link) == ("author_id", "text", None)
    assert author.unique_constraint
    assert author.not_null
    assert author in plan.by_xata_name["posts"].value_columns
    assert list(plan.by_xata_name["posts"].parents) == []
    (warning,) = plan.warnings
    assert "posts.author" in warning
    assert "users" in warning


def test_a_link_out_of_the_schema_keeps_its_name_when_preserved():
    assert own_names(link("author", "users"), naming="preserve") == ["author"]


def test_a_self_link_needs_no_other_table():
    plan = plan_of(("t", link("parent", "t")))
    (table,) = plan.tables
    assert table.cycle == frozenset()
    assert plan.cycles == ()
    assert plan.upstream(table) == []
    assert plan.referrers(table) == [(table, table.links[0])]


def test_upstream_is_what_is_linked_to_itself_and_its_cycle_apart():
    plan = plan_of(
        ("a", link("b", "b"), link("p", "p"), link("again", "p"), link("self", "a")),
        ("b", link("a", "a")),
        ("p",),
        ("child", link("a", "a"), link("p", "p")),
    )
    assert [table.xata_name for table in plan.tables] == ["p", "a", "b", "child"]
    upstream = {table.xata_name: [up.xata_name for up in plan.upstream(table)] for table in plan.tables}
    assert upstream == {"p": [], "a": ["p"], "b": [], "child": ["a", "p"]}
    assert plan.cycles == (("a", "b"),)
    assert plan.by_xata_name["a"].cycle == {"a", "b"}
    assert [(t.xata_name, c.xata_name) for t, c in plan.referrers(plan.by_xata_name["a"])] == [
        ("a", "self"),
        ("b", "a"),
        ("child", "a"),
    ]
    assert list(plan.by_xata_name["a"].parents) == ["b", "p", "a"]


def test_a_cycle_of_six_and_overlapping_cycles():
    six = [(f"t{i}", link("next", f"t{(i + 1) % 6}")) for i in range(6)]
    assert plan_of(*six).cycles == (tuple(f"t{i}" for i in range(6)),)
    overlapping = plan_of(("a", link("x", "b")), ("b", link("x", "a"), link("y", "c")), ("c", link("x", "b")))
    assert overlapping.cycles == (("a", "b", "c"),)


# Tables


def test_tables_that_meet_are_numbered_in_schema_order():
    plan = plan_of(("child", link("p", "user-tags")), ("userTags",), ("user-tags",), ("user_tags_2",))
    assert {t.xata_name: t.name for t in plan.tables} == {
        "child": "child",
        "userTags": "user_tags",
        "user-tags": "user_tags_2",
        "user_tags_2": "user_tags_2_2",
    }


def test_a_long_table_leaves_room_for_its_mapping():
    long = "userSavedEvents" * 9
    (table,) = plan_of((long,)).tables
    snake = ("user_saved_events" * 9).encode()
    assert table.name == f"{snake[:43].decode()}_{hashlib.sha256(long.encode()).hexdigest()[:8]}"
    assert table.mapping == f"{table.name}_id_mapping"
    assert len(table.mapping) == 63


def test_long_tables_that_meet_keep_within_their_limit():
    plan = plan_of(("t" * 52,), ("T" * 52,))
    assert [t.name for t in plan.tables] == ["t" * 52, "t" * 50 + "_2"]
    assert all(len(t.mapping) <= 63 for t in plan.tables)


def test_tables_are_found_by_either_name():
    plan = plan_of(("userTags",), ("b",))
    assert plan.find("userTags") is plan.find("user_tags") is plan.by_name["user_tags"]
    with pytest.raises(UsageError, match="nobody"):
        plan.find("nobody")


HOSTILE = ["a", "a_pkey", "a_id_seq", "a_b", "a_b_key", "a_b_id_fkey", "a_b_id_idx", "a_id", "a_xata_id_key"]


def test_relations_of_hostile_names_never_meet():
    columns = [
        col("b", unique=True),
        link("b_id", "a", unique=True),
        link("b_b", "a"),
        col("b_key", unique=True),
    ]
    plan = plan_of(*((name, *columns) for name in HOSTILE), keep_old_id=True)
    found = list(relations(plan))
    assert len(found) == len(set(found))
    assert {t.name for t in plan.tables} == set(HOSTILE)


def test_only_vectors_need_pgvector():
    assert plan_of(("t", col("v", "vector"))).needs_pgvector
    assert not plan_of(("vector", col("vector"))).needs_pgvector


# Any schema

name_strategy = st.one_of(
    st.sampled_from(["id", "ID", "xata_id", "xata_version", "xmin", "user", "a", "a_id", "a_pkey", "aB", "a-b", "~"]),
    st.text("aB1_-~.é", min_size=1, max_size=8),
    st.text("aB_", min_size=50, max_size=70),
)


@st.composite
def schemas(draw):
    table_names = draw(st.lists(name_strategy, min_size=1, max_size=6, unique=True))
    tables = []
    for table in table_names:
        columns = []
        for name in draw(st.lists(name_strategy, max_size=6, unique=True)):
            type_ = draw(st.sampled_from(list(XataType)))
            to = draw(st.sampled_from([*table_names, "elsewhere"])) if type_ is XataType.LINK else None
            default = draw(st.sampled_from([None, "", "null", "now", "1", "true", "[]", "{}"]))
            columns.append(XataColumn(name, type_, to, 3, draw(st.booleans()), draw(st.booleans()), default=default))
        tables.append(XataTable(table, tuple(columns)))
    return XataSchema(tuple(tables))


option_strategy = st.builds(
    PlanOptions,
    naming=st.sampled_from(["snake_case", "preserve"]),
    metadata_columns=st.booleans(),
    keep_old_id=st.booleans(),
)


@settings(max_examples=150, deadline=None)
@given(schemas(), option_strategy)
def test_every_name_of_any_schema_is_one_postgresql_takes(schema, options):
    plan = make_plan(schema, options)
    scopes = [
        list(relations(plan)),
        [t.mapping for t in plan.tables],
        [t.staging for t in plan.tables],
        *(names(t) for t in plan.tables),
        *([c.staging for c in t.staged_columns] for t in plan.tables),
    ]
    for scope in scopes:
        assert len(scope) == len(set(scope))
        assert all(0 < len(name.encode()) <= 63 for name in scope)
    for table in plan.tables:
        assert {c.xata_name for c in table.columns if c.role is Role.OWN} == {
            c.name for t in schema.tables if t.name == table.xata_name for c in t.columns
        }
    assert plan == make_plan(schema, options)


@settings(max_examples=100, deadline=None)
@given(schemas())
def test_upstream_tables_of_any_schema_stand_before(schema):
    plan = make_plan(schema)
    position = {t.xata_name: i for i, t in enumerate(plan.tables)}
    assert set(position) == {t.name for t in schema.tables}
    for table in plan.tables:
        assert all(position[up.xata_name] < position[table.xata_name] for up in plan.upstream(table))
        left_out = set(table.parents) - {up.xata_name for up in plan.upstream(table)}
        assert left_out <= table.cycle | {table.xata_name}


# The example schema


@pytest.fixture(scope="module")
def example():
    """The plan of the example, read by json alone."""
    raw = json.loads((files("xata_pg_assets") / "example" / "schema.json").read_text())
    return make_plan(
        XataSchema(
            tuple(
                XataTable(
                    table["name"],
                    tuple(
                        XataColumn(
                            name=c["name"],
                            type=XataType(c["type"]),
                            link=c.get("link", {}).get("table"),
                            dimension=c.get("vector", {}).get("dimension"),
                            not_null=c.get("notNull", False),
                            unique=c.get("unique", False),
                            default=c.get("defaultValue"),
                        )
                        for c in table.get("columns", [])
                    ),
                )
                for table in raw["tables"]
            )
        )
    )


def test_example_tables_in_load_order(example):
    assert [t.name for t in example.tables] == [
        "topics",
        "personnel",
        "events",
        "organizations",
        "sightings",
        "event_subject_matter_experts",
        "topic_subject_matter_experts",
        "organization_members",
        "testimonies",
        "topics_testimonies",
        "documents",
        "locations",
        "event_topic_subject_matter_experts",
        "users",
        "user_theories",  # in the schema after the tables that link to it
        "user_saved_events",
        "user_saved_topics",
        "user_saved_key_figure",
        "user_saved_testimonies",
        "user_saved_documents",
        "user_saved_organizations",
        "user_saved_sightings",
        "tags",
        "theories",
        "mindmaps",
        "artifacts",
        "case_files",
    ]


def test_example_in_figures(example):
    columns = [c for t in example.tables for c in t.columns]
    assert sum(c.link is not None for c in columns) == 39
    assert [f"{t.name}.{c.name}" for t in example.tables for c in t.unique_columns] == [
        "topics.title",
        "personnel.name",
        "events.title",
        "organizations.title",
        "users.email",
        "artifacts.name",
    ]
    assert [c.default for c in columns if c.default] == [Default("{}"), Default("{}")]
    assert [str(c.type) for c in columns if c.type.name == "vector"] == ["vector(1536)"] * 2
    assert sum(t.name != t.xata_name for t in example.tables) == 14
    assert not any(c.not_null for c in columns)
    assert [t.name for t in example.tables if names(t) == ["id", *METADATA]] == [
        "tags",
        "theories",
        "case_files",
    ]
    assert (example.cycles, example.warnings, example.needs_pgvector) == ((), (), True)


def test_example_testimonies(example):
    table = example.by_name["testimonies"]
    assert [(c.name, str(c.type)) for c in table.columns] == [
        ("id", "bigint"),
        ("claim", "text"),
        ("event_id", "bigint"),
        ("summary", "text"),
        ("witness_id", "bigint"),
        ("documentation", "jsonb"),
        ("date", "timestamptz"),
        ("organization_id", "bigint"),
        ("source", "text"),
        ("media", "jsonb"),
        ("context", "text"),
        ("xata_version", "bigint"),
        ("xata_createdat", "timestamptz"),
        ("xata_updatedat", "timestamptz"),
    ]
    assert [t.name for t in example.upstream(table)] == ["events", "personnel", "organizations"]
    assert [t.name for t, _ in example.referrers(table)] == ["topics_testimonies", "user_saved_testimonies"]
    assert table.mapping == "testimonies_id_mapping"


def test_example_names_of_columns(example):
    assert names(example.by_name["user_saved_key_figure"])[1:-3] == [
        "user_id",
        "key_figure_id",
        "theory_id",
        "note",
        "note_title",
    ]
    assert "google_maps_location_id" in names(example.by_name["locations"])
    assert "media_link" in names(example.by_name["sightings"])
    assert column(example, "events", "category").type.name == "text[]"
    assert example.find("case-files") is example.by_name["case_files"]
