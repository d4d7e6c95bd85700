# Two commands are enough: `make migrate` tries everything on the example, `make test` proves it.
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
  $$python -c '$(FITS)' 2>/dev/null && echo $$python && break; done)
VENV := .venv
BIN := $(VENV)/bin

.PHONY: migrate test lint types unit docs survival models-check browser ui bench peers audit clean

migrate: $(VENV)/installed
	$(BIN)/xata-pg demo export
	$(BIN)/xata-pg migrate --source export
	@echo
	@echo "Dagit:  $(BIN)/xata-pg ui --source export"
	@echo "psql:   psql \"$$($(BIN)/xata-pg uri)\""

test: lint types docs unit

lint: $(VENV)/tested
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/tested
	$(BIN)/mypy

# As many processes as there are cores, each with servers of its own; a file's tests stay together, for they share
# fixtures. `.venv/bin/pytest path` runs in one process, as ever
unit: $(VENV)/tested
	$(BIN)/pytest --numprocesses logical --maxprocesses 4 --dist loadfile

# Hundreds of kills, cuts and mutations; SURVIVAL_SEED=n repeats a run
survival: $(VENV)/tested
	SURVIVAL=long $(BIN)/pytest xata_pg_assets_tests/test_survival

docs: $(VENV)/tested
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# The models under the tools of Drizzle and Prisma: needs Node.js and npm
models-check: $(VENV)/tested
	npm install --prefix xata_pg_assets_tests/test_models/node --no-audit --no-fund --no-package-lock
	$(BIN)/pytest xata_pg_assets_tests/test_models

ui: $(VENV)/installed
	$(BIN)/xata-pg ui --source export

browser: $(VENV)/tested
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[browser]'
	XATA_PG_BROWSER=1 $(BIN)/pytest -rs -v xata_pg_assets_tests/test_e2e/test_browser.py \
	  xata_pg_assets_tests/test_e2e/test_shards.py xata_pg_assets_tests/test_e2e/test_executors.py

# The migration beside plain COPY, SQL by hand and the peers that are installed; takes more than an hour. Less with
# `make bench BENCH="--sizes 10 100 --sides ours copy hand"`; `make peers` before installs what pip can
bench: $(VENV)/tested
	mkdir -p benchmarks/results
	$(BIN)/python benchmarks/compare.py --json benchmarks/results/compare.json $(BENCH); \
	  red=$$?; $(BIN)/python benchmarks/results.py benchmarks/results/compare.json \
	  --page benchmarks/RESULTS.md --plot benchmarks/RESULTS.svg && exit $$red

peers: $(VENV)/bin/python
	$(PYTHON) -m venv $(VENV)/peers
	$(VENV)/peers/bin/pip install --quiet --disable-pip-version-check --requirement benchmarks/peers.txt

# Asks a vulnerability service about every pin, so it needs the network and is no part of `make test`
audit: $(VENV)/bin/python
	$(PYTHON) -m venv $(VENV)/audit
	$(VENV)/audit/bin/pip install --quiet --disable-pip-version-check pip-audit
	$(VENV)/audit/bin/pip-audit --requirement constraints.txt --no-deps --disable-pip

clean:
	rm -rf $(VENV) build site *.egg-info .mypy_cache .pytest_cache .ruff_cache

$(VENV)/bin/python:
	@test -n "$(PYTHON)" && $(PYTHON) -c '$(FITS)' \
	  || { echo "Python 3.11 to 3.13 is needed; name one: make PYTHON=/path/to/python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml setup.cfg constraints.txt | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/tested: $(VENV)/installed
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs,test]'
	@touch $@
