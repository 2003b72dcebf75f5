# Everything that one does with this repository. `make help` lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
# The first interpreter that runs and that the pinned packages are for; override with
# `make PYTHON=…`. Lambda's default comes first. Where there is none, it is python3, which
# local/packages.sh installs, or refuses with the reason.
PYTHON := $(shell for p in python3.13 python3.12 python3 python3.11; do \
  $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null \
    && { command -v $$p; exit; }; done; echo python3)
PYTHON_VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
TEMPLATES := func.template.yaml $(wildcard main.template.yaml) $(wildcard templates/*.template.yaml)
DOCUMENTS := $(sort $(shell find . -name '*.md' -not -path './.*' -not -path '*/node_modules/*' -not -path '*/build/*'))
PROSE := lint/prose
PAGES := lint/pages
PAGES_FILES := $(sort $(shell find . \( -name '*.js' -o -name '*.mjs' -o -name '*.css' -o -name '*.html' \) \
  -not -path './.*' -not -path '*/node_modules/*' -not -path '*/build/*' -not -path './web/dist/*'))
TYPED := layers/vsv/vsv layers/common functions lint local scanscope benchmarks estimates deployment docs/site tests/scanscope
# Tests run in random order. A run's first lines have its seed: `make test-quick SEED=…` repeats it.
PYTEST := $(BIN)/python -m pytest $(if $(SEED),--randomly-seed=$(SEED))
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
# The library is installed as it stands here, but for what has to be compiled. That comes from the
# layers' own Makefiles, so that tests run on what ships.
COMPILED := $(wildcard layers/vsv/c/*) layers/vsv/Makefile \
  $(filter-out %/finish.py,$(wildcard layers/pillow-simd/* layers/libdmtx/* layers/common/*.*))
export VSV_WHEELS ?= $(CURDIR)/.wheels
# $(call INSTALL_COMPILED,ENVIRONMENT)
INSTALL_COMPILED = for target in "pillow-simd install" "libdmtx install" "vsv extensions"; do \
  $(MAKE) --silent -C layers/$$target PYTHON="$(CURDIR)/$(1)/bin/python"; done
# $(call other_python,ENVIRONMENT): nothing, unless it is of another Python, or not there.
other_python = $(if $(filter $(PYTHON_VERSION).%,$(shell sed -n 's/^version = //p' \
  $(1)/pyvenv.cfg 2>/dev/null)),,other-python)
# $(call MAKE_ENVIRONMENT,ENVIRONMENT)
MAKE_ENVIRONMENT = if [ -n "$(call other_python,$(1))" ] || ! $(1)/bin/python -c '' 2>/dev/null; then \
  "$(PYTHON)" -m venv --clear $(1); fi
# The peers of the benchmarks bring dependencies that the project has no business with.
BENCH_VENV := .venv-bench
BENCH_PIP := $(BENCH_VENV)/bin/python -m pip --disable-pip-version-check -qq
# checkov wants other versions of what SAM and the tests use.
CHECKOV_VENV := .venv-checkov
# MkDocs builds the documentation's site, and nothing else here needs it.
DOCS_VENV := .venv-docs
# A tool's environment in the target's folder, from the prerequisite's pins alone.
define INSTALL_TOOL
@echo "Setting up $(@D) (half a minute the first time)"
@$(call MAKE_ENVIRONMENT,$(@D))
@$(@D)/bin/python -m pip --disable-pip-version-check -qq install --no-deps --require-hashes \
  --only-binary :all: -r $<
@$(@D)/bin/python -m pip check >/dev/null || { $(@D)/bin/python -m pip check; exit 1; }
@touch $@
endef

export SAM_CLI_TELEMETRY := 0

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ─── The application on this machine ─────────────────────────────────────────────────────────────

.PHONY: demo up down status reset
demo: setup ## Start everything, import the sample slides, serve until Ctrl-C
	@exec $(BIN)/python -m local.stack demo

up: setup ## Start the local stack in the background, deploy what changed
	@$(BIN)/python -m local.stack up

down: ## Stop the local stack; its state is kept
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m local.stack down; fi

status: ## Say what of the local stack runs
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m local.stack status; fi

reset: down ## Forget the local stack's state: slides, tables, accounts, addresses
	rm -rf .local

.PHONY: build built
build: built ## Build functions and layers for a deployment, for this machine's Python
	@[ -d .aws-sam/build/VsvLayer ] || { echo "error: Lambda runs Python 3.11 on Amazon Linux 2, which" \
	  "is too old for the layers. Install Python 3.13 (Debian 13 has it; so does" \
	  "a container of the image debian:13), then: make build PYTHON=python3.13" >&2; exit 1; }
	@du -shc .aws-sam/build/*Layer | sed 's/total/all layers, of 250 MB/'

# The main template nests what is built, and linting reads it there. For Python 3.11 there is only the
# template, without anything that could be deployed. SAM's cache sees a layer's own folder, but not
# what the layers share.
built: setup
	@if $(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 12))'; then \
	  mkdir -p .aws-sam; \
	  PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/sam build --cached \
	    --cache-dir ".aws-sam/cache/$$(cat layers/common/*.* | sha256sum | head -c 16)" \
	    --parameter-overrides \
	    "PythonRuntime=$$($(BIN)/python -c 'import sys; print("python%d.%d" % sys.version_info[:2])')" \
	    >.aws-sam/build.log 2>&1 || { tail -n 40 .aws-sam/build.log; exit 1; }; \
	else \
	  rm -rf .aws-sam/build; \
	  install -D -m 644 func.template.yaml .aws-sam/build/template.yaml; \
	fi

# What was asked for is read from MAKEFLAGS: make itself would expand the dollars in passwords.
.PHONY: deploy
deploy: setup ## Deploy to AWS, and again after each change: make deploy STACK=… [Parameter=value …]
	@$(BIN)/python -m deployment

# ─── Checks ──────────────────────────────────────────────────────────────────────────────────────

.PHONY: test test-quick test-slow test-web test-stack test-bench mutation
.PHONY: docs lint lint-python lint-pages lint-prose lint-yaml lint-templates lint-shell format
test: setup ## Run all checks and tests, and say what came of them
	@MAKE="$(MAKE)" $(BIN)/python -m tests.run $(if $(SEED),--seed $(SEED))

test-quick: setup ## Run the tests that need neither a running stack nor a browser
	@local/packages.sh "$(PYTHON)" test
	$(PYTEST) -m "not stack and not bench and not slow" --ignore tests/web \
	  --numprocesses auto --dist loadscope

test-slow: setup ## Run what is like that, but takes seconds for each test
	@local/packages.sh "$(PYTHON)" test
	$(PYTEST) -m slow --ignore tests/web --numprocesses auto

test-stack: setup ## Run the tests of the deployed local stack
	@local/packages.sh "$(PYTHON)" test
	$(PYTEST) -m stack

test-bench: setup-bench ## Run the benchmarks on a small slide and check their tables, not their times
	$(PYTEST) -m bench

test-web: setup tests/web/node_modules/.installed ## Run the pages' tests: units, and in real browsers
	@local/packages.sh "$(PYTHON)" test web
	cd web && npm test --silent
	$(PYTEST) tests/web --numprocesses auto --dist loadscope

mutation: setup ## Count the changes to the library that unit tests notice (MODULES=…, MOST=25, SEED=1)
	$(BIN)/python -m tests.mutation --most $(or $(MOST),25) --seed $(or $(SEED),1) $(MODULES)

lint: lint-python lint-pages lint-prose docs lint-templates lint-shell ## Check formatting, types, words, documents, templates and scripts

lint-python: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --strict --namespace-packages --explicit-package-bases $(TYPED)

# TypeScript reads the types in the pages' comments; OpenSeadragon brings its own.
lint-pages: setup $(PAGES)/node_modules/.installed
	$(PAGES)/node_modules/.bin/prettier --config $(PAGES)/prettier.json --check --log-level warn $(PAGES_FILES)
	$(PAGES)/node_modules/.bin/eslint --config $(PAGES)/eslint.config.mjs $(filter %.js %.mjs,$(PAGES_FILES))
	$(PAGES)/node_modules/.bin/tsc --project $(PAGES)/tsconfig.json

# Documents by textlint, the words of sources by a check of our own: one list of words for both.
lint-prose: setup $(PROSE)/node_modules/.installed
	$(PROSE)/node_modules/.bin/textlint --config $(PROSE)/.textlintrc.json \
	  --rules-base-directory "$(CURDIR)/$(PROSE)/node_modules" $(DOCUMENTS)
	$(BIN)/python -m lint.words

# Strict: a link to a page, a heading or a file that is not there fails.
docs: setup $(DOCS_VENV)/.installed ## Build the documentation's site in .docs/site
	@$(BIN)/python -m docs.site .docs
	@NO_MKDOCS_2_WARNING=1 $(DOCS_VENV)/bin/mkdocs build --strict --config-file .docs/mkdocs.yml
	@echo "The site: .docs/site/index.html"

lint-yaml: setup
	$(BIN)/yamllint --strict --config-file lint/yamllint.yaml .

# The rules in lint/ import what they share: hence the path. SAM lints one template at a time. The
# main template nests what has been built.
lint-templates: lint-yaml built $(CHECKOV_VENV)/.installed
	PYTHONPATH=. $(BIN)/cfn-lint --append-rules lint/rules -- $(TEMPLATES)
	@printf '%s\n' $(TEMPLATES) | AWS_DEFAULT_REGION=us-east-1 xargs -n 1 -P 2 \
	  $(BIN)/sam validate --lint --template-file
	$(CHECKOV_VENV)/bin/checkov --config-file lint/checkov.yaml --file $(TEMPLATES)

lint-shell: setup
	$(BIN)/shellcheck .ci/run local/packages.sh layers/libdmtx/fetch.sh

format: setup $(PAGES)/node_modules/.installed ## Format Python, JavaScript, style sheets and HTML
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(PAGES)/node_modules/.bin/prettier --config $(PAGES)/prettier.json --write --log-level warn $(PAGES_FILES)

# ─── Benchmarks ──────────────────────────────────────────────────────────────────────────────────

.PHONY: bench bench-small setup-bench
bench: setup-bench ## Measure the project beside its peers on a slide the size of CMU-1 (BENCH=NAME for one)
	$(BENCH_VENV)/bin/python -m benchmarks $(BENCH)

bench-small: setup-bench ## The same on a small slide: a few minutes
	$(BENCH_VENV)/bin/python -m benchmarks --size small $(BENCH)

setup-bench: setup $(BENCH_VENV)/.installed
	@local/packages.sh "$(PYTHON)" test bench

# pylibtiff and pyvips have no wheels: they are built here.
$(BENCH_VENV)/.installed: requirements/bench.txt layers/vsv/pyproject.toml $(COMPILED) $(call other_python,$(BENCH_VENV)) \
  | packages
	@echo "Setting up $(BENCH_VENV) (a minute the first time)"
	@$(call MAKE_ENVIRONMENT,$(BENCH_VENV))
	@$(BENCH_PIP) install --no-deps --require-hashes \
	  --only-binary :all: --no-binary pylibtiff,pyvips -r requirements/bench.txt
	@$(BENCH_PIP) install --no-deps --no-build-isolation --editable layers/vsv
	@$(call INSTALL_COMPILED,$(BENCH_VENV))
	@$(BENCH_PIP) check >/dev/null || { $(BENCH_PIP) check; exit 1; }
	@touch $@

# ─── Set-up ──────────────────────────────────────────────────────────────────────────────────────

.PHONY: setup packages other-python requirements clean
setup: packages $(VENV)/.installed web/dist/.built ## Install what the other targets need

packages:
	@local/packages.sh "$(PYTHON)"

other-python:

# A package that is in nobody's pins is a mistake: --no-deps, and then a check.
$(VENV)/.installed: requirements/dev.txt layers/vsv/pyproject.toml $(COMPILED) $(call other_python,$(VENV)) \
  | packages
	@echo "Setting up $(VENV) (two minutes the first time: it compiles what the layers hold)"
	@$(call MAKE_ENVIRONMENT,$(VENV))
	@$(PIP) install --no-deps --require-hashes --only-binary :all: -r requirements/dev.txt
	@$(PIP) install --no-deps --no-build-isolation --editable layers/vsv
	@$(call INSTALL_COMPILED,$(VENV))
	@$(BIN)/python -m pip check >/dev/null || { $(BIN)/python -m pip check; exit 1; }
	@touch $@

$(CHECKOV_VENV)/.installed: requirements/checkov.txt $(call other_python,$(CHECKOV_VENV)) | packages
	$(INSTALL_TOOL)

$(DOCS_VENV)/.installed: requirements/docs.txt $(call other_python,$(DOCS_VENV)) | packages
	$(INSTALL_TOOL)

web/node_modules/.installed: web/package.json web/package-lock.json | packages
	@echo "Installing the pages' packages"
	@cd web && npm ci --silent --no-audit --no-fund
	@touch $@

tests/web/node_modules/.installed: tests/web/package.json tests/web/package-lock.json | packages
	@echo "Installing what tests the pages"
	@cd tests/web && npm ci --silent --no-audit --no-fund --ignore-scripts
	@touch $@

$(PROSE)/node_modules/.installed: $(PROSE)/package.json $(PROSE)/package-lock.json $(wildcard $(PROSE)/words/*) \
  | packages
	@echo "Installing the prose linter"
	@cd $(PROSE) && npm ci --silent --no-audit --no-fund
	@touch $@

$(PAGES)/node_modules/.installed: $(PAGES)/package.json $(PAGES)/package-lock.json | packages
	@echo "Installing the pages' formatter and linters"
	@cd $(PAGES) && npm ci --silent --no-audit --no-fund
	@touch $@

web/dist/.built: web/node_modules/.installed web/build.mjs $(shell find web/src web/laboratory -type f 2>/dev/null)
	@cd web && npm run --silent build
	@touch $@

# Compiled for the oldest Python; a machine's own pip settings must not shape the result. Pillow
# is left out, as "unsafe": the layers' own wheel takes its place.
requirements: setup ## Renew the pins in requirements/ (UPGRADE=--upgrade for newer ones)
	@for name in dev bench checkov docs; do \
	  env -u PIP_FIND_LINKS -u PIP_CONSTRAINT PIP_CONFIG_FILE=/dev/null \
	    CUSTOM_COMPILE_COMMAND="make requirements" $(BIN)/pip-compile --quiet $(UPGRADE) \
	    --generate-hashes --strip-extras --no-emit-index-url --no-emit-find-links \
	    --no-emit-trusted-host --unsafe-package pillow \
	    --output-file requirements/$$name.txt requirements/$$name.in; done

clean: down ## Remove all that the other targets made
	rm -rf .docs .local .wheels $(VENV) $(BENCH_VENV) $(CHECKOV_VENV) $(DOCS_VENV) web/node_modules web/dist tests/web/node_modules $(PROSE)/node_modules $(PAGES)/node_modules
