#!/usr/bin/env bash
# Licences, banned crates and sources, by cargo-deny where it is installed; the bans that protect users are checked
# without it too.
set -euo pipefail
cd "$(dirname "$0")/.."
for banned in ring openssl-sys rcgen; do
    if cargo tree --workspace --edges normal,build --invert "$banned" 2>/dev/null | grep -q .; then
        echo "banned crate in the tree: $banned (see deny.toml)" >&2
        exit 1
    fi
done
if command -v cargo-deny >/dev/null 2>&1; then
    cargo deny --offline check licenses bans sources
else
    echo "skipped: cargo-deny is not installed (cargo install cargo-deny)"
fi
# Known faults of the crates in Cargo.lock, where their list has been fetched (`cargo audit` does that once).
if ! command -v cargo-audit >/dev/null 2>&1; then
    echo "skipped: cargo-audit is not installed (cargo install cargo-audit)"
elif [ ! -d "${CARGO_HOME:-$HOME/.cargo}/advisory-db" ]; then
    echo "skipped: there is no list of advisories here (cargo audit fetches it)"
else
    cargo audit --no-fetch --stale
fi
