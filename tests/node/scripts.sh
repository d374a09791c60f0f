#!/bin/bash
# Tests of the node scripts of Kubernetes, and of those that all COEs share: their syntax, and everything of them that can run without changing the machine, against an
# API with real authorities. Prints `ok` and `not ok` lines and ends with the count. Needs shellcheck, python3, openssl.
# Code in single quotes is for a shell that has read the scripts.
# shellcheck disable=SC2016
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=checks.sh
. tests/node/checks.sh
# shellcheck source=rotation.sh
. tests/node/rotation.sh

# node NAME ROLE INDEX ADDRESS [SETTING...]: the files that user_data would have written.
node() {
    local root=$WORK/$1 setting
    mkdir -p "$root/etc/jeroboam/addons"
    cat >"$root/etc/jeroboam/node.env" <<END
# made by the test
CLUSTER_UUID='$UUID'
CLUSTER_NAME='it'\''s "one"'
NODE_ROLE='$2'
NODE_INDEX='$3'
NODE_NAME='$1'
NODE_ADDRESS='$4'
NODEGROUP_NAME='default $2'
API_URL='http://127.0.0.1:$(<"$API/port")/v1'
MASTER_NAMES='m-0,m-1,m-2'
MASTER_ADDRESSES='127.0.0.11,127.0.0.12,127.0.0.13'
KUBE_API_ADDRESS='10.0.0.5'
KUBE_API_SANS='IP:203.0.113.9,DNS:api.example.org'
KUBE_VERSION='v1.32.4'
POD_CIDR='10.100.0.0/16'
SERVICE_CIDR='10.254.0.0/16'
DNS_SERVICE_ADDRESS='10.254.0.10'
UNKNOWN_TO_THE_SCRIPTS='\$(touch $WORK/executed)'
END
    for setting in "${@:5}"; do echo "$setting" >>"$root/etc/jeroboam/node.env"; done
    cp "$API/token" "$root/etc/jeroboam/bootstrap-token"
    cp templates/kubernetes/addons/flannel.yaml "$root/etc/jeroboam/addons/"
    printf 'kubelet\tkubernetes\tsystem:node:{node}\tsystem:nodes\tboth\tyes\n' >"$root/etc/jeroboam/certificates.tsv"
    [[ $2 == worker ]] || cat >>"$root/etc/jeroboam/certificates.tsv" <<'END'
apiserver	kubernetes	kube-apiserver	-	server	yes
apiserver-kubelet-client	kubernetes	kube-apiserver-kubelet-client	kubeadm:cluster-admins	client	no
apiserver-etcd-client	etcd	kube-apiserver-etcd-client	-	client	no
etcd-server	etcd	{node}	-	both	yes
etcd-peer	etcd	{node}	-	both	yes
front-proxy-client	front-proxy	front-proxy-client	-	client	no
admin	kubernetes	kubernetes-admin	system:masters	client	no
controller-manager	kubernetes	system:kube-controller-manager	-	client	no
scheduler	kubernetes	system:kube-scheduler	-	client	no
END
}

settings() {
    node parse worker 0 10.0.0.7
    check "a quoted quote is a quote" test "$(inside parse 'say "$CLUSTER_NAME"')" = "it's \"one\""
    check "defaults hold for what is not named" test "$(inside parse 'say "$DNS_DOMAIN $KUBE_API_PORT $HTTP_PROXY"')" = "cluster.local 6443 "
    inside parse true
    check "nothing in node.env is run" fails test -e "$WORK/executed"
    node marker worker 0 "@@ADDRESS@@"
    check "a marker that Heat left is refused" contains <(inside marker true 2>&1) "NODE_ADDRESS still holds a marker"
    node unquoted worker 0 10.0.0.7 'NO_PROXY=a b'
    check "a line without quotes is refused" contains <(inside unquoted true 2>&1) "is not KEY='value'"
    node missing worker 0 10.0.0.7
    sed -i /POD_CIDR/d "$WORK/missing/etc/jeroboam/node.env"
    check "a missing setting is named" contains <(inside missing true 2>&1) "does not name POD_CIDR"
    printf '#!/bin/sh\necho "10.0.0.5 dev ens3 src 10.0.0.42 uid 0"\n' >"$WORK/bin/ip"
    chmod 755 "$WORK/bin/ip"
    node found worker 0 ''
    check "a worker finds its own address" test "$(inside found 'say "$NODE_ADDRESS"')" = 10.0.0.42
    check "the first service address" test "$(inside parse 'SERVICE_CIDR=10.254.77.9/20; first_service_address')" = 10.254.64.1
    check "json of hostile text" python 'assert json.loads(sys.argv[1]) == "a\"b\\c\n\t?d"' \
        "$(inside parse 'json "$(printf "a\"b\\\\c\n\t\001d")"')"
    check "text out of json" test "$(inside parse "json_text b <<<'{\"a\":1, \"b\" : \"x\\ny\\/\\\"z\"}'")" = $'x\ny/"z'
}

