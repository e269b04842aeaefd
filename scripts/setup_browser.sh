#!/usr/bin/env bash
# What the tests of pages need: Debian's Chromium, and Playwright to drive it. Then: make check-browser
set -euo pipefail
cd "$(dirname "$0")/.."
command -v chromium >/dev/null || {
    root=$([ "$(id -u)" = 0 ] || echo sudo)
    $root apt-get update --quiet --quiet
    $root apt-get install --yes --quiet --quiet --no-install-recommends chromium
}
bash scripts/setup.sh dev,browser
