#!/usr/bin/env bash
# From a fresh clone to the test results: install into .venv, then lint, check types and test.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/setup.sh dev
make check