secrets() {
    local token log=$WORK/secret.log
    token=$(<"$API/token")
    {
        echo "token $token here"
        echo 'password: hunter2'
        echo 'client-key-data: QUJD'
        echo 'proxy http://user:pw@proxy:3128/'
        openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 2>/dev/null
        printf 'long %.0s' {1..900}
        echo
        echo 'the last line "quoted"'
    } >"$log"
    inside parse "scrub <'$log'" >"$WORK/scrubbed"
    local secret
    for secret in "$token" hunter2 QUJD user:pw MII; do
        check "scrubbed: ${secret:0:7}" lacks "$WORK/scrubbed" "$secret"
    done
    check "the rest stays" contains "$WORK/scrubbed" 'the last line "quoted"'
    seq -f '%g some line of a log, "quoted", with \backslashes and more of it, so that it gets long; so that it gets long; so that it gets long; so that it gets long; so that it gets long' 1 400 >"$log"
    inside parse "last_lines '$log'" >"$WORK/lines"
    check "the last lines: at most 20, at most 4096 bytes, the last one there" python '
text = open(sys.argv[1]).read(); lines = json.loads(text)
assert len(text) <= 4100 and 15 < len(lines) <= 20 and lines[-1].startswith("400 some"), (len(text), len(lines))' "$WORK/lines"
    check "an empty log is an empty list" test "$(inside parse 'last_lines /dev/null')" = '[]'
}

# Every certificate of the list: signed by its authority, with its names, key 0600, and no authority's key anywhere.
certificates() {
    local root=$WORK/m-0 name ca rest path
    while IFS=$'\t' read -r name ca rest; do
        path=$root$(inside m-0 "certificate_path '$name'")
        check "certificate $name: chain of $ca" openssl verify -no-CApath -no-CAstore -CAfile "$API/$ca.crt" "$path.crt"
        check "certificate $name: key only for root" test "$(stat -c %a "$path.key")" = 600
    done <"$root/etc/jeroboam/certificates.tsv"
    openssl x509 -noout -ext subjectAltName -subject -in "$root/etc/kubernetes/pki/apiserver.crt" >"$WORK/text"
    for name in DNS:m-0 'IP Address:127.0.0.11' 'IP Address:10.254.0.1' 'IP Address:10.0.0.5' 'IP Address:203.0.113.9' \
        DNS:api.example.org DNS:kubernetes.default.svc.cluster.local 'CN = kube-apiserver'; do
        check "apiserver has $name" contains "$WORK/text" "$name"
    done
    openssl x509 -noout -ext subjectAltName -subject -in "$root/var/lib/kubelet/pki/kubelet.crt" >"$WORK/text"
    check "the kubelet's subject" contains "$WORK/text" 'O = system:nodes, CN = system:node:m-0'
    check "the service account's pair" cmp "$root/etc/kubernetes/pki/sa.pub" "$API/sa.pub"
    check "no authority's key" fails grep -rqF "$(sed -n 2p "$API/kubernetes.key")" "$root"
    check "certificates are young" run m-0 certificates
}

