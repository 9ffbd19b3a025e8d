#!/bin/sh
# Healthy: whatever listens on the port answers as a Redis server, if only that it is loading or wants a password.
# CINNABAR_PORT is for servers on another port than 6379. CINNABAR_HEALTH_OPTIONS are further words for redis-cli, such
# as --tls --cacert FILE --user NAME; the password of that user is in REDISCLI_AUTH.
# shellcheck disable=SC2086 # words are what they are
answer=$(redis-cli -h 127.0.0.1 -p "${CINNABAR_PORT:-6379}" ${CINNABAR_HEALTH_OPTIONS:-} ping 2>&1)
case $answer in
  PONG | NOAUTH* | LOADING* | BUSY* | MISCONF* | MASTERDOWN*) exit 0 ;;
esac
echo "$answer"
exit 1
