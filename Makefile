# `make study` and `make test` do all the set-up they need. `make help` lists the rest.
SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
CORES ?= all
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# uv's copies are plain files: a cache on another disk cannot be hard-linked.
export UV_LINK_MODE := copy
export DVC_NO_ANALYTICS := 1
export MLFLOW_DISABLE_TELEMETRY := true

.DEFAULT_GOAL := help
.PHONY: help setup study test lint docs screenshots lock benchmarks clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

study: $(READY) ## the built-in study: synthetic data to results/published/report.html
	@$(BIN)/codeii plan
	@PATH="$(abspath $(BIN)):$$PATH" $(BIN)/snakemake --cores $(CORES) --quiet rules reason host
	@$(BIN)/codeii headline

test: $(READY) ## every test that needs no GPU
	@PATH="$(abspath $(BIN)):$$PATH" $(BIN)/pytest -n auto --dist loadfile -q

lint: $(READY) ## formatting, types, layers, spelling
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/snakefmt --check -l 120 Snakefile workflow
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/codespell README.md CHANGELOG.md CONTRIBUTING.md docs src tests workflow Snakefile params.yaml config
	@PATH="$(abspath $(BIN)):$$PATH" $(BIN)/snakemake --lint > /dev/null

benchmarks: $(READY) ## speed, as ratios against the usual way
	@for part in data evaluation training parity; do PYTHONPATH=src:benchmarks $(BIN)/python benchmarks/$$part.py || exit; done

setup: $(READY) ## only the environment

# PyTorch first and by pip: its wheel differs by machine (CPU, CUDA), so it has a lock of its own.
$(READY): envs/requirements.lock envs/torch.lock pyproject.toml
	@echo "Setting up $(VENV): PyTorch, then the $$(grep -c '==' envs/requirements.lock) locked packages"
	@$(PYTHON) -c 'import sys; sys.exit(f"Python 3.11 is needed, this is {sys.version.split()[0]}; say make PYTHON=python3.11 ..." if sys.version_info[:2] != (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9 -r envs/torch.lock
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes --no-deps -r envs/requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

docs: $(READY) ## config/README.md, the schema of params.yaml, and the README's picture from the finished study
	@$(BIN)/python -c 'from pathlib import Path; from codeii.workflow.documentation import write_documentation as w; w(Path("config"))'
	@test ! -d results/published || cp results/published/figures/few_shot/figure.png docs/images/few_shot.png

screenshots: $(READY) ## docs/images/report_*.png from the finished study (needs Chromium)
	@$(BIN)/python benchmarks/screenshots.py

lock: ## resolve envs/requirements.in again (needs the network)
	@$(BIN)/uv pip compile --quiet --python-version 3.11 --generate-hashes --no-annotate --no-header \
	    --override envs/overrides.txt envs/requirements.in -o envs/requirements.lock

clean: ## remove everything made; raw data and the environment stay
	rm -rf results scratch logs .snakemake
