#!/usr/bin/python3
"""A ring of nodes, ours and stock ones in every role: made by redis-cli, resharded in both directions under load, and
its primaries killed; a stock cluster that is moved to ours node by node; files of one make read by the other.

`SEED=n` repeats a run.
"""

import contextlib
import os
import random
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))

from checks import run_parts  # noqa: E402
from cluster_nodes import (  # noqa: E402
    GONE, ClusterClient, Node, cli, comes_back, create, owners_seen, place_of, replica_of, reshard, settle,
    slot_of)
from replicating import OURS, REFERENCE, SEED, THEIRS, Crew, figures, went_well  # noqa: E402
from resp_client import ErrorReply  # noqa: E402
from sanitized import SANITIZED  # noqa: E402
from server_process import end, wait_until  # noqa: E402


SLOTS_MOVED = 40 if SANITIZED else 200


@contextlib.contextmanager
def ring(checks, makes, name="ring", replicas=1, **more):
    """As many nodes as makes. The first ones become primaries."""
    with contextlib.ExitStack() as stack:
        nodes = [stack.enter_context(Node(make, **more)) for make in makes]
        create(checks, name, nodes, replicas)
        try:
            yield nodes
        finally:
            for node in nodes:  # also those that were started anew
                end(node.process)


class Books:
    """Writers that increment counters of their own; each knows what was acknowledged. A write whose fate is open may count
    or not."""

    made = 0

    def __init__(self, nodes, writers=3, keys=40):
        Books.made += 1
        self.name = f"book:{Books.made}"
        self.nodes, self.keys = nodes, keys
        self.counts = [{} for _ in range(writers)]       # key: [acknowledged, open]
        self.chance = [random.Random(SEED + index) for index in range(writers)]
        self.clients = [None] * writers
        self.crew = Crew(*[lambda index=index: self._write(index) for index in range(writers)])

    def _write(self, index):
        if self.clients[index] is None:
            self.clients[index] = ClusterClient(self.nodes)
        key = f"{self.name}:{index}:{self.chance[index].randrange(self.keys)}"
        count = self.counts[index].setdefault(key, [0, 0])
        try:
            reply = self.clients[index].call("INCR", key)
        except GONE:
            count[1] += 1
            self.clients[index] = None
            return
        if isinstance(reply, ErrorReply):
            raise AssertionError(f"INCR {key}: {reply.decode()}")
        count[0] += 1

    def busy(self, writes=20):
        """Waits until each of them has had some more writes acknowledged."""
        def acknowledged():
            return [sum(sure for sure, _ in list(count.values())) for count in self.counts]
        before = acknowledged()
        return wait_until(lambda: self.crew.troubles or
                          all(now >= then + writes for now, then in zip(acknowledged(), before)))

    def check(self, checks, name, nodes, may_lose=False):
        """`may_lose`: a primary has died, and replication is asynchronous."""
        wrong, lost, acknowledged = [], 0, 0
        with ClusterClient(nodes) as client:
            for counts in self.counts:
                for key, (sure, maybe) in counts.items():
                    value = int(client.call("GET", key) or 0)
                    acknowledged += sure
                    lost += max(sure - value, 0)
                    if value > sure + maybe or (value < sure and not may_lose):
                        wrong.append((key, value, sure, maybe))
        checks.equal(f"{name}: {acknowledged} acknowledged increments are there", (len(wrong), wrong[:3]), (0, []))
        checks.true(f"{name}: something was written", acknowledged >= 60, acknowledged)
        return acknowledged, lost


def fill(nodes, count=2000):
    with ClusterClient(nodes) as client:
        for number in range(count):
            client.call("SET", f"key:{number}", f"value {number}")


def check_filling(checks, name, nodes, count=2000):
    with ClusterClient(nodes) as client:
        wrong = [number for number in range(count) if client.call("GET", f"key:{number}") != f"value {number}".encode()]
    checks.equal(f"{name}: all {count} keys", wrong, [])


def sound(checks, name, node):
    """redis-cli --cluster check has nothing to complain of."""
    seen = []

    def fine():
        seen[:] = cli("--cluster", "check", place_of(node))
        return seen[0] == 0 and "All nodes agree" in seen[1] and "All 16384 slots covered" in seen[1]
    checks.true(f"{name}: redis-cli --cluster check", wait_until(fine), seen)


