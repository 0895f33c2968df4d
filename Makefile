# Everything that is done with this checkout. Needs GNU make and Python 3.11 or newer; each target installs what it
# needs into .venv first (with uv where there is one, else with pip).

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
DEMO   := $(CURDIR)/.demo
SEED   ?=
N      ?= 50
# Unit and contract tests side by side: one more than cores, as many of them wait for a server.
JOBS   ?= 3

.DEFAULT_GOAL := help
.PHONY: help demo test sim rehearsal smoke bench fakes fakes-env lint format clean

help: ## show this
	@awk -F':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

# -- set-up ------------------------------------------------------------------------------------------------

comma := ,

# The first of these that is new enough: what PYTHON says, then the usual names.
define find_python
for p in "$(PYTHON)" python3.13 python3.12 python3.11 python3.14; do \
  if "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then echo "$$p"; exit 0; fi; \
done; \
echo "spotlaunch needs Python 3.11 or newer, and '$(PYTHON)' is not. Say where one is: make PYTHON=/path/to/python" >&2; \
exit 1
endef

define install
@echo "installing into $(VENV) (once) ..." >&2
@if command -v uv >/dev/null 2>&1; then uv pip install --quiet --python $(BIN)/python -e '.[$(1)]'; \
 else $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[$(1)]'; fi
@touch $@
endef

$(BIN)/python:
	@python=$$($(find_python)) && echo "making $(VENV) with $$python" >&2 && "$$python" -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.demo: pyproject.toml | $(BIN)/python
	$(call install,demo)

# What development needs includes what the demo needs.
$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(call install,dev$(comma)demo)
	@touch $(VENV)/.demo

# The page of `report --html` is looked at in a browser. Where none is and none may be installed, its test is skipped.
BROWSERS := chromium chromium-browser google-chrome google-chrome-stable
define find_browser
for b in $(BROWSERS); do command -v $$b >/dev/null 2>&1 && exit 0; done; \
if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
  echo "installing chromium (once) ..." >&2; export DEBIAN_FRONTEND=noninteractive; \
  timeout 120 apt-get update -qq >/dev/null 2>&1; \
  timeout 400 apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null 2>&1 && exit 0; \
fi; \
echo "no chromium here, and it could not be installed: what needs a browser is skipped" >&2
endef

$(VENV)/.browser: | $(BIN)/python
	@$(find_browser)
	@touch $@

# -- to see it work ----------------------------------------------------------------------------------------

# PATH: on a rehearsal machine, `python3` is then the one that numpy was installed for.
# The market is a copy with a line of its own, so that its time begins anew: the same machines are lost each time.
# Afterwards the rehearsal cloud sells its usual market again; book and story stay in SPOTLAUNCH_HOME, as ever.
demo: export SPOTLAUNCH_LOCAL_MARKET := $(DEMO)/market.yaml
demo: export PATH := $(CURDIR)/$(BIN):$(PATH)
demo: $(VENV)/.demo ## train a classifier on machines that are taken away; about 75 seconds
	@mkdir -p $(DEMO) && { cat configs/demo/market.yaml; echo "# begun $$(date) by process $$$$"; } >$(DEMO)/market.yaml
	@$(BIN)/spotlaunch submit configs/demo/job.yaml --follow --yes; code=$$?; \
	SPOTLAUNCH_LOCAL_MARKET=default $(BIN)/spotlaunch check --provider local >/dev/null 2>&1; \
	echo; echo "the whole story:  $(BIN)/spotlaunch events demo  (of a later run: demo-2, demo-3, ...)"; \
	exit $$code

# -- to know that it works ---------------------------------------------------------------------------------

test: $(VENV)/.dev $(VENV)/.browser ## linters, types, all tests: what CI runs
	@BIN=$(BIN) JOBS=$(JOBS) WORLDS=$(N) sh tests/all.sh

sim: $(VENV)/.dev ## simulate N worlds (make sim N=1000), or one again (make sim SEED=7)
	@$(BIN)/python -m tests.sim $(if $(SEED),--seed $(SEED),--worlds $(N))

rehearsal: $(VENV)/.dev ## the demo job on five fake clouds, each machine taken away; about ten minutes
	@$(BIN)/python -m tests.rehearsal

smoke: $(VENV)/.dev ## each of five fake clouds once: prices, launch, preempt, resume, end
	@$(BIN)/python -m pytest -q -m e2e tests/e2e/test_smoke.py

bench: $(VENV)/.dev ## how quick commands, prices, looks and the rest are, on this computer
	@$(BIN)/python -m tests.bench

fakes: $(VENV)/.dev ## the five clouds as servers on this computer (tests/fakes/README.md); Ctrl-C ends them
	@$(BIN)/python -m tests.fakes.clouds

fakes-env: $(VENV)/.dev
	@$(BIN)/python -m tests.fakes.clouds --env

lint: $(VENV)/.dev ## linters and types alone
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev ## lay out the code as the linter wants it
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only .

clean: ## remove what these targets made
	rm -rf $(VENV) $(DEMO) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
