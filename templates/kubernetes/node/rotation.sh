# shellcheck shell=bash
# What a Kubernetes node does when certificates, authorities or credentials change.

# follow_own KIND ORDER: an order of OWN_ORDERS.
follow_own() { renew_cloud_configuration; }

# What is looked after whenever orders are fetched: nothing.
each_round() { :; }

# What reads certificates only when it starts, one after the other, each healthy before the next.
restart_services() {
    local name
    write_kubeconfigs
    live || return 0
    if [[ $NODE_ROLE == master ]]; then
        wait_for 300 "etcd to be healthy before its restart" etcd_is_healthy
        systemctl restart etcd
        wait_for 300 "etcd to be healthy after its restart" etcd_is_healthy
        for name in kube-apiserver kube-controller-manager kube-scheduler; do
            stop_container "$name"
        done
        wait_for 300 "this master's API server to say that it is ready" kubernetes /readyz >/dev/null
    fi
    systemctl restart kubelet
    wait_for 300 "the kubelet to be healthy" kubelet_is_healthy
}

# stop_container NAME: ends a container of a static pod, which the kubelet starts anew.
stop_container() {
    local id
    for id in $(ctr -n k8s.io containers list -q "labels.\"io.kubernetes.container.name\"==$1"); do
        ctr -n k8s.io tasks kill --signal SIGTERM "$id" || true
    done
}

# Programs in pods read whom to trust when they start: ours do so now, before API servers show new certificates.
before_new_certificates() {
    live || return 0
    local namespace
    for namespace in kube-system kube-flannel; do
        as_admin -n "$namespace" rollout restart daemonsets,deployments || true
    done
}

# The cluster's credential as it is now, where it is not in the cluster already.
renew_cloud_configuration() {
    local sum file=/var/lib/jeroboam/cloud-config.sum text
    text=$(cloud_config_text)
    sum=$(sha256sum <<<"$text")
    [[ ! -r $ROOT$file || $(<"$ROOT$file") != "${sum%% *}" ]] || return 0
    if live; then
        # Whatever becomes of this, the cluster is not taken to hold the former one.
        rm -f "$ROOT$file"
        put_cloud_configuration "$text"
        restart_credential_users
    fi
    put 600 "$file" <<<"${sum%% *}"
}

# Pods that hold the credential as a file read it when they start; whoever owns them makes new ones.
restart_credential_users() {
    local pods name rest
    wait_for 120 "the list of pods" list_pods
    while read -r name rest; do
        [[ " $rest " != *" cloud-config "* ]] || as_admin -n kube-system delete pod --ignore-not-found --wait=false "$name"
    done <<<"$pods"
}

# Their names with the secrets that they hold as files, into `pods`.
list_pods() {
    local form='{range .items[*]}{.metadata.name} {.spec.volumes[*].secret.secretName}{"\n"}{end}'
    pods=$(as_admin -n kube-system get pods -o "jsonpath=$form")
}