# ---- what a client sees ----------------------------------------------------------------------------------------------

def redirections(checks):
    """MOVED, ASK, TRYAGAIN, CROSSSLOT, CLUSTERDOWN, READONLY, beside what a stock node says in the same place."""
    for makes in ([OURS, THEIRS, OURS], [THEIRS, OURS, THEIRS]):
        with ring(checks, makes, replicas=0) as nodes:
            first, second, _ = nodes
            own = next(f"k{index}" for index in range(10_000) if owners_seen(first)[slot_of(f"k{index}")] == first.id)
            other = next(f"k{index}" for index in range(10_000) if owners_seen(first)[slot_of(f"k{index}")] == second.id)
            slot = slot_of(own)
            with first.client() as client:
                checks.equal("an own key is served", client.call("SET", own, "v"), b"OK")
                checks.equal("another's is not", client.call("GET", other),
                             ErrorReply(f"MOVED {slot_of(other)} {place_of(second)}".encode()))
                checks.contains("two slots", client.call("MGET", own, other), b"CROSSSLOT")
                checks.contains("databases", client.call("SELECT", 1), b"SELECT is not allowed in cluster mode")
                checks.equal("the slot's keys", client.call("CLUSTER", "COUNTKEYSINSLOT", slot), 1)
                checks.equal("by name", client.call("CLUSTER", "GETKEYSINSLOT", slot, 10), [own.encode()])
                client.call("SET", f"{{{own}}}a", 1)
                second.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", first.id)
                client.call("CLUSTER", "SETSLOT", slot, "MIGRATING", second.id)
                ask = ErrorReply(f"ASK {slot} {place_of(second)}".encode())
                checks.equal("a key that is there", client.call("GET", own), b"v")
                checks.equal("one that is not", client.call("GET", f"{{{own}}}b"), ask)
                checks.contains("one of each", client.call("MGET", own, f"{{{own}}}b"), b"TRYAGAIN")
                checks.equal("none of them", client.call("MGET", f"{{{own}}}c", f"{{{own}}}b"), ask)
                client.call("MULTI")
                checks.equal("in a transaction", client.call("GET", f"{{{own}}}b"), ask)
                checks.contains("which is given up", client.call("EXEC"), b"EXECABORT")
                with second.client() as there:
                    checks.contains("without ASKING", there.call("SET", f"{{{own}}}b", 1), b"MOVED")
                    there.call("ASKING")
                    checks.equal("with ASKING", there.call("SET", f"{{{own}}}b", 1), b"OK")
                    checks.contains("for one command only", there.call("GET", f"{{{own}}}b"), b"MOVED")
                    there.call("ASKING")
                    checks.contains("of several keys some", there.call("MGET", own, f"{{{own}}}b"), b"TRYAGAIN")
                checks.equal("MIGRATE", client.call("MIGRATE", second.host, second.port, "", 0, 5000, "KEYS", own,
                                                    f"{{{own}}}a"), b"OK")
                for node in (second, first):
                    checks.equal("SETSLOT NODE", node.ask("CLUSTER", "SETSLOT", slot, "NODE", second.id), b"OK")
                checks.contains("it has moved", client.call("GET", own), b"MOVED")
                checks.equal("no key is left", client.call("DBSIZE"), 0)
            checks.equal("all are there", second.ask("MGET", own, f"{{{own}}}a", f"{{{own}}}b"), [b"v", b"1", b"1"])
            settle(checks, "moved", nodes)


def blocked(checks):
    """Who waits for a key of a slot that leaves is told where it went; so are subscribers of its channels."""
    with ring(checks, [OURS, OURS, THEIRS], replicas=0) as nodes:
        first, second, _ = nodes
        key = next(f"k{index}" for index in range(10_000) if owners_seen(first)[slot_of(f"k{index}")] == first.id)
        slot = slot_of(key)
        with first.client() as waiter, first.client() as listener, first.client(resp=3) as modern:
            waiter.send("BLPOP", key, 0)
            checks.equal("SSUBSCRIBE", listener.call("SSUBSCRIBE", key), [b"ssubscribe", key.encode(), 1])
            modern.call("SSUBSCRIBE", key)
            wait_until(lambda: int(first.figures("clients")["blocked_clients"]) == 1)
            second.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", first.id)
            first.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", second.id)
            second.ask("CLUSTER", "SETSLOT", slot, "NODE", second.id)
            first.ask("CLUSTER", "SETSLOT", slot, "NODE", second.id)
            checks.equal("the waiter is sent on", waiter.read(), ErrorReply(f"MOVED {slot} {place_of(second)}".encode()))
            checks.equal("the subscription ends", listener.read(), [b"sunsubscribe", key.encode(), 0])
            checks.equal("in RESP3 too", list(modern.read()), [b"sunsubscribe", key.encode(), 0])
            checks.contains("and leads elsewhere", listener.call("SSUBSCRIBE", key), b"MOVED")


