# `make` sets everything up and runs the built-in competition; `make help` lists the rest.
PYTHON ?= python3
BIN := .venv/bin
# What the benchmark runs beside the digits, where it is there: the grocery hackathon's zip, and the IDX files of
# fashion-mnist, which Debian's package dataset-fashion-mnist puts there.
GROCERY ?= ../shared/data/grocery-hackathon.zip
EXPERIMENTS ?= finetune record
FASHION ?= /usr/share/datasets/fashion-mnist
FASHION_EXPERIMENTS ?= mlp cnn cnn_pair
.DEFAULT_GOAL := run
.PHONY: run setup test test-slow lint bench lock clean help

run: setup ## set up, then run the built-in competition `digits` from images to submission
	@$(BIN)/snakemake --cores all

setup: .venv/ready ## create .venv with the exact versions of requirements.lock

.venv/ready: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit("Podium needs Python 3.11 or newer, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	@touch $@

test: setup ## set up, then run the tests
	@$(BIN)/python -m pytest

test-slow: setup ## the rest of them: more families of networks and larger examples
	@$(BIN)/python -m pytest -m slow

lint: setup ## style, types, and Snakemake's own checks
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/snakefmt --check Snakefile workflow/rules
	@$(BIN)/mypy
	@$(BIN)/snakemake --lint

bench: setup ## measure times, memory and scores in about an hour and a half; benchmarks/README.md says how to read it
	@$(BIN)/python benchmarks/bench.py --grocery $(GROCERY) --experiments $(EXPERIMENTS) --fashion $(FASHION) --fashion-experiments $(FASHION_EXPERIMENTS)

lock: setup ## renew requirements.lock from pyproject.toml
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra dev --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" pyproject.toml --output-file requirements.lock

clean: ## remove what the rules made; .venv stays
	@rm -rf data results logs .snakemake

help: ## list these targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10
