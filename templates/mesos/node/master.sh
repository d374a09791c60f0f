# shellcheck shell=bash
# The Mesos master, and Marathon on top of it.

# Masters, and nobody else, may write where ZooKeeper says who leads: what they show for it comes out of the key that the
# API gives to masters alone, so that it is the same on all of them.
zookeeper_secret() {
    local file=/etc/mesos/zookeeper.secret key=$ROOT/var/lib/jeroboam/sa.key sum
    if [[ ! -e $ROOT$file ]]; then
        api 600 GET "/clusters/$CLUSTER_UUID/nodes/$NODE_NAME/service-account" >"$key.answer" ||
            die "the API gives no key for the masters"
        json_text private_key <"$key.answer" >"$key"
        sum=$(printf 'zookeeper of %s' "$CLUSTER_UUID" | openssl dgst -sha256 -sign "$key" | sha256sum)
        rm -f "$key" "$key.answer"
        put 600 "$file" <<<"${sum%% *}"
    fi
    cat "$ROOT$file"
}

# zookeeper_url PATH SECRET: as Mesos and Marathon read it.
zookeeper_url() {
    local list=${MASTER_ADDRESSES//,/:2181,}:2181
    [[ $MESOS_TLS != true ]] || list=127.0.0.1:2181
    say "zk://mesos:$2@$list$1"
}

# The least number of masters that is a majority.
quorum() {
    local names
    IFS=, read -ra names <<<"$MASTER_NAMES"
    say $((${#names[@]} / 2 + 1))
}

step_master() {
    local secret credential words=()
    secret=$(zookeeper_secret)
    if [[ $MESOS_TLS != true ]]; then
        credential=$(agent_credential)
        say "{\"credentials\": [$credential]}" | put 600 /etc/mesos/agents.json
        words=(--authenticate_agents --credentials=file:///etc/mesos/agents.json)
    fi
    # In a file, since anyone on the machine may read the words of a command line.
    zookeeper_url /mesos "$secret" | put 600 /etc/mesos/zk
    libprocess_environment true | put 600 /etc/mesos/master.env
    service mesos-master "Mesos master" 'After=zookeeper.service
RequiresMountsFor=/var/lib/mesos' 'EnvironmentFile=/etc/mesos/master.env' "$(program mesos-master /usr/sbin)" \
        --zk=file:///etc/mesos/zk --quorum="$(quorum)" --cluster="$CLUSTER_NAME" --work_dir=/var/lib/mesos/master \
        --ip="$NODE_ADDRESS" --port="$MESOS_API_PORT" --hostname="$NODE_ADDRESS" "${words[@]}"
    live || return 0
    wait_for 600 "this master" answers "$MESOS_API_PORT" /health
}

# Marathon's own port for what the leading master tells it, which may be another machine.
SCHEDULER_PORT=9090

step_marathon() {
    local secret words
    secret=$(zookeeper_secret)
    write_keystore
    {
        say "MARATHON_MASTER=$(zookeeper_url /mesos "$secret")"
        say "MARATHON_ZK=$(zookeeper_url /marathon "$secret")"
        say "LIBPROCESS_IP=$NODE_ADDRESS"
        say "LIBPROCESS_PORT=$SCHEDULER_PORT"
        libprocess_environment true
        [[ $MESOS_TLS != true ]] || {
            say "MESOSPHERE_KEYSTORE_PATH=/etc/mesos/marathon.p12"
            say "MESOSPHERE_KEYSTORE_PASS=$(keystore_password)"
        }
    } | put 600 /etc/mesos/marathon.env
    words=(--hostname "$NODE_ADDRESS")
    if [[ $MESOS_TLS == true ]]; then
        words+=(--disable_http --https_address "$NODE_ADDRESS" --https_port 8443)
    else
        words+=(--http_address "$NODE_ADDRESS" --http_port 8080)
    fi
    service marathon Marathon 'After=zookeeper.service mesos-master.service' 'EnvironmentFile=/etc/mesos/marathon.env
SuccessExitStatus=143' "$(program marathon /usr/bin)" "${words[@]}"
    live || return 0
    wait_for 900 "Marathon" marathon_answers
}

marathon_answers() {
    local port=8080
    [[ $MESOS_TLS != true ]] || port=8443
    answers "$port" /ping
}

# It guards a key that lies beside it, in the same hands.
keystore_password() {
    local file=/etc/mesos/keystore.password
    [[ -e $ROOT$file ]] || openssl rand -hex 24 | put 600 "$file"
    cat "$ROOT$file"
}

# Key, certificate and whom to trust, as Java reads them: Marathons speak to the one that leads.
write_keystore() {
    local password store=$ROOT/etc/mesos/marathon.p12 number=0 folder part
    [[ $MESOS_TLS == true ]] || return 0
    password=$(keystore_password)
    rm -f "$store.new"
    openssl pkcs12 -export -name marathon -in "$ROOT$PKI/mesos.crt" -inkey "$ROOT$PKI/mesos.key" \
        -out "$store.new" -passout "file:$ROOT/etc/mesos/keystore.password"
    folder=$(mktemp -d "$ROOT/var/lib/jeroboam/trust.XXXXXX")
    awk -v folder="$folder" '/-----BEGIN CERTIFICATE-----/ { n++ } { print > (folder "/" n ".pem") }' "$ROOT$PKI/ca.crt"
    # A machine that is only played has no Java; the key is what a test looks at.
    if live || command -v keytool >/dev/null; then
        for part in "$folder"/*.pem; do
            number=$((number + 1))
            KEYSTORE_PASSWORD=$password keytool -importcert -noprompt -alias "authority-$number" -file "$part" \
                -keystore "$store.new" -storetype PKCS12 -storepass:env KEYSTORE_PASSWORD
        done
    fi
    rm -rf "$folder"
    chmod 600 "$store.new"
    mv -f "$store.new" "$store"
}
