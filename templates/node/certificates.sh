# shellcheck shell=bash
# Keys made here, certificates signed by the API. No key of an authority ever comes to a node.

# alternative_names CERTIFICATE: what it is reached by, as openssl writes it: IP:…,DNS:…
alternative_names() { items "DNS:$NODE_NAME,IP:$NODE_ADDRESS,$(own_names "$1")" | awk '!seen[$0]++' | paste -sd,; }

# each_certificate COMMAND: runs it with the columns of every line of certificates.tsv.
each_certificate() {
    local name ca common_name organization usage san list=$ROOT/etc/jeroboam/certificates.tsv
    [[ -r $list ]] || die "$list cannot be read"
    while IFS=$'\t' read -r -u 3 name ca common_name organization usage san; do
        [[ -n $name && $name != \#* ]] || continue
        [[ $san == yes || $san == no ]] || die "certificates.tsv, $name: needs six columns"
        "$1" "$name" "$ca" "${common_name//'{node}'/$NODE_NAME}" "$organization" "$usage" "$san"
    done 3<"$list"
}

step_certificates() {
    fetch_ca kubernetes
    each_certificate first_certificate
    write_timers
}

fetch_ca() {
    local path text
    path=$(ca_path "$1")
    [[ ! -e $ROOT$path ]] || return 0
    api 600 GET "/certificates/$CLUSTER_UUID?ca_cert_type=$1" >"$ROOT/var/lib/jeroboam/ca" ||
        die "the API gives no certificate of the authority $1"
    json_text pem <"$ROOT/var/lib/jeroboam/ca" | put 644 "$path"
    text=$(openssl x509 -noout -text -in "$ROOT$path") || text=
    [[ $text == *CA:TRUE* ]] || {
        rm -f "$ROOT$path"
        die "what the API gives for $1 is no authority's certificate"
    }
}

first_certificate() {
    local path
    fetch_ca "$2"
    path=$ROOT$(certificate_path "$1")
    settle_pair "$path"
    if [[ -e $path.crt ]] && certificate_is_good "$path" "$@"; then
        return 0
    fi
    new_certificate "$@"
}

# new_certificate NAME CA COMMON_NAME ORGANIZATION|- USAGE SAN: a new key, a request, and the certificate for it, which
# take the place of the old ones together. With ISSUER set, it must be by the authority in that file.
new_certificate() {
    local name=$1 ca=$2 subject="/CN=$3" path request names='' answer
    [[ $4 == - ]] || subject="/O=$4$subject"
    [[ $6 == no ]] || names=$(alternative_names "$name")
    path=$ROOT$(certificate_path "$name")
    (umask 022 && mkdir -p "$(dirname "$path")")
    rm -f "$path.crt.new"
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$path.key.new"
    request=$(openssl req -new -sha256 -key "$path.key.new" -subj "$subject" -config <(request_form "$names"))
    answer=$(api 600 POST /certificates "{\"cluster_uuid\":$(json "$CLUSTER_UUID"),\"csr\":$(json "$request"),\"ca_cert_type\":$(json "$ca")}") || die "the API does not sign the certificate $name ($subject)"
    json_text pem <<<"$answer" | put 644 "${path#"$ROOT"}.crt.next"
    certificate_is_good "$path" "$@" || {
        rm -f "$path.crt.next" "$path.key.new"
        die "the certificate that the API made for $name is not what was asked for"
    }
    # From here on the pair is taken even if this run ends.
    mv -f "$path.crt.next" "$path.crt.new"
    settle_pair "$path"
    say "$name: signed"
}

# settle_pair PATH: takes a new pair whose certificate is whole; drops one that is not. A run may have ended anywhere.
settle_pair() {
    if [[ -e $1.crt.new ]]; then
        note_restart
        [[ ! -e $1.key.new ]] || mv -f "$1.key.new" "$1.key"
        mv -f "$1.crt.new" "$1.crt"
    fi
    rm -f "$1.key.new" "$1.crt.next"
}

# What is new on the disk is in use only after a restart, and a run may end before that: the disk itself says that one is
# due. A machine that still boots runs nothing yet that has read what was there before.
note_restart() { [[ ! -e $ROOT/var/lib/jeroboam/ready ]] || : >"$ROOT/var/lib/jeroboam/restart-due"; }

restart_where_due() {
    [[ -e $ROOT/var/lib/jeroboam/restart-due ]] || return 0
    restart_services
    rm -f "$ROOT/var/lib/jeroboam/restart-due"
    say "certificates and whom to trust are in use as they are on the disk"
}

settle_pairs() { each_certificate settle_named; }
settle_named() { settle_pair "$ROOT$(certificate_path "$1")"; }

# The form of a request; our own, since not every system has a default one.
request_form() {
    printf '[req]\nprompt = no\ndistinguished_name = name\n'
    [[ -z $1 ]] || printf 'req_extensions = wanted\n'
    printf '[name]\n'
    [[ -z $1 ]] || printf '[wanted]\nsubjectAltName = %s\n' "$1"
}

# certificate_is_good PATH NAME CA COMMON_NAME ORGANIZATION USAGE SAN: signed by the authority, for our key, with the
# names. A pair that is not in place yet (.crt.next, .key.new) is looked at first.
certificate_is_good() {
    local path=$1 ca text subject name purpose crt=$1.crt key=$1.key names=''
    [[ ! -e $path.crt.next ]] || crt=$path.crt.next key=$path.key.new
    shift
    ca=${ISSUER:-$ROOT$(ca_path "$2")}
    [[ $6 == no ]] || names=$(alternative_names "$1")
    for purpose in server client; do
        [[ $5 == "$purpose" || $5 == both ]] || continue
        openssl verify -no-CApath -no-CAstore -CAfile "$ca" -purpose "ssl$purpose" "$crt" || return 1
    done
    [[ $(openssl x509 -noout -pubkey -in "$crt") == "$(openssl pkey -pubout -in "$key")" ]] || {
        say "$1: not for our key"
        return 1
    }
    subject=$(openssl x509 -noout -subject -nameopt multiline -in "$crt")
    [[ $subject =~ commonName\ *=\ ([^$'\n']*) && ${BASH_REMATCH[1]} == "$3" ]] || {
        say "$1: subject is $subject"
        return 1
    }
    [[ $4 == - ]] || [[ $subject =~ organizationName\ *=\ ([^$'\n']*) && ${BASH_REMATCH[1]} == "$4" ]] || {
        say "$1: subject is $subject"
        return 1
    }
    [[ -n $names ]] || return 0
    text=,$(openssl x509 -noout -ext subjectAltName -in "$crt" | tail -n +2 | tr -d ' '),
    while IFS= read -r name; do
        [[ $text == *,"${name/#IP:/IPAddress:}",* ]] || {
            say "$1: lacks the name $name"
            return 1
        }
    done < <(items "$names")
}

# Every day: certificates past two thirds of their life are made anew, which the API grants to whoever holds the old ones.
renew_certificates() {
    local until
    alone
    settle_pairs
    if until=$(ended "$ROOT$(certificate_path "$IDENTITY").crt"); then
        die "the certificate of this node ended at $until, so the API does not know it any more: replace this node"
    fi
    each_certificate renew
    restart_where_due
}

# renew NAME...: a new certificate where the present one is old.
renew() {
    local path from until now
    path=$ROOT$(certificate_path "$1").crt
    if [[ -e $path ]]; then
        now=$(date +%s)
        from=$(date -d "$(openssl x509 -noout -startdate -in "$path" | cut -d= -f2)" +%s)
        until=$(date -d "$(openssl x509 -noout -enddate -in "$path" | cut -d= -f2)" +%s)
        ((now - from >= (until - from) * 2 / 3)) || return 0
    fi
    new_certificate "$@"
}

# ended FILE: says when the certificate ended; fails while it is valid, and when there is none.
ended() {
    [[ -e $1 ]] || return 1
    ! openssl x509 -noout -checkend 0 -in "$1" >/dev/null || return 1
    openssl x509 -noout -enddate -in "$1" | cut -d= -f2
}
