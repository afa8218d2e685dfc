#!/usr/bin/env bash
# Runs the tests of what touches other packages most with the newest release of every dependency, in
# a fresh environment. Usage: bash tests/newest.sh PYTHON JOBS
set -eu
cd "$(dirname "$0")/.."
FOLDER=$(mktemp -d)
trap 'rm -rf "$FOLDER"' EXIT
"$1" -m venv "$FOLDER/venv"
pip() { "$FOLDER/venv/bin/python" -m pip --disable-pip-version-check --quiet "$@"; }
pip install --upgrade 'pip>=25.1'
pip install --upgrade --upgrade-strategy eager . --group test
pip list --format=freeze | grep -iE '^(aiohttp|click|ngrok|orjson|platformdirs|pyyaml|rich|uvloop|httptools)='
PYTHONPATH=. "$FOLDER/venv/bin/pytest" -q -p no:cacheprovider --numprocesses "$2" -m "not realtime" \
    tests/receiver tests/test_forward*.py tests/tunnel tests/cli
