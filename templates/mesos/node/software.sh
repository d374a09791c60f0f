# shellcheck shell=bash
# Where programs come from, how they are run, and how they are asked.

# Nobody publishes Mesos any more: all is in the image, or in a repository that the operator names.
step_install() {
    live || return 0
    [[ -z $MESOS_PACKAGES_URL ]] || install_packages
    if [[ $NODE_ROLE == master ]]; then
        needs java
        needs mesos-master
        zookeeper_command || die "ZooKeeper $(missing)"
        [[ $MARATHON != true ]] || needs marathon
        [[ $MARATHON != true || $MESOS_TLS != true ]] || needs keytool
    else
        needs mesos-agent
        [[ $MESOS_TLS != true ]] || needs stunnel
    fi
    # Packages start what they bring in their own way.
    systemctl disable --now mesos-slave 2>/dev/null || true
}

needs() { command -v "$1" >/dev/null || die "$1 $(missing)"; }
missing() {
    if [[ -z $MESOS_PACKAGES_URL ]]; then
        say "is not in this image, and the label mesos_packages_url names no repository to install it from"
    else
        say "is not there after the installation from $MESOS_PACKAGES_URL"
    fi
}

install_packages() {
    command -v apt-get >/dev/null || die "$MESOS_PACKAGES_URL cannot be used without apt"
    fetch "$MESOS_PACKAGES_URL/Release.key" '' | put 644 /etc/apt/keyrings/mesos.asc
    say "deb [signed-by=/etc/apt/keyrings/mesos.asc] $MESOS_PACKAGES_URL/ ./" | put 644 /etc/apt/sources.list.d/mesos.list
    apt_lists
    local packages=(mesos)
    if [[ $NODE_ROLE == master ]]; then
        packages+=(zookeeper)
        [[ $MARATHON != true ]] || packages+=(marathon)
    elif [[ $MESOS_TLS == true ]]; then
        packages+=(stunnel4)
    fi
    apt install --no-install-recommends "${packages[@]}"
}

# program NAME DIRECTORY: where it is, or where a node would have it.
program() { command -v "$1" || say "$2/$1"; }

# A word of a unit's command line; systemd reads C escapes, and wants % and $ doubled.
unit_word() {
    local text
    text=$(json "$1")
    text=${text//%/%%}
    say "${text//\$/\$\$}"
}

# service NAME DESCRIPTION UNIT-LINES SERVICE-LINES COMMAND WORD...: writes the unit and, on a node, has it run as it says.
service() {
    local name=$1 word line=$5
    for word in "${@:6}"; do line+=" $(unit_word "$word")"; done
    put 644 "/etc/systemd/system/$name.service" <<END
[Unit]
Description=$2
Wants=network-online.target
After=network-online.target
$3

[Service]
ExecStart=$line
Restart=always
RestartSec=5
LimitNOFILE=65536
$4

[Install]
WantedBy=multi-user.target
END
    live || return 0
    systemctl daemon-reload
    systemctl enable "$name"
    systemctl restart --no-block "$name"
}

# By which agents prove to masters who they are, where no certificate does.
agent_credential() {
    local answer secret
    answer=$(api 600 GET "/clusters/$CLUSTER_UUID/nodes/$NODE_NAME/agent-secret") ||
        die "the API gives no secret for agents"
    secret=$(json_text secret <<<"$answer")
    [[ $secret =~ ^[0-9a-f]{64}$ ]] || die "the API's secret for agents is none"
    say "{\"principal\": \"agent\", \"secret\": \"$secret\"}"
}

# What every program with libprocess in it is told; CLIENTS says whether only holders of a certificate may come in.
libprocess_environment() {
    [[ $MESOS_TLS == true ]] || return 0
    # Ours are elliptic keys, which none of libprocess' own ciphers takes.
    cat <<END
LIBPROCESS_SSL_ENABLED=true
LIBPROCESS_SSL_SUPPORT_DOWNGRADE=false
LIBPROCESS_SSL_CERT_FILE=$PKI/mesos.crt
LIBPROCESS_SSL_KEY_FILE=$PKI/mesos.key
LIBPROCESS_SSL_CA_FILE=$PKI/ca.crt
LIBPROCESS_SSL_VERIFY_SERVER_CERT=true
LIBPROCESS_SSL_REQUIRE_CLIENT_CERT=$1
LIBPROCESS_SSL_VERIFY_IPADD=true
LIBPROCESS_SSL_HOSTNAME_VALIDATION_SCHEME=openssl
LIBPROCESS_SSL_CIPHERS=ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384
END
}

# ask PORT PATH: what this node's own program answers there.
ask() {
    local options=(--silent --show-error --fail --noproxy '*' --connect-timeout 5 --max-time 20) scheme=http
    if [[ $MESOS_TLS == true ]]; then
        scheme=https
        options+=(--cacert "$ROOT$PKI/ca.crt" --cert "$ROOT$PKI/mesos.crt" --key "$ROOT$PKI/mesos.key")
    fi
    curl "${options[@]}" "$scheme://$NODE_ADDRESS:$1$2"
}

answers() { ask "$@" >/dev/null; }
