#!/usr/bin/env bash
# Builds the engines that `millrace bench nexmark` compares with: dbsp's program and Flink's jars with our
# driver. What is already there and unchanged is left alone.
#
# Usage: pipelines/nexmark/peers/build.sh
# Out:   $MILLRACE_CACHE/peers/{dbsp,flink} (default ~/.cache/millrace)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${MILLRACE_CACHE:-${XDG_CACHE_HOME:-${HOME:?HOME is not set: set MILLRACE_CACHE to a folder}/.cache}/millrace}
peers=$cache/peers

fail() {
  echo "peers: $*" >&2
  exit 1
}

need() {
  command -v "$1" >/dev/null || fail "'$1' is missing. Debian/Ubuntu: apt-get install $2"
}

need java openjdk-17-jdk-headless
need javac openjdk-17-jdk-headless
need python3 python3
mkdir -p "$peers/dbsp" "$peers/flink"

# A workspace of its own: 440 crates that ours need not know.
(cd "$here/dbsp" && CARGO_TARGET_DIR="$cache/peers-target" cargo build --release --locked)
cp "$cache/peers-target/release/nexmark-dbsp" "$peers/dbsp/nexmark-dbsp.new"
mv "$peers/dbsp/nexmark-dbsp.new" "$peers/dbsp/nexmark-dbsp"

pin=$(grep '^apache-flink-libraries==' "$here/flink/requirements.txt")
if [ ! -f "$peers/flink/.stamp" ] || [ "$(cat "$peers/flink/.stamp")" != "$pin" ]; then
  python3 -m pip --version >/dev/null 2>&1 || fail "pip for python3 is missing. Debian/Ubuntu: apt-get install python3-pip"
  work=$(mktemp -d "$peers/.flink.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  python3 -m pip download --quiet --require-hashes --no-deps --only-binary :all: \
    --dest "$work" --requirement "$here/flink/requirements.txt" >&2 ||
    fail "pip could not download Flink's jars (330 MB) as pinned in $here/flink/requirements.txt"
  python3 -m zipfile -e "$work"/*.whl "$work/wheel"
  rm -rf "$peers/flink/lib"
  mv "$work/wheel/pyflink/lib" "$peers/flink/lib"
  printf '%s\n' "$pin" >"$peers/flink/.stamp"
fi

rm -rf "$peers/flink/classes" "$peers/flink/queries"
mkdir "$peers/flink/classes"
javac --release 17 -cp "$peers/flink/lib/*" -d "$peers/flink/classes" "$here"/flink/src/millrace/nexmark/*.java
cp -r "$here/flink/src/META-INF" "$here/flink/src/log4j2.properties" "$peers/flink/classes/"
cp -r "$here/flink/queries" "$here/flink/tables.sql" "$here/flink/run.sh" "$peers/flink/"
java -cp "$peers/flink/classes:$peers/flink/lib/*" millrace.nexmark.RowHash "$here/../tests/fingerprints.tsv" ||
  fail "the hash in Java is not the one in Rust"
echo "peers: dbsp and flink are in $peers" >&2
