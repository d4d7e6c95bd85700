"""The demo export: what `write_demo` writes, and what it refuses to write over."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import math
import re
from datetime import datetime
from pathlib import Path

import pytest

import xata_pg_assets
from xata_pg_assets.errors import UsageError, XataPgError
from xata_pg_assets.xata.demo import Dice, csv_cell, demo_files, write_demo

DIGEST = "32eade3dea00246b31152f268dac8f223a19ee3f5cf6a10ad4e2f82401c21ac7"
EXAMPLE = Path(xata_pg_assets.__file__).parent / "example" / "schema.json"
TABLES = json.loads(EXAMPLE.read_text())["tables"]
METADATA = ["xata.createdAt", "xata.updatedAt", "xata.version"]
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.(\d{3}|\d{6})Z")
FILE_KEYS = {"id", "name", "mediaType", "size", "version", "attributes"} | {
    *("url", "signedUrl", "enablePublicUrl", "signedUrlTimeout"),
}


@pytest.fixture(scope="module")
def contents():
    return demo_files()


@pytest.fixture(scope="module")
def export(contents):
    """Read the rows of each table with a reader that the package has no part in: name to cell."""
    limit = csv.field_size_limit(2**24)
    try:
        return {
            name.removesuffix(".csv"): list(csv.DictReader(io.StringIO(content.decode(), newline="")))
            for name, content in contents.items()
            if name.endswith(".csv")
        }
    finally:
        csv.field_size_limit(limit)


def columns(*types):
    return [(table["name"], column) for table in TABLES for column in table["columns"] if column["type"] in types]


def cells(export, *types):
    """Yield table, column and text of every cell of the types that is not empty."""
    for table, column in columns(*types):
        for row in export[table]:
            if row[column["name"]]:
                yield table, column, row[column["name"]]


def find(export, table, column, value):
    """Return the one row that has the value."""
    (row,) = [row for row in export[table] if row[column] == value]
    return row


def header(contents, table):
    return contents[f"{table}.csv"].decode().split("\n", 1)[0].split(",")


# What is written


def test_a_file_for_every_table_and_the_schema(contents):
    assert set(contents) == {"schema.json", *(f"{table['name']}.csv" for table in TABLES)}
    assert contents["schema.json"] == EXAMPLE.read_bytes()


def test_the_same_bytes_everywhere(contents):
    digest = hashlib.sha256()
    for name in sorted(contents):
        digest.update(f"{name}\n{len(contents[name])}\n".encode() + contents[name])
    assert digest.hexdigest() == DIGEST


def test_drawing_twice_gives_the_same(contents):
    assert demo_files() == contents


def test_headers_hold_id_own_columns_and_metadata(contents):
    for table in TABLES:
        first, *own, created, updated, version = header(contents, table["name"])
        assert first == "id"
        assert sorted(own) == sorted(column["name"] for column in table["columns"])
        assert [created, updated, version] == METADATA


def test_some_headers_are_not_in_schema_order(contents):
    schema_order = {table["name"]: [column["name"] for column in table["columns"]] for table in TABLES}
    swapped = {name for name, own in schema_order.items() if header(contents, name)[1:-3] != own}
    assert swapped == {"personnel", "organization-members", "testimonies", "documents", "locations"}


def test_every_row_has_every_cell(export):
    for rows in export.values():
        assert all(None not in row and None not in row.values() for row in rows)


def test_row_counts(export):
    counts = {table: len(rows) for table, rows in export.items()}
    assert sum(counts.values()) == 3992
    assert max(counts, key=counts.__getitem__) == "sightings"
    assert counts["sightings"] == 1200
    assert (counts["documents"], counts["mindmaps"]) == (60, 25)
    assert (counts["tags"], counts["theories"], counts["case-files"]) == (12, 5, 0)


def test_a_table_without_rows_has_its_header(contents):
    assert contents["case-files.csv"] == b"id,xata.createdAt,xata.updatedAt,xata.version\n"


def test_stays_small(contents):
    assert sum(map(len, contents.values())) < 4_000_000


# Ids, metadata, links


def test_ids_are_unique_and_custom_in_topics_alone(export):
    custom = set()
    for table, rows in export.items():
        ids = [row["id"] for row in rows]
        assert len(set(ids)) == len(ids)
        custom |= {(table, id_) for id_ in ids if not re.fullmatch(r"rec_[0-9a-v]{20}", id_)}
    assert {table for table, _ in custom} == {"topics"}
    assert {"007", "NULL", "Topic_07", "topic_07"} <= {id_ for _, id_ in custom}
    assert all(re.fullmatch(r"[a-zA-Z0-9_\-~:]+", id_) for _, id_ in custom)


def test_generated_ids_begin_with_the_second_of_creation(export):
    for rows in export.values():
        for row in rows:
            if row["id"].startswith("rec_"):
                raw = base64.b32hexdecode(row["id"][4:].upper() + "====")
                created = datetime.fromisoformat(row["xata.createdAt"])
                assert len(raw) == 12
                assert int.from_bytes(raw[:4], "big") == math.floor(created.timestamp())


def test_rows_are_not_sorted_by_id(export):
    for rows in export.values():
        ids = [row["id"] for row in rows]
        assert len(ids) < 2 or ids != sorted(ids)


def test_metadata_is_whole_and_in_order(export):
    for rows in export.values():
        for row in rows:
            created, updated = map(datetime.fromisoformat, (row["xata.createdAt"], row["xata.updatedAt"]))
            assert created == updated if row["xata.version"] == "0" else created < updated


def test_links_resolve_or_are_null(export):
    ids = {table: {row["id"] for row in rows} for table, rows in export.items()}
    dangling = [cell for _, column, cell in cells(export, "link") if cell not in ids[column["link"]["table"]]]
    assert dangling == []


def test_every_link_column_has_nulls_and_a_fan_out(export):
    for table, column in columns("link"):
        linked = [row[column["name"]] for row in export[table]]
        filled = [cell for cell in linked if cell]
        assert 0 < linked.count("") < len(linked) * 0.6, (table, column["name"])
        assert len(filled) > len(set(filled)) > 1, (table, column["name"])


def test_rows_with_custom_ids_are_linked_to(export):
    assert {"007", "NULL", "NA", "true"} <= {row["topic"] for row in export["topics-testimonies"]}


# Values


def test_unique_columns_are_unique_and_some_are_null(export):
    unique = [
        (table["name"], column["name"]) for table in TABLES for column in table["columns"] if column.get("unique")
    ]
    nulls = 0
    assert len(unique) == 6
    for table, column in unique:
        filled = [row[column] for row in export[table] if row[column]]
        nulls += len(export[table]) - len(filled)
        assert len(set(filled)) == len(filled), (table, column)
    assert nulls > 4


def test_vectors_are_unit_vectors_of_the_dimension(export):
    vectors = list(cells(export, "vector"))
    assert 60 < len(vectors) < 85  # some are null
    for _, column, text in vectors:
        vector = json.loads(text)
        assert len(vector) == column["vector"]["dimension"] == 1536
        assert math.isclose(math.hypot(*vector), 1, rel_tol=1e-6)


def test_datetimes_are_iso_8601_utc_and_some_exact_to_the_microsecond(export):
    digits = {len(MOMENT.fullmatch(cell)[1]) for *_, cell in cells(export, "datetime")}
    assert digits == {3, 6}


def test_lists_and_json_parse(export):
    assert all(isinstance(item, str) for *_, cell in cells(export, "multiple") for item in json.loads(cell))
    for *_, cell in cells(export, "json"):
        json.loads(cell)


def test_ints_and_floats_parse(export):
    assert all(-(2**63) <= int(cell) < 2**63 for *_, cell in cells(export, "int"))
    assert all(math.isfinite(float(cell)) for *_, cell in cells(export, "float"))


def test_files_have_the_keys_of_xata(export):
    items = [json.loads(cell) for *_, cell in cells(export, "file")]
    in_lists = [item for *_, cell in cells(export, "file[]") for item in json.loads(cell)]
    assert all("id" not in item for item in items)
    assert len({item["id"] for item in in_lists}) == len(in_lists)
    assert {key for item in [*items, *in_lists] for key in item} == FILE_KEYS


def test_addresses_are_reserved_ones(contents):
    everything = b"".join(contents.values()).decode()
    assert set(re.findall(r"https?://(?:[\w-]+\.)*([\w-]+\.\w+)", everything)) == {
        "example.org",
        "example.com",
    }
    assert set(re.findall(r"\w@([\w.-]+)", everything)) == {"example.org"}


# The special rows


@pytest.mark.parametrize(
    ("title", "note"),
    [
        ("Two lines", "This note spans\ntwo lines"),
        ("Two lines, CRLF", "This note spans\r\ntwo lines, parted by CR and LF"),
        ("Spoken", 'She said ""look up"", then left'),
        ("Blanks around the word", " padded "),
        ("The word NULL", "NULL"),
        ("The letters NA", "NA"),
        ("Zeros in front", "00123"),
        ("An entity", "Roswell&#44; New Mexico"),
        ("COPY's end of data", "\\."),
        ("Emoji", "👽 came in peace 🛸, family 👨\u200d👩\u200d👧"),
    ],
)
def test_notes_that_speak_of_themselves(export, title, note):
    assert find(export, "user-saved-events", "note-title", title)["note"] == note


def test_empty_text_and_null_are_told_apart(contents):
    text = contents["user-saved-events.csv"].decode()
    assert ',"","Empty, not NULL",' in text
    assert ',,"NULL, not empty",' in text


@pytest.mark.parametrize(
    ("title", "date"),
    [
        ("Airborne ships, year 749", "0749-06-21T00:00:00.000Z"),
        ("To the microsecond", "1997-03-13T20:15:00.123456Z"),
    ],
)
def test_special_dates(export, title, date):
    assert find(export, "events", "title", title)["date"] == date


def test_special_events(export):
    assert find(export, "events", "title", "Seen from two cities")["location"] == "Zürich \u2013 東京"
    assert find(export, "events", "title", "No category: an empty list")["category"] == "[]"
    quoted = find(export, "events", "title", "Commas and quotes in a list")["category"]
    assert json.loads(quoted) == ["lights, moving", 'a "saucer"', "it's"]
    backslashes = find(export, "events", "title", "Backslashes in a list")["category"]
    assert json.loads(backslashes) == ["C:\\radar\\", "\\", "\\N", "{curly}"]


def test_special_numbers(export):
    assert find(export, "personnel", "name", "Ida Overbound")["rank"] == "9007199254740993"
    assert find(export, "personnel", "name", "Max Longinteger")["rank"] == "9223372036854775807"
    assert find(export, "personnel", "name", "Min Longinteger")["rank"] == "-9223372036854775808"
    assert {"-0.0", "5e-324", "1.7976931348623157e+308"} <= {row["latitude"] for row in export["locations"]}


def test_special_documents(export):
    nested = json.loads(find(export, "documents", "title", "Nested")["metadata"])
    assert nested["käse"][1]["東京"] == [[], {}, None, True, "👽"]
    assert find(export, "documents", "title", "A JSON null, not NULL")["metadata"] == "null"
    assert len(find(export, "documents", "title", "Longer than 131,072 characters")["content"]) > 131_072
    nameless, everything = json.loads(
        find(export, "documents", "title", "A nameless file, and one that says everything")["file"]
    )
    assert nameless["name"] == ""
    assert set(everything) == FILE_KEYS


# Cells


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, ""),
        ("", '""'),
        ("plain", "plain"),
        ("NULL", "NULL"),
        (" padded ", '" padded "'),
        ("a,b", '"a,b"'),
        ('say "hi"', '"say ""hi"""'),
        ("a\nb", '"a\nb"'),
        ("a\rb", '"a\rb"'),
        ("\\.", '"\\."'),
        (-0, "0"),
        (2**53 + 1, "9007199254740993"),
        ([], "[]"),
        (["é", None, True], '"[""é"",null,true]"'),
        ({}, "{}"),
    ],
)
def test_csv_cell(value, cell):
    assert csv_cell(value) == cell


