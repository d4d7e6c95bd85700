"""What a run tells the processes that do its steps, so that none of them migrates something else.

Each of them reads its settings by itself, from its own variables and settings file. The run carries a digest of
every setting that decides what comes out, and of what the others lead to; no digest is made of anything secret. A
step compares them with its own before it touches anything.
"""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Mapping

import dagster as dg

from xata_pg_assets import __version__
from xata_pg_assets.errors import TargetError, UsageError
from xata_pg_assets.migration import Migration
from xata_pg_assets.postgres.sessions import database_identity
from xata_pg_assets.settings import Settings, is_database

__all__ = ["HANDOVER_TAG", "hand_over", "refuse_another_migration", "refuse_other_settings", "settings_facts"]

HANDOVER_TAG = "xata_pg_assets/handover"  # of a run

# What each machine may have its own way; schema, source and target are compared by what they lead to
_OWN = frozenset(
    {
        "source", "source_options", "schema_path", "target", "home", "dagster_url", "executor", "executor_options",
        "files", "files_options", "files_to", "files_to_options", "files_threads", "follow_links", "preview",
    }
)  # fmt: skip
_DIFFERENT = {
    "version": "xata-pg-assets: not of the version",
    "schema": "setting schema: not the Xata schema",
    "target": "setting target: not the database",
    "source": "setting source: not the files",
}


def settings_facts(migration: Migration) -> Mapping[str, str]:
    """Return digests of what decides the result, as far as the settings tell it; nothing is connected to."""
    settings = migration.settings
    return {
        "version": _digest(__version__),
        "schema": _digest(migration.schema),
        "files": _digest(settings.files is not None),
        **{name: _digest(getattr(settings, name)) for name in Settings.model_fields if name not in _OWN},
    }


def hand_over(migration: Migration) -> Mapping[str, str]:
    """Return the tag for a run: the facts of the settings, of the target and of the export.

    Raises:
        XataPgError: the target cannot be reached, or there is no reading the export.
    """
    facts = {**settings_facts(migration), "target": _target(migration), "source": _export(migration)}
    return {HANDOVER_TAG: json.dumps(facts)}


def refuse_other_settings(migration: Migration, told: Mapping[str, str]) -> None:
    """Keep a process from a run that means something else.

    Raises:
        UsageError: a setting differs from that of the process that launched the run; names it.
    """
    _compare(settings_facts(migration), told)


def refuse_another_migration(
    context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext | dg.OpExecutionContext,
    migration: Migration,
    *,
    reads_export: bool,
) -> None:
    """Keep a step from what its run does not mean; a run that handed nothing over is done in one process.

    Raises:
        UsageError: as `refuse_other_settings`, or target or source are others.
        TargetError: the run ended before this step began.
    """
    if HANDOVER_TAG not in context.run.tags:
        return
    run = context.instance.get_run_by_id(context.run.run_id)
    if run is None or run.is_finished or run.status is dg.DagsterRunStatus.CANCELING:
        raise TargetError("the run ended before this step began")
    told = json.loads(context.run.tags[HANDOVER_TAG])
    export = {"source": _export(migration)} if reads_export else {}
    _compare({**settings_facts(migration), "target": _target(migration), **export}, told)


def _compare(found: Mapping[str, str], told: Mapping[str, str]) -> None:
    for name, digest in found.items():
        if told.get(name) != digest:
            different = _DIFFERENT.get(name, f"setting {name}: not the value")
            raise UsageError(
                f"{different} on this worker ({socket.gethostname()}) that the run was started with; "
                "give both the same, and start the worker again"
            )


def _target(migration: Migration) -> str:
    with migration.reading() as conn:
        return _digest(database_identity(conn))


def _export(migration: Migration) -> str:
    """Digest what tells an export from another from outside: its files and their sizes, or its tables."""
    source = migration.settings.source
    if source is None:
        return _digest(None)
    sizes = sorted(migration.sizes().items())
    return _digest([(name, file) for name, (file, _) in sizes] if is_database(source) else sizes)


def _digest(value: object) -> str:
    text = repr(sorted(value.items()) if isinstance(value, Mapping) else value)
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:16]
