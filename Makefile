# Two commands do all set-up on a machine with Python 3.11 or newer and make:
#   make demo   the main job, without an account
#   make test   lint, types, every test, and the built wheel
# Chooses date, time zone and order of the last run of make test; a number repeats that run.
SEED ?= new
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python
PIP := $(RUN) -m pip --disable-pip-version-check --quiet
# One more than processors: many tests wait for programs and sockets.
JOBS ?= $(shell echo $$(($$(nproc 2>/dev/null || echo 2) + 1)))
# The tests start the program some 500 times, and each start would compile the package again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test lint types unit calendar postgres-18 newest lock wheel system format reference pictures next-python fuzz corpus next-js soak soak-postgres flood bench clean

help:
	@sed -n 's/^\([a-z0-9-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

$(VENV)/made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 …"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/package: $(VENV)/made pyproject.toml
	$(PIP) install --editable .
	touch $@

$(VENV)/development: $(VENV)/package requirements.lock
	@sh tests/install.sh $(RUN) --requirement requirements.lock
	touch $@

demo: $(VENV)/package ## the main job on this machine, without an account or a network
	$(BIN)/tiktok-hook demo

test: lint types unit wheel ## lint, types, all tests, and the built wheel

lint: $(VENV)/development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@sh tests/page_tools/check.sh

types: $(VENV)/development
	$(BIN)/mypy

system: ## what some tests need beside Python, where it can be installed
	@sh tests/system.sh

unit: $(VENV)/development system
	$(BIN)/pytest --numprocesses $(JOBS) --dist worksteal -m "not realtime"
	# What measures time runs alone.
	$(BIN)/pytest -m realtime $$(grep -rl --include='test_*.py' mark.realtime tests)
	# The tests that start no process run again under another date, time zone and order. What
	# Hypothesis generates is the same in both runs, as are texts and recipes. Where Playwright's
	# process may not start, its synchronous interface leaves an event loop running, which would
	# fail the tests after it.
	$(BIN)/pytest --numprocesses $(JOBS) --dist worksteal \
		-m "not realtime and not hypothesis and not timeless" \
		--ignore tests/archive/test_corpus.py --seed $(SEED)

calendar: $(VENV)/development system ## the tests under every date, zone, locale, order and user: docs/contributing.md
	sh tests/calendar.sh $(PYTHON)

next-python: $(VENV)/development ## the tunnel's tests on a newer Python and SDK, as root on Debian
	bash tests/next_python.sh $(RUN)

postgres-18: $(VENV)/development system ## the tests of shared histories on PostgreSQL 18, from a wheel
	bash tests/postgres_18.sh $(RUN) $(JOBS)

newest: $(VENV)/development ## the newest release of every dependency under the receiver, forward, tunnel and command tests
	bash tests/newest.sh $(PYTHON) $(JOBS)

lock: $(VENV)/development ## pin what pyproject.toml asks for: LOCK=--upgrade takes the newest releases
	$(PIP) install uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --group dev pyproject.toml \
		--no-annotate --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
		--output-file requirements.lock $(LOCK)

fuzz: $(VENV)/development ## what Hypothesis generates, 50 times as much of it as in make test
	$(BIN)/pytest -m hypothesis --hypothesis-profile long --timeout 1200 --numprocesses $(JOBS) --dist worksteal

corpus: $(VENV)/development system ## HAR files of real recording programs, imported and compared byte for byte
	sh tests/corpus.sh $(PYTHON)

next-js: $(VENV)/development system ## the Next.js recipe, built and served by Next.js, under the audit
	sh tests/next_js.sh

soak: $(VENV)/development system ## 100 times kill -9, overload, standstill, an hour of traffic: SOAK_SECONDS, SOAK_ROUNDS
	$(RUN) -m tests.faults.soak

soak-postgres: $(VENV)/development system ## a team on one PostgreSQL for an hour: SOAK_SECONDS, SOAK_LISTENERS, SOAK_APPS, SOAK_RATE
	$(RUN) -m tests.faults.shared_soak

flood: $(VENV)/development ## ten minutes of the worst unsigned flood: FLOOD_SECONDS, FLOOD_FORMAT
	$(RUN) -m tests.faults.flood

bench: $(VENV)/development system ## what is faster, and by how much: BENCH=--quick, BENCH=--help
	$(RUN) -m tests.bench $(BENCH)

wheel: $(VENV)/development
	sh tests/wheel.sh $(PYTHON)

format: $(VENV)/development ## bring the code into its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(RUN) -m tests.page_tools.api_types
	@sh tests/page_tools/check.sh format

reference: $(VENV)/development ## docs/command-line.md from the commands, docs/events.md and the typed records from the catalogue
	$(RUN) -m tests.reference

pictures: $(VENV)/development system ## the README's pictures, from the real program
	$(RUN) -m tests.pictures.terminal
	$(RUN) -m tests.pictures.page

clean: ## remove everything that make made
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
