# The commands a newcomer types. Everything they need beyond Python, Go and root is brought by them.
.DEFAULT_GOAL := help
.PHONY: help up down test check slow long operators journey faults judges live lock policy render docs release bench-gateway bench-deploy bench-render bench-rules bench-first-minute pages

PYTHON ?= python3
BIN := .venv/bin

# Tests start some hundred programs of ours; where no bytecode is kept, each of them compiles all that it imports.
unexport PYTHONDONTWRITEBYTECODE

help:  ## Show these commands
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 10

up: .venv/complete  ## Start what is missing, run pulumi up, ask every agent (ENV=dev; CONTEXT=, IMAGES_TO= for your own cluster)
	@$(BIN)/sluice up $(environment) $(context) $(if $(IMAGES_TO),--images-to $(IMAGES_TO))

down: .venv/complete  ## Stop the local cluster and leave nothing running (PURGE=1 removes its data too)
	@$(BIN)/sluice down $(environment) $(context) $(purge)

test: check slow judges live  ## The checks, the slower tests, the judges of others, the tests against a live cluster

check: .venv/complete  ## Format, lint, types, import contracts, the quick tests: under a minute
	@$(MAKE) --no-print-directory --keep-going --jobs=6 --output-sync=target checks

# What `make check` runs beside each other.
.PHONY: checks format lint registry types contracts quick
checks: quick types lint format contracts registry

format:
	@$(BIN)/ruff format --check --quiet . || { echo "not formatted: run $(BIN)/ruff format ."; exit 1; }

lint:
	@$(BIN)/ruff check --quiet .

registry:
	@$(BIN)/sluice validate

types:
	@$(BIN)/mypy .

contracts:
	@contracts=$$($(BIN)/lint-imports --no-logo 2>&1) || { echo "$$contracts"; exit 1; }

quick:
	@$(BIN)/pytest -q --numprocesses $(shell nproc) --dist worksteal -m "not live and not judges and not slow and not long" --ignore=tests/live --ignore=tests/judges

slow: .venv/complete  ## The tests that take seconds each
	@$(BIN)/pytest -q $(WORKERS) -m slow

# Two for each core (tests/conftest.py): slow tests wait for sockets and processes about as long as they compute.
WORKERS := --numprocesses auto --dist worksteal

judges: .venv/complete  ## kube-score, kubeconform, checkov and more over manifests/, gitleaks over the history
	@$(BIN)/pytest -q -m judges --durations=5

live: .venv/complete  ## The tests against the local Kubernetes, which they start and stop
	@$(BIN)/pytest -q -m "live and not faults and not operators and not long" --durations=5

long: .venv/complete  ## Every property on a thousand examples, every alert changed a little, live tests of a minute or more each
	@$(BIN)/pytest -q $(WORKERS) -m "hypothesis and not live and not judges" --hypothesis-profile many
	@$(BIN)/pytest -q $(WORKERS) -m "long and not live"
	@$(BIN)/pytest -q -m "long and live" --durations=5

operators: .venv/complete  ## Flux, External Secrets Operator, prometheus-operator, Traefik and LiteLLM with our objects; load, faults and a day of ladders
	@$(BIN)/pytest -q -m operators --durations=5

journey: .venv/complete  ## A model's way from dev to everybody, with a fall at 50 %, as docs/journey.md tells it: a quarter of an hour
	@$(BIN)/pytest -q -s tests/live/test_journey.py --durations=8

faults: .venv/complete  ## Ten minutes of steady load through one fault after another, with every failed call counted
	@$(BIN)/pytest -q -m faults

render: .venv/complete  ## Write manifests/ anew for every environment
	@for environment in dev staging production; do $(BIN)/sluice render $$environment || exit 1; done

policy: .venv/complete  ## Have Pulumi's preview ask the policy pack of staging and production, with no cluster and no secrets
	@$(BIN)/python -m sluice.deploy.policy_preview staging production

