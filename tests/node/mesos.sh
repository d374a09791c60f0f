#!/bin/bash
# Tests of the Mesos node scripts: everything of them that can run without changing the machine, against an API with real
# authorities. The command lines that they write are held against the flags that Mesos and Marathon published
# (tests/mesos/flags.txt). Prints `ok` and `not ok` lines and ends with the count. Needs shellcheck, python3, openssl.
# Code in single quotes is for a shell that has read the scripts.
# shellcheck disable=SC2016
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=checks.sh
. tests/node/checks.sh

# node NAME ROLE INDEX ADDRESS [SETTING...]: the files that user_data would have written.
node() {
    local root=$WORK/$1 setting
    mkdir -p "$root/etc/jeroboam"
    cat >"$root/etc/jeroboam/node.env" <<END
CLUSTER_UUID='$UUID'
CLUSTER_NAME='it'\''s "one" \$5 100%'
NODE_ROLE='$2'
NODE_INDEX='$3'
NODE_NAME='$1'
NODE_ADDRESS='$4'
NODEGROUP_NAME='default $2'
API_URL='http://127.0.0.1:$(<"$API/port")/v1'
MASTER_NAMES='m-0,m-1,m-2'
MASTER_ADDRESSES='10.0.0.11,10.0.0.12,10.0.0.13'
MESOS_API_ADDRESS='10.0.0.5'
MESOS_API_SANS='IP:203.0.113.9'
END
    for setting in "${@:5}"; do echo "$setting" >>"$root/etc/jeroboam/node.env"; done
    cp "$API/token" "$root/etc/jeroboam/bootstrap-token"
    {
        printf 'mesos\tkubernetes\tsystem:node:{node}\tsystem:nodes\tboth\tyes\n'
        if [[ $2 == master ]]; then
            printf 'zookeeper\tetcd\t{node}\t-\tboth\tyes\n'
        else
            printf 'executor\tkubernetes\t{node}\t-\tserver\tyes\n'
        fi
    } >"$root/etc/jeroboam/certificates.tsv"
}

# words UNIT: the words of its command line as systemd would pass them, a JSON list.
words() {
    python '
import shlex
line = next(l for l in open(sys.argv[1]) if l.startswith("ExecStart="))[len("ExecStart="):]
print(json.dumps([w.replace("$$", "$").replace("%%", "%") for w in shlex.split(line)]))' "$1"
}

# published NODE UNIT: every flag of its command line is one that the program has.
published() {
    python '
words, known = json.loads(sys.argv[1]), {l.strip() for l in open(sys.argv[2])}
program = words[0].rsplit("/", 1)[-1]
flags = [w.split("=", 1)[0] for w in words[1:] if w.startswith("--")]
assert flags and all(f"{program} {flag}" in known for flag in flags), [f for f in flags if f"{program} {f}" not in known]' \
        "$(words "$WORK/$1/etc/systemd/system/$2.service")" tests/mesos/flags.txt
}

# variables FILE: every variable in it is one that is published.
variables() {
    python '
known = {l.strip() for l in open(sys.argv[2])}
names = [l.split("=", 1)[0] for l in open(sys.argv[1])]
assert all(f"environment {name}" in known for name in names), names' "$1" tests/mesos/flags.txt
}

# line NODE UNIT WORD...: its command line after the program.
line() {
    python 'assert json.loads(sys.argv[1])[1:] == sys.argv[2:], sys.argv[1]' "$(words "$WORK/$1/etc/systemd/system/$2.service")" "${@:3}"
}

