"""Dagster's door: settings → plan → asset graph."""

from __future__ import annotations

import dagster as dg

from xata_pg_assets.assets.graph import build_definitions
from xata_pg_assets.migration import Migration
from xata_pg_assets.report.html import write_page
from xata_pg_assets.settings import load_settings


@dg.definitions
def defs() -> dg.Definitions:
    """Build the graph of the schema that the settings name; of the example's where they name none."""
    return build_definitions(Migration.from_settings(load_settings()), write_page)
