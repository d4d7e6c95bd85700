"""Budgets are of the whole migration: what a later table overran turns red on the tables checked before it, too."""

from __future__ import annotations

import dagster as dg

from xata_pg_assets.assets.shown import check_metadata
from xata_pg_assets.assets.specs import postgres_key
from xata_pg_assets.migration import Migration

__all__ = ["judge_budgets_again"]


def judge_budgets_again(migration: Migration, instance: dg.DagsterInstance) -> None:
    """Run those checks again that passed while a budget still held, and record how they end now."""
    for table, result in migration.judge_budgets_again():
        instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                asset_key=postgres_key(table),
                check_name=result.name,
                passed=result.passed,
                severity=dg.AssetCheckSeverity(result.severity),
                description=result.description,
                metadata=check_metadata(result),
            )
        )
