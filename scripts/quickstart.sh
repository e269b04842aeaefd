#!/usr/bin/env bash
# From a fresh clone to separated sound: install into .venv, then prepare, partition, train, evaluate and separate.
#   scripts/quickstart.sh [FOLDER]     default: dplass-quickstart
set -euo pipefail
folder=${1:-dplass-quickstart}
case $folder in /* | ?:*) ;; *) folder=$PWD/$folder ;; esac  # realpath -m is GNU's; C:/… is absolute too
cd "$(dirname "$0")/.."
bash scripts/setup.sh
bin=.venv/bin
[ -d $bin ] || bin=.venv/Scripts  # Windows
$bin/dplass quickstart "$folder"
