# shellcheck shell=bash
# API server, controller manager and scheduler as kubeadm's static pods, with an external etcd and no authority's key here.

KUBEADM=/etc/kubernetes/kubeadm.yaml

# This master's own API server, so that no part of a master depends on the load balancer.
local_api() { say "https://$NODE_ADDRESS:$KUBE_API_PORT"; }

# kubeconfig PATH CERTIFICATE SERVER: with everything inside, as static pods see no other file.
kubeconfig() {
    local path
    path=$ROOT$(certificate_path "$2")
    [[ -s $path.crt && -s $path.key ]] || die "$1 needs the certificate $2, which certificates.tsv does not list"
    put 600 "$1" <<END
apiVersion: v1
kind: Config
clusters:
- name: cluster
  cluster:
    server: $3
    certificate-authority-data: $(base64 -w 0 "$ROOT$PKI/ca.crt")
users:
- name: user
  user:
    client-certificate-data: $(base64 -w 0 "$path.crt")
    client-key-data: $(base64 -w 0 "$path.key")
contexts:
- name: context
  context: {cluster: cluster, user: user}
current-context: context
END
}

# flags OPTIONS: `--name=value` words as kubeadm's list of arguments.
flags() {
    local word words
    read -ra words <<<"$1"
    for word in "${words[@]}"; do
        [[ $word =~ ^--[a-z0-9-]+(=.*)?$ ]] || die "'$word' is not an option of the form --name=value"
        [[ $word == *=* ]] || word="$word=true"
        word=${word#--}
        printf '  - {name: %s, value: %s}\n' "${word%%=*}" "$(yaml "${word#*=}")"
    done
}

etcd_endpoints() {
    local address
    while IFS= read -r address; do
        say "    - https://$address:2379"
    done < <(items "$MASTER_ADDRESSES")
}

# The proxy has a configuration instead of options; these have a meaning in it.
proxy_configuration() {
    local word words name value
    read -ra words <<<"$KUBEPROXY_OPTIONS"
    for word in "${words[@]}"; do
        name=${word%%=*} value=${word#*=}
        case $name in
        --proxy-mode) say "mode: $(yaml "$value")" ;;
        --metrics-bind-address) say "metricsBindAddress: $(yaml "$value")" ;;
        --healthz-bind-address) say "healthzBindAddress: $(yaml "$value")" ;;
        --nodeport-addresses) say "nodePortAddresses: [$(yaml_items "$value")]" ;;
        *) die "kubeproxy_options: '$name'; allowed: --proxy-mode, --metrics-bind-address, --healthz-bind-address, --nodeport-addresses" ;;
        esac
    done
}

# What the API server needs to log who asked for what: options, and the directories that its pod must see.
audit_configuration() {
    cat <<END
  - {name: audit-policy-file, value: /etc/kubernetes/audit/policy.yaml}
  - {name: audit-log-path, value: /var/log/kubernetes/audit/audit.log}
  - {name: audit-log-maxage, value: '$AUDIT_LOG_MAXAGE'}
  - {name: audit-log-maxbackup, value: '$AUDIT_LOG_MAXBACKUP'}
  - {name: audit-log-maxsize, value: '$AUDIT_LOG_MAXSIZE'}
  extraVolumes:
  - {name: audit-policy, hostPath: /etc/kubernetes/audit, mountPath: /etc/kubernetes/audit, readOnly: true, pathType: Directory}
  - {name: audit-log, hostPath: /var/log/kubernetes/audit, mountPath: /var/log/kubernetes/audit, pathType: DirectoryOrCreate}
END
}

# Who, what, when and the answer, never bodies: they hold secrets. What the control plane asks itself all day is left out.
audit_policy() {
    cat <<'END'
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  nonResourceURLs: ['/healthz*', '/livez*', '/readyz*', '/version']
- level: None
  verbs: [get, list, watch]
  users: ['system:kube-controller-manager', 'system:kube-scheduler', 'system:apiserver']
- level: None
  resources:
  - {group: coordination.k8s.io, resources: [leases]}
  - {group: '', resources: [events]}
- level: Metadata
END
}

