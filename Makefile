# The front door. `make run` starts the exchange; `make test` runs every test. Everything lives in .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

NODE_OK := node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' 2>/dev/null
NODE_MISSING := Node 20.19 or newer and npm are not here
PAGE := onseju/web/index.html
PAGE_SOURCES := $(shell find web -type f -not -path 'web/node_modules/*' -not -path 'web/dist/*' -not -path 'web/tests*' 2>/dev/null)

export PATH := $(PATH):$(HOME)/.cargo/bin
# Says what lacks for compiling the core, and fails; or says nothing.
RUST_OK := $(BIN)/python build_backend.py
CORE := onseju/matching/_core.abi3.so
CORE_SOURCES := $(shell find core/src -name '*.rs') core/Cargo.toml core/Cargo.lock

.PHONY: help setup core page wheel run test check check-core check-page format bench soak fuzz fuzz-python differential lock clean

help: ## What can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(READY) ## Install everything into .venv, compile the core, build the page; start nothing
	@if $(MAKE) --silent --question $(CORE); then :; elif ! lack=$$($(RUST_OK) 2>&1); then \
		rm -f $(CORE); \
		echo "The native core is not compiled: $$lack. Onseju runs on the reference engine, about a hundred times slower. Install Rust (https://rustup.rs), then: make core"; \
	else \
		$(MAKE) --silent $(CORE) || echo "The native core could not be compiled (see above). Onseju runs on the reference engine, about a hundred times slower; mend it and call 'make core'."; \
	fi
	@if $(NODE_OK) && command -v npm >/dev/null; then \
		$(MAKE) --silent $(PAGE) || echo "The page could not be built (see above). The server runs without it; mend it and call 'make page'."; \
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
	@ONSEJU_WITHOUT_CORE=1 $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

core: $(READY) ## Compile the native core into onseju/matching
	@$(RUST_OK) || { echo "Install Rust (https://rustup.rs), then: make core"; exit 1; }
	@$(MAKE) --silent $(CORE)

$(CORE): $(READY) $(CORE_SOURCES)
	@echo "Compiling the native core (about half a minute) …"
	@said=$$(VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/maturin develop --release --locked --skip-install 2>&1) || { echo "$$said"; rm -f $@; exit 1; }
	@touch $@

page: ## Build the web page into onseju/web
	@$(NODE_OK) && command -v npm >/dev/null || { echo "$(NODE_MISSING). Install them (https://nodejs.org), then: make page"; exit 1; }
	@$(MAKE) --silent $(PAGE)

web/node_modules/.ready: web/package.json web/package-lock.json web/.npmrc
	@echo "Installing what the page is built with …"
	@said=$$(cd web && npm ci --loglevel=error 2>&1) || { echo "$$said"; exit 1; }
	@touch $@

$(PAGE): web/node_modules/.ready $(PAGE_SOURCES)
	@echo "Building the page …"
	@said=$$(cd web && npm run --silent build -- --logLevel warn 2>&1) || { echo "$$said"; exit 1; }
	@rm -rf onseju/web && mkdir -p onseju/web && cp -R web/dist/. onseju/web/
	@touch $@

wheel: $(READY) page ## Build dist/onseju-….whl for this platform: the native core and the page are in it
	@$(RUST_OK) || { echo "Install Rust (https://rustup.rs), then: make wheel"; exit 1; }
	@$(BIN)/maturin build --release --locked --out dist

run: setup ## Start the exchange with its bots; stop it with Ctrl-C
	@$(BIN)/onseju up $(ARGS)

test: setup ## Run every test
	@if $(NODE_OK) && command -v npm >/dev/null; then cd web && npm test --silent; else echo "$(NODE_MISSING), so the page's own tests are left out."; fi
	@if $(RUST_OK); then cd core && cargo test --quiet --locked; else echo "The core's own tests are left out."; fi
	@$(BIN)/python -m pytest $(ARGS)

check: setup ## Format, lint, types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@if $(RUST_OK); then $(MAKE) --no-print-directory check-core; else echo "The core is not checked."; fi
	@if $(NODE_OK) && command -v npm >/dev/null; then $(MAKE) --no-print-directory check-page; else echo "$(NODE_MISSING), so the web page is not checked."; fi