docs: .venv/complete  ## Write the pages in docs/ that are made from schemas, rules and settings
	@$(BIN)/python -m sluice.registry.documentation docs

release: .venv/complete  ## Build wheel, images, parts lists and sums of the commit you are on into dist/VERSION (VERSION=1.2.3)
	@test -n "$(version)" || { echo "name the version: make release VERSION=1.2.3" >&2; exit 2; }
	@$(BIN)/python -m release $(version)

bench-gateway: .venv/complete  ## The gateway beside LiteLLM's proxy and the bare stub provider, as ratios: some minutes
	@$(BIN)/python -m bench.gateway

bench-deploy: .venv/complete  ## pulumi up beside helm upgrade and kubectl apply, on the same objects: some minutes, and helm is built
	@$(BIN)/python -m bench.deploy

bench-rules: .venv/complete  ## How long a real Prometheus computes the rules for 5, 100 and 1,000 agents: some minutes
	@$(BIN)/python -m bench.rules

bench-first-minute: .venv/complete  ## How soon a candidate that always fails is sent back, in a thousand made rollouts: some minutes
	@$(BIN)/python -m bench.first_minute

pages: .venv/complete  ## How long it takes from a fault until somebody is told, for every alert: writes docs/paging.md, some ten minutes
	@$(BIN)/python -m bench.pages

bench-render: .venv/complete  ## sluice render of 5 to 4,000 agents
	@$(BIN)/python -m bench.render

lock: .venv/complete  ## Resolve the Python dependencies anew
	@$(BIN)/uv pip compile $(LOCK) requirements/gateway.in -o requirements/gateway.lock
	@$(BIN)/uv pip compile $(LOCK) pyproject.toml requirements/gateway.in requirements/development.in \
		-c requirements/gateway.lock -o requirements/development.lock
	@$(BIN)/uv pip compile $(LOCK) pyproject.toml -c requirements/development.lock -o requirements/command.lock
	@for group in judges policy; do \
		$(BIN)/uv pip compile $(LOCK) requirements/$$group.in -o requirements/$$group.lock || exit 1; done
	@$(BIN)/uv pip compile $(LOCK) requirements/litellm.in -o requirements/litellm.lock
	@$(BIN)/uv pip compile $(LOCK) requirements/litellm.in -c requirements/litellm.lock -o requirements/litellm-image.lock \
		$(addprefix --no-emit-package ,$(LEFT_OUT))
# What LiteLLM's proxy starts and answers without: two fifths of its image.
LEFT_OUT := fsspec granian gunicorn hf-xet huggingface-hub inquirerpy litellm-proxy-extras pfzy polars \
	polars-runtime-32 prompt-toolkit psycopg psycopg-binary pynacl pyroscope-io rq wcwidth
LOCK := --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links

# Only what is typed after `make` counts: ENV and CONTEXT are set in some shells for reasons of their own.
environment = $(if $(filter command,$(firstword $(origin ENV))),$(ENV),dev)
context = $(if $(filter command,$(firstword $(origin CONTEXT))),--context $(CONTEXT))
version = $(if $(filter command,$(firstword $(origin VERSION))),$(VERSION))
purge = $(if $(filter command,$(firstword $(origin PURGE))),--purge)

# A linked .venv is another checkout's: it is used as it is, with the packages of this checkout before its own.
ifneq ($(shell readlink .venv),)
export PYTHONPATH := $(CURDIR)
.venv/complete:
	@test -e $@ || { echo ".venv leads to no whole environment; run make check where it belongs, or unlink it" >&2; exit 3; }
else
.venv/complete: requirements/development.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.11" >&2; exit 3; }
	@$(PYTHON) -c 'import ensurepip, venv' \
		|| { echo "Python's venv module is missing; on Debian: apt-get install python3-venv" >&2; exit 3; }
	@echo "Python packages into .venv (half a GiB; a minute or two) ..." >&2
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/development.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
endif
