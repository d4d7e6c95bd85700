"""The exports that the crash suite migrates: small, and each with another kind of trouble."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xata_pg_assets.migration import example_schema_path
from xata_pg_assets.xata.demo import write_demo
from xata_pg_assets.xata.schema import XataSchema
from xata_pg_assets.xata.schema_files import read_schema
from xata_pg_assets_tests.fix_export import METADATA, cell, column, link, table

MADE = "2024-01-02T03:04:05.678Z"


@dataclass(frozen=True)
class Dataset:
    """A schema, what writes its export, and what writes the export that was migrated before, if any."""

    name: str
    schema: XataSchema
    write: Callable[[Path], object]
    before: Callable[[Path], object] | None = None
    flags: Mapping[str, Any] = field(default_factory=dict)


def rows(folder: Path, name: str, header: str, lines: Iterable[Sequence[str | None]]) -> None:
    """Write a table's file, every row with the same metadata."""
    text = "".join(
        ",".join(map(cell, line)) + "\n"
        for line in ([*header.split(","), *METADATA], *([*line, "0", MADE, MADE] for line in lines))
    )
    (folder / f"{name}.csv").write_text(text, encoding="utf-8")


_CIRCLE = XataSchema(
    tuple(
        table(
            f"t{n}",
            column("u", unique=True),
            column("m", "multiple"),
            link("next", f"t{(n + 1) % 3}"),
            link("up", f"t{n}"),
        )
        for n in range(3)
    )
)  # fmt: skip


def _write_circle(folder: Path) -> None:
    for n in range(3):
        rows(folder, f"t{n}", "id,u,m,next,up", (
            [f"r{k:04}", f"{n}/{k}", f'["{k}", "a,b"]', f"r{k * 7 % 400:04}", f"r{k // 2:04}" if k else None]
            for k in range(400)
        ))  # fmt: skip


_FAULTS = XataSchema(
    (
        table("users", column("email", unique=True), column("age", "int"), column("about", "json", default="{}")),
        table("posts", column("title", not_null=True), column("at", "datetime"), link("author", "users")),
    )
)


def _write_faults(folder: Path) -> None:
    users: list[list[str | None]] = [[f"u{k:04}", f"{k % 580}@x.org", str(k), f'{{"k": {k}.50}}'] for k in range(600)]
    users += [["u0001", "other@x.org", "7", None], users[5], ["u9998", "a@x.org", "old", None], [None, "b", "1", None]]
    users += [["u9999", "c@x.org", "1", "{broken"]]
    rows(folder, "users", "id,email,age,about", users)
    times = ["2020-02-30T00:00:00Z" if k % 97 == 0 else MADE for k in range(800)]
    rows(folder, "posts", "id,title,at,author", (
        [f"p{k:04}", f"post, {k}", at, f"u{k * 3 % 650:04}"] for k, at in enumerate(times)
    ))  # fmt: skip


_STRICT = XataSchema(
    (
        table("a", column("n", "int"), link("b", "b", not_null=True), link("up", "a")),
        table("b", column("u", unique=True), link("a", "a")),
        table("c", link("a", "a"), link("b", "b")),
    )
)


def _write_strict(folder: Path) -> None:
    """Rows that are rejected for their links leave others dangling, round the cycle."""
    rows(folder, "a", "id,n,b,up", (
        [f"a{k:04}", "bad" if k % 50 == 7 else str(k), f"b{k:04}", f"a{k // 2:04}" if k else None] for k in range(300)
    ))  # fmt: skip
    with (folder / "a.csv").open("a") as file:  # one id twice: the higher version stays; and an exact copy
        file.write(f"a0003,33,b0003,a0001,1,{MADE},{MADE}\na0004,4,b0004,a0002,0,{MADE},{MADE}\n")
    rows(folder, "b", "id,u,a", ([f"b{k:04}", str(k % 290), f"a{(k + 1) % 305:04}"] for k in range(300)))
    rows(folder, "c", "id,a,b", ([f"c{k:04}", f"a{k:04}", f"b{k * 3 % 300:04}"] for k in range(300)))


_NEWER = XataSchema(
    (
        table("users", column("email", unique=True), column("name", not_null=True), column("v", "vector", dimension=3)),
        table("teams", column("label"), link("owner", "users"), link("parent", "teams")),
        table("posts", column("title"), column("likes", "int"), link("author", "users")),
    )
)


def _write_old(folder: Path) -> None:
    rows(
        folder,
        "users",
        "id,email,name,v",
        ([f"u{k:04}", f"{k}@x", f"n {k}", f"[{k}, 0.5, -0.0]"] for k in range(500)),
    )
    rows(folder, "teams", "id,label,owner,parent", (
        [f"t{k:04}", str(k), f"u{k:04}", f"t{k // 2:04}"] for k in range(200)
    ))  # fmt: skip
    rows(folder, "posts", "id,title,likes,author", ([f"p{k:04}", str(k), str(k), f"u{k % 500:04}"] for k in range(900)))


def _write_new(folder: Path) -> None:
    """Rows gone, new and changed, unique values that wander, links to what is gone."""
    rows(folder, "users", "id,email,name,v", (
        [f"u{k:04}", f"{k ^ 1}@x", f"n {k % 300}", f"[{k % 7}, 0.5, 0]"] for k in range(100, 600)
    ))  # fmt: skip
    rows(folder, "teams", "id,label,owner,parent", (
        [f"t{k:04}", str(k % 150), f"u{k + 100:04}", f"t{k // 3:04}"] for k in range(50, 260)
    ))  # fmt: skip
    rows(folder, "posts", "id,title,likes,author", (
        [f"p{k:04}", str(k), str(k % 800), f"u{k % 620:04}"] for k in range(0, 1000, 2)
    ))  # fmt: skip


def datasets() -> list[Dataset]:
    """All of them, the quick ones first."""
    many = 10_000
    return [
        Dataset("circle", _CIRCLE, _write_circle),
        Dataset("faults", _FAULTS, _write_faults, flags={"max_rejected_rows": many, "max_dangling_links": many}),
        Dataset("strict", _STRICT, _write_strict, flags={"max_rejected_rows": many, "dangling_links": "reject"}),
        Dataset("newer", _NEWER, _write_new, _write_old, {"max_dangling_links": many}),
        Dataset("demo", read_schema(example_schema_path()), write_demo),
    ]
