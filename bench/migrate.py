#!/usr/bin/env python3
"""MIGRATE of many small keys in batches, from one server to another of the same make: wall time and CPU time of both.

Ours and redis-server take turns; a repetition moves all keys there and back. Source and target are pinned to a CPU each, the
client shares the target's. Figures are medians of the repetitions.

    bench/migrate.py [--keys 100000] [--batch 100] [--bytes 16] [--reps 5] [--server PATH]
"""

import contextlib
import os
import socket
import statistics
import sys
import time

from servers import CLIENT_CPU, HOST, SERVER_CPU, Server, arguments, request, table


def read_lines(connection, count):
    """So many replies of one line each; the first that is an error ends the program."""
    seen = b""
    while seen.count(b"\r\n") < count:
        piece = connection.recv(1 << 20)
        if not piece:
            raise RuntimeError("the server closed the connection")
        seen += piece
        if seen.startswith(b"-") or b"\n-" in seen:
            raise RuntimeError(seen[:200])


def fill(server, names, size):
    with socket.create_connection((HOST, server.port), timeout=300) as connection:
        for at in range(0, len(names), 1000):
            part = names[at:at + 1000]
            connection.sendall(b"".join(request("SET", name, os.urandom(size)) for name in part))
            read_lines(connection, len(part))


def move(source, target, names, batch):
    """One command after another, each waits for the one before it. Wall and CPU seconds."""
    requests = [request("MIGRATE", HOST, target.port, "", 0, 60000, "KEYS", *names[at:at + batch])
                for at in range(0, len(names), batch)]
    with socket.create_connection((HOST, source.port), timeout=300) as connection:
        cpu = source.cpu_nanos() + target.cpu_nanos()
        began = time.monotonic()
        for words in requests:
            connection.sendall(words)
            read_lines(connection, 1)
        wall = time.monotonic() - began
        return wall, (source.cpu_nanos() + target.cpu_nanos() - cpu) / 1e9


def main():
    options = arguments(__doc__, keys=100000, batch=100, bytes=16, reps=5).parse_args()
    os.sched_setaffinity(0, {int(CLIENT_CPU)})
    names = [f"key:{i:08d}" for i in range(options.keys)]
    walls, cpus = {"ours": [], "redis": []}, {"ours": [], "redis": []}
    with contextlib.ExitStack() as stack:
        pairs = {}
        for name, path in (("ours", options.server), ("redis", options.redis)):
            pairs[name] = [stack.enter_context(Server(name, path, cpus=cpu)) for cpu in (SERVER_CPU, CLIENT_CPU)]
            fill(pairs[name][0], names, options.bytes)
        for repetition in range(options.reps):
            for name in pairs if repetition % 2 == 0 else reversed(list(pairs)):
                source, target = pairs[name]
                there, back = move(source, target, names, options.batch), move(target, source, names, options.batch)
                walls[name].append((there[0] + back[0]) / 2)
                cpus[name].append((there[1] + back[1]) / 2)
    rows = []
    for title, figures in (("wall s", walls), ("CPU s of both", cpus)):
        ratio = statistics.median(ours / theirs for ours, theirs in zip(figures["ours"], figures["redis"]))
        rows.append([title, *(f"{statistics.median(figures[name]):.3f}" for name in ("ours", "redis")), f"{ratio:.2f}"])
    table([f"{options.keys} keys in batches of {options.batch}", "ours", "redis", "ratio"], rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
