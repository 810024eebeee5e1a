# The two commands of the README, and what they are made of.

SHELL := /bin/bash
CARGO ?= cargo
# aws and kubectl of this project's own, when scripts/install.sh had to fetch them.
export PATH := $(CURDIR)/target/tools/bin:$(PATH)

.PHONY: quickstart test tools build check lint oracle race figures attack soak soak-kill fuzz clean-data

## From nothing to a container's log.
quickstart: tools
	$(CARGO) build --release --bin eksile
	target/release/eksile quickstart $(ARGS)

## Everything that CI runs.
test: tools lint
	$(CARGO) build --bin eksile
	$(CARGO) test --workspace

## Format, lints, tables, arrows, sizes, documentation.
lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- --deny warnings
	$(CARGO) xtask lists --check
	$(CARGO) xtask arrows
	$(CARGO) xtask recipes
	$(CARGO) xtask security
	$(CARGO) xtask sizes --check
	scripts/deny.sh

## Installs what is missing, or says what to install.
tools:
	scripts/install.sh

build:
	$(CARGO) build --release --bin eksile

## The same requests to the real kube-apiserver and to Eksile (builds the former through Go).
oracle: tools
	tests/oracle/oracle.sh

## The same load on Eksile, on kube-apiserver and etcd, and on the floor.
race: tools
	KUBE_APISERVER=$$(tests/oracle/build.sh) bench/race.sh

## First figures of a running installation: DATA=FOLDER, made by `eksile quickstart`.
figures: tools
	$$(command -v eksile-python || command -v python3) bench/figures.py target/release/eksile $(DATA)

## What SECURITY.md promises, attacked: by unmodified clients on an installation, and part by part. `make test` has the
## short form of it.
attack: tools
	$(CARGO) build --bin eksile
	EKSILE_ATTACK=long $(CARGO) test -p eksile-tests --test attack -- --nocapture
	EKSILE_ATTACK=long $(CARGO) test --workspace --exclude eksile-tests
	EKSILE_ATTACK=long $(CARGO) test -p eksile-tests --test decoders

## A thousand kills of the store's process, instead of CI's fifty.
soak:
	EKSILE_KILLS=1000 $(CARGO) test -p eksile-store --release -- --nocapture crash

## Eighty kills of the processes of an installation while both doors are written to: nothing acknowledged is lost.
soak-kill: tools
	$(CARGO) build --bin eksile
	EKSILE_ATTACK=long EKSILE_ATTACK_ONLY="processes are killed" $(CARGO) test -p eksile-tests --test attack -- --nocapture

## Every decoder of foreign bytes under libFuzzer (a minute each: SECONDS_EACH=N), then longer runs of the property tests.
fuzz:
	scripts/fuzz.sh $(or $(SECONDS_EACH),60)
	PROPTEST_CASES=20000 $(CARGO) test --workspace --release --lib -- garbage never_panics