faults() {
    node wrong worker 1 10.0.0.8
    touch "$API/wrong-names"
    check "a certificate without the names is refused" fails run wrong
    rm "$API/wrong-names"
    check "and reported" contains <(tail -n 1 "$API/reports.jsonl") 'made for kubelet is not what was asked for'
    check "and not kept" fails test -e "$WORK/wrong/var/lib/kubelet/pki/kubelet.crt"
    touch "$API/foreign-ca"
    check "a certificate of another authority is refused" fails run wrong
    rm "$API/foreign-ca"
    check "the node goes on where it stopped" run wrong
    check "with all its reports" test "$(reports wrong)" = \
        "booted failed booted failed booted certificates runtime kubelet ready"
    node away worker 2 10.0.0.9
    touch "$API/away"
    run away >"$WORK/away.log" 2>&1 &
    local child=$!
    children+=("$child")
    sleep 1
    rm "$API/away"
    wait "$child"
    check "an API that comes back is found" test $? = 0
    node broken worker 3 10.0.0.10
    sed -i 's/kubelet/kubelet\tnonsense/' "$WORK/broken/etc/jeroboam/certificates.tsv"
    check "a broken list fails" fails run broken
    check "the failure has step, message and log" python '
last = [json.loads(l) for l in open(sys.argv[1])][-1]
assert last["phase"] == "failed" and last["step"] == "certificates" and last["message"] and last["log"], last' "$API/reports.jsonl"
    node stranger worker 4 10.0.0.11
    echo "not-the-token-0123456789" >"$WORK/stranger/etc/jeroboam/bootstrap-token"
    check "a wrong token fails" fails run stranger
    check "with the API's own words" contains "$WORK/stranger/var/log/jeroboam/certificates.log" 'unknown" or has expired'
    check "and is in no log" fails grep -rqF "not-the-token-0123456789" "$WORK/stranger/var"
    # As after a run that ended right behind its last report, and right behind that report's marker.
    local file
    for file in steps/phase-ready ready; do
        rm -f "$WORK/wrong/var/lib/jeroboam/$file" "$WORK/wrong/var/lib/jeroboam/ready"
        echo "worthless-by-now-0123456789" >"$WORK/wrong/etc/jeroboam/bootstrap-token"
        check "a node whose $file is missing when its token is worth nothing" run wrong
        check "is one, and has said so" test -e "$WORK/wrong/var/lib/jeroboam/ready" -a "$(reports wrong | grep -o '[a-z]*$')" = ready
    done
    rm "$WORK/wrong/var/lib/jeroboam/ready"
    cp "$API/token" "$WORK/wrong/etc/jeroboam/bootstrap-token"
    check "once more, with a token that holds" run wrong
    check "it is not taken back" test "$(reports wrong | grep -o '[a-z]*$')" = ready
    node few master 0 127.0.0.11 "MASTER_NAMES='few'" "MASTER_ADDRESSES='127.0.0.11'"
    sed -i '/^scheduler/d' "$WORK/few/etc/jeroboam/certificates.tsv"
    check "a list without the scheduler fails" fails run few
    check "the message names it" contains <(tail -n 1 "$API/reports.jsonl") 'needs the certificate scheduler'
    node flag master 0 127.0.0.11 "MASTER_NAMES='flag'" "MASTER_ADDRESSES='127.0.0.11'" "KUBEAPI_OPTIONS='oops'"
    check "an option that is none fails" fails run flag
    check "the message says so" contains <(tail -n 1 "$API/reports.jsonl") "'oops' is not an option"
}

