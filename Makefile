# Set-up and checks. `make` alone lists the targets.

PYTHON ?= python3
VENV ?= .venv
TORCH_INDEX ?=
ARGS ?=

ifeq ($(strip $(VENV)),)
BIN :=
PY := $(PYTHON)
BASE_STAMP :=
DEV_STAMP :=
else
BIN := $(VENV)/bin/
PY := $(BIN)python
BASE_STAMP := $(VENV)/.installed-viz
DEV_STAMP := $(VENV)/.installed-dev
endif

PIP_INSTALL = $(PY) -m pip install --quiet --disable-pip-version-check \
	$(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) --constraint constraints.txt

# Idle OpenMP threads that spin take the core from the ones that work: 100 times slower when cores are shared.
export OMP_WAIT_POLICY ?= PASSIVE
export NO_MKDOCS_2_WARNING := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test lint format docs docs-serve bench clean

help:  ## list the targets and settings
	@echo "Targets"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{printf "%-20s %s\n", $$1, $$2}'
	@echo
	@echo "Settings (after the target, as in: make test ARGS=tests/data)"
	@echo "  ARGS=...          more arguments for the tool: pytest, mkdocs serve or posegraph demo"
	@echo "  PYTHON=python3    the Python (3.11 or later) that makes the environment"
	@echo "  VENV=.venv        the environment to make, with the exact versions of constraints.txt"
	@echo "  VENV=             make none and install nothing: use the active environment, its torch included"
	@echo "                    (beforehand, once: pip install -e '.[dev]')"
	@echo "  TORCH_INDEX=URL   one more package index, for instance PyTorch's index of small builds without CUDA"

demo: $(BASE_STAMP)  ## forecast a bundled clip and show the result
	$(BIN)posegraph demo $(ARGS)

test: $(DEV_STAMP)  ## run the tests, the examples in docstrings and those in the documentation
	$(PY) -m pytest $(ARGS)

lint: $(DEV_STAMP)  ## check style, formatting and types
	$(BIN)ruff check .
	$(BIN)ruff format --check .
	$(BIN)basedpyright --pythonpath "$$(command -v $(PY))"

format: $(DEV_STAMP)  ## rewrite the files in the project's style
	$(BIN)ruff check --fix .
	$(BIN)ruff format .

docs: $(DEV_STAMP)  ## build the documentation into site/; a broken link is an error
	$(PY) -m mkdocs build --strict

docs-serve: $(DEV_STAMP)  ## show the documentation on this machine while you edit it
	$(PY) -m mkdocs serve $(ARGS)

bench: $(DEV_STAMP)  ## time models, training steps and layers with pytest-benchmark, in about five minutes
	$(PY) -m pytest benchmarks --benchmark-only --benchmark-max-time 0.3 --benchmark-min-rounds 3 $(ARGS)

clean:  ## remove everything that these targets made
	rm -rf .venv site build dist *.egg-info .pytest_cache .ruff_cache .hypothesis .benchmarks .coverage htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

ifneq ($(strip $(VENV)),)
$(BIN)pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "posegraph needs Python 3.11 or later, but $(PYTHON) is: $$($(PYTHON) --version 2>&1)"; \
		echo "Name another one, as in: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@echo "Making the environment $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { \
		echo "Python could not make an environment. On Debian and Ubuntu: apt install python3-venv"; exit 1; }

$(BASE_STAMP): pyproject.toml constraints.txt | $(BIN)pip
	@echo "Installing posegraph and PyTorch into $(VENV) (once; about a minute, and 1 GB or more of disk)"
	@$(PIP_INSTALL) --editable '.[viz]'
	@touch $@

$(DEV_STAMP): pyproject.toml constraints.txt | $(BIN)pip
	@echo "Installing posegraph, PyTorch and the development tools into $(VENV) (once; about three minutes, 2.7 GB or more)"
	@$(PIP_INSTALL) --editable '.[dev]'
	@touch $(BASE_STAMP) $@
endif
