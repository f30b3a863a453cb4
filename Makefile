PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.PHONY: help quickstart test test-slow test-gpu lint clean

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable '.[dev]'
	@touch $@

quickstart: $(READY)  ## set up, then distil the embedded teacher into a student (about five minutes on two cores)
	VENV=$(VENV) recipes/quickstart/run.sh

test: $(READY) lint  ## set up, check style and types, run the tests
	$(BIN)/pytest

test-slow: $(READY)  ## the checks that take minutes
	$(BIN)/pytest -m slow --timeout 3600

test-gpu: $(READY)  ## the checks that need an accelerator
	$(BIN)/pytest -m gpu --timeout 3600

lint: $(READY)  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:  ## remove what the quickstart made (never your own runs elsewhere)
	rm -rf runs/quickstart datasets/quickstart students/quickstart reports/quickstart
