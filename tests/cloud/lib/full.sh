# shellcheck shell=bash
# The full cloud: real Nova, Placement, Neutron and Glance in RegionTwo, and a second Heat that uses them.

# A private RabbitMQ with a port mapper of its own, which would otherwise outlive it.
start_rabbit() {
  local home=$CLOUD_STATE/rabbit
  mkdir -p "$home"
  start epmd "$CLOUD_PORT_EPMD" epmd -port "$CLOUD_PORT_EPMD" -address "$CLOUD_HOST"
  wait_port epmd "$CLOUD_PORT_EPMD" 20
  HOME=$home RABBITMQ_NODENAME=cloud@localhost RABBITMQ_NODE_IP_ADDRESS=$CLOUD_HOST RABBITMQ_NODE_PORT=$CLOUD_PORT_RABBIT \
    RABBITMQ_MNESIA_BASE=$home RABBITMQ_LOG_BASE=$CLOUD_LOG RABBITMQ_CONFIG_FILE=$CLOUD_ETC/rabbit/rabbitmq \
    RABBITMQ_ENABLED_PLUGINS_FILE=/dev/null RABBITMQ_DIST_PORT=$CLOUD_PORT_RABBIT_PEER ERL_EPMD_PORT=$CLOUD_PORT_EPMD \
    ERL_EPMD_ADDRESS=$CLOUD_HOST RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="+S 2:2 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}" \
    start rabbit "$CLOUD_PORT_RABBIT" /usr/lib/rabbitmq/bin/rabbitmq-server
}

# Fresh databases for RegionTwo, their tables made two chains at a time.
make_full_schemas() {
  local name first second
  for name in nova_api nova nova_cell0 placement neutron glance heat_full; do make_database "$name"; done
  (
    logged init-neutron.log "neutron-db-manage" "$CLOUD_VENV_FULL/bin/neutron-db-manage" --config-file "$CLOUD_ETC/neutron/neutron.conf" upgrade heads
    logged init-placement.log "placement-manage" "$CLOUD_VENV_FULL/bin/placement-manage" --config-file "$CLOUD_ETC/placement/placement.conf" db sync
  ) 9>&- &
  first=$!
  (
    logged init-glance.log "glance-manage" "$CLOUD_VENV_FULL/bin/glance-manage" --config-file "$CLOUD_ETC/glance/glance-api.conf" db_sync
    logged init-heat-full.log "heat-manage" "$CLOUD_VENV/bin/heat-manage" --config-file "$CLOUD_ETC/heat-full/heat.conf" db_sync
  ) 9>&- &
  second=$!
  nova_manage api_db sync
  nova_manage cell_v2 map_cell0
  nova_manage cell_v2 create_cell --name cell1
  nova_manage db sync
  progress 55 "tables of Neutron, Placement, Glance and Heat"
  wait "$first" || fail "making the tables of Neutron and Placement failed; see $CLOUD_LOG/init-*.log"
  wait "$second" || fail "making the tables of Glance and Heat failed; see $CLOUD_LOG/init-*.log"
}

nova_manage() {
  logged init-nova.log "nova-manage $*" "$CLOUD_VENV_FULL/bin/nova-manage" --config-file "$CLOUD_ETC/nova/nova.conf" "$@"
}

