# shellcheck shell=bash
# Processes of the test cloud. Each is started in a session of its own; its file in $CLOUD_RUN holds its pid and its
# start time, so that a pid that the kernel has given to somebody else is never signalled. Nothing is ended by name.

# The start time of a pid in clock ticks since boot; empty when there is no such process or it is a zombie.
start_time() {
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
  stat=${stat##*) }
  local -a field
  read -ra field <<<"$stat"
  [ "${field[0]}" = Z ] || echo "${field[19]}"
}

# Prints the pid of the process NAME when it is ours and alive.
pid_of() {
  local file=$CLOUD_RUN/$1.pid pid started _
  [ -f "$file" ] || return 1
  read -r pid started _ <"$file" || return 1
  [ -n "$started" ] && [ "$(start_time "$pid")" = "$started" ] || return 1
  echo "$pid"
}

running() { pid_of "$1" >/dev/null; }

# A text that changes with a process's command, its configuration and (where it runs ours) its sources.
mark_of() {
  local name=$1
  shift
  {
    printf '%s\n' "$@"
    if [ -d "$CLOUD_ETC/$name" ]; then find "$CLOUD_ETC/$name" -type f -print0 | sort -z | xargs -0 cat; fi
    case $name in heat | heat-full | lookups) find "$CLOUD_SOURCE/python" -name '*.py' -print0 | sort -z | xargs -0 cat ;; esac
  } | sha256sum | cut -c1-16
}

# start NAME PORT COMMAND...: starts a process; one that runs already stays, unless what it was started with has changed.
# PORT 0 is for one that listens nowhere.
start() {
  local name=$1 port=$2 pid mark
  shift 2
  mark=$(mark_of "$name" "$@")
  if running "$name"; then
    [ "$(cut -d' ' -f3 "$CLOUD_RUN/$name.pid")" != "$mark" ] || return 0
    stop "$name"
  fi
  if [ "$port" != 0 ] && ! port_free "$port"; then
    fail "$name: port $port of $CLOUD_HOST is taken by another process; set CLOUD_PORT_BASE or the port by itself"
  fi
  # Nothing here speaks TLS; the machine's authorities would be read again and again.
  SSL_CERT_FILE=/dev/null setsid "$@" >>"$CLOUD_LOG/$name.out" 2>&1 </dev/null 9>&- &
  pid=$!
  echo "$pid $(start_time "$pid") $mark" >"$CLOUD_RUN/$name.pid"
}

# stop NAME: ends the process and its group, kindly first.
stop() {
  local pid tries
  if pid=$(pid_of "$1"); then
    kill -TERM -- "-$pid" 2>/dev/null || kill -TERM "$pid" 2>/dev/null || true
    for ((tries = 0; tries < 150; tries++)); do
      running "$1" || break
      sleep 0.1
    done
    if running "$1"; then
      kill -KILL -- "-$pid" 2>/dev/null || kill -KILL "$pid" 2>/dev/null || true
    fi
  fi
  rm -f "$CLOUD_RUN/$1.pid"
}

# Whether nobody listens on the port, or soon nobody does: the threads of a process that has just ended may still hold it.
port_free() {
  local tries
  for ((tries = 0; tries < 20; tries++)); do
    port_open "$1" || return 0
    sleep 0.1
  done
  return 1
}

port_open() { (exec 3<>"/dev/tcp/$CLOUD_HOST/$1") 2>/dev/null; }

# wait_port NAME PORT SECONDS: until the process answers on its port; fails at once when the process has ended.
wait_port() {
  local deadline=$((SECONDS + $3))
  until port_open "$2"; do
    running "$1" || fail "$1 ended while starting; the last lines of $CLOUD_LOG/$1.out: $(tail -n 5 "$CLOUD_LOG/$1.out")"
    [ "$SECONDS" -lt "$deadline" ] || fail "$1 does not listen on $CLOUD_HOST:$2 after $3 s; see $CLOUD_LOG"
    sleep 0.1
  done
}

# wait_http NAME URL SECONDS: until the process answers HTTP with anything but a server error.
wait_http() {
  local deadline=$((SECONDS + $3)) code
  while :; do
    code=$(curl -s -o /dev/null --noproxy '*' --max-time 10 -w '%{http_code}' "$2" || true)
    case $code in [234]??) return 0 ;; esac
    running "$1" || fail "$1 ended while starting; the last lines of $CLOUD_LOG/$1.out: $(tail -n 5 "$CLOUD_LOG/$1.out")"
    [ "$SECONDS" -lt "$deadline" ] || fail "$1 does not answer at $2 after $3 s (HTTP $code); see $CLOUD_LOG"
    sleep 0.2
  done
}

# start_wsgi NAME PORT VENV MODULE PROCESSES THREADS [more uWSGI options]: a WSGI application under uWSGI.
start_wsgi() {
  local name=$1 port=$2 venv=$3 module=$4 processes=$5 threads=$6
  shift 6
  start "$name" "$port" "$venv/bin/pyuwsgi" --http-socket "$CLOUD_HOST:$port" --module "$module" --master \
    --processes "$processes" --threads "$threads" --enable-threads --lazy-apps --need-app --die-on-term --thunder-lock \
    --buffer-size 65535 --listen 100 --add-header "Connection: close" --pythonpath "$CLOUD_SOURCE/python" \
    --log-format '%(epoch) %(method) %(uri) %(status) %(msecs)ms "%(uagent)"' --req-logger "file:$CLOUD_LOG/$name-access.log" "$@"
}
