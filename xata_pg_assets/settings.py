"""What a user can set: flags over `XATA_PG_…` variables over `xata_pg.toml`."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    NonNegativeInt,
    PositiveInt,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from xata_pg_assets.errors import UsageError
from xata_pg_assets.plan.extras import Distance
from xata_pg_assets.plan.naming import MAX_BYTES, Naming
from xata_pg_assets.plan.shards import MAX_SHARDS
from xata_pg_assets.plan.tables import OnDelete, PlanOptions, Right
from xata_pg_assets.stores import is_url

__all__ = [
    "CONFIG_VARIABLE",
    "DEFAULT_CONFIG",
    "Engine",
    "Preset",
    "Settings",
    "TableSettings",
    "as_environment",
    "is_database",
    "load_settings",
]

Preset = Literal["plain", "supabase", "neon", "rds"]
Engine = Literal["in_process", "multiprocess", "dask", "celery", "k8s"]

DEFAULT_CONFIG = Path("xata_pg.toml")
CONFIG_VARIABLE = "XATA_PG_CONFIG"
# The widest file seen has 2 kB; what is larger by this much is something else given by mistake
_MAX_FILE = 1024 * 1024
_DEEP_KEY = re.compile(rb"""(?:\.[\w\s"'-]*+){100}""")

# What libpq takes for a connection string beside a URL: `host=db password=…`; the keys are those that come first
_KEYWORDS = re.compile(
    r"\s*(?:host|hostaddr|port|dbname|user|password|passfile|service|sslmode|connect_timeout|application_name)\s*="
)
# A URL with a slip in its scheme: it would be printed as a folder that does not exist, password and all
_ALMOST_URL = re.compile(r"\s*(?:postgres(?:ql)?\b|[^/@]*:[^/@]+@)", re.IGNORECASE)


def is_database(source: str) -> bool:
    """Tell a source that is a connection string from one that is a folder, here or in a store.

    >>> is_database("postgresql://me@db/app"), is_database("host=db dbname=app"), is_database("export")
    (True, True, False)
    >>> is_database("s3://bucket/export")
    False
    """
    return re.match(r"\s*postgres(ql)?(\+\w+)?://", source) is not None or _KEYWORDS.match(source) is not None


def _schema_name(name: str) -> str:
    """Refuse a name that PostgreSQL would cut, and then not find again, or keeps for itself."""
    if len(name.encode()) > MAX_BYTES:
        raise PydanticCustomError("too_long", "longer than the 63 bytes of a name in PostgreSQL; choose a shorter one")
    if name.startswith("pg_") or name == "information_schema":
        raise PydanticCustomError("reserved", "PostgreSQL keeps this name for itself; choose another one")
    return name


_PATHS = ("source", "schema_path", "home", "files", "files_to")

# The settings that are tables: a variable holds one as JSON
_TABLES = {
    "on_delete_links": '{"posts.author": "cascade"}',
    "grants": '{"anon": "read"}',
    "source_options": '{"anon": true}',
    "files_options": '{"anon": true}',
    "files_to_options": '{"endpoint_url": "https://s3.example.org"}',
    "tables": '{"posts": {"shards": 16}}',
    "executor_options": '{"max_concurrent": 4}',
}

_SchemaName = Annotated[str, AfterValidator(_schema_name)]


def _listed(value: Any) -> Any:
    """Take names with commas between them for a list, as flags and variables give them."""
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        raise PydanticCustomError("names", "write a list of names, table.column each")
    if not all(name.strip() for name in names):
        raise PydanticCustomError("empty", "it is empty; leave it out, or say what it is")
    return tuple(name.strip() for name in names)


_Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]


