#!/bin/sh
# create-cluster.sh NODE...: waits until all nodes answer, and makes a cluster of them, with one replica for each primary. When there
# is one already, it waits until that one has all its slots.
set -eu
password=$(sed -n 's/^requirepass //p' "$(dirname "$0")/redis.conf")
if [ -n "$password" ]; then export REDISCLI_AUTH="$password"; fi

figure() { # figure NODE NAME -> that line of CLUSTER INFO
  redis-cli -h "$1" CLUSTER INFO | tr -d '\r' | sed -n "s/^$2://p"
}

there_is_one=no addresses=
for node; do
  until [ "$(redis-cli -h "$node" PING 2> /dev/null)" = PONG ]; do sleep 1; done
  if [ "$(figure "$node" cluster_known_nodes)" != 1 ] || [ "$(figure "$node" cluster_slots_assigned)" != 0 ]; then
    there_is_one=yes
  fi
  # Addresses, because Redis's command CLUSTER MEET takes no names. Later the nodes know each other by what they announce.
  addresses="$addresses $(getent ahostsv4 "$node" | sed -n '1s/ .*//p'):6379"
done

if [ "$there_is_one" = no ]; then
  # shellcheck disable=SC2086 # one word for each node
  exec redis-cli --cluster create $addresses --cluster-replicas 1 --cluster-yes
fi
until redis-cli --cluster check "$1:6379"; do sleep 2; done
