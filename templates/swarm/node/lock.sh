# shellcheck shell=bash
# The lock on what a manager keeps of the swarm (SWARM_AUTOLOCK): a Docker that starts cannot read it without a key. The
# API has the key, sealed, and gives it to managers that prove who they are; on a disk it is nowhere.

# Opens the state after every start of Docker, whoever started it.
write_unlock_unit() {
    put 644 /etc/systemd/system/jeroboam-unlock.service <<END
[Unit]
Description=Unlock this manager's state of the swarm
Wants=network-online.target
After=network-online.target docker.service
ConditionPathExists=/var/lib/jeroboam/ready
StartLimitIntervalSec=0

[Service]
Type=oneshot
ExecStart=/bin/bash $HERE/bootstrap unlock
Restart=on-failure
RestartSec=30
TimeoutStartSec=30min
UMask=0077
END
}

locks() { [[ $SWARM_AUTOLOCK == true && $NODE_ROLE == master ]]; }

# The key that a locked swarm is opened with, as the swarm says it.
unlock_key() { engine GET /swarm/unlockkey | json_text UnlockKey; }

ask_for_unlock_key() { api 900 GET "/clusters/$CLUSTER_UUID/nodes/$NODE_NAME/unlock-key" | json_text unlock_key; }

# Opens the state where it is locked.
open_state() {
    local key
    locks && engine_is_here || return 0
    wait_for 300 "docker to have read its state" has_read_state
    [[ $(swarm_state) == locked ]] || return 0
    key=$(ask_for_unlock_key) || die "the API gives no key for the locked swarm; docker swarm unlock takes it by hand"
    unlock "$key"
    say "the state of the swarm is unlocked"
}

has_read_state() {
    local state
    state=$(swarm_state) && [[ $state != pending ]]
}

# unlock KEY: somebody else may be faster.
unlock() {
    [[ -n $1 ]] || die "the API has no key for the locked swarm"
    engine POST /swarm/unlock "{\"UnlockKey\":$(json "$1")}" >/dev/null || [[ $(swarm_state) != locked ]] ||
        die "the swarm cannot be unlocked"
}

# Hands in the key where it is another one than before: its owner may rotate it.
keep_unlock_key() {
    local key sum known=$ROOT/var/lib/jeroboam/unlock-key.sha256
    locks && engine_is_here || return 0
    key=$(unlock_key) || return 0
    sum=$(printf '%s' "$key" | sha256sum)
    [[ ! -e $known || $sum != "$(<"$known")" ]] || return 0
    hand_in_tokens
    put 600 /var/lib/jeroboam/unlock-key.sha256 <<<"$sum"
}
