"""Fixtures for all tests, split by subject."""

_SUBJECTS = ("server", "export", "installed", "report", "psql", "pgbouncer")
pytest_plugins = [f"xata_pg_assets_tests.fix_{subject}" for subject in _SUBJECTS]
