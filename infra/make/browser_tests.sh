#!/usr/bin/env bash
# The web app's tests, against a small demo that is started for them and selling.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

data=$(mktemp -d "${TMPDIR:-/tmp}/millrace-browser.XXXXXX")
chmod 711 "$data"
"$CARGO_TARGET_DIR/debug/millrace" demo --size small --port 0 --data-dir "$data" 2>"$data/demo.log" &
demo=$!
finish() {
  kill -TERM "$demo" 2>/dev/null || true
  wait "$demo" 2>/dev/null || true
  rm -rf "$data"
}
trap finish EXIT

echo "browser tests: loading the small demo" >&2
for _ in $(seq 600); do
  grep -q '^  password ' "$data/demo.log" && break
  if ! kill -0 "$demo" 2>/dev/null; then
    cat "$data/demo.log" >&2
    exit 1
  fi
  sleep 1
done

field() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$data/$1" "$2"; }
BASE_URL=$(field operator.json url)
MILLRACE_EMAIL=$(field demo-login.json email)
MILLRACE_PASSWORD=$(field demo-login.json password)
export BASE_URL MILLRACE_EMAIL MILLRACE_PASSWORD
cd api/web && npm run --silent test