masters() {
    local root=$WORK/m-1 unit
    check "a master's phases" test "$(reports m-1)" = "booted certificates runtime control-plane ready"
    check "a second run does nothing more" run m-1
    python 'print("\n".join(sorted(open(sys.argv[1]).read().split("\n"))))' "$root/etc/zookeeper/jeroboam/zoo.cfg" >"$WORK/zoo"
    local line
    for line in server.1=10.0.0.11:2888:3888 server.2=10.0.0.12:2888:3888 server.3=10.0.0.13:2888:3888 clientPortAddress=127.0.0.1 \
        secureClientPort=2281 secureClientPortAddress=10.0.0.12 sslQuorum=true ssl.clientAuth=need ssl.quorum.clientAuth=need \
        4lw.commands.whitelist=ruok,srvr admin.enableServer=false; do
        check "zoo.cfg: $line" grep -qxF "$line" "$WORK/zoo"
    done
    check "its number" test "$(<"$root/var/lib/mesos/zookeeper/myid")" = 2
    check "members trust an authority of their own" cmp "$root/etc/zookeeper/jeroboam/member-ca.pem" "$API/etcd.crt"
    check "and show a certificate by it" openssl verify -no-CApath -no-CAstore -CAfile "$API/etcd.crt" "$root/etc/zookeeper/jeroboam/member.pem"
    for unit in mesos-master marathon; do check "$unit: flags as published" published m-1 "$unit"; done
    check "mesos-master's command line" line m-1 mesos-master --zk=file:///etc/mesos/zk --quorum=2 '--cluster=it'\''s "one" $5 100%' \
        --work_dir=/var/lib/mesos/master --ip=10.0.0.12 --port=5050 --hostname=10.0.0.12
    check "marathon's command line" line m-1 marathon --hostname 10.0.0.12 --disable_http --https_address 10.0.0.12 --https_port 8443
    for unit in master marathon; do check "$unit: variables as published" variables "$root/etc/mesos/$unit.env"; done
    check "only holders of a certificate come in" contains "$root/etc/mesos/master.env" LIBPROCESS_SSL_REQUIRE_CLIENT_CERT=true
    check "nobody comes in without TLS" contains "$root/etc/mesos/master.env" LIBPROCESS_SSL_SUPPORT_DOWNGRADE=false
    check "where ZooKeeper is" grep -qE '^zk://mesos:[0-9a-f]{64}@127\.0\.0\.1:2181/mesos$' "$root/etc/mesos/zk"
    check "Marathon knows it too" contains "$root/etc/mesos/marathon.env" "MARATHON_MASTER=$(<"$root/etc/mesos/zk")"
    check "the secret is the same on all masters" cmp "$root/etc/mesos/zk" "$WORK/m-0/etc/mesos/zk"
    check "and in no unit" fails grep -rqF "$(<"$root/etc/mesos/zookeeper.secret")" "$root/etc/systemd"
    local name
    for name in zk zookeeper.secret master.env marathon.env keystore.password marathon.p12; do
        check "$name is root's alone" test "$(stat -c %a "$root/etc/mesos/$name")" = 600
    done
    check "the masters' key is not kept" fails grep -rqF "PRIVATE KEY" "$root/var/lib/jeroboam"
    openssl pkcs12 -in "$root/etc/mesos/marathon.p12" -passin "file:$root/etc/mesos/keystore.password" -nodes >"$WORK/store" 2>"$WORK/said"
    check "Marathon's store has the key" contains "$WORK/store" "PRIVATE KEY"
    if command -v keytool >/dev/null; then
        check "and whom to trust" contains <(STORE=$(<"$root/etc/mesos/keystore.password") keytool -list -keystore \
            "$root/etc/mesos/marathon.p12" -storepass:env STORE) "authority-1"
    else
        skipped "whom Marathon's store trusts" "keytool is not installed"
    fi
    openssl x509 -noout -ext subjectAltName -subject -in "$root/etc/mesos/pki/mesos.crt" >"$WORK/text"
    for name in DNS:m-1 'IP Address:10.0.0.12' 'IP Address:127.0.0.1' 'IP Address:10.0.0.5' 'IP Address:203.0.113.9' 'CN = system:node:m-1'; do
        check "a master's certificate has $name" contains "$WORK/text" "$name"
    done
    for name in 1:1 3:2 5:3; do
        check "quorum of ${name%:*}" test "$(inside m-1 "MASTER_NAMES=$(seq -s, "${name%:*}"); quorum")" = "${name#*:}"
    done
    check "a master that is none is refused" contains <(inside m-1 'NODE_ADDRESS=10.0.0.99; own_index' 2>&1) "is not among the masters"
}

