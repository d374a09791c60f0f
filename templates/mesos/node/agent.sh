# shellcheck shell=bash
# The Mesos agent, its way to ZooKeeper, and Docker beside it.

# Docker is the image's; we only say where its data lie and which registry has no TLS.
step_docker() {
    local lines=()
    [[ -z $RUNTIME_VOLUME ]] || lines+=('"data-root": "/var/lib/mesos/docker"')
    [[ -z $INSECURE_REGISTRY ]] || lines+=("\"insecure-registries\": [$(json "$INSECURE_REGISTRY")]")
    ((${#lines[@]} > 0)) || return 0
    {
        say '{'
        printf '%s\n' "${lines[@]}" | sed 's/^/  /; $!s/$/,/'
        say '}'
    } | put 644 /etc/docker/daemon.json
    live || return 0
    command -v dockerd >/dev/null || return 0
    systemctl restart docker
}

# The ZooKeeper client of Mesos knows no TLS: what it says to this machine goes on to the masters with our certificate,
# and only to them.
step_tunnel() {
    local addresses address
    IFS=, read -ra addresses <<<"$MASTER_ADDRESSES"
    {
        cat <<END
foreground = yes
pid =
sslVersionMin = TLSv1.2
[zookeeper]
client = yes
accept = 127.0.0.1:2181
TIMEOUTconnect = 5
cert = $PKI/mesos.crt
key = $PKI/mesos.key
CAfile = $PKI/ca.crt
verifyChain = yes
END
        for address in "${addresses[@]}"; do
            printf 'connect = %s:2281\ncheckIP = %s\n' "$address" "$address"
        done
    } | put 644 /etc/mesos/tunnel.conf
    service mesos-zookeeper-tunnel "The way to ZooKeeper" 'Before=mesos-agent.service' 'NoNewPrivileges=yes' \
        "$(program stunnel /usr/bin)" /etc/mesos/tunnel.conf
}

# Executors run as whom a framework says, and must read what they need for TLS.
write_executor_certificate() {
    [[ $MESOS_TLS == true ]] || return 0
    put 644 /etc/mesos/executor/ca.crt <"$ROOT$PKI/ca.crt"
    put 644 /etc/mesos/executor/executor.crt <"$ROOT$PKI/executor.crt"
    put 644 /etc/mesos/executor/executor.key <"$ROOT$PKI/executor.key"
}

# Where the leading master is found.
masters_url() {
    local list=${MASTER_ADDRESSES//,/:2181,}:2181
    [[ $MESOS_TLS != true ]] || list=127.0.0.1:2181
    say "zk://$list/mesos"
}

containerizers() {
    if command -v docker >/dev/null; then say docker,mesos; else say mesos; fi
}

step_agent() {
    local words group
    # Of a name that an attribute's value can hold.
    group=$(tr -c 'A-Za-z0-9_.-' _ <<<"$NODEGROUP_NAME")
    words=(
        --master="$(masters_url)" --ip="$NODE_ADDRESS" --port=5051 --hostname="$NODE_ADDRESS" --work_dir="$MESOS_WORK_DIR"
        --containerizers="$(containerizers)" --executor_registration_timeout=5mins --attributes="nodegroup:${group%_};node:$NODE_NAME"
    )
    [[ -z $MESOS_ISOLATION ]] || words+=(--isolation="$MESOS_ISOLATION")
    [[ -z $MESOS_IMAGE_PROVIDERS ]] || words+=(
        --image_providers="$MESOS_IMAGE_PROVIDERS" --docker_store_dir=/var/lib/mesos/store/docker
        --appc_store_dir=/var/lib/mesos/store/appc
    )
    [[ -z $EXECUTOR_ENVIRONMENT ]] || {
        put 644 /etc/mesos/executor-environment.json <<<"$EXECUTOR_ENVIRONMENT"
        words+=(--executor_environment_variables=file:///etc/mesos/executor-environment.json)
    }
    if [[ $MESOS_TLS != true ]]; then
        agent_credential | put 600 /etc/mesos/credential.json
        words+=(--credential=file:///etc/mesos/credential.json)
    fi
    write_executor_certificate
    # Executors have no certificate for clients, and none but masters reach the port from outside.
    libprocess_environment false | put 600 /etc/mesos/agent.env
    service mesos-agent "Mesos agent" 'After=docker.service mesos-zookeeper-tunnel.service
RequiresMountsFor=/var/lib/mesos' 'EnvironmentFile=/etc/mesos/agent.env
KillMode=process
Delegate=yes' "$(program mesos-agent /usr/sbin)" "${words[@]}"
}

agent_is_registered() {
    local metrics
    metrics=$(ask 5051 /metrics/snapshot 2>/dev/null) || return 1
    [[ $metrics =~ \"slave\\?/registered\":1 ]]
}
