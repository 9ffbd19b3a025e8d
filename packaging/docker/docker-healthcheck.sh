#!/bin/sh
# Healthy: whatever listens on the port answers as a Redis server, if only that it is loading or wants a password.
# CINNABAR_PORT is for servers on another port than 6379.
answer=$(redis-cli -h 127.0.0.1 -p "${CINNABAR_PORT:-6379}" ping 2>&1)
case $answer in
  PONG | NOAUTH* | LOADING* | BUSY* | MISCONF* | MASTERDOWN*) exit 0 ;;
esac
echo "$answer"
exit 1
