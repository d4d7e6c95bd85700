"""Files copied beside a real database: what lies where, what the column and the ledger tell, and what is done again."""

from __future__ import annotations

import hashlib
import json
import os
import socket
from pathlib import Path

import pytest

from xata_pg_assets.errors import TargetError, UsageError
from xata_pg_assets.files import copying
from xata_pg_assets.files.storage import SavedFileError, open_destination, open_folder
from xata_pg_assets.postgres import undo
from xata_pg_assets.xata.schema import XataType
from xata_pg_assets_tests.fix_export import checks_of, column, table
from xata_pg_assets_tests.test_files.conftest import file, new_files

PHOTO, A, B = b"12345", b"abc", b"\0\xff\n\r\n"


@pytest.fixture
def three(files):
    """Two users, one with a file in either column and two in a list."""
    files.save("u1", "photo.png", PHOTO)
    files.save("u1", "a.png", A)
    files.save("u2", "b c.txt", B)
    files.rows(
        ("u1", file("photo.png", 5), [file("a.png", 3, id="f1")]),
        ("u2", None, [file("b c.txt", 5, id="f2")]),
    )
    return files


KEYS = {
    "users/1/avatar/1-photo.png": PHOTO,
    "users/1/gallery_pics/1-a.png": A,
    "users/2/gallery_pics/1-b_c.txt": B,
}


def test_copied_with_keys_hashes_and_sizes(three):
    result = three.migrate()
    assert three.copies == KEYS
    assert result.table.red == {}
    assert [check.passed for check in result.checks.values()] == [True, True]
    assert three.cells("avatar")["u1"] == file("photo.png", 5, key="users/1/avatar/1-photo.png")
    assert three.cells("gallery_pics")["u2"] == [file("b c.txt", 5, id="f2", key="users/2/gallery_pics/1-b_c.txt")]
    assert three.lines("key, sha256, size, saved_as, problem") == [
        (key, hashlib.sha256(data).hexdigest(), len(data), saved, None)
        for (key, data), saved in zip(KEYS.items(), ("photo__u1.png", "a__u1.png", "b c__u2.txt"), strict=True)
    ]


def test_the_second_run_reads_no_file_and_changes_nothing(three, monkeypatch):
    three.migrate()
    before = three.lines("*"), three.cells("avatar"), three.cells("gallery_pics")
    monkeypatch.setattr("xata_pg_assets.files.storage._LocalFolder.read", lambda *_: pytest.fail("read again"))
    result = three.migrate()
    assert (result.copied, result.table.changes["Users"]) == (0, (0, 0, 0))
    assert result.table.red == {}
    assert (three.lines("*"), three.cells("avatar"), three.cells("gallery_pics")) == before


def test_a_change_of_the_key_by_a_person_is_seen_and_mended(three):
    three.migrate()
    database, migration = three.export.database, three.export.migration(**three.flags())
    (users,) = migration.plan.tables
    changes = [
        'UPDATE users SET avatar = avatar || \'{"key": "other"}\' WHERE id = 1',
        "UPDATE users SET avatar = avatar - 'key' WHERE id = 1",
        'UPDATE users SET avatar = avatar || \'{"name": "other"}\' WHERE id = 1',
        "UPDATE users SET gallery_pics = jsonb_set(gallery_pics, '{0,key}', '\"x\"') WHERE id = 2",
        "UPDATE users SET avatar = jsonb_set(avatar, '{attributes,height}', '1.50') WHERE id = 1",
        'UPDATE users SET avatar = \'{"key": "users/1/avatar/1-photo.png"}\' WHERE id = 2',
    ]
    for change in changes:
        database.query(change)
        check = checks_of(migration, users)["values_equal"]
        assert (check.passed, check.facts["differing_rows"]) == (False, 1), change
        result = three.migrate()
        assert (result.copied, result.table.red) == (0, {}), change
        assert result.table.changes["Users"] == (0, 1, 0)


