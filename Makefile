# Everything a person does here, set-up included: each target builds .venv from requirements.lock first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export DAGSTER_HOME := $(CURDIR)
export RGA_DAGSTER_STATE := $(CURDIR)/warehouse/dagster
export DAGSTER_DISABLE_TELEMETRY := 1
PORT ?= 3000

.PHONY: run ui test test-long bench docs lint format lock clean

run: $(READY) ## build every survey of raw_data into warehouse/rga.duckdb
	$(BIN)/rga build

ui: $(READY) ## the Dagster UI on 127.0.0.1
	$(BIN)/rga ui --port $(PORT)

test: $(READY) ## all tests that take seconds, a file of them on each core
	$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder

test-long: $(READY) ## kills, load, coverage simulations
	$(BIN)/pytest -m long

bench: $(READY) ## speed and memory, as ratios
	$(BIN)/python -m tests.benchmarks.gender_table
	$(BIN)/python -m tests.benchmarks.growth
	$(BIN)/python -m tests.benchmarks.raking
	$(BIN)/python -m tests.benchmarks.build

docs: run ## generated documentation, its picture from the release
	$(BIN)/python -m rga.publish.docs

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/dg check defs

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: ## resolve pyproject.toml anew (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-strip-extras --no-header --no-annotate \
		--group dev pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) .venv-peers warehouse/releases warehouse/staging warehouse/restricted warehouse/dagster warehouse/rga.duckdb

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name it with PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@
