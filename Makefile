# Everything a contributor runs. Needs Python 3.11 or newer, make, and a package index; root only for e2e.
#
# The virtual environment is made on first use and again when pyproject.toml changes. Each target installs
# only the group it needs, so `make demo` never waits for a linter.

PYTHON ?= python3
VENV ?= .venv

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
E2E_OPTIONS := -ra --strict-markers --strict-config --import-mode=importlib

.PHONY: help demo test e2e lint bench clean
.DELETE_ON_ERROR:

help:
	@echo "make demo   a lab of mail servers in this process, and what the checker says of each (and demo/report.html)"
	@echo "make test   unit tests with coverage; no network"
	@echo "make e2e    the checker against a real Postfix on loopback (root; Debian installs what is missing)"
	@echo "make lint   ruff, mypy, import contracts, contents of the wheel"
	@echo "make bench  the figures of the README"
	@echo "make clean  removes what the above made"

demo: $(VENV)/.has-test
	$(BIN)/checker-smtp demo --report demo

test: $(VENV)/.has-test
	$(BIN)/python -m pytest --cov --cov-report=term

e2e: $(VENV)/.has-test
	$(BIN)/python -m pytest tests/e2e -p no:cacheprovider -o addopts="$(E2E_OPTIONS)"

lint: $(VENV)/.has-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	rm -rf $(VENV)/wheel
	$(BIN)/python -m build --wheel --no-isolation --outdir $(VENV)/wheel
	$(BIN)/python -m build --wheel --no-isolation --outdir $(VENV)/wheel smtp_sansio
	$(BIN)/check-wheel-contents --toplevel checker_smtp $(VENV)/wheel/checker_smtp-*.whl
	$(BIN)/check-wheel-contents --toplevel smtp_sansio $(VENV)/wheel/smtp_sansio-*.whl

bench: $(VENV)/.has-bench
	$(BIN)/python -m benchmarks

# a linter checks the types of what the code and its tests import, so their packages come first
$(VENV)/.has-lint $(VENV)/.has-bench: $(VENV)/.has-test

$(VENV)/.has-%: pyproject.toml smtp_sansio/pyproject.toml | $(BIN)/python
	$(PIP) install --quiet "pip>=25.1"
	$(PIP) install --quiet --editable ./smtp_sansio --editable ".[trio,server,scan,dask]" --group $*
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is not Python 3.11 or newer: name one that is, as in make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) build dist demo *.egg-info .coverage htmlcov
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
