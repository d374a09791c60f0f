# shellcheck shell=bash
# How a machine becomes a node of a Mesos cluster, and what the shared scripts ask of a COE.
# The lists are read by the shared scripts.
# shellcheck disable=SC2034

OWN_SETTINGS=(
    MESOS_API_ADDRESS=!
    MESOS_API_PORT=5050
    MESOS_API_SANS=
    MESOS_TLS=true
    MARATHON=true
    MESOS_PACKAGES_URL=
    MESOS_ISOLATION=
    MESOS_IMAGE_PROVIDERS=
    MESOS_WORK_DIR=/var/lib/mesos/agent
    EXECUTOR_ENVIRONMENT=
    RUNTIME_VOLUME=
)

# Orders besides those that every node knows.
OWN_ORDERS=()

# The certificate by which this node proves who it is.
IDENTITY=mesos

# Whose certificates a node may hold; members of ZooKeeper know each other by etcd's.
AUTHORITIES=(kubernetes etcd)

# Services that reach out through proxies.
SERVICES=(docker marathon mesos-agent)

PKI=/etc/mesos/pki

boot() {
    step identity
    step trust
    step proxy
    step volumes
    step certificates
    phase certificates
    step install
    if [[ $NODE_ROLE == master ]]; then
        step zookeeper
        phase runtime
        step master
        [[ $MARATHON != true ]] || step marathon
        phase control-plane
    else
        step docker
        phase runtime
        [[ $MESOS_TLS != true ]] || step tunnel
        step agent
        phase joined
    fi
}

# What Mesos and ZooKeeper keep lies there on all nodes.
step_volumes() { mount_volume "$RUNTIME_VOLUME" /var/lib/mesos "$(volume_users)"; }

volume_users() {
    if [[ $NODE_ROLE == master ]]; then
        say "zookeeper.service mesos-master.service"
    else
        say "docker.service mesos-agent.service"
    fi
}

step_ready() {
    live || return 0
    if [[ $NODE_ROLE == worker ]]; then
        wait_for 1800 "this agent to be registered with the leading master" agent_is_registered
        return 0
    fi
    wait_for 600 "this member of ZooKeeper" zookeeper_is_well
    wait_for 600 "this master" answers "$MESOS_API_PORT" /health
    [[ $MARATHON != true ]] || wait_for 600 "Marathon" marathon_answers
}

# What is reached without a proxy, besides nodes.
own_destinations() { say "$MESOS_API_ADDRESS"; }

own_versions() {
    local program name text
    for program in mesos:mesos-master mesos:mesos-agent docker:docker; do
        name=${program%%:*} program=${program#*:}
        [[ $program != mesos-master || $NODE_ROLE == master ]] || continue
        [[ $program != mesos-agent || $NODE_ROLE == worker ]] || continue
        command -v "$program" >/dev/null || continue
        text=$("$program" --version 2>/dev/null) || continue
        version_of "$name" "$text"
    done
}

# certificate_path NAME: where a certificate of certificates.tsv lives, without .crt or .key.
certificate_path() { say "$PKI/$1"; }

# ca_path TYPE: where the authority's certificate lives; TYPE as the API spells it.
ca_path() {
    case $1 in
    kubernetes) say "$PKI/ca.crt" ;;
    etcd) say "$PKI/zookeeper-ca.crt" ;;
    *) die "certificates.tsv names the authority '$1'; allowed: kubernetes, etcd" ;;
    esac
}

# own_names CERTIFICATE: what it is reached by besides the node's own name and address.
own_names() {
    local api=DNS
    [[ $NODE_ROLE == master && $1 == mesos ]] || return 0
    [[ ! $MESOS_API_ADDRESS =~ ^[0-9.]+$ ]] || api=IP
    say "DNS:localhost,IP:127.0.0.1,$api:$MESOS_API_ADDRESS,$MESOS_API_SANS"
}

# Everything reads certificates only when it starts. One after the other, each well before the next.
restart_services() {
    if [[ $NODE_ROLE == master ]]; then
        write_zookeeper_certificates
        [[ $MARATHON != true ]] || write_keystore
    else
        write_executor_certificate
    fi
    [[ $MESOS_TLS == true ]] || return 0
    live || return 0
    if [[ $NODE_ROLE == worker ]]; then
        systemctl restart mesos-zookeeper-tunnel mesos-agent
        wait_for 300 "this agent to be registered after its restart" agent_is_registered
        return 0
    fi
    wait_for 300 "this member of ZooKeeper before its restart" zookeeper_is_well
    systemctl restart zookeeper
    wait_for 300 "this member of ZooKeeper after its restart" zookeeper_is_well
    systemctl restart mesos-master
    wait_for 300 "this master after its restart" answers "$MESOS_API_PORT" /health
    [[ $MARATHON == true ]] || return 0
    systemctl restart marathon
    wait_for 300 "Marathon after its restart" marathon_answers
}

before_new_certificates() { :; }

each_round() { :; }

# follow_own KIND ORDER: an order of OWN_ORDERS, of which there are none.
follow_own() { die "the order '$1' is not known to this node's scripts"; }
