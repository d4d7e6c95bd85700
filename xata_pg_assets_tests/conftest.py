"""Fixtures for all tests, split by subject, and the examples that Hypothesis tries."""

from hypothesis import settings

_SUBJECTS = ("server", "export", "installed", "report", "psql", "pgbouncer")
pytest_plugins = [f"xata_pg_assets_tests.fix_{subject}" for subject in _SUBJECTS]

# The same examples in every run, and none fails for being slow; `pytest --hypothesis-profile=search` looks for others
settings.register_profile("steady", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None, print_blob=True)
settings.load_profile("steady")
