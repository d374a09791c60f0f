# shellcheck shell=bash
# Renewals of certificates and other authorities, for scripts.sh, which reads this file.
# Code in single quotes is for a shell that has read the scripts.
# shellcheck disable=SC2016

# Whoever holds a certificate gets the next one: renewal at two thirds of its life, and not after its end.
renewals() {
    local root=$WORK/aging crt=$WORK/aging/var/lib/kubelet/pki/kubelet.crt before file
    moments() { echo "$(date -u -d "$1" +%Y%m%d%H%M%SZ) $(date -u -d "$2" +%Y%m%d%H%M%SZ)"; }
    node aging worker 6 10.0.0.20
    moments '-59 minutes' '+31 minutes' >"$API/validity"
    check "a node with a short-lived certificate" run aging
    before=$(<"$crt")
    check "before two thirds of its life nothing is renewed" run aging certificates
    check "the certificate is the same" test "$(<"$crt")" = "$before"
    moments '-61 minutes' '+29 minutes' >"$API/validity"
    ROOT=$root bash -c ". '$SCRIPTS/bootstrap'; load_settings; each_certificate new_certificate"
    before=$(<"$crt")
    rm "$API/validity"
    mv "$root/etc/jeroboam/bootstrap-token" "$WORK/put-away"
    check "after two thirds it is renewed, without any token" run aging certificates
    check "by another certificate" test "$(<"$crt")" != "$before"
    check "for a new key" openssl verify -CAfile "$API/kubernetes.crt" "$crt"
    check "which is the node's" test "$(openssl x509 -noout -pubkey -in "$crt")" = "$(openssl pkey -pubout -in "${crt%.crt}.key")"
    check "nothing is left beside them" test "$(find "$(dirname "$crt")" -type f | wc -l)" = 2
    check "the kubelet's configuration has the new one" contains "$root/etc/kubernetes/kubelet.conf" "$(base64 -w 0 "$crt")"
    for file in "$crt" "${crt%.crt}.key"; do cp "$file" "$file.new"; done
    printf 'broken' | tee "$crt" >"$root/etc/kubernetes/kubelet.conf"
    check "a pair that was whole when a run ended is taken" run aging certificates
    check "and in use" contains "$root/etc/kubernetes/kubelet.conf" "$(base64 -w 0 "$crt")"
    check "both halves" test "$(openssl x509 -noout -pubkey -in "$crt")" = "$(openssl pkey -pubout -in "${crt%.crt}.key")"
    printf 'half' >"${crt%.crt}.key.new"
    check "half a pair is dropped" run aging certificates
    check "and gone" fails test -e "${crt%.crt}.key.new"
    moments '-61 minutes' '-1 minutes' >"$API/validity"
    rm "$root/var/lib/jeroboam/ready"
    mv "$WORK/put-away" "$root/etc/jeroboam/bootstrap-token"
    ROOT=$root bash -c ". '$SCRIPTS/bootstrap'; load_settings; certificate_is_good() { :; }; each_certificate new_certificate"
    touch "$root/var/lib/jeroboam/ready"
    rm "$API/validity"
    run aging certificates >"$WORK/aging.log" 2>&1
    check "an expired certificate fails" test $? = 1
    check "and says since when, and what to do" contains "$WORK/aging.log" "so the API does not know it any more: replace this node"
    run aging orders >"$WORK/aging.log" 2>&1
    check "orders fail the same way" contains "$WORK/aging.log" "replace this node"
    openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /O=system:nodes/CN=system:node:aging -keyout "${crt%.crt}.key" -out "$crt" 2>/dev/null
    run aging orders >"$WORK/aging.log" 2>&1
    check "a certificate of nobody's is refused" contains "$WORK/aging.log" "answer 401"
    check "with what may be wrong" contains "$WORK/aging.log" "this machine's clock must be right"
}

# told KIND TRUST ISSUER: the order that the API gives; TRUST and ISSUER are lists of prefixes of authorities.
told() {
    python '
directory, kind, trust, issuer = sys.argv[1:]
read = lambda prefix, name: open(f"{directory}/{prefix.strip(chr(46))}{name}.crt").read()
order = {"uuid": kind + "-1", "kind": kind}
for name in ("kubernetes", "etcd", "front-proxy"):
    order[name + "_trust"] = "".join(read(prefix, name) for prefix in trust.split())
    order[name + "_issuer"] = read(issuer, name)
json.dump(order, open(directory + "/orders.json", "w"))' "$API" "$1" "$2" "$3"
}
answers() { python 'print(" ".join(a["uuid"] + ":" + a["state"] for a in map(json.loads, open(sys.argv[1])) if a["node"] == sys.argv[2]))' "$API/answers.jsonl" "$1"; }

# signed_by NODE PREFIX: every certificate of the node is by the authorities with that prefix.
signed_by() {
    local name ca rest
    while IFS=$'\t' read -r name ca rest; do
        openssl verify -no-CApath -no-CAstore -CAfile "$API/$2$ca.crt" "$WORK/$1$(inside "$1" "certificate_path '$name'").crt" || return 1
    done <"$WORK/$1/etc/jeroboam/certificates.tsv"
}
# trusts NODE COUNT FILE: so many certificates are trusted for Kubernetes, among them that one.
trusts() { [[ $(grep -c BEGIN "$WORK/$1/etc/kubernetes/pki/ca.crt") == "$2" ]] && grep -qF "$(sed -n 3p "$3")" "$WORK/$1/etc/kubernetes/pki/ca.crt"; }

