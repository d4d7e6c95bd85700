"""What a user can set: flags over `XATA_PG_…` variables over `xata_pg.toml`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, NonNegativeInt, SecretStr, ValidationError, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from xata_pg_assets.errors import UsageError
from xata_pg_assets.plan.naming import Naming
from xata_pg_assets.plan.tables import OnDelete, PlanOptions

__all__ = ["CONFIG_VARIABLE", "DEFAULT_CONFIG", "Settings", "load_settings"]

DEFAULT_CONFIG = Path("xata_pg.toml")
CONFIG_VARIABLE = "XATA_PG_CONFIG"


class Settings(BaseSettings):
    """Every setting, with its default."""

    model_config = SettingsConfigDict(
        env_prefix="XATA_PG_",
        extra="forbid",
        frozen=True,
        env_ignore_empty=True,
        hide_input_in_errors=True,  # it may be a password
    )

    source: str | None = Field(
        None,
        repr=False,  # its URL may hold a password
        description="folder of the export, or the URL of a PostgreSQL that holds its rows",
    )
    schema_path: Path | None = Field(
        None,
        validation_alias="schema",  # a field of this name would hide a method of pydantic's
        description="schema.json; default: found in the source folder or beside it",
    )
    target: SecretStr | None = Field(
        None, description="URL of the PostgreSQL to migrate to; default: an embedded one under home"
    )
    home: Path = Field(Path(".xata_pg"), description="folder of Dagster's records and of the embedded PostgreSQL")
    dagster_url: SecretStr | None = Field(
        None, description="URL of a PostgreSQL for Dagster's own records; default: SQLite under home"
    )
    naming: Naming = Field("snake_case", description="how names are written in the target")
    metadata_columns: bool = Field(True, description="keep xata_version, xata_createdat and xata_updatedat")
    keep_old_id: bool = Field(False, description="keep the old id in a column xata_id")
    on_delete: OnDelete = Field("set null", description="what deleting a row does to the links to it")
    on_delete_links: Mapping[str, OnDelete] = Field(
        default_factory=dict, description="the same for single links, as table.column = rule"
    )
    metadata_triggers: bool = Field(
        False, description="let triggers keep xata_version and xata_updatedat going in the target"
    )
    new_xata_ids: bool = Field(False, description="give new rows an xata_id of Xata's form (with keep_old_id)")
    lookup_views: bool = Field(False, description="make a view <table>_lookup in the work schema: rows by old id")
    empty_text: Literal["null", "empty"] = Field("null", description="what an empty CSV cell of a text column is")
    recover_created_at: bool = Field(False, description="take a missing xata.createdAt from a generated id")
    dangling_links: Literal["null", "reject", "fail"] = Field(
        "null", description="what becomes of a link to a row that is not there"
    )
    max_rejected_rows: NonNegativeInt = Field(0, description="rejected rows allowed in the whole migration")
    max_dangling_links: NonNegativeInt = Field(0, description="dangling links allowed in the whole migration")
    json_strings: Literal["auto", "encoded", "plain"] = Field(
        "auto", description="how a string in a json column is read"
    )
    source_schema: str = Field("public", description="schema of a PostgreSQL source")
    target_schema: str = Field("public", description="schema of the migrated tables")
    work_schema: str = Field(
        "xata_migration", description="schema of the id mappings, the rejected rows and the ledger"
    )
    staging_schema: str = Field("xata_staging", description="schema of the rows as they came")

    @field_validator("dagster_url")
    @classmethod
    def _is_postgresql(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not re.match(r"postgres(ql)?(\+\w+)?://", url.get_secret_value()):
            raise PydanticCustomError("url", "not a PostgreSQL URL; write postgresql://user@host:5432/database")
        return url

    @property
    def plan_options(self) -> PlanOptions:
        """The settings that shape the target tables."""
        return PlanOptions(
            naming=self.naming,
            metadata_columns=self.metadata_columns,
            keep_old_id=self.keep_old_id,
            on_delete=self.on_delete,
            on_delete_links=self.on_delete_links,
            metadata_triggers=self.metadata_triggers,
            new_xata_ids=self.new_xata_ids,
            lookup_views=self.lookup_views,
        )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *_: PydanticBaseSettingsSource,
        **__: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Name the sources of settings, the first that has one winning."""
        return init_settings, _Variables(settings_cls), _File(settings_cls)


def load_settings(config: Path | None = None, flags: Mapping[str, Any] | None = None) -> Settings:
    """Read the settings from flags, variables and the settings file, the first that has one winning.

    `config` defaults to the variable `XATA_PG_CONFIG`, then to `xata_pg.toml`, which may be missing.
    Paths in a file are relative to it.

    Raises:
        UsageError: a setting is unknown or has no such value; two of the three schemas are one; the file
            is missing or no TOML.
    """
    named = config or (Path(os.environ[CONFIG_VARIABLE]) if os.environ.get(CONFIG_VARIABLE) else None)
    if named is not None and not named.is_file():
        raise UsageError(f"settings file {named}: not found")
    path = named or DEFAULT_CONFIG
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    try:
        settings = _with_file(path)(**given)
    except ValidationError as error:
        raise UsageError(_one_line(error, path)) from None
    except SettingsError:  # the only variable that is not taken as it is
        raise UsageError('variable XATA_PG_ON_DELETE_LINKS: not JSON; write {"posts.author": "cascade"}') from None
    except (ValueError, OSError) as error:
        raise UsageError(f"settings file {path}: {error}") from None
    _refuse_shared_schemas(settings)
    return settings


def _with_file(path: Path) -> type[Settings]:
    """Return the settings class that also reads the given file."""

    class FileSettings(Settings):
        model_config = SettingsConfigDict(toml_file=path)

    return FileSettings


class _Variables(EnvSettingsSource):
    """The `XATA_PG_…` variables and DATABASE_URL; those of the bare names (`SCHEMA`) are other programs'."""

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        super().__init__(settings_cls)
        ours = {name: value for name, value in self.env_vars.items() if name.startswith("xata_pg_")}
        if "database_url" in self.env_vars:
            ours.setdefault("xata_pg_target", self.env_vars["database_url"])
        if "xata_pg_schema" in ours:
            ours["schema"] = ours["xata_pg_schema"]
        self.env_vars = ours


class _File(TomlConfigSettingsSource):
    """The settings file, with its relative paths resolved against its folder."""

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        super().__init__(settings_cls)
        path = settings_cls.model_config.get("toml_file")
        for name, value in self.init_kwargs.items():
            is_path = name.lower() in ("source", "schema", "home") and isinstance(value, str)
            if isinstance(path, Path) and is_path and "://" not in value:
                self.init_kwargs[name] = str(path.parent / value)


def _refuse_shared_schemas(settings: Settings) -> None:
    """Keep the target and the work schema from what `clean` drops, and each from the names of the other."""
    seen: dict[str, str] = {}
    for name in ("target_schema", "work_schema", "staging_schema"):
        schema = getattr(settings, name)
        if schema in seen:
            raise UsageError(f"setting {name}: {schema} is the {seen[schema]} already; name another")
        seen[schema] = name


def _one_line(error: ValidationError, path: Path) -> str:
    """Say the first thing that is wrong, without the value: it may be a password."""
    first = error.errors(include_input=False, include_url=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"setting {name}: there is no such setting (in {path})"
    if first["type"].startswith("bool_"):
        return f"setting {name}: write true or false"
    return f"setting {name}: {first['msg'][0].lower()}{first['msg'][1:]}"
