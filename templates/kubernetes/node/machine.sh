# shellcheck shell=bash
# What Kubernetes wants of the machine.

step_volumes() {
    mount_volume "$ETCD_VOLUME" /var/lib/etcd etcd.service
    mount_volume "$RUNTIME_VOLUME" /var/lib/containerd containerd.service
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
