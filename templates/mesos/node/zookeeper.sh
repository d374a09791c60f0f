# shellcheck shell=bash
# A member of ZooKeeper on every master: the members are known beforehand, so they find each other without discovery.
#
# With TLS, members speak it to each other, and agents come in through 2281 with their certificate; 2181 is for this
# master's own programs, since the ZooKeeper client of Mesos and Marathon knows no TLS.

ZOOKEEPER=/etc/zookeeper/jeroboam

# What runs it: Debian's package, else one below /opt, else the first in the path. Debian's own script leaves out what
# writes a log and what speaks TLS, so that its program is started as it is.
zookeeper_command() {
    local program part path=/usr/share/java/zookeeper.jar
    if [[ -e $path ]]; then
        for part in slf4j-simple netty-codec netty-resolver netty-transport-native-unix-common; do
            path+=:/usr/share/java/$part.jar
        done
        COMMAND=("$(program java /usr/bin)" -XX:+ExitOnOutOfMemoryError -cp "$path" org.apache.zookeeper.server.quorum.QuorumPeerMain)
        return 0
    fi
    program=/opt/zookeeper/bin/zkServer.sh
    [[ -x $program ]] || program=$(command -v zkServer.sh) || return 1
    COMMAND=("$program" start-foreground)
}

# The file of a member, for the node's own place among the masters.
zookeeper_configuration() {
    local addresses index
    IFS=, read -ra addresses <<<"$MASTER_ADDRESSES"
    cat <<END
tickTime=2000
initLimit=30
syncLimit=10
dataDir=/var/lib/mesos/zookeeper
clientPort=2181
4lw.commands.whitelist=ruok,srvr
admin.enableServer=false
autopurge.snapRetainCount=5
autopurge.purgeInterval=24
END
    for index in "${!addresses[@]}"; do
        say "server.$((index + 1))=${addresses[index]}:2888:3888"
    done
    [[ $MESOS_TLS == true ]] || return 0
    cat <<END
clientPortAddress=127.0.0.1
secureClientPort=2281
secureClientPortAddress=$NODE_ADDRESS
serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory
ssl.clientAuth=need
ssl.keyStore.type=PEM
ssl.keyStore.location=$ZOOKEEPER/node.pem
ssl.trustStore.type=PEM
ssl.trustStore.location=$ZOOKEEPER/ca.pem
sslQuorum=true
ssl.quorum.clientAuth=need
ssl.quorum.keyStore.type=PEM
ssl.quorum.keyStore.location=$ZOOKEEPER/member.pem
ssl.quorum.trustStore.type=PEM
ssl.quorum.trustStore.location=$ZOOKEEPER/member-ca.pem
END
}

step_zookeeper() {
    local index COMMAND=()
    index=$(own_index)
    # A machine that is only played has none.
    zookeeper_command || COMMAND=(/opt/zookeeper/bin/zkServer.sh start-foreground)
    zookeeper_configuration | put 644 "$ZOOKEEPER/zoo.cfg"
    say "$((index + 1))" | put 644 /var/lib/mesos/zookeeper/myid
    write_zookeeper_certificates
    if live; then
        id -u zookeeper >/dev/null 2>&1 ||
            useradd --system --user-group --home-dir /var/lib/mesos/zookeeper --shell /usr/sbin/nologin zookeeper
        chown -R zookeeper: /var/lib/mesos/zookeeper
        own_certificates
    fi
    service zookeeper "ZooKeeper, member $((index + 1))" 'RequiresMountsFor=/var/lib/mesos' "User=zookeeper
Group=zookeeper
Environment=JMXDISABLE=true
SuccessExitStatus=143
NoNewPrivileges=yes
PrivateTmp=yes
ProtectHome=yes
ProtectSystem=full" "${COMMAND[@]}" "$ZOOKEEPER/zoo.cfg"
    live || return 0
    wait_for 1800 "a majority of the members of ZooKeeper ($MASTER_NAMES)" zookeeper_is_well
}

# This node's place among the masters, from 0.
own_index() {
    local addresses index
    IFS=, read -ra addresses <<<"$MASTER_ADDRESSES"
    for index in "${!addresses[@]}"; do
        [[ ${addresses[index]} != "$NODE_ADDRESS" ]] || {
            say "$index"
            return 0
        }
    done
    die "$NODE_NAME at $NODE_ADDRESS is not among the masters $MASTER_ADDRESSES"
}

# Certificates as ZooKeeper reads them: key and certificate in one file.
write_zookeeper_certificates() {
    [[ $MESOS_TLS == true ]] || return 0
    cat "$ROOT$PKI/mesos.key" "$ROOT$PKI/mesos.crt" | put 640 "$ZOOKEEPER/node.pem"
    cat "$ROOT$PKI/zookeeper.key" "$ROOT$PKI/zookeeper.crt" | put 640 "$ZOOKEEPER/member.pem"
    put 644 "$ZOOKEEPER/ca.pem" <"$ROOT$PKI/ca.crt"
    put 644 "$ZOOKEEPER/member-ca.pem" <"$ROOT$PKI/zookeeper-ca.crt"
    ! live || ! id -u zookeeper >/dev/null 2>&1 || own_certificates
}

own_certificates() {
    [[ $MESOS_TLS == true ]] || return 0
    chgrp zookeeper "$ZOOKEEPER/node.pem" "$ZOOKEEPER/member.pem"
}

# four_letters WORD: what this member answers to it.
four_letters() {
    local answer address=127.0.0.1
    exec 8<>"/dev/tcp/$address/2181" || return 1
    printf '%s' "$1" >&8
    answer=$(timeout 5 cat <&8) || true
    exec 8<&-
    say "$answer"
}

# A member of a majority answers with its mode; one alone says that it serves nobody.
zookeeper_is_well() { [[ $(four_letters srvr 2>/dev/null) =~ Mode:\ (leader|follower|standalone) ]]; }
