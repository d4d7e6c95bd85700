"""Settings: flags over variables over file, one line when wrong, and never a password."""

import os
import traceback
from pathlib import Path

import pytest

from xata_pg_assets.errors import ExitCode, UsageError
from xata_pg_assets.settings import Settings, load_settings

PASSWORD = "hunter2"
URL = f"postgresql://me:{PASSWORD}@db.example:5432/app"


@pytest.fixture(autouse=True)
def _clean(tmp_path, monkeypatch):
    """An empty folder, and no variable of ours."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.upper().startswith("XATA_PG_") or name.upper() in (
            "DATABASE_URL",
            "TARGET",
            "SCHEMA",
            "SOURCE",
        ):
            monkeypatch.delenv(name)


@pytest.fixture
def config(tmp_path):
    """Writes the settings file."""

    def write(text, name="xata_pg.toml"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


def refused(*args, **kwargs):
    """Return the one line with which settings are refused."""
    with pytest.raises(UsageError) as caught:
        load_settings(*args, **kwargs)
    told = str(caught.value)
    assert caught.value.exit_code is ExitCode.USAGE
    assert "\n" not in told
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))
    return told


def target_of(**kwargs):
    target = load_settings(**kwargs).target
    return target and target.get_secret_value()


def test_defaults():
    found = load_settings()
    assert found.model_dump() == {
        "source": None,
        "source_options": {},
        "executor": "in_process",
        "executor_options": {},
        "schema_path": None,
        "target": None,
        "home": Path(".xata_pg"),
        "dagster_url": None,
        "naming": "snake_case",
        "metadata_columns": True,
        "keep_old_id": False,
        "on_delete": "set null",
        "on_delete_links": {},
        "metadata_triggers": False,
        "new_xata_ids": False,
        "lookup_views": False,
        "target_preset": "plain",
        "grants": {},
        "row_level_security": False,
        "vector_index": "none",
        "vector_distance": "cosine",
        "search": (),
        "rewrite_ids": (),
        "search_language": "simple",
        "empty_text": "null",
        "recover_created_at": False,
        "dangling_links": "null",
        "max_rejected_rows": 0,
        "max_dangling_links": 0,
        "json_strings": "auto",
        "preview": False,
        "follow_links": False,
        "max_gzip_ratio": 1000,
        "files": None,
        "files_options": {},
        "files_to": None,
        "files_to_options": {},
        "files_threads": 8,
        "tables": {},
        "source_schema": "public",
        "target_schema": "public",
        "work_schema": "xata_migration",
        "staging_schema": "xata_staging",
    }


@pytest.mark.parametrize(
    ("flag", "field"),
    [("source", "source"), ("schema", "schema_path"), ("home", "home"), ("target_schema", "target_schema")],
)
def test_flags_over_variables_over_file(config, monkeypatch, flag, field):
    config(f'{flag} = "/file"')
    assert str(getattr(load_settings(), field)) == "/file"
    monkeypatch.setenv(f"XATA_PG_{flag.upper()}", "/variable")
    assert str(getattr(load_settings(), field)) == "/variable"
    assert str(getattr(load_settings(flags={flag: "/flag"}), field)) == "/flag"
    assert str(getattr(load_settings(flags={flag: None}), field)) == "/variable"


def test_the_target_from_lowest_to_highest(config, monkeypatch):
    config('target = "postgresql://file"')
    assert target_of() == "postgresql://file"
    monkeypatch.setenv("DATABASE_URL", "postgresql://database-url")
    assert target_of() == "postgresql://database-url"
    monkeypatch.setenv("XATA_PG_TARGET", "postgresql://variable")
    assert target_of() == "postgresql://variable"
    assert target_of(flags={"target": "postgresql://flag"}) == "postgresql://flag"


def test_an_empty_variable_is_none(monkeypatch):
    monkeypatch.setenv("XATA_PG_TARGET", "")
    assert target_of() is None
    monkeypatch.setenv("DATABASE_URL", "postgresql://database-url")
    assert target_of() == "postgresql://database-url"


@pytest.mark.parametrize("name", ["TARGET", "SCHEMA", "SOURCE", "HOME", "NAMING"])
def test_variables_of_other_programs_are_left_alone(monkeypatch, name):
    monkeypatch.setenv(name, "theirs")
    assert load_settings().model_dump() == Settings().model_dump()
    assert "theirs" not in str(load_settings().model_dump())


@pytest.mark.parametrize(("text", "value"), [("true", True), ("false", False)])
@pytest.mark.parametrize("name", ["keep_old_id", "metadata_columns", "recover_created_at"])
def test_booleans(config, monkeypatch, name, text, value):
    config(f"{name} = {text}")
    assert getattr(load_settings(), name) is value
    config(f"{name} = {str(not value).lower()}")
    monkeypatch.setenv(f"XATA_PG_{name.upper()}", text)
    assert getattr(load_settings(), name) is value
    assert getattr(load_settings(flags={name: not value}), name) is not value


def test_a_boolean_that_is_none_says_what_to_write(monkeypatch):
    monkeypatch.setenv("XATA_PG_KEEP_OLD_ID", "perhaps")
    assert refused() == "setting keep_old_id: write true or false"


def test_paths_in_a_file_are_relative_to_it(config, tmp_path):
    path = config('source = "export"\nschema = "../schema.json"\nhome = "home"', "deep/er/x.toml")
    found = load_settings(path)
    assert Path(found.source).resolve() == tmp_path / "deep/er/export"
    assert found.schema_path.resolve() == tmp_path / "deep/schema.json"
    assert found.home.resolve() == tmp_path / "deep/er/home"


def test_a_key_in_capitals_is_a_path_all_the_same(config, tmp_path):
    assert Path(load_settings(config('SOURCE = "export"', "deep/x.toml")).source) == tmp_path / "deep/export"


def test_other_paths_are_relative_to_where_we_are(config, monkeypatch):
    path = config("", "deep/x.toml")
    monkeypatch.setenv("XATA_PG_SOURCE", "export")
    found = load_settings(path, {"home": "home"})
    assert (found.source, found.home) == ("export", Path("home"))


def test_absolute_paths_and_urls_in_a_file_stay(config):
    found = load_settings(config(f'source = "{URL}"\nhome = "/srv/home"', "deep/x.toml"))
    assert (found.source, found.home) == (URL, Path("/srv/home"))


def test_delete_rules_of_single_links(config):
    config('on_delete = "restrict"\n[on_delete_links]\n"posts.author" = "cascade"\n"a-b.c" = "no action"')
    options = load_settings().plan_options
    assert options.on_delete == "restrict"
    assert options.on_delete_links == {"posts.author": "cascade", "a-b.c": "no action"}


def test_delete_rules_as_a_variable(monkeypatch):
    monkeypatch.setenv("XATA_PG_ON_DELETE_LINKS", '{"posts.author": "cascade"}')
    assert load_settings().on_delete_links == {"posts.author": "cascade"}
    monkeypatch.setenv("XATA_PG_ON_DELETE_LINKS", f"posts.author={PASSWORD}")
    assert "XATA_PG_ON_DELETE_LINKS" in refused()


def test_plan_options_are_the_settings():
    options = load_settings(
        flags={"naming": "preserve", "metadata_columns": False, "keep_old_id": True, "on_delete": "cascade"}
    ).plan_options
    assert (options.naming, options.metadata_columns, options.keep_old_id, options.on_delete) == (
        "preserve",
        False,
        True,
        "cascade",
    )


@pytest.mark.parametrize("key", ["frobnicate", "schema_path", "database_url", "DATABASE_URL", "XATA_PG_TARGET"])
def test_an_unknown_key_is_refused_by_name(config, key):
    config(f'{key} = "{URL}"')
    told = refused()
    assert key in told
    assert "xata_pg.toml" in told


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("naming", f'"{PASSWORD}"'),
        ("naming", '"Preserve"'),
        ("on_delete", '"set default"'),
        ("on_delete_links", f'["{PASSWORD}"]'),
        ("on_delete_links", f'{{"posts.author" = "{PASSWORD}"}}'),
        ("dangling_links", '"drop"'),
        ("empty_text", '"NULL"'),
        ("json_strings", "1"),
        ("keep_old_id", f'"{PASSWORD}"'),
        ("max_rejected_rows", "-1"),
        ("max_dangling_links", '"many"'),
        ("target", f'["{URL}"]'),
        ("dagster_url", f'{{url = "{URL}"}}'),
        ("source", f'["{URL}"]'),
        ("schema", "1"),
    ],
)
def test_a_bad_value_is_refused_by_name(config, name, value):
    config(f"{name} = {value}")
    assert refused().startswith(f"setting {name}")


def test_a_bad_flag_and_a_bad_variable_are_refused_by_name(monkeypatch):
    assert "naming" in refused(flags={"naming": PASSWORD})
    monkeypatch.setenv("XATA_PG_MAX_REJECTED_ROWS", PASSWORD)
    assert "max_rejected_rows" in refused()


@pytest.mark.parametrize("text", [f"target = {URL}", f'target = "{URL}', "a = 1\na = 2", "= 1"])
def test_a_file_that_is_no_toml_is_refused_by_name(config, text):
    assert str(config(text, "x.toml")) in refused(Path("x.toml").resolve())


def test_a_file_in_another_encoding_is_refused(tmp_path):
    (tmp_path / "xata_pg.toml").write_bytes(b'naming = "\xff"')
    assert "xata_pg.toml" in refused()


def test_a_file_that_is_asked_for_must_be_there(config, monkeypatch):
    assert "absent.toml" in refused(Path("absent.toml"))
    monkeypatch.setenv("XATA_PG_CONFIG", "gone.toml")
    assert "gone.toml" in refused()
    monkeypatch.setenv("XATA_PG_CONFIG", str(config('naming = "preserve"', "other.toml")))
    assert load_settings().naming == "preserve"


def test_no_password_in_any_form_of_the_settings():
    found = load_settings(flags={"target": URL, "dagster_url": URL, "source": URL})
    for shown in (repr(found), str(found), f"{found!r:s}", repr(found.plan_options)):
        assert PASSWORD not in shown
    with pytest.raises(ValueError, match="naming") as caught:
        Settings(target=URL, naming=PASSWORD)
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("target_schema", "work_schema"),
        ("target_schema", "staging_schema"),
        ("work_schema", "staging_schema"),
    ],
)
def test_the_three_schemas_are_three(one, other):
    told = refused(flags={one: "same", other: "same"})
    assert one in told
    assert other in told
