#!/usr/bin/env bash
# Checks what the build can't get for itself, all at once, and says how to install each.
set -euo pipefail

missing=0
need() { # program, what for, how to install
  command -v "$1" >/dev/null && return
  missing=1
  printf 'missing: %-8s %s\n         install: %s\n' "$1" "$2" "$3" >&2
}

need cargo "builds the programs" "curl and the installer of rustup.rs, or your distribution's rustup"
need node "builds the web app" "Node.js 20.9 or newer, for example apt-get install nodejs"
need npm "fetches the web app's packages" "comes with Node.js, or apt-get install npm"
need python3 "fetches PostgreSQL and the demo's data" "apt-get install python3 python3-pip python3-venv"
need cc "compiles C libraries" "apt-get install build-essential"
need make "compiles the Kafka client" "apt-get install make"
need cmake "compiles the broker's store" "apt-get install cmake"
[ "$missing" = 0 ] || exit 1

node_version=$(node --version)
if [ "$(printf '%s\n' v20.9.0 "$node_version" | sort -V | head -n 1)" != v20.9.0 ]; then
  echo "too old: Node.js $node_version; the web app needs 20.9 or newer" >&2
  exit 1
fi
