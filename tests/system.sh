#!/bin/sh
# Installs what a few tests need beside Python: a C compiler for the slowed fsync, a browser for the
# inspector's page, curl, jq and zsh for one-liners and scripts, a validator for HAR, npm with two of its packages, PHP,
# PostgreSQL and PgBouncer, which the tests start themselves.
# Programs only as root on Debian, and only what is missing; elsewhere those tests skip and say why,
# except with CI=true, where they fail.
set -eu

# A client of the agent's API, and the framework of a recipe. What ngrok's package would download
# when it is installed is not wanted.
npm_packages() {
    command -v npm >/dev/null || return 0
    [ -d .venv/npm/node_modules/ngrok ] && [ -d .venv/npm/node_modules/express ] && return 0
    npm install --prefix .venv/npm --ignore-scripts --no-audit --no-fund --silent ngrok@4.3.3 express@5 \
        || echo "npm could not install ngrok and express; the tests that need them report it."
}
trap npm_packages EXIT

command -v apt-get >/dev/null || exit 0
[ "$(id -u)" = 0 ] || exit 0
missing=""
command -v npm >/dev/null || missing="$missing npm"
command -v cc >/dev/null || missing="$missing gcc libc6-dev"
command -v chromium >/dev/null || missing="$missing chromium"
command -v curl >/dev/null || missing="$missing curl"
command -v jq >/dev/null || missing="$missing jq"
command -v zsh >/dev/null || missing="$missing zsh"
command -v php >/dev/null || missing="$missing php-cli"
[ -d /usr/share/nodejs/har-validator ] || missing="$missing nodejs node-har-validator"
if ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
    missing="$missing postgresql"
    # Debian's package makes and starts a server of its own, unless this says not to.
    mkdir -p /etc/postgresql-common
    [ -e /etc/postgresql-common/createcluster.conf ] \
        || echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
fi
command -v pgbouncer >/dev/null || missing="$missing pgbouncer"
[ -n "$missing" ] || exit 0
# Debian's package starts a service where there is an init system; the tests have their own.
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
known=""
for package in $missing; do # a release may not have all of them
    if apt-cache policy "$package" | grep -q "Candidate: [^(]"; then
        known="$known $package"
    else
        echo "This release of Debian has no $package; the tests that need it report that."
    fi
done
[ -n "$known" ] || exit 0
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends -o Dpkg::Options::=--force-confold $known >/dev/null
