#!/usr/bin/env bash
# Builds the web app when one of its files has changed since the last build.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../api/web"

sources=$(git ls-files -co --exclude-standard . | LC_ALL=C sort | xargs -d '\n' sha256sum | sha256sum)
[ -f out/.sources ] && [ "$(cat out/.sources)" = "$sources" ] && exit 0

echo "web: building" >&2
npm ci --no-audit --no-fund --loglevel=error >&2
NEXT_TELEMETRY_DISABLED=1 npm run --silent build >&2
echo "$sources" >out/.sources