class TableSettings(BaseModel):
    """What is set for one table."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    shards: PositiveInt = Field(1, le=MAX_SHARDS, description="in how many parts the table is loaded")


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
        description="folder or URL (s3://bucket/path) of the export, or the URL of a PostgreSQL that holds its rows",
    )
    source_options: Mapping[str, Any] = Field(
        default_factory=dict, repr=False, description="options of fsspec for the URL of source, as name = value"
    )
    schema_path: Path | None = Field(
        None,
        validation_alias="schema",  # a field of this name would hide a method of pydantic's
        description="schema.json; default: found in the source folder or beside it",
    )
    target: SecretStr | None = Field(
        None, description="URL of the PostgreSQL to migrate to; default: an embedded one under home"
    )
    target_preset: Preset = Field("plain", description="whose PostgreSQL the target is, for what its host asks for")
    grants: Mapping[str, Right] = Field(
        default_factory=dict, description="what roles may do with the migrated tables, as role = none, read or write"
    )
    row_level_security: bool = Field(False, description="switch row-level security on for the migrated tables")
    home: Path = Field(Path(".xata_pg"), description="folder of Dagster's records and of the embedded PostgreSQL")
    dagster_url: SecretStr | None = Field(
        None, description="URL of a PostgreSQL for Dagster's own records; default: SQLite under home"
    )
    executor: Engine = Field("in_process", description="what runs the steps: this process, or processes and machines")
    executor_options: Mapping[str, Any] = Field(
        default_factory=dict,
        repr=False,  # a broker's URL may hold a password
        description="options of the executor, as name = value; see the page on executors",
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
    vector_index: Literal["none", "hnsw", "ivfflat"] = Field(
        "none", description="index every vector column after the load, by this method of pgvector"
    )
    vector_distance: Distance = Field("cosine", description="the distance that the vector indexes are for")
    search: _Names = Field(
        (), description="columns to make full-text search columns of, as table.column with commas between"
    )
    rewrite_ids: _Names = Field(
        (), description="columns whose old ids are rewritten to new ones, as table.column with commas between"
    )
    search_language: str = Field(
        "simple", description="text search configuration of the search columns: simple, english, …"
    )
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
    preview: bool = Field(
        False, description="show in Dagit the values of a table's first ten rows, not only their sizes"
    )
    follow_links: bool = Field(False, description="read table files that are links leading out of the source folder")
    max_gzip_ratio: NonNegativeInt = Field(
        1000, description="how many bytes each byte of a .gz may become, beyond 16 MB; 0: any number"
    )
    files: str | None = Field(
        None,
        repr=False,  # its URL may hold a key
        description="folder or URL of the files that Xata's script saved, file-downloads or what holds it",
    )
    files_options: Mapping[str, Any] = Field(
        default_factory=dict, repr=False, description="options of fsspec for the URL of files, as name = value"
    )
    files_to: str | None = Field(
        None, repr=False, description="folder or URL to copy the files to: s3://bucket/path, gs://bucket/path"
    )
    files_to_options: Mapping[str, Any] = Field(
        default_factory=dict, repr=False, description="options of fsspec for the URL of files_to, as name = value"
    )
    files_threads: PositiveInt = Field(8, le=256, description="how many files are copied at once")
    tables: Mapping[str, TableSettings] = Field(
        default_factory=dict,
        description="what is set for single tables: [tables.posts] shards = 16 loads it in 16 parts",
    )
    source_schema: _SchemaName = Field("public", description="schema of a PostgreSQL source")
    target_schema: _SchemaName = Field("public", description="schema of the migrated tables")
    work_schema: _SchemaName = Field(
        "xata_migration", description="schema of the id mappings, the rejected rows and the ledger"
    )
    staging_schema: _SchemaName = Field("xata_staging", description="schema of the rows as they came")

    @field_validator("*", mode="before")
    @classmethod
    def _says_something(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse the empty text that `--target "$UNSET"` gives: it would be the current folder, or libpq's defaults."""
        if isinstance(value, str):
            if not value.strip():
                raise PydanticCustomError("empty", "it is empty; leave it out, or say what it is")
            # The name of a folder may be of any bytes; all else goes to PostgreSQL
            if "\0" in value or (info.field_name not in _PATHS and not _is_utf8(value)):
                raise PydanticCustomError("text", "it holds the character 0, or is not UTF-8; write it anew")
        return value

    @field_validator("source")
    @classmethod
    def _is_no_broken_url(cls, source: str | None) -> str | None:
        if source is None or is_database(source) or is_url(source):
            return source
        if _ALMOST_URL.match(source) and not Path(source).exists():
            raise PydanticCustomError(
                "url", "neither a folder nor a PostgreSQL URL; write postgresql://user@host:5432/database"
            )
        return source

    @field_validator("source", "target", "dagster_url")
    @classmethod
    def _is_encoded(cls, url: str | SecretStr | None) -> str | SecretStr | None:
        """Refuse a URL whose password is not encoded: its rest would be taken, and shown, for host or database."""
        text = url.get_secret_value() if isinstance(url, SecretStr) else url or ""
        authority, _, rest = text.partition("://")[2].partition("?")[0].partition("/")
        if authority.count("@") > 1 or "@" in rest:
            raise PydanticCustomError("url", "in the password of a URL, write @ as %40, / as %2F and : as %3A")
        return url

    @field_validator("home")
    @classmethod
    def _is_of_a_user(cls, home: Path) -> Path:
        return Path(os.path.expanduser(home))  # noqa: PTH111 - pathlib raises where there is no such user

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
            vector_index=self.vector_index,
            vector_distance=self.vector_distance,
            search=self.search,
            search_language=self.search_language,
            rewrite_ids=self.rewrite_ids,
            grants=self.grants,
            row_level_security=self.row_level_security,
            shards={name: table.shards for name, table in self.tables.items()},
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
    _refuse_endless(path)
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    try:
        settings = _with_file(path)(**given)
    except ValidationError as error:
        raise UsageError(_one_line(error, path)) from None
    except SettingsError as error:
        raise UsageError(_not_json(str(error))) from None
    except RecursionError:
        raise UsageError(f"settings file {path}: nested too deep for settings") from None
    except (ValueError, OSError) as error:
        raise UsageError(f"settings file {path}: {error}") from None
    _refuse_shared_schemas(settings)
    if settings.files_to is not None and settings.files is None:
        raise UsageError("setting files_to: needs files, the folder of the saved files; set it, too")
    if "?" in str(settings.home.absolute()):  # begins the options of SQLAlchemy's URLs, and cannot be encoded in them
        raise UsageError("setting home: Dagster's records cannot be under a path with a ?; name another folder")
    return settings


