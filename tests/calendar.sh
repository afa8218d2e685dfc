#!/bin/sh
# Runs the tests under other dates, time zones, locales, orders and another user, and prints one
# line of counts for each. `make calendar ONLY=leap-day` runs the lines that hold this text.
#
# A date is moved inside the test process, for the tests that start no other one. With libfaketime
# installed (Debian: faketime) all tests run with whole processes moved as well. The last line
# needs root, and PYTHON as a Python that another user can run.
set -u
cd "$(dirname "$0")/.."
PYTHON=${1:-python3}
ONLY=${ONLY:-}
JOBS=${JOBS:-$(nproc)}
LOG=$(mktemp)
failed=0

run() {
    name=$1
    shift
    case $name in *"$ONLY"*) ;; *) return ;; esac
    if "$@" >"$LOG" 2>&1; then word=passed; else word=FAILED failed=1; fi
    printf '%-52s %s: %s\n' "$name" "$word" "$(grep -E '^=+ .* in [0-9.]+s' "$LOG" | tail -n 1 | tr -d =)"
    [ $word = passed ] || grep -E '^(FAILED|ERROR)' "$LOG"
}

suite() {
    # Playwright cannot start its process there, and leaves an event loop to every later test.
    .venv/bin/pytest -p no:cacheprovider --numprocesses "$JOBS" -m "not realtime" \
        --ignore tests/archive/test_corpus.py "$@"
}

while read -r date zone; do
    run "$date in $zone" suite --date "$date" --zone "$zone"
done <<END
a-day-ahead Pacific/Kiritimati
a-day-back America/Los_Angeles
100-days-ahead Asia/Kolkata
100-days-back Pacific/Kiritimati
two-years-ahead America/Los_Angeles
two-years-back Asia/Kolkata
month-end UTC
month-end Asia/Kolkata
leap-day Pacific/Kiritimati
leap-day America/Los_Angeles
dst-start America/Los_Angeles
dst-end America/Los_Angeles
dst-start Australia/Lord_Howe
END

for zone in Asia/Kolkata America/Los_Angeles Pacific/Kiritimati; do
    run "all tests in $zone, in a random order" suite --date today --zone "$zone"
done
run "all tests with LC_ALL=C" env LC_ALL=C .venv/bin/pytest --numprocesses "$JOBS" -m "not realtime"

faketime=$(find /usr/lib /usr/local/lib -name libfaketime.so.1 2>/dev/null | head -n 1)
if [ -n "$faketime" ]; then
    for days in -730 -100 -1 1 100 730; do
        run "all tests, processes $days days away" env LD_PRELOAD="$faketime" FAKETIME="${days}d" \
            FAKETIME_DONT_FAKE_MONOTONIC=1 DONT_FAKE_MONOTONIC=1 \
            .venv/bin/pytest -p no:cacheprovider --numprocesses "$JOBS" -m "not realtime"
    done
fi

# A clone of its own, owned by a user who is not root and has nothing else.
as_another_user() {
    folder=$(mktemp -d) && chmod 755 "$folder" && git clone -q . "$folder/clone" || return 1
    chown -R 65534 "$folder"
    setpriv --reuid 65534 --regid 65534 --clear-groups --reset-env env HOME="$folder" \
        PATH=/usr/local/bin:/usr/bin:/bin make -C "$folder/clone" unit PYTHON="$PYTHON" JOBS="$JOBS"
    code=$?
    rm -rf "$folder"
    return $code
}
[ "$(id -u)" != 0 ] || run "all tests as another user" as_another_user

rm -f "$LOG"
exit $failed
