# shellcheck shell=bash
# Progress lines and failures: "[ 42 %   12 s] what is being done".

PERCENT=0

progress() {
  PERCENT=$1
  shift
  printf '[%3d %% %4d s] %s\n' "$PERCENT" "$SECONDS" "$*"
}

fail() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# logged FILE WHAT COMMAND...: runs a command with its output in a log; on failure shows the end of it.
logged() {
  local file=$CLOUD_LOG/$1 what=$2
  shift 2
  "$@" >>"$file" 2>&1 </dev/null || fail "$what failed; the end of $file: $(tail -n 15 "$file")"
}
