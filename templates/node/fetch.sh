# shellcheck shell=bash
# Packages and files from elsewhere.

apt() {
    DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=5 "$@"
}

# What can be installed. Its lock, which DPkg::Lock::Timeout does not wait for, may be held by a machine's own daily update.
apt_lists() { wait_for 600 "apt's lists of packages" apt update; }

# fetch URL SHA256: prints the file once it is whole; the sum may be left out only for keys that are read over TLS.
fetch() {
    local file sum
    file=$(mktemp "$ROOT/var/lib/jeroboam/fetch.XXXXXX")
    [[ $1 == https://* || -n $2 ]] || die "$1 has no SHA-256 sum"
    curl --silent --show-error --fail --location --connect-timeout 15 --max-time 900 --retry 10 --retry-connrefused \
        --retry-all-errors --retry-max-time 1200 --output "$file" "$1" || die "$1 cannot be fetched"
    if [[ -n $2 ]]; then
        sum=$(sha256sum "$file")
        [[ ${sum%% *} == "$2" ]] || die "$1 has SHA-256 ${sum%% *}, wanted $2"
    fi
    cat "$file"
    rm -f "$file"
}

# Files that we put where programs live get the label of programs, where SELinux is on.
relabel() { ! command -v restorecon >/dev/null || restorecon -R "$@"; }
