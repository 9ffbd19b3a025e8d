#!/bin/sh
# What a container of the image starts with. Options or a config file alone start the server; a server that is
# started as root owns its data directory and goes on as the user redis; any other command runs as it is.
set -eu

case ${1:-} in
  -* | *.conf) set -- redis-server "$@" ;;
esac

case ${1:-} in
  redis-server | valkey-server | cinnabar-server | redis-sentinel | valkey-sentinel)
    if [ "$(id -u)" = 0 ]; then
      # What belongs to somebody else comes from an earlier image or from a folder of the host.
      find . ! -user redis -exec chown -h redis {} + ||
        echo "docker-entrypoint.sh: not all of $(pwd) can be given to the user redis" >&2
      # A sentinel writes to its config file, wherever that is; one that cannot be written to is the program's to complain of.
      case " $* " in
        ' redis-sentinel '* | ' valkey-sentinel '* | *' --sentinel '*)
          if [ -f "${2:-}" ]; then chown -h redis -- "$2" 2> /dev/null || true; fi
          ;;
      esac
      if ! setpriv --reuid=redis --regid=redis --init-groups true 2> /dev/null; then
        echo "docker-entrypoint.sh: root may not become the user redis here (capabilities SETUID and SETGID):" \
          "start the container with --user redis" >&2
        exit 1
      fi
      exec setpriv --reuid=redis --regid=redis --init-groups "$0" "$@"
    fi
    ;;
esac

# Data files are nobody else's business, unless somebody has decided on another mask.
if [ "$(umask)" = 0022 ]; then umask 0077; fi
exec "$@"
