#!/usr/bin/env bash
# Runs the tests of what touches other packages most with the newest release of every dependency, in
# a fresh environment. Usage: bash tests/newest.sh PYTHON JOBS
set -eu
cd "$(dirname "$0")/.."
FOLDER=$(mktemp -d)
trap 'rm -rf "$FOLDER"' EXIT
"$1" -m venv "$FOLDER/venv"
sh tests/install.sh "$FOLDER/venv/bin/python" --upgrade . --group test --group frameworks
"$FOLDER/venv/bin/python" -m pip --disable-pip-version-check list
# Of each part the files that touch another package most.
PYTHONPATH=$PWD "$FOLDER/venv/bin/pytest" -q -p no:cacheprovider --numprocesses "$2" --dist worksteal \
    -m "not realtime and not hypothesis" -k "not memory_stays_flat" \
    tests/receiver/test_handler.py tests/receiver/test_guard.py \
    tests/forward/test_client.py tests/forward/test_response.py \
    tests/tunnel/test_child.py tests/tunnel/test_supervisor.py \
    tests/cli/test_process.py tests/cli/test_ways_in.py
