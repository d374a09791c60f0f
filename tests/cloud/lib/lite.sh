# shellcheck shell=bash
# The lite cloud: real Keystone, Heat and Barbican, and stand-ins for the look-ups.

python() { PYTHONPATH=$CLOUD_SOURCE/python "$CLOUD_VENV/bin/python" "$@"; }

# A text that changes when anything changes that the databases and files are made from.
settings_mark() {
  { env | grep "^CLOUD_" | sort; cat "$CLOUD_SOURCE"/python/{people,identity,seed}.py; } | sha256sum | cut -d' ' -f1
}

# make_schemas: fresh databases for the three services, their tables made side by side.
make_schemas() {
  local keystone_conf=$CLOUD_ETC/keystone/keystone.conf heat barbican name
  for name in keystone heat barbican; do make_database "$name"; done
  rm -rf "$CLOUD_STATE"/keystone-{fernet,credential} "$CLOUD_STATE"/fake.db* "$CLOUD_STATE/.identity" "$CLOUD_DIR/servers"
  mkdir -p "$CLOUD_DIR/servers"
  mkdir -m 700 "$CLOUD_STATE"/keystone-{fernet,credential}
  "$CLOUD_VENV/bin/heat-manage" --config-file "$CLOUD_ETC/heat/heat.conf" db_sync >>"$CLOUD_LOG/init-heat.log" 2>&1 9>&- &
  heat=$!
  HOME=$CLOUD_ETC/barbican "$CLOUD_VENV/bin/barbican-db-manage" upgrade >>"$CLOUD_LOG/init-barbican.log" 2>&1 9>&- &
  barbican=$!
  make_keystone "$keystone_conf"
  progress 60 "tables of Heat and Barbican"
  wait "$heat" || fail "heat-manage db_sync failed: $(tail -n 5 "$CLOUD_LOG/init-heat.log")"
  wait "$barbican" || fail "barbican-db-manage upgrade failed: $(tail -n 5 "$CLOUD_LOG/init-barbican.log")"
}

make_keystone() {
  local manage=("$CLOUD_VENV/bin/keystone-manage" --config-file "$1") url=http://$CLOUD_HOST:$CLOUD_PORT_KEYSTONE/v3 owner
  owner=(--keystone-user "$(id -un)" --keystone-group "$(id -gn)")
  logged init-keystone.log "keystone-manage db_sync" "${manage[@]}" db_sync
  logged init-keystone.log "keystone-manage fernet_setup" "${manage[@]}" fernet_setup "${owner[@]}"
  logged init-keystone.log "keystone-manage credential_setup" "${manage[@]}" credential_setup "${owner[@]}"
  OS_BOOTSTRAP_PASSWORD=$(password_of admin) logged init-keystone.log "keystone-manage bootstrap" "${manage[@]}" bootstrap \
    --bootstrap-username admin --bootstrap-project-name admin --bootstrap-role-name admin --bootstrap-service-name keystone \
    --bootstrap-region-id RegionOne --bootstrap-public-url "$url" --bootstrap-internal-url "$url" --bootstrap-admin-url "$url"
}

start_heat() {
  CLOUD_FAKES=$3 PYTHONPATH=$CLOUD_SOURCE/python start "$1" "$2" "$CLOUD_VENV/bin/python" "$CLOUD_SOURCE/python/heat_server.py" \
    "$CLOUD_ETC/$1/heat.conf" "$CLOUD_HOST" "$2" "$4" "$CLOUD_LOG/$1-access.log"
}

start_services() {
  # One thread each: with several, a request was now and then judged by another one's scope.
  OS_KEYSTONE_CONFIG_DIR=$CLOUD_ETC/keystone start_wsgi keystone "$CLOUD_PORT_KEYSTONE" "$CLOUD_VENV" keystone.wsgi.api:application 4 1
  start_heat heat "$CLOUD_PORT_HEAT" Nova,Neutron,Cinder,Octavia "$CLOUD_PORT_HEAT_CFN"
  HOME=$CLOUD_ETC/barbican start_wsgi barbican "$CLOUD_PORT_BARBICAN" "$CLOUD_VENV" barbican_wsgi:application 1 4
  PYTHONPATH=$CLOUD_SOURCE/python start lookups "$CLOUD_PORT_LOOKUPS" "$CLOUD_VENV/bin/python" -m lookups "$CLOUD_HOST" "$CLOUD_PORT_LOOKUPS" \
    "http://$CLOUD_HOST:$CLOUD_PORT_KEYSTONE/v3" "$CLOUD_LOG/lookups-access.log"
}

up_lite() {
  local mark
  progress 2 "packages"
  install_packages lite
  progress 5 "Python packages into $CLOUD_VENV"
  make_venv "$CLOUD_VENV" "$CLOUD_SOURCE/pins/lite.txt"
  progress 30 "configuration in $CLOUD_ETC"
  python "$CLOUD_SOURCE/python/configure.py"
  progress 33 "MariaDB and memcached"
  start_memcached
  start_mariadb
  wait_mariadb
  wait_port memcached "$CLOUD_PORT_MEMCACHED" 20
  if ! [ -f "$CLOUD_STATE/.schemas" ]; then
    progress 38 "tables of Keystone, Heat and Barbican"
    make_schemas
    password_of schemas >"$CLOUD_STATE/.schemas"
  elif [ "$(cat "$CLOUD_STATE/.schemas")" != "$(password_of schemas)" ]; then
    fail "$CLOUD_DIR was made with another CLOUD_PASSWORD: set that one, or run tests/cloud/down --wipe first"
  fi
  progress 70 "Keystone, Heat, Barbican and the look-ups"
  start_services
  wait_http keystone "http://$CLOUD_HOST:$CLOUD_PORT_KEYSTONE/v3" 120
  mark=$(settings_mark)
  if [ "$(cat "$CLOUD_STATE/.identity" 2>/dev/null)" != "$mark" ]; then
    progress 80 "users, roles, catalog, look-up data"
    logged init-identity.log "identity.py" python "$CLOUD_SOURCE/python/identity.py"
    python "$CLOUD_SOURCE/python/seed.py"
    echo "$mark" >"$CLOUD_STATE/.identity"
  fi
  progress 90 "waiting for Heat and Barbican"
  wait_http lookups "http://$CLOUD_HOST:$CLOUD_PORT_LOOKUPS/compute/" 60
  wait_http heat "http://$CLOUD_HOST:$CLOUD_PORT_HEAT/" 120
  wait_http barbican "http://$CLOUD_HOST:$CLOUD_PORT_BARBICAN/" 120
}
