# shellcheck shell=bash
# How a machine becomes a node of a Kubernetes cluster, and what the shared scripts ask of a COE:
#   OWN_SETTINGS, OWN_ORDERS, IDENTITY, AUTHORITIES, SERVICES    the lists below
#   boot                                                         the steps of the first boot; `step_ready` is the last
#   own_versions, own_destinations                               below
#   certificate_path, ca_path, own_names                         pki.sh
#   restart_services, before_new_certificates, follow_own,
#   each_round                                                   rotation.sh
# The lists are read by the shared scripts.
# shellcheck disable=SC2034

OWN_SETTINGS=(
    KUBE_API_ADDRESS=!
    KUBE_API_PORT=6443
    KUBE_API_SANS=
    KUBE_VERSION=
    KUBE_INSTALL=image
    KUBE_PACKAGES_URL=https://pkgs.k8s.io/core:/stable:
    KUBE_TARBALL_URL=
    KUBE_TARBALL_SHA256=
    CONTAINERD_TARBALL_URL=
    CONTAINERD_TARBALL_SHA256=
    CNI_PLUGINS_URL=
    CNI_PLUGINS_SHA256=
    IMAGE_PREFIX=
    POD_CIDR=!
    SERVICE_CIDR=!
    DNS_SERVICE_ADDRESS=!
    DNS_DOMAIN=cluster.local
    NETWORK_DRIVER=flannel
    FLANNEL_BACKEND=vxlan
    FLANNEL_SUBNET_LENGTH=24
    FLANNEL_TAG=v0.26.7
    FLANNEL_CNI_TAG=v1.6.2-flannel1
    CNI_MANIFEST_URL=
    CNI_MANIFEST_SHA256=
    ETCD_VOLUME=
    ETCD_TAG=
    ETCD_STATE=new
    RUNTIME_VOLUME=
    COREDNS_TAG=
    ADMISSION_PLUGINS=NodeRestriction
    KUBELET_OPTIONS=
    KUBEAPI_OPTIONS=
    KUBECONTROLLER_OPTIONS=
    KUBESCHEDULER_OPTIONS=
    KUBEPROXY_OPTIONS=
    KUBELET_TLS_CIPHER_SUITES=
    AUDIT_LOG=false
    AUDIT_LOG_MAXAGE=30
    AUDIT_LOG_MAXBACKUP=10
    AUDIT_LOG_MAXSIZE=100
    SELINUX_MODE=
    CLOUD_PROVIDER=false
)

# Orders besides those that every node knows.
OWN_ORDERS=(credential credential-back)

# The certificate by which this node proves who it is.
IDENTITY=kubelet

# Whose certificates a node may hold.
AUTHORITIES=(kubernetes etcd front-proxy)

# Services that reach out through proxies.
SERVICES=(containerd kubelet)

boot() {
    step identity
    step trust
    step proxy
    step volumes
    step kernel
    step certificates
    [[ $NODE_ROLE == worker ]] || step service-account
    phase certificates
    step install
    step runtime
    phase runtime
    if [[ $NODE_ROLE == master ]]; then
        step etcd
        phase etcd
    fi
    step kubelet-files
    if [[ $NODE_ROLE == master ]]; then
        step control-plane
        phase control-plane
    fi
    step kubelet
    phase kubelet
    if [[ $NODE_ROLE == master && $NODE_INDEX == 0 ]]; then
        step addons
    fi
}

# What is reached without a proxy, besides nodes.
own_destinations() { say "$KUBE_API_ADDRESS,$POD_CIDR,$SERVICE_CIDR,.svc,.$DNS_DOMAIN"; }

# Versions of what runs here; Kubernetes' is its kubelet's.
own_versions() {
    local name text
    for name in containerd kubelet etcd; do
        command -v "$name" >/dev/null || continue
        text=$("$name" --version 2>/dev/null) || continue
        version_of "$name" "$text"
        [[ $name != kubelet ]] || version_of kubernetes "$text"
    done
}
