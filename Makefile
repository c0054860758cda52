# SPDX-License-Identifier: GPL-3.0-or-later
# Every target sets up what it needs first; `make` alone lists the targets.
#
#   PYTHON=/path/to/python3   which Python makes .venv           (setup)
#   LONGHORN=v1.0.1           which simulated Longhorn to run    (scenario; it reads these three itself)
#   INVOCATIONS=3             how many invocations per job       (scenario)
#   KEEP=1                    leave the lab running afterwards   (scenario)
#   ARGS="..."                handed to the command as it is     (scenario, faults, matrix, bench)

SHELL := /bin/sh
.DEFAULT_GOAL := help
PYTHON ?=
export PYTHON

# Every playbook and tool finds the collections of this checkout, whatever the user's own configuration says.
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/collections
export ANSIBLE_HOME := $(CURDIR)/.ansible
export ANSIBLE_REMOTE_TMP := $(CURDIR)/.ansible/tmp
BIN := .venv/bin

.PHONY: help setup scenario test lint sanity unit browser lab-tests integration molecule artefact faults matrix bench mutants changelog lock assets clean distclean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | while IFS='|' read -r left right; do printf '%-20s %s\n' "$$left" "$$right"; done

setup: ## make .venv and collections/ (does nothing when nothing changed)
	@sh build/setup.sh

scenario: setup ## run the whole test procedure against the embedded lab and show the verdict
	@$(BIN)/longhorn-qa scenario $(ARGS)

test: setup ## every check; a failing one is named, with its output
	@$(BIN)/python build/test.py

lint: setup ## formatting, types, layers, YAML, Ansible, documentation
	@$(BIN)/python build/test.py --group lint

sanity: setup ## ansible-test sanity and ansible-doc of every plugin
	@$(BIN)/python build/test.py --group sanity

unit: setup ## unit tests, and the pure packages in a bare interpreter
	@$(BIN)/python build/test.py --group unit

browser: setup ## the HTML report in a headless Chromium
	@$(BIN)/python build/test.py --group browser

lab-tests: setup ## tests of the lab
	@$(BIN)/python build/test.py --group lab

integration: setup ## module tests against a lab
	@$(BIN)/python build/test.py --group integration

molecule: setup ## the procedure as a molecule scenario, in a lab
	@$(BIN)/python build/test.py --group molecule

artefact: setup ## build the Galaxy artefact, install it elsewhere, run a playbook from it
	@$(BIN)/python build/test.py --group artefact

faults: setup ## the long suites: faults of the control plane, and every bug switch of the lab
	@$(BIN)/python -m pytest -q tests/faults $(ARGS)

matrix: setup ## long: the scenario over all releases, tasks and faults of the lab, against the table of what is expected
	@$(BIN)/python build/matrix.py $(ARGS)

bench: setup ## times and sizes, as a table
	@PYTHONPATH=collections:lab $(BIN)/python -m tests.bench $(ARGS)

mutants: setup ## long: random histories by the hundred, then mutation testing of the judge (goes on where it stopped)
	@LONGHORN_QA_EXAMPLES=500 $(BIN)/python -m pytest -q tests/unit/plugins/module_utils/_judge/test_properties.py tests/unit/plugins/module_utils/_judge/test_recordings.py
	@$(BIN)/python build/mutants.py $(ARGS)

changelog: setup ## write CHANGELOG.rst for the version in galaxy.yml, from changelogs/
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/antsibull-changelog release --reload-plugins --update-existing

lock: setup ## resolve every Python package anew and write constraints/
	@sh build/lock.sh

assets: setup ## write the HTML report's parts into Python modules; needs npm
	@$(BIN)/python build/assets.py

clean: ## stop this checkout's labs and remove what runs and tests leave behind
	@if [ -x $(BIN)/longhorn-qa ] && [ -d .lab ]; then $(BIN)/longhorn-qa lab down --all; fi
	@rm -rf .lab .state .ansible .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache reports tests/output longhorn-qa-*.tar.gz

distclean: clean ## also remove .venv and collections/
	@rm -rf .venv collections lab/*.egg-info
