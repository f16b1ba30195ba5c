# The tasks of the house. Each first sets up what it needs; python3 (3.11 or newer) is enough.
#
#   make run      the chat server, on this machine      LANDLINE_PORT=12346 make run
#   make chat     a chat client                         make chat ARGS="--name ana"
#   make test     the tests                             make test ARGS="-k resume"
#   make check    format, lint, types, import contracts, tests
#   make simulate the protocol under faults, from seeds  make simulate ARGS="--minutes 10"
#   make fuzz     bytes at the decoder and at connections, for a minute   make fuzz ARGS=-max_total_time=3600
#   make flood    a server under floods, its memory and its honest clients
#   make restarts a server is started anew again and again, and nobody is refused
#   make powercut the storage under power cuts    make powercut ARGS="--images 100000 --seed 7"
#   make kills    kill -9 of a server and its clients, hundreds of times, and whether anything is missing
#   make kills-files  kill -9 of either end of a file transfer, at random offsets
#   make bench    how fast it is, in one table: beside its peers, and a floor in C
#   make growth   what one more costs when there are many, a storm of 10,000, one that stands still, and what persistence buys
#   make browser  the chat's page in Chromium, among people, on bad lines, under axe
#   make lock     compiles requirements/*.in anew
#   make clean    removes what make made, but never the chat's data (.landline/)

PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
# More test workers than cores here: many tests wait for other processes.
WORKERS ?= 4

# Compiled code stays in the checkout, also where the environment wants none: else every start of a program compiles everything anew,
# and the tests start hundreds.
unexport PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX := $(CURDIR)/.cache/pycache

.PHONY: default run chat test check simulate fuzz flood restarts powercut kills kills-files bench growth browser clean lock setup-run setup-test setup-fuzz setup-javascript setup-browser setup-bench

default:
	@sed -n -e '/^#/!q' -e 's/^# \{0,1\}//p' Makefile

# The data of a server that runs from the checkout stays in the checkout.
run chat: export LANDLINE_DATA ?= $(CURDIR)/.landline
run chat: export LANDLINE_FROM_MAKE := 1

# `exec` makes the program make's own child: Ctrl-C and SIGTERM reach it, and its exit code is the recipe's.
run: setup-run
	@exec $(BIN)/landline serve $(ARGS)

chat: setup-run
	@exec $(BIN)/landline chat $(ARGS)

test: setup-test
	@exec $(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

# Format, lint, types, import contracts, tests.
check: setup-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo --cache-dir .cache/import-linter
	@exec $(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

# A few minutes; a seed that fails is shrunk and says how to replay it. ARGS=--ablations proves that it can fail.
simulate: setup-test
	@exec $(BIN)/python -m landline.testing.simulation -j $(WORKERS) $(ARGS)

# What is found is written to a file that is named then; python scripts/fuzz.py FILE tries it again.
fuzz: setup-fuzz
	@PYTHONPATH=src exec .cache/fuzz/bin/python scripts/fuzz.py $(ARGS)

# A minute and a half; ends with 1 when a bound does not hold. ARGS="--only silent" plays the floods of that name.
flood: setup-test
	@exec $(BIN)/python -m benchmarks.flood --check $(ARGS)

# Under a minute; ends with 1 when somebody could not connect. ARGS="--count 200 --loop asyncio"
restarts: setup-test
	@exec $(BIN)/python -m benchmarks.restarts --check $(ARGS)

# 20,000 images, about seven minutes of processor time; Linux, with a C compiler. ARGS=--ablations proves that it can fail.
powercut: setup-test
	@exec nice -n 10 $(BIN)/python -m benchmarks.powercut $(ARGS)

# Some minutes for 300 kills; ARGS="--kills 50" for fewer, ARGS=--breaks proves that it can fail, ARGS=--disk is about a disk in trouble.
kills: setup-test
	@exec $(BIN)/python -m benchmarks.kills $(ARGS)

# 200 kills of either end of a file transfer, some minutes; ARGS="--kills 20" for fewer, ARGS=--folder for a folder of files.
kills-files: setup-test
	@exec $(BIN)/python -m benchmarks.kills.files $(ARGS)

# Takes the better part of an hour; ARGS=--short to see that it works, ARGS="--only call" for some, ARGS=--gate for what CI runs. The figures and
# their picture are put into .cache/bench.
bench: setup-bench
	@exec $(BIN)/python -m benchmarks --json .cache/bench/figures.json --svg .cache/bench/figures.svg $(ARGS)

# Takes long, the history of 1,000,000 most of all; ARGS=--short to see that it works. The figures and their pictures are put into .cache/bench.
growth: setup-test
	@mkdir -p .cache/bench
	@$(BIN)/python -m benchmarks.growth --json .cache/bench/growth.json --svg .cache/bench/growth.svg $(filter --short,$(ARGS))
	@$(BIN)/python -m benchmarks.storm --json .cache/bench/storm.json $(filter --short,$(ARGS))
	@$(BIN)/python -m benchmarks.stalled --json .cache/bench/stalled.json $(filter --short,$(ARGS))
	@exec $(BIN)/python -m benchmarks.persistent --json .cache/bench/persistent.json --svg .cache/bench/persistent.svg $(filter --short,$(ARGS))

# A few minutes; needs Chromium. ARGS="-k scrolling" runs some.
browser: setup-browser
	@exec $(BIN)/python -m pytest -n $(WORKERS) -m browser $(ARGS)

clean:
	rm -rf .venv .venv.new-* .cache .hypothesis .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build dist src/*.egg-info
	find src tests examples scripts benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# After a change in requirements/*.in: compile the lock anew. No registry's address is written into it.
lock: setup-test
	@uv=$$(command -v uv || echo $(BIN)/uv); for group in run test bench browser fuzz uv; do \
		$$uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
			requirements/$$group.in --output-file requirements/$$group.txt || exit 1; done

setup-run:
	@$(PYTHON) scripts/bootstrap.py run

setup-test:
	@$(PYTHON) scripts/bootstrap.py test

# An environment of its own: the fuzzer is no tool that everybody needs.
setup-fuzz: setup-test
	@test -f .cache/fuzz/ready || { rm -rf .cache/fuzz && $(PYTHON) -m venv .cache/fuzz && \
		.cache/fuzz/bin/pip install --quiet --require-hashes -r requirements/fuzz.txt && touch .cache/fuzz/ready; }

# The benchmarks' peers, apart from .venv; what cannot be had is said, and left out.
setup-bench: setup-test
	@$(BIN)/python -m benchmarks.install

# What checks the JavaScript client, by its lock; `make test` calls this where npm is there. The client itself needs nothing.
JAVASCRIPT := .cache/javascript
setup-javascript:
	@test $(JAVASCRIPT)/node_modules/.package-lock.json -nt tests/javascript/package-lock.json || { mkdir -p $(JAVASCRIPT) && \
		cp tests/javascript/package.json tests/javascript/package-lock.json tests/javascript/.npmrc $(JAVASCRIPT)/ && \
		npm ci --prefix $(JAVASCRIPT) --silent --no-audit --no-fund && touch $(JAVASCRIPT)/node_modules/.package-lock.json; }

# Playwright, which drives the machine's own Chromium, /usr/bin/chromium (Debian's package `chromium`); it stands beside the tests' tools, since the tests use both.
setup-browser: setup-test setup-javascript
	@$(BIN)/python -c 'import playwright' 2>/dev/null || { uv=$$(command -v uv || echo $(BIN)/uv); \
		$$uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/browser.txt; }
