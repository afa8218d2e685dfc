#!/usr/bin/env bash
# Runs the tests of the tunnel on the next Debian release's Python, where pip installs a newer
# generation of ngrok's SDK than Python 3.11 can get. It makes a folder with that release, which
# takes a minute, and removes it again.
#
# Needs Linux, Debian, root and debootstrap; where it cannot be made it says why and ends with 0.
# It ends with another code only when the package cannot be installed there or its tests fail.
# NEXT_PYTHON=no leaves it out. WHOLE=yes runs all tests there but those that measure time, which
# takes as long as they take in `make test`, after some minutes for what they need of Debian.
set -eu
cd "$(dirname "$0")/.."

RELEASE=trixie
VERSION=3.13
# The receiver, since newer Pythons run the steps of tasks in another order, and what uses the SDK
# with the stand-in of ngrok's service.
TESTS=(tests/receiver tests/tunnel tests/session/test_listen.py tests/session/test_python.py
    # It needs a compiler, which that folder does not have, and knows nothing of the SDK.
    --deselect=tests/session/test_listen.py::test_the_answer_waits_for_the_disk_and_32_wait_together)

cannot() {
    echo "Not tried on the next Python ($VERSION, a newer SDK of ngrok's): $*."
    exit 0
}

[ "${NEXT_PYTHON:-}" != no ] || cannot "NEXT_PYTHON=no"
[ "$(uname -s)" = Linux ] || cannot "this is not Linux"
grep -qsx 'ID=debian' /etc/os-release || cannot "this is not Debian"
[ "$(id -u)" = 0 ] || cannot "debootstrap wants root"
if ! command -v debootstrap >/dev/null; then
    { apt-get install -y --no-install-recommends debootstrap \
        || { apt-get update && apt-get install -y --no-install-recommends debootstrap; }
    } >/dev/null 2>&1 || cannot "there is no debootstrap, and apt-get cannot install it"
fi
unshare --mount true 2>/dev/null || cannot "nothing may be mounted here"
# The mirror that this machine's own packages come from.
MIRROR=$(apt-get indextargets --format '$(REPO_URI)' 'Origin: Debian' 'Created-By: Packages' \
    | grep -v -e security -e debug | head -n 1)
[ -n "$MIRROR" ] || cannot "apt knows no mirror of Debian's"
PYTHON=${1:-.venv/bin/python}

# Mounts live in a namespace of their own and end with it, however this script ends.
if [ "${NEXT_PYTHON_INSIDE:-}" != yes ]; then
    FOLDER=$(mktemp -d)
    trap 'rm -rf --one-file-system "$FOLDER"' EXIT
    trap 'exit 130' INT TERM
    NEXT_PYTHON_INSIDE=yes FOLDER=$FOLDER unshare --mount --propagation private "$0" "$PYTHON"
    exit
fi

LOG=$FOLDER/log
ROOT=$FOLDER/root
debootstrap --variant=minbase --include="python3,ca-certificates" \
    "$RELEASE" "$ROOT" "$MIRROR" >"$LOG" 2>&1 \
    || cannot "debootstrap failed: $(tail -n 1 "$LOG")"
mkdir "$ROOT/project"
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$ROOT/project"
if [ "${WHOLE:-}" = yes ]; then
    # In an environment made as on a developer's machine, with the settings of this one's network.
    for path in /etc/resolv.conf /etc/ssl/certs/ca-certificates.crt /etc/pip.conf /etc/npmrc "$HOME/.config/pip" "$HOME/.npmrc"; do
        [ ! -e "$path" ] || { mkdir -p "$ROOT${path%/*}" && cp -aLT "$path" "$ROOT$path"; }
    done
    mount -t proc proc "$ROOT/proc" || cannot "/proc cannot be mounted"
    mount --rbind /dev "$ROOT/dev" || cannot "/dev cannot be mounted"
    chroot "$ROOT" env -u PIP_FIND_LINKS -C /project LANG=C.UTF-8 NEXT_PYTHON=no \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        JOBS="${JOBS:-$(nproc)}" DEBIAN_FRONTEND=noninteractive sh -euc '
            { apt-get update -qq && apt-get install -y -qq --no-install-recommends \
                git make python3-venv; } >/dev/null 2>&1
            make PYTHON=python3 .venv/development system
            .venv/bin/pip install --quiet "ngrok>=1.5"
            .venv/bin/python -c "
from importlib.metadata import version
import sys
print(\"On Python\", sys.version.split()[0], \"with ngrok\", version(\"ngrok\"), flush=True)"
            exec .venv/bin/pytest -q -p no:cacheprovider --numprocesses "$JOBS" --dist worksteal \
                -m "not realtime"'
    exit
fi
# The pins hold for all but the SDK.
"$PYTHON" -m build --wheel --outdir "$FOLDER/wheel" "$ROOT/project" >"$LOG" 2>&1 \
    || { cat "$LOG" >&2; exit 1; }
grep -v '^ngrok==' requirements.lock >"$FOLDER/pins"
sh tests/install.sh "$PYTHON" --target "$ROOT/usr/local/lib/python$VERSION/dist-packages" \
    --python-version "$VERSION" --only-binary :all: \
    --constraint "$FOLDER/pins" "$FOLDER"/wheel/*.whl 'ngrok>=1.5' --group test

mount -t proc proc "$ROOT/proc" || cannot "/proc cannot be mounted"
mount --rbind /dev "$ROOT/dev" || cannot "/dev cannot be mounted"
chroot "$ROOT" python3 -c 'from importlib.metadata import version; import sys
print("On Python", sys.version.split()[0], "with ngrok", version("ngrok"), flush=True)'
chroot "$ROOT" env -C /project HOME=/root LANG=C.UTF-8 PYTHONPATH=/project \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin CI="${CI:-}" \
    python3 -m pytest -q -p no:cacheprovider --numprocesses "${JOBS:-$(nproc)}" --dist worksteal -m "not realtime" "${TESTS[@]}"
