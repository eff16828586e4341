# make demo    set up, and watch a camera being guided and its shots being judged
# make test    set up, and run the tests
# make check   formatting, types, wire definitions
# make proto   generate capture/v1 from proto/
# make fuzz    the decoder, for FUZZ_SECONDS; guided by coverage where atheris can be had
# make bench-gates | bench-steady | bench-serve | bench-archive | bench-groups | bench-pool
#      bench-sessions: ten thousand idle cameras, and who waits for whom

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PREPARE := .venv-prepare
EXTRAS := archive,s3,heic,raw,tracing
FUZZ_SECONDS ?= 60
PIP := -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test test-prepare check format proto fuzz clean \
        bench-gates bench-steady bench-serve bench-archive bench-groups bench-pool bench-sessions

help:
	@sed -n 's/^# //p' Makefile

$(VENV)/.run: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) --editable .
	@sh .ci/opencv $(BIN)/python
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	$(BIN)/python $(PIP) --editable ".[dev,$(EXTRAS)]"
	@sh .ci/opencv $(BIN)/python
	@touch $@

$(PREPARE)/.prepare: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(PREPARE)
	$(PREPARE)/bin/python $(PIP) --editable ".[dev,$(EXTRAS),prepare]"
	@sh .ci/opencv $(PREPARE)/bin/python
	@touch $@

demo: $(VENV)/.run
	$(BIN)/smart-capture demo

test: $(VENV)/.dev
	$(BIN)/pytest -m "not prepare" --numprocesses auto --dist loadfile

test-prepare: $(PREPARE)/.prepare
	$(PREPARE)/bin/pytest -m prepare

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/buf lint proto

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

proto: $(VENV)/.dev
	$(BIN)/python -m tests.wire

fuzz: $(VENV)/.dev
	-$(BIN)/python $(PIP) --only-binary :all: atheris==3.0.0
	$(BIN)/python -m tests.fuzz.decoder --seconds $(FUZZ_SECONDS)

bench-gates bench-steady bench-serve bench-archive bench-groups bench-pool bench-sessions: $(VENV)/.dev
	$(BIN)/python -m tests.benchmarks.$(@:bench-%=%)

clean:
	rm -rf $(VENV) $(PREPARE) build dist *.egg-info
