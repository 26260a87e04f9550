# One tool a target; `make` alone lists them. Set-up is in tools/setup.py, and is done at need.

PYTHON ?= python3
RUN := .venv/bin
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev lab test lint format unit ui bench soak pictures lock clean

help:  ## list these targets
	@sed -n 's/^\([a-z-]*\):[^#]*## /  make \1\t/p' Makefile | expand -t 20

setup:  ## put the course and the Jupyter kernel “Linux IPC” into .venv
	@$(PYTHON) tools/setup.py

setup-dev:
	@$(PYTHON) tools/setup.py --dev

lab: setup  ## open the course in JupyterLab (ARGS= goes to jupyter lab)
	$(RUN)/python tools/lab.py $(ARGS)

test: setup-dev lint unit ui  ## run every check

lint: setup-dev  ## check style and types
	$(RUN)/ruff check
	$(RUN)/ruff format --check
	$(RUN)/mypy

format: setup-dev  ## put the code into the one style
	$(RUN)/ruff check --fix
	$(RUN)/ruff format

unit: setup-dev  ## run the tests in Python (ARGS= goes to pytest)
	$(RUN)/python tools/run_tests.py $(ARGS)

ui: setup-dev  ## run the tests of the views' JavaScript
	@if ! command -v node >/dev/null; then echo "There is no node here: the views' JavaScript is not tested."; \
	elif [ -d tests/ui ]; then node --test tests/ui/; fi

bench: setup-dev  ## measure against peers, as ratios within one run
	@for file in benchmarks/*.py; do echo "== $$file"; $(RUN)/python $$file || exit 1; done

soak: setup-dev  ## the tests that kill at random moments, for a long time
	LABKIT_SOAK=1 $(RUN)/pytest -m soak --timeout=0 $(ARGS)

pictures: setup  ## draw the figures of the notebooks anew
	$(RUN)/python tools/pictures.py

lock:  ## make the lists of exact versions anew (ARGS=--upgrade: the newest)
	@$(PYTHON) tools/setup.py --lock $(ARGS)

clean:  ## remove what was set up here
	rm -rf .venv node_modules build .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info
