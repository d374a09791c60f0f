# shellcheck shell=bash
# How a machine becomes a node of a swarm, and what the shared scripts ask of a COE.
# The lists are read by the shared scripts.
# shellcheck disable=SC2034

OWN_SETTINGS=(
    SWARM_API_ADDRESS=!
    SWARM_API_PORT=2376
    SWARM_API_SANS=
    SWARM_STATE=new
    SWARM_TLS=true
    SWARM_AUTOLOCK=false
    DOCKER_PACKAGE=docker.io
    DOCKER_PACKAGES_URL=https://download.docker.com/linux
    RUNTIME_VOLUME=
)

# Orders besides those that every node knows.
OWN_ORDERS=(join-tokens)

# What `bootstrap` does by name besides what it does on every node.
OWN_COMMANDS=(unlock)

# The certificate by which this node proves who it is; on managers it is the server's of the Docker API. It is none for
# clients, so nobody drives a manager with it.
IDENTITY=docker

# Whose certificates a node may hold.
AUTHORITIES=(kubernetes)

# Services that reach out through proxies.
SERVICES=(docker)

PKI=/etc/docker/pki

boot() {
    step identity
    step trust
    step proxy
    step volumes
    step certificates
    phase certificates
    step install
    step docker
    phase runtime
    step swarm
    phase joined
}

step_volumes() { mount_volume "$RUNTIME_VOLUME" /var/lib/docker docker.service; }

# A member that its swarm counts on; other managers may still be joining.
step_ready() {
    engine_is_here || return 0
    wait_for 600 "this node to be active in the swarm" is_active
}

# What is reached without a proxy, besides nodes.
own_destinations() { say "$SWARM_API_ADDRESS"; }

own_versions() {
    local text
    command -v dockerd >/dev/null || return 0
    text=$(dockerd --version 2>/dev/null) || return 0
    version_of docker "$text"
}

# certificate_path NAME: where a certificate of certificates.tsv lives, without .crt or .key.
certificate_path() { say "$PKI/$1"; }

# ca_path TYPE: where the authority's certificate lives; TYPE as the API spells it.
ca_path() {
    [[ $1 == kubernetes ]] || die "certificates.tsv names the authority '$1'; allowed: kubernetes"
    say "$PKI/ca.crt"
}

# own_names CERTIFICATE: what it is reached by besides the node's own name and address.
own_names() {
    local api=DNS
    [[ $NODE_ROLE == master ]] || return 0
    [[ ! $SWARM_API_ADDRESS =~ ^[0-9.]+$ ]] || api=IP
    say "DNS:localhost,IP:127.0.0.1,$api:$SWARM_API_ADDRESS,$SWARM_API_SANS"
}

# Nothing in a swarm trusts the cluster's authority but the API.
before_new_certificates() { :; }

# follow_own KIND ORDER: an order of OWN_ORDERS.
follow_own() { rotate_join_tokens; }

# command_own NAME: one of OWN_COMMANDS.
command_own() { open_state; }

# What is looked after whenever orders are fetched.
each_round() { keep_unlock_key; }
