"""Python loads this at its start when the folder is on PYTHONPATH: it makes a world in which printed programs run.

REDIS_AT=host:port   where the host names that programs print ("redis", "localhost", port 6379) really lead
REDIS_PRIMARIES_AT=host   where redis-primary-1, redis-primary-2 and redis-primary-3 lead; ports are what they are
POD_NAME=name        what socket.gethostname() answers, as each pod of a deployment has a name of its own
"""

import os
import socket

PRINTED_HOSTS = ("redis", "localhost")
PRINTED_PORT = 6379
PRIMARIES = ("redis-primary-1", "redis-primary-2", "redis-primary-3")


def _lead_to(host, port):
    resolve = socket.getaddrinfo

    def getaddrinfo(name, service, *arguments, **named):
        if name in PRINTED_HOSTS and service == PRINTED_PORT:
            name, service = host, port
        return resolve(name, service, *arguments, **named)

    socket.getaddrinfo = getaddrinfo


def _lead_primaries_to(host):
    resolve = socket.getaddrinfo

    def getaddrinfo(name, *arguments, **named):
        return resolve(host if name in PRIMARIES else name, *arguments, **named)

    socket.getaddrinfo = getaddrinfo


if "REDIS_AT" in os.environ:
    _host, _, _port = os.environ["REDIS_AT"].rpartition(":")
    _lead_to(_host, int(_port))
if "REDIS_PRIMARIES_AT" in os.environ:
    _lead_primaries_to(os.environ["REDIS_PRIMARIES_AT"])
if "POD_NAME" in os.environ:
    socket.gethostname = lambda: os.environ["POD_NAME"]
