#!/usr/bin/env bash
# Makes the Python environment of the ClickHouse tests in the cache and prints its interpreter.
# Cached: works offline afterwards. Exit 1 with the reason otherwise.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${MILLRACE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/millrace}
venv=$cache/clickhouse-connect
fail() {
  echo "venv: $*" >&2
  exit 1
}
mkdir -p "$cache"
exec 9>"$cache/.clickhouse-connect.lock"
flock 9
if ! cmp -s "$here/requirements.txt" "$venv/requirements.txt"; then
  rm -rf "$venv"
  python3 -m venv "$venv" >&2 || fail "python3 cannot make environments. Debian/Ubuntu: apt-get install python3-venv"
  "$venv/bin/python" -m pip install --quiet --only-binary :all: --requirement "$here/requirements.txt" >&2 ||
    fail "pip could not install $here/requirements.txt. The first run needs a network; later ones don't."
  cp "$here/requirements.txt" "$venv/requirements.txt"
fi
echo "$venv/bin/python"
