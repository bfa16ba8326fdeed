# Commands for users and developers. Each target installs its requirements into .venv first.
#   make PYTHON=python3.12 demo    uses another Python than python3

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# TensorFlow logs a missing GPU as an error. Real failures also raise exceptions.
TF_CPP_MIN_LOG_LEVEL ?= 3
export TF_CPP_MIN_LOG_LEVEL

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench docs
.NOTPARALLEL:

help:
	@echo "make demo   train a ranking of pixels on real photographs and write a report"
	@echo "make test   run the tests"
	@echo "make lint   check formatting, style and import directions"
	@echo "make bench  measure speed and memory"
	@echo "make docs   write API pages from the docstrings to docs/api/"

demo: $(VENV)/demo.stamp
	@$(BIN)/python -m trainers.demo

# Files in the order of their names, which ends with short ones: both processes end together.
test: $(VENV)/test.stamp
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder

lint: $(VENV)/test.stamp
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/python tests/test_import_directions.py

bench: $(VENV)/demo.stamp
	@for file in benchmarks/*.py; do echo "$$file"; $(BIN)/python "$$file" || exit 1; done

docs: $(VENV)/docs.stamp
	@$(BIN)/python docs/build_api.py

$(VENV)/demo.stamp: setup.cfg pyproject.toml
	$(call install,.)

$(VENV)/test.stamp: setup.cfg pyproject.toml
	$(call install,.[test])
	@touch $(VENV)/demo.stamp  # the test installation includes that of the commands

$(VENV)/docs.stamp: setup.cfg pyproject.toml
	$(call install,.[docs,serving])

SUPPORTED := import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))

# Writes the stamp last: after an interruption, the next call installs again.
define install
	@$(PYTHON) -c "$(SUPPORTED)" || { \
	  echo "tfdepthviz needs Python 3.10 to 3.13, '$(PYTHON)' is not: try make PYTHON=python3.12"; \
	  exit 1; }
	@echo "Installing into $(VENV) (once; TensorFlow is a download of about 600 MB)"
	@{ $(BIN)/python -c "$(SUPPORTED)" && $(BIN)/python -m pip --version; } >/dev/null 2>&1 \
	  || $(PYTHON) -m venv --clear $(VENV)
	@# older versions of pip cannot install in place from setup.cfg alone
	@$(BIN)/python -m pip --disable-pip-version-check install -q "pip>=21.3"
	@$(BIN)/python -m pip --disable-pip-version-check install -e "$(1)"
	@touch $@
endef