def test_files_present_sees_keys_and_copies_that_are_gone(three):
    result = three.migrate()
    three.export.database.query("UPDATE users SET avatar = avatar - 'key'")
    (Path(three.to) / "users/1/gallery_pics/1-a.png").unlink()
    (Path(three.to) / "users/2/gallery_pics/1-b_c.txt").write_bytes(b"b")
    migration = result.table.migration
    found = {of.column.name: migration.check_files(of) for of in migration.file_columns}
    assert found["avatar"].description.endswith("1 without their key in the column")
    assert found["gallery_pics"].description.startswith("0 of 2 files at")
    assert found["gallery_pics"].facts["files gone from the destination"] == 2
    listed = three.export.database.query(found["gallery_pics"].query)
    assert [(row[0], row[-1]) for row in listed] == [
        ("u1", "gone: nothing lies at the destination under its key"),
        ("u2", "gone: under its key lie 1 byte of 5"),
    ]
    again = three.migrate()
    assert (again.copied, three.copies, again.problems) == (2, KEYS, {})


def test_a_newer_export_copies_what_is_new_and_keys_stay(three):
    three.migrate()
    three.save("u1", "new.png", b"new")
    three.save("u3", "late.png", b"late")
    three.rows(
        # In another place of the list, with a signed URL of its own
        ("u1", None, [file("new.png", 3, id="f9"), file("a.png", 3, id="f1", signedUrl="https://x.org/other")]),
        ("u2", None, []),
        ("u3", file("late.png", 4), []),
    )
    result = three.migrate()
    assert (result.copied, result.table.red, result.problems) == (2, {}, {})
    new = {"users/1/gallery_pics/2-new.png": b"new", "users/3/avatar/1-late.png": b"late"}
    assert three.copies == {**KEYS, **new}
    assert [each["key"] for each in three.cells("gallery_pics")["u1"]] == [
        "users/1/gallery_pics/2-new.png",
        "users/1/gallery_pics/1-a.png",
    ]
    assert three.migrate().copied == 0


def test_between_load_and_copying_no_key_is_that_of_another_file(three):
    """The table is loaded with a newer export, its files are not yet."""
    three.migrate()
    three.rows(("u1", file("photo.png", 5, version=2), [file("z.png", 1, id="f8"), file("a.png", 3, id="f1")]))
    result = three.export.migrate(**three.flags())
    assert result.red == {}
    assert "key" not in three.cells("avatar")["u1"]
    assert [each.get("key") for each in three.cells("gallery_pics")["u1"]] == [None, "users/1/gallery_pics/1-a.png"]
    check = result.migration.check_files(result.migration.file_columns[0])
    assert check.description.endswith("1 not copied yet")


def test_everything_that_is_wrong_is_listed(files):
    files.save("u1", "x.png", b"xx")
    files.save("u2", "cut.png", b"half")
    (files.folder / "stranger.txt").touch()
    files.rows(
        ("u1", file("lost.png", 7), [file("x.png", 2, id="f1"), file("x.png", 2, id="f2"), file("", 3, id="f3")]),
        ("u2", file("cut.png", 10), []),
    )
    result = files.migrate()
    assert files.copies == {}
    assert {place: text.partition(":")[0] for place, text in result.problems.items()} == {
        ("u1", 1): "ambiguous",
        ("u1", 2): "ambiguous",
        ("u1", 3): "lost",
        ("u2", 1): "size",
    }
    avatar = result.checks["avatar"]
    assert (avatar.passed, avatar.facts) == (
        False,
        {"files": 2, "files lost": 1, "files of another size than Xata tells": 1},
    )
    assert result.loads["avatar"].unclaimed == 1
    # The mend: laid down by hand
    (files.folder / "x__u1__galleryPics__1.png").write_bytes(b"x1")
    (files.folder / "x__u1__galleryPics__2.png").write_bytes(b"x2")
    (files.folder / "__u1__galleryPics__3").write_bytes(b"333")
    files.save("u1", "lost.png", b"7777777")
    files.save("u2", "cut.png", b"0123456789")
    result = files.migrate()
    assert result.problems == {}
    assert files.copies == {
        "users/1/avatar/1-lost.png": b"7777777",
        "users/1/gallery_pics/1-x.png": b"x1",
        "users/1/gallery_pics/2-x.png": b"x2",
        "users/1/gallery_pics/3-file": b"333",
        "users/2/avatar/1-cut.png": b"0123456789",
    }


