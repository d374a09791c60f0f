# shellcheck shell=bash
# A member of etcd on every master: the members are known beforehand, so they find each other without discovery.

step_etcd() {
    local names addresses index members=
    IFS=, read -ra names <<<"$MASTER_NAMES"
    IFS=, read -ra addresses <<<"$MASTER_ADDRESSES"
    ((${#names[@]} == ${#addresses[@]})) || die "MASTER_NAMES and MASTER_ADDRESSES differ in length"
    for index in "${!names[@]}"; do
        members+=,${names[index]}=https://${addresses[index]}:2380
    done
    [[ $members, == *",$NODE_NAME=https://$NODE_ADDRESS:2380,"* ]] || die "$NODE_NAME at $NODE_ADDRESS is not among the masters"
    ! live || install_etcd
    put 600 /etc/etcd/etcd.env <<END
ETCD_NAME=$NODE_NAME
ETCD_DATA_DIR=/var/lib/etcd/data
ETCD_LISTEN_CLIENT_URLS=https://$NODE_ADDRESS:2379,https://127.0.0.1:2379
ETCD_ADVERTISE_CLIENT_URLS=https://$NODE_ADDRESS:2379
ETCD_LISTEN_PEER_URLS=https://$NODE_ADDRESS:2380
ETCD_INITIAL_ADVERTISE_PEER_URLS=https://$NODE_ADDRESS:2380
ETCD_INITIAL_CLUSTER=${members#,}
ETCD_INITIAL_CLUSTER_TOKEN=$CLUSTER_UUID
ETCD_INITIAL_CLUSTER_STATE=$ETCD_STATE
ETCD_LISTEN_METRICS_URLS=http://127.0.0.1:2381
ETCD_CERT_FILE=$PKI/etcd/server.crt
ETCD_KEY_FILE=$PKI/etcd/server.key
ETCD_TRUSTED_CA_FILE=$PKI/etcd/ca.crt
ETCD_CLIENT_CERT_AUTH=true
ETCD_PEER_CERT_FILE=$PKI/etcd/peer.crt
ETCD_PEER_KEY_FILE=$PKI/etcd/peer.key
ETCD_PEER_TRUSTED_CA_FILE=$PKI/etcd/ca.crt
ETCD_PEER_CLIENT_CERT_AUTH=true
ETCD_AUTO_COMPACTION_MODE=periodic
ETCD_AUTO_COMPACTION_RETENTION=8h
ETCD_QUOTA_BACKEND_BYTES=4294967296
ETCD_STRICT_RECONFIG_CHECK=true
ETCD_LOGGER=zap
END
    put 644 /etc/systemd/system/etcd.service <<END
[Unit]
Description=etcd
Wants=network-online.target
After=network-online.target
RequiresMountsFor=/var/lib/etcd

[Service]
Type=notify
EnvironmentFile=/etc/etcd/etcd.env
ExecStart=$(etcd_program)
Restart=always
RestartSec=5
TimeoutStartSec=infinity
LimitNOFILE=65536
Nice=-10
CapabilityBoundingSet=
NoNewPrivileges=yes
PrivateTmp=yes
ProtectHome=yes
ProtectSystem=strict
ReadWritePaths=/var/lib/etcd

[Install]
WantedBy=multi-user.target
END
    live || return 0
    mkdir -p /var/lib/etcd/data
    systemctl daemon-reload
    systemctl enable etcd
    # A member answers only once a majority of them runs: the others may boot much later.
    systemctl restart --no-block etcd
    wait_for 1800 "a majority of the etcd members $MASTER_NAMES" etcd_is_healthy
}

etcd_is_healthy() {
    [[ $(curl --silent --noproxy '*' --max-time 5 http://127.0.0.1:2381/health) == *'"health":"true"'* ]]
}

# Ours when there is one, else that of the image.
etcd_program() {
    if [[ -x /opt/bin/etcd ]]; then
        say /opt/bin/etcd
    else
        command -v etcd || say /usr/bin/etcd
    fi
}

# etcd of the image, else the program out of the container image that this Kubernetes is tested with.
install_etcd() {
    local image directory=/run/jeroboam-etcd
    [[ -n $ETCD_TAG ]] || ! command -v etcd >/dev/null || return 0
    image=$(kubeadm_image etcd "$ETCD_TAG")
    [[ -z $ETCD_TAG ]] || image=${image%:*}:$ETCD_TAG
    wait_for 900 "the image $image" pull_image "$image"
    mkdir -p "$directory" /opt/bin
    ctr -n jeroboam images mount "$image" "$directory"
    install -m 755 "$directory/usr/local/bin/etcd" /opt/bin/etcd
    ctr -n jeroboam images unmount --rm "$directory"
    relabel /opt/bin
    hash -r
}

pull_image() { ctr -n jeroboam images pull --hosts-dir /etc/containerd/certs.d "$1" >/dev/null; }
