#!/bin/sh
# Formats (with "format"), or checks the format, lints and type-checks the inspector's JavaScript.
# The tools come from npm in the versions of package-lock.json; without npm this is skipped, except
# with CI=true, where it fails.
set -eu
cd "$(dirname "$0")/../.."
tools=.venv/page
page="tiktok_hook/inspector/static/*.js tests/page_tools/*.js"

if ! command -v npm >/dev/null; then
    echo "npm is not installed: the page's JavaScript is not checked."
    [ "${CI:-}" = true ] && exit 1
    exit 0
fi
if ! cmp -s tests/page_tools/package-lock.json $tools/installed.json; then
    mkdir -p $tools
    cp tests/page_tools/package.json tests/page_tools/package-lock.json $tools/
    npm ci --prefix $tools --ignore-scripts --no-audit --no-fund --silent
    cp tests/page_tools/package-lock.json $tools/installed.json
fi
# Its imports are found beside the tools.
cp tests/page_tools/eslint.config.js $tools/
bin=$tools/node_modules/.bin
style="--config tests/page_tools/prettier.json --ignore-path /dev/null"
if [ "${1:-}" = format ]; then
    # shellcheck disable=SC2086
    exec $bin/prettier $style --write --log-level warn $page
fi
# shellcheck disable=SC2086
$bin/prettier $style --check --log-level warn $page
# shellcheck disable=SC2086
$bin/eslint --config $tools/eslint.config.js --max-warnings 0 $page
$bin/tsc --project tests/page_tools/tsconfig.json
