# Everything sets itself up: the first run makes .venv and installs the pinned versions of constraints.txt into it,
# later runs install nothing and need no network.

PORT ?= 8000
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$name; break; }; done)

GRAPHIQL = routiq_gql/api/graphql/graphiql/assets

# Both print nothing but their errors.
PIP_INSTALL = .venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
NPM_CI = npm ci --ignore-scripts --loglevel=error --no-audit --no-fund --no-progress

# More than there are processors: tests wait for servers, pages and processes half of the time. WORKERS=0: one process.
WORKERS ?= 3
PYTEST = .venv/bin/python -m pytest
PYTEST_PARALLEL = $(PYTEST) -n $(WORKERS) --dist worksteal

# Seeds of `make simulate`.
SEEDS ?= 300

# With compiled files, a routiq-gql that a test starts needs a third of the processor time. Some machines switch them off.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test test-long test-fast test-apps test-postgres soak simulate mutants calibrate bench bench-scale bench-fairness bench-live spec check schema graphiql bundles wheel screenshot

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' Makefile

demo: .venv/.installed ## an emulated clinic syncs in front of you (make demo PORT=9123; AUTH=1: with tokens; STILL=1: without changes)
	@if command -v npm >/dev/null; then $(MAKE) --silent graphiql || \
		echo "GraphiQL's files could not be installed; its page loads them from a public server instead." >&2; fi
	@.venv/bin/python -m routiq_gql demo --port $(PORT) $(if $(AUTH),--auth) $(if $(STILL),--still)

graphiql: $(GRAPHIQL)/.installed ## GraphiQL's files, from npm, so that its page loads nothing from elsewhere

wheel: .venv/.installed graphiql ## the package with all its files, in dist/
	.venv/bin/python -m pip wheel --disable-pip-version-check --no-deps --wheel-dir dist .

test: .venv/.installed-dev ## all tests but those of test-long, test-apps and soak (make test ARGS="-x tests/api": some of them)
	$(PYTEST_PARALLEL) -m "not long and not apps and not soak" $(ARGS)

test-long: .venv/.installed-dev ## searches through many random cases, and on PostgreSQL the tests that run on both databases
	$(PYTEST_PARALLEL) -m "long and not apps and not soak" $(ARGS)

test-fast: .venv/.installed-dev ## test without slow tests, those with a browser, PostgreSQL or other processes, and most with servers and syncs
	$(PYTEST_PARALLEL) -m "not long and not apps and not soak and not browser and not postgres and not processes and not server and not slow" $(ARGS)

test-apps: .venv/.installed-dev ## builds and runs of other people's clients and of the React component (needs npm)
	$(PYTEST_PARALLEL) -m "apps and not soak" $(ARGS)

test-postgres: .venv/.installed-dev ## the tests of test and test-long with everything on PostgreSQL
	$(PYTEST_PARALLEL) -m "not apps and not soak" --database=postgres $(ARGS)

soak: .venv/.installed-dev ## long searches for rare failures, about 40 minutes (SOAK_SECONDS=3600: the histories for an hour)
	$(PYTEST) -m soak -v --timeout 1800 $(ARGS)

simulate: .venv/.installed-dev ## syncs in virtual time under random trouble (make simulate SEEDS=2000, SEED=4711: one, with its story)
	@.venv/bin/python -m tests.simulation $(if $(SEED),--seed $(SEED),--seeds $(SEEDS))

mutants: .venv/.installed-dev ## plant bugs in copies of the product, and find every one (make mutants ONLY=no-epoch: one of them)
	@.venv/bin/python -m tests.mutants $(ONLY)

calibrate: .venv/.installed-dev ## how well syncs estimate their end, in virtual time (make calibrate SEEDS=200: so many clinics)
	@.venv/bin/python -m tests.simulation.calibration $(if $(filter file,$(origin SEEDS)),,--seeds $(SEEDS))

bench: .venv/.installed-dev ## what syncs and watchers cost, beside other servers and limits (make bench ONLY=idle JSON=idle.json: a part)
	.venv/bin/python -m tests.bench $(if $(ONLY),--only $(ONLY)) $(if $(JSON),--json $(JSON))

bench-scale: .venv/.installed-dev ## syncs and updates a second on PostgreSQL, and the cost of an unchanged sync
	.venv/bin/python -m tests.bench.scale

bench-fairness: .venv/.installed-dev ## does one organization notice an attack by another
	.venv/bin/python -m tests.bench.fairness

bench-live: .venv/.installed-dev ## how long an edit in Cliniko takes to a browser: 200 edits, half an hour (needs Chromium)
	.venv/bin/python -m tests.bench.near_live $(ARGS)

spec: .venv/.installed-dev ## check the models of syncs and of the mirror, and find their planted faults (needs Java)
	.venv/bin/python -m tests.spec

check: .venv/.installed-dev ## style, types, imports, migrations, and the English of docs and comments
	.venv/bin/python -m ruff check .
	.venv/bin/python -m ruff format --check .
	.venv/bin/python -m mypy
	.venv/bin/lint-imports
	.venv/bin/python -m tests.database.check_migrations
	.venv/bin/python -m tests.english

schema: .venv/.installed-dev ## write schema.graphql, and what is generated from it, anew from the code
	.venv/bin/python -m routiq_gql schema --output schema.graphql
	.venv/bin/python -m tests.schema_page
	@if [ -d examples/client/node_modules ]; then npm run --silent --prefix examples/client codegen; fi
	@if [ -d tests/clients/node_modules ]; then .venv/bin/python -m tests.clients.generate; fi

bundles: ## write the page and the element anew from their sources in examples/client (needs npm)
	@cd examples/client && { [ -d node_modules ] || $(NPM_CI); } && node build.mjs

screenshot: .venv/.installed-dev ## take the README's picture of the page (needs Chromium)
	@.venv/bin/python -m tests.browser.screenshot

.venv/.installed: pyproject.toml constraints.txt
	@if [ -z "$(PYTHON)" ]; then \
		echo "Routiq needs Python 3.11 or newer, and there is none on the PATH. Install it, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; exit 2; fi
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Routiq needs Python 3.11 or newer, and $(PYTHON) is not. Name another one: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; exit 2; }
	@.venv/bin/python -m pip --version >/dev/null 2>&1 || { echo "Making .venv ($$($(PYTHON) --version))"; "$(PYTHON)" -m venv --clear .venv; } || { \
		echo "Python's venv module is not complete. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 2; }
	@echo "Installing into .venv. This happens once and takes about a minute."
	@$(PIP_INSTALL) -e .
	@touch $@

.venv/.installed-dev: .venv/.installed
	@echo "Installing what tests and checks need into .venv. This happens once."
	@$(PIP_INSTALL) -e ".[dev]"
	@touch $@

$(GRAPHIQL)/.installed: examples/graphiql/package-lock.json
	@echo "Installing GraphiQL's files. This happens once."
	@$(NPM_CI) --prefix examples/graphiql --fetch-retries=1 --fetch-timeout=20000 >/dev/null
	@mkdir -p $(GRAPHIQL)
	@cd examples/graphiql/node_modules && cp react/umd/react.production.min.js react-dom/umd/react-dom.production.min.js \
		graphiql/graphiql.min.js graphiql/graphiql.min.css graphql-ws/umd/graphql-ws.min.js $(CURDIR)/$(GRAPHIQL)
	@touch $@
