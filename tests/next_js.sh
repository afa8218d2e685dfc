#!/bin/sh
# Builds the Next.js recipe with the newest Next.js 16 in .venv/next-js, serves it, and audits it.
# What npm installs has 340 MB, so `make test` serves the route with Node alone.
set -eu
cd "$(dirname "$0")/.."
app=.venv/next-js
export NEXT_TELEMETRY_DISABLED=1 TIKTOK_CLIENT_SECRET=example-client-secret
if [ ! -d $app/node_modules/next ]; then
    mkdir -p $app
    npm install --prefix $app --ignore-scripts --no-audit --no-fund --silent next@16 react@19 react-dom@19
fi
rm -rf $app/app $app/.next $app/inbox
mkdir -p $app/app/webhook
cp docs/examples/node/route.js docs/examples/node/inbox.mjs docs/examples/node/tiktok.mjs $app/app/webhook
cat >$app/app/layout.js <<'END'
export default function Layout({ children }) {
  return <html><body>{children}</body></html>;
}
END
port=$(.venv/bin/python -c 'from tests.apps import free_port; print(free_port())')
cd $app
node node_modules/next/dist/bin/next build
TIKTOK_INBOX=inbox node node_modules/next/dist/bin/next start --hostname 127.0.0.1 --port "$port" &
server=$!
trap 'kill $server' EXIT
tries=0
until curl --silent --output /dev/null "http://127.0.0.1:$port/webhook"; do
    tries=$((tries + 1))
    [ $tries -lt 120 ] || { echo "Next.js does not listen after 60 s."; exit 1; }
    sleep 0.5
done
../bin/tiktok-hook audit "http://127.0.0.1:$port/webhook"
