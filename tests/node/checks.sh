# shellcheck shell=bash
# What the tests of node scripts share: checks, an API, and how scripts are run. Sourced from the root of the house.

# shellcheck disable=SC2034 # the scripts that read this file use it
UUID=11111111-2222-4333-8444-555555555555
WORK=$(mktemp -d)
SCRIPTS=$WORK/scripts
passed=0 failed=0 children=()
export PATH=$WORK/bin:$PATH:/usr/sbin:/sbin
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY no_proxy NO_PROXY

finish() {
    local child
    for child in "${children[@]}"; do kill "$child" 2>/dev/null; done
    rm -rf "$WORK"
}
trap finish EXIT

# check NAME COMMAND...: one line, with the command's output when it fails.
check() {
    local name=$1 output
    shift
    if output=$("$@" 2>&1); then
        echo "ok - $name"
        passed=$((passed + 1))
    else
        echo "not ok - $name"
        printf '%s\n' "$output" | tail -n 20 | sed 's/^/  # /'
        failed=$((failed + 1))
    fi
}

# skipped WHAT WHY: what this run leaves out.
skipped() { echo "SKIPPED: $1: $2"; }

fails() { ! "$@"; }
contains() { grep -qF -- "$2" "$1" || { echo "no '$2' in $1:"; cat "$1"; return 1; }; }
lacks() { ! grep -qF -- "$2" "$1" || { echo "'$2' is in $1"; return 1; }; }
python() { python3 -c "import json, sys, tomllib"$'\n'"$1" "${@:2}"; }
reports() { python 'print(" ".join(r["phase"] for r in map(json.loads, open(sys.argv[1])) if r["node"] == sys.argv[2]))' "$API/reports.jsonl" "$1"; }

# Settings of a node with proxies.
# shellcheck disable=SC2034 # the scripts that read this file use it
PROXIES=("HTTP_PROXY='http://proxy:3128/%20'" "HTTPS_PROXY='http://proxy:3129'" "NO_PROXY='example.org'")

# proxied NODE UNIT NO_PROXY: what the service of such a node is told.
proxied() {
    local file=$WORK/$1/etc/systemd/system/$2.service.d/20-proxy.conf
    check "$1: the proxies of $2" diff - "$file" <<END
[Service]
Environment="HTTP_PROXY=http://proxy:3128/%%20"
Environment="HTTPS_PROXY=http://proxy:3129"
Environment="NO_PROXY=$3"
END
    check "$1: they are root's to read ($2)" test "$(stat -c %a "$file")" = 600
}

start_api() {
    API=$WORK/api
    mkdir -p "$API" "$WORK/bin"
    head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=' >"$API/token"
    python3 tests/node/api "$API" 2>"$API/log" &
    children+=($!)
    local tries
    for ((tries = 0; tries < 200; tries++)); do
        [[ ! -e $API/port ]] || return 0
        sleep 0.1
    done
    echo "the API did not start: $(<"$API/log")"
    exit 1
}

run() { ROOT=$WORK/$1 bash "$SCRIPTS/bootstrap" "${@:2}"; }

# inside NAME CODE: runs code with the scripts' functions and the node's settings.
inside() {
    ROOT=$WORK/$1 bash -c ". '$SCRIPTS/bootstrap'; mkdir -p \"\$ROOT/var/lib/jeroboam/steps\" \"\$ROOT/var/log/jeroboam\"
        load_settings; $2"
}

# scripts_of COE: the scripts of its nodes in one folder, as on nodes; and what must be true of any script.
scripts_of() {
    local file
    mkdir "$SCRIPTS"
    cp templates/node/* "templates/$1/node/"* "$SCRIPTS"
    for file in "$SCRIPTS"/bootstrap "$SCRIPTS"/*.sh; do
        check "bash -n ${file##*/}" bash -n "$file"
    done
    check "no script hides another" test "$(find "$SCRIPTS" -type f | wc -l)" = "$(find templates/node "templates/$1/node" -type f | wc -l)"
    check "shellcheck" shellcheck -s bash -x -P SCRIPTDIR "$SCRIPTS"/bootstrap "$SCRIPTS"/*.sh "$0"
    check "no script turns off the verification of certificates" fails grep -nE -- 'curl.* (-k|--insecure)( |$)' -r "$SCRIPTS"
    # Half of the 65535 that Nova takes; the other half is for certificates, manifests and settings.
    check "user_data has room for the scripts" test "$(tar -c -C "$SCRIPTS" . | gzip -9 | base64 -w 0 | wc -c)" -lt 32768
}

# Says how it went; fails if anything did.
ending() {
    echo "$passed passed, $failed failed"
    ((failed == 0))
}
