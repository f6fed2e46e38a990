# The two commands: `make study` and `make test`. Both install into .venv first; a second call installs nothing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
.PHONY: install study test test-slow test-faults test-processors lint

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

study: install
	$(BIN)/matopt study launch studies/quickstart.yaml

# Two processes, each with whole files of tests: more would time each other's clusters out.
test: install
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-slow: install
	$(BIN)/python -m pytest -m slow

test-faults: install
	$(BIN)/python -m pytest -m faults

# The tests as other processors run them: the kernels that MKL, ATen and Numba choose there, two threads, and sums in
# another order. A setting that this processor lacks falls back to what it has.
PROCESSORS := MKL_ENABLE_INSTRUCTIONS=SSE4_2 MKL_ENABLE_INSTRUCTIONS=AVX MKL_ENABLE_INSTRUCTIONS=AVX2 \
	MKL_ENABLE_INSTRUCTIONS=AVX512 MKL_CBWR=COMPATIBLE ATEN_CPU_CAPABILITY=default NUMBA_CPU_NAME=generic \
	MATOPT_TEST_THREADS=2 MATOPT_TEST_ROUNDING=1 MATOPT_TEST_ROUNDING=2

test-processors: install
	@failed=; for setting in $(PROCESSORS); do \
		echo "== $$setting"; env $$setting $(BIN)/python -m pytest -q $(TESTS) || failed="$$failed $$setting"; \
	done; test -z "$$failed" || { echo "failed under:$$failed"; exit 1; }

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/ty check matopt
	$(BIN)/codespell matopt tests studies docs cluster mlflow README.md CHANGELOG.md
