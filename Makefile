# Everything happens in .venv and in the console's node_modules, from locked packages; each target can be run first.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
ASSETS := src/tagloom/console/assets
STATIC := src/tagloom/console/static
# Two processes are what the reference machine has; PYTEST_ARGS narrows a run: make test PYTEST_ARGS="-k tags".
PYTEST_ARGS ?=
BENCH_ARGS ?=
LOCKED := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-package tagloom-client --custom-compile-command "make lock" pyproject.toml

# Whatever reaches sources by an extra is locked and tested too.
EXTRAS := --extra azure --extra gcs --extra mysql --extra odbc --extra otel --extra s3 --extra sftp

.DEFAULT_GOAL := help
.PHONY: help setup develop wheel assets test deep soak check run bench format lock clean

help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/.installed $(STATIC)/manifest.json ## Make .venv with the locked packages of a server, and the console's assets

develop: setup $(VENV)/.develop-installed ## Add the locked packages of the tests and of every kind of source

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# The stamp is newer than the lock and the two package descriptions, or the step runs again.
$(VENV)/.installed: requirements.lock pyproject.toml client/pyproject.toml hatch_build.py | $(VENV)/bin/python
	$(PIP) install --quiet --require-hashes --requirement requirements.lock
	$(PIP) install --quiet --no-deps --no-build-isolation --editable . --editable client
	@touch $@

$(VENV)/.develop-installed: develop.lock $(VENV)/.installed
	$(PIP) install --quiet --require-hashes --requirement develop.lock
	@touch $@

assets: $(STATIC)/manifest.json ## Bundle what the console sends to browsers

$(ASSETS)/node_modules/.installed: $(ASSETS)/package-lock.json
	npm ci --prefix $(ASSETS) --silent
	@touch $@

$(STATIC)/manifest.json: $(ASSETS)/node_modules/.installed $(wildcard $(ASSETS)/*.* $(ASSETS)/scripts/* $(ASSETS)/styles/*)
	node $(ASSETS)/build.mjs

$(VENV)/.bench-installed: bench.lock | develop
	$(PIP) install --quiet --require-hashes --requirement bench.lock
	@touch $@

check: develop ## Run the linter, the formatter's check, the type checker and the checks of English
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict src client/src bench
	$(BIN)/python -m tests.docs.prose

test: check ## Run every check and every test
	$(if $(wildcard tests/found/*),$(BIN)/pytest -q --hypothesis-profile=replay -m hypothesis)
	$(BIN)/pytest -q -n 2 --dist worksteal $(PYTEST_ARGS)

deep: develop ## Draw new generated cases for about an hour, and kill servers; commit what it puts into tests/found
	$(BIN)/pytest -q -n 2 --dist worksteal --hypothesis-profile=deep -m hypothesis $(PYTEST_ARGS)
	TAGLOOM_TEST_HISTORIES=25 TAGLOOM_TEST_SEED=$$(date +%s) $(BIN)/pytest -q -n 2 tests/contract/test_writers.py
	$(MAKE) soak

soak: develop ## Kill servers at their work far more often than the tests do
	TAGLOOM_TEST_KILLS=50 $(BIN)/pytest -q -s tests/crash $(PYTEST_ARGS)

run: setup ## Load the example customer base, serve it, and say how to try it
	$(BIN)/tagloom demo --data .demo

bench: develop $(VENV)/.bench-installed ## Measure against the peers; FULL=1 for the large sizes
	$(BIN)/python -m bench $(if $(FULL),--full) $(BENCH_ARGS)

format: develop ## Rewrite the sources in the one style
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

lock: develop ## Resolve the newest allowed versions into the three locks
	$(LOCKED) --upgrade --extra build $(EXTRAS) --extra dev --output-file develop.lock
	$(LOCKED) --upgrade --extra build --constraints develop.lock --output-file requirements.lock
	$(LOCKED) --upgrade --extra bench --constraints develop.lock --output-file bench.lock

wheel: develop ## Build the wheels and source archives of the server and the client into dist/
	$(BIN)/python -m build --no-isolation --outdir dist client
	$(BIN)/python -m build --no-isolation --outdir dist .

clean: ## Remove the environment, caches and builds; data in .demo too
	rm -rf $(VENV) $(ASSETS)/node_modules $(STATIC) build dist .demo .bench .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
