# The same commands for people, docs and CI. Needs make, Python 3.11 or 3.12 with venv, and pip; nothing else.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
# Two busy torch or BLAS threads on a small machine are slower than one: they wait for each other by spinning.
export OMP_NUM_THREADS ?= 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
FITS := import sys, venv, ensurepip; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))

.PHONY: help install demo test check bench pins docs clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(VENV)/.runtime ## environment in .venv with deskhand and the action server; instant when nothing changed

demo: install ## train on the demo shop, start everything, print the addresses; Ctrl-C stops all of it
	@exec $(BIN)/deskhand demo

test: $(VENV)/.dev ## all tests
	@$(BIN)/pytest

check: $(VENV)/.dev ## ruff, mypy strict, the architecture test, the docs test
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/pytest -q tests/test_architecture.py tests/test_docs.py

bench: $(VENV)/.dev ## the measurements that end in docs/benchmarks.md; needs a trained bundle
	@for file in bench/serve.py bench/channels.py bench/quality.py bench/redaction.py; do \
	  echo "== $$file"; $(BIN)/python $$file; \
	done

pins: ## write constraints.txt from what .venv holds now
	@{ head -n 1 constraints.txt; $(BIN)/pip freeze --exclude-editable | grep -v '^#' | sed 's/+cpu$$//'; } > constraints.new
	@mv constraints.new constraints.txt

docs: $(VENV)/.dev ## write the page of all commands, docs/cli.md
	@$(BIN)/python tests/cli_page.py > docs/cli.new && mv docs/cli.new docs/cli.md

clean: ## remove the environment and every cache; what you imported and trained (data/) stays
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@python=; \
	for name in $(PYTHON) python3.11 python3.12 python3 python; do \
	  if "$$name" -c '$(FITS)' 2>/dev/null; then python=$$name; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "error: no Python 3.11 or 3.12 with venv found. Install one (Debian: python3 python3-venv)," >&2; \
	  echo "       or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; exit 1; \
	fi; \
	echo "making $(VENV) with $$("$$python" --version)"; "$$python" -m venv $(VENV)

$(VENV)/.runtime: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing deskhand (pinned in constraints.txt)"
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[actions]'
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime
	@echo "installing the tools of the tests"
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@
