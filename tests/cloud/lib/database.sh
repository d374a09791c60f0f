# shellcheck shell=bash
# The private MariaDB and memcached, and (for the full cloud) RabbitMQ.

start_memcached() {
  start memcached "$CLOUD_PORT_MEMCACHED" memcached -u "$(id -un)" -l "$CLOUD_HOST" -p "$CLOUD_PORT_MEMCACHED" -m 128 -U 0 -c 2048
}

start_mariadb() {
  local data=$CLOUD_STATE/mariadb
  if ! [ -f "$data/.made" ]; then
    rm -rf "$data"
    mkdir -p "$data"
    logged mariadb-install.log mariadb-install-db mariadb-install-db --no-defaults --user="$(id -un)" --datadir="$data" \
      --auth-root-authentication-method=normal --skip-test-db
    touch "$data/.made"
  fi
  # The socket's path has a limit of 107 bytes, which a deep folder exceeds: it lives in a folder of its own under /tmp.
  MARIADB_SOCKET=$(socket_folder)/mariadb.sock
  start mariadb "$CLOUD_PORT_MARIADB" mariadbd --no-defaults --user="$(id -un)" --datadir="$data" --bind-address="$CLOUD_HOST" \
    --port="$CLOUD_PORT_MARIADB" --socket="$MARIADB_SOCKET" --pid-file="$data/mariadb.pid" --innodb-buffer-pool-size=256M \
    --innodb-flush-log-at-trx-commit=2 --innodb-doublewrite=0 --skip-log-bin --max-connections=600 --skip-name-resolve \
    --performance-schema=OFF --character-set-server=utf8mb4
}

# A private folder with a short path, the same at each call.
socket_folder() {
  local folder
  if [ -f "$CLOUD_STATE/socket-folder" ] && [ -d "$(cat "$CLOUD_STATE/socket-folder")" ]; then
    cat "$CLOUD_STATE/socket-folder"
    return
  fi
  folder=$(mktemp -d "${TMPDIR:-/tmp}/cloud.XXXXXX")
  echo "$folder" >"$CLOUD_STATE/socket-folder"
  echo "$folder"
}

sql() { mariadb --no-defaults -uroot -S "$MARIADB_SOCKET" -N "$@"; }

wait_mariadb() {
  local deadline=$((SECONDS + 60))
  until sql -e 'select 1' >/dev/null 2>&1; do
    running mariadb || fail "mariadb ended while starting: $(tail -n 5 "$CLOUD_LOG/mariadb.out")"
    [ "$SECONDS" -lt "$deadline" ] || fail "mariadb does not answer; see $CLOUD_LOG/mariadb.out"
    sleep 0.1
  done
}

# make_database NAME: an empty schema, whatever was there.
make_database() {
  sql -e "DROP DATABASE IF EXISTS $1; CREATE DATABASE $1 CHARACTER SET utf8mb3;
    GRANT ALL ON $1.* TO 'cloud'@'%' IDENTIFIED BY '$(password_of database)'"
}
