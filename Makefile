# `make` sets everything up and runs the built-in competition; `make help` lists the rest.
PYTHON ?= python3
BIN := .venv/bin
# What the benchmark runs besides the digits, if it exists: the grocery hackathon's zip, the scripts that make contests of
# its photos and grade them, the folder of the zips of masks and pictures, and the IDX files of fashion-mnist, where
# Debian's package dataset-fashion-mnist installs them.
GROCERY ?= ../shared/data/grocery-hackathon.zip
EXPERIMENTS ?= finetune record
CONTESTS ?= ../shared/tools
FASHION ?= /usr/share/datasets/fashion-mnist
FASHION_EXPERIMENTS ?= mlp cnn cnn_pair
PIXELS ?= ../shared/data
PART ?= digits fashion grocery contests pixels scale
# 1 also installs what TensorFlow needs to compute on an NVIDIA GPU, and is remembered; 0 removes it again.
GPU := $(if $(wildcard .venv/ready-gpu),1,0)
KIND := $(if $(filter 1,$(GPU)),-gpu,$(if $(filter 0,$(GPU)),,$(error GPU is 1 or 0, not $(GPU))))
UV_COMPILE := uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" pyproject.toml --extra dev
.DEFAULT_GOAL := run
.PHONY: run setup test test-slow lint bench lock clean help

run: setup ## set up, then run the built-in competition `digits` from images to submission
	@$(BIN)/snakemake --cores all

setup: .venv/ready$(KIND) ## create .venv with the exact versions of requirements.lock; GPU=1 adds NVIDIA's libraries

.venv/ready$(KIND): requirements$(KIND).lock
	@$(PYTHON) -c 'import sys; sys.exit("Podium needs Python 3.11 or newer, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement $<
	$(if $(KIND),,@if [ -e .venv/ready-gpu ]; then $(BIN)/python -m pip uninstall --quiet --yes $$(grep -oE '^nvidia-[a-z0-9-]+' requirements-gpu.lock); fi)
	@rm -f .venv/ready .venv/ready-gpu
	@touch $@
	$(if $(KIND),@TF_CPP_MIN_LOG_LEVEL=3 PYTHONPATH=workflow/scripts $(BIN)/python -c 'from podium import device; print("TensorFlow computes on", device.described(len(device.gpus())))')

test: setup ## set up, then run the tests
	@$(BIN)/python -m pytest

test-slow: setup ## set up, then run the slow tests: more families of networks and larger examples
	@$(BIN)/python -m pytest -m slow

lint: setup ## set up, then check style and types, and run Snakemake's own checks
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/snakefmt --check Snakefile workflow/rules
	@$(BIN)/mypy
	@$(BIN)/snakemake --lint

bench: setup ## measure times, memory and scores in about two hours, or of one PART; see benchmarks/README.md
	@$(BIN)/python benchmarks/bench.py --parts $(PART) --grocery $(GROCERY) --experiments $(EXPERIMENTS) --fashion $(FASHION) --fashion-experiments $(FASHION_EXPERIMENTS) --contests $(CONTESTS) --pixels $(PIXELS)

lock: setup ## update requirements.lock and requirements-gpu.lock from pyproject.toml
	@$(BIN)/$(UV_COMPILE) --output-file requirements.lock
	@$(BIN)/$(UV_COMPILE) --extra gpu --constraint requirements.lock --no-annotate --output-file requirements-gpu.lock

clean: ## remove everything that the rules made; .venv remains
	@rm -rf data results logs .snakemake

help: ## list these targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10
