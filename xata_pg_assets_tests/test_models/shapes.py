"""A schema with everything that a model can get wrong: types, defaults, keys, shapes of links, hostile names."""

from __future__ import annotations

from xata_pg_assets.xata.schema import XataSchema
from xata_pg_assets_tests.fix_export import column, link, table

TYPES = ("string", "text", "email", "int", "float", "bool", "datetime", "multiple", "json", "object", "file", "file[]")
DEFAULTS = {
    "string": ["null", "", "it's \\ %s {} :x ${y} `z` é", "a\r\nb\tc", 'say "hi" \u2028'],
    "int": ["-9223372036854775808", "7"],
    "float": ["-0.0", "5e-324", "1.5"],
    "bool": ["true", "F"],
    "datetime": ["now", "2020-01-02T03:04:05.000006+01:00"],
    "multiple": ['["NULL", "a,\\"b", "c\\\\d", "it\'s", "${e} `f`"]', "[]"],
    "json": ['{"a": 1.00, "b": "it\'s \\\\ ${c}"}', '"text"'],
    "vector": ["[1, -0.5, 1e-7]"],
}
# Words of Python, TypeScript, Prisma, PostgreSQL, and of the libraries
WORDS = """
and as async await class def del default delete enum export for from function import in is lambda let like limit match
metadata new None null of offset or order package private registry return select self static super table this True type
typeof union user using var where with yield
arguments base bool boolean date datetime enableRLS eval float getSQL id_ index int json list many model mapped
mapped_column one orm pg prisma relations relationship sa schema sql str string text timestamp unique vector
xata_version2 _2nd 2nd query-class
"""
# A table and pgvector's type cannot have one name
TABLE_WORDS = [
    *(word for word in WORDS.split() if word != "vector"),
    "usersRelations",
    "a_b",
    "a-b",
    "aB",
    "Json",
    "DateTime",
    "BigInt",
    "PrismaClient",
    "Prisma",
    "Any",
]
COLUMN_WORDS = [*WORDS.split(), "__table__", "_sa_registry", "constructor", "a_b", "a-b", "aB", "AND", "$inferSelect"]
HOSTILE = [
    'x" y',
    "it's",
    "back\\slash",
    "new\nline",
    "tick`${x}",
    "*/ x",
    "%s {} :x",
    "ünïcödé",
    "日本",
    "p.q",
    '"""',
    "#",
]


def shapes(tables: list[str], columns: list[str]) -> XataSchema:
    """A schema whose tables and columns bear the names, beside one with each shape of link and each default."""
    return XataSchema(
        (
            table(
                "users",
                column("email", "email", unique=True, description='where mail goes */ \n to\u2028 \'him\' """'),
                column("name", not_null=True, default=""),
                link("boss", "users"),
                link("bestFriend", "users", unique=True),
            ),
            table(
                "posts",
                *(column(f"c {kind}", kind, not_null=place % 2 == 0) for place, kind in enumerate(TYPES)),
                column("embedding", "vector", dimension=3, not_null=True),
                link("author", "users", not_null=True),
                link("editor", "users"),
                link("users", "users"),
                column("author_row", "int"),
                link("self", "posts"),
                link("lost", "Atlantis"),
            ),
            table("user-profile", link("user", "users", unique=True), column("user_2")),
            table("a", link("toB", "b"), column("b", "int")),
            table("b", link("toC", "c", unique=True), link("toC2", "c")),
            table("c", link("toA", "a"), link("toUser", "users")),
            table("empty"),
            table(
                "defaults",
                *(
                    column(f"{kind}{place}", kind, default=text, not_null=place == 0, dimension=3)
                    for kind, texts in DEFAULTS.items()
                    for place, text in enumerate(texts)
                ),
            ),
            table("words", *(column(name) for name in columns)),
            table("links", *(link(f"to {name}", name) for name in tables)),
            *(table(name, column("name"), link("next", name)) for name in tables),
        )
    )


RULES = {"users.boss": "cascade", "posts.author": "restrict", "a.toB": "no action"}
# Names that Xata allows, in the tool's own spelling; and any at all, as they were, in another schema
SNAKE = (shapes(TABLE_WORDS, ["__proto__", *COLUMN_WORDS, *HOSTILE]), {"on_delete_links": RULES})
PRESERVED = (
    shapes([*TABLE_WORDS, *HOSTILE], [*COLUMN_WORDS, *HOSTILE]),
    {"on_delete_links": RULES, "naming": "preserve", "keep_old_id": True, "target_schema": 'a "b" \\ 1.c'},
)
PLAIN = (shapes([], []), {"metadata_columns": False})