files() {
    local root=$WORK/m-0
    check "containerd's configuration is TOML" python '
c = tomllib.load(open(sys.argv[1], "rb"))["plugins"]["io.containerd.grpc.v1.cri"]
assert c["containerd"]["runtimes"]["runc"]["options"]["SystemdCgroup"] is True
assert c["sandbox_image"].startswith("registry.example.org/mirror/pause:")' "$root/etc/containerd/config.toml"
    check "the insecure registry is TOML" python '
assert tomllib.load(open(sys.argv[1], "rb"))["host"]["http://10.0.0.3:5000"]["skip_verify"]' \
        "$root/etc/containerd/certs.d/10.0.0.3:5000/hosts.toml"
    check "kubeadm's configuration" contains "$root/etc/kubernetes/kubeadm.yaml" 'apiVersion: kubeadm.k8s.io/v1beta4'
    check "its cluster name is quoted" contains "$root/etc/kubernetes/kubeadm.yaml" "clusterName: 'it''s \"one\"'"
    check "its etcd endpoints" contains "$root/etc/kubernetes/kubeadm.yaml" '    - https://127.0.0.13:2379'
    check "its options" contains "$root/etc/kubernetes/kubeadm.yaml" "  - {name: v, value: '4'}"
    check "the proxy's mode" contains "$root/etc/kubernetes/kubeadm.yaml" "mode: 'ipvs'"
    check "a quote in an option" contains "$root/etc/kubernetes/kubeadm.yaml" "  - {name: event-ttl, value: '1h''x'}"
    check "no audit log unless asked for" lacks "$root/etc/kubernetes/kubeadm.yaml" audit
    check "an audit log" inside m-0 "AUDIT_LOG=true AUDIT_LOG_MAXAGE=7; kubeadm_configuration >'$WORK/audit.yaml'; audit_policy >'$WORK/policy.yaml'"
    check "its age" contains "$WORK/audit.yaml" "  - {name: audit-log-maxage, value: '7'}"
    check "its place is the pod's too" contains "$WORK/audit.yaml" 'mountPath: /var/log/kubernetes/audit'
    check "the kubelet's ciphers" contains <(inside m-0 'KUBELET_TLS_CIPHER_SUITES=A,B; kubelet_configuration') 'tlsCipherSuites: [A,B]'
    mkdir -p "$root/etc/selinux"
    printf 'SELINUX=enforcing\nSELINUXTYPE=targeted\n' >"$root/etc/selinux/config"
    check "SELinux is left alone" inside m-0 selinux
    check "as it is" contains "$root/etc/selinux/config" 'SELINUX=enforcing'
    check "SELinux is told" inside m-0 'SELINUX_MODE=permissive; selinux'
    check "once" test "$(<"$root/etc/selinux/config")" = $'SELINUX=permissive\nSELINUXTYPE=targeted'
    check "etcd's members" contains "$root/etc/etcd/etcd.env" \
        'ETCD_INITIAL_CLUSTER=m-0=https://127.0.0.11:2380,m-1=https://127.0.0.12:2380,m-2=https://127.0.0.13:2380'
    check "the kubelet's labels" contains "$root/etc/systemd/system/kubelet.service" \
        '--node-labels=magnum.openstack.org/role=master,magnum.openstack.org/nodegroup=default-master '
    local odd='NODEGROUP_NAME="gpu (a100)"; NODEGROUP_ROLE=_; kubelet_flags'
    check "labels begin and end with a letter or digit" contains <(inside m-0 "$odd") \
        'role=master,magnum.openstack.org/nodegroup=gpu--a100 '
    check "kubelets prove to API servers who they are" contains "$root/etc/kubernetes/kubeadm.yaml" \
        '  - {name: kubelet-certificate-authority, value: /etc/kubernetes/pki/ca.crt}'
    odd='KUBEPROXY_OPTIONS=--nodeport-addresses=10.0.0.0/8,192.168.0.0/16; proxy_configuration'
    check "each network of node ports is one" contains <(inside m-0 "$odd") "nodePortAddresses: ['10.0.0.0/8', '192.168.0.0/16', ]"
    odd='tries=0; apt() { tries=$((tries + 1)); ((tries > 2)); }; sleep() { :; }; apt_lists; say "$tries"'
    check "apt's lists are waited for" test "$(inside m-0 "$odd")" = 3
    check "pods that cannot be listed are not passed over" fails inside m-0 'as_admin() { return 1; }; wait_for() { "${@:3}"; }; restart_credential_users'
    check "the control plane's taint" contains "$root/var/lib/kubelet/config.yaml" 'node-role.kubernetes.io/control-plane'
    check "a taint that was asked for" contains "$root/var/lib/kubelet/config.yaml" "{key: 'gpu', value: 'yes', effect: NoExecute}"
    check "hosts" contains "$root/etc/hosts" '127.0.0.12 m-1 # jeroboam'
    check "proxies" contains "$root/etc/systemd/system/containerd.service.d/20-proxy.conf" 'HTTP_PROXY=http://proxy:3128/%%20'
    check "no_proxy has the services" contains "$root/etc/systemd/system/kubelet.service.d/20-proxy.conf" ',10.254.0.0/16,.svc,'
    inside m-0 flannel_manifest >"$WORK/flannel.yaml"
    check "flannel's network" contains "$WORK/flannel.yaml" '{"Network": "10.100.0.0/16", "SubnetLen": 24, "Backend": {"Type": "vxlan"}}'
    check "flannel's image" contains "$WORK/flannel.yaml" 'image: registry.example.org/mirror/flannel:v'
    check "no secret in a file for all" test -z "$(grep -rlF "$(<"$API/token")" "$root" | grep -v '/etc/jeroboam/bootstrap-token$')"
    if python3 -c 'import yaml' 2>/dev/null; then
        check "all YAML is YAML" python 'import yaml
for name in sys.argv[1:]: assert list(yaml.safe_load_all(open(name)))' "$WORK/flannel.yaml" "$WORK/audit.yaml" "$WORK/policy.yaml" \
            "$root"/etc/kubernetes/{kubeadm.yaml,admin.conf,kubelet.conf} "$root/var/lib/kubelet/config.yaml"
    else
        skipped "that all YAML is YAML" "python3's yaml is not installed"
    fi
}

