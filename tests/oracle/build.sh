#!/bin/sh
# Builds the real kube-apiserver of the pinned version through the Go module proxy into target/oracle/.
# Cold it takes some minutes; nothing is rebuilt when the binary is there. Needs Go; etcd comes from the system's packages.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
out=${ORACLE_DIR:-$root/target/oracle}
version=$(sed -n 's/^require k8s.io\/kubernetes v//p; s/^\tk8s.io\/kubernetes v//p' "$here/go.mod" | head -n 1)
# Its own name is part of what it answers: it manages the fields of what it makes.
stamp="$out/$version/kube-apiserver"
mkdir -p "$out/$version"
[ -x "$stamp" ] && { echo "$stamp"; exit 0; }
command -v go >/dev/null || { echo "oracle: go is needed to build kube-apiserver $version (a Debian package: golang)" >&2; exit 3; }
flag=k8s.io/component-base/version
major=${version%%.*}
minor=${version#*.}
minor=${minor%%.*}
cd "$here"
# Without these flags the server calls itself v0.0.0 and clients go astray.
go build -mod=mod -trimpath -o "$stamp.part" \
    -ldflags "-s -w -X $flag.gitVersion=v$version -X $flag.gitMajor=$major -X $flag.gitMinor=$minor" \
    k8s.io/kubernetes/cmd/kube-apiserver >&2
mv "$stamp.part" "$stamp"
echo "$stamp"
