#!/bin/sh
# Proves that the built wheel installs and runs by itself, without the source tree beside it.
# Usage: sh tests/wheel.sh PYTHON
set -eu
python=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
.venv/bin/python -m build --wheel --outdir "$folder" . >/dev/null
"$python" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --disable-pip-version-check --quiet install "$folder"/*.whl pytest
cd "$folder"
export HOME="$folder" XDG_DATA_HOME="$folder/data" XDG_STATE_HOME="$folder/state"
venv/bin/tiktok-hook --version
printf '{"event":"tiktok.ping"}' >body.json
header=$(venv/bin/tiktok-hook sign --secret wheel-secret --body body.json)
venv/bin/tiktok-hook verify --secret wheel-secret --body body.json --header "$header"
venv/bin/tiktok-hook demo </dev/null >demo.txt 2>&1 || { cat demo.txt; exit 1; }
grep -q 'authorization.removed' demo.txt
cat >test_app.py <<'END'
def test_the_fixture_is_there(tiktok_webhook):
    def app(environ, start_response):
        start_response("200 OK", [])
        return [b""]

    assert tiktok_webhook(app, secret="wheel-secret").event("tiktok.ping").status == 200
END
venv/bin/python -m pytest -q -W error test_app.py
echo "the wheel installs and runs"