def test_objects_equal_in_all_but_place(files):
    files.rows(("u1", None, [file("", 1), file("", 1), file("", 1)]))
    for n in (1, 2, 3):
        (files.folder / f"__u1__galleryPics__{n}").write_bytes(str(n).encode())
    assert files.migrate().problems == {}
    assert files.copies == {f"users/1/gallery_pics/{n}-file": str(n).encode() for n in (1, 2, 3)}
    assert [each["key"][-6] for each in files.cells("gallery_pics")["u1"]] == ["1", "2", "3"]


def test_a_field_that_xata_has_already_is_never_overwritten(files):
    files.save("u1", "p.png", PHOTO)
    files.rows(("u1", file("p.png", 5, key="Xata's own"), []))
    result = files.migrate()
    assert result.table.red == {}
    again = files.migrate()
    assert (again.table.red, again.table.changes["Users"]) == ({}, (0, 0, 0))
    assert files.cells("avatar")["u1"]["key"] == "Xata's own"
    assert result.problems[("u1", 1)].startswith("key: ")
    assert files.copies == {"users/1/avatar/1-p.png": PHOTO}


def test_a_record_named_like_another_s_file(files):
    """a + __ + b__c and a__b + __ + c give one name: of whom it is cannot be told."""
    files.save("b__c", "a.png", PHOTO)
    files.rows(("b__c", file("a.png", 5), []), ("c", file("a__b.png", 5), []))
    result = files.migrate()
    assert files.copies == {}
    assert {text.partition(":")[0] for text in result.problems.values()} == {"ambiguous"}


def test_rows_of_the_user_s_own_are_left_alone(three):
    three.migrate()
    own = json.dumps(file("own.png", 5))
    three.export.database.query("INSERT INTO users (avatar) VALUES (%s)", own)
    result = three.migrate()
    assert (result.loads["avatar"].files, result.copied) == (1, 0)
    assert three.export.database.value("SELECT avatar FROM users WHERE id = 3") == json.loads(own)


def test_another_destination_gets_everything(three, tmp_path):
    three.migrate()
    three.to = str(tmp_path / "second")
    assert three.migrate().copied == 3
    assert three.copies == KEYS


def test_without_the_setting_the_next_load_keeps_the_keys(three):
    three.migrate()
    result = three.export.migrate()
    assert (result.red, result.changes["Users"]) == ({}, (0, 0, 0))
    assert three.cells("avatar")["u1"]["key"] == "users/1/avatar/1-photo.png"


def test_a_table_dropped_and_made_anew_gets_the_same_keys(three):
    three.migrate()
    three.export.database.query("DROP TABLE users")
    result = three.migrate()
    assert (result.copied, result.table.red, result.problems) == (0, {}, {})
    assert three.cells("avatar")["u1"]["key"] == "users/1/avatar/1-photo.png"


def test_after_clean_the_files_can_still_be_copied(three):
    result = three.export.migrate(**three.flags())
    three.export.database.query("DROP SCHEMA xata_staging CASCADE")
    migration = result.migration
    assert [migration.copy_files(of).copied_files for of in migration.file_columns] == [1, 2]
    assert three.copies == KEYS


