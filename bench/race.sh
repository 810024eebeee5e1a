#!/bin/sh
# The race: builds what takes part, runs it, prints ratios. Options go on to `eksile-bench race` (see --help).
#   KUBE_APISERVER=PATH  a kube-apiserver to race against (tests/oracle/build.sh makes one); without one there is no peer
#   ETCD=PATH            etcd, where it is not in PATH (Debian: etcd-server)
#   EKSILE=PATH          a built eksile; without it one is built
set -eu
cd "$(dirname "$0")/.."
cargo build --release -q -p eksile-bench
if [ -z "${EKSILE:-}" ]; then
    cargo build --release -q --bin eksile
    EKSILE=${CARGO_TARGET_DIR:-target}/release/eksile
fi
set -- --eksile "$EKSILE" "$@"
etcd=${ETCD:-$(command -v etcd || true)}
if [ -n "${KUBE_APISERVER:-}" ] && [ -n "$etcd" ]; then
    set -- --apiserver "$KUBE_APISERVER" --etcd "$etcd" "$@"
else
    echo "race: no peer (set KUBE_APISERVER, and install etcd-server): only Eksile and the floor run" >&2
fi
exec "${CARGO_TARGET_DIR:-target}/release/eksile-bench" race "$@"
