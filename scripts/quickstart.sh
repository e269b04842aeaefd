#!/usr/bin/env bash
# From a fresh clone to separated sound: install into .venv, then prepare, partition, train, evaluate and separate.
#   scripts/quickstart.sh [FOLDER]     default: dplass-quickstart
set -euo pipefail
folder=$(realpath -m "${1:-dplass-quickstart}")
cd "$(dirname "$0")/.."
bash scripts/setup.sh
.venv/bin/dplass quickstart "$folder"
