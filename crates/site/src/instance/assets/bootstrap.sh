#!/bin/sh
# Makes this instance a node of an EKS cluster: reads the arguments of the EKS optimized AMI's bootstrap, finds the
# cluster, writes the kubelet's configuration and starts it.
set -eu

PATH="/opt/eksile/bin:$PATH"
METADATA="http://169.254.169.254/latest"
KUBELET_CONFIG=/etc/kubernetes/kubelet/config.json
CA_FILE=/etc/kubernetes/pki/ca.crt
KUBECONFIG_FILE=/var/lib/kubelet/bootstrap-kubeconfig

say() {
    echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) [eks-bootstrap] $1: $2"
}

fail() {
    say ERROR "$1" >&2
    exit 1
}

usage() {
    cat <<'TEXT'
usage: /etc/eks/bootstrap.sh CLUSTER_NAME [options]
Registers this instance with an EKS cluster.

  --apiserver-endpoint URL       where the cluster's API is
  --b64-cluster-ca TEXT          the cluster's authority, base64
  --cluster-id ID                id of a local cluster (with --enable-local-outpost true)
  --enable-local-outpost BOOL    whether the cluster is local to an Outpost
  --dns-cluster-ip IP            address of the cluster's DNS service
  --kubelet-extra-args TEXT      further arguments of the kubelet
  --service-ipv4-cidr CIDR       block of service addresses
  --use-max-pods BOOL            whether to limit pods by the instance type's addresses (true)
Taken and of no effect here: --aws-api-retry-attempts, --container-runtime, --containerd-config-file,
  --docker-config-json, --enable-docker-bridge, --ip-family, --local-disks, --mount-bpf-fs,
  --pause-container-account, --pause-container-version, --service-ipv6-cidr
TEXT
}

CLUSTER="" ENDPOINT="" CA_DATA="" CLUSTER_ID="" LOCAL="" DNS_IP="" EXTRA_ARGS="" SERVICE_CIDR="" USE_MAX_PODS=true

while [ $# -gt 0 ]; do
    case "$1" in
        -h | --help)
            usage
            exit 0
            ;;
        --*)
            [ $# -ge 2 ] || fail "$1 needs a value"
            case "$1" in
                --apiserver-endpoint) ENDPOINT="$2" ;;
                --b64-cluster-ca) CA_DATA="$2" ;;
                --cluster-id) CLUSTER_ID="$2" ;;
                --enable-local-outpost) LOCAL="$2" ;;
                --dns-cluster-ip) DNS_IP="$2" ;;
                --kubelet-extra-args) EXTRA_ARGS="$2" ;;
                --service-ipv4-cidr) SERVICE_CIDR="$2" ;;
                --use-max-pods) USE_MAX_PODS="$2" ;;
                --aws-api-retry-attempts | --container-runtime | --containerd-config-file | --docker-config-json | \
                    --enable-docker-bridge | --ip-family | --local-disks | --mount-bpf-fs | \
                    --pause-container-account | --pause-container-version | --service-ipv6-cidr)
                    say INFO "$1 has no effect here"
                    ;;
                *)
                    usage >&2
                    fail "unknown argument $1"
                    ;;
            esac
            shift 2
            ;;
        *)
            [ -z "$CLUSTER" ] || fail "unexpected argument $1"
            CLUSTER="$1"
            shift
            ;;
    esac
done

[ -n "$CLUSTER" ] || fail "the cluster's name is missing"
case "$LOCAL" in "" | true | false) ;; *) fail "--enable-local-outpost must be true or false" ;; esac

metadata() {
    eksile fetch "$METADATA/$1"
}

# Repeats a command a few times, with growing pauses.
patiently() {
    pause=1
    while ! "$@"; do
        [ "$pause" -le 8 ] || return 1
        sleep "$pause"
        pause=$((pause * 2))
    done
}

# One string of the cluster's description.
described() {
    printf '%s' "$DESCRIPTION" | sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"
}

describe() {
    DESCRIPTION="$(metadata "eksile/clusters/$CLUSTER")"
}

REGION="$(patiently metadata meta-data/placement/region)" || fail "the metadata service does not answer"
DESCRIPTION=""
HOST="$(printf '%s' "$ENDPOINT" | sed -e 's|^[a-z]*://||' -e 's|[:/].*$||')"

if [ -z "$ENDPOINT" ] || [ -z "$CA_DATA" ]; then
    say INFO "no --apiserver-endpoint and --b64-cluster-ca: asking for the description of $CLUSTER"
    patiently describe || fail "cluster $CLUSTER is not known here"
    CA_DATA="${CA_DATA:-$(described certificate_authority_data)}"
    ENDPOINT="https://$(described endpoint_name)"
    # What the description says beats the argument.
    CLUSTER_ID="$(described id)"
    LOCAL="${LOCAL:-true}"
