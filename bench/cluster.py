#!/usr/bin/env python3
"""What cluster mode costs, and what moving a slot costs: ours and redis-server in turn.

requests  GET and SET of 64 bytes at pipeline 16, one thread, a node that has all slots: CPU time of the server per operation,
          beside our own server without cluster mode, and beside redis-server in cluster mode
memory    bytes per key of --keys small keys, with and without cluster mode
slot      one slot with --keys small keys moves to another node by MIGRATE in batches, as redis-cli does: wall time, and the
          p99 of paced readers of other slots of the source, divided by their p99 before

    bench/cluster.py [--only requests,memory,slot] [--keys 1000000] [--batch 100] [--reps 5] [--scale 1.0] [--server PATH]
"""

import contextlib
import socket
import statistics
import sys
import time

from servers import CLIENT_CPU, HOST, SERVER_CPU, Load, Server, arguments, checked, in_turn, median, request, running, table

KEYS, CONNECTIONS, PIPELINE, VALUE_BYTES = 1_000_000, 50, 16, 64
OPERATIONS = 4_000_000
TAG = "{moves}"
PACE = 2000  # requests of the readers in a second


def free_port():
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


class Node(Server):
    """A node that has all slots, unless it is to have none."""

    def __init__(self, name, path, slots=True, **more):
        self.bus_port, self.slots = free_port(), slots
        super().__init__(name, path, options=["--cluster-enabled", "yes", "--cluster-port", str(self.bus_port),
                                            "--cluster-allow-replica-migration", "no"], **more)

    def __enter__(self):
        super().__enter__()
        if self.slots:
            self.ask("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        return self

    def wait_ok(self):
        limit = time.monotonic() + 30
        while b"cluster_state:ok" not in self.ask("CLUSTER", "INFO"):
            if time.monotonic() > limit:
                raise RuntimeError(f"{self.name}: {self.ask('CLUSTER', 'INFO')}")
            time.sleep(0.05)
        return self


# ---- requests --------------------------------------------------------------------------------------------------------


def cpu_per_operation(server, test, count):
    cpu = server.cpu_nanos()
    Load(server, test, c=CONNECTIONS, P=PIPELINE, n=count, r=100_000, d=VALUE_BYTES).wait()
    return (server.cpu_nanos() - cpu) / count


def requests(options):
    samples = {}
    with running(Server("alone", options.server), Node("node", options.server), Node("redis", options.redis)) as servers:
        for server in servers[1:]:
            server.wait_ok()
        for server in servers:
            Load(server, "set", c=10, P=32, n=100_000, d=VALUE_BYTES, seq=True).wait()
        for repetition in range(options.reps):
            for test in ("get", "set"):
                for server in in_turn(servers, repetition):
                    samples.setdefault((test, server.name), []).append(
                        cpu_per_operation(server, test, int(OPERATIONS * options.scale)))
    print(f"## CPU time of the server per operation, pipeline {PIPELINE}: medians of {options.reps}\n")
    rows = []
    for test in ("get", "set"):
        alone, node, redis = (samples[test, name] for name in ("alone", "node", "redis"))
        rows.append([test, *(f"{median(each):,.0f}" for each in (alone, node, redis)),
                     *(f"**{median([one / other for one, other in zip(node, others)]):.2f}**" for others in (alone, redis))])
    table(["test", "ours alone ns", "ours as a node ns", "redis-server as a node ns", "node / alone", "node / redis-server"], rows)


# ---- memory ----------------------------------------------------------------------------------------------------------


def bytes_per_key(server, keys):
    before = int(server.info("memory")["used_memory"])
    Load(server, "set", c=10, P=32, n=keys, d=16, seq=True).wait()
    time.sleep(1)
    return (int(server.info("memory")["used_memory"]) - before) / int(server.ask("DBSIZE"))


def memory(options):
    figures = {}
    for name, path in (("ours", options.server), ("redis-server", options.redis)):
        for mode in ("alone", "node"):
            with (Node(name, path) if mode == "node" else Server(name, path)) as server:
                if mode == "node":
                    server.wait_ok()
                figures[name, mode] = bytes_per_key(server, options.keys)
    print(f"## Bytes per key, {options.keys} keys with values of 16 bytes\n")
    table(["", "alone", "as a node", "more"],
          [[name, f"{figures[name, 'alone']:.1f}", f"{figures[name, 'node']:.1f}",
            f"{figures[name, 'node'] - figures[name, 'alone']:.1f}"] for name in ("ours", "redis-server")])


# ---- a slot moves ----------------------------------------------------------------------------------------------------


class Talk:
    """Commands one after another on one connection."""

    def __init__(self, server):
        self.connection = socket.create_connection((HOST, server.port), timeout=300)
        self.stream = self.connection.makefile("rb")

    def __call__(self, *words):
        self.connection.sendall(request(*words))
        return self._reply()

    def _reply(self):
        line = self.stream.readline()
        kind, rest = line[:1], line[1:].rstrip()
        if kind == b"-":
            raise RuntimeError(rest.decode())
        if kind == b"*":
            return [self._reply() for _ in range(int(rest))]
        if kind == b"$":
            return self.stream.read(int(rest) + 2)[:-2] if int(rest) >= 0 else None
        return rest

    def many(self, requests):
        self.connection.sendall(b"".join(request(*words) for words in requests))
        for _ in requests:
            self._reply()


def fill_slot(server, keys):
    talk = Talk(server)
    for at in range(0, keys, 1000):
        talk.many([("SET", f"{TAG}{number:08d}", f"value:{number:08d}") for number in range(at, min(at + 1000, keys))])


def move(source, target, slot, batch):
    """As redis-cli --cluster reshard does. Wall seconds."""
    here, there = Talk(source), Talk(target)
    ids = [talk("CLUSTER", "MYID") for talk in (here, there)]
    there("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[0])
    here("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[1])
    began = time.monotonic()
    while names := here("CLUSTER", "GETKEYSINSLOT", slot, batch):
        here("MIGRATE", HOST, target.port, "", 0, 60000, "KEYS", *names)
    wall = time.monotonic() - began
    for talk in (there, here):
        talk("CLUSTER", "SETSLOT", slot, "NODE", ids[1])
    return wall


def pair_of(stack, name, path):
    pair = [stack.enter_context(Node(name, path, slots=slots, cpus=cpu))
            for slots, cpu in ((True, SERVER_CPU), (False, CLIENT_CPU))]
    pair[1].ask("CLUSTER", "SET-CONFIG-EPOCH", 2)
    pair[0].ask("CLUSTER", "MEET", HOST, pair[1].port, pair[1].bus_port)
    for node in pair:
        node.wait_ok()
    return pair


def readers(server, seconds):
    return Load(server, "get", c=20, n=10**9, r=100_000, rate=PACE, seconds=seconds)


def slot(options):
    walls, stalls = {}, {}
    with contextlib.ExitStack() as stack:
        pairs = {name: pair_of(stack, name, path) for name, path in (("ours", options.server), ("redis", options.redis))}
        for pair in pairs.values():
            number = int(pair[0].ask("CLUSTER", "KEYSLOT", TAG))
            Load(pair[0], "set", c=10, P=32, n=100_000, d=VALUE_BYTES, seq=True).wait()
            fill_slot(pair[0], options.keys)
        for repetition in range(options.reps):
            for name in in_turn(list(pairs), repetition):
                source, target = pairs[name]
                quiet = readers(source, 2).wait().p99
                busy = readers(source, 3)
                there = move(source, target, number, options.batch)
                busy = busy.wait().p99
                walls.setdefault(name, []).append((there + move(target, source, number, options.batch)) / 2)
                stalls.setdefault(name, []).append((quiet, busy, busy / quiet))
    ratio = statistics.median(one / other for one, other in zip(walls["ours"], walls["redis"]))
    print(f"## One slot with {options.keys} keys moves, {options.batch} at once: medians of {options.reps}\n")
    table(["", "wall s", "p99 of readers before, us", "meanwhile, us", "ratio"],
          [[name, f"{median(walls[name]):.2f}", *(f"{median([each[index] for each in stalls[name]]):.2f}" for index in range(3))]
           for name in pairs])
    print(f"time, ours / redis-server: **{ratio:.2f}**\n")


def main():
    parser = arguments(__doc__, keys=KEYS, batch=100, reps=5, scale=1.0, only="requests,memory,slot")
    options = checked(parser.parse_args())
    for experiment in (requests, memory, slot):
        if experiment.__name__ in options.only.split(","):
            experiment(options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