def test_undo_tells_that_the_copies_stay(three):
    result = three.migrate()
    layout, plan = result.table.migration.wanted_layout, result.table.migration.plan
    with result.table.migration.reading() as conn:
        shown = undo.find(conn, layout, plan)
        assert f"record of the copies in {three.to}; the copies stay" in shown.made
        undo.take_out(conn, layout, plan, shown, force=False)
    assert three.export.database.query("SELECT FROM pg_namespace WHERE nspname = 'xata_migration'") == []
    assert three.copies == KEYS


def test_accept_asks_for_the_files_too(files):
    files.rows(("u1", file("lost.png", 5), []))
    result = files.migrate()
    migration = result.table.migration
    with migration.reading() as conn:
        with pytest.raises(UsageError, match=r"files of Users.avatar: check files_present is not green"):
            undo.accept(conn, migration.wanted_layout, force=False)
        undo.accept(conn, migration.wanted_layout, force=True)
    with pytest.raises(UsageError, match="was accepted"):
        migration.copy_files(migration.file_columns[0])
    assert not migration.check_files(migration.file_columns[0]).passed


def test_names_of_every_kind(new_export, tmp_path):
    """Names of tables and columns that meet in a key, hold a %, or lead elsewhere."""
    users = table("Users", column("a.b%", "file"), column("../x", "file"), column("key", "file[]"))
    files = new_files(new_export, tmp_path, users)
    cells = [("u%s1", *(json.dumps(each) for each in (file("p.png", 1), file("q.png", 2), [file("r.png", 3)])))]
    files.export.rows("Users", ["id", "a.b%", "../x", "key"], cells)
    for name, size in (("p.png", 1), ("q.png", 2), ("r.png", 3)):
        files.save("u%s1", name, b"x" * size)
    for flags in ({}, {"naming": "preserve", "target_schema": "t%s", "work_schema": "w%s", "staging_schema": "s%s"}):
        result = files.migrate(**flags, files_to=str(tmp_path / f"copies{len(flags)}"))
        assert (result.table.red, result.problems, result.copied) == ({}, {}, 3)
        (top,) = (tmp_path / f"copies{len(flags)}").iterdir()
        assert (top.name, len(list(top.rglob("*.png")))) == ("users", 3)
    assert {each.name for each in tmp_path.iterdir()} == {"saved", "export", "copies0", "copies4"}


