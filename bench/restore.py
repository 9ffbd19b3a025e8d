#!/usr/bin/env python3
"""DUMP and RESTORE: server CPU time per operation, ours against redis-server in one run.

The payloads are those that redis-server dumps. Each command is sent in pipelines of 100 to as many keys, with REPLACE;
both servers are up and pinned, and take turns. Figures are medians of the repetitions.

    bench/restore.py [--cells hash-5,zset-100] [--reps 5] [--rounds 200] [--sanitize no|yes] [--server PATH]
"""

import contextlib
import os
import socket
import statistics
import sys

from servers import CLIENT_CPU, HOST, Server, arguments, request, table

KEYS = 100


def words(form, count):
    return [form % number for number in range(count)]


def pairs(count):
    return [part for number in range(count) for part in ("field:%d" % number, "value of %d" % (number * 7919))]


def scores(count):
    return [part for number in range(count) for part in (number * 7919 % 1000 / 8, "member:%d" % number)]


CELLS = [
    ("string-16", [("SET", "v", "0123456789abcdef")]),
    ("string-4k", [("SET", "v", os.urandom(4096))]),
    ("hash-5", [("HSET", "v", *pairs(5))]),
    ("hash-100", [("HSET", "v", *pairs(100))]),
    ("hash-1000", [("HSET", "v", *pairs(1000))]),
    ("zset-10", [("ZADD", "v", *scores(10))]),
    ("zset-100", [("ZADD", "v", *scores(100))]),
    ("list-10", [("RPUSH", "v", *words("element:%d", 10))]),
    ("list-100", [("RPUSH", "v", *words("element:%d", 100))]),
    ("list-1000", [("RPUSH", "v", *words("element:%d", 1000))]),
    ("intset-100", [("SADD", "v", *range(100))]),
    ("set-50", [("SADD", "v", *words("member:%d", 50))]),
    ("stream-50", [("XADD", "v", f"{number}-1", "temperature", number, "place", f"room {number}") for number in range(1, 51)]),
]


def play(server, batch, rounds):
    """Sends the batch of KEYS commands so often; the server's CPU time for one command, in nanoseconds."""
    with socket.create_connection((HOST, server.port), timeout=300) as connection:
        connection.sendall(batch)
        answer = 0
        # The first answers tell how long all of them are.
        connection.settimeout(2)
        with contextlib.suppress(TimeoutError):
            while True:
                piece = connection.recv(1 << 20)
                answer += len(piece)
                if not piece:
                    raise RuntimeError("the server closed the connection")
                connection.settimeout(0.3)
        connection.settimeout(300)
        before = server.cpu_nanos()
        for _ in range(rounds):
            connection.sendall(batch)
            left = answer
            while left > 0:
                left -= len(connection.recv(1 << 20))
        return (server.cpu_nanos() - before) / rounds / KEYS


def main():
    options = arguments(__doc__, cells="", reps=5, rounds=200, sanitize="no").parse_args()
    os.sched_setaffinity(0, {int(CLIENT_CPU)})
    rows = []
    with contextlib.ExitStack() as stack:
        flags = ["--sanitize-dump-payload", options.sanitize]
        servers = [stack.enter_context(Server("ours", options.server, options=flags)),
                   stack.enter_context(Server("redis", options.redis, options=flags))]
        redis = servers[1]
        for name, commands in CELLS:
            if options.cells and name not in options.cells.split(","):
                continue
            redis.ask("DEL", "v")
            for command in commands:
                redis.ask(*command)
            payload = redis.ask("DUMP", "v")
            restore = b"".join(request("RESTORE", f"key:{name}:{i}", "0", payload, "REPLACE") for i in range(KEYS))
            dump = b"".join(request("DUMP", f"key:{name}:{i}") for i in range(KEYS))
            for what, batch in (("RESTORE", restore), ("DUMP", dump)):
                costs = {server.name: [] for server in servers}
                for repetition in range(options.reps):
                    for server in servers if repetition % 2 == 0 else servers[::-1]:
                        costs[server.name].append(play(server, batch, options.rounds))
                ratio = statistics.median(ours / theirs for ours, theirs in zip(costs["ours"], costs["redis"]))
                rows.append([what, name, len(payload), f"{statistics.median(costs['ours']):.0f}",
                             f"{statistics.median(costs['redis']):.0f}", f"{ratio:.2f}"])
    table(["command", "value", "bytes", "ours ns", "redis ns", "ratio"], rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
