# shellcheck shell=bash
# What every step uses: settings, files, waiting, JSON, the API, reports, and the running of steps.
#
# ROOT is empty on a node. With ROOT set, files are read and written below it and the machine is left alone.

# Settings of /etc/jeroboam/node.env with the value a missing one has; `!` marks those that must be there. Those of the
# COE are in its own list, OWN_SETTINGS.
SETTINGS=(
    CLUSTER_UUID=!
    CLUSTER_NAME=!
    NODE_ROLE=!
    NODE_INDEX=!
    NODE_NAME=!
    NODE_ADDRESS=
    NODE_LABELS=
    NODE_TAINTS=
    NODEGROUP_NAME=!
    NODEGROUP_ROLE=
    NODE_REPORTS=true
    API_URL=!
    API_CA_FILE=
    MASTER_NAMES=
    MASTER_ADDRESSES=
    INSECURE_REGISTRY=
    HTTP_PROXY=
    HTTPS_PROXY=
    NO_PROXY=
)

say() { printf '%s\n' "$*"; }

# Ends the step; the first such line of its log is the message that is reported.
die() {
    LAST_ERROR=$*
    printf 'jeroboam error: %s\n' "$*" >&2
    exit 1
}

# True on a node, false when files are written below ROOT only.
live() { [[ -z $ROOT ]]; }

# put MODE PATH: writes standard input to a file in one move.
put() {
    local path=$ROOT$2
    (umask 022 && mkdir -p "$(dirname "$path")")
    cat >"$path.new"
    chmod "$1" "$path.new"
    mv -f "$path.new" "$path"
}

# wait_for SECONDS WHAT COMMAND...: runs the command every other second until it succeeds.
wait_for() {
    local deadline=$((SECONDS + $1)) limit=$1 what=$2
    shift 2
    until "$@"; do
        ((SECONDS < deadline)) || die "waited $limit s for $what"
        sleep 2
    done
}

