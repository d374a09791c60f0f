# shellcheck shell=bash
# What the first master puts into the new cluster, once.

# kubectl with the right to do everything.
as_admin() {
    local file=/etc/kubernetes/super-admin.conf
    [[ -e $file ]] || file=/etc/kubernetes/admin.conf
    kubectl --kubeconfig "$file" --request-timeout=60s "$@"
}

step_addons() {
    local network=
    [[ $NETWORK_DRIVER != flannel ]] || network=$(flannel_manifest)
    live || return 0
    wait_for 300 "the right of kubeadm:cluster-admins" allow_admins
    wait_for 300 "kubeadm's configuration in the cluster" kubeadm init phase upload-config kubeadm --config "$KUBEADM"
    wait_for 300 "kube-proxy" kubeadm init phase addon kube-proxy --config "$KUBEADM"
    wait_for 300 "CoreDNS" kubeadm init phase addon coredns --config "$KUBEADM"
    [[ -z $CNI_MANIFEST_URL ]] || network=$(fetch_manifest "$CNI_MANIFEST_URL" "$CNI_MANIFEST_SHA256")
    [[ -z $network ]] || wait_for 300 "the pod network $NETWORK_DRIVER" apply "$network"
    [[ $CLOUD_PROVIDER != true ]] || cloud_configuration
}

apply() { as_admin apply --server-side --force-conflicts -f - <<<"$1"; }

allow_admins() {
    apply "apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: 'kubeadm:cluster-admins'}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: 'kubeadm:cluster-admins'}]"
}

fetch_manifest() {
    [[ -n $2 ]] || die "$1 has no SHA-256 sum"
    fetch "$1" "$2"
}

# Our manifest with this cluster's values in place of @NAME@.
flannel_manifest() {
    local text prefix=${IMAGE_PREFIX%/}
    prefix=${prefix:-ghcr.io/flannel-io}
    text=$(<"$ROOT/etc/jeroboam/addons/flannel.yaml")
    text=${text//@POD_CIDR@/$POD_CIDR}
    text=${text//@BACKEND@/$FLANNEL_BACKEND}
    text=${text//@SUBNET_LENGTH@/$FLANNEL_SUBNET_LENGTH}
    text=${text//@IMAGE@/$prefix/flannel:$FLANNEL_TAG}
    text=${text//@CNI_IMAGE@/$prefix/flannel-cni-plugin:$FLANNEL_CNI_TAG}
    [[ ! $text =~ @[A-Z_]+@ ]] || die "flannel.yaml holds the unknown marker ${BASH_REMATCH[0]}"
    say "$text"
}

# The credential that controllers in the cluster use at the cloud; it is absent where none was asked for.
cloud_configuration() {
    local text sum
    text=$(cloud_config_text)
    put_cloud_configuration "$text"
    sum=$(sha256sum <<<"$text")
    put 600 /var/lib/jeroboam/cloud-config.sum <<<"${sum%% *}"
}

cloud_config_text() {
    api 600 GET "/clusters/$CLUSTER_UUID/nodes/$NODE_NAME/cloud-config" || die "the API gives no cloud configuration"
}

put_cloud_configuration() {
    wait_for 300 "the secret cloud-config" apply "apiVersion: v1
kind: Secret
metadata: {name: cloud-config, namespace: kube-system}
type: Opaque
data: {cloud.conf: $(base64 -w 0 <<<"$1")}" >/dev/null
}