volumes() {
    local disk=$WORK/m-0/dev/vdb id=0123456789abcdef0123-more uuid
    mkdir -p "$WORK/m-0/dev/disk/by-id"
    truncate -s 32M "$disk"
    ln -s ../../vdb "$WORK/m-0/dev/disk/by-id/virtio-${id:0:20}"
    check "a volume is found by its serial" test "$(inside m-0 "volume_device $id")" = /dev/vdb
    check "a blank volume gets a file system" inside m-0 "mount_volume $id /var/lib/etcd etcd.service"
    uuid=$(blkid -p -o value -s UUID "$disk")
    check "it is mounted by UUID" contains "$WORK/m-0/etc/systemd/system/var-lib-etcd.mount" "What=/dev/disk/by-uuid/$uuid"
    check "again" inside m-0 "mount_volume $id /var/lib/etcd etcd.service"
    check "nothing is made anew" test "$(blkid -p -o value -s UUID "$disk")" = "$uuid"
    truncate -s 0 "$disk" && truncate -s 32M "$disk" && mkswap -q "$disk" 2>/dev/null
    check "other content is left alone" contains <(inside m-0 "format_blank '$disk'" 2>&1) 'holds swap: not touched'
    check "a volume that is absent is named" contains <(inside m-0 "mount_volume 99999999999999999999 /x y" 2>&1) 'is not attached'
}

# What a master does whose name is registered as another server's.
registration() {
    local stubs='server_id() { say new; }; as_admin() { say "$*"; }; systemctl() { say "$*"; }'
    local registered='kubernetes() { say "{\"spec\": {\"providerID\": \"openstack:///$SERVER\"}}"; }'
    inside m-0 "$stubs; SERVER=old; $registered; register_anew" >"$WORK/registered"
    check "a replaced master registers anew" contains "$WORK/registered" 'delete --ignore-not-found node m-0'
    inside m-0 "$stubs; SERVER=new; $registered; register_anew" >"$WORK/registered"
    check "one that is itself does not" test ! -s "$WORK/registered"
}

