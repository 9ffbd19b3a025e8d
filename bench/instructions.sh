#!/bin/bash
# User instructions per operation, counted by callgrind: the figure that no noise on the machine can change.
#   bench/instructions.sh [SERVER [LOADGEN]]      (environment: REQUESTS, PIPELINE, THREADS)
# Counts the instructions of a run of requests, not those of start-up and filling. Target: GET <= 1,000.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
server=${1:-${CINNABAR_SERVER:-$root/build/release/cinnabar-server}}
loadgen=${2:-${LOADGEN:-$root/build/release/loadgen}}
requests=${REQUESTS:-48000}
pipeline=${PIPELINE:-16}
keys=20000

work=$(mktemp -d)
server_pid=
finish() {
  if [ -n "$server_pid" ]; then
    kill "$server_pid" 2>/dev/null || true
    wait "$server_pid" 2>/dev/null || true
  fi
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cd "$work"
setpriv --pdeathsig KILL valgrind --tool=callgrind --callgrind-out-file="$work/out" --compress-strings=no --compress-pos=no \
  "$server" --port "$port" --bind 127.0.0.1 --save '' --appendonly no --dir "$work" --loglevel warning \
  --io-threads "${THREADS:-1}" >"$work/log" 2>&1 &
server_pid=$!
for _ in $(seq 600); do
  if "$loadgen" -p "$port" -t ping -n 1 -c 1 >/dev/null 2>&1; then break; fi
  if ! kill -0 "$server_pid" 2>/dev/null; then cat "$work/log"; exit 1; fi
  sleep 0.1
done

"$loadgen" -p "$port" -c 10 -P 16 -n "$keys" -d 64 -t set --seq >/dev/null
"$loadgen" -p "$port" -c 10 -P 16 -n "$keys" -t incr --seq >/dev/null
echo "user instructions per operation, pipeline $pipeline: $server"
for test in get set incr; do
  callgrind_control --zero "$server_pid" >/dev/null 2>&1
  "$loadgen" -p "$port" -c 50 -P "$pipeline" -n "$requests" -r "$keys" -d 64 -t "$test" -s 5 >/dev/null
  callgrind_control --dump="$test" "$server_pid" >/dev/null 2>&1
  total=0
  # Every thread and every dump has a file of its own; only the dump of this test carries its name.
  for file in $(grep -l -E "^desc: Trigger:.*$test" "$work"/out.* 2>/dev/null); do
    total=$((total + $(awk '/^(summary|totals):/ {print $2; exit}' "$file")))
  done
  printf '%-5s %8.0f\n' "$test" "$(awk "BEGIN {print $total / $requests}")"
done
