"""From a Xata Lite export to a clean, standard PostgreSQL database, through Dagster assets."""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xata_pg_assets.assets.io_manager import PostgresTables
    from xata_pg_assets.notebook import read_table

__all__ = ["PostgresTables", "__version__", "read_table"]

__version__ = version("xata-pg-assets")

# Imported when first asked for: pandas and Dagster take a second each
_LATER = {"PostgresTables": "xata_pg_assets.assets.io_manager", "read_table": "xata_pg_assets.notebook"}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)
