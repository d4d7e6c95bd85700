"""The command line, thin over the migration and the asset graph."""

from xata_pg_assets.cli.main import main

__all__ = ["main"]
