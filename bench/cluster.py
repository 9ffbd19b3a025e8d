#!/usr/bin/env python3
"""What cluster mode costs, and what moving a slot costs: ours and redis-server in turn.

requests  GET and SET of 64 bytes at pipeline 16, one thread, a node that has all slots: CPU time of the server per operation,
          beside our own server without cluster mode, and beside redis-server in cluster mode
memory    bytes per key of --keys small keys, with and without cluster mode
slot      one slot with --keys small keys moves to another node by MIGRATE in batches, as redis-cli does: wall time, and the
          p99 of paced readers of other slots of the source, divided by their p99 before
failover  three primaries with a replica each: a primary is killed, and its replica is asked every 2 ms whether it takes a write;
          time from the kill, less cluster-node-timeout

    bench/cluster.py [--only requests,memory,slot,failover] [--keys 1000000] [--batch 100] [--reps 5] [--scale 1.0]
                     [--server PATH]
"""

import contextlib
import os
import socket
import statistics
import sys
import time

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests", "lib"))

import cluster_nodes  # noqa: E402
from checks import Checks  # noqa: E402
from replicating import OURS, THEIRS  # noqa: E402
from servers import (CLIENT_CPU, HOST, SERVER_CPU, Load, Server, arguments, checked, in_turn, median, request,  # noqa: E402
                     running, table)
from server_process import end, wait_until  # noqa: E402

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

    def names_as_sent(self, *words):
        """How many strings the reply holds, and they as a request would hold them: nothing is taken apart here, so that
        what is measured is the servers."""
        self.connection.sendall(request(*words))
        count = int(self.stream.readline()[1:])
        return count, b"".join(self.stream.readline() for _ in range(2 * count))

    def migrate(self, port, count, names):
        head = (b"MIGRATE", HOST.encode(), str(port).encode(), b"", b"0", b"60000", b"KEYS")
        self.connection.sendall(b"*%d\r\n" % (len(head) + count) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in head) + names)
        self._reply()

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
    while (found := here.names_as_sent("CLUSTER", "GETKEYSINSLOT", slot, batch))[0]:
        here.migrate(target.port, *found)
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


# ---- a primary dies --------------------------------------------------------------------------------------------------


def time_to_write(primary, replica):
    """Seconds from the death of the primary to the first write that its replica takes."""
    slots = cluster_nodes.nodes_seen(primary)[primary.id]["slots"]
    first, last = map(int, slots[0].split("-"))
    key = next(f"key:{number}" for number in range(10**6) if first <= cluster_nodes.slot_of(f"key:{number}") <= last)
    began = time.monotonic()
    primary.kill()
    while replica.ask("SET", key, "v") != b"OK":
        if time.monotonic() > began + 120:
            sys.exit("the replica never takes a write")
        time.sleep(0.002)
    return time.monotonic() - began


def failovers_of(make, timeout, reps):
    times = []
    checks = Checks()
    with contextlib.ExitStack() as stack:
        nodes = [stack.enter_context(cluster_nodes.Node(make, timeout=timeout, threads=1)) for _ in range(6)]
        stack.callback(lambda: [end(node.process) for node in nodes])  # also those that were started again
        cluster_nodes.create(checks, make, nodes)
        for _ in range(reps):
            primary = next(node for node in nodes if node.role() == "master")
            times.append(time_to_write(primary, cluster_nodes.replica_of(nodes, primary)) - timeout / 1000)
            cluster_nodes.comes_back(checks, make, nodes, primary)
            for node in nodes:
                if node.role() == "slave":
                    wait_until(lambda node=node: node.figures().get("master_link_status") == "up")
    if checks.failed:
        sys.exit(f"the cluster of {make} does not come together")
    return times


def failover(options):
    rows = []
    for timeout in (1000, 5000):
        for make in (OURS, THEIRS):
            times = failovers_of(make, timeout, options.reps)
            rows.append([make, timeout, *(f"{figure:.2f}" for figure in (min(times), statistics.median(times), max(times)))])
    print(f"## A primary is killed: seconds to the first write beyond cluster-node-timeout, {options.reps} times each\n")
    table(["", "timeout ms", "least", "median", "most"], rows)


def main():
    parser = arguments(__doc__, keys=KEYS, batch=100, reps=5, scale=1.0, only="requests,memory,slot,failover")
    options = checked(parser.parse_args())
    os.environ["CINNABAR_SERVER"] = os.path.abspath(options.server)  # where tests/lib looks for it
    for experiment in (requests, memory, slot, failover):
        if experiment.__name__ in options.only.split(","):
            experiment(options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
