"""Flags over variables over file; what is wrong is one line, and nothing is touched."""

from __future__ import annotations

import pytest

from xata_pg_assets.settings import Settings, as_environment, load_settings
from xata_pg_assets_tests.test_cli.conftest import SECRET
from xata_pg_assets_tests.test_cli.test_commands import is_untouched


@pytest.mark.parametrize(
    ("arguments", "variables", "words"),
    [
        (["--tables", "nobody"], {}, "table nobody: not in the schema; it has posts, userTeams, users"),
        (["--tables", ""], {}, "flag --tables"),
        (["--tables", " , "], {}, "flag --tables"),
        (["--nonsense"], {}, "No such option: --nonsense"),
        (["extra"], {}, "extra"),
        (["--naming", "camel"], {}, "setting naming: "),
        (["--max-rejected-rows", "-1"], {}, "setting max_rejected_rows: "),
        (["--on-delete-links", "posts.author"], {}, "write posts.author=cascade"),
        (["--on-delete-links", "posts.nobody=cascade"], {}, "posts.nobody is no link"),
        (["--config", "missing.toml"], {}, "missing.toml: not found"),
        (["--source", "missing"], {}, "missing"),
        (["--source", "missing", "--schema", "export/schema.json"], {}, "missing does not exist"),
        (["--schema", "missing.json"], {}, "missing.json"),
        (["--target-schema", "one", "--work-schema", "one"], {}, "one is the target_schema already"),
        ([], {"XATA_PG_METADATA_COLUMNS": "perhaps"}, "write true or false"),
        ([], {"XATA_PG_NO_SUCH": "1", "XATA_PG_ON_DELETE": "x"}, "setting on_delete: "),
        ([], {"XATA_PG_ON_DELETE_LINKS": "x"}, "XATA_PG_ON_DELETE_LINKS"),
        (["--target", f"mysql://me:{SECRET}@host/db"], {}, "setting target: "),
        (["--target", f"postgresql://me:{SECRET}@host/db?x=1"], {}, "setting target: "),
        (["--source", f"mysql://me:{SECRET}@host/db", "--schema", "export/schema.json"], {}, "setting source: "),
        (["--dagster-url", f"mysql://me:{SECRET}@host/db"], {}, "setting dagster_url: "),
    ],
)
def test_wrong_usage_is_exit_2_in_one_line(migrating, database, arguments, variables, words):
    outcome = migrating("migrate", "--json", *arguments, env=variables)
    assert (outcome.code, outcome.out) == (2, "")
    assert words in outcome.error
    assert SECRET not in outcome.err
    assert is_untouched(database)


def test_wrong_lines_of_the_settings_file(migrating, database):
    for text, words in [("surce = 1", "setting surce: there is no such setting"), ("x = ", "settings file")]:
        (migrating.folder / "xata_pg.toml").write_text(text)
        outcome = migrating("migrate")
        assert (outcome.code, words in outcome.error) == (2, True), outcome.err
    assert is_untouched(database)


@pytest.mark.parametrize("command", ["plan", "migrate"])
def test_an_unusable_url_is_wrong_usage_for_every_command(migrating, command):
    outcome = migrating(command, "--target", f"postgresql://me:{SECRET}@host/db?x=1")
    assert outcome.code == 2
    assert outcome.error.startswith("setting target: not a PostgreSQL URL")


def test_a_debugged_error_keeps_its_code_and_shows_where(migrating):
    outcome = migrating("migrate", "--debug", "--tables", "nobody")
    assert outcome.code == 2
    assert "Traceback" in outcome.err
    assert outcome.err.splitlines()[-1].startswith("error: table nobody")


def test_flags_beat_variables_beat_the_file(migrating):
    """One command sees all three: each is beaten where a stronger one speaks, and holds where none does."""
    (migrating.folder / "xata_pg.toml").write_text(
        'target_schema = "of_file"\nnaming = "preserve"\nkeep_old_id = true\nmetadata_columns = true\n'
        '[on_delete_links]\n"posts.author" = "cascade"\n'
    )
    variables = {"XATA_PG_TARGET_SCHEMA": "of_variable", "XATA_PG_NAMING": "snake_case", "DATABASE_URL": "mysql://no"}
    outcome = migrating("plan", "--sql", "--target-schema", "of_flag", "--no-metadata-columns", env=variables)
    assert outcome.code == 0
    assert '"of_flag"."user_teams"' in outcome.out
    assert "of_file" not in outcome.out
    assert "of_variable" not in outcome.out
    assert '"xata_id" text' in outcome.out
    assert "xata_version" not in outcome.out
    assert "ON DELETE CASCADE" in outcome.out.upper()


def test_database_url_is_the_last_name_of_the_target(migrating):
    target = migrating.variables.pop("XATA_PG_TARGET")
    outcome = migrating("plan", "--json", env={"DATABASE_URL": target})
    assert outcome.report["target"].endswith(target.partition("dbname=")[2].partition(" ")[0].strip("'"))
    beaten = migrating("plan", "--json", env={"DATABASE_URL": "mysql://no", "XATA_PG_TARGET": target})
    assert beaten.report["target"] == outcome.report["target"]


class TestAsEnvironment:
    def test_it_makes_the_same_settings_again(self, monkeypatch, tmp_path):
        """A flag that says a default again must beat the variable of the process it is handed to."""
        monkeypatch.chdir(tmp_path)
        (tmp_path / "export").mkdir()
        (tmp_path / "public").mkdir()
        monkeypatch.setenv("XATA_PG_NAMING", "preserve")
        monkeypatch.setenv("XATA_PG_METADATA_COLUMNS", "false")
        flags = {
            "naming": "snake_case",
            "metadata_columns": "true",
            "source": "export",
            "target": f"postgresql://me:{SECRET}@h/d",
            "on_delete_links": {"a.b": "cascade"},
        }
        settings = load_settings(flags=flags)
        for name, value in as_environment(settings).items():
            monkeypatch.setenv(name, value)
        again = load_settings()
        changed = {name for name in Settings.model_fields if getattr(again, name) != getattr(settings, name)}
        assert changed == {"source", "home"}
        assert again.source == str(tmp_path / "export")
        assert again.home == (tmp_path / ".xata_pg").resolve()
        assert again.target_schema == "public"