else
    case "$HOST" in
        127.* | localhost)
            # Callers on the machine that hosts all this see a loopback address; here the cluster has its real name.
            patiently describe || fail "cluster $CLUSTER is not known here, and $ENDPOINT leads nowhere from an instance"
            say INFO "endpoint $ENDPOINT is for callers outside; from here it is https://$(described endpoint_name)"
            ENDPOINT="https://$(described endpoint_name)"
            ;;
    esac
fi
[ -n "$CA_DATA" ] || fail "the cluster's certificate authority is not known yet"
HOST="$(printf '%s' "$ENDPOINT" | sed -e 's|^[a-z]*://||' -e 's|[:/].*$||')"

IDENTITY="$CLUSTER"
if [ "$LOCAL" = true ]; then
    [ -n "$CLUSTER_ID" ] || fail "Cluster ID is required when local Outpost support is enabled"
    IDENTITY="$CLUSTER_ID"
    resolve() {
        ADDRESSES="$(getent ahostsv4 "$HOST" | sed 's/ .*//' | sort -uR)"
        [ -n "$ADDRESSES" ]
    }
    case "$HOST" in
        *[!0-9.]*)
            patiently resolve || fail "$HOST does not resolve"
            # The node must find its cluster when the Region, and with it DNS, is away.
            for address in $ADDRESSES; do
                grep -q "^$address $HOST\$" /etc/hosts || echo "$address $HOST" >>/etc/hosts
            done
            say INFO "$HOST is at $(echo $ADDRESSES)"
            ;;
    esac
fi

mkdir -p "${CA_FILE%/*}" "${KUBELET_CONFIG%/*}" "${KUBECONFIG_FILE%/*}" /etc/eksile
printf '%s' "$CA_DATA" | base64 -d >"$CA_FILE"

if [ -z "$DNS_IP" ]; then
    if [ -n "$SERVICE_CIDR" ]; then
        DNS_IP="$(printf '%s' "$SERVICE_CIDR" | sed 's|\.[0-9]*/.*$|.10|')"
    else
        MAC="$(metadata meta-data/mac)"
        case "$(metadata "meta-data/network/interfaces/macs/$MAC/vpc-ipv4-cidr-block")" in
            10.*) DNS_IP=172.20.0.10 ;;
            *) DNS_IP=10.100.0.10 ;;
        esac
    fi
fi

# Addresses of the type's interfaces, each one's own not counted, and two for pods of the node's own network.
max_pods() {
    case "$1" in
        t3.nano | t3.micro) echo 4 ;;
        t3.small) echo 11 ;;
        t3.medium) echo 17 ;;
        t3.large) echo 35 ;;
        c5.large | m5.large | r5.large | c5d.large | m5d.large | r5d.large) echo 29 ;;
        *.4xlarge | *.8xlarge | *.9xlarge | *.12xlarge | *.16xlarge) echo 234 ;;
        *.24xlarge | *.metal) echo 737 ;;
        *.xlarge | *.2xlarge) echo 58 ;;
        *) echo 110 ;;
    esac
}
MAX_PODS="$(max_pods "$(metadata meta-data/instance-type)")"

# 6 % of the first processor, 1 % of the second, 0.5 % of the next two, 0.25 % of the others.
reserved_cpu() {
    awk -v n="$(nproc)" 'BEGIN {
        m = 60
        if (n > 1) m += 10
        for (i = 3; i <= n && i <= 4; i++) m += 5
        if (n > 4) m += (n - 4) * 2.5
        printf "%dm", m
    }'
}

LIMIT=""
[ "$USE_MAX_PODS" != true ] || LIMIT="\"maxPods\": $MAX_PODS,"
cat >"$KUBELET_CONFIG" <<JSON
{
  "kind": "KubeletConfiguration",
  "apiVersion": "kubelet.config.k8s.io/v1beta1",
  "authentication": {"anonymous": {"enabled": false}, "webhook": {"enabled": true}, "x509": {"clientCAFile": "$CA_FILE"}},
  "authorization": {"mode": "Webhook"},
  "clusterDomain": "cluster.local",
  "clusterDNS": ["$DNS_IP"],
  $LIMIT
  "kubeReserved": {"cpu": "$(reserved_cpu)", "ephemeral-storage": "1Gi", "memory": "$((11 * MAX_PODS + 255))Mi"},
  "evictionHard": {"memory.available": "100Mi", "nodefs.available": "10%", "nodefs.inodesFree": "5%"},
  "serverTLSBootstrap": true
}
JSON

cat >"$KUBECONFIG_FILE" <<YAML
apiVersion: v1
kind: Config
clusters:
- name: kubernetes
  cluster:
    certificate-authority: $CA_FILE
    server: $ENDPOINT
contexts:
- name: kubelet
  context: {cluster: kubernetes, user: kubelet}
current-context: kubelet
users:
- name: kubelet
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1beta1
      command: aws-iam-authenticator
      args: ["token", "-i", "$IDENTITY", "--region", "$REGION"]
YAML

printf '%s' "$EXTRA_ARGS" | xargs -n 1 printf '%s\n' >/etc/eksile/kubelet.args
systemctl enable --now kubelet
say INFO "kubelet of cluster $CLUSTER started"
