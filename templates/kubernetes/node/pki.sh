# shellcheck shell=bash
# Where certificates lie, and by which names the API is reached.

PKI=/etc/kubernetes/pki

# certificate_path NAME: where a certificate of certificates.tsv lives, without .crt or .key.
certificate_path() {
    case $1 in
    kubelet) say /var/lib/kubelet/pki/kubelet ;;
    etcd/* | etcd-*) say "$PKI/etcd/${1#etcd?}" ;;
    apiserver* | front-proxy-client) say "$PKI/$1" ;;
    *) say "$PKI/clients/$1" ;;
    esac
}

# ca_path TYPE: where the authority's certificate lives; TYPE as the API spells it.
ca_path() {
    case $1 in
    kubernetes) say "$PKI/ca.crt" ;;
    etcd) say "$PKI/etcd/ca.crt" ;;
    front-proxy) say "$PKI/front-proxy-ca.crt" ;;
    *) die "certificates.tsv names the authority '$1'; allowed: kubernetes, etcd, front-proxy" ;;
    esac
}

# The first address of the service network, which is that of the service `kubernetes`.
first_service_address() {
    local a b c d length network
    IFS=./ read -r a b c d length <<<"$SERVICE_CIDR"
    network=$(((a << 24 | b << 16 | c << 8 | d) >> (32 - length) << (32 - length)))
    ((network += 1))
    say "$((network >> 24 & 255)).$((network >> 16 & 255)).$((network >> 8 & 255)).$((network & 255))"
}

# own_names CERTIFICATE: what it is reached by besides the node's own name and address.
own_names() {
    local names='' api=DNS
    [[ $1 != etcd* ]] || names+=,DNS:localhost,IP:127.0.0.1
    if [[ $1 == apiserver ]]; then
        [[ ! $KUBE_API_ADDRESS =~ ^[0-9.]+$ ]] || api=IP
        names+=,DNS:localhost,IP:127.0.0.1,IP:$(first_service_address),$api:$KUBE_API_ADDRESS,$KUBE_API_SANS
        names+=,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.$DNS_DOMAIN
    fi
    say "$names"
}

step_service_account() { fetch_service_account; }

# The pair that signs service account tokens is the same on all masters.
fetch_service_account() {
    local answer
    [[ ! -e $ROOT$PKI/sa.key || ! -e $ROOT$PKI/sa.pub ]] || return 0
    answer=$(api 600 GET "/clusters/$CLUSTER_UUID/nodes/$NODE_NAME/service-account") ||
        die "the API gives no service account key"
    json_text private_key <<<"$answer" | put 600 "$PKI/sa.key"
    json_text public_key <<<"$answer" | put 644 "$PKI/sa.pub"
    [[ $(openssl pkey -pubout -in "$ROOT$PKI/sa.key") == "$(openssl pkey -pubin -in "$ROOT$PKI/sa.pub")" ]] || {
        rm -f "$ROOT$PKI/sa.key" "$ROOT$PKI/sa.pub"
        die "the service account keys are not a pair"
    }
}
