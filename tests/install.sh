#!/bin/sh
# Installs packages for a Python: by uv, which takes seconds and keeps what it downloads for the next
# environment, or by pip where uv cannot be had or knows none of pip's settings.
# Usage: sh tests/install.sh PYTHON ARGUMENTS OF pip install
set -eu
python=$1
shift
if .venv/bin/python -m pip --disable-pip-version-check --quiet install 'uv>=0.7' \
    && .venv/bin/uv pip install --quiet --python "$python" "$@"; then
    exit
fi
echo "uv could not install that; pip tries."
# From 25.1 on it knows dependency groups.
"$python" -m pip --disable-pip-version-check --quiet install --upgrade 'pip>=25.1'
"$python" -m pip --disable-pip-version-check --quiet install "$@"
