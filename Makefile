# Commands for users and developers. Each target installs its requirements into .venv first.
#   make PYTHON=python3.12 demo    uses another Python than python3

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# TensorFlow logs a missing GPU as an error. Real failures also raise exceptions.
TF_CPP_MIN_LOG_LEVEL ?= 3
export TF_CPP_MIN_LOG_LEVEL

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow test-torch torch lint bench docs
.NOTPARALLEL:

help:
	@echo "make demo        train a ranking of pixels on real photographs and write a report"
	@echo "make test        run the tests, but for those that take long"
	@echo "make test-slow   run the others: the largest networks, killed runs, benchmarks, notebooks"
	@echo "make test-torch  install PyTorch as well, and run the tests that need it"
	@echo "make lint        check formatting, style and import directions"
	@echo "make bench       measure speed and memory"
	@echo "make docs        write API pages from the docstrings to docs/api/"

demo: $(VENV)/demo.stamp
	@$(BIN)/python -m trainers.demo

# Files in the order of their names, which ends with short ones: both processes end together.
RUN_TESTS := $(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder

test: $(VENV)/test.stamp
	@$(RUN_TESTS) -m "not slow"

test-slow: $(VENV)/test.stamp
	@$(RUN_TESTS) -m slow

# Of the pages and notebooks, those that need PyTorch.
test-torch: $(VENV)/torch.stamp
	@$(BIN)/python -m pytest -q tests/models/conversion tests/models/porting/test_true_torch.py \
	  tests/integration/test_pages.py::test_pytorch tests/integration/test_notebook.py::test_pytorch

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

torch: $(VENV)/torch.stamp

# Into the same environment, in which `make test` no longer skips these tests.
$(VENV)/torch.stamp: setup.cfg pyproject.toml
	$(call install,.[test$(COMMA)torch])
	@touch $(VENV)/test.stamp $(VENV)/demo.stamp

$(VENV)/docs.stamp: setup.cfg pyproject.toml
	$(call install,.[docs$(COMMA)serving])

SUPPORTED := import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))

# In an argument of `call`, a comma would begin the next one.
COMMA := ,

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
