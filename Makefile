# `make demo` and `make test` set up all that they need: a virtual environment in .venv, its packages.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
NEWEST := .venv-newest

.PHONY: help typing setup demo test test-suite test-postgres test-newest check gen gen-check requirements bench bench-kubernetes fuzz clients client-commands conformance record flytekit-suite test-deployment test-kubernetes clean

help:  ## say what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

# A stamp file stands for an environment: it is made again when its requirements change.
$(VENV)/.ready: requirements/dev.txt requirements/uv.txt scripts/setup_environment.sh
	scripts/setup_environment.sh "$(PYTHON)" $(VENV) requirements/dev.txt
	@touch $@

$(NEWEST)/.ready: requirements/newest.txt requirements/uv.txt scripts/setup_environment.sh
	scripts/setup_environment.sh "$(PYTHON)" $(NEWEST) requirements/newest.txt
	@touch $@

setup: $(VENV)/.ready  ## make the virtual environment: .venv/bin/volant is the command

demo: $(VENV)/.ready  ## start the platform and run workflows on it, with our SDK and with stock flytekit
	@$(BIN)/python examples/demo/run_demo.py

test: check test-suite test-postgres test-newest  ## everything that CI runs

# Files of tests run side by side in as many processes.
WORKERS ?= 2
SIDE_BY_SIDE := -n $(WORKERS) --dist loadfile

# What fails is tried once more by itself: on a busy machine a test of real processes may meet its time limit. The first
# run's output says what it was.
test-suite: $(VENV)/.ready
	$(BIN)/python -m pytest tests $(SIDE_BY_SIDE) || $(BIN)/python -m pytest tests --last-failed --last-failed-no-failures none

test-postgres: $(VENV)/.ready  ## what speaks SQL, on the system's PostgreSQL instead of the embedded one
	VOLANT_TEST_POSTGRES_BIN=$$(scripts/system_postgres.sh) $(BIN)/python -m pytest tests/postgres tests/admin tests/datacatalog $(SIDE_BY_SIDE)

test-newest: $(NEWEST)/.ready  ## the parts of the suite that depend on grpcio and protobuf, on the newest ones
	$(NEWEST)/bin/python -m pytest $(NEWEST_TESTS) $(SIDE_BY_SIDE) || $(NEWEST)/bin/python -m pytest $(NEWEST_TESTS) --last-failed --last-failed-no-failures none

NEWEST_TESTS := tests/contract tests/compiler tests/admin tests/engine tests/datacatalog tests/server tests/sdk

check: $(VENV)/.ready  ## lint, types, import contracts, sizes, the proto contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy services/core/volant_core services/admin/volant_admin services/engine/volant_engine services/datacatalog/volant_datacatalog services/objectstore/volant_objectstore services/server/volant_server clients/python/src/volant
	$(BIN)/lint-imports
	$(BIN)/python scripts/check_sizes.py
	$(BIN)/python scripts/check_protos.py

typing: $(VENV)/.ready  ## types as users' checkers see them: expected errors, nothing unknown (part of the suite)
	$(BIN)/python -m pytest tests/typing

gen: $(VENV)/.ready  ## generate clients/python/gen from protos
	$(BIN)/python scripts/gen_protos.py

requirements:  ## pin the newest versions that fit
	cd requirements && for file in uv dev newest; do env -u PIP_FIND_LINKS ../$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --upgrade --output-file $$file.txt $$file.in; done

bench: $(VENV)/.ready  ## measure against the floor, in one run
	$(BIN)/python -m bench

bench-kubernetes: $(VENV)/.ready  ## tasks as pods beside bare pods, on the cluster of KUBECONFIG
	$(BIN)/python -m bench.kubernetes

fuzz: $(VENV)/.ready  ## every RPC with 200 cases and more
	VOLANT_FUZZ_CASES=200 $(BIN)/python -m pytest tests/fuzz --timeout 3600

conformance: $(VENV)/.ready  ## recordings of the real Flyte: what Volant answers is equal, accepted or different
	$(BIN)/python tests/conformance/conform.py

# A real Flyte 1.16 on Kubernetes, with the image localhost/flytekit:1 (Python and flytekit) on its nodes.
record: $(VENV)/.ready  ## record the scenarios and calls again, at ENDPOINT=HOST:PORT (and CATALOG=HOST:PORT) of a real Flyte; KUBECONFIG is its cluster's
	cd tests/conformance && PYTHONPATH=.:scenarios ../../$(BIN)/python -m recorder record --endpoint $(ENDPOINT)
	cd tests/conformance && ../../$(BIN)/python -m calls record $(ENDPOINT) --catalog "$(CATALOG)" --after-project 'kubectl create namespace {project}-development'

flytekit-suite: $(VENV)/.ready  ## flytekit's own remote integration suite against `volant up --sandbox`
	tests/conformance/flytekit_remote.sh

clients: $(VENV)/.ready  ## what each flytekit from 1.10 on does, as docs/compatibility.md has it
	$(BIN)/python tests/conformance/clients/environments.py make || true
	$(BIN)/python tests/conformance/clients/matrix.py --write

client-commands: $(VENV)/.ready  ## the whole command lines of pyflyte, flytectl and grpcurl, and flytekit's plugins
	for program in pyflyte flytectl grpcurl plugins; do $(BIN)/python tests/conformance/clients/commands.py $$program --write || exit 1; done

test-deployment: $(VENV)/.ready  ## the chart by helm, docker-compose.yml by compose's own loader, both made by Go if need be
	scripts/deployment_tools.sh
	$(BIN)/python -m pytest tests/deployment/test_chart.py tests/deployment/test_compose.py

test-kubernetes: $(VENV)/.ready  ## images, chart, pods, flytekit's suite and parity on a real cluster (docs/kubernetes.md)
	tests/kubernetes/run.sh

clean:  ## remove what make made
	rm -rf $(VENV) $(NEWEST) .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis
