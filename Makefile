# The two commands of the README are `make demo` and `make test`; everything else serves the builders.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Tests of several rooms run side by side; torch itself is kept to one thread in each.
JOBS ?= 2

.PHONY: help demo demo-long test test-all test-engines coco-mini bench-doctor bench-diff bench-fleet bench-explain bench-engines bench-kill faults lint types format clean

help:  ## what there is
	@sed -n 's/^\([a-z-]*\):.*##/  make \1 \t/p' $(MAKEFILE_LIST) | expand -t 22

demo: $(VENV)/.installed  ## from this machine's facts to a drawn skeleton, in minutes
	$(BIN)/envcheck doctor --fail-on never
	$(BIN)/envcheck pick
	$(BIN)/envcheck run demo --output demo

demo-long: $(VENV)/.installed  ## the same with half an hour of training
	$(BIN)/envcheck run demo --long --output demo

test: $(VENV)/.tests  ## the test suite
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) -m "not slow and not gpu and not docker"

test-all: $(VENV)/.tests  ## with the long tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) -m "not gpu and not docker"

test-engines: $(VENV)/.tests  ## the container tests, on the engines that .ci/engine makes and names
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m docker

coco-mini: $(VENV)/.tests  ## learn 86 people of real COCO pictures (needs ../shared/data; 15 minutes)
	$(BIN)/python tests/coco_mini.py

bench-doctor: $(VENV)/.tests  ## how fast doctor answers, beside its peers (two minutes)
	$(BIN)/python tests/doctor_bench.py

bench-diff: $(VENV)/.tests  ## how often diff names the true cause: fifty pairs of real runs (a quarter of an hour)
	PYTHONPATH=. $(BIN)/python tests/diff_bench.py

bench-fleet: $(VENV)/.tests  ## how fast 100,000 hosts are judged
	$(BIN)/python tests/fleet_bench.py

bench-explain: $(VENV)/.tests  ## how fast a log of 1 GB is explained (two minutes)
	PYTHONPATH=. $(BIN)/python tests/explain_bench.py

bench-engines: $(VENV)/.tests  ## what containers keep, cost and save (10 minutes; PARTS="start size": some)
	$(BIN)/python tests/engine_bench.py $(PARTS)

bench-kill: $(VENV)/.tests  ## trainings killed at random moments, and resumed (POINTS=50: six to twelve minutes)
	OMP_NUM_THREADS=1 PYTHONPATH=. $(BIN)/python tests/kill_bench.py $(POINTS) $(if $(JSON),--json $(JSON))

faults: $(VENV)/.tests  ## what envcheck survives: each fault made for real, and counted (half an hour; ONLY="words")
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.faults $(if $(ONLY),--only $(ONLY)) $(if $(JSON),--json $(JSON))

lint: $(VENV)/.tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/vermin --quiet --no-tips --violations --target=3.10- envcheck pose tests

types: $(VENV)/.tests
	$(BIN)/mypy

format: $(VENV)/.tests
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist *.egg-info

$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "error: Python 3.10 or newer with venv is needed; name one: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

# torch and what pose needs come from the lock of the recipe that fits this machine, like everybody's.
$(VENV)/.tests: $(VENV)/.installed $(wildcard recipes/locks/*.txt)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	$(BIN)/envcheck recipes fetch > $(VENV)/requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-index --require-hashes \
		--requirement $(VENV)/requirements.txt
	@touch $@
