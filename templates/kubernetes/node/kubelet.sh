# shellcheck shell=bash
# The kubelet, with certificates that we fetched: nothing is signed inside the cluster.

# Nova's id of this server, as the cloud's metadata service knows it.
server_id() {
    live || return 0
    curl --silent --noproxy '*' --max-time 5 --retry 3 http://169.254.169.254/openstack/latest/meta_data.json | json_text uuid
}

# taints: those of the control plane on masters, and those asked for (key=value:effect).
taints() {
    local taint list=
    [[ $NODE_ROLE == worker ]] || list="- {key: node-role.kubernetes.io/control-plane, effect: NoSchedule}"$'\n'
    while IFS= read -r taint; do
        [[ $taint =~ ^([^=:]+)(=([^:]*))?:(NoSchedule|PreferNoSchedule|NoExecute)$ ]] || die "NODE_TAINTS: '$taint' is not key=value:effect"
        list+="- {key: $(yaml "${BASH_REMATCH[1]}"), value: $(yaml "${BASH_REMATCH[3]}"), effect: ${BASH_REMATCH[4]}}"$'\n'
    done < <(items "$NODE_TAINTS")
    [[ -z $list ]] || printf 'registerWithTaints:\n%s' "$list"
}

kubelet_configuration() {
    local id taints optional=
    id=$(server_id) || id=
    taints=$(taints)
    [[ -z $KUBELET_TLS_CIPHER_SUITES ]] || optional+="tlsCipherSuites: [$KUBELET_TLS_CIPHER_SUITES]"$'\n'
    [[ -z $id ]] || optional+="providerID: openstack:///$id"$'\n'
    [[ $NODE_ROLE == worker ]] || optional+="staticPodPath: /etc/kubernetes/manifests"$'\n'
    [[ ! -e $ROOT/run/systemd/resolve/resolv.conf ]] || optional+="resolvConf: /run/systemd/resolve/resolv.conf"$'\n'
    cat <<END
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: $PKI/ca.crt}
authorization: {mode: Webhook}
tlsCertFile: /var/lib/kubelet/pki/kubelet.crt
tlsPrivateKeyFile: /var/lib/kubelet/pki/kubelet.key
rotateCertificates: false
serverTLSBootstrap: false
cgroupDriver: systemd
clusterDNS: [$DNS_SERVICE_ADDRESS]
clusterDomain: $DNS_DOMAIN
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
healthzBindAddress: 127.0.0.1
healthzPort: 10248
volumePluginDir: /var/lib/kubelet/volumeplugins
shutdownGracePeriod: 60s
shutdownGracePeriodCriticalPods: 20s
$optional$taints
END
}

# label_value TEXT: as much of it as a label's value may hold, which begins and ends with a letter or digit.
label_value() {
    local text=${1//[^A-Za-z0-9._-]/-}
    text=${text:0:63}
    text=${text#"${text%%[A-Za-z0-9]*}"}
    text=${text%"${text##*[A-Za-z0-9]}"}
    say "${text:-$NODE_ROLE}"
}

kubelet_flags() {
    local labels
    labels="magnum.openstack.org/role=$(label_value "${NODEGROUP_ROLE:-$NODE_ROLE}")"
    labels+=",magnum.openstack.org/nodegroup=$(label_value "$NODEGROUP_NAME")"
    printf '%s ' --config=/var/lib/kubelet/config.yaml --kubeconfig=/etc/kubernetes/kubelet.conf \
        "--hostname-override=$NODE_NAME" "--node-ip=$NODE_ADDRESS" "--node-labels=$labels${NODE_LABELS:+,$NODE_LABELS}"
    [[ $CLOUD_PROVIDER != true ]] || printf '%s ' --cloud-provider=external
    flags "$KUBELET_OPTIONS" >/dev/null
    printf '%s' "${KUBELET_OPTIONS//%/%%}"
}

step_kubelet_files() {
    local server=https://$KUBE_API_ADDRESS:$KUBE_API_PORT arguments configuration
    [[ $NODE_ROLE == worker ]] || server=$(local_api)
    kubeconfig /etc/kubernetes/kubelet.conf kubelet "$server"
    configuration=$(kubelet_configuration)
    put 600 /var/lib/kubelet/config.yaml <<<"$configuration"
    arguments=$(kubelet_flags)
    put 644 /etc/systemd/system/kubelet.service <<END
[Unit]
Description=kubelet
Wants=network-online.target
After=network-online.target containerd.service
StartLimitIntervalSec=0

[Service]
ExecStart=$(command -v kubelet || say /usr/bin/kubelet) $arguments
Restart=always
RestartSec=10

[Install]
WantedBy=multi-user.target
END
    # The packages bring a drop-in of this name that would start the kubelet with other options.
    printf '# The unit kubelet.service holds all options.\n' | put 644 /etc/systemd/system/kubelet.service.d/10-kubeadm.conf
    (umask 022 && mkdir -p "$ROOT/etc/kubernetes/manifests")
}

start_kubelet() {
    systemctl daemon-reload
    systemctl enable kubelet
    systemctl restart kubelet
}

step_kubelet() {
    live || return 0
    [[ $NODE_ROLE == master ]] || start_kubelet
    wait_for 300 "the kubelet to be healthy" kubelet_is_healthy
    # The control plane may still be booting when a worker gets here.
    wait_for 2700 "node $NODE_NAME in the Kubernetes API" kubernetes "/api/v1/nodes/$NODE_NAME" >/dev/null
    [[ $NODE_ROLE == worker ]] || { register_anew && label_master; }
}

# A master that takes the place of another has that one's name, and is registered as that one's server until it is not.
register_anew() {
    local id known
    id=$(server_id) || id=
    known=$(kubernetes "/api/v1/nodes/$NODE_NAME" | json_text providerID) || return 0
    [[ -n $id && $known != "openstack:///$id" ]] || return 0
    as_admin delete --ignore-not-found node "$NODE_NAME"
    systemctl restart kubelet
    wait_for 300 "node $NODE_NAME in the Kubernetes API again" kubernetes "/api/v1/nodes/$NODE_NAME" >/dev/null
}

kubelet_is_healthy() {
    [[ $(curl --silent --noproxy '*' --max-time 5 http://127.0.0.1:10248/healthz) == ok ]]
}

# Labels that a kubelet may not give itself.
label_master() {
    wait_for 300 "the label of node $NODE_NAME" as_admin label --overwrite node "$NODE_NAME" node-role.kubernetes.io/control-plane=
}

# The node is ready once pods can run on it; that takes a pod network, where we are the ones to bring it.
step_ready() {
    live || return 0
    [[ $NETWORK_DRIVER == flannel || -n $CNI_MANIFEST_URL ]] || return 0
    wait_for 1800 "node $NODE_NAME to be Ready" node_is_ready
}

node_is_ready() {
    [[ $(kubernetes "/api/v1/nodes/$NODE_NAME" | tr -d ' \n') == *'"type":"Ready","status":"True"'* ]]
}
