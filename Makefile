# Two commands do everything: `make` runs the workflow, `make test` passes the tests.
.DEFAULT_GOAL := mini
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CRATE := $(VENV)/rocrate
CRATE_READY := $(CRATE)/.ready
export PATH := $(CURDIR)/$(BIN):$(PATH)

# a user without a home or a name, as in a container: Snakemake, DVC and pip ask for both
ifneq ($(shell test -d "$$HOME" -a -w "$$HOME" && echo yes),yes)
export HOME := $(CURDIR)/scratch/home
endif
ifeq ($(shell id -un 2>/dev/null),)
export USER ?= user$(shell id -u)
export LOGNAME ?= $(USER)
endif

# the programs of an environment hold its path: in a clone that was moved it is made anew
MOVED := $(shell cd $(VENV) 2>/dev/null && place="$$(pwd -P)" && test -f bin/activate && \
	! grep -qF -e "=$$place" -e "=\"$$place" -e "='$$place" bin/activate && echo moved)

SCALE ?= laptop

.PHONY: help mini setup crate bench test test-long test-slurm check format lock readme clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

mini: setup ## Run the whole workflow at scale mini (the default target)
	snakemake --cores all --rerun-incomplete

setup: $(READY) ## Make .venv from requirements.lock

$(READY): requirements.lock requirements-uv.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed, this is " + sys.version + "; try make PYTHON=python3.11")'
	$(PYTHON) -c 'import ensurepip, venv' || { echo "venv is missing: apt-get install python3-venv" >&2; exit 1; }
	test -z "$(MOVED)" -a -x $(BIN)/pip || $(PYTHON) -m venv --clear $(VENV)
	test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements-uv.lock
	uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements.lock
	uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@

ifneq ($(MOVED),)
.PHONY: $(READY)
endif

# what validates crates needs older packages than the workflow does, so it has a place of its own
$(CRATE_READY): requirements-rocrate.lock | $(READY)
	test -x $(CRATE)/bin/python || $(BIN)/python -m venv --clear --without-pip $(CRATE)
	uv pip sync --quiet --python $(CRATE)/bin/python --require-hashes requirements-rocrate.lock
	touch $@

crate: setup $(CRATE_READY) ## Export the results of SCALE (laptop) as an RO-Crate, and validate it
	python -m iic export rocrate results/$(SCALE) --force
	$(CRATE)/bin/python docs/validate_crate.py scratch/rocrate/$(SCALE)

test: setup $(CRATE_READY) ## Checks of style, types and layers, then the quick tests
	$(MAKE) --no-print-directory check
	python -m pytest -n 2 -m "not long" --durations=10

test-long: setup $(CRATE_READY) ## All tests, the slow ones included
	python -m pytest

test-slurm: setup ## Trainings through a real Slurm, preempted too (root; installs Debian's packages)
	python -m pytest tests/slurm/checks.py

bench: setup ## Measure training beside the plain formulation, in turns (10 to 20 minutes)
	python -m benchmarks.bench

check: setup ## Style, types, layers and generated files, without the tests
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile workflow
	mypy
	lint-imports --no-cache
	python -m iic dvc sync --check
	python -m iic export schemas --check
	python docs/architecture_map.py --check

format: setup ## Bring all code into the project's style
	ruff check --fix .
	ruff format .
	snakefmt Snakefile workflow

lock: setup ## Resolve the newest versions into the lock files
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-annotate --extra workflow --extra dev --output-file requirements.lock pyproject.toml
	echo "uv" | uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-annotate --output-file requirements-uv.lock -
	printf 'roc-validator\nruncrate\n' | uv pip compile --quiet --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-annotate --output-file requirements-rocrate.lock -

readme: setup ## Write the measured tables and the workflow's picture of README and docs
	python docs/readme.py

clean: ## Delete results, checkpoints and logs of scales mini and smoke
	rm -rf results/mini results/smoke scratch/mini scratch/smoke logs/mini logs/smoke
