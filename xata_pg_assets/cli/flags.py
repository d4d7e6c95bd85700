"""The settings as flags of every command: one definition, in `settings.py`, serves file, variables and flags."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from xata_pg_assets.errors import UsageError
from xata_pg_assets.settings import CONFIG_VARIABLE, DEFAULT_CONFIG, Settings, load_settings

__all__ = ["with_settings"]

_PANEL = "Settings (also as XATA_PG_… variables and in the settings file)"
# Settings that are tables: a flag gives one line of it, and may be given often
_TABLES = {
    "on_delete_links": "TABLE.COLUMN=RULE",
    "grants": "ROLE=RIGHT",
    "source_options": "NAME=VALUE",
    "files_options": "NAME=VALUE",
    "files_to_options": "NAME=VALUE",
    "executor_options": "NAME=VALUE",
}
# Those that no flag gives: of this one the commands have a flag of their own, which chooses tables
_WITHOUT_FLAG = frozenset({"tables"})
_EXAMPLES = {"on_delete_links": "posts.author=cascade", "grants": "anon=read"}


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the flags of all settings; it gets them, read, as its argument `settings`."""
    flags = _flags()
    # Typer reads hints without their options from a wrapped function: they are resolved here
    signature = inspect.signature(command, eval_str=True)
    own = [parameter for name, parameter in signature.parameters.items() if name != "settings"]

    @wraps(command)
    def wrapped(**arguments: Any) -> None:
        given = {name: arguments.pop(name) for name in flags}
        config: Path | None = given.pop("config")
        if config is not None:
            os.environ[CONFIG_VARIABLE] = str(config.resolve())
        for name in _EXAMPLES:
            if given[name] is not None:
                given[name] = _rules(name, given[name])
        for name in (name for name, form in _TABLES.items() if form == "NAME=VALUE"):
            if given[name] is not None:
                given[name] = _options(name, given[name])
        command(settings=load_settings(config, given), **arguments)

    parameters = [*own, *flags.values()]
    wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return wrapped


def _flags() -> Mapping[str, inspect.Parameter]:
    """Return a parameter for the settings file and one for each setting, None where the flag is not given."""
    parameters = {
        "config": _parameter(
            "config",
            Path,
            typer.Option("--config", help=f"the settings file; default: {DEFAULT_CONFIG}, if it is there"),
        )
    }
    for field_name, field in Settings.model_fields.items():
        name = _name(field_name, field)
        if name in _WITHOUT_FLAG:
            continue
        flag = name.replace("_", "-")
        type_: Any = bool if field.annotation is bool else list[str] if name in _TABLES else str
        choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
        option = typer.Option(
            f"--{flag}/--no-{flag}" if type_ is bool else f"--{flag}",
            help=field.description,
            rich_help_panel=_PANEL,
            show_default=False,
            metavar=None if type_ is bool else _TABLES.get(name, "|".join(choices) or name.upper()),
            autocompletion=_completion(choices) if choices else None,
        )
        parameters[name] = _parameter(name, type_, option)
    return parameters


def _completion(choices: tuple[str, ...]) -> Callable[[str], list[str]]:
    """Return what tells a shell how to go on."""

    def complete(incomplete: str) -> list[str]:
        return [choice for choice in choices if choice.startswith(incomplete)]

    return complete


def _parameter(name: str, type_: Any, option: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[type_ | None, option]
    )


def _name(field_name: str, field: FieldInfo) -> str:
    """Return the setting's name as the user writes it."""
    return field.validation_alias if isinstance(field.validation_alias, str) else field_name


def _rules(name: str, pairs: list[str]) -> Mapping[str, str]:
    """Read `table.column=rule` pairs, and `role=right` ones."""
    for pair in pairs:
        if "=" not in pair:
            raise UsageError(f"flag --{name.replace('_', '-')}: {pair!r} is no rule; write {_EXAMPLES[name]}")
    return {key: rule for key, _, rule in (pair.rpartition("=") for pair in pairs)}


def _options(setting: str, pairs: list[str]) -> Mapping[str, Any]:
    """Read `name=value` pairs; a value that is a JSON object, a list, true or false is taken as such, else as text."""
    options: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:  # without its text: it may be a key
            raise UsageError(f"flag --{setting.replace('_', '-')}: an option is no name=value; write anon=true")
        try:
            options[name] = json.loads(value) if value[:1] in ("{", "[") or value in ("true", "false") else value
        except ValueError:
            options[name] = value
    return options
