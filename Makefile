# `make help` lists what can be made.

PORT ?= 8460
DATA ?= demo-data
ARGS ?=
# One more than the processors on which the tests are to be quick: some wait.
WORKERS ?= 3

BIN := .venv/bin
RUN_STAMP := .venv/.installed-run
DEV_STAMP := .venv/.installed-dev

.DEFAULT_GOAL := help
.PHONY: help demo test lint format bench requirements clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(RUN_STAMP) ## run a seeded hub (PORT=8460 DATA=demo-data)
	@exec $(BIN)/hub demo --port $(PORT) --data $(DATA) $(ARGS)

test: lint ## lint, check imports and types, run every test (ARGS='-k feed' for some)
	@# Tests start the hub many times, and without bytecode each would compile all its modules.
	env -u PYTHONDONTWRITEBYTECODE $(BIN)/pytest -n $(WORKERS) --dist loadgroup $(ARGS)

lint: $(DEV_STAMP) ## lint, import contracts, types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports
	$(BIN)/mypy

format: $(DEV_STAMP) ## put the code into its format and mend what can be mended
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(DEV_STAMP) ## measure the hub against peers and floors, in minutes (ONLY=poll,push ENGINE=sqlite N=100000)
	$(BIN)/python -m tests.bench $(if $(ONLY),--only $(ONLY)) $(if $(N),--entries $(N)) $(if $(ENGINE),--engine $(ENGINE)) $(ARGS)

requirements: $(DEV_STAMP) ## pin the requirements anew, keeping the versions that still fit (ARGS=--upgrade for newer ones)
	$(PIN) --group build --output-file requirements-build.txt
	$(PIN) pyproject.toml --output-file requirements.txt
	$(PIN) pyproject.toml --group dev --constraints requirements.txt --output-file requirements-dev.txt

# For every Python from 3.11 and every system, and without a word about which registry was asked.
PIN = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links $(ARGS)

clean: ## remove the environment, caches and the demo's data
	rm -rf .venv build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis .import_linter_cache demo-data
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUN_STAMP): requirements-build.txt requirements.txt pyproject.toml .ci/prepare-venv
	@.ci/prepare-venv requirements.txt
	@touch $@

# The development requirements hold the others, at the same versions.
$(DEV_STAMP): requirements-build.txt requirements.txt requirements-dev.txt pyproject.toml .ci/prepare-venv
	@.ci/prepare-venv requirements-dev.txt
	@touch $@ $(RUN_STAMP)
