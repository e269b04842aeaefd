#!/usr/bin/env bash
# Make .venv and install dplass there with the pinned versions: with uv where present, with pip otherwise.
#   scripts/setup.sh [EXTRAS]     such as: scripts/setup.sh dev
set -euo pipefail
cd "$(dirname "$0")/.."
suits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; }
python=${PYTHON:-python3}
if [ -z "${PYTHON:-}" ] && ! suits "$python"; then  # the newest that is installed beside an old python3
    for newer in python3.14 python3.13 python3.12 python3.11 python3.10; do
        if suits "$newer"; then python=$newer; break; fi
    done
fi
suits "$python" ||
    { echo "dplass needs Python 3.10 or later; $python is $("$python" -V 2>&1). Set PYTHON to one." >&2; exit 2; }
what=".${1:+[$1]}"
if command -v uv >/dev/null 2>&1; then
    [ -x .venv/bin/python ] || uv venv --quiet --python "$(command -v "$python")" .venv
    install() { uv pip install --quiet --python .venv/bin/python --constraint constraints.txt "$@"; }
else
    [ -x .venv/bin/python ] || "$python" -m venv .venv
    install() { .venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt "$@"; }
fi
install --editable "$what"
# From Python 3.13 on laion-clap is installed without its pins (see pyproject.toml).
if .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 13))'; then
    install --no-deps laion-clap
fi
