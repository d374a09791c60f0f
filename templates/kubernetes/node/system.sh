# shellcheck shell=bash
# The machine itself: name, trust, proxies, volumes, kernel.

step_identity() {
    local names addresses index
    say "$NODE_NAME" | put 644 /etc/hostname
    IFS=, read -ra names <<<"$MASTER_NAMES"
    IFS=, read -ra addresses <<<"$MASTER_ADDRESSES"
    {
        sed '/ # jeroboam$/d' "$ROOT/etc/hosts" 2>/dev/null || printf '127.0.0.1 localhost\n::1 localhost\n'
        for index in "${!names[@]}"; do
            [[ ${names[index]} == "$NODE_NAME" ]] || say "${addresses[index]} ${names[index]} # jeroboam"
        done
        say "$NODE_ADDRESS $NODE_NAME # jeroboam"
    } | put 644 /etc/hosts
    # cloud-init would put its own name and hosts back at every boot.
    printf 'preserve_hostname: true\nmanage_etc_hosts: false\n' | put 644 /etc/cloud/cloud.cfg.d/99-jeroboam.cfg
    live || return 0
    hostnamectl set-hostname "$NODE_NAME"
}

step_trust() {
    [[ -n $API_CA_FILE ]] || return 0
    openssl x509 -noout -in "$ROOT$API_CA_FILE" || die "$API_CA_FILE holds no certificate"
    # Fedora, Debian and Ubuntu, Flatcar.
    local directory extension=crt
    for directory in /etc/pki/ca-trust/source/anchors /usr/local/share/ca-certificates /etc/ssl/certs; do
        [[ ! -d $ROOT$directory ]] || break
    done
    [[ $directory != /etc/ssl/certs ]] || extension=pem
    put 644 "$directory/jeroboam-api.$extension" <"$ROOT$API_CA_FILE"
    live || return 0
    if command -v update-ca-trust >/dev/null; then
        update-ca-trust
    else
        update-ca-certificates
    fi
}

step_proxy() {
    local unit value=$NO_PROXY
    [[ -n $HTTP_PROXY$HTTPS_PROXY ]] || return 0
    for unit in containerd kubelet; do
        {
            say '[Service]'
            unit_environment HTTP_PROXY "$HTTP_PROXY"
            unit_environment HTTPS_PROXY "$HTTPS_PROXY"
            unit_environment NO_PROXY "$value"
        } | put 600 "/etc/systemd/system/$unit.service.d/20-proxy.conf"
    done
    [[ ! -d $ROOT/etc/apt/apt.conf.d ]] || {
        [[ -z $HTTP_PROXY ]] || say "Acquire::http::Proxy $(json "$HTTP_PROXY");"
        [[ -z $HTTPS_PROXY ]] || say "Acquire::https::Proxy $(json "$HTTPS_PROXY");"
    } | put 600 /etc/apt/apt.conf.d/90jeroboam-proxy
}

# A line of a unit that sets a variable; systemd wants % doubled.
unit_environment() {
    local text
    text=$(json "$1=$2")
    [[ -z $2 ]] || say "Environment=${text//%/%%}"
}

step_volumes() {
    mount_volume "$ETCD_VOLUME" /var/lib/etcd etcd.service
    mount_volume "$RUNTIME_VOLUME" /var/lib/containerd containerd.service
}

# mount_volume VOLUME DIRECTORY USER: VOLUME is a Cinder id, of which a disk's serial holds 20 characters, or a device.
mount_volume() {
    local volume=$1 directory=$2 device unit
    [[ -n $volume ]] || return 0
    device=$volume
    if [[ $volume != /dev/* ]]; then
        live && wait_for 300 "volume $volume" volume_device "$volume" >/dev/null
        device=$(volume_device "$volume") || die "volume $volume is not attached"
    fi
    format_blank "$ROOT$device"
    unit=${directory#/} unit=${unit//\//-}.mount
    put 644 "/etc/systemd/system/$unit" <<END
[Unit]
Description=Volume of $3
Before=$3

[Mount]
What=/dev/disk/by-uuid/$(blkid -p -o value -s UUID "$ROOT$device")
Where=$directory
Type=$(blkid -p -o value -s TYPE "$ROOT$device")
Options=defaults,noatime

[Install]
RequiredBy=$3
WantedBy=multi-user.target
END
    live || return 0
    udevadm trigger --settle "$device" || udevadm settle
    mkdir -p "$directory"
    systemctl daemon-reload
    systemctl enable --now "$unit"
}

# volume_device ID: the device whose serial starts the id.
volume_device() {
    local link
    for link in "$ROOT"/dev/disk/by-id/*"${1:0:20}"*; do
        [[ -e $link && $link != *-part[0-9]* ]] || continue
        link=$(readlink -f "$link")
        say "${link#"$ROOT"}"
        return 0
    done
    return 1
}

# format_blank DEVICE: makes a file system only where there is nothing at all, and keeps one that is there.
format_blank() {
    local content
    [[ -e $1 ]] || die "$1 does not exist"
    content=$(blkid -p -o value -s TYPE -s PTTYPE "$1") || [[ $? == 2 ]] || die "$1 cannot be read"
    case $content in
    '') mkfs.ext4 -q -F -m 0 "$1" ;;
    ext4 | xfs) say "$1 holds $content already" ;;
    *) die "$1 holds $content: not touched; it must be blank, ext4 or xfs" ;;
    esac
}

# The mode that was asked for, now and from the next boot on, where the system has SELinux.
selinux() {
    local file=/etc/selinux/config
    [[ -n $SELINUX_MODE && -f $ROOT$file ]] || return 0
    sed -E "s/^SELINUX=.*/SELINUX=$SELINUX_MODE/" "$ROOT$file" | put 644 "$file"
    ! live || [[ $(getenforce) == Disabled ]] || setenforce "$SELINUX_MODE"
}

step_kernel() {
    printf 'overlay\nbr_netfilter\n' | put 644 /etc/modules-load.d/jeroboam.conf
    put 644 /etc/sysctl.d/90-jeroboam.conf <<'END'
net.ipv4.ip_forward = 1
net.bridge.bridge-nf-call-iptables = 1
net.bridge.bridge-nf-call-ip6tables = 1
net.ipv4.conf.all.rp_filter = 0
net.ipv4.conf.default.rp_filter = 0
vm.overcommit_memory = 1
kernel.panic = 10
kernel.panic_on_oops = 1
END
    # Fedora makes swap in memory unless this file is empty.
    put 644 /etc/systemd/zram-generator.conf </dev/null
    if [[ -f $ROOT/etc/fstab ]]; then
        sed -E 's/^([^#][^[:space:]]*[[:space:]]+[^[:space:]]+[[:space:]]+swap[[:space:]].*)$/# \1/' "$ROOT/etc/fstab" |
            put 644 /etc/fstab
    fi
    selinux
    live || return 0
    modprobe overlay
    modprobe br_netfilter
    sysctl --quiet --load=/etc/sysctl.d/90-jeroboam.conf
    swapoff -a
}
