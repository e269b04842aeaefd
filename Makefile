PYTHON := $(if $(wildcard .venv/bin/python),.venv/bin/python,python3)

.PHONY: setup check check-slow check-browser bench clean

setup:  ## install into .venv
	bash scripts/setup.sh dev

check:  ## what CI runs
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	$(PYTHON) -c "from importlinter.cli import lint_imports_command; lint_imports_command()" --no-cache --no-logo
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest -q --durations=10 --numprocesses=auto --dist=loadfile --max-worker-restart=0

check-slow:  ## the tests that take minutes
	$(PYTHON) -m pytest -q -m slow

check-browser:  ## the pages, in headless Chromium
	$(PYTHON) -m pytest -q -m browser

bench:  ## measure speed as ratios
	$(PYTHON) scripts/benchmark.py

clean:  ## remove what can be made again
	rm -rf .venv .import_linter_cache .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist *.egg-info dplass-quickstart
