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
