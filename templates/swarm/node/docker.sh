# shellcheck shell=bash
# Docker: its program, its configuration, and how it is asked.

step_install() {
    # It is there where a run has ended in the midst of an installation: that one's dockerd may lack what it needs.
    local begun=$ROOT/var/lib/jeroboam/install-begun
    live || return 0
    if [[ -e $begun ]] || ! command -v dockerd >/dev/null; then
        command -v apt-get >/dev/null || die "dockerd is not in this image, and without apt it cannot be installed"
        [[ ! -e $begun ]] || mend_packages
        : >"$begun"
        if [[ $DOCKER_PACKAGE == docker-ce ]]; then
            install_docker_ce
        else
            apt_lists
            # Without AppArmor's programs Docker starts no container where the kernel has AppArmor.
            apt install --no-install-recommends apparmor docker.io
        fi
        rm "$begun"
    fi
    command -v dockerd >/dev/null || die "dockerd is not there after the installation of $DOCKER_PACKAGE"
}

# apt refuses to work on what an installation left that was cut off.
mend_packages() {
    DEBIAN_FRONTEND=noninteractive dpkg --configure -a || true
    apt --fix-broken install
}

install_docker_ce() {
    local distro release
    distro=$(os_release ID) release=$(os_release VERSION_CODENAME)
    fetch "$DOCKER_PACKAGES_URL/$distro/gpg" '' | put 644 /etc/apt/keyrings/docker.asc
    say "deb [signed-by=/etc/apt/keyrings/docker.asc] $DOCKER_PACKAGES_URL/$distro $release stable" |
        put 644 /etc/apt/sources.list.d/docker.list
    apt_lists
    apt install --no-install-recommends apparmor containerd.io docker-ce docker-ce-cli
}

# os_release KEY: what the system says of itself.
os_release() { sed -n "s/^$1=\"\{0,1\}\([^\"]*\)\"\{0,1\}$/\1/p" "$ROOT/etc/os-release"; }

# Only managers listen to the network, and only to holders of a client certificate of the cluster, unless its owner
# wants no TLS. No live-restore: a swarm's nodes cannot have it.
daemon_configuration() {
    local hosts='"unix:///run/docker.sock"' tls='' registries=''
    if [[ $NODE_ROLE == master ]]; then
        hosts+=", $(json "tcp://$NODE_ADDRESS:$SWARM_API_PORT")"
        tls='
  "tls": false,'
        [[ $SWARM_TLS != true ]] || tls="
  \"tlsverify\": true,
  \"tlscacert\": \"$PKI/ca.crt\",
  \"tlscert\": \"$PKI/docker.crt\",
  \"tlskey\": \"$PKI/docker.key\","
    fi
    [[ -z $INSECURE_REGISTRY ]] || registries="
  \"insecure-registries\": [$(json "$INSECURE_REGISTRY")],"
    cat <<END
{
  "hosts": [$hosts],$tls$registries
  "data-root": "/var/lib/docker",
  "storage-driver": "overlay2",
  "log-driver": "json-file",
  "log-opts": {"max-size": "10m", "max-file": "5"}
}
END
}

step_docker() {
    local configuration wants=''
    configuration=$(daemon_configuration)
    put 644 /etc/docker/daemon.json <<<"$configuration"
    ! locks || { write_unlock_unit && wants=' jeroboam-unlock.service'; }
    # Instead of the packages' unit: that one names hosts, which the configuration does too, and wants a socket unit.
    put 644 /etc/systemd/system/docker.service <<END
[Unit]
Description=Docker
Wants=network-online.target containerd.service$wants
After=network-online.target containerd.service
RequiresMountsFor=/var/lib/docker
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart=$(command -v dockerd || say /usr/bin/dockerd)
ExecReload=/bin/kill -s HUP \$MAINPID
Restart=always
RestartSec=5
TimeoutStartSec=0
LimitNOFILE=1048576
LimitNPROC=infinity
TasksMax=infinity
Delegate=yes
KillMode=process
OOMScoreAdjust=-500

[Install]
WantedBy=multi-user.target
END
    live || return 0
    systemctl daemon-reload
    systemctl disable --now docker.socket || true
    systemctl enable docker
    systemctl restart docker
    wait_for 300 "docker" engine_answers
}

# True on a node, and where a machine that is only played has a Docker that is played too.
engine_is_here() { live || [[ -S $ROOT/run/docker.sock ]]; }

# engine METHOD PATH [BODY]: what this machine's Docker answers. Over its socket, so that no secret is in an argument.
engine() {
    local answer code options=()
    [[ $# -lt 3 ]] || options=(--header 'Content-Type: application/json' --data-binary @-)
    answer=$(curl --silent --show-error --noproxy '*' --max-time 180 --unix-socket "$ROOT/run/docker.sock" --request "$1" \
        "${options[@]}" --write-out '\n%{http_code}' "http://docker$2" <<<"${3:-}") || return 1
    code=${answer##*$'\n'} answer=${answer%$'\n'*}
    if [[ $code != 2?? ]]; then
        say "docker, $1 ${2%%\?*}: answer $code, $(json_text message <<<"$answer")" | scrub >&2
        return 1
    fi
    say "$answer"
}

engine_answers() { engine GET /info >/dev/null; }

# json_object KEY: the object under this key of the JSON on standard input, which is written without blanks.
json_object() {
    awk -v "key=\"$1\":{" 'BEGIN { RS = "\001" } {
        at = index($0, key); if (!at) exit 1
        objects(substr($0, at + length(key) - 1), 1)
    }'"$JSON_OBJECTS"
}

# json_objects: those of a list on standard input, one a line.
json_objects() { awk 'BEGIN { RS = "\001" } { objects($0, 0) }'"$JSON_OBJECTS"; }

# Prints the outermost objects of a text, or the first one.
JSON_OBJECTS='
    function objects(text, one,    i, c, depth, quoted, start) {
        for (i = 1; i <= length(text); i++) {
            c = substr(text, i, 1)
            if (quoted) { if (c == "\\") i++; else if (c == "\"") quoted = 0 }
            else if (c == "\"") quoted = 1
            else if (c == "{") { if (!depth++) start = i }
            else if (c == "}" && !--depth) { print substr(text, start, i - start + 1); if (one) exit }
        }
    }'
