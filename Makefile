# `make demo` and `make test` each do all the set-up by themselves; it is redone only when pyproject.toml changes.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all light bench fuzz audit data docs notebooks lint clean

help: ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

setup: $(INSTALLED) ## system libraries, .venv, all dependencies

$(INSTALLED): pyproject.toml tools/system_libraries.sh
	PYTHON=$(PYTHON) bash tools/system_libraries.sh
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	# Torch in a step of its own: asked for together with other packages, pip may bring a build for graphics cards.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[all,learn,test]'
	touch $@

demo: setup ## the whole job on the embedded patient; demo-report/index.html links its pages
	rm -rf demo-report
	$(BIN)/face3d demo --out demo-report

lint: setup ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

test: lint ## style, types and the tests that fit in ten minutes
	$(BIN)/pytest -n 2 --dist worksteal

light: ## an environment with the base dependencies alone reads, checks and writes
	PYTHON=$(PYTHON) bash tools/light_install.sh

test-all: lint ## also the wide and long tests, fuzzing included; with coverage
	$(BIN)/pytest -m '' --cov=face3d --cov-report=term:skip-covered

bench: setup ## all tables of docs/validation.md anew, peers beside; QUICK=1: a look within a quarter of an hour
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[all,learn,test,bench]'
	$(BIN)/python tools/bench.py $(if $(QUICK),--quick)
	$(BIN)/python tools/validation.py
	$(BIN)/python tools/literature.py

fuzz: setup ## readers, manifests and uploads against made-up files; MINUTES=20
	$(BIN)/python tools/fuzz.py --minutes $(or $(MINUTES),20)

audit: setup ## dependencies with known weaknesses, where an index of advisories can be reached
	$(BIN)/python tools/audit.py

docs: setup ## the documentation as a site that opens offline: build/site/index.html
	$(BIN)/python tools/cli_reference.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo build/site/index.html

notebooks: setup ## all notebooks run anew and saved with their output
	$(BIN)/python tools/run_notebooks.py

data: setup ## all that is learned and built, anew and in order; goes on where it was (HOURS=2: stops then)
	$(BIN)/python tools/make_data.py $(if $(HOURS),--hours $(HOURS))

clean: ## remove what was made here, the installation included
	rm -rf $(VENV) demo-report build .pytest_cache .ruff_cache .hypothesis