def room(checks):
    """What connects nodes counts against maxclients."""
    with ring(checks, [OURS, THEIRS, OURS], replicas=0) as nodes:
        for node in nodes[:2]:
            with node.client() as client:
                told = figures(client.call("INFO", "clients"))
                links = int(told["cluster_connections"])
                checks.equal(f"{node.make}: links to and from two nodes", links, 4)
                full = int(told["connected_clients"]) + links
                checks.equal("CONFIG SET maxclients", client.call("CONFIG", "SET", "maxclients", full), b"OK")
                with node.client() as late:
                    checks.contains("one more is refused", late.read(), b"max number of clients + cluster connections reached")
                client.call("CONFIG", "SET", "maxclients", full + 1)
                with node.client() as late:
                    checks.equal("where there is room it is not", late.call("PING"), b"PONG")


def messages(checks):
    """PUBLISH reaches subscribers at all nodes, SPUBLISH those of the shard."""
    with ring(checks, [OURS, THEIRS, OURS, THEIRS, OURS, THEIRS]) as nodes:
        for publisher in nodes:
            with contextlib.ExitStack() as stack:
                listeners = [stack.enter_context(node.client()) for node in nodes]
                for listener in listeners:
                    listener.call("SUBSCRIBE", "news")
                text = f"from {publisher.port}".encode() + b"x" * 100_000
                publisher.ask("PUBLISH", "news", text)
                for node, listener in zip(nodes, listeners):
                    checks.equal(f"{publisher.make} to {node.make}", listener.read(), [b"message", b"news", text])
        channel = "sharded"
        owner = next(node for node in nodes if node.id == owners_seen(node)[slot_of(channel)])
        shard = [owner, replica_of(nodes, owner)]
        with contextlib.ExitStack() as stack:
            listeners = [stack.enter_context(node.client()) for node in shard]
            for listener in listeners:
                checks.equal("SSUBSCRIBE", listener.call("SSUBSCRIBE", channel), [b"ssubscribe", channel.encode(), 1])
            with ClusterClient(nodes) as client:
                client.call("SPUBLISH", channel, "text")
            for listener in listeners:
                checks.equal("the shard hears it", listener.read(), [b"smessage", channel.encode(), b"text"])


# ---- life and death --------------------------------------------------------------------------------------------------

def moving(checks):
    """Three stock and three of ours: slots go both ways while clients write; then failovers of every kind."""
    makes = [OURS, THEIRS, OURS, THEIRS, OURS, THEIRS]
    with ring(checks, makes, "mixed") as nodes:
        fill(nodes)
        ours, stock = nodes[0], nodes[1]
        books = Books(nodes)
        with books.crew:
            reshard(checks, "to stock", nodes, ours, stock, 2 * SLOTS_MOVED)
            reshard(checks, "to ours", nodes, stock, ours, 3 * SLOTS_MOVED)
            reshard(checks, "between ours", nodes, ours, nodes[2], SLOTS_MOVED)
            books.busy()
        went_well(checks, "resharding", books.crew)
        settle(checks, "resharded", nodes)
        sound(checks, "resharded", ours)
        books.check(checks, "resharding", nodes)
        check_filling(checks, "resharding", nodes)
        failovers(checks, nodes)


