# shellcheck shell=bash
# What the cloud needs from the machine: Debian packages (only those that are missing) and a private virtualenv.

# Runs a command as root: directly, or by sudo.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else
    fail "needs root or sudo to run: $*"
  fi
}

# Prints the packages for the commands that are missing. mariadb-server-core and mariadb-client-core hold the programs
# without the distribution's service.
missing_packages() {
  local mode=$1
  PATH=$PATH:/usr/sbin:/sbin
  command -v mariadbd >/dev/null && command -v mariadb-install-db >/dev/null || echo mariadb-server-core
  command -v mariadb >/dev/null && command -v my_print_defaults >/dev/null || echo mariadb-client-core
  command -v memcached >/dev/null || echo memcached
  command -v curl >/dev/null || echo curl
  command -v openssl >/dev/null || echo openssl
  command -v setsid >/dev/null || echo util-linux
  [ -e /etc/ssl/certs/ca-certificates.crt ] || echo ca-certificates
  if ! choose_python >/dev/null; then
    command -v python3 >/dev/null || echo python3
    echo python3-venv
  fi
  if [ "$mode" = full ] && ! [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ]; then echo rabbitmq-server; fi
}

# Prints the Python to use: CLOUD_PYTHON, or the first 3.11 or newer that can make a virtualenv.
choose_python() {
  local candidate
  for candidate in ${CLOUD_PYTHON:-} python3 python3.12 python3.11 /usr/bin/python3; do
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return 0
    fi
  done
  return 1
}

# Installs packages without letting the package scripts start a service: RUNLEVEL=1 keeps System V starts away, and a
# policy-rc.d of ours, removed at once afterwards, those through systemd. One that the machine has is left alone.
apt_install() {
  local policy=/usr/sbin/policy-rc.d ours=no status=0
  if ! [ -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
    as_root chmod 755 $policy
    ours=yes
  fi
  {
    as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -q --no-install-recommends "$@" ||
      { as_root apt-get update -q && as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -q --no-install-recommends "$@"; }
  } >>"$CLOUD_LOG/apt.log" 2>&1 </dev/null || status=$?
  [ $ours = no ] || as_root rm -f $policy
  [ $status = 0 ] || fail "apt-get install $* failed; the end of $CLOUD_LOG/apt.log: $(tail -n 5 "$CLOUD_LOG/apt.log")"
}

install_packages() {
  local -a packages
  mapfile -t packages < <(missing_packages "$1")
  [ ${#packages[@]} = 0 ] || { progress "$PERCENT" "Debian packages: ${packages[*]}"; apt_install "${packages[@]}"; }
  PATH=$PATH:/usr/sbin:/sbin
}

# Lets uv use the package index that pip is configured with on this machine; what uv is told itself comes first.
uv_environment() {
  local pip=$CLOUD_VENV/bin/pip value
  if [ -z "${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-}" ]; then
    value=${PIP_INDEX_URL:-$("$pip" config get global.index-url 2>/dev/null || true)}
    [ -z "$value" ] || export UV_DEFAULT_INDEX=$value
  fi
  if [ -z "${SSL_CERT_FILE:-}" ]; then
    value=${PIP_CERT:-$("$pip" config get global.cert 2>/dev/null || true)}
    [ -z "$value" ] || export SSL_CERT_FILE=$value
  fi
  export UV_HTTP_TIMEOUT=${UV_HTTP_TIMEOUT:-180} UV_LINK_MODE=${UV_LINK_MODE:-copy}
}

# make_venv FOLDER PINS: a virtualenv with exactly the pinned packages; nothing to do when it has them already.
make_venv() {
  local venv=$1 pins=$2 python mark
  python=$(choose_python) || fail "needs Python 3.11 or newer with its venv module"
  mark=$(sha256sum "$pins" | cut -d' ' -f1)
  [ "$(cat "$venv/.pins" 2>/dev/null)" != "$mark" ] || return 0
  [ -x "$CLOUD_VENV/bin/pip" ] || logged install.log "python -m venv" "$python" -m venv "$CLOUD_VENV"
  [ -x "$CLOUD_VENV/bin/uv" ] || logged install.log "pip install uv" "$CLOUD_VENV/bin/pip" install -q --no-input --disable-pip-version-check -r "$CLOUD_SOURCE/pins/uv.txt"
  uv_environment
  [ -x "$venv/bin/python" ] || logged install.log "uv venv" "$CLOUD_VENV/bin/uv" venv -q -p "$CLOUD_VENV/bin/python" "$venv"
  logged install.log "uv pip install" "$CLOUD_VENV/bin/uv" pip install -q --no-deps -p "$venv/bin/python" -r "$pins"
  echo "$mark" >"$venv/.pins"
}