# Reads KEY='value' lines (a quote inside is '\''); nothing in them is run by the shell.
load_settings() {
    local file=$ROOT/etc/jeroboam/node.env line key value known=" " entry number=0
    [[ -r $file ]] || die "$file cannot be read"
    for entry in "${SETTINGS[@]}" "${OWN_SETTINGS[@]}"; do
        known+="${entry%%=*} "
        printf -v "${entry%%=*}" '%s' "${entry#*=}"
    done
    while IFS= read -r line || [[ -n $line ]]; do
        number=$((number + 1))
        [[ -z $line || $line == \#* ]] && continue
        [[ $line =~ ^([A-Z][A-Z0-9_]*)=\'(.*)\'$ ]] || die "$file line $number is not KEY='value'"
        key=${BASH_REMATCH[1]} value=${BASH_REMATCH[2]//"'\''"/$'\001'}
        [[ $value != *\'* ]] || die "$file line $number: $key has an unescaped quote"
        [[ $value != *@@* ]] || die "$file line $number: $key still holds a marker: $value"
        # An empty value means the default, as a missing one does.
        [[ $known == *" $key "* && -n $value ]] || continue
        printf -v "$key" '%s' "${value//$'\001'/\'}"
    done <"$file"
    for entry in "${SETTINGS[@]}" "${OWN_SETTINGS[@]}"; do
        key=${entry%%=*}
        [[ ${!key} != '!' ]] || die "$file does not name $key"
    done
    [[ $NODE_ROLE == master || $NODE_ROLE == worker ]] || die "NODE_ROLE is '$NODE_ROLE'; allowed: master, worker"
    [[ $NODE_ROLE == worker || (-n $MASTER_NAMES && -n $MASTER_ADDRESSES) ]] ||
        die "a master needs MASTER_NAMES and MASTER_ADDRESSES"
    [[ -n $NODE_ADDRESS ]] || NODE_ADDRESS=$(own_address) || die "no address of this machine leads to the masters"
    export_proxies
}

# The address of this machine as the others see it: a master's is in the list, a worker asks its routes.
own_address() {
    local addresses target route
    IFS=, read -ra addresses <<<"$MASTER_ADDRESSES"
    if [[ $NODE_ROLE == master && -n ${addresses[NODE_INDEX]:-} ]]; then
        say "${addresses[NODE_INDEX]}"
        return 0
    fi
    for target in "${addresses[@]}" 192.0.2.1; do
        route=$(ip -4 -o route get "$target" 2>/dev/null) || continue
        [[ ! $route =~ \ src\ ([0-9.]+) ]] || {
            say "${BASH_REMATCH[1]}"
            return 0
        }
    done
    return 1
}

export_proxies() {
    [[ -n $HTTP_PROXY$HTTPS_PROXY ]] || return 0
    export HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy=$HTTP_PROXY https_proxy=$HTTPS_PROXY no_proxy
    no_proxy=${NO_PROXY:+$NO_PROXY,}127.0.0.1,localhost,$NODE_ADDRESS${MASTER_ADDRESSES:+,$MASTER_ADDRESSES},$(own_destinations)
    NO_PROXY=$no_proxy
}

# The text as a YAML string.
yaml() { printf "'%s'" "${1//\'/\'\'}"; }

# The items of a list, as those of one in YAML.
yaml_items() {
    local item
    while IFS= read -r item; do
        printf '%s, ' "$(yaml "$item")"
    done < <(items "$1")
}

# The text as a JSON (and TOML) string; what is not printable ASCII becomes a question mark.
json() {
    local text
    text=$(printf '%s' "$1" | LC_ALL=C tr '\001-\010\013\014\016-\037\177-\377' '?')
    text=${text//\\/\\\\} text=${text//\"/\\\"} text=${text//$'\t'/\\t}
    text=${text//$'\r'/} text=${text//$'\n'/\\n}
    printf '"%s"' "$text"
}

# json_text KEY: the string under this key of the JSON object on standard input.
json_text() {
    local document pattern="\"$1\"[[:space:]]*:[[:space:]]*\"(([^\"\\\\]|\\\\.)*)\""
    document=$(cat)
    [[ $document =~ $pattern ]] || return 1
    document=${BASH_REMATCH[1]//\\\//\/}
    document=$(printf '%b' "${document//\\\"/\"}")
    say "$document"
}

# items LIST [SEPARATOR]: one per line, without blanks and empty ones.
items() {
    local text=${1//${2:-,}/$'\n'}
    text=${text//[ $'\t']/}
    [[ -z $text ]] || sed '/^$/d' <<<"$text"
}

# proof METHOD PATH [BODY]: who this node is, as options that curl reads from a pipe, so that they are in no argument
# list and no other file. While the node boots that is its bootstrap token; afterwards (and where PROVED_BY is set) its
# certificate, and a signature by its key over what is asked, when, and with which body.
proof() {
    local now sum crt key
    if [[ ! -e $ROOT/var/lib/jeroboam/ready && -z ${PROVED_BY:-} ]]; then
        printf 'header = "X-Jeroboam-Bootstrap-Token: %s"\n' "$(<"$ROOT/etc/jeroboam/bootstrap-token")"
        return 0
    fi
    crt=$ROOT$(certificate_path "$IDENTITY").crt key=$ROOT$(certificate_path "$IDENTITY").key
    now=$(date +%s)
    if [[ $# -lt 3 ]]; then
        sum=$(printf '' | sha256sum)
    else
        sum=$(say "$3" | sha256sum)
    fi
    printf 'header = "X-Jeroboam-Node-Cluster: %s"\n' "$CLUSTER_UUID"
    printf 'header = "X-Jeroboam-Node-Timestamp: %s"\n' "$now"
    printf 'header = "X-Jeroboam-Node-Certificate: %s"\n' "$(openssl x509 -outform DER -in "$crt" | base64 -w 0)"
    printf 'header = "X-Jeroboam-Node-Signature: %s"\n' "$(
        printf 'jeroboam-node-proof-1\n%s\n%s\n/v1%s\n%s\n%s\n' "$CLUSTER_UUID" "$1" "$2" "$now" "${sum%% *}" |
            openssl dgst -sha256 -sign "$key" | base64 -w 0
    )"
}

# api SECONDS METHOD PATH [BODY]: prints the answer. Tries again while the API is away or busy; what it refuses, it
# refuses for good (status 1, and 4 for what is not there). With a proxy, every other attempt goes through it: the API may be on either side.
api() {
    local deadline=$((SECONDS + $1)) method=$2 path=$3 answer code attempt=0 options=() route
    [[ -z $API_CA_FILE ]] || options+=(--cacert "$ROOT$API_CA_FILE")
    [[ $# -lt 4 ]] || options+=(--header 'Content-Type: application/json' --data-binary @-)
    answer=$(mktemp "$ROOT/var/lib/jeroboam/answer.XXXXXX")
    while true; do
        route=(--noproxy '*')
        ((attempt % 2 == 0)) || [[ -z $HTTP_PROXY$HTTPS_PROXY ]] || route=()
        code=$(curl --silent --show-error --config <(proof "${@:2}") --request "$method" --output "$answer" \
            --header 'OpenStack-API-Version: container-infra latest' --write-out '%{http_code}' \
            --connect-timeout 10 --max-time 60 "${route[@]}" "${options[@]}" "$API_URL$path" <<<"${4:-}") || code=none
        case $code in
        2??) break ;;
        407 | 408 | 429 | 5?? | none) ((SECONDS < deadline)) || break ;;
        *) break ;;
        esac
        attempt=$((attempt + 1))
        sleep $((attempt < 10 ? attempt : 10))
    done
    if [[ $code != 2?? ]]; then
        code+=", $(json_text detail <"$answer" || head -c 300 "$answer")"
        say "$method $API_URL$path: answer $code" | scrub >&2
        rm -f "$answer"
        [[ $code != 404* ]] || return 4
        return 1
    fi
    cat "$answer"
    rm -f "$answer"
}

# Takes secrets out of the text on standard input.
scrub() {
    local text token=
    [[ ! -r $ROOT/etc/jeroboam/bootstrap-token ]] || token=$(<"$ROOT/etc/jeroboam/bootstrap-token")
    text=$(LC_ALL=C tr -d '\000' | sed -E -e '/-----BEGIN [A-Z ]*PRIVATE KEY/,/-----END [A-Z ]*PRIVATE KEY/c [removed]' \
        -e 's/^[[:space:]]*[A-Za-z0-9+\/=]{60,}[[:space:]]*$/[removed]/' \
        -e 's/(key-data|token|passw(or)?d|secret)("?[[:space:]]*[:=][[:space:]]*)[^[:space:]]+/\1\3[removed]/Ig' \
        -e 's/SWM(TKN|KEY)-[0-9A-Za-z+\/=-]+/[removed]/g' -e 's#://[^/@[:space:]]+@#://[removed]@#g')
    [[ -z $token ]] || text=${text//"$token"/[removed]}
    [[ -z $text ]] || say "$text"
}

# The last lines of a log as a JSON list: at most 20, at most 4096 bytes in all.
last_lines() {
    local line size=0 list='' lines=()
    mapfile -t lines < <(scrub <"$1" | tail -n 20 | cut -c 1-1000)
    set --
    for line in "${lines[@]}"; do
        set -- "$(json "$line")" "$@"
    done
    # From the last line back, as long as there is room.
    for line in "$@"; do
        ((size += ${#line} + 1, size < 4096)) || break
        list=,$line$list
    done
    say "[${list#,}]"
}

# version_of NAME TEXT: one of what runs here, as a JSON member behind others; nothing where the text holds none.
version_of() {
    [[ ! $2 =~ v?[0-9]+\.[0-9]+[0-9a-zA-Z.~+-]* ]] || printf ',%s:%s' "$(json "$1")" "$(json "${BASH_REMATCH[0]}")"
}

# report PHASE [STEP MESSAGE LOG]: tells the API how far this node is; the last words of a node are the most patient.
report() {
    [[ $NODE_REPORTS == true ]] || return 0
    local body limit=120 addresses=
    [[ $1 != ready && $1 != failed ]] || limit=1800
    [[ -z $NODE_ADDRESS ]] || addresses=$(json "$NODE_ADDRESS")
    # Whoever names `orders` among its versions fetches them; see orders.sh.
    body="{\"phase\":$(json "$1"),\"addresses\":[$addresses],\"versions\":{\"orders\":\"1\"$(own_versions)}"
    [[ $# -lt 4 ]] || body+=",\"step\":$(json "$2"),\"message\":$(json "$3"),\"log\":$(last_lines "$4")"
    say "phase $1"
    api "$limit" POST "/clusters/$CLUSTER_UUID/nodes/$NODE_NAME/report" "$body}" >/dev/null || {
        say "phase $1 was not taken by the API"
        return 1
    }
}

# phase NAME: reports it, once in the life of this node. Only the last one must arrive: it stands for the others.
phase() {
    local marker=$ROOT/var/lib/jeroboam/steps/phase-$1
    [[ ! -e $marker ]] || return 0
    if report "$1"; then
        : >"$marker"
    else
        [[ $1 != ready ]]
    fi
}

# step NAME: runs step_NAME unless it was done before; its output goes to a log, its failure to the API.
step() {
    local name=$1 code=0 marker=$ROOT/var/lib/jeroboam/steps/$1 log=$ROOT/var/log/jeroboam/$1.log
    [[ ! -e $marker ]] || return 0
    say "step $name"
    # In the background, because a shell ignores errexit in a function whose result is asked for.
    (
        trap 'printf "jeroboam error: line %s of %s: exit %s: %s\n" "$LINENO" "${BASH_SOURCE[0]##*/}" "$?" "$BASH_COMMAND" >&2' ERR
        "step_${name//-/_}"
    ) >"$log" 2>&1 &
    wait $! || code=$?
    if ((code == 0)); then
        : >"$marker"
        return 0
    fi
    fail_step "$name" "$code" "$log"
}

# failure_of LOG CODE: the first error in the log.
failure_of() {
    local message
    message=$(grep -m 1 '^jeroboam error: ' "$1" | scrub) || message=
    message=${message#jeroboam error: }
    message=${message:-"exit status $2"}
    say "${message:0:500}"
}

fail_step() {
    local message
    message=$(failure_of "$3" "$2")
    say "step $1 failed: $message"
    report failed "$1" "$message" "$3" || true
    trap - EXIT
    exit 1
}

# For what goes wrong between steps; a machine that is being shut down has not failed.
report_exit() {
    local code=$?
    trap - EXIT
    ((code == 0 || code == 143)) || [[ ${API_URL:-} != http* ]] ||
        report failed start "${LAST_ERROR:-exit status $code}" /dev/null || true
}
