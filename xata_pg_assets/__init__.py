"""From a Xata Lite export to a clean, standard PostgreSQL database, through Dagster assets."""

from importlib.metadata import version

__version__ = version("xata-pg-assets")
