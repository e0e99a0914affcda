# make run            the app in the browser; makes the environment first when there is none
# make test           everything that must hold: style, types, layers, tests
# make lint           the same without the tests
# make coverage       the tests again, with the share of the lines that they reach
# make audit          the pinned packages beside known weaknesses; needs access to pypi.org
# make torture        kills, full disks, power loss, crowds, strangers: half an hour of it, see tests/torture
# make bench          the measurements in benchmarks/
# make screenshots    the pictures of README and docs, drawn anew in Chromium
# make backbones      the table of backbones in docs, written anew
# make catalogues     the tables of scores and methods in docs, written anew
# make demo-backbone  pre-trains the bundled backbone anew (about 20 minutes on two cores)
#
# Variables: PYTHON, the interpreter to make the environment with; PORT and HOST of the app; TESTS, what pytest gets;
# TORTURE, what the torture gets, such as `--minutes 3 --only kills --seed 1`.

PYTHON ?= python3
PORT ?= 8501
HOST ?= 127.0.0.1
TESTS ?= -n auto --maxprocesses 8 --dist loadfile

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --require-virtualenv
RUNTIME := $(VENV)/requirements.stamp
DEV := $(VENV)/requirements-dev.stamp
BENCHMARKS := app cut demo watched

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run audit test lint pytest coverage torture bench screenshots backbones catalogues demo-backbone format clean

help:
	@sed -n "/^$$/q; s/^# \{0,1\}//p" Makefile

run: $(RUNTIME)
	$(BIN)/python -m streamlit run app.py --server.port $(PORT) --server.address $(HOST)

# The quick checks first. One torch thread for each process of the tests: together they fill the cores.
test: lint pytest

pytest: $(DEV)
	OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(BIN)/python -m pytest $(TESTS)

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy

format: $(DEV)
	$(BIN)/ruff check --select I --fix .
	$(BIN)/ruff format .

coverage: $(DEV)
	OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(BIN)/python -m pytest $(TESTS) --cov --cov-report=term:skip-covered

# Not part of `make test`: what is known of packages lies on a server that a test must not need.
audit: $(DEV)
	$(PIP) install pip-audit
	$(BIN)/python -m pip_audit --requirement requirements.txt --disable-pip --no-deps

torture: $(DEV)
	OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(BIN)/python -m tests.torture $(TORTURE)

bench: $(DEV)
	@set -e; for name in $(BENCHMARKS); do echo "== $$name"; $(BIN)/python -m benchmarks.$$name; done

screenshots: $(DEV)
	$(BIN)/python -m docs.screenshots

backbones: $(RUNTIME)
	$(BIN)/python -m docs.backbones

catalogues: $(RUNTIME)
	$(BIN)/python -m docs.catalogues

demo-backbone: $(RUNTIME)
	$(BIN)/python -m mimi_core.train.pretrain_demo

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage

# A stamp is older than its requirements when they change, and absent when an installation broke off.
$(RUNTIME): requirements.txt | $(BIN)/python
	$(PIP) install -r requirements.txt
	@touch $@

$(DEV): requirements-dev.txt requirements.txt | $(BIN)/python
	$(PIP) install -r requirements-dev.txt
	@touch $@ $(RUNTIME)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; name one with: make $(or $(firstword $(MAKECMDGOALS)),run) PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