def test_popular_draws_the_early_items_more_often():
    dice = Dice("popular")
    drawn = [dice.popular("ab") for _ in range(1000)]
    assert drawn.count("a") > 1.5 * drawn.count("b") > 0


# The folder


def test_writes_the_export_and_sums_it_up(tmp_path, contents):
    folder = tmp_path / "new" / "export"
    summary = write_demo(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == contents
    assert (summary.folder, summary.tables, summary.rows) == (folder, 27, 3992)
    assert summary.bytes == sum(map(len, contents.values()))


def test_an_earlier_demo_is_left_as_it_is(tmp_path):
    summary = write_demo(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert write_demo(tmp_path) == summary
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_a_demo_cut_short_is_finished(tmp_path, contents):
    (tmp_path / "schema.json").write_bytes(contents["schema.json"])
    (tmp_path / ".events.csv.part").write_bytes(b"id,na")
    write_demo(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == contents


@pytest.mark.parametrize("name", ["holiday.jpg", "events.csv", "schema.json"])
def test_a_folder_with_other_files_is_refused(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(UsageError, match=rf"holds {name}; name a new or an empty folder") as raised:
        write_demo(tmp_path)
    assert "\n" not in str(raised.value)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


def test_a_folder_in_place_of_a_file_is_refused(tmp_path):
    (tmp_path / "events.csv").mkdir()
    with pytest.raises(UsageError, match=r"holds events\.csv"):
        write_demo(tmp_path)


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    taken = tmp_path / "taken"
    taken.write_text("mine")
    with pytest.raises(UsageError, match="is not a folder"):
        write_demo(taken)
    assert taken.read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_told_in_one_line(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(XataPgError, match="could not be written") as raised:
        write_demo(tmp_path / "file" / "below")
    assert "\n" not in str(raised.value)