# Other authorities, part by part and back, on a master and a worker.
rotations() {
    local name
    node turner worker 7 10.0.0.21
    check "a worker to turn" run turner
    node turned master 0 127.0.0.11 "MASTER_NAMES='turned'" "MASTER_ADDRESSES='127.0.0.11'"
    check "a master to turn" run turned
    for name in turned turner; do
        rm -f "$API/orders.json" "$API/sign-next"
        check "$name: no orders" run "$name" orders
        told trust '. next-' .
        check "$name: trust" run "$name" orders
        check "$name: both are trusted" trusts "$name" 2 "$API/next-kubernetes.crt"
        check "$name: nothing is signed anew" signed_by "$name" ''
        check "$name: trust once more" run "$name" orders
        touch "$API/sign-next"
        told leaf '. next-' next-
        check "$name: leaf" run "$name" orders
        check "$name: all is signed by the new ones" signed_by "$name" next-
        check "$name: both are trusted still" trusts "$name" 2 "$API/kubernetes.crt"
        check "$name: its configuration trusts both" contains "$WORK/$name/etc/kubernetes/kubelet.conf" "$(base64 -w 0 "$WORK/$name/etc/kubernetes/pki/ca.crt")"
        rm "$API/sign-next"
        told back . .
        check "$name: back" run "$name" orders
        check "$name: all is signed by the old ones" signed_by "$name" ''
        check "$name: only they are trusted" trusts "$name" 1 "$API/kubernetes.crt"
        touch "$API/sign-next"
        told commit next- next-
        check "$name: straight to the end" run "$name" orders
        check "$name: signed by the new ones" signed_by "$name" next-
        check "$name: which alone are trusted" trusts "$name" 1 "$API/next-kubernetes.crt"
        check "$name: its answers" test "$(answers "$name")" = "trust-1:done trust-1:done leaf-1:done back-1:done commit-1:done"
        told dance . .
        check "$name: an order that is not known" fails run "$name" orders
        check "$name: is answered" test "$(answers "$name" | tr ' ' '\n' | tail -n 1)" = dance-1:failed
        told leaf '. next-' .
        touch "$API/foreign-ca"
        check "$name: a signature of somebody else's" fails run "$name" orders
        rm "$API/foreign-ca"
        check "$name: changes nothing" signed_by "$name" next-
    done
    check "the failure has message and log" python '
last = [json.loads(l) for l in open(sys.argv[1])][-1]
assert "is not what was asked for" in last["message"] and last["log"], last' "$API/answers.jsonl"
    told credential . .
    check "a new credential" run turned orders
    name=$(<"$WORK/turned/var/lib/jeroboam/cloud-config.sum")
    rm "$API/sign-next"
    check "another one" run turned orders
    check "differs" test "$(<"$WORK/turned/var/lib/jeroboam/cloud-config.sum")" != "$name"
    name='live() { return 0; }; cloud_config_text() { say x; }; put_cloud_configuration() { say put; }; restart_credential_users()'
    check "one that does not get to its users" fails inside turned "$name { return 1; }; renew_cloud_configuration"
    check "is put again" test "$(inside turned "$name { :; }; renew_cloud_configuration")" = put
    check "and then no more" test -z "$(inside turned "$name { :; }; renew_cloud_configuration")"
    rm -f "$API/orders.json"
    check "no key in what the orders logged" lacks "$WORK/turned/var/log/jeroboam/orders.log" "PRIVATE KEY"
}

# A restart that fails, or is not come to, is due until it has succeeded: nobody is told before that all is well.
due_restarts() {
    local root=$WORK/owing
    local conf=$root/etc/kubernetes/kubelet.conf due=$root/var/lib/jeroboam/restart-due crt=$root/var/lib/kubelet/pki/kubelet.crt
    node owing worker 8 10.0.0.22
    check "a worker whose restarts will fail" run owing
    check "after its boot none is due" fails test -e "$due"
    # In the way of what a restart writes.
    mkdir "$conf.new"
    told trust '. next-' .
    check "the order fails with its restart" fails run owing orders
    check "which is due" test -e "$due"
    rmdir "$conf.new"
    check "the same order again" run owing orders
    check "is carried out now" contains "$conf" "$(base64 -w 0 "$root/etc/kubernetes/pki/ca.crt")"
    check "its answers" test "$(answers owing)" = "trust-1:failed trust-1:done"
    check "nothing is due" fails test -e "$due"
    mkdir "$conf.new"
    told leaf '. next-' next-
    touch "$API/sign-next"
    check "so does one with a new certificate" fails run owing orders
    rm -f "$API/sign-next" "$API/orders.json"
    rmdir "$conf.new"
    check "without any order" run owing orders
    check "it is in use too" contains "$conf" "$(base64 -w 0 "$crt")"
    check "a restart that is done is not done again" inside owing 'restart_services() { exit 1; }; restart_where_due'
}
