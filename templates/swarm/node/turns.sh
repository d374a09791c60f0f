# shellcheck shell=bash
# Restarts of Docker. While a manager restarts it is away, and two that are away at once may be the majority. So managers
# take turns: whoever restarts has written its name into a label of the swarm, which takes one writer at a time.

TURN=jeroboam.restarting
# Seconds after which a turn is over whose holder did not end it.
LONGEST_TURN=300

# Docker reads its certificate and whom to trust only when it starts. A worker's Docker has no use for either, nor has
# one without TLS.
restart_services() {
    [[ $NODE_ROLE == master && $SWARM_TLS == true ]] && engine_is_here || return 0
    wait_for 300 "this manager to be active before its restart" is_active
    wait_for 1200 "its turn to restart docker" take_turn
    wait_for_managers
    restart_docker
    wait_for 300 "this manager to be active after its restart" is_active
    end_turn
}

restart_docker() {
    local key=''
    live || return 0
    ! locks || key=$(unlock_key)
    systemctl restart docker
    wait_for 120 "docker" engine_answers
    [[ -z $key ]] || open_with "$key"
}

# open_with KEY: what open_state does, without the API.
open_with() {
    wait_for 300 "docker to have read its state" has_read_state
    [[ $(swarm_state) != locked ]] || unlock "$1"
}

# True once the turn is this manager's. One that was taken and not ended, by a machine that died in it, is over in time.
take_turn() {
    local swarm spec holder label
    swarm=$(engine GET /swarm) || return 1
    holder=$(json_text "$TURN" <<<"$swarm") || holder=
    [[ $holder != "$NODE_NAME" ]] || return 0
    if [[ -n $holder ]]; then
        [[ $holder == "${HOLDER:-}" ]] || HOLDER=$holder HELD_SINCE=$SECONDS
        ((SECONDS - HELD_SINCE >= LONGEST_TURN)) || return 1
        say "$holder does not end its turn"
    fi
    spec=$(spec_without "$holder" <<<"$swarm") || return 1
    label="$(json "$TURN"):$(json "$NODE_NAME")"
    spec=${spec/'"Labels":{'/"\"Labels\":{$label,"}
    update_swarm "$swarm" "${spec/"$label,}"/"$label}"}"
}

# spec_without HOLDER: the specification of the swarm on standard input, without that one's turn.
spec_without() {
    local spec label
    label="$(json "$TURN"):$(json "$1")"
    spec=$(json_object Spec) || return 1
    [[ $spec == *'"Labels":{'* ]] || return 1
    spec=${spec/"$label,"/} spec=${spec/",$label"/}
    say "${spec/"$label"/}"
}

# All managers are there, so that the swarm can spare one. One that is away for good is not waited for: a certificate
# that nobody takes up would end.
wait_for_managers() {
    local tries nodes
    for ((tries = 0; tries < 60; tries++)); do
        ! nodes=$(engine GET /nodes) || [[ $nodes == *'"Reachability":"un'* ]] || return 0
        sleep 2
    done
    say "not all managers are reachable; the restart goes on"
}

# Where this cannot be said, the others wait until the turn is over by itself.
end_turn() {
    local tries swarm spec
    for ((tries = 0; tries < 30; tries++)); do
        if swarm=$(engine GET /swarm); then
            [[ $(json_text "$TURN" <<<"$swarm") == "$NODE_NAME" ]] || return 0
            ! spec=$(spec_without "$NODE_NAME" <<<"$swarm") || ! update_swarm "$swarm" "$spec" || return 0
        fi
        sleep 2
    done
    say "the turn to restart docker is not ended"
}
