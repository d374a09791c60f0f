# shellcheck shell=bash
# What a node does over its life: it asks every minute or two for orders, carries them out, and answers. An order
# describes how things are to be, so that one that was missed or carried out twice does no harm.

write_timers() {
    unit_pair orders "Ask the cluster's API for orders" 'OnBootSec=1min' 'OnUnitActiveSec=90s' 'RandomizedDelaySec=30s'
    unit_pair certificates 'Renew the certificates of this node in time' 'OnCalendar=daily' 'RandomizedDelaySec=1h' 'Persistent=true'
    live || return 0
    systemctl daemon-reload
    systemctl enable --now jeroboam-orders.timer jeroboam-certificates.timer
}

# unit_pair COMMAND DESCRIPTION TIMER-LINE...: a service that runs one command of ours, and its timer.
unit_pair() {
    local name=$1 description=$2
    shift 2
    put 644 "/etc/systemd/system/jeroboam-$name.service" <<END
[Unit]
Description=$description
Wants=network-online.target
After=network-online.target
ConditionPathExists=/var/lib/jeroboam/ready

[Service]
Type=oneshot
ExecStart=/bin/bash $HERE/bootstrap $name
TimeoutStartSec=30min
UMask=0077
END
    {
        say "[Unit]"
        say "Description=$description"
        say
        say "[Timer]"
        printf '%s\n' "$@"
        say
        say "[Install]"
        say "WantedBy=timers.target"
    } | put 644 "/etc/systemd/system/jeroboam-$name.timer"
}

# One at a time: the two timers, and whoever runs them by hand.
alone() {
    exec 9>"$ROOT/var/lib/jeroboam/lock"
    flock -w 1200 9 || die "another run of these scripts does not end"
}

follow_orders() {
    local orders kind uuid code=0 message log=$ROOT/var/log/jeroboam/orders.log
    alone
    settle_pairs
    each_round
    orders=$(api 60 GET "/clusters/$CLUSTER_UUID/nodes/$NODE_NAME/orders") || die "$(no_orders)"
    kind=$(json_text kind <<<"$orders") || die "the API's orders cannot be read"
    # Where there is an order, it has what is due done, and says what is wrong with that.
    [[ $kind != nothing ]] || {
        restart_where_due
        return 0
    }
    uuid=$(json_text uuid <<<"$orders")
    say "order $kind ($uuid)"
    (
        trap 'printf "jeroboam error: line %s of %s: exit %s: %s\n" "$LINENO" "${BASH_SOURCE[0]##*/}" "$?" "$BASH_COMMAND" >&2' ERR
        case $kind in
        trust | leaf | return | commit | back) hold_authorities "$kind" "$orders" ;;
        *)
            [[ " ${OWN_ORDERS[*]} " == *" $kind "* ]] ||
                die "the order '$kind' is not known to this node's scripts; replace the node"
            follow_own "$kind" "$orders"
            ;;
        esac
    ) >"$log" 2>&1 &
    wait $! || code=$?
    if ((code == 0)); then
        answer_order "{\"uuid\":$(json "$uuid"),\"state\":\"done\"}"
        say "order $kind is carried out"
        return 0
    fi
    message=$(failure_of "$log" "$code")
    answer_order "{\"uuid\":$(json "$uuid"),\"state\":\"failed\",\"message\":$(json "$message"),\"log\":$(last_lines "$log")}"
    die "order $kind: $message"
}

# Why the API might not answer a node that it knew.
no_orders() {
    local until
    if until=$(ended "$ROOT$(certificate_path "$IDENTITY").crt"); then
        say "the certificate of this node ended at $until, so the API does not know it any more: replace this node"
    else
        say "the API gives no orders (it must know this node's certificate, and this machine's clock must be right)"
    fi
}

answer_order() {
    api 300 POST "/clusters/$CLUSTER_UUID/nodes/$NODE_NAME/orders" "$1" >/dev/null || die "the API does not take the answer"
}

# hold_authorities KIND ORDER: trusts whom the order says, and has all certificates signed by whom it says. What is
# trusted grows before a certificate changes and shrinks after it, so that this node is understood all the time.
hold_authorities() {
    local kind=$1 orders=$2 type
    for type in "${AUTHORITIES[@]}"; do
        [[ -e $ROOT$(ca_path "$type") ]] || continue
        json_text "${type}_trust" <<<"$orders" | put 644 "/var/lib/jeroboam/trust/$type.crt"
        json_text "${type}_issuer" <<<"$orders" | put 644 "/var/lib/jeroboam/issuer/$type.crt"
        authorities_only "/var/lib/jeroboam/trust/$type.crt"
        authorities_only "/var/lib/jeroboam/issuer/$type.crt"
    done
    [[ $kind != leaf || $NODE_ROLE != master || $NODE_INDEX != 0 ]] || before_new_certificates
    # Only what is trusted before and after: nothing shrinks yet.
    for type in "${AUTHORITIES[@]}"; do
        [[ -e $ROOT$(ca_path "$type") ]] || continue
        union "$type"
    done
    restart_where_due
    each_certificate reissue
    restart_where_due
    for type in "${AUTHORITIES[@]}"; do
        [[ -e $ROOT$(ca_path "$type") ]] || continue
        install_authority "$type" <"$ROOT/var/lib/jeroboam/trust/$type.crt"
    done
    restart_where_due
    rm -rf "$ROOT/var/lib/jeroboam/trust" "$ROOT/var/lib/jeroboam/issuer"
}

# authorities_only FILE: every certificate in it is an authority's.
authorities_only() {
    local text
    text=$(openssl crl2pkcs7 -nocrl -certfile "$ROOT$1" | openssl pkcs7 -print_certs -text -noout) || text=
    [[ $text == *CA:TRUE* && $text != *CA:FALSE* ]] || die "$1 of the order holds something else than authorities"
}

# union TYPE: trusts what was trusted and what will be.
union() {
    local file trust=$ROOT/var/lib/jeroboam/trust/$1.crt
    file=$ROOT$(ca_path "$1")
    cat "$file" "$trust" | unique_certificates >"$trust.union"
    install_authority "$1" <"$trust.union"
}

# The certificates on standard input, each once, in the order in which they come.
unique_certificates() {
    awk '/-----BEGIN CERTIFICATE-----/ { text = "" } { text = text $0 "\n" }
        /-----END CERTIFICATE-----/ { if (!seen[text]++) printf "%s", text }'
}

# install_authority TYPE: puts what comes in as trusted, where that is new.
install_authority() {
    local path text
    path=$(ca_path "$1")
    text=$(unique_certificates)
    [[ $text != "$(<"$ROOT$path")" ]] || return 0
    note_restart
    put 644 "$path" <<<"$text"
    say "trusted for $1: $(grep -c BEGIN <<<"$text") certificates"
}

# reissue NAME CA...: a new certificate where the present one is not by the issuer of the order.
reissue() {
    local path issuer=$ROOT/var/lib/jeroboam/issuer/$2.crt
    path=$ROOT$(certificate_path "$1")
    if [[ -e $path.crt ]] && openssl verify -no-CApath -no-CAstore -partial_chain -CAfile "$issuer" "$path.crt"; then
        return 0
    fi
    ISSUER=$issuer new_certificate "$@"
}
