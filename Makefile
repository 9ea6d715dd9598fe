# The front door. `make run` starts the exchange; `make test` runs every test. Everything lives in .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

NODE_OK := node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' 2>/dev/null
NODE_MISSING := Node 20.19 or newer and npm are not here
PAGE := onseju/web/index.html
PAGE_SOURCES := $(shell find web -type f -not -path 'web/node_modules/*' -not -path 'web/dist/*' -not -path 'web/tests*' 2>/dev/null)

.PHONY: help setup page run test check check-page format bench soak lock clean

help: ## What can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(READY) ## Install everything into .venv and build the page; start nothing
	@if $(NODE_OK) && command -v npm >/dev/null; then \
		$(MAKE) --no-print-directory $(PAGE) || echo "The page could not be built (see above). The server runs without it; mend it and call 'make page'."; \
	elif [ ! -f $(PAGE) ]; then \
		echo "$(NODE_MISSING), so the web page is not built. The server runs without it. Install them (https://nodejs.org), then: make page"; \
	fi

$(READY): requirements-dev.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "Onseju needs Python 3.11 or newer: '$(PYTHON)' was not found. Install it, or name one: make PYTHON=/path/to/python3 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Onseju needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) -V). Name a newer one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "This Python cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@echo "Setting up .venv (about a minute, once) …"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

page: ## Build the web page into onseju/web
	@$(NODE_OK) && command -v npm >/dev/null || { echo "$(NODE_MISSING). Install them (https://nodejs.org), then: make page"; exit 1; }
	@$(MAKE) --no-print-directory $(PAGE)

web/node_modules/.ready: web/package.json web/package-lock.json web/.npmrc
	@echo "Installing what the page is built with …"
	@cd web && npm ci --loglevel=error
	@touch $@

$(PAGE): web/node_modules/.ready $(PAGE_SOURCES)
	@echo "Building the page …"
	@cd web && npm run --silent build -- --logLevel warn
	@rm -rf onseju/web && mkdir -p onseju/web && cp -R web/dist/. onseju/web/
	@touch $@

run: setup ## Start the exchange with its bots; stop it with Ctrl-C
	@$(BIN)/onseju up $(ARGS)

test: setup ## Run every test
	@if $(NODE_OK) && command -v npm >/dev/null; then cd web && npm test --silent; else echo "$(NODE_MISSING), so the page's own tests are left out."; fi
	@$(BIN)/python -m pytest $(ARGS)

check: setup ## Format, lint, types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@if $(NODE_OK) && command -v npm >/dev/null; then $(MAKE) --no-print-directory check-page; else echo "$(NODE_MISSING), so the web page is not checked."; fi

check-page: web/node_modules/.ready ## The same for the web page
	@cd web && npm run --silent check && npm run --silent lint

format: setup ## Format the code and mend what the linter can
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .
	@if [ -f web/node_modules/.ready ]; then cd web && npm run --silent format; fi

bench: setup ## Measure what docs/benchmarks.md states (about ten minutes; order books: ARGS="--only books")
	@$(BIN)/python -m bench.run $(ARGS)

soak: setup ## The long forms of the fault tests: 200 kills (about ten minutes)
	@ONSEJU_KILL_ROUNDS=200 $(BIN)/python -m pytest tests/faults --timeout=7200 -s $(ARGS)

lock: setup ## Pin the requirements anew
	@$(BIN)/uv pip compile --quiet --generate-hashes --python-version 3.11 --universal --no-annotate --upgrade --custom-compile-command "make lock" pyproject.toml -o requirements.txt
	@$(BIN)/uv pip compile --quiet --generate-hashes --python-version 3.11 --universal --no-annotate --upgrade --custom-compile-command "make lock" --extra dev pyproject.toml -o requirements-dev.txt

clean: ## Remove what was built; keeps the data folder
	@rm -rf $(VENV) build dist web/dist web/node_modules onseju/web .pytest_cache .mypy_cache .ruff_cache .hypothesis
