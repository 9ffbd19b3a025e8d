"""Nodes of a cluster, of either make, and clients that follow redirections."""

import binascii
import contextlib
import os
import subprocess
import threading
import time

from replicating import OURS, Host, figures
from resp_client import Client, Disconnected, ErrorReply, ProtocolError
from sanitized import SANITIZED
from server_process import HOST, free_port, wait_until

SLOTS = 16384
NODE_TIMEOUT = 15000 if SANITIZED else 5000  # nobody is to be taken for dead because it is slow
GONE = (OSError, Disconnected, ProtocolError)


def slot_of(key):
    key = key.encode() if isinstance(key, str) else key
    begin = key.find(b"{")
    end = key.find(b"}", begin + 1) if begin >= 0 else -1
    if end > begin + 1:
        key = key[begin + 1:end]
    return binascii.crc_hqx(key, 0) % SLOTS


class Node(Host):
    """`timeout`: cluster-node-timeout in milliseconds."""

    def __init__(self, make=OURS, options=(), timeout=NODE_TIMEOUT, threads=2, bus_port=None, **more):
        self.given = {"options": options, "timeout": timeout, "threads": threads}
        self.bus_port = bus_port or free_port()
        cluster = ["--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-port", self.bus_port,
                   "--cluster-node-timeout", timeout]
        super().__init__(make, [*cluster, *options], threads=threads, **more)

    @property
    def id(self):
        return self.ask("CLUSTER", "MYID").decode()

    def info(self):
        return figures(self.ask("CLUSTER", "INFO"))

    def healthy(self):
        return self.info()["cluster_state"] == "ok"

    def role(self):
        return self.ask("ROLE")[0].decode()

    def restart(self, make=None):
        """The same node with its old files, perhaps of the other make; the process has ended."""
        again = type(self)(make or self.make, bus_port=self.bus_port, folder=self.dir, at=self.address, **self.given)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.socket)
        again.__enter__()
        return again


def nodes_seen(node):
    """{id: facts} as CLUSTER NODES of this node says."""
    seen = {}
    for line in node.ask("CLUSTER", "NODES").decode().splitlines():
        name, address, flags, primary, _, _, epoch, link, *slots = line.split()
        seen[name] = {"address": address, "flags": flags.split(","), "primary": primary, "epoch": int(epoch), "link": link,
                      "slots": slots}
    return seen


def owners_seen(node):
    """[id of the owner] by slot; None: nobody's."""
    owners = [None] * SLOTS
    for name, facts in nodes_seen(node).items():
        for part in facts["slots"]:
            if part.startswith("["):
                continue
            first, _, last = part.partition("-")
            owners[int(first):int(last or first) + 1] = [name] * (int(last or first) - int(first) + 1)
    return owners


def agree(nodes):
    """Whether all nodes are healthy and name the same owners and the same members, to which they are connected."""
    views = [(sorted(nodes_seen(node)), owners_seen(node)) for node in nodes]
    return all(node.healthy() for node in nodes) and all(view == views[0] for view in views) and \
        all(facts["link"] == "connected" for node in nodes for facts in nodes_seen(node).values())


def settle(checks, name, nodes, seconds=60):
    return checks.true(f"{name}: all nodes agree", wait_until(lambda: agree(nodes), seconds),
                       [node.ask("CLUSTER", "NODES").decode() for node in nodes[:2]])


def cli(*words, given=None, path="redis-cli", seconds=120):
    """(exit code, output) of redis-cli."""
    done = subprocess.run([path, *map(str, words)], input=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=seconds)
    return done.returncode, done.stdout


def place_of(node):
    return f"{node.host}:{node.port}"


def create(checks, name, nodes, replicas=1):
    """As people do it."""
    code, said = cli("--cluster", "create", *map(place_of, nodes), "--cluster-replicas", replicas, "--cluster-yes")
    checks.true(f"{name}: redis-cli --cluster create", code == 0 and "All 16384 slots covered" in said, said)
    return settle(checks, name, nodes)


def reshard(checks, name, nodes, source, target, slots):
    """And waits until all nodes have heard of it: redis-cli moves nothing while they do not agree."""
    code, said = cli("--cluster", "reshard", place_of(nodes[0]), "--cluster-from", source.id, "--cluster-to", target.id,
                     "--cluster-slots", slots, "--cluster-yes", "--cluster-pipeline", 20)
    checks.true(f"{name}: redis-cli --cluster reshard", code == 0, said[-1500:])
    settle(checks, name, nodes)


def replica_of(nodes, primary):
    """One of these, as the primary sees it; it may not have heard yet."""
    name = primary.id

    def found():
        seen = nodes_seen(primary)
        return next((node for node in nodes if seen[node.id]["primary"] == name), None)
    return wait_until(found)


def comes_back(checks, name, nodes, killed):
    """A primary that was killed is started again, and follows who has taken its place. Returns the new process."""
    again = killed.restart()
    nodes[nodes.index(killed)] = again
    checks.true(f"{name}: it comes back as a replica", wait_until(lambda: again.role() == "slave"), again.log_text()[-2000:])
    settle(checks, name, nodes)
    return again


class ClusterClient:
    """Follows MOVED and ASK as a careful client does. Not for several threads."""

    def __init__(self, nodes, seconds=5):
        self.seeds = [node.address for node in nodes]
        self.seconds = seconds
        self.links = {}
        self.places = {}      # slot: address
        self.redirected = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for link in self.links.values():
            link.close()

    def _link(self, address):
        if address not in self.links:
            self.links[address] = Client(address, timeout=self.seconds)
        return self.links[address]

    def _drop(self, address):
        link = self.links.pop(address, None)
        if link is not None:
            with contextlib.suppress(OSError):
                link.close()

    def call(self, *words, key=None, patience=60):
        """The reply in the end. What the cluster says while it is not whole is waited for; a connection that breaks leaves
        open whether the command was run, and is raised."""
        slot = slot_of(words[1] if key is None else key)
        limit = time.monotonic() + patience
        turn = slot
        address, asking = self.places.get(slot, self.seeds[turn % len(self.seeds)]), False
        while True:
            try:
                link = self._link(address)
            except OSError:
                turn += 1
                self.places.pop(slot, None)
                address, asking = self.seeds[turn % len(self.seeds)], False
                self._wait(limit, words)
                continue
            try:
                if asking:
                    link.call("ASKING")
                reply = link.call(*words)
            except GONE:
                self._drop(address)
                self.places.pop(slot, None)
                raise
            if not isinstance(reply, ErrorReply):
                return reply
            kind, *rest = reply.decode().split()
            if kind in ("MOVED", "ASK"):
                self.redirected += 1
                host, _, port = rest[1].rpartition(":")
                address, asking = (host or HOST, int(port)), kind == "ASK"
                if kind == "MOVED":
                    self.places[slot] = address
            elif kind in ("CLUSTERDOWN", "TRYAGAIN", "LOADING", "MASTERDOWN", "READONLY"):
                turn += 1
                self.places.pop(slot, None)
                address, asking = self.seeds[turn % len(self.seeds)], False
                self._wait(limit, words)
            else:
                return reply

    @staticmethod
    def _wait(limit, words):
        if time.monotonic() > limit:
            raise TimeoutError(f"the cluster does not answer {words}")
        threading.Event().wait(0.02)
