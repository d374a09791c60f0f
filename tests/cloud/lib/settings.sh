# shellcheck shell=bash
# Settings of the test cloud: folders and ports, every one of them overridable from the environment.
# Sourced by up, down, status and census; CLOUD_SOURCE is the folder those scripts stand in.

CLOUD_DIR=${CLOUD_DIR:-$(cd "$CLOUD_SOURCE/../.." && pwd)/build/cloud}
case $CLOUD_DIR in
  /*) ;;
  *) CLOUD_DIR=$PWD/$CLOUD_DIR ;;
esac
export CLOUD_DIR
export CLOUD_HOST=${CLOUD_HOST:-127.0.0.1}
# All ports count from the base, and each can be set by itself.
CLOUD_PORT_BASE=${CLOUD_PORT_BASE:-21000}
export CLOUD_PORT_BASE
export CLOUD_PORT_KEYSTONE=${CLOUD_PORT_KEYSTONE:-$((CLOUD_PORT_BASE + 0))}
export CLOUD_PORT_HEAT=${CLOUD_PORT_HEAT:-$((CLOUD_PORT_BASE + 1))}
export CLOUD_PORT_HEAT_CFN=${CLOUD_PORT_HEAT_CFN:-$((CLOUD_PORT_BASE + 2))}
export CLOUD_PORT_BARBICAN=${CLOUD_PORT_BARBICAN:-$((CLOUD_PORT_BASE + 3))}
export CLOUD_PORT_LOOKUPS=${CLOUD_PORT_LOOKUPS:-$((CLOUD_PORT_BASE + 4))}
export CLOUD_PORT_MARIADB=${CLOUD_PORT_MARIADB:-$((CLOUD_PORT_BASE + 5))}
export CLOUD_PORT_MEMCACHED=${CLOUD_PORT_MEMCACHED:-$((CLOUD_PORT_BASE + 6))}
# Only for the full cloud.
export CLOUD_PORT_RABBIT=${CLOUD_PORT_RABBIT:-$((CLOUD_PORT_BASE + 7))}
export CLOUD_PORT_EPMD=${CLOUD_PORT_EPMD:-$((CLOUD_PORT_BASE + 8))}
export CLOUD_PORT_RABBIT_PEER=${CLOUD_PORT_RABBIT_PEER:-$((CLOUD_PORT_BASE + 9))}
export CLOUD_PORT_PLACEMENT=${CLOUD_PORT_PLACEMENT:-$((CLOUD_PORT_BASE + 10))}
export CLOUD_PORT_GLANCE=${CLOUD_PORT_GLANCE:-$((CLOUD_PORT_BASE + 11))}
export CLOUD_PORT_NOVA=${CLOUD_PORT_NOVA:-$((CLOUD_PORT_BASE + 12))}
export CLOUD_PORT_NEUTRON=${CLOUD_PORT_NEUTRON:-$((CLOUD_PORT_BASE + 13))}
export CLOUD_PORT_HEAT_FULL=${CLOUD_PORT_HEAT_FULL:-$((CLOUD_PORT_BASE + 14))}
export CLOUD_PORT_HEAT_FULL_CFN=${CLOUD_PORT_HEAT_FULL_CFN:-$((CLOUD_PORT_BASE + 15))}
# Where the catalog says that the container-infra service is.
export CLOUD_PORT_JEROBOAM=${CLOUD_PORT_JEROBOAM:-9511}
# on: Heat lets the service user list the stacks of all projects at once.
export CLOUD_GLOBAL_INDEX=${CLOUD_GLOBAL_INDEX:-off}
# Every user's password is made from this word and the user's name.
export CLOUD_PASSWORD=${CLOUD_PASSWORD:-jeroboam-test-cloud}

export CLOUD_SOURCE
export CLOUD_VENV=$CLOUD_DIR/venv
export CLOUD_VENV_FULL=$CLOUD_DIR/venv-full
export CLOUD_RUN=$CLOUD_DIR/run
export CLOUD_ETC=$CLOUD_DIR/etc
export CLOUD_LOG=$CLOUD_DIR/log
export CLOUD_STATE=$CLOUD_DIR/state
# Compiled Python goes there, not beside the sources.
export PYTHONPYCACHEPREFIX=$CLOUD_DIR/pycache
export PYTHONWARNINGS=ignore
# Nothing of the caller's own login may leak into the clients.
unset "${!OS_@}"

# The password of a user of this cloud.
password_of() {
  printf '%s:%s' "$CLOUD_PASSWORD" "$1" | sha256sum | cut -c1-24
}

# The database URL for a schema.
database_url() {
  printf 'mysql+pymysql://cloud:%s@%s:%s/%s?charset=utf8mb3' "$(password_of database)" "$CLOUD_HOST" "$CLOUD_PORT_MARIADB" "$1"
}
