#!/bin/sh
# The same requests to the real kube-apiserver and to Eksile, both alive: records the real server's answers, then
# prints the agreement and the differences.
#   oracle.sh            record, then compare
#   oracle.sh compare    compare with what is recorded
# ONLY=NAME,… confines either to the scenarios whose names contain one of these texts; other answers stay as they are.
# Needs Go (for the first build), etcd, openssl and python3. Everything listens on loopback and ends with this script.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cd "$root"
work=$(mktemp -d)
children=
finish() {
    # The real server lives as long as this end is open: closed before anybody is waited for.
    exec 9>&-
    for child in $children; do kill "$child" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

wait_for() {
    tries=0
    until [ -s "$1" ]; do
        tries=$((tries + 1))
        [ "$tries" -gt 300 ] && { echo "oracle: $2 did not start" >&2; exit 1; }
        sleep 0.1
    done
}

cargo build --quiet -p eksile-oracle -p eksile-plane --example control-plane --bin eksile-oracle
if [ "${1:-}" != compare ]; then
    server=$("$here/build.sh")
    mkfifo "$work/alive"
    "$here/serve.sh" "$work/real" "$server" <"$work/alive" >"$work/real.log" 2>&1 &
    children="$children $!"
    exec 9>"$work/alive"
    wait_for "$work/real/endpoint" "kube-apiserver (see its log)"
    echo "recording kube-apiserver $(basename "$(dirname "$server")")"
    target/debug/eksile-oracle --endpoint "$work/real/endpoint" --ca "$work/real/ca.pem" ${ONLY:+--only "$ONLY"} record
    exec 9>&-
fi

mkdir -p "$work/own"
cp "$here/tokens.csv" "$work/own/tokens.csv"
sed "s#FOLDER#$work/own#g" "$here/plane.json" >"$work/plane.json"
target/debug/examples/control-plane --config "$work/plane.json" >"$work/own.log" 2>&1 &
children="$children $!"
wait_for "$work/own/ready" "the control plane"
address=$(sed -n 's/.*"listeners":\["\([^"]*\)".*/\1/p' "$work/own/ready")
target/debug/eksile-oracle --endpoint "https://$address" --ca "$work/own/pki/ca.crt" ${ONLY:+--only "$ONLY"} compare