start_full_services() {
  local part
  OS_PLACEMENT_CONFIG_DIR=$CLOUD_ETC/placement start_wsgi placement "$CLOUD_PORT_PLACEMENT" "$CLOUD_VENV_FULL" placement.wsgi.api:application 1 4
  OS_GLANCE_CONFIG_DIR=$CLOUD_ETC/glance start_wsgi glance "$CLOUD_PORT_GLANCE" "$CLOUD_VENV_FULL" glance.wsgi.api:application 1 4 --http-chunked-input
  OS_NEUTRON_CONFIG_DIR=$CLOUD_ETC/neutron OS_NEUTRON_CONFIG_FILES=neutron.conf start_wsgi neutron "$CLOUD_PORT_NEUTRON" "$CLOUD_VENV_FULL" \
    neutron_wsgi:application 1 8 --pythonpath "$CLOUD_SOURCE/python/neutron_binding" --pyargv "--config-file $CLOUD_ETC/neutron/neutron.conf"
  # OS_NOVA_CONFIG_FILES would have to name the paste file first; the folder alone is enough.
  OS_NOVA_CONFIG_DIR=$CLOUD_ETC/nova start_wsgi nova-api "$CLOUD_PORT_NOVA" "$CLOUD_VENV_FULL" nova.wsgi.osapi_compute:application 1 4
  for part in conductor scheduler compute; do
    start "nova-$part" 0 "$CLOUD_VENV_FULL/bin/nova-$part" --config-file "$CLOUD_ETC/nova/nova.conf" --log-file "$CLOUD_LOG/nova-$part.log"
  done
  start_heat heat-full "$CLOUD_PORT_HEAT_FULL" Cinder,Octavia "$CLOUD_PORT_HEAT_FULL_CFN"
}

# Nova's scheduler knows a compute host only once it has been discovered.
discover_host() {
  local deadline=$((SECONDS + 120)) hosts
  while :; do
    nova_manage cell_v2 discover_hosts
    hosts=$("$CLOUD_VENV_FULL/bin/nova-manage" --config-file "$CLOUD_ETC/nova/nova.conf" cell_v2 list_hosts 2>/dev/null </dev/null) || hosts=''
    [[ $hosts != *" cloud "* ]] || return 0
    running nova-compute || fail "nova-compute ended; see $CLOUD_LOG/nova-compute.log"
    [ "$SECONDS" -lt "$deadline" ] || fail "Nova has no compute host after 120 s; see $CLOUD_LOG/nova-compute.log"
    sleep 1
  done
}

up_full() {
  local mark
  progress 5 "full: packages"
  install_packages full
  make_venv "$CLOUD_VENV_FULL" "$CLOUD_SOURCE/pins/full.txt"
  progress 25 "full: configuration and RabbitMQ"
  python "$CLOUD_SOURCE/python/configure_full.py"
  start_rabbit
  if ! [ -f "$CLOUD_STATE/.full-schemas" ]; then
    progress 30 "full: tables of Nova, Neutron, Glance, Placement and Heat"
    make_full_schemas
    touch "$CLOUD_STATE/.full-schemas"
  fi
  progress 65 "full: waiting for RabbitMQ"
  wait_port rabbit "$CLOUD_PORT_RABBIT" 90
  mark=$(settings_mark)
  if [ "$(cat "$CLOUD_STATE/.full-identity" 2>/dev/null)" != "$mark" ]; then
    logged init-identity.log "identity.py" python "$CLOUD_SOURCE/python/identity.py" full
  fi
  progress 70 "full: Nova, Placement, Neutron, Glance and Heat"
  start_full_services
  wait_http placement "http://$CLOUD_HOST:$CLOUD_PORT_PLACEMENT/" 120
  wait_http glance "http://$CLOUD_HOST:$CLOUD_PORT_GLANCE/" 120
  wait_http neutron "http://$CLOUD_HOST:$CLOUD_PORT_NEUTRON/" 120
  wait_http nova-api "http://$CLOUD_HOST:$CLOUD_PORT_NOVA/" 120
  wait_http heat-full "http://$CLOUD_HOST:$CLOUD_PORT_HEAT_FULL/" 120
  if [ "$(cat "$CLOUD_STATE/.full-identity" 2>/dev/null)" != "$mark" ]; then
    progress 88 "full: compute host, flavors, images, networks, keypairs"
    discover_host
    logged seed-full.log "seed_full.py" python "$CLOUD_SOURCE/python/seed_full.py"
    echo "$mark" >"$CLOUD_STATE/.full-identity"
  fi
}
