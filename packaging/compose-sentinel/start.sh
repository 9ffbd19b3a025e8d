#!/bin/sh
# start.sh PROGRAM FILE [LINE...]: starts PROGRAM with a config file that it may write to, /data/FILE. When there is none
# yet, it begins as the FILE beside this script, and the lines.
set -eu
program=$1 file=$2
shift 2
if [ ! -e "/data/$file" ]; then
  { cat "$(dirname "$0")/$file" && printf '%s\n' "$@"; } > "/data/$file.new"
  mv "/data/$file.new" "/data/$file"
fi
exec docker-entrypoint.sh "$program" "/data/$file"
