# `make repro` runs the whole pipeline, `make tables` the papers' comparisons, `make test` the tests
# that answer in a few minutes, `make test-all` all of them, `make docs` the site of the documentation. Each
# sets up .venv first. PYTHON names another interpreter; where it has a torch of its own (a GPU machine, say),
# that torch is used.

PYTHON ?= python3
BIN := $(CURDIR)/.venv/bin
export PATH := $(BIN):$(PATH)

PYTEST := python -m pytest --numprocesses auto --maxprocesses 8 --dist loadgroup

.PHONY: repro tables test test-slow test-all lint docs setup clean-setup

repro: setup
	dvc repro

# The report is no stage of the tables, nor they a dependency of it, or it would train them all.
tables: setup
	dvc repro -R tables
	dvc repro --single-item --force report

test: setup
	$(PYTEST) -m 'not slow'

# What `make test` leaves out: real DVC chains, clusters, kills, every network in every runtime.
test-slow: setup
	$(PYTEST) -m slow

test-all: test test-slow

lint: setup
	ruff check .
	ruff format --check .
	mypy

# The site of docs/, in site/. Its theme announces its own end on every run.
docs: setup
	NO_MKDOCS_2_WARNING=1 python -m mkdocs build --strict --quiet
	@echo "open site/index.html"

setup: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11, 4) <= sys.version_info[:3] < (3, 14))' || \
		{ echo "error: $(PYTHON) is not Python 3.11.4 to 3.13; name one with PYTHON=python3.12" >&2; exit 1; }
	@if $(PYTHON) -c 'import torch' 2>/dev/null; then site=--system-site-packages; fi; \
		$(PYTHON) -m venv --clear $$site .venv
	@if $(BIN)/python -c 'import torch; print("using the installed torch", torch.__version__)' 2>/dev/null; \
		then grep -v '^torch==' constraints.txt > .venv/constraints.txt; \
		else cp constraints.txt .venv/constraints.txt; fi
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -c .venv/constraints.txt -e '.[dev]'
	@# Without torchvision, for which it asks: the wheels for CUDA cannot be imported beside a torch for CPUs.
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --no-deps 'spandrel==0.4.2' 'einops==0.8.2'
	@$(BIN)/python -m pipeline align --help > /dev/null
	@touch $@

clean-setup:
	rm -rf .venv
