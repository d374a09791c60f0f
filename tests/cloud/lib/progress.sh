# shellcheck shell=bash
# Progress lines and failures: "[ 42 %   12 s] what is being done".

PERCENT=0
# The part of the whole that the present part of the work is: from, to.
PROGRESS_FROM=0
PROGRESS_TO=100

# progress_part FROM TO: what follows is this part of the whole.
progress_part() {
  PROGRESS_FROM=$1 PROGRESS_TO=$2
}

# progress PERCENT TEXT: PERCENT is of the present part.
progress() {
  PERCENT=$1
  shift
  printf '[%3d %% %4d s] %s\n' "$((PROGRESS_FROM + PERCENT * (PROGRESS_TO - PROGRESS_FROM) / 100))" "$SECONDS" "$*"
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
