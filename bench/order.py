#!/usr/bin/env python3
"""Order between connections (docs/design/order-between-connections.md), ours with 1, 2 and 4 threads beside redis-server.

order   one process sends the first command of a pair on one connection, does not wait, and sends the second command on
        another connection right behind it: how often of --tries the second does not see the first. The connections are
        taken in turn from a few, neighbours on different cores; once on a quiet server, once beside --busy clients that
        read without pause
nobody  what PUBLISH costs when nobody subscribes, and when one client does: CPU ns per operation, throughput and p99,
        50 connections, medians of --reps turns

    bench/order.py [--only order,nobody] [--tries 300] [--busy 8] [--before PATH] [--server PATH]

--before is another build of ours, to be measured as well.
"""

import contextlib
import itertools
import socket
import sys
import threading

from servers import BOTH_CPUS, HOST, Load, Server, arguments, checked, median, request, table

CONNECTIONS = 8


class Connection:
    def __init__(self, server):
        self.socket = socket.create_connection((HOST, server.port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = self.socket.makefile("rb")
        self.ask("PING")

    def send(self, *commands):
        self.socket.sendall(b"".join(request(*words) for words in commands))

    def read(self):
        line = self.stream.readline()
        kind, rest = line[:1], line[1:].rstrip()
        if kind == b"*":
            return [self.read() for _ in range(int(rest))]
        if kind == b"$":
            return None if rest == b"-1" else self.stream.read(int(rest) + 2)[:-2]
        return int(rest) if kind == b":" else rest

    def ask(self, *words):
        self.send(words)
        return self.read()

    def close(self):
        self.stream.close()
        self.socket.close()


# Each pair: sends both commands of try `i`, reads all there is to read, and returns whether the second saw the first.

def set_get(one, two, i):
    one.send(("SET", "key", i))
    two.send(("GET", "key"))
    one.read()
    return two.read() == b"%d" % i


def subscribe_publish(subscribe, publish):
    def pair(one, two, i):
        name = f"channel{i}"
        one.send((subscribe, name))
        two.send((publish, name, "message"))
        one.read()
        seen = two.read() == 1
        if seen:
            one.read()
        one.ask(subscribe.replace("SUB", "UNSUB"), name)
        return seen
    return pair


def subscribe_numsub(one, two, i):
    one.send(("SUBSCRIBE", f"channel{i}"))
    two.send(("PUBSUB", "NUMSUB", f"channel{i}"))
    one.read()
    seen = two.read()[1] == 1
    one.ask("UNSUBSCRIBE", f"channel{i}")
    return seen


def setname_list(one, two, i):
    one.send(("CLIENT", "SETNAME", f"name{i}."))
    two.send(("CLIENT", "LIST"))
    one.read()
    return b"name%d." % i in two.read()


def blpop_lpush(one, two, i):
    """An element that is popped at once never lies in the list."""
    one.send(("BLPOP", "queue", 60))
    two.send(("LPUSH", "queue", i), ("LLEN", "queue"))
    two.read()
    seen = two.read() == 0
    one.read()
    return seen


PAIRS = {
    "SET, GET": set_get,
    "SUBSCRIBE, PUBLISH": subscribe_publish("SUBSCRIBE", "PUBLISH"),
    "PSUBSCRIBE, PUBLISH": subscribe_publish("PSUBSCRIBE", "PUBLISH"),
    "SSUBSCRIBE, SPUBLISH": subscribe_publish("SSUBSCRIBE", "SPUBLISH"),
    "SUBSCRIBE, PUBSUB NUMSUB": subscribe_numsub,
    "CLIENT SETNAME, CLIENT LIST": setname_list,
    "BLPOP, LPUSH": blpop_lpush,
}


def count_missed(server, pair, tries):
    connections = [Connection(server) for _ in range(CONNECTIONS)]
    neighbours = itertools.cycle(zip(connections, connections[1:] + connections[:1]))
    missed = sum(not pair(*next(neighbours), i) for i in range(tries))
    for connection in connections:
        connection.close()
    return missed


@contextlib.contextmanager
def beside(server, clients):
    """`clients` that read without pause; none: the server is quiet."""
    load = Load(server, "get", cpus=BOTH_CPUS, c=clients, n=10**9, seconds=3600) if clients else None
    try:
        yield
    finally:
        if load:
            load.process.terminate()
            load.process.wait()


def order(servers, options):
    for clients in (0, options.busy):
        rows = []
        for name, pair in PAIRS.items():
            cells = []
            for server in servers:
                with beside(server, clients):
                    cells.append(count_missed(server, pair, options.tries))
            rows.append([name, *cells])
            print(*rows[-1], file=sys.stderr)
        print(f"## Tries of {options.tries} in which the second command does not see the first, "
              f"{f'beside {clients} busy clients' if clients else 'quiet server'}\n")
        table(["pair", *[server.name for server in servers]], rows)


@contextlib.contextmanager
def subscriber(server, channel):
    """A client that reads what is published there, and does not look at it."""
    connection = Connection(server)
    connection.ask("SUBSCRIBE", channel)

    def drain():
        buffer = bytearray(1 << 20)
        with contextlib.suppress(OSError):
            while connection.socket.recv_into(buffer):
                pass
    thread = threading.Thread(target=drain, daemon=True)
    thread.start()
    try:
        yield
    finally:
        connection.socket.shutdown(socket.SHUT_RDWR)
        thread.join()
        connection.close()


def publish_load(server, pipeline, count):
    """(CPU ns per operation, thousand operations per second, p99 in µs)"""
    before = server.cpu_nanos()
    load = Load(server, "PUBLISH channel %v", cpus=BOTH_CPUS, c=50, P=pipeline, n=count).wait()
    return (server.cpu_nanos() - before) / count, load.rps / 1e3, load.p99


def nobody(servers, options):
    rows = []
    for receivers, pipeline in itertools.product((0, 1), (1, 16)):
        count = int(200_000 * options.scale) * (4 if pipeline > 1 else 1)
        figures = {server: [] for server in servers}
        for i in range(options.reps):
            for server in servers if i % 2 == 0 else servers[::-1]:
                with subscriber(server, "channel") if receivers else contextlib.nullcontext():
                    figures[server].append(publish_load(server, pipeline, count))
        for server in servers:
            cpu, rate, p99 = (median(column) for column in zip(*figures[server]))
            rows.append([f"{receivers} subscribers, pipeline {pipeline}", server.name, f"{cpu:,.0f}", f"{rate:,.0f}",
                         f"{p99:,.0f}"])
            print(*rows[-1], file=sys.stderr)
    print("## PUBLISH, server and client on both CPUs\n")
    table(["", "server", "CPU ns/op", "thousand/s", "p99 µs"], rows)


def main():
    parser = arguments(__doc__, only="order,nobody", tries=300, busy=8, reps=5, scale=1.0, before="")
    options = checked(parser.parse_args())
    kinds = [("redis-server", options.redis, 1)]
    for name, path in (("ours", options.server), ("before", options.before)):
        kinds += [(f"{name}, threads {threads}", path, threads) for threads in (1, 2, 4) if path]
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(Server(name, path, threads=threads, cpus=BOTH_CPUS)) for name, path, threads in kinds]
        for part in options.only.split(","):
            {"order": order, "nobody": nobody}[part](servers, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