kubeadm_configuration() {
    local api controllers scheduler proxy audit=
    [[ $AUDIT_LOG != true ]] || audit=$(audit_configuration)
    api=$(flags "$KUBEAPI_OPTIONS")
    controllers=$(flags "$KUBECONTROLLER_OPTIONS")
    scheduler=$(flags "$KUBESCHEDULER_OPTIONS")
    proxy=$(proxy_configuration)
    cat <<END
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint:
  advertiseAddress: $NODE_ADDRESS
  bindPort: $KUBE_API_PORT
nodeRegistration:
  name: $NODE_NAME
  criSocket: unix:///run/containerd/containerd.sock
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
clusterName: $(yaml "$CLUSTER_NAME")
kubernetesVersion: ${KUBE_VERSION:-$(kubeadm version -o short)}
controlPlaneEndpoint: $(yaml "$KUBE_API_ADDRESS:$KUBE_API_PORT")
certificatesDir: $PKI
imageRepository: $(image_repository)
networking:
  podSubnet: $POD_CIDR
  serviceSubnet: $SERVICE_CIDR
  dnsDomain: $DNS_DOMAIN
etcd:
  external:
    endpoints:
$(etcd_endpoints)
    caFile: $PKI/etcd/ca.crt
    certFile: $PKI/apiserver-etcd-client.crt
    keyFile: $PKI/apiserver-etcd-client.key
apiServer:
  extraArgs:
  - {name: enable-admission-plugins, value: $(yaml "$ADMISSION_PLUGINS")}
  - {name: kubelet-certificate-authority, value: $PKI/ca.crt}
  - {name: profiling, value: 'false'}
$api
$audit
controllerManager:
  extraArgs:
  - {name: node-cidr-mask-size, value: $(yaml "$FLANNEL_SUBNET_LENGTH")}
  - {name: flex-volume-plugin-dir, value: /var/lib/kubelet/volumeplugins}
  - {name: profiling, value: 'false'}
$controllers
scheduler:
  extraArgs:
  - {name: profiling, value: 'false'}
$scheduler
dns: {$([[ -z $COREDNS_TAG ]] || say "imageTag: $COREDNS_TAG")}
---
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clusterCIDR: $POD_CIDR
$proxy
END
}

# Certificates and keys stand inside these files.
write_kubeconfigs() {
    local name server=https://$KUBE_API_ADDRESS:$KUBE_API_PORT
    [[ $NODE_ROLE == worker ]] || server=$(local_api)
    kubeconfig /etc/kubernetes/kubelet.conf kubelet "$server"
    [[ $NODE_ROLE == master ]] || return 0
    for name in admin controller-manager scheduler; do
        kubeconfig "/etc/kubernetes/$name.conf" "$name" "$server"
    done
    [[ ! -e $ROOT$(certificate_path super-admin).crt ]] || kubeconfig /etc/kubernetes/super-admin.conf super-admin "$server"
}

step_control_plane() {
    local configuration
    configuration=$(kubeadm_configuration)
    put 600 "$KUBEADM" <<<"$configuration"
    [[ $AUDIT_LOG != true ]] || audit_policy | put 600 /etc/kubernetes/audit/policy.yaml
    write_kubeconfigs
    live || return 0
    wait_for 1200 "the images of the control plane" kubeadm config images pull --config "$KUBEADM"
    kubeadm init phase control-plane all --config "$KUBEADM"
    start_kubelet
    wait_for 900 "this master's API server to say that it is ready" kubernetes /readyz >/dev/null
}

# kubernetes PATH: asks the Kubernetes API as this node.
kubernetes() {
    local server base=/var/lib/kubelet/pki/kubelet
    server=https://$KUBE_API_ADDRESS:$KUBE_API_PORT
    [[ $NODE_ROLE == worker ]] || server=$(local_api)
    curl --silent --fail --noproxy '*' --max-time 10 --cacert "$PKI/ca.crt" --cert "$base.crt" --key "$base.key" "$server$1"
}
