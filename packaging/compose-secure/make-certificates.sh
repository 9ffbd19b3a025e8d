#!/bin/sh
# Makes tls/ beside this script: a certificate authority of one's own, a certificate for the server and one for a client.
#   ./make-certificates.sh [NAME...]     names and addresses by which clients know the server, besides redis and localhost
# What is there already is kept: remove server.* to renew the server's, tls/ to begin anew. ca.key belongs into a safe.
set -eu
umask 077
cd "$(dirname "$0")"
mkdir -p tls
chmod 755 tls
cd tls

names=DNS:redis,DNS:localhost,IP:127.0.0.1
for name; do
  case $name in
    *:*) names=$names,IP:$name ;;
    *[!0-9.]*) names=$names,DNS:$name ;;
    *) names=$names,IP:$name ;;
  esac
done

new_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }

signed() { # signed FILE COMMON_NAME USAGE [ALTERNATIVE_NAMES]
  if [ -e "$1.crt" ]; then return; fi
  new_key "$1.key"
  openssl req -new -key "$1.key" -subj "/CN=$2" -out "$1.csr"
  {
    echo basicConstraints=critical,CA:FALSE
    echo keyUsage=critical,digitalSignature
    echo "extendedKeyUsage=$3"
    if [ -n "${4:-}" ]; then echo "subjectAltName=$4"; fi
  } > "$1.extensions"
  openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 825 -sha256 \
    -extfile "$1.extensions" -out "$1.crt" 2> /dev/null
  rm "$1.csr" "$1.extensions"
}

if [ ! -e ca.crt ]; then
  new_key ca.key
  openssl req -x509 -new -key ca.key -sha256 -days 3650 -subj "/CN=Cinnabar, our own authority" \
    -addext keyUsage=critical,keyCertSign,cRLSign -out ca.crt
fi
signed server redis serverAuth "$names"
signed client client clientAuth
chmod 644 ca.crt server.crt client.crt

# The server is the user 999 in its container.
if [ "$(id -u)" = 0 ]; then
  chown 999:999 server.key
else
  echo "the server has to read its key: sudo chown 999:999 $(pwd)/server.key" >&2
fi
