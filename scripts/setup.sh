#!/usr/bin/env bash
# Make .venv and install dplass there with the pinned versions: with uv where present, with pip otherwise.
#   scripts/setup.sh [EXTRAS]     such as: scripts/setup.sh dev; training, CLAP and reports are always installed
# With uv, UV_TORCH_BACKEND=cpu leaves out CUDA, which is 4 of the 6 GB on Linux.
set -euo pipefail
cd "$(dirname "$0")/.."
suits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; }
python=${PYTHON:-python3}
if [ -z "${PYTHON:-}" ] && ! suits "$python"; then  # the newest that is installed beside an old python3
    for newer in python3.14 python3.13 python3.12 python3.11 python3.10 python; do
        if suits "$newer"; then python=$newer; break; fi
    done
fi
suits "$python" ||
    { echo "dplass needs Python 3.10 or later; $python is $("$python" -V 2>&1). Set PYTHON to one." >&2; exit 2; }
found() { [ -x .venv/bin/python ] || [ -x .venv/Scripts/python.exe ]; }  # the latter on Windows
if command -v uv >/dev/null 2>&1; then
    found || uv venv --quiet --python "$(command -v "$python")" .venv
    install() { uv pip install --quiet --python .venv --constraint constraints.txt "$@"; }
else
    found || "$python" -m venv .venv
    install() { "$venv_python" -m pip install --quiet --disable-pip-version-check --constraint constraints.txt "$@"; }
fi
venv_python=.venv/bin/python
[ -x $venv_python ] || venv_python=.venv/Scripts/python.exe
install --editable ".[train,clap,report${1:+,$1}]"
# From Python 3.13 on laion-clap is installed without its pins (see pyproject.toml).
if "$venv_python" -c 'import sys; sys.exit(sys.version_info < (3, 13))'; then
    install --no-deps laion-clap
fi
