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
    ! live || wait_for 900 "the other etcd members to take this one in" take_place
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

# etcd_call ADDRESS CALL BODY: what that member answers to a call about members.
etcd_call() {
    local client=$ROOT$PKI/apiserver-etcd-client
    curl --silent --show-error --fail --noproxy '*' --connect-timeout 5 --max-time 30 --cacert "$ROOT$PKI/etcd/ca.crt" \
        --cert "$client.crt" --key "$client.key" --data "$3" "https://$1:2379/v3/cluster/member/$2"
}

# The members as the first of the others that answers knows them, in MEMBERS; that one's address is in PEER.
find_members() {
    for PEER in ${MASTER_ADDRESSES//,/ }; do
        [[ $PEER == "$NODE_ADDRESS" ]] || ! MEMBERS=$(etcd_call "$PEER" list '{}') || return 0
    done
    return 1
}

# A master that takes the place of one whose data are lost: the others forget that member and expect this one, which
# then starts in the existing cluster. Whoever has data starts with them; in a new cluster nobody has started yet.
# Run again it goes on where it stopped.
take_place() {
    local own
    [[ ! -d $ROOT/var/lib/etcd/data/member ]] || return 0
    find_members || { [[ $ETCD_STATE == new ]] && return 0 || return 1; }
    own=$(grep -F "\"https://$NODE_ADDRESS:2380\"" <<<"${MEMBERS//'},{'/$'}\n{'}") || own=
    if [[ $own == *'"clientURLs":['* ]]; then
        etcd_call "$PEER" remove "{\"ID\": \"$(json_text ID <<<"$own")\"}" >/dev/null || return 1
        own=
    fi
    # One of a new cluster is known by name before it starts; one that was added is not.
    [[ $own != *'"name":"'[!\"]* ]] || return 0
    [[ -n $own ]] || etcd_call "$PEER" add "{\"peerURLs\": [\"https://$NODE_ADDRESS:2380\"]}" >/dev/null || return 1
    ETCD_STATE=existing
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
