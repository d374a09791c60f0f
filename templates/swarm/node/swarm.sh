# shellcheck shell=bash
# The swarm itself: begun by the first manager, joined by all others with tokens that managers hand in at the API.

# `inactive`, `pending`, `active`, `locked` or `error`.
swarm_state() { engine GET /info | json_text LocalNodeState; }

# A member; a manager also one that can act for the swarm.
is_active() {
    local info
    info=$(engine GET /info) || return 1
    [[ $(json_text LocalNodeState <<<"$info") == active ]] || return 1
    [[ $NODE_ROLE == worker || $info == *'"ControlAvailable":true'* ]]
}

step_swarm() {
    local state
    engine_is_here || return 0
    # Where the machine was restarted in the midst of this step, Docker may still be starting.
    wait_for 300 "docker" engine_answers
    wait_while_pending
    state=$(swarm_state)
    # A server that took over the volume of another: the swarm's state is there, and may be locked.
    if [[ $state == locked ]]; then
        unlock "$(ask_for_unlock_key)"
    elif [[ $state != active ]]; then
        enter
    fi
    wait_for 600 "this node to be active in the swarm" is_active
    [[ $NODE_ROLE == master ]] || return 0
    wait_for 300 "the records of servers whose place this one took" forget_predecessors
    hand_in_tokens
}

# Docker goes on by itself with a join that takes long, and this node may be a voter already: one that leaves then is
# lost to the swarm, and of two managers with it the majority.
wait_while_pending() {
    local tries
    for ((tries = 0; tries < 60; tries++)); do
        ! has_read_state || return 0
        sleep 2
    done
    say "docker does not end what it has begun"
}

enter() {
    if is_the_first; then
        begin
    else
        # The managers may still be booting.
        wait_for 2700 "a manager to let this node in" join
    fi
}

# Whether this is the first manager, and no manager has handed in tokens before: then there is no swarm yet.
is_the_first() {
    local code try
    [[ $NODE_ROLE == master && $NODE_INDEX == 0 && $SWARM_STATE == new ]] || return 1
    # Where there is a swarm whose managers are making another token, the API says which in some minutes.
    for ((try = 0; try < 60; try++)); do
        code=0
        ask_for_token '' >/dev/null || code=$?
        ((code == 1)) || break
        sleep 5
    done
    ((code != 0)) || {
        [[ $MASTER_ADDRESSES == *,* ]] || die "this server has no state of the swarm, whose only manager it is"
        return 1
    }
    ((code == 4)) || die "the API does not say whether there is a swarm"
}

# ask_for_token REFUSED: what lets this node in, as JSON with `token` and, for managers, `unlock_key`; status 4 while there
# is none. REFUSED is the sum of a token that managers did not take.
ask_for_token() {
    local body='{}'
    [[ -z $1 ]] || body="{\"refused\":$(json "$1")}"
    api 600 POST "/clusters/$CLUSTER_UUID/nodes/$NODE_NAME/join-token" "$body"
}

begin() {
    engine POST /swarm/init "{\"ListenAddr\":$(json "$NODE_ADDRESS:2377"),\"AdvertiseAddr\":$(json "$NODE_ADDRESS:2377"),\"DataPathAddr\":$(json "$NODE_ADDRESS"),\"Spec\":{\"EncryptionConfig\":{\"AutoLockManagers\":$SWARM_AUTOLOCK}}}" >/dev/null
}

# One try. Never through the load balancer, which knows only the API: the managers' own addresses are known beforehand.
join() {
    local answer token state address remotes='' log=$ROOT/var/log/jeroboam/join.log
    wait_while_pending
    state=$(swarm_state) || return 1
    [[ $state != active ]] || return 0
    # What is left of an earlier try would be in the way of this one.
    [[ $state == inactive ]] || engine POST '/swarm/leave?force=true' >/dev/null || return 1
    answer=$(ask_for_token "${REFUSED:-}") || return 1
    token=$(json_text token <<<"$answer") || return 1
    for address in ${MASTER_ADDRESSES//,/ }; do
        [[ $address == "$NODE_ADDRESS" ]] || remotes+=,$(json "$address:2377")
    done
    REFUSED=
    engine POST /swarm/join "{\"ListenAddr\":$(json "$NODE_ADDRESS:2377"),\"AdvertiseAddr\":$(json "$NODE_ADDRESS:2377"),\"DataPathAddr\":$(json "$NODE_ADDRESS"),\"RemoteAddrs\":[${remotes#,}],\"JoinToken\":$(json "$token")}" >/dev/null 2>"$log" && return 0
    cat "$log" >&2
    # It was rotated since; if the API still gives the same one, it has the managers make another.
    ! grep -q 'valid join token' "$log" || REFUSED=$(printf '%s' "$token" | sha256sum | cut -d ' ' -f 1)
    return 1
}

# A manager that takes the place of another has that one's name: the old record must not count any more.
forget_predecessors() {
    local nodes own node id spec version
    own=$(engine GET /info | json_text NodeID) || return 1
    nodes=$(engine GET /nodes) || return 1
    while IFS= read -r node; do
        id=$(json_text ID <<<"$node") || continue
        [[ $(json_text Hostname <<<"$node") == "$NODE_NAME" && $id != "$own" ]] || continue
        say "$id had this node's name before"
        spec=$(json_object Spec <<<"$node")
        if [[ $spec == *'"Role":"manager"'* ]]; then
            [[ $node =~ \"Index\":([0-9]+) ]] || return 1
            version=${BASH_REMATCH[1]}
            engine POST "/nodes/$id/update?version=$version" "${spec/'"Role":"manager"'/'"Role":"worker"'}" >/dev/null || return 1
        fi
        engine DELETE "/nodes/$id?force=true" >/dev/null || return 1
    done < <(json_objects <<<"$nodes")
}

# Hands in the tokens that let nodes in, and goes on until what was handed in still holds: another manager may rotate them.
hand_in_tokens() {
    local swarm manager worker body before='' key=''
    while true; do
        swarm=$(engine GET /swarm)
        [[ $SWARM_AUTOLOCK != true ]] || key=$(unlock_key)
        manager=$(json_text Manager <<<"$swarm")
        worker=$(json_text Worker <<<"$swarm")
        body="{\"manager\":$(json "$manager"),\"worker\":$(json "$worker"),\"unlock_key\":$(json "$key")}"
        [[ $body != "$before" ]] || return 0
        api 600 POST "/clusters/$CLUSTER_UUID/nodes/$NODE_NAME/join-tokens" "$body" >/dev/null || die "the API does not take the join tokens"
        before=$body
    done
}

# New tokens: whoever knows an old one gets in no more.
rotate_join_tokens() {
    engine_is_here || return 0
    wait_for 120 "new join tokens" rotate
    hand_in_tokens
}

rotate() {
    local swarm spec
    swarm=$(engine GET /swarm) || return 1
    spec=$(json_object Spec <<<"$swarm") || return 1
    update_swarm "$swarm" "$spec" '&rotateWorkerToken=true&rotateManagerToken=true'
}

# update_swarm SWARM SPEC [QUERY]: gives the swarm, as it was read, another specification; fails where somebody has changed
# it since.
update_swarm() {
    [[ $1 =~ \"Index\":([0-9]+) ]] || return 1
    engine POST "/swarm/update?version=${BASH_REMATCH[1]}${3:-}" "$2" >/dev/null
}
