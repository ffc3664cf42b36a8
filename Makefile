# Everything starts here; bare `make` tells what there is. Nothing is needed beforehand but Linux,
# Python >= 3.11 with venv, make, and user namespaces.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
NAME ?= halimede
KWOK_NODES ?= 0
.DEFAULT_GOAL := help

# What does no I/O; the import contracts in pyproject.toml hold it to that.
PURE := */api/*,*/render/*,*/rollout/*,*/judge/*,*/reconcile/brief.py,*/reconcile/decide.py,*/reconcile/status.py,*/reconcile/p[lo]*.py,*/reconcile/routes.py,*/reconcile/w*.py,*/reconcile/user_routes.py,*/reconcile/farewell.py

.PHONY: help demo run unit test test-quick lint format cluster cluster-down bench crds docs golden lock clean

help: ## Print this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

demo: .venv/ready ## Show it all on a local cluster, or with CLUSTER=current on yours
	CLUSTER=$(CLUSTER) $(BIN)/python -m demo

run: .venv/ready ## Run the operator from this checkout against the cluster of your kubeconfig
	HALIMEDE_PROMETHEUS_URL=$${HALIMEDE_PROMETHEUS_URL:-$$HALIMEDE_PROMETHEUS} \
		HALIMEDE_LOG_FORMAT=$${HALIMEDE_LOG_FORMAT:-text} $(BIN)/halimede run

# These take most of the time of the unit tests.
SIMULATIONS := tests/unit/judge/test_arrays.py tests/unit/judge/test_characteristics.py \
	tests/unit/rollout/test_forecast.py tests/unit/rollout/test_invariants.py

unit: .venv/ready ## Run the unit tests only: no lint, no server, no simulations (about 1 min)
	$(BIN)/python -m pytest --quiet operator tests/unit tests/golden $(addprefix --ignore=,$(SIMULATIONS))

ifdef T
test: .venv/ready
	HISTORIES=$(HISTORIES) $(BIN)/python -m pytest $(T)
else
test: lint ## Check and test everything (first time 40 min, then 30; HISTORIES=… random rollouts); T='<paths, options>' runs only these tests
	$(BIN)/python -m local build
	HISTORIES=$(HISTORIES) $(BIN)/python -m pytest --cov --cov-report=term --durations=10
	$(BIN)/coverage report --fail-under=90 --include='$(PURE)'
endif

test-quick: lint ## Check, and test what needs no server (about 2 min)
	HISTORIES=$(or $(HISTORIES),1000) $(BIN)/python -m pytest operator tests/unit tests/golden tests/scenarios

lint: .venv/ready ## Check format, rules, types and layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy

format: .venv/ready ## Put the code in order
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

cluster: .venv/ready ## Leave a local cluster running and print how to reach it (NAME=… KWOK_NODES=…)
	$(BIN)/python -m local up --name $(NAME) --kwok-nodes $(KWOK_NODES)

cluster-down: .venv/ready ## End that cluster
	$(BIN)/python -m local down --name $(NAME)

bench: .venv/ready ## Measure, as ratios against something run in the same minute
	$(BIN)/python -m local build
	$(BIN)/python -m bench.decide
	$(BIN)/python -m bench

crds: .venv/ready ## Write the CRD from the models, and the chart's copy of it
	$(BIN)/halimede crd > crds/halimede.dev_modeldeployments.yaml
	cp crds/halimede.dev_modeldeployments.yaml charts/halimede/files/crd.yaml

docs: .venv/ready ## Write the table of transitions from the code
	$(BIN)/halimede transitions > docs/transitions.md

golden: .venv/ready ## Write the golden files anew; read the diff before you commit it
	$(BIN)/python -m pytest tests/golden --golden

lock: .venv/ready ## Choose the newest allowed packages and pin them by hash
	$(BIN)/uv pip compile -q pyproject.toml $(LOCK) -o requirements/operator.txt --upgrade
	$(BIN)/uv pip compile -q pyproject.toml $(LOCK) -o requirements/dev.txt --upgrade \
		--group local --group demo --group dev
LOCK := --generate-hashes --universal --python-version 3.11 --no-emit-index-url --no-annotate --no-header

clean: ## Remove what was made here (the cache of built tools stays)
	rm -rf .venv out dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .coverage

.venv/ready: requirements/dev.txt pyproject.toml
	@echo "Setting up .venv: about 110 packages, 1 GB, two minutes."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