agents() {
    local root=$WORK/w-0
    check "an agent's phases" test "$(reports w-0)" = "booted certificates runtime joined ready"
    check "mesos-agent: flags as published" published w-0 mesos-agent
    check "mesos-agent: variables as published" variables "$root/etc/mesos/agent.env"
    check "mesos-agent's command line" line w-0 mesos-agent --master=zk://127.0.0.1:2181/mesos --ip=10.0.0.21 --port=5051 \
        --hostname=10.0.0.21 --work_dir=/srv/mesos --containerizers="$(inside w-0 containerizers)" --executor_registration_timeout=5mins \
        "--attributes=nodegroup:default_worker;node:w-0" --isolation=filesystem/linux,docker/runtime --image_providers=DOCKER,APPC \
        --docker_store_dir=/var/lib/mesos/store/docker --appc_store_dir=/var/lib/mesos/store/appc \
        --executor_environment_variables=file:///etc/mesos/executor-environment.json
    check "the executors' environment" python 'assert json.load(open(sys.argv[1])) == {"A": "it'\''s"}' "$root/etc/mesos/executor-environment.json"
    check "executors can read their key" test "$(stat -c %a "$root/etc/mesos/executor/executor.key")" = 644
    check "which opens nothing" fails openssl verify -no-CApath -no-CAstore -CAfile "$API/kubernetes.crt" -purpose crlsign "$root/etc/mesos/executor/executor.crt"
    check "the node's own is root's" test "$(stat -c %a "$root/etc/mesos/pki/mesos.key")" = 600
    check "the way to ZooKeeper" python '
lines = [l.strip() for l in open(sys.argv[1])]
for address in ("10.0.0.11", "10.0.0.12", "10.0.0.13"):
    assert f"connect = {address}:2281" in lines and f"checkIP = {address}" in lines, lines
assert "verifyChain = yes" in lines and "accept = 127.0.0.1:2181" in lines, lines' "$root/etc/mesos/tunnel.conf"
    check "Docker's registry" python 'assert json.load(open(sys.argv[1])) == {"insecure-registries": ["10.0.0.3:5000"]}' "$root/etc/docker/daemon.json"
    check "no secret of the masters" fails grep -rqE 'zk://mesos:' "$root/etc"
}

plain() {
    local tls="MESOS_TLS='false'"
    node plain-0 master 0 10.0.0.11 "$tls"
    node plain-1 worker 1 10.0.0.22 "$tls"
    node alone-0 master 0 10.0.0.11 "$tls" "MARATHON='false'" "MASTER_NAMES='alone-0'" "MASTER_ADDRESSES='10.0.0.11'"
    local name
    for name in plain-0 plain-1 alone-0; do check "without TLS: $name" run "$name"; done
    check "ZooKeeper is for nodes" lacks "$WORK/plain-0/etc/zookeeper/jeroboam/zoo.cfg" clientPortAddress
    check "and speaks no TLS" lacks "$WORK/plain-0/etc/zookeeper/jeroboam/zoo.cfg" ssl
    check "masters know all members" grep -qE '^zk://mesos:[0-9a-f]{64}@10\.0\.0\.11:2181,10\.0\.0\.12:2181,10\.0\.0\.13:2181/mesos$' "$WORK/plain-0/etc/mesos/zk"
    check "marathon's command line" line plain-0 marathon --hostname 10.0.0.11 --http_address 10.0.0.11 --http_port 8080
    check "its flags are published" published plain-0 marathon
    check "no variables of TLS" lacks "$WORK/plain-0/etc/mesos/marathon.env" SSL
    check "the agent's way" contains "$WORK/plain-1/etc/systemd/system/mesos-agent.service" "zk://10.0.0.11:2181,10.0.0.12:2181,10.0.0.13:2181/mesos"
    check "agents show a secret" contains "$WORK/plain-1/etc/systemd/system/mesos-agent.service" "--credential=file:///etc/mesos/credential.json"
    check "by flags that are published" published plain-1 mesos-agent
    check "which masters ask for" contains "$WORK/plain-0/etc/systemd/system/mesos-master.service" "--authenticate_agents"
    check "by flags that are published too" published plain-0 mesos-master
    check "it is one" python '
masters, agent = (json.load(open(name)) for name in sys.argv[1:])
assert masters == {"credentials": [agent]} and agent == {"principal": "agent", "secret": "5e" * 32}, (masters, agent)' \
        "$WORK/plain-0/etc/mesos/agents.json" "$WORK/plain-1/etc/mesos/credential.json"
    check "which is root's" test "$(stat -c %a "$WORK/plain-0/etc/mesos/agents.json" "$WORK/plain-1/etc/mesos/credential.json" | sort -u)" = 600
    check "with TLS there is none" fails test -e "$WORK/m-1/etc/mesos/agents.json"
    check "goes through no tunnel" fails test -e "$WORK/plain-1/etc/systemd/system/mesos-zookeeper-tunnel.service"
    check "no Marathon where none is wanted" fails test -e "$WORK/alone-0/etc/systemd/system/marathon.service"
    check "a lone master's quorum" contains "$WORK/alone-0/etc/systemd/system/mesos-master.service" '"--quorum=1"'
}

