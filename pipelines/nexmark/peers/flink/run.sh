#!/usr/bin/env bash
# Runs one query on Flink: run.sh --query q4 --events FILE --epoch-events N --workers W
# Beside it stand lib/ (Flink's jars), classes/, tables.sql and queries/, as build.sh puts them. One collector
# for any number of cores; the young half of the heap holds what a row leaves behind.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
exec java -Xms"${FLINK_HEAP:-4g}" -Xmx"${FLINK_HEAP:-4g}" -XX:+UseParallelGC \
  -cp "$here/classes:$here/lib/*" millrace.nexmark.Main --sql "$here" "$@"