def as_environment(settings: Settings) -> dict[str, str]:
    """Return the settings as variables, for a process that reads them anew from another folder."""
    variables: dict[str, str] = {}
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        if value is not None:  # a default too: it may be a flag that beat a variable
            known_as = field.validation_alias if isinstance(field.validation_alias, str) else name
            variables[f"XATA_PG_{known_as.upper()}"] = _as_text(value)
    for name in ("source", "files", "files_to"):
        text = getattr(settings, name)
        if text is not None and not is_database(text) and not is_url(text):
            variables[f"XATA_PG_{name.upper()}"] = str(Path(text).resolve())
    return variables


def _as_text(value: Any) -> str:
    """Write a value as a variable holds it."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Path):
        return str(value.resolve())
    if isinstance(value, Mapping):
        return json.dumps(dict(value), default=dict)
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _refuse_endless(path: Path) -> None:
    """Refuse what takes the reader of TOML hours: its work grows with the square of a key's parts."""
    if not path.is_file():
        return
    if path.stat().st_size > _MAX_FILE:
        raise UsageError(f"settings file {path}: larger than {_MAX_FILE >> 20} MiB; that is something else")
    try:
        is_deep = _DEEP_KEY.search(path.read_bytes()) is not None
    except OSError as error:
        raise UsageError(f"settings file {path}: cannot be read ({error.strerror}); make it readable") from None
    if is_deep:
        raise UsageError(f"settings file {path}: nested too deep for settings")


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
            is_path = name.lower() in ("schema", *_PATHS) and isinstance(value, str) and value.strip()
            if isinstance(path, Path) and is_path and not is_database(value) and not is_url(value):
                self.init_kwargs[name] = str(path.parent / os.path.expanduser(value))  # noqa: PTH111 - as for home


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


def _not_json(message: str) -> str:
    """Name the variable of a table that is none; its value stays untold."""
    for name, example in _TABLES.items():
        if f'"{name}"' in message:
            return f"variable XATA_PG_{name.upper()}: not JSON; write {example}"
    return "a variable XATA_PG_…: not JSON"


def _is_utf8(text: str) -> bool:
    """Tell text from the bytes of a variable or a flag that are none."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