def failovers(checks, nodes):
    for primary in [node for node in nodes if node.role() == "master"]:
        replica = replica_of(nodes, primary)
        name = f"{replica.make} takes over from {primary.make}"
        books = Books(nodes)
        with books.crew:
            books.busy()
            checks.equal(f"{name}: CLUSTER FAILOVER", replica.ask("CLUSTER", "FAILOVER"), b"OK")
            checks.true(f"{name}: it does", wait_until(lambda: replica.role() == "master"))
            checks.true(f"{name}: the old one follows", wait_until(lambda: primary.role() == "slave"))
            books.busy()
        went_well(checks, name, books.crew)
        settle(checks, name, nodes)
        books.check(checks, name, nodes)
        checks.true(f"{name}: the link is up", wait_until(
            lambda: primary.figures().get("master_link_status") == "up"), primary.figures())
    check_filling(checks, "after manual failovers", nodes)
    deaths(checks, nodes)


def deaths(checks, nodes):
    """A primary of each make is killed, and comes back as a replica."""
    for make in (OURS, THEIRS):
        primary = next(node for node in nodes if node.make == make and node.role() == "master")
        replica = replica_of(nodes, primary)
        wait_until(lambda: replica.figures()["master_link_status"] == "up")
        others = [node for node in nodes if node is not primary]
        name = f"a primary of {make} is killed"
        books = Books(nodes)
        with books.crew:
            books.busy()
            primary.kill()
            checks.true(f"{name}: its replica takes over", wait_until(lambda: replica.role() == "master", 60),
                        replica.ask("CLUSTER", "NODES").decode())
            checks.true(f"{name}: the others are well", wait_until(lambda: all(one.healthy() for one in others)))
            books.busy()
        went_well(checks, name, books.crew)
        comes_back(checks, name, nodes, primary)
        acknowledged, lost = books.check(checks, name, nodes, may_lose=True)
        print(f"   {name}: {acknowledged} increments acknowledged, {lost} lost (asynchronous replication)")
        check_filling(checks, name, nodes)


def rolling(checks):
    """A stock cluster becomes ours: each node is joined by one of ours as its replica, which takes over."""
    if REFERENCE is None:
        return
    with contextlib.ExitStack() as stack:
        nodes = [stack.enter_context(Node(THEIRS)) for _ in range(3)]
        create(checks, "stock", nodes, replicas=0)
        fill(nodes)
        books = Books(nodes)
        with books.crew:
            for old in list(nodes):
                new = stack.enter_context(Node(OURS))
                code, said = cli("--cluster", "add-node", place_of(new), place_of(old), "--cluster-slave",
                                 "--cluster-master-id", old.id)
                checks.true("add-node", code == 0, said)
                checks.true("it has everything", wait_until(
                    lambda new=new: new.figures().get("master_link_status") == "up"), new.figures())
                settle(checks, "everybody knows it", [*nodes, new])
                checks.equal("CLUSTER FAILOVER", new.ask("CLUSTER", "FAILOVER"), b"OK")
                checks.true("it takes over", wait_until(lambda new=new: new.role() == "master"), new.log_text()[-2000:])
                checks.true("the old one follows", wait_until(lambda old=old: old.role() == "slave"))
                books.busy()
                code, said = cli("--cluster", "del-node", place_of(new), old.id)
                checks.true("del-node", code == 0, said)
                nodes[nodes.index(old)] = new
                books.nodes[:] = nodes
        went_well(checks, "moved", books.crew)
        settle(checks, "moved", nodes)
        checks.equal("all are ours now", {node.make for node in nodes}, {OURS})
        books.check(checks, "moved", nodes)
        check_filling(checks, "moved", nodes)
        sound(checks, "moved", nodes[0])


def files(checks):
    """A node ends and is started again with its files by the other make: the same node with the same slots."""
    with ring(checks, [OURS, THEIRS, OURS], replicas=0) as nodes:
        fill(nodes, 500)
        for index in (0, 1):
            node = nodes[index]
            name, owners = node.id, owners_seen(node)
            node.ask("SAVE")
            node.process.terminate()
            node.wait_exit()
            swapped = node.restart(THEIRS if node.make == OURS else OURS)
            nodes[index] = swapped
            checks.equal("the same name", swapped.id, name)
            settle(checks, f"swapped {index}", nodes)
            checks.equal("the same slots", owners_seen(swapped), owners)
            check_filling(checks, f"swapped {index}", nodes, 500)


if __name__ == "__main__":
    print(f"SEED={SEED}")
    run_parts([redirections, blocked, room, messages, moving, rolling, files])
