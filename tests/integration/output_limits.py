#!/usr/bin/python3
"""Replies that are larger than the data: a command stops when its client is over client-output-buffer-limit, or gone, and
the clients beside it have their turn meanwhile."""

import pathlib
import select
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from checks import run_parts  # noqa: E402
from resp_client import Disconnected  # noqa: E402
from server_process import Server  # noqa: E402

MEBI = 1 << 20
LIMIT = 8 * MEBI
PEAK = 100 * MEBI  # of the whole server, though a reply would be much larger
ENDLESS = "-9223372036854775807"
HALF = "-4611686018427387903"
VALUE = "v" * 10_000
GONE = (Disconnected, ConnectionError, OSError)
MANY = 100_000  # a gigabyte of VALUE

REPLIES = {
    "SRANDMEMBER of a table": ("SRANDMEMBER", "set", ENDLESS),
    "SRANDMEMBER of an intset": ("SRANDMEMBER", "intset", ENDLESS),
    "SRANDMEMBER of a listpack": ("SRANDMEMBER", "listpack", ENDLESS),
    "ZRANDMEMBER": ("ZRANDMEMBER", "zset", ENDLESS),
    "ZRANDMEMBER WITHSCORES": ("ZRANDMEMBER", "zset", HALF, "WITHSCORES"),
    "HRANDFIELD of a listpack": ("HRANDFIELD", "small", ENDLESS),
    "HRANDFIELD of a table": ("HRANDFIELD", "hash", HALF, "WITHVALUES"),
    "MGET": ("MGET", *["value"] * MANY),
    "HMGET": ("HMGET", "hash", *["field"] * MANY),
    "HGETEX": ("HGETEX", "hash", "FIELDS", MANY, *["field"] * MANY),
    "SORT": ("SORT", "list", "BY", "nosort", *["GET", "value*"] * 1000),
    "XREAD": ("XREAD", "STREAMS", *["stream"] * 1000, *["0"] * 1000),
    "XREADGROUP": ("XREADGROUP", "GROUP", "g", "c", "STREAMS", *["stream"] * 1000, *["0"] * 1000),
    "XCLAIM": ("XCLAIM", "stream", "g", "c", 0, *["1-0"] * MANY),
}


def fill(client):
    client.call("SADD", "set", *[f"member:{i}" for i in range(1000)])
    client.call("SADD", "intset", 1, 2, 3)
    client.call("SADD", "listpack", "a", "b", "c")
    client.call("ZADD", "zset", *[word for i in range(1000) for word in (i, f"member:{i}")])
    client.call("HSET", "small", "a", 1, "b", 2)
    client.call("HSET", "hash", "field", VALUE)
    client.call("SET", "value", VALUE)
    client.call("RPUSH", "list", *range(100))
    for i in range(100):
        client.call("SET", f"value{i}", VALUE)
        client.call("XADD", "stream", f"{i + 1}-0", "field", VALUE)
    client.call("XGROUP", "CREATE", "stream", "g", 0)
    client.call("XREADGROUP", "GROUP", "g", "c", "STREAMS", "stream", ">")


def peak(client):
    text = client.call("INFO", "memory").decode()
    return int(text.split("used_memory_peak:")[1].split()[0])


def closed(client):
    try:
        client.read()
    except GONE:
        return True
    return False


def limits_end_a_reply(checks):
    for limit in (f"normal {LIMIT} 0 0", f"normal 0 {LIMIT} 0"):
        options = ["--save", "", "--client-output-buffer-limit", limit]
        with Server(options=options) as server, server.client() as other:
            fill(other)
            for name, words in REPLIES.items():
                if "0 0" not in limit and "RAND" not in name:
                    continue  # a soft limit needs a second, which these do not take
                with server.client(timeout=60) as one:
                    one.send(*words)
                    checks.true(f"{name} is cut off with {limit}", closed(one), "it was answered")
                checks.equal(f"after {name}", other.call("PING"), b"PONG")
            if "0 0" in limit:
                checks.true("memory", peak(other) < PEAK, f"{peak(other)} bytes at its peak")
            log = server.log_text()
            checks.true("the log tells", "overcoming of output buffer limits" in log, log[-500:])


def effects_stay(checks):
    """Who is cut off has done what he asked for."""
    with Server(options=["--save", "", "--client-output-buffer-limit", f"normal {LIMIT} 0 0"]) as server, \
            server.client() as other:
        fill(other)
        with server.client(timeout=60) as one:
            for words in (("MULTI",), ("SET", "before", 1), REPLIES["SRANDMEMBER of a table"], ("SET", "after", 1)):
                one.call(*words)
            one.send("EXEC")
            checks.true("the transaction is cut off", closed(one), "it was answered")
        checks.equal("before", other.call("GET", "before"), b"1")
        checks.equal("after", other.call("GET", "after"), b"1")


def others_have_their_turn(checks):
    options = ["--save", "", "--client-output-buffer-limit", f"normal {8 * LIMIT} 0 0"]
    with Server(options=options) as server, server.client() as other:
        fill(other)
        for name in ("SRANDMEMBER of a table", "ZRANDMEMBER", "HRANDFIELD of a table", "MGET", "HMGET"):
            with server.client(timeout=60) as one:
                one.send(*REPLIES[name])
                turns = 0
                while not select.select([one.socket], [], [], 0)[0]:
                    other.call("SET", "counter", turns)
                    turns += 1
                checks.true(f"{name} is cut off", closed(one), "it was answered")
                checks.true(f"turns beside {name}", turns > 5, f"only {turns}")


def nobody_reads(checks):
    """CLIENT REPLY OFF: an endless reply to nobody is none."""
    with Server(options=["--save", ""]) as server, server.client(timeout=60) as one:
        fill(one)
        for name in ("SRANDMEMBER of a table", "ZRANDMEMBER", "HRANDFIELD of a listpack"):
            one.send("CLIENT", "REPLY", "OFF")
            one.send(*REPLIES[name])
            one.send("CLIENT", "REPLY", "ON")
            checks.equal(f"after a muted {name}", one.read(), b"OK")


if __name__ == "__main__":
    sys.exit(run_parts([limits_end_a_reply, effects_stay, others_have_their_turn, nobody_reads]))