proxies() {
    local unit masters=10.0.0.11,10.0.0.12,10.0.0.13,10.0.0.5
    for unit in docker marathon mesos-agent; do
        proxied m-2 "$unit" "example.org,127.0.0.1,localhost,10.0.0.13,$masters"
        proxied w-1 "$unit" "example.org,127.0.0.1,localhost,10.0.0.22,$masters"
        check "who has no proxies is told of none ($unit)" fails test -e "$WORK/w-0/etc/systemd/system/$unit.service.d/20-proxy.conf"
    done
}

units() {
    if ! command -v systemd-analyze >/dev/null; then
        skipped "the verification of units" "systemd-analyze is not installed"
        return 0
    fi
    local name unit folder=$WORK/units
    mkdir "$folder"
    for name in m-1/zookeeper m-1/mesos-master m-1/marathon w-0/mesos-zookeeper-tunnel w-0/mesos-agent; do
        unit=${name#*/}.service
        # Programs that are not here would be told of.
        sed 's#^ExecStart=[^ ]*#ExecStart=/bin/true#; /^User=/d; /^Group=/d; /^EnvironmentFile=/d' \
            "$WORK/${name%/*}/etc/systemd/system/$unit" >"$folder/$unit"
        check "systemd has nothing to say about $unit" test -z "$(systemd-analyze verify "$folder/$unit" 2>&1 | grep -F "$unit")"
    done
}

# Other authorities: all that reads certificates gets the new ones.
rotation() {
    python '
directory = sys.argv[1]
read = lambda name: open(f"{directory}/{name}.crt").read()
order = {"uuid": "commit-1", "kind": "commit"}
for name in ("kubernetes", "etcd", "front-proxy"):
    order[name + "_trust"] = order[name + "_issuer"] = read("next-" + name)
json.dump(order, open(directory + "/orders.json", "w"))' "$API"
    touch "$API/sign-next"
    local name
    for name in m-2 w-1; do check "$name follows the order" run "$name" orders; done
    check "ZooKeeper shows the new certificate" openssl verify -no-CApath -no-CAstore -CAfile "$API/next-kubernetes.crt" "$WORK/m-2/etc/zookeeper/jeroboam/node.pem"
    check "and trusts the new authority" cmp "$WORK/m-2/etc/zookeeper/jeroboam/member-ca.pem" "$API/next-etcd.crt"
    check "Marathon's store has it" openssl verify -no-CApath -no-CAstore -CAfile "$API/next-kubernetes.crt" <(openssl pkcs12 \
        -in "$WORK/m-2/etc/mesos/marathon.p12" -passin "file:$WORK/m-2/etc/mesos/keystore.password" -nodes -clcerts)
    check "executors have theirs" openssl verify -no-CApath -no-CAstore -CAfile "$API/next-kubernetes.crt" "$WORK/w-1/etc/mesos/executor/executor.crt"
    rm -f "$API/sign-next" "$API/orders.json"
}

# Software that is not there fails its step, with what to do.
missing_software() {
    check "a missing program is named" contains <(inside m-0 'needs no-such-program' 2>&1) \
        "no-such-program is not in this image, and the label mesos_packages_url names no repository"
    check "also one that a repository lacks" contains <(inside m-0 'MESOS_PACKAGES_URL=https://example.org; needs no-such-program' 2>&1) \
        "no-such-program is not there after the installation from https://example.org"
}

scripts_of mesos
start_api
for index in 0 1 2; do
    settings=()
    ((index < 2)) || settings=("${PROXIES[@]}")
    node "m-$index" master "$index" "10.0.0.1$((index + 1))" "${settings[@]}"
    check "master m-$index" run "m-$index"
done
node w-0 worker 0 10.0.0.21 "MESOS_ISOLATION='filesystem/linux,docker/runtime'" "MESOS_IMAGE_PROVIDERS='DOCKER,APPC'" \
    "MESOS_WORK_DIR='/srv/mesos'" "EXECUTOR_ENVIRONMENT='{\"A\":\"it'\\''s\"}'" "INSECURE_REGISTRY='10.0.0.3:5000'"
node w-1 worker 1 10.0.0.22 "${PROXIES[@]}"
for index in 0 1; do check "worker w-$index" run "w-$index"; done
masters
agents
plain
proxies
units
missing_software
rotation
ending
