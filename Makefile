# One verb a chore. `make` alone lists them.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
LOCK   := .ci/requirements.lock

# Some images forbid it, and each of the hundreds of processes that the tests start would compile everything anew.
export PYTHONDONTWRITEBYTECODE =

.DEFAULT_GOAL := help
.PHONY: help setup run test tests demo bench crash check fmt schemas

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.ready ## make .venv with the pinned packages

$(VENV)/.ready: $(LOCK) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "notifier needs Python 3.11 or newer; set PYTHON=python3.x" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement $(LOCK)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

run: setup ## the daemon on config.toml; without an account there, on the built-in sandbox
	@exec $(BIN)/notifier run

test: setup ## every check and every test, side by side
	@$(MAKE) --no-print-directory --jobs=2 check tests

tests: setup
	$(BIN)/pytest

demo: setup ## a scripted tour that ends by itself; exits 0 only if all of it happened
	@exec $(BIN)/notifier demo

bench: setup ## the tables of BENCHMARKS.md, as ratios against bare loops measured in the same run
	@exec $(BIN)/python -m bench

crash: setup ## kill -9 the daemon N times (1000) under load; fails if a thing is lost, or repeated without a kill
	@exec $(BIN)/python tests/crash/crash.py $(or $(N),1000)

check: setup ## linters, types, import contracts
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

fmt: setup ## format and sort
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix --quiet .

schemas: setup ## write docs/schemas anew
	SCHEMAS=write $(BIN)/pytest -k what_is_made tests/docs/test_docs_schemas.py
