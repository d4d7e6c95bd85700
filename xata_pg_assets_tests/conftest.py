"""Fixtures for all tests, split by subject."""

pytest_plugins = [f"xata_pg_assets_tests.{name}" for name in ("fix_server", "fix_export", "fix_psql")]
