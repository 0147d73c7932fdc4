# Two commands do everything: `make run` and `make test`. Each target sets up what it needs first.
#
#   make run        a working day of real calls, served, logged, priced and reported (about 2 minutes); ends with a page to open
#   make test       lint, types, floors, unit and integration tests, notebooks, flows, the main job
#   make lab        JupyterLab with the notebooks
#   make serve      the OpenAI-compatible endpoint on port 8000       (ARGS="--port 8080")
#   make schedule   Prefect server, worker and deployments, until Ctrl-C
#   make bench      every benchmark, as Markdown tables
#   make lint       ruff, mypy and the import contracts
#   make lock       resolve pyproject.toml into requirements.lock again

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
ARGS   ?=
# By exact version and with what it asks for: whichever build pip finds, CPU or CUDA, gets what it needs.
TORCH  := torch==2.13.0

export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: run test lab serve schedule bench lint lock clean
.DEFAULT_GOAL := run

# A set-up that was interrupted leaves no stamp, and the next one starts over.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Daybook needs Python 3.11 or newer, and %s is %s. Say which to use: make PYTHON=python3.11" % (sys.executable, sys.version.split()[0]))'
	@echo "Setting up $(VENV): $$(grep -c == requirements.lock) packages, one to three minutes."
	@test -f $@ || $(PYTHON) -m venv --clear $(VENV)
	@rm -f $@
	$(BIN)/python -m pip install $(TORCH)
	$(BIN)/python -m pip install --no-deps -r requirements.lock
	$(BIN)/python -m pip install --no-deps --quiet --editable .
	@touch $@

run: $(READY)
	@exec $(BIN)/daybook day $(ARGS)

test: $(READY) lint
	$(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

lab: $(READY)
	@exec $(BIN)/jupyter lab --notebook-dir=notebooks $$(test "$$(id -u)" != 0 || echo --allow-root) $(ARGS)

serve: $(READY)
	@exec $(BIN)/daybook serve $(ARGS)

schedule: $(READY)
	@exec $(BIN)/daybook schedule $(ARGS)

bench: $(READY)
	@for table in benchmarks/*.py; do $(BIN)/python $$table $(ARGS) || exit 1; done

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lock: $(READY)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate --group dev pyproject.toml \
		--no-emit-package rfc3987-syntax --no-emit-package lark -o requirements.lock
	sed -i -E '/^(torch==|triton|nvidia-|cuda-)/d' requirements.lock

clean:
	rm -rf $(VENV)