class TestHostile:
    def test_nothing_outside_of_the_folder_is_read(self, files, tmp_path, monkeypatch):
        (tmp_path / "secret__u1.txt").write_bytes(PHOTO)
        (files.saved / "up__u1.txt").write_bytes(PHOTO)
        (files.folder / "link__u1.txt").symlink_to(tmp_path / "secret__u1.txt")
        (files.folder / "circle__u1.txt").symlink_to("circle__u1.txt")
        os.mkfifo(files.folder / "pipe__u1.txt")
        (files.folder / "folder__u1.txt").mkdir()
        with socket.socket(socket.AF_UNIX) as server:
            monkeypatch.chdir(files.folder)  # the name of a socket is short
            server.bind("socket__u1.txt")
        names = [
            "../up.txt",
            "link.txt",
            "circle.txt",
            "pipe.txt",
            "folder.txt",
            "socket.txt",
            "n\u0001ul.txt",
            "x" * 900,
        ]
        files.rows(("u1", None, [file(name, 5) for name in names]))
        result = files.migrate()
        assert files.copies == {}
        assert {text.partition(":")[0] for text in result.problems.values()} == {"lost"}
        linked = files.migrate(follow_links=True)
        assert files.copies == {"users/1/gallery_pics/2-link.txt": PHOTO}
        assert linked.copied == 1

    def test_a_folder_that_is_a_link(self, files, tmp_path):
        files.rows(("u1", file("p.png", 5), []))
        files.folder.rmdir()
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "elsewhere" / "p__u1.png").write_bytes(PHOTO)
        files.folder.symlink_to(tmp_path / "elsewhere")
        with pytest.raises(UsageError, match=r"a link that leads out of .* set follow_links"):
            files.migrate()
        assert files.migrate(follow_links=True).copied == 1

    def test_a_record_id_that_is_a_path(self, files):
        (files.folder / "sub").mkdir()
        (files.folder / "sub" / "up.png").write_bytes(PHOTO)
        files.rows(("x/../../sub/up", file("p.png", 5), []))
        assert files.migrate().copied == 0

    def test_names_alike_but_for_case_and_extension(self, files):
        names = ["A.PNG", "a.png", "a.Png", "ä.png", "日本.png", "日本語.png", "-rf", "con.", "a" * 200 + ".jpeg"]
        for number, name in enumerate(names, 1):
            files.save("u1", name, b"x" * number)
        files.rows(("u1", None, [file(name, number) for number, name in enumerate(names, 1)]))
        result = files.migrate()
        assert result.problems == {}
        assert len({key.casefold() for key in files.copies}) == len(names)
        assert sorted(map(len, files.copies.values())) == list(range(1, 10))
        assert all(key.isascii() and len(key) < 130 for key in files.copies)

    def test_a_link_at_the_destination_leads_nowhere(self, three, tmp_path):
        (tmp_path / "elsewhere").mkdir()
        Path(three.to).mkdir()
        (Path(three.to) / "users").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(TargetError, match="a link leads out of"):
            three.migrate()
        assert [each for each in (tmp_path / "elsewhere").rglob("*") if each.is_file()] == []

    def test_source_and_destination_in_one_another(self, three):
        for inside in (three.saved, three.folder / "x", three.saved.parent):
            three.to = str(inside)
            with pytest.raises(UsageError, match="lie in one another"):
                three.migrate()

    def test_saved_names_that_are_no_text(self, files):
        for number in (1, 2, 3):
            path = os.fsencode(files.folder) + b"/f\xff%d__u1.png" % number
            with open(path, "wb") as saved:  # noqa: PTH123 - no text, no Path
                saved.write(b"x" * min(number, 2))
        files.rows(("u1", file("p.png", 1), [file("q.png", 2)]))
        result = files.migrate()
        assert files.copies == {"users/1/avatar/1-p.png": b"x"}
        assert result.problems[("u1", 1)] == "ambiguous: it may be any of f\ufffd2__u1.png, f\ufffd3__u1.png"
        assert files.lines("saved_as")[0] == ("f\ufffd1__u1.png",)

    def test_sizes_that_are_none(self, files):
        files.save("u1", "p.png", PHOTO)
        odd = [{**file("p.png", None), "size": size} for size in ("5", 5.5, -5, 2**70, None, [5])]
        files.rows(*((f"u{n}", None, [each]) for n, each in enumerate(odd, 1)))
        assert files.migrate().copied == 1


def test_a_file_that_shrinks_while_it_is_read_is_no_copy(three, monkeypatch):
    folder = open_folder(str(three.saved), {}, "Users", follow_links=False)
    (three.folder / "photo__u1.png").write_bytes(b"123")
    monkeypatch.setattr(type(folder), "size", lambda self, name: 5 if name in self.names else None)
    result = three.migrate()
    assert result.problems[("u1", 1)].startswith(("unreadable: ", "size: "))
    assert "users/1/avatar/1-photo.png" not in three.copies


@pytest.mark.parametrize("at_once", [4, 1000])
def test_what_was_copied_before_a_failure_is_in_the_ledger(files, monkeypatch, at_once):
    """The destination fails at the 20th file; the next run copies the rest."""
    monkeypatch.setattr(copying, "_FILES_AT_ONCE", at_once)
    files.rows(*((f"u{n:02}", file("p.png", 2), []) for n in range(40)))
    for n in range(40):
        files.save(f"u{n:02}", "p.png", b"%02d" % n)
    blocked = Path(files.to) / "users" / "20"
    blocked.parent.mkdir(parents=True)
    blocked.touch()
    with pytest.raises(TargetError, match=r"setting files_to: .*copies: .*run again"):
        files.migrate(files_threads=2)
    keyed = {old_id for old_id, cell in files.cells("avatar").items() if "key" in cell}
    assert keyed == {old_id for (old_id,) in files.lines("old_id")}
    assert 10 <= len(keyed) < 20
    assert files.export.migrate(**files.flags()).red == {}
    blocked.unlink()
    result = files.migrate(files_threads=2)
    assert (result.copied, result.problems) == (40 - len(keyed), {})
    assert len(files.copies) == 40
    assert not (Path(files.to) / ".xata_pg").exists()


