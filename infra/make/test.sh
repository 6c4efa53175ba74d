#!/usr/bin/env bash
# Every test: of the crates on real servers, then the web app in a browser on a demo that sells.
# MILLRACE_TEST_LONG=1 adds what takes longer than half an hour: all crash seeds, the whole oracle,
# a million messages, Apache Kafka.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

cargo test --workspace --locked --no-fail-fast

# The broker has a workspace of its own.
broker_target="${MILLRACE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/millrace}/broker-target"
(cd infra/local/broker && CARGO_TARGET_DIR="$broker_target" cargo test --locked --ignore-rust-version)

if [ -n "${MILLRACE_TEST_LONG:-}" ]; then
  infra/local/kafka/run.sh cargo test --locked -p millrace-deps -p millrace-local --test it -- broker --test-threads=1
fi

infra/make/browser_tests.sh
