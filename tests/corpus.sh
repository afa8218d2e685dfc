#!/bin/sh
# Installs programs that record HAR files into .venv/corpus, once, and compares what is imported of
# their recordings with what was sent: sh tests/corpus.sh PYTHON. `make test` has Playwright only.
set -eu
cd "$(dirname "$0")/.."
tools=.venv/corpus
if [ ! -f $tools/installed ]; then
    "$1" -m venv $tools
    $tools/bin/pip --disable-pip-version-check --quiet install "mitmproxy>=10"
    npm install --prefix $tools --ignore-scripts --no-audit --no-fund --silent \
        axios@1 axios-har-tracker@0.8.0 chrome-har-capturer@0.14.4
    touch $tools/installed
fi
exec .venv/bin/pytest tests/archive/test_corpus.py -s
