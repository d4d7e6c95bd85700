"""Fixtures for all tests, split by subject."""

pytest_plugins = [
    "xata_pg_assets_tests.fix_server",
    "xata_pg_assets_tests.fix_export",
    "xata_pg_assets_tests.fix_report",
]
