#!/usr/bin/env bash
# Make .venv and install dplass there with the pinned versions: with uv where present, with pip otherwise.
#   scripts/setup.sh [EXTRAS]     such as: scripts/setup.sh dev
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' ||
    { echo "dplass needs Python 3.10, 3.11 or 3.12; $python is $("$python" -V). Set PYTHON to one." >&2; exit 2; }
what=".${1:+[$1]}"
if command -v uv >/dev/null 2>&1; then
    [ -x .venv/bin/python ] || uv venv --quiet --python "$(command -v "$python")" .venv
    uv pip install --quiet --python .venv/bin/python --constraint constraints.txt --editable "$what"
else
    [ -x .venv/bin/python ] || "$python" -m venv .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable "$what"
fi
