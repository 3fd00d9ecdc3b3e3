# crm-agents. `make help` lists what there is; docs/operations.md explains it.

COMPANY ?= simulated
DATA ?=
# Tests to run, and options for pytest: make test TESTS="tests/unit -x"
TESTS ?= tests

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed-locks

.DEFAULT_GOAL := help
.PHONY: help demo up down status test lint lock clean setup setup-dev

help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: setup ## Set up, load a company, run every agent through Airflow, show the result (COMPANY=name DATA="dir [dir ...]")
	$(BIN)/crm-agents demo $(COMPANY) $(foreach folder,$(DATA),--data $(folder))

up: setup ## Start PostgreSQL, Airflow and MLflow on this machine
	$(BIN)/crm-agents up

down: setup ## Stop them; the data stay
	$(BIN)/crm-agents down

status: setup ## Say how each of them is
	$(BIN)/crm-agents status

test: setup-dev ## Run the tests (TESTS="tests/unit -x" for some)
	$(BIN)/pytest $(TESTS)

lint: setup-dev ## Check style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lock: ## Resolve requirements*.in anew into the hashed lock files (needs uv)
	@command -v uv > /dev/null || { echo "make lock needs uv: pip install uv" >&2; exit 1; }
	uv pip compile $(COMPILE) requirements.in --output-file requirements.txt
	uv pip compile $(COMPILE) --constraint requirements.txt requirements-dev.in --output-file requirements-dev.txt

clean: ## Stop everything and remove the environment and caches; var/ (the data) stays
	@if [ -x $(BIN)/crm-agents ]; then $(BIN)/crm-agents down; fi
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build ./*.egg-info
	find . -name __pycache__ -type d -not -path './var/*' -prune -exec rm -rf {} +

setup: ## Create or renew the environment; nothing happens when it fits the lock file
	@$(call install,requirements.txt)

setup-dev: ## The same with the tools of `make test` and `make lint`
	@$(call install,requirements-dev.txt)

COMPILE := --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url

# The stamp holds the checksums of the locks that the environment was installed from. requirements-dev.txt contains
# requirements.txt, so after it both are satisfied. Everything is pinned and hashed: nothing is resolved here.
define install
set -eu; \
checksum() { cksum $$1 pyproject.toml | cksum; }; \
if [ -x $(BIN)/crm-agents ] && grep -qxF "$(1) $$(checksum $(1))" $(STAMP) 2> /dev/null; then exit 0; fi; \
if ! $(BIN)/python -c '' 2> /dev/null; then \
    $(find_python); \
    rm -rf $(VENV); \
    echo "Creating $(VENV) with $$($$python --version)" >&2; \
    if command -v uv > /dev/null; then uv venv --quiet --python "$$($$python -c 'import sys; print(sys.executable)')" $(VENV); \
    else $$python -m venv $(VENV) || { echo "$$python cannot create environments; on Debian: apt install python3-venv" >&2; exit 1; }; fi; \
fi; \
echo "Installing $(1); this takes some minutes the first time" >&2; \
rm -f $(STAMP); \
if command -v uv > /dev/null; then \
    install="uv pip install --quiet --python $(BIN)/python"; faster="--compile-bytecode"; \
else \
    $(BIN)/python -m pip --version > /dev/null 2>&1 || $(BIN)/python -m ensurepip > /dev/null; \
    install="$(BIN)/python -m pip install --quiet --disable-pip-version-check"; faster=""; \
fi; \
$$install $$faster --no-deps --require-hashes --requirement $(1); \
$$install --no-deps --no-build-isolation --editable .; \
for lock in $(if $(filter requirements-dev.txt,$(1)),requirements.txt) $(1); do \
    echo "$$lock $$(checksum $$lock)"; \
done > $(STAMP)
endef

define find_python
python=; \
for candidate in $(PYTHON) python3.11 python3.12 python3 python; do \
    if $$candidate -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2> /dev/null; then \
        python=$$candidate; break; \
    fi; \
done; \
if [ -z "$$python" ]; then \
    echo "crm-agents needs Python 3.11 or 3.12, and none was found. Name yours: make PYTHON=/path/to/python3.11" >&2; exit 1; \
fi
endef