def test_tables_without_files_ask_for_nothing(new_export):
    """Where no column holds files no table of theirs is made, nor looked for."""
    export = new_export(table("posts", column("title")))
    export.rows("posts", "id,title", [("p1", "x")])
    export.migrate(files=str(export.folder), files_to=str(export.folder / "to"))
    assert export.database.query("SELECT FROM pg_class WHERE relname IN ('files', 'file_loads')") == []


class TestStore:
    """The same through S3, as Supabase and others speak it."""

    def to(self, files, store, **flags):
        files.to = f"s3://{store.bucket}/pre/fix"
        return files.migrate(files_to_options=store.options, **flags)

    def test_to_a_store(self, three, store):
        result = self.to(three, store)
        assert store.objects == {f"pre/fix/{key}": data for key, data in KEYS.items()}
        assert (result.table.red, result.problems) == ({}, {})
        assert self.to(three, store).copied == 0
        store.client.delete_object(Bucket=store.bucket, Key="pre/fix/users/1/avatar/1-photo.png")
        migration = result.table.migration
        assert not migration.check_files(migration.file_columns[0]).passed
        assert self.to(three, store).copied == 1
        assert set(store.objects) == {f"pre/fix/{key}" for key in KEYS}

    def test_a_large_file_goes_in_parts_or_not_at_all(self, files, store):
        data = os.urandom(12 << 20)
        files.save("u1", "big.bin", data)
        files.rows(("u1", file("big.bin", len(data)), []))
        assert self.to(files, store).problems == {}
        assert store.objects == {"pre/fix/users/1/avatar/1-big.bin": data}
        destination = open_destination(f"s3://{store.bucket}/cut", store.options, "/nowhere", "w")
        with pytest.raises(SavedFileError, match="stopped"):
            destination.write("big.bin", breaking(data), len(data))
        assert not any(key.startswith("cut") for key in store.objects)
        assert "Uploads" not in store.client.list_multipart_uploads(Bucket=store.bucket)

    def test_from_a_store(self, three, store):
        for path in three.folder.iterdir():
            store.client.put_object(
                Bucket=store.bucket, Key=f"in/file-downloads/Users/{path.name}", Body=path.read_bytes()
            )
        result = three.migrate(files=f"s3://{store.bucket}/in", files_options=store.options)
        assert (three.copies, result.problems) == (KEYS, {})

    def test_a_bucket_that_is_not_there(self, three, store):
        three.to = "s3://no-such-bucket-here/x"
        with pytest.raises(TargetError, match=r"^s3://no-such-bucket-here/x/users/.* make the bucket") as error:
            three.migrate(files_to_options=store.options)
        assert store.options["secret"] not in str(error.value)


def breaking(data):
    yield data[: 7 << 20]
    raise SavedFileError("stopped")


def test_file_types_of_the_schema_are_those_that_are_copied():
    assert {XataType.FILE, XataType.FILES} == {each for each in XataType if each.value.startswith("file")}


def test_the_ledger_is_found_by_its_index_from_every_record(three):
    """Ids of two collations would be compared by reading the whole ledger for each row."""
    three.migrate()
    collations = three.export.database.query(
        "SELECT DISTINCT attcollation FROM pg_attribute WHERE attname = 'old_id' AND attrelid IN"
        " ('xata_migration.files'::regclass, 'xata_migration.users_id_mapping'::regclass)"
    )
    assert len(collations) == 1