# Three members on loopback addresses, started from the files that the scripts wrote.
etcd_members() {
    local index root members=()
    if ! command -v etcd >/dev/null; then
        skipped "real members of etcd" "etcd is not installed"
        return 0
    fi
    for index in 0 1 2; do
        root=$WORK/m-$index
        mkdir -p "$root/var/lib/etcd/data"
        # Only the paths and the shared port of 127.0.0.1 differ from a node.
        sed -e "s#=/etc/#=$root/etc/#; s#=/var/#=$root/var/#" -e 's#,https://127.0.0.1:2379##' \
            -e "s#http://127.0.0.1:2381#http://127.0.0.1$index:2381#" "$root/etc/etcd/etcd.env" >"$root/etcd.env"
        # shellcheck source=/dev/null
        (set -a && . "$root/etcd.env" && exec etcd) >"$root/etcd.log" 2>&1 &
        children+=($!)
        members+=($!)
    done
    local etcdctl=(env ETCDCTL_API=3 etcdctl "--cacert=$API/etcd.crt"
        "--endpoints=https://127.0.0.11:2379,https://127.0.0.12:2379,https://127.0.0.13:2379"
        "--cert=$WORK/m-0/etc/kubernetes/pki/apiserver-etcd-client.crt" "--key=$WORK/m-0/etc/kubernetes/pki/apiserver-etcd-client.key")
    check "three etcd members are healthy" three_are_healthy
    check "and know each other" test "$("${etcdctl[@]}" member list 2>&1 | grep -c ', started, m-')" = 3
    check "what is written on one is read on another" test "$("${etcdctl[@]}" put a b >/dev/null && "${etcdctl[@]}" get --print-value-only a)" = b
    check "no client without a certificate" fails curl -sf --cacert "$API/etcd.crt" https://127.0.0.12:2379/health
    check "a member with data starts with them" test "$(inside m-1 'take_place; say $ETCD_STATE')" = new
    local state
    # What the conductor says of a replaced master, and what one says that a rebuild takes by surprise.
    for state in existing new; do
        kill -9 "${members[1]}"
        wait "${members[1]}" 2>/dev/null
        rm -rf "$WORK/m-1/var/lib/etcd/data"
        check "a lost member's place is taken ($state)" test "$(inside m-1 "ETCD_STATE=$state; wait_for 60 x take_place 2>/dev/null; say \$ETCD_STATE")" = existing
        check "again" test "$(inside m-1 "ETCD_STATE=$state; take_place; say \$ETCD_STATE")" = existing
        check "the others expect one member" test "$("${etcdctl[@]}" member list 2>&1 | grep -c ', unstarted,')" = 1
        mkdir -p "$WORK/m-1/var/lib/etcd/data"
        # shellcheck source=/dev/null
        (set -a && . "$WORK/m-1/etcd.env" && ETCD_INITIAL_CLUSTER_STATE=existing exec etcd) >"$WORK/m-1/etcd.log" 2>&1 &
        children+=($!)
        members[1]=$!
        check "three members are healthy again" three_are_healthy
        check "the new one has what was written before" test \
            "$("${etcdctl[@]}" --endpoints=https://127.0.0.12:2379 get --print-value-only a)" = b
    done
    check "a member of a new cluster waits for nobody" test "$(inside m-0 'MASTER_ADDRESSES=127.0.0.11,127.0.0.99; rm -rf \
        "$ROOT/var/lib/etcd/data"; take_place 2>/dev/null; say $ETCD_STATE')" = new
}

# Of the etcd_members above.
three_are_healthy() {
    local tries
    for ((tries = 0; tries < 60; tries++)); do
        [[ $("${etcdctl[@]}" endpoint health 2>&1 | grep -c 'is healthy') != 3 ]] || return 0
        sleep 0.5
    done
    cat "$WORK"/m-?/etcd.log
    return 1
}

