# Everything starts here; bare `make` tells what there is. Nothing is needed beforehand but Linux,
# Python 3.11 or 3.12 with venv, make, and user namespaces; localcluster/preflight.py checks that.
SHELL := /bin/sh
# The Python to make the virtual environment with, and the folder to make it in.
PYTHON ?= python3
VENV ?= .venv
# Who chose a Python once need not name it again.
FIRST := $(if $(wildcard $(VENV)/ready),$(VENV)/bin/python,$(PYTHON))
# Programs are run as modules: the first line of a script cannot name a folder with a space.
RUN := $(VENV)/bin/python -m
NAME ?= halimede
KWOK_NODES ?= 0
.DEFAULT_GOAL := help

# What does no I/O; the import contracts in pyproject.toml hold it to that.
PURE := */api/*,*/forecast/*,*/judge/*,*/plan/*,*/render/*,*/rollout/*,*/validation/*

.PHONY: help preflight demo run unit test test-quick lint format cluster cluster-down bench crds docs golden audit lock clean

help: ## Print this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

demo: $(VENV)/ready ## Show it all on a local cluster, or with CLUSTER=current on yours
	CLUSTER=$(CLUSTER) $(RUN) demo

run: $(VENV)/ready ## Run the operator from this checkout against the cluster of your kubeconfig
	HALIMEDE_PROMETHEUS_URL=$${HALIMEDE_PROMETHEUS_URL:-$$HALIMEDE_PROMETHEUS} \
		HALIMEDE_METRICS_AUTHENTICATION=$${HALIMEDE_METRICS_AUTHENTICATION:-false} \
		HALIMEDE_LOG_FORMAT=$${HALIMEDE_LOG_FORMAT:-text} $(RUN) halimede run

unit: $(VENV)/ready ## Run the unit tests only: no lint, no server, no simulations
	$(RUN) pytest -n auto --quiet operator jobs tests/unit tests/golden

# What needs no server keeps every processor busy; what needs one mostly waits. So simulations, which
# take the most processor time, run beside everything else, with what it leaves idle. Their coverage
# and that of the scenarios is not measured, as that doubles their time.
WITHOUT_SERVERS := operator jobs tests/unit tests/golden tests/scenarios
SIMULATIONS := tests/simulations
WORKERS ?= 3

ifdef T
test: $(VENV)/ready
	HISTORIES=$(HISTORIES) $(RUN) pytest $(T)
else
test: lint ## Check and test everything (HISTORIES=… random rollouts, WORKERS=… processes); T='<paths, options>' runs only these tests
	@echo "Simulations run in the background; their output comes after that of the other tests, and what failed comes last."
	@output=$$(mktemp); export FAILED_TESTS="$$(mktemp)"; \
		HISTORIES=$(HISTORIES) nice -n 19 $(RUN) pytest -n auto --durations=10 $(SIMULATIONS) >"$$output" 2>&1 & \
		simulations=$$!; trap 'kill $$simulations 2>/dev/null; rm -f "$$output" "$$FAILED_TESTS"' EXIT; trap 'exit 130' INT TERM; \
		$(RUN) localcluster build || exit 1; \
		$(RUN) pytest -n auto --cov --cov-report= $(WITHOUT_SERVERS); units=$$?; \
		$(RUN) pytest -n $(WORKERS) --durations=10 tests $(addprefix --ignore=,$(WITHOUT_SERVERS) $(SIMULATIONS)); servers=$$?; \
		wait $$simulations; simulated=$$?; cat "$$output"; \
		test "$$units$$servers$$simulated" = 000 || { echo "Exit statuses: $$units without servers, $$servers with servers, $$simulated simulations. Failed:"; \
			cat "$$FAILED_TESTS"; exit 1; }
	$(RUN) coverage report --fail-under=90 --include='$(PURE)'
endif

test-quick: lint ## Check, and test what needs no server
	HISTORIES=$(or $(HISTORIES),1000) $(RUN) pytest -n auto $(WITHOUT_SERVERS) $(SIMULATIONS)

lint: $(VENV)/ready ## Check format, rules, types and layers
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(VENV)/bin/python -c 'from importlinter.cli import lint_imports_command as run; run()'
	$(RUN) mypy

format: $(VENV)/ready ## Put the code in order
	$(RUN) ruff check --fix-only --quiet .
	$(RUN) ruff format .

cluster: $(VENV)/ready ## Leave a local cluster running and print how to reach it (NAME=… KWOK_NODES=…)
	$(RUN) localcluster up --name $(NAME) --kwok-nodes $(KWOK_NODES)

cluster-down: $(VENV)/ready ## End that cluster
	$(RUN) localcluster down --name $(NAME)

bench: $(VENV)/ready ## Measure, as ratios against something run in the same minute
	$(RUN) localcluster build
	$(RUN) bench.decide
	$(RUN) bench
	LOAD=full $(RUN) pytest -s tests/operator/test_load.py

crds: $(VENV)/ready ## Write the CRD from the models, and the chart's copy of it
	$(RUN) halimede crd > crds/halimede.dev_modeldeployments.yaml
	cp crds/halimede.dev_modeldeployments.yaml charts/halimede/files/crd.yaml

docs: $(VENV)/ready ## Write the table of transitions from the code
	$(RUN) tools.transitions > docs/transitions.md

golden: $(VENV)/ready ## Write the golden files again; read the diff before you commit it
	$(RUN) pytest tests/golden --golden

# In an environment of its own, which takes seconds and needs nothing else of make.
audit: ## List known vulnerabilities of the packages in the images (needs PyPI)
	"$(PYTHON)" -m venv --clear out/audit
	out/audit/bin/pip install --quiet --require-hashes --no-deps -r requirements/audit.txt
	out/audit/bin/pip-audit --strict --require-hashes --disable-pip -r requirements/operator.txt
	out/audit/bin/pip-audit --strict --require-hashes --disable-pip -r requirements/fetch.txt

lock: $(VENV)/ready ## Choose the newest allowed packages and pin them by hash
	$(RUN) uv pip compile -q pyproject.toml $(LOCK) -o requirements/operator.txt --upgrade
	$(RUN) uv pip compile -q jobs/fetch/pyproject.toml $(LOCK) -o requirements/fetch.txt --upgrade
	$(RUN) uv pip compile -q pyproject.toml jobs/fetch/pyproject.toml $(LOCK) -o requirements/dev.txt --upgrade \
		--group local --group demo --group dev
	$(RUN) uv pip compile -q requirements/audit.in $(LOCK) -o requirements/audit.txt --upgrade
LOCK := --generate-hashes --universal --python-version 3.11 --no-emit-index-url --no-annotate --no-header

clean: ## Remove what was made here (the cache of built tools stays)
	rm -rf .venv out dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .coverage

# What make lint needs; what needs a cluster says so, unless it is the user's own.
PURPOSE := tools
demo: PURPOSE = $(if $(filter current,$(CLUSTER)),tools,cluster)
test cluster bench: PURPOSE := cluster

preflight:
	@"$(FIRST)" -m localcluster.preflight $(PURPOSE) "$(VENV)"

$(VENV)/ready: requirements/dev.txt pyproject.toml jobs/fetch/pyproject.toml | preflight
	@"$(FIRST)" -m localcluster.install "$(VENV)"
	@touch $@