check-core: ## The same for the native core
	@cd core && cargo fmt --check
	@cd core && cargo clippy --quiet --locked --all-targets --features python -- -D warnings

check-page: web/node_modules/.ready ## The same for the web page
	@cd web && npm run --silent check && npm run --silent lint

format: setup ## Format the code and mend what the linter can
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .
	@if $(RUST_OK); then cd core && cargo fmt; fi
	@if [ -f web/node_modules/.ready ]; then cd web && npm run --silent format; fi

bench: setup ## Measure what docs/benchmarks.md states (three quarters of an hour; less: ARGS="--seconds 20"; order books: ARGS="--only books")
	@$(BIN)/python -m bench.run $(ARGS)

soak: setup ## The long forms: 200 kills, every call to the disk failing, 10,000 streams, 1,000 disconnects and more (two hours)
	@ONSEJU_KILL_ROUNDS=200 ONSEJU_EVERY_CALL=1 ONSEJU_STREAMS=10000 ONSEJU_DISCONNECTS=1000 ONSEJU_DAY_REQUESTS=200000 \
		ONSEJU_OPENAPI_CASES=$(CASES) ONSEJU_SCALED_ROUNDS=50 $(BIN)/python -m pytest tests/faults tests/scaled tests/hostile/test_openapi.py \
		tests/unit/exchange/test_same_bytes.py --timeout=7200 -s $(ARGS)

CASES ?= 100
MINUTES ?= 5
FUZZ ?= commands snapshots forgeries
FUZZ_PYTHON ?= kis records journal http websocket
COMMANDS ?= 10000000

fuzz: setup ## Give the core any bytes, MINUTES=5 for each target; needs cargo-fuzz
	@command -v cargo-fuzz >/dev/null || { echo "Fuzzing needs cargo-fuzz: cargo install cargo-fuzz"; exit 1; }
	@for target in $(FUZZ); do \
		$(BIN)/python -m tests.differential.fuzz_seeds core/fuzz/corpus/$$target && \
		(cd core && RUSTC_BOOTSTRAP=1 cargo fuzz run --sanitizer none $$target fuzz/corpus/$$target tests/corpus/$$target -- \
			-max_total_time=$$(($(MINUTES) * 60)) -max_len=8192 -print_final_stats=1 -verbosity=0 $(ARGS)) || exit 1; \
	done

fuzz-python: setup ## Give the Python parsers any bytes, MINUTES=5 for each target; needs atheris
	@$(BIN)/python -c 'import atheris' 2>/dev/null || { echo "Fuzzing needs atheris, which is there for Python 3.11 on Linux: $(BIN)/pip install atheris==3.0.0"; exit 1; }
	@for target in $(FUZZ_PYTHON); do \
		$(BIN)/python -m tests.hostile.fuzz $$target .fuzz/$$target tests/hostile/corpus/$$target \
			-max_total_time=$$(($(MINUTES) * 60)) -max_len=4096 -artifact_prefix=.fuzz/$$target- -print_final_stats=1 -verbosity=0 $(ARGS) || exit 1; \
	done

differential: setup ## Random commands on both engines, COMMANDS=10000000, other SEED=… for others (a quarter of an hour)
	@$(BIN)/python -m tests.differential.long_run --commands $(COMMANDS) --seed $(or $(SEED),2) --processes 2 $(ARGS)

lock: setup ## Pin the requirements anew
	@$(BIN)/uv pip compile --quiet --generate-hashes --python-version 3.11 --universal --no-annotate --upgrade --custom-compile-command "make lock" pyproject.toml -o requirements.txt
	@$(BIN)/uv pip compile --quiet --generate-hashes --python-version 3.11 --universal --no-annotate --upgrade --custom-compile-command "make lock" --extra dev pyproject.toml -o requirements-dev.txt

clean: ## Remove what was built; keeps the data folder
	@rm -rf $(VENV) build dist core/target core/fuzz/target core/fuzz/corpus $(CORE) web/dist web/node_modules onseju/web .pytest_cache .mypy_cache .ruff_cache .hypothesis .fuzz