# The whole boot with ROOT empty, in a copy-on-write view of this machine where programs that would change it, and
# those that are not here, are replaced by one that writes down how it was called.
whole_boot() {
    local name=$1 world=$WORK/world-$1
    mkdir -p "$world"
    unshare --mount --fork bash -c '
        set -e
        mount -t tmpfs tmpfs "$2"
        mkdir "$2/upper" "$2/work" "$2/root"
        mount -t overlay overlay -o "lowerdir=/,upperdir=$2/upper,workdir=$2/work" "$2/root"
        mount -t proc proc "$2/root/proc"
        mount --rbind /dev "$2/root/dev"
        cp -a "$1/etc/jeroboam" "$2/root/etc/jeroboam"
        mkdir -p "$2/root/usr/local/lib/jeroboam" "$2/root/etc/apt/apt.conf.d"
        rm -f "$2"/root/usr/bin/{etcd,containerd,kubectl,kubelet,kubeadm,ctr}
        cp "$3"/bootstrap "$3"/*.sh "$2/root/usr/local/lib/jeroboam/"
        cp "$3"/*.service "$2/root/etc/systemd/system/"
        cp tests/node/recorder "$2/root/usr/local/sbin/recorder"
        for program in systemctl hostnamectl modprobe sysctl swapoff update-ca-certificates udevadm apt-get apt-mark \
            containerd ctr kubelet kubeadm kubectl curl; do ln -s recorder "$2/root/usr/local/sbin/$program"; done
        chroot "$2/root" env -i PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin bash /usr/local/lib/jeroboam/bootstrap
        chroot "$2/root" systemd-analyze verify jeroboam-bootstrap.service kubelet.service jeroboam-certificates.timer jeroboam-orders.timer 2>&1 |
            { grep -E "(kubelet|jeroboam)[a-z-]*\.(service|timer):" || true; } >"$2/root/units"
        mkdir "$4"
        touch "$2/root/etc/apt/sources.list.d/kubernetes.list"
        cp "$2/root/calls" "$2/root/units" "$2/root/etc/apt/sources.list.d/kubernetes.list" "$4"
    ' world "$WORK/$name" "$world" "$SCRIPTS" "$WORK/seen-$name"
}

boots() {
    local why
    if ! why=$(unshare --mount true 2>&1); then
        skipped "whole boots" "mount namespaces are needed: $why"
        return 0
    fi
    local seen=$WORK/seen-whole-0
    node whole-0 master 0 127.0.0.11 "MASTER_NAMES='whole-0'" "MASTER_ADDRESSES='127.0.0.11'" "KUBE_INSTALL='packages'" \
        "CLOUD_PROVIDER='true'" "API_CA_FILE='/etc/jeroboam/api-ca.pem'"
    cp "$API/kubernetes.crt" "$WORK/whole-0/etc/jeroboam/api-ca.pem"
    node whole-1 worker 1 127.0.0.12
    check "a master's whole boot" whole_boot whole-0
    check "its phases" test "$(reports whole-0)" = "booted certificates runtime etcd control-plane kubelet ready"
    check "versions are reported" contains <(tail -n 1 "$API/reports.jsonl") '"kubelet": "v1.32.4"'
    local call
    for call in 'hostnamectl set-hostname whole-0' 'update-ca-certificates' 'modprobe br_netfilter' 'swapoff -a' \
        'apt-get -q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=5 install --allow-change-held-packages kubelet=1.32.4-* kubeadm=1.32.4-* kubectl=1.32.4-*' \
        'systemctl restart containerd' 'ctr -n jeroboam images mount registry.k8s.io/etcd:3.5.16-0 /run/jeroboam-etcd' \
        'systemctl restart --no-block etcd' 'kubeadm init phase control-plane all --config /etc/kubernetes/kubeadm.yaml' \
        'systemctl restart kubelet' 'kubeadm init phase addon coredns --config /etc/kubernetes/kubeadm.yaml' \
        'kubectl stdin: kind: DaemonSet' 'kubectl stdin: metadata: {name: cloud-config, namespace: kube-system}' \
        'label --overwrite node whole-0 node-role.kubernetes.io/control-plane='; do
        check "it called: ${call:0:70}" contains "$seen/calls" "$call"
    done
    check "the packages' source" contains "$seen/kubernetes.list" 'https://pkgs.k8s.io/core:/stable:/v1.32/deb/ /'
    check "the etcd that runs is the image's" contains "$seen/calls" 'systemctl enable etcd'
    check "systemd has nothing to say about the units" test ! -s "$seen/units"
    check "a token is in no argument" lacks "$seen/calls" "$(<"$API/token")"
    check "a worker's whole boot" whole_boot whole-1
    check "its phases" test "$(reports whole-1)" = "booted certificates runtime kubelet ready"
    check "a worker runs no kubeadm" lacks "$WORK/seen-whole-1/calls" 'kubeadm init'
    node whole-2 worker 2 127.0.0.13 "KUBE_VERSION='v1.33.0'"
    check "a wrong version in the image fails" fails whole_boot whole-2
    check "the message names both" contains <(tail -n 1 "$API/reports.jsonl") 'kubelet is v1.32.4, the cluster wants v1.33.0'
}

scripts_of kubernetes
start_api
settings
secrets
for index in 0 1 2; do
    node "m-$index" master "$index" "127.0.0.1$((index + 1))" "IMAGE_PREFIX='registry.example.org/mirror/'" "NODE_TAINTS='gpu=yes:NoExecute'" \
        "INSECURE_REGISTRY='10.0.0.3:5000'" "KUBEAPI_OPTIONS='--v=4 --event-ttl=1h'\''x'" "KUBEPROXY_OPTIONS='--proxy-mode=ipvs'"
done
echo "HTTP_PROXY='http://proxy:3128/%20'" >>"$WORK/m-0/etc/jeroboam/node.env"
echo "NO_PROXY='127.0.0.1'" >>"$WORK/m-0/etc/jeroboam/node.env"
for index in 0 1 2; do check "master m-$index" run "m-$index"; done
check "a master's phases" test "$(reports m-0)" = "booted certificates runtime etcd control-plane kubelet ready"
check "a second run does nothing more" run m-0
check "and says nothing" test "$(reports m-0)" = "booted certificates runtime etcd control-plane kubelet ready"
certificates
files
renewals
rotations
due_restarts
faults
volumes
registration
boots
etcd_members
ending
