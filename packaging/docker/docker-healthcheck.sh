#!/bin/sh
# Healthy: whatever listens on the port answers as a Redis server, if only that it is loading or wants a password.
# Without a word on it the port is the server's, 6379, or where nobody listens there the sentinel's, 26379. CINNABAR_PORT
# is for other ones. CINNABAR_HEALTH_OPTIONS are further words for redis-cli, such as --tls --cacert FILE --user NAME;
# the password of that user is in REDISCLI_AUTH.
for port in ${CINNABAR_PORT:-6379 26379}; do
  # shellcheck disable=SC2086 # words are what they are
  answer=$(redis-cli -h 127.0.0.1 -p "$port" ${CINNABAR_HEALTH_OPTIONS:-} ping 2>&1)
  case $answer in
    PONG | NOAUTH* | LOADING* | BUSY* | MISCONF* | MASTERDOWN*) exit 0 ;;
    'Could not connect'*) ;;
    *) break ;;
  esac
done
echo "$answer"
exit 1
