# Millrace: everything a person or CI runs. `make help` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:

# One cache for people and CI alike: a fresh clone reuses every compiled dependency.
export MILLRACE_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/millrace
export CARGO_TARGET_DIR ?= $(MILLRACE_CACHE)/target
BROKER_TARGET_DIR := $(MILLRACE_CACHE)/broker-target
PROGRAM := $(CARGO_TARGET_DIR)/debug/millrace

# Which demo: small (the 8 busiest shops, the last 26 weeks) or full.
DEMO ?= small
# Where the demo keeps its data.
DATA ?= $(MILLRACE_CACHE)/demo

.PHONY: help demo test test-long bench bench-peers build check prerequisites assets broker web browser lint clean-demo

help: ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: build ## Start everything, load the baskets, keep selling, print the address (DEMO=small|full)
	$(PROGRAM) demo --size $(DEMO) --data-dir $(DATA)

test: build browser ## All tests that fit 30 minutes
	infra/make/test.sh

test-long: build browser ## The rest: every crash seed, the whole oracle, Apache Kafka
	MILLRACE_TEST_LONG=1 infra/make/test.sh

bench: build ## The benchmarks, one JSON object each on stdout
	for bench in invoice e2e ingest; do $(PROGRAM) bench $$bench --output json; done

bench-peers: build ## Nexmark on the engine, DataFusion, dbsp and Flink; builds and fetches the last two first
	pipelines/nexmark/peers/build.sh
	$(PROGRAM) bench nexmark --peers datafusion,dbsp,flink --output json

build: prerequisites assets broker web ## Everything the programs need
	cargo build --workspace --locked

check: web ## Formatting, lints, types
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cd api/web && npm run --silent check

prerequisites: ## What can't be fetched: told by name, with the command that installs it
	@infra/make/prerequisites.sh

assets: prerequisites ## PostgreSQL, libchdb, the baskets, the .slt files: fetched once, checked, cached
	@infra/local/assets/fetch.sh
	@cargo fetch --quiet --locked --manifest-path pipelines/oracle/slt/Cargo.toml

# The broker has a workspace of its own: 600 crates that ours need not know. One of them declares a
# newer Rust than it needs, hence the flag.
broker: prerequisites ## The Kafka-protocol broker
	@cd infra/local/broker && CARGO_TARGET_DIR=$(BROKER_TARGET_DIR) cargo build --quiet --locked --ignore-rust-version

web: prerequisites ## The web app, exported to api/web/out
	@infra/make/web.sh

browser: ## Debian's Chromium, for the browser tests
	@infra/make/browser.sh

clean-demo: ## Forget the demo's data
	rm -rf $(DATA)
