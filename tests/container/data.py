"""A data set of every type, written over a connection and looked for later."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from resp_client import Client, Disconnected  # noqa: E402
from server_process import HOST, wait_until  # noqa: E402

GONE = (Disconnected, ConnectionError, OSError)
LARGE = b"0123456789" * 100_000
READS = {("GET", "string:7"): b"7", ("GET", "large"): LARGE, ("LRANGE", "list", 0, -1): [b"a", b"b", b"c"],
         ("HGET", "hash", "field"): b"value", ("ZSCORE", "zset", "member"): b"1.5", ("SCARD", "set"): 3,
         ("XLEN", "stream"): 2, ("TTL", "string:7"): -1, ("DBSIZE",): 206}


def connect(port, password=None, host=HOST):
    """A client, once the server behind a published port answers and has loaded its data."""
    def ready():
        client = None
        try:
            client = Client((host, port))
            if password is not None:
                client.call("AUTH", password)
            if client.call("PING") == b"PONG":
                return client
        except GONE:
            pass
        if client is not None:
            client.close()
        return None

    client = wait_until(ready)
    if client is None:
        raise RuntimeError(f"nobody answers on port {port}")
    return client


def write(port, password=None):
    with connect(port, password) as client:
        client.call("MSET", *(word for i in range(200) for word in (f"string:{i}", i)))
        client.call("SET", "large", LARGE)
        client.call("RPUSH", "list", "a", "b", "c")
        client.call("HSET", "hash", "field", "value")
        client.call("ZADD", "zset", "1.5", "member")
        client.call("SADD", "set", "a", "b", "c")
        for i in (1, 2):
            client.call("XADD", "stream", f"{i}-1", "field", i)


def missing(port, password=None):
    """What is not as it was written."""
    with connect(port, password) as client:
        return [words for words, answer in READS.items() if client.call(*words) != answer]
