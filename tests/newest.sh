#!/usr/bin/env bash
# Runs the tests of what touches other packages most with the newest release of every dependency, in
# a fresh environment. Usage: bash tests/newest.sh PYTHON JOBS
set -eu
cd "$(dirname "$0")/.."
FOLDER=$(mktemp -d)
trap 'rm -rf "$FOLDER"' EXIT
"$1" -m venv "$FOLDER/venv"
pip() { "$FOLDER/venv/bin/python" -m pip --disable-pip-version-check "$@"; }
pip install --quiet --upgrade 'pip>=25.1'
pip install --quiet --upgrade --upgrade-strategy eager . --group test --group frameworks
pip list
PYTHONPATH=$PWD "$FOLDER/venv/bin/pytest" -q -p no:cacheprovider --numprocesses "$2" -m "not realtime" \
    tests/receiver tests/forward tests/tunnel tests/cli
