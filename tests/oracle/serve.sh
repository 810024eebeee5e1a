#!/bin/sh
# Runs etcd and the real kube-apiserver on free loopback ports until its standard input closes or it is told to end.
#   serve.sh DIR KUBE_APISERVER
# DIR gets ca.pem, tokens.csv and, when the server is ready, `endpoint` (its URL).
set -eu
dir=$1
server=$2
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
chmod 700 "$dir"
rm -f "$dir/endpoint"
cp "$here/tokens.csv" "$dir/tokens.csv"
for tool in etcd openssl python3; do
    command -v "$tool" >/dev/null || { echo "oracle: $tool is needed (Debian: etcd-server, openssl, python3)" >&2; exit 3; }
done
ports=$(python3 -c '
import socket
held = [socket.socket() for _ in range(3)]
for s in held: s.bind(("127.0.0.1", 0))
print(*[s.getsockname()[1] for s in held])')
# shellcheck disable=SC2086
set -- $ports
client=$1 peer=$2 api=$3

umask 077
openssl ecparam -name prime256v1 -genkey -noout -out "$dir/ca.key" 2>/dev/null
openssl req -x509 -new -key "$dir/ca.key" -subj /CN=oracle-ca -days 2 -out "$dir/ca.pem" 2>/dev/null
openssl ecparam -name prime256v1 -genkey -noout -out "$dir/server.key" 2>/dev/null
openssl req -new -key "$dir/server.key" -subj /CN=kube-apiserver 2>/dev/null |
    openssl x509 -req -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -CAcreateserial -days 2 -out "$dir/server.pem" \
        -extfile "$here/san.cnf" 2>/dev/null
openssl genrsa -out "$dir/sa.key" 2048 2>/dev/null
openssl rsa -in "$dir/sa.key" -pubout -out "$dir/sa.pub" 2>/dev/null

etcd --data-dir "$dir/etcd" --listen-client-urls "http://127.0.0.1:$client" \
    --advertise-client-urls "http://127.0.0.1:$client" --listen-peer-urls "http://127.0.0.1:$peer" \
    --initial-advertise-peer-urls "http://127.0.0.1:$peer" --initial-cluster "default=http://127.0.0.1:$peer" \
    >"$dir/etcd.log" 2>&1 &
etcd=$!
"$server" --etcd-servers "http://127.0.0.1:$client" --secure-port "$api" --bind-address 127.0.0.1 \
    --advertise-address 127.0.0.1 --endpoint-reconciler-type none \
    --tls-cert-file "$dir/server.pem" --tls-private-key-file "$dir/server.key" --client-ca-file "$dir/ca.pem" \
    --service-account-key-file "$dir/sa.pub" --service-account-signing-key-file "$dir/sa.key" \
    --service-account-issuer https://kubernetes.default.svc --authorization-mode Node,RBAC \
    --enable-admission-plugins NodeRestriction --allow-privileged=true --service-account-max-token-expiration 24h \
    --service-cluster-ip-range 10.100.0.0/16 --token-auth-file "$dir/tokens.csv" \
    >"$dir/apiserver.log" 2>&1 &
api_pid=$!
trap 'kill $api_pid $etcd 2>/dev/null; wait 2>/dev/null' EXIT
trap 'exit 0' INT TERM

python3 - "$api" "$dir" <<'P'
import ssl, sys, time, urllib.request
port, folder = sys.argv[1:]
trust = ssl.create_default_context(cafile=folder + "/ca.pem")
for _ in range(600):
    try:
        ask = urllib.request.Request(f"https://127.0.0.1:{port}/readyz", headers={"Authorization": "Bearer admin-token"})
        if urllib.request.urlopen(ask, context=trust, timeout=2).status == 200:
            open(folder + "/endpoint.part", "w").write(f"https://127.0.0.1:{port}\n")
            sys.exit(0)
    except OSError:
        pass
    time.sleep(0.1)
sys.exit("oracle: kube-apiserver did not become ready; see apiserver.log")
P
mv "$dir/endpoint.part" "$dir/endpoint"
echo "ready $(cat "$dir/endpoint")"
# In the background, so that a signal is heard at once.
exec 3<&0
cat <&3 >/dev/null &
wait $!
