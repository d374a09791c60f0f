# shellcheck shell=bash
# Kubernetes' programs and the container runtime.

step_install() {
    live || return 0
    if [[ $KUBE_INSTALL == packages ]]; then
        if command -v apt-get >/dev/null && [[ -z $KUBE_TARBALL_URL ]]; then
            install_packages
        else
            install_archives
        fi
    fi
    local program found
    for program in containerd kubelet kubeadm; do
        [[ $program != kubeadm || $NODE_ROLE == master ]] || continue
        command -v "$program" >/dev/null || die "$program is not in this image (KUBE_INSTALL is $KUBE_INSTALL)"
    done
    [[ $NODE_ROLE == worker ]] || command -v kubectl >/dev/null || die "kubectl is not in this image"
    found=$(kubelet --version)
    found=${found##* }
    [[ -z $KUBE_VERSION || $found == "$KUBE_VERSION" ]] || die "kubelet is $found, the cluster wants $KUBE_VERSION"
    if [[ $NODE_ROLE == master ]]; then
        [[ $(kubeadm version -o short) == "$found" ]] || die "kubeadm is not of kubelet's version $found"
    fi
    [[ $found =~ ^v1\.(3[1-9]|[4-9][0-9])\. ]] || die "Kubernetes is $found; allowed: v1.31 or later"
}

install_packages() {
    local minor=${KUBE_VERSION%.*} version=${KUBE_VERSION#v}
    [[ -n $KUBE_VERSION ]] || die "KUBE_VERSION is empty; packages need one"
    apt_lists
    apt install --no-install-recommends ca-certificates conntrack containerd ethtool iptables socat
    fetch "$KUBE_PACKAGES_URL/$minor/deb/Release.key" '' | put 644 /etc/apt/keyrings/kubernetes.asc
    say "deb [signed-by=/etc/apt/keyrings/kubernetes.asc] $KUBE_PACKAGES_URL/$minor/deb/ /" |
        put 644 /etc/apt/sources.list.d/kubernetes.list
    apt_lists
    apt install --allow-change-held-packages "kubelet=$version-*" "kubeadm=$version-*" "kubectl=$version-*"
    apt-mark hold kubelet kubeadm kubectl
}

# For systems without apt: archives with their checksums, unpacked below /opt.
install_archives() {
    [[ -n $KUBE_TARBALL_URL ]] || die "KUBE_TARBALL_URL is empty; without apt, packages come from it"
    mkdir -p /opt/bin /opt/cni/bin
    fetch "$KUBE_TARBALL_URL" "$KUBE_TARBALL_SHA256" |
        tar -xz -C /opt/bin --strip-components=3 kubernetes/server/bin/{kubeadm,kubelet,kubectl}
    [[ -z $CNI_PLUGINS_URL ]] || fetch "$CNI_PLUGINS_URL" "$CNI_PLUGINS_SHA256" | tar -xz -C /opt/cni/bin
    [[ -z $CONTAINERD_TARBALL_URL ]] || {
        fetch "$CONTAINERD_TARBALL_URL" "$CONTAINERD_TARBALL_SHA256" | tar -xz -C /opt
        put 644 /etc/systemd/system/containerd.service <<'END'
[Unit]
Description=containerd
After=network.target

[Service]
Type=notify
ExecStart=/opt/bin/containerd
Environment=PATH=/opt/bin:/usr/sbin:/usr/bin:/sbin:/bin
Delegate=yes
KillMode=process
Restart=always
LimitNOFILE=1048576
OOMScoreAdjust=-999

[Install]
WantedBy=multi-user.target
END
    }
    relabel /opt/bin
}

# Where Kubernetes' own images come from.
image_repository() {
    local prefix=${IMAGE_PREFIX%/}
    say "${prefix:-registry.k8s.io}"
}

# kubeadm_image NAME FALLBACK: the image of this name that this kubeadm wants.
kubeadm_image() {
    local image=
    if live && command -v kubeadm >/dev/null; then
        image=$(kubeadm config images list --kubernetes-version "${KUBE_VERSION:-$(kubeadm version -o short)}" \
            --image-repository "$(image_repository)" | grep "/$1:") || image=
    fi
    say "${image:-$(image_repository)/$1:$2}"
}

step_runtime() {
    put 644 /etc/containerd/config.toml <<END
version = 2
root = "/var/lib/containerd"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = $(json "$(kubeadm_image pause 3.10)")

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/opt/cni/bin"
    conf_dir = "/etc/cni/net.d"

  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"

      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = true

  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "/etc/containerd/certs.d"
END
    [[ -z $INSECURE_REGISTRY ]] || put 644 "/etc/containerd/certs.d/$INSECURE_REGISTRY/hosts.toml" <<END
server = $(json "http://$INSECURE_REGISTRY")

[host.$(json "http://$INSECURE_REGISTRY")]
  capabilities = ["pull", "resolve"]
  skip_verify = true
END
    # Flatcar's unit takes the path of the configuration from here.
    printf '[Service]\nEnvironment=CONTAINERD_CONFIG=/etc/containerd/config.toml\n' |
        put 644 /etc/systemd/system/containerd.service.d/10-jeroboam.conf
    printf 'runtime-endpoint: unix:///run/containerd/containerd.sock\n' | put 644 /etc/crictl.yaml
    live || return 0
    systemctl daemon-reload
    systemctl enable containerd
    systemctl restart containerd
    wait_for 120 "containerd" containerd_answers
}

containerd_answers() { ctr --connect-timeout 5s version >/dev/null 2>&1; }
