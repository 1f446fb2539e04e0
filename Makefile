# Every target sets up what it needs: Python 3.11 and git are enough.
PYTHON ?= python3.11
VENV   ?= .venv
BIN     = $(VENV)/bin
READY   = $(VENV)/.ready

.PHONY: demo test check bench format lock schema clean

demo: $(READY)            ## the whole thing on this machine; ONCE=1 merges everything itself and ends
	$(BIN)/deployer demo $(if $(ONCE),--once)

# Three at a time on two processors, since tests wait a lot; two with the stories of killed processes, which have to end
# in time. Without bytecode each of them, and each process that they start, would compile all of this anew.
test: $(READY)            ## the suite; THOROUGH=1 adds what takes long, KUBEBUILDER_ASSETS=... a real API server
	PYTHONDONTWRITEBYTECODE= THOROUGH="$(THOROUGH)" PATH="$(CURDIR)/$(BIN):$$PATH" \
	  $(BIN)/pytest -n $(if $(THOROUGH),2,3) --dist loadfile $(TESTS)

check: $(READY)           ## format, lint, types, import contract
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)           ## measure, beside peers in the same run
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m tests.bench $(BENCH)

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

schema: $(READY)          ## write config/deployer.schema.json anew
	$(BIN)/deployer schema > config/deployer.schema.json

lock: $(READY)            ## compile requirements*.in to requirements*.txt with hashes
	$(BIN)/pip install --quiet uv
	for name in requirements requirements-dev; do \
	  $(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --universal \
	    --python-version 3.11 $$name.in --output-file $$name.txt; done

$(READY): requirements-dev.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	touch $@

clean:
	rm -rf $(VENV) build .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
