# The commands of a contributor. They need Python 3.11 or newer, make, and a package index; only e2e needs root.
#
# The virtual environment is created on first use and updated when pyproject.toml changes. Each target installs
# only the group it needs, so `make demo` installs no linter.

PYTHON ?= python3
VENV ?= .venv
SITE ?= build/site

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# servers and replies from reports of operators; they are not part of this repository
FIELD ?= ../shared
CASES := $(FIELD)/cases/smtp
REPLIES := $(FIELD)/replies/dev.json
E2E_OPTIONS := -ra --strict-markers --strict-config --import-mode=importlib

.PHONY: help demo test field e2e lint docs share bench clean
.DELETE_ON_ERROR:

# bytecode is kept, but not in the source tree: without it every process of a test compiles the packages again
unexport PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX := $(abspath $(VENV))/bytecode

help:
	@echo "make demo   check a lab of mail servers in this process (pages in demo/report.html)"
	@echo "make test   unit tests with coverage; no network"
	@echo "make field  the checker against servers and replies of the field, if they are in FIELD=../shared"
	@echo "make e2e    the checker against a real Postfix on loopback (root; Debian installs missing packages)"
	@echo "make lint   ruff, mypy, codespell, import contracts, workflows and forms, contents of the wheels"
	@echo "make docs   the documentation as a site, with the pages that are made from the code"
	@echo "make share  the man pages and the completion of shells, which are made from the commands"
	@echo "make bench  the figures of the README"
	@echo "make clean  remove all generated files"

demo: $(VENV)/.has-test
	$(BIN)/checker-smtp demo --report demo

# the tests that cover the two packages, then all others (tests/conftest.py has the reason)
test: $(VENV)/.has-test
	$(BIN)/python -m pytest -n auto -m measured --cov --cov-report=term
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not measured"

# the cases are copied, because they write beside their files and may be read-only
field: $(VENV)/.has-test
	@if [ -f "$(REPLIES)" ]; then $(BIN)/python -m pytest -q tests/probes/refusals/test_field.py; \
	  else echo "field: replies skipped, because $(REPLIES) does not exist"; fi
	@if [ -f "$(CASES)/run.sh" ]; then \
	  copy=$$(mktemp -d) && trap 'rm -rf "$$copy"' EXIT && cp -R "$(CASES)/." "$$copy" && chmod -R u+w "$$copy" && \
	  CLI="$(abspath $(BIN)/checker-smtp)" bash "$$copy/run.sh"; \
	  else echo "field: cases skipped, because $(CASES)/run.sh does not exist"; fi

e2e: $(VENV)/.has-e2e
	$(BIN)/python -m pytest tests/e2e -p no:cacheprovider -o addopts="$(E2E_OPTIONS)"

lint: $(VENV)/.has-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell
	$(BIN)/lint-imports
	$(BIN)/python scripts/api_changes.py
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-forms $(filter-out %/config.yml,$(wildcard .github/ISSUE_TEMPLATE/*.yml))
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec deploy/compose.yaml
	$(BIN)/pre-commit validate-config
	rm -rf $(VENV)/wheel
	$(BIN)/python -m build --wheel --no-isolation --outdir $(VENV)/wheel
	$(BIN)/python -m build --wheel --no-isolation --outdir $(VENV)/wheel smtp_sansio
	$(BIN)/check-wheel-contents --toplevel checker_smtp $(VENV)/wheel/checker_smtp-*.whl
	$(BIN)/check-wheel-contents --toplevel smtp_sansio $(VENV)/wheel/smtp_sansio-*.whl

docs: $(VENV)/.has-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --site-dir "$(abspath $(SITE))"
	@echo "$(SITE)/index.html has the documentation"

share: $(VENV)/.has-test
	$(BIN)/python scripts/share.py

bench: $(VENV)/.has-bench
	$(BIN)/python -m benchmarks

# mypy needs the packages that the code and its tests import, so they are installed first
$(VENV)/.has-lint $(VENV)/.has-bench $(VENV)/.has-docs $(VENV)/.has-e2e: $(VENV)/.has-test

$(VENV)/.has-%: pyproject.toml smtp_sansio/pyproject.toml | $(BIN)/python
	@echo "Installing checker-smtp and the packages for '$*' into $(VENV): this takes a minute or two, once"
	@$(PIP) install --quiet "pip>=25.1"
	@$(PIP) install --editable ./smtp_sansio --editable ".[trio,server,scan,dask]" --group $*
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is not Python 3.11 or newer. Use another one: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) build dist demo *.egg-info .coverage htmlcov
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
