#!/usr/bin/env bash
# Debian's Chromium for the browser tests: installed where that is allowed, else named.
set -euo pipefail
command -v chromium >/dev/null && exit 0

as_root=()
[ "$(id -u)" = 0 ] || as_root=(sudo -n)
if command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }; then
  echo "browser: installing Chromium" >&2
  "${as_root[@]}" apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends chromium >&2
else
  echo "missing: chromium, which the browser tests drive. Install: sudo apt-get install chromium" >&2
  exit 1
fi
