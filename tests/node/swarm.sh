#!/bin/bash
# Tests of the node scripts of swarms, against an API with real authorities and a Docker that is played by
# tests/cloud/python/dockerengine.py. Prints `ok` and `not ok` lines and ends with the count. Needs shellcheck, python3,
# openssl.
# Code in single quotes is for a shell that has read the scripts.
# shellcheck disable=SC2016
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=checks.sh
. tests/node/checks.sh

# node NAME ROLE INDEX ADDRESS [SETTING...]: the files that user_data would have written, and a Docker.
node() {
    local root=$WORK/$1 setting tries
    mkdir -p "$root/etc/jeroboam.new"
    cat >"$root/etc/jeroboam.new/node.env" <<END
CLUSTER_UUID='$UUID'
CLUSTER_NAME='swarm'
NODE_ROLE='$2'
NODE_INDEX='$3'
NODE_NAME='$1'
NODE_ADDRESS='$4'
NODEGROUP_NAME='default $2'
API_URL='http://127.0.0.1:$(<"$API/port")/v1'
MASTER_NAMES='m-0,m-1,m-2'
MASTER_ADDRESSES='10.0.0.10,10.0.0.11,10.0.0.12'
SWARM_API_ADDRESS='10.0.0.5'
SWARM_API_SANS='IP:203.0.113.9,DNS:api.example.org'
END
    for setting in "${@:5}"; do echo "$setting" >>"$root/etc/jeroboam.new/node.env"; done
    cp "$API/token" "$root/etc/jeroboam.new/bootstrap-token"
    printf 'docker\tkubernetes\tsystem:node:{node}\tsystem:nodes\tserver\tyes\n' >"$root/etc/jeroboam.new/certificates.tsv"
    mv "$root/etc/jeroboam.new" "$root/etc/jeroboam"
    until [[ -S $root/run/docker.sock ]]; do sleep 0.05; done
}

# gone NAME: the machine is deleted.
gone() {
    rm -rf "${WORK:?}/$1"
    sleep 0.3
}

# told KIND: the order that the API gives.
told() { printf '{"uuid": "%s-1", "kind": "%s"}' "$1" "$1" >"$API/orders.json"; }

# members [NAME]: what the first manager, or that one, knows, as name:role:state, sorted.
members() {
    curl -s --unix-socket "$WORK/${1:-m-0}/run/docker.sock" http://docker/nodes | python '
nodes = [(n["Description"]["Hostname"], n["Spec"]["Role"], n["Status"]["State"]) for n in json.load(sys.stdin)]
print(" ".join(sorted(":".join(node) for node in nodes)))'
}

token() { python 'print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$API/join-tokens.json" "$1"; }

PHASES="booted certificates runtime joined ready"

creation() {
    node m-0 master 0 10.0.0.10
    node m-1 master 1 10.0.0.11
    node w-0 worker 0 10.0.0.20 "INSECURE_REGISTRY='10.0.0.3:5000'" "${PROXIES[@]}"
    # The others come first and wait for a manager.
    run w-0 >"$WORK/w-0.log" 2>&1 &
    local worker=$!
    run m-1 >"$WORK/m-1.log" 2>&1 &
    local second=$!
    children+=("$worker" "$second")
    sleep 1
    check "the first manager" run m-0
    wait "$second"
    check "a manager that came before it" test $? = 0
    wait "$worker"
    check "a worker that came before it" test $? = 0
    node m-2 master 2 10.0.0.12
    check "the third manager" run m-2
    local name
    for name in m-0 m-1 m-2 w-0; do check "the phases of $name" test "$(reports "$name")" = "$PHASES"; done
    check "all are members with their roles" test "$(members)" = "m-0:manager:ready m-1:manager:ready m-2:manager:ready w-0:worker:ready"
    check "what was handed in is the swarm's" test "$(token worker)" = "$(curl -s --unix-socket "$WORK/m-1/run/docker.sock" http://docker/swarm |
        python 'print(json.load(sys.stdin)["JoinTokens"]["Worker"])')"
    check "versions are reported" contains <(tail -n 1 "$API/reports.jsonl") '"docker"'
    check "a second run does nothing more" run m-0
    check "and says nothing" test "$(reports m-0)" = "$PHASES"
    # As after a run that ended in the midst of a step.
    rm "$WORK/m-0/var/lib/jeroboam/steps/swarm" "$WORK/w-0/var/lib/jeroboam/steps/swarm"
    check "the step again, on the manager that began the swarm" run m-0
    check "and on a worker" run w-0
    check "nobody is there twice" test "$(members | wc -w)" = 4
}

