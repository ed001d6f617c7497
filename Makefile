# Two commands do all the set-up on a fresh machine: `make run` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# `make conformance SECTIONS="6 7"` runs these only.
SECTIONS ?=
SOURCES := setup.py pyproject.toml wsecho/echo.py $(wildcard wsecho/native/*.py wsecho/native/*.pyx wsecho/native/*.pxd wsecho/native/*.h)

.PHONY: run test build lint debian conformance bench memory docs clean

run: build
	$(BIN)/python wsecho.py

test: build debian lint
	$(BIN)/python -m pytest

build: $(VENV)/.built

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# What tests need of Debian: a browser, Prometheus, an image builder. Without root they are not installed and those
# tests skip, saying what is missing.
debian:
	sh tests/debian_packages.sh

conformance: build $(VENV)/.dev
	$(BIN)/python -m tests.conformance --sections $(SECTIONS)

bench: build $(VENV)/.dev
	$(BIN)/python benchmarks/bench.py

memory: build $(VENV)/.dev
	$(BIN)/python benchmarks/memory.py

docs: build
	$(BIN)/python docs/tables.py

clean:
	rm -rf build $(VENV) wsecho.egg-info
	find wsecho -name '*.so' -delete -o -name __pycache__ -prune -exec rm -r {} +

$(VENV)/.installed: pyproject.toml requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --requirement requirements.txt --group build
	touch $@

$(VENV)/.dev: $(VENV)/.installed tests/clients/package.json
	$(BIN)/python -m pip install --quiet --group dev
	! command -v npm >/dev/null || npm install --prefix tests/clients --no-package-lock --no-audit --no-fund --silent
	touch $@

# Extensions are built in place; where there is no compiler this ends well all the same, and the plain codec serves.
$(VENV)/.built: $(VENV)/.installed $(SOURCES)
	$(BIN)/python setup.py --quiet build_ext --inplace
	touch $@