# A machine that was restarted in the midst of the step, and a join that Docker has not ended in its 20 s.
patience() {
    local child tries socket=$WORK/w-0/run/docker.sock log=$WORK/w-0/var/log/jeroboam/swarm.log
    rm "$WORK/w-0/var/lib/jeroboam/steps/swarm" "$log"
    mv "$socket" "$socket.real"
    python 'import socket; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$socket"
    run w-0 >"$WORK/w-0.log" 2>&1 &
    child=$!
    children+=("$child")
    for ((tries = 0; tries < 200; tries++)); do
        ! grep -qs 'curl: ' "$log" || break
        sleep 0.1
    done
    mv "$socket.real" "$socket"
    wait "$child"
    check "a Docker that does not answer yet is waited for" test $? = 0
    # STATES: what it says of itself, one after the other; the last one stays. A join comes back after 20 s, unfinished.
    local played='api() { say "{\"token\":\"SWMTKN-1-x\"}"; }
        sleep() { echo pause >>"$CALLS"; }
        engine() {
            local states
            echo "$1 $2" >>"$CALLS"
            [[ $2 == /info ]] || { [[ $2 != /swarm/join ]]; return; }
            read -ra states <"$CALLS.states"
            ((${#states[@]} < 2)) || echo "${states[@]:1}" >"$CALLS.states"
            say "{\"Swarm\":{\"LocalNodeState\":\"${states[0]}\"}}"
        }'
    # states STATES CODE: runs it so; its calls, without those that only ask, are in $WORK/calls.
    states() {
        : >"$WORK/calls"
        echo "$1" >"$WORK/calls.states"
        inside w-0 "CALLS='$WORK/calls'; $played; $2"
        sed -i '/info$/d' "$WORK/calls"
    }
    states "inactive inactive pending pending pending active" 'wait_for 60 "a manager" join'
    check "a join that goes on is waited for" test "$(sort "$WORK/calls" | uniq -c | xargs)" = "1 POST /swarm/join 4 pause"
    states "pending" 'join || true'
    check "not for ever: two minutes" test "$(grep -c pause "$WORK/calls")" = 60
    check "then it leaves, and tries again" test "$(grep POST "$WORK/calls" | xargs)" = "POST /swarm/leave?force=true POST /swarm/join"
    states "error" 'join || true'
    check "after an error it leaves at once" test "$(xargs <"$WORK/calls")" = "POST /swarm/leave?force=true POST /swarm/join"
    states "pending pending active" step_swarm
    check "a state that is still read is waited for" test "$(xargs <"$WORK/calls")" = pause
}

files() {
    local root=$WORK/m-0
    openssl x509 -noout -ext subjectAltName -subject -in "$root/etc/docker/pki/docker.crt" >"$WORK/text"
    for name in DNS:m-0 'IP Address:10.0.0.10' 'IP Address:10.0.0.5' 'IP Address:203.0.113.9' DNS:api.example.org \
        DNS:localhost 'IP Address:127.0.0.1' 'O = system:nodes, CN = system:node:m-0'; do
        check "a manager's certificate has $name" contains "$WORK/text" "$name"
    done
    openssl x509 -noout -ext subjectAltName -in "$WORK/w-0/etc/docker/pki/docker.crt" >"$WORK/text"
    check "a worker's has its own address" contains "$WORK/text" 'IP Address:10.0.0.20'
    check "and none of the API" lacks "$WORK/text" '10.0.0.5'
    check "keys are for root" test "$(stat -c %a "$root/etc/docker/pki/docker.key")" = 600
    check "a manager's Docker listens with TLS" python '
c = json.load(open(sys.argv[1]))
assert c["hosts"] == ["unix:///run/docker.sock", "tcp://10.0.0.10:2376"] and c["tlsverify"] is True, c
assert c["tlscacert"] == "/etc/docker/pki/ca.crt" and c["tlskey"] == "/etc/docker/pki/docker.key", c
assert c["storage-driver"] == "overlay2" and c["log-opts"]["max-size"] and "live-restore" not in c, c' "$root/etc/docker/daemon.json"
    check "without TLS it says so" python '
c = json.loads(sys.argv[1])
assert c["hosts"] == ["unix:///run/docker.sock", "tcp://10.0.0.10:2376"] and c["tls"] is False and not [k for k in c if k.startswith("tls") and k != "tls"], c' \
        "$(inside m-0 'SWARM_TLS=false; daemon_configuration')"
    check "and starts only once, whatever its certificate" inside m-0 'SWARM_TLS=false; engine() { exit 1; }; restart_services'
    check "a worker's does not listen at all" python '
c = json.load(open(sys.argv[1]))
assert c["hosts"] == ["unix:///run/docker.sock"] and "tlsverify" not in c and c["insecure-registries"] == ["10.0.0.3:5000"], c' \
        "$WORK/w-0/etc/docker/daemon.json"
    check "what does not lock needs no unit that unlocks" fails test -e "$root/etc/systemd/system/jeroboam-unlock.service"
    proxied w-0 docker example.org,127.0.0.1,localhost,10.0.0.20,10.0.0.10,10.0.0.11,10.0.0.12,10.0.0.5
    check "who has no proxies is told of none" fails test -e "$root/etc/systemd/system/docker.service.d/20-proxy.conf"
    check "the unit names no hosts" lacks "$root/etc/systemd/system/docker.service" ' -H '
}

secrets() {
    local name secret
    for name in manager worker; do
        secret=$(token "$name")
        check "the $name's token is in no file of a node" fails grep -rqF "$secret" "$WORK/m-0" "$WORK/m-1" "$WORK/w-0" \
            --include=*.log --include=*.env --include=*.tsv --include=*.json --include=*.conf --include=*.service
    done
    check "and in no report" lacks "$API/reports.jsonl" SWMTKN
    check "tokens are scrubbed" test "$(inside w-0 "say 'the token SWMTKN-1-2abc-9xyz and SWMKEY-1-a/b+c=' | scrub")" = "the token [removed] and [removed]"
    check "a piece of JSON" test "$(inside w-0 'json_object Spec <<<"{\"a\":\"{\\\"\",\"Spec\":{\"b\":{\"c\":\"}\"}},\"d\":{}}"')" = '{"b":{"c":"}"}}'
    check "the objects of a list" test "$(inside w-0 'json_objects <<<"[{\"a\":{}},{\"b\":\"[\"}]" | wc -l')" = 2
}

rotation() {
    local before
    before=$(token worker)
    told join-tokens
    check "the order to rotate" run m-1 orders
    rm "$API/orders.json"
    check "other tokens are handed in" test "$(token worker)" != "$before"
    check "for both roles" test "$(token manager)" = "$(curl -s --unix-socket "$WORK/m-0/run/docker.sock" http://docker/swarm |
        python 'print(json.load(sys.stdin)["JoinTokens"]["Manager"])')"
    check "its answer" contains "$API/answers.jsonl" '"uuid": "join-tokens-1", "state": "done"'
    # Somebody rotates them behind our backs: the API's are refused, until a manager hands in the new ones.
    cp "$API/join-tokens.json" "$WORK/stale"
    inside m-0 'rotate'
    node w-1 worker 1 10.0.0.21
    run w-1 >"$WORK/w-1.log" 2>&1 &
    local child=$!
    children+=("$child")
    for ((tries = 0; tries < 200; tries++)); do
        [[ ! -s $API/refused ]] || break
        sleep 0.1
    done
    check "a refused token is told to the API" test "$(head -n 1 "$API/refused")" = "$(python 'print(json.load(open(sys.argv[1]))["worker"], end="")' "$WORK/stale" | sha256sum | cut -d ' ' -f 1)"
    told join-tokens
    run m-0 orders >/dev/null
    rm "$API/orders.json"
    wait "$child"
    check "the worker gets in with the next one" test $? = 0
    check "and is a member" contains <(members) w-1:worker:ready
    check "no log holds a token" fails grep -rqF SWMTKN "$WORK"/*.log "$WORK/w-1/var/log"
}

# Other authorities: who is trusted grows, the certificate changes, and the swarm itself has nothing to do with it.
authorities() {
    local name
    for name in m-2 w-0; do
        rm -f "$API/sign-next"
        python '
read = lambda name: open(f"{sys.argv[1]}/{name}.crt").read()
order = {"uuid": "leaf-1", "kind": "leaf", "kubernetes_trust": read("kubernetes") + read("next-kubernetes"), "kubernetes_issuer": read("next-kubernetes"),
         "etcd_trust": read("etcd"), "etcd_issuer": read("etcd"), "front-proxy_trust": read("front-proxy"), "front-proxy_issuer": read("front-proxy")}
json.dump(order, open(sys.argv[1] + "/orders.json", "w"))' "$API"
        touch "$API/sign-next"
        check "$name: a certificate by the new authority" run "$name" orders
        check "$name: it is" openssl verify -no-CApath -no-CAstore -CAfile "$API/next-kubernetes.crt" "$WORK/$name/etc/docker/pki/docker.crt"
        check "$name: both are trusted" test "$(grep -c BEGIN "$WORK/$name/etc/docker/pki/ca.crt")" = 2
        check "$name: by it the API knows the node" run "$name" orders
    done
    rm -f "$API/sign-next" "$API/orders.json"
}

# Managers restart Docker one at a time, whoever else changes the swarm.
turns() {
    local name children_of=()
    # label: the labels of the swarm, of which one is its owner's.
    labels() { curl -s --unix-socket "$WORK/m-0/run/docker.sock" http://docker/swarm | python 'print(json.dumps(json.load(sys.stdin)["Spec"]["Labels"]))'; }
    own='swarm=$(engine GET /swarm); spec=$(json_object Spec <<<"$swarm"); label="\"a,}\":\"b,}\""; update_swarm "$swarm" "${spec/"\"Labels\":{"/"\"Labels\":{$label"}"'
    inside m-0 "$own"
    check "the owner's label" test "$(labels)" = '{"a,}": "b,}"}'
    : >"$WORK/turns"
    for name in m-0 m-1 m-2; do
        inside $name 'restart_docker() { echo "$NODE_NAME begins" >>"$ROOT/../turns"; sleep 0.7; echo "$NODE_NAME ends" >>"$ROOT/../turns"; }
            restart_services' >"$WORK/turn-$name.log" 2>&1 &
        children_of+=($!)
    done
    for name in m-0 m-1 m-2; do
        wait "${children_of[${name#m-}]}"
        check "$name has had its turn" test $? = 0
    done
    check "one after the other" python '
lines = [line.split() for line in open(sys.argv[1])]
assert len(lines) == 6 and sorted(one[0] for one in lines[::2]) == ["m-0", "m-1", "m-2"], lines
assert all(one == [other[0], "begins"] and other[1] == "ends" for one, other in zip(lines[::2], lines[1::2])), lines' "$WORK/turns"
    check "no turn is left, and the owner's label is" test "$(labels)" = '{"a,}": "b,}"}'
    inside m-2 take_turn
    check "a turn that was taken before is its taker's" inside m-2 take_turn
    check "and nobody else's" fails inside m-0 take_turn
    check "its holder is named" test "$(labels)" = '{"jeroboam.restarting": "m-2", "a,}": "b,}"}'
    check "a turn that nobody ends is over in time" inside m-0 'LONGEST_TURN=1; wait_for 20 "its turn" take_turn'
    check "then it is the other's" test "$(labels)" = '{"jeroboam.restarting": "m-0", "a,}": "b,}"}'
    inside m-2 end_turn
    check "who lost it does not end it" test "$(labels)" = '{"jeroboam.restarting": "m-0", "a,}": "b,}"}'
    inside m-0 restart_services
    check "one that ended in its turn may restart again" test "$(labels)" = '{"a,}": "b,}"}'
    for name in unreachable:60 unknown:60 reachable:0; do
        check "a manager that is ${name%:*} is waited for, not for ever" test "$(inside m-0 "engine() { echo '[{\"ManagerStatus\":{\"Reachability\":\"${name%:*}\"}}]'; }
            sleep() { echo pause; }
            wait_for_managers" | grep -c pause)" = "${name#*:}"
    done
    check "a worker restarts nothing" inside w-0 'engine() { exit 1; }; restart_services'
}

replacement() {
    gone m-1
    node m-1 master 1 10.0.0.11 "SWARM_STATE='existing'"
    check "a manager whose state is lost joins anew" run m-1
    check "the old record is gone" test "$(members)" = "m-0:manager:ready m-1:manager:ready m-2:manager:ready w-0:worker:ready w-1:worker:ready"
    gone m-0
    # Nobody told it: as when Nova rebuilds a server by surprise.
    node m-0 master 0 10.0.0.10
    check "the first manager joins the swarm that there is" run m-0
    check "and begins no other" test "$(members)" = "m-0:manager:ready m-1:manager:ready m-2:manager:ready w-0:worker:ready w-1:worker:ready"
}

# The only manager of another cluster, with its state on a volume, and locked.
locked() {
    local volume=$WORK/volume key
    mv "$API/join-tokens.json" "$WORK/kept"
    alone() { node m-9 master 0 10.1.0.10 "MASTER_NAMES='m-9'" "MASTER_ADDRESSES='10.1.0.10'" "CLUSTER_UUID='$UUID'" "$@"; }
    rm -rf "$WORK/swarms" "$WORK"/m-? "$WORK"/w-?
    sleep 0.3
    truncate -s 32M "$volume"


    mkdir -p "$WORK/m-9/dev"
    cp "$volume" "$WORK/m-9/dev/vdb"
    alone "SWARM_AUTOLOCK='true'" "RUNTIME_VOLUME='/dev/vdb'"
    check "a manager that locks" run m-9
    key=$(token unlock_key)
    check "its key is handed in" contains <(echo "$key") SWMKEY-1-
    check "Docker brings the unit that unlocks" contains "$WORK/m-9/etc/systemd/system/docker.service" jeroboam-unlock.service
    check "which is there" contains "$WORK/m-9/etc/systemd/system/jeroboam-unlock.service" "bootstrap unlock"
    # As when the machine boots again: it is a node, and its bootstrap token is worth nothing.
    restarted() { mv "$WORK/m-9" "$WORK/away" && sleep 0.3 && rm -f "$WORK/away/run/docker.sock" && mv "$WORK/away" "$WORK/m-9" && until [[ -S $WORK/m-9/run/docker.sock ]]; do sleep 0.05; done; }
    echo worthless >"$WORK/m-9/etc/jeroboam/bootstrap-token"
    restarted
    check "a restart locks it" test "$(inside m-9 swarm_state)" = locked
    check "it gets the key by its certificate" run m-9 unlock
    check "and is a manager again" test "$(members m-9)" = m-9:manager:ready
    check "once more there is nothing to do" run m-9 unlock
    check "an open state is not opened" inside m-9 'unlock x'
    inside m-9 'swarm=$(engine GET /swarm); engine POST "/swarm/update?rotateManagerUnlockKey=true&version=$([[ $swarm =~ Index\":([0-9]+) ]] && echo ${BASH_REMATCH[1]})" "$(json_object Spec <<<"$swarm")"'
    check "its owner's new key is handed in" run m-9 orders
    check "in place of the old one" fails test "$(token unlock_key)" = "$key"
    check "the key is in no file" fails grep -rqF "$(token unlock_key)" "$WORK/m-9"
    key=$(token unlock_key)
    restarted
    check "and opens the state" run m-9 unlock
    restarted
    check "without the API it stays locked" fails inside m-9 'api() { return 1; }; open_state'
    check "it is" test "$(inside m-9 swarm_state)" = locked
    gone m-9
    mkdir -p "$WORK/m-9/dev"
    cp "$volume" "$WORK/m-9/dev/vdb"
    alone "SWARM_AUTOLOCK='true'" "RUNTIME_VOLUME='/dev/vdb'"
    check "its successor finds the swarm locked" test "$(inside m-9 swarm_state)" = locked
    check "and opens it" run m-9
    check "with all that was there" test "$(members m-9)" = m-9:manager:ready
    gone m-9
    alone
    check "one without the state says what is lost" fails run m-9
    check "in words" contains <(tail -n 1 "$API/reports.jsonl") "has no state of the swarm, whose only manager it is"
    check "one that finds tokens rotated waits" test "$(inside m-9 'NODE_INDEX=0 SWARM_STATE=new MASTER_ADDRESSES=a,b asked=0; sleep() { :; }
        ask_for_token() { asked=$((asked + 1)); ((asked > 2)); }; is_the_first || say "$asked"')" = 3
    mv "$WORK/kept" "$API/join-tokens.json"
}

# What brings Docker to a machine whose image has none: apt and downloads are recorded, and the machine has no other programs
# than those that a minimal image has.
installation() {
    local programs=$WORK/programs program name lines key=etc/apt/keyrings/docker.asc list=etc/apt/sources.list.d/docker.list
    local apt='apt-get -q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=5' without_docker='apt-get() { :; }'
    mkdir "$programs"
    cp tests/node/recorder "$programs"
    for program in apt-get curl dpkg; do ln -s recorder "$programs/$program"; done
    for program in cat chmod cut dirname grep ln mkdir mktemp mv rm sed sleep tail tr; do
        ln -s "$(command -v $program)" "$programs"
    done
    # machine NAME SYSTEM [SETTING...]: one whose image has no Docker.
    machine() {
        node "$1" worker 0 10.0.0.30 "${@:3}"
        if [[ $2 == debian ]]; then
            printf '%s\n' 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"' 'NAME="Debian GNU/Linux"' 'VERSION_ID="12"' \
                'VERSION="12 (bookworm)"' VERSION_CODENAME=bookworm ID=debian
        else
            printf '%s\n' 'PRETTY_NAME="Ubuntu 24.04.2 LTS"' 'NAME="Ubuntu"' 'VERSION_ID="24.04"' \
                'VERSION="24.04.2 LTS (Noble Numbat)"' VERSION_CODENAME=noble ID=ubuntu ID_LIKE=debian UBUNTU_CODENAME=noble
        fi >"$WORK/$1/etc/os-release"
        rm -f "$programs/dockerd"
    }
    # installs NAME [CODE]: the step, as a boot runs it.
    installs() {
        inside "$1" "live() { :; }; export PATH='$programs' CALLS='$WORK/$1.calls' BRINGS=dockerd; ${2:-}
            step install"
    }
    # again NAME: as after a run that ended before it could note that the step was done.
    again() { rm "$WORK/$1/var/lib/jeroboam/steps/install" && installs "$1"; }
    # called NAME LINE...: all that was called; of curl, what it fetched.
    called() { diff <(printf '%s\n' "${@:2}") <(sed 's/^curl .* /curl /' "$WORK/$1.calls"); }
    # failed MESSAGE: the step that the last report names, and why.
    failed() {
        python '
last = json.loads(open(sys.argv[1]).readlines()[-1])
assert (last["phase"], last["step"], last["message"]) == ("failed", "install", sys.argv[2]), last' "$API/reports.jsonl" "$1"
    }

    lines=("$apt update" "$apt install --no-install-recommends apparmor docker.io")
    for name in debian ubuntu; do
        machine "$name" "$name"
        check "$name's own Docker" installs "$name"
        check "by apt ($name)" called "$name" "${lines[@]}"
        check "from no other repository ($name)" fails test -e "$WORK/$name/$list" -o -e "$WORK/$name/$key"
        check "again ($name)" again "$name"
        check "nothing is installed twice ($name)" called "$name" "${lines[@]}"
    done
    # where NAME SYSTEM REPOSITORY SETTING...: Docker's own packages for that system.
    where() {
        local name=$1 repository=$3
        lines=("curl ${repository% * stable}/gpg" "$apt update"
            "$apt install --no-install-recommends apparmor containerd.io docker-ce docker-ce-cli")
        machine "$name" "$2" "DOCKER_PACKAGE='docker-ce'" "${@:4}"
        check "$name: Docker's own packages" installs "$name"
        check "$name: by apt" called "$name" "${lines[@]}"
        check "$name: the repository, and who signs it" diff "$WORK/$name/$list" - \
            <<<"deb [signed-by=/$key] $repository"
        check "$name: the key" test "$(<"$WORK/$name/$key")" = key
        check "$name: apt's own user can read both" test "$(stat -c %a "$WORK/$name/$key" "$WORK/$name/$list" "$WORK/$name/etc/apt/keyrings" | xargs)" = "644 644 755"
        check "$name: again" again "$name"
        check "$name: nothing is installed twice" called "$name" "${lines[@]}"
    }
    where ce-debian debian 'https://download.docker.com/linux/debian bookworm stable'
    where ce-ubuntu ubuntu 'https://download.docker.com/linux/ubuntu noble stable'
    where ce-mirror ubuntu 'https://mirror.example.org/docker/ubuntu noble stable' "DOCKER_PACKAGES_URL='https://mirror.example.org/docker'"

    machine away debian "DOCKER_PACKAGE='docker-ce'"
    check "a download that fails fails the step" fails installs away 'curl() { [[ ${*: -1} != */gpg ]] && command curl "$@"; }'
    check "which is named, and what is not there" failed "https://download.docker.com/linux/debian/gpg cannot be fetched"
    check "nothing is installed without the key" lacks "$WORK/away.calls" apt-get
    check "the next run gets it" installs away
    machine empty debian
    check "packages that bring no Docker fail the step" fails installs empty "$without_docker"
    check "which is named, and what is not there" failed "dockerd is not there after the installation of docker.io"
    machine cut debian
    check "an installation that ends in its midst" fails installs cut 'apt-get() { command apt-get "$@" && [[ $* != *" install "* ]]; }'
    : >"$WORK/cut.calls"
    check "the next run has what it left, and goes on" installs cut
    lines=("dpkg --configure -a" "$apt --fix-broken install" "$apt update" "$apt install --no-install-recommends apparmor docker.io")
    check "though a dockerd is there" called cut "${lines[@]}"
    check "then once more" again cut
    check "there is nothing to do" called cut "${lines[@]}"
    machine bare debian
    rm "$programs/apt-get"
    check "an image without Docker and apt fails the step" fails installs bare
    check "which is named, with the reason" failed "dockerd is not in this image, and without apt it cannot be installed"
    for name in debian ubuntu ce-debian ce-ubuntu ce-mirror away empty cut bare; do gone "$name"; done
}

check "Docker is played as the real one answered" python3 tests/node/engines --check
start_api
python3 tests/node/engines "$WORK" 2>"$WORK/engines.log" &
children+=($!)
printf '#!/bin/sh\necho "Docker version 20.10.24, build 0"\n' >"$WORK/bin/dockerd"
chmod 755 "$WORK/bin/dockerd"
scripts_of swarm
creation
patience
files
secrets
rotation
authorities
turns
replacement
locked
installation
[[ ! -s $WORK/engines.log ]] || { cat "$WORK/engines.log"; failed=$((failed + 1)); }
ending
