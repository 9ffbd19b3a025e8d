"""Six nodes of a cluster, what happens to them while clients write, and what has to be there afterwards.

A client notes for each key which numbers were acknowledged, and when: {key: [[number, milliseconds], ...]}. Keys end in
`:set` or `:hash`, after their type. Replication is asynchronous: what a primary has acknowledged in its last moment may be lost
with it, and nothing else.
"""

import contextlib
import time

from cluster_nodes import (
    ClusterClient, Node, comes_back, create, owners_seen, replica_of, reshard, slot_of)
from replicating import OURS, THEIRS, in_step
from server_process import end, wait_until

MOVED_SLOTS = 300            # so many of each primary move, its first ones
TAGS_OF_EACH_KIND = 8        # hash tags in such slots of one primary, and in its other ones
LAST_MOMENT_MILLIS = 1000    # of a primary
NODE_TIMEOUT = 3000
HEARD_LATER_MILLIS = 2500    # its answers may be read so long after it was killed; nobody has taken its place by then
MAKES = {"ours": [OURS] * 6, "mixed": [OURS, THEIRS, OURS, THEIRS, OURS, THEIRS]}


class Ring:
    """Three primaries and three replicas, made by redis-cli."""

    def __init__(self, checks, makes, threads):
        self.checks, self.makes, self.threads = checks, makes, threads
        self.kills = []          # (milliseconds, slots of the killed one)
        self.opened = contextlib.ExitStack()

    def __enter__(self):
        with contextlib.ExitStack() as opened:
            self.nodes = [opened.enter_context(Node(make, timeout=NODE_TIMEOUT, threads=self.threads)) for make in self.makes]
            opened.callback(self._end_restarted)
            create(self.checks, "six nodes", self.nodes)
            self._begin()
            self.opened = opened.pop_all()
        return self

    def __exit__(self, *_):
        self.opened.close()

    def _begin(self):
        """A replica is named to clients once it has read something."""
        with ClusterClient(self.nodes) as client:
            for number in range(100):
                client.call("SET", f"beginning:{number}", number)

        def complete():
            tables = [node.ask("CLUSTER", "SLOTS") for node in self.nodes]
            return all([len(row) for row in table] == [4, 4, 4] for table in tables)
        self.checks.true("everybody names three primaries with a replica each", wait_until(complete), self.nodes[0].ask("CLUSTER", "SLOTS"))

    def _end_restarted(self):
        for node in self.nodes:
            end(node.process)

    @property
    def ports(self):
        return [node.port for node in self.nodes]

    def tags(self):
        """Hash tags of every primary, half of them in slots that will move."""
        owners = owners_seen(self.nodes[0])
        first = {name: owners.index(name) for name in set(owners)}
        wanted = {(name, moves): [] for name in first for moves in (True, False)}
        number = 0
        while any(len(tags) < TAGS_OF_EACH_KIND for tags in wanted.values()):
            slot = slot_of(f"t{number}")
            tags = wanted[owners[slot], slot < first[owners[slot]] + MOVED_SLOTS]
            if len(tags) < TAGS_OF_EACH_KIND:
                tags.append(f"t{number}")
            number += 1
        return [tag for row in zip(*wanted.values()) for tag in row]

    def primaries(self):
        return [node for node in self.nodes if node.role() == "master"]

    def kill(self, primary):
        """Its replica takes over."""
        replica, name = replica_of(self.nodes, primary), primary.id
        linked = wait_until(lambda: replica.figures().get("master_link_status") == "up")
        self.checks.true("its replica is linked", linked, replica.figures())
        slots = {slot for slot, owner in enumerate(owners_seen(replica)) if owner == name}
        primary.kill()
        self.kills.append((time.time() * 1000, slots))
        others = [node for node in self.nodes if node is not primary]
        self.checks.true("its replica takes over", wait_until(lambda: replica.role() == "master"), replica.log_text()[-2000:])
        self.checks.true("the others are well", wait_until(lambda: all(node.healthy() for node in others)))

    def restart(self, node):
        """It comes back as a replica, with everything."""
        again = comes_back(self.checks, "restarted", self.nodes, node)
        self.checks.true("its link is up", wait_until(lambda: again.figures().get("master_link_status") == "up"), again.figures())
        return again

    def reshard(self, source, target, slots=MOVED_SLOTS):
        name = f"{slots} slots go from {source.make} to {target.make}"
        reshard(self.checks, name, self.nodes, source, target, slots)

    def excused(self, key, millis):
        """Whether a primary that was about to be killed has acknowledged it."""
        return any(slot_of(key) in slots and at - LAST_MOMENT_MILLIS <= millis <= at + HEARD_LATER_MILLIS
                   for at, slots in self.kills)

    def verify(self, name, noted, sent):
        """All that was acknowledged is there, nothing else is, and what belongs together is together."""
        lost, excused, alien, torn, count = [], 0, [], [], 0
        with ClusterClient(self.nodes) as client:
            for key, numbers in noted.items():
                kept = members(client, key)
                count += len(numbers)
                for number, millis in numbers:
                    if number not in kept:
                        excused += self.excused(key, millis)
                        lost += [] if self.excused(key, millis) else [(key, number)]
                alien += [(key, number) for number in kept if not 0 < number <= sent]
                twin = key.removesuffix(":set") + ":hash"
                if twin != key and twin in noted:
                    torn += [(key, number) for number in kept ^ members(client, twin)]
        self.checks.equal(f"{name}: acknowledged and gone", lost[:10], [])
        self.checks.equal(f"{name}: never sent", alien[:10], [])
        self.checks.equal(f"{name}: half of what belongs together", torn[:10], [])
        self.checks.true(f"{name}: something was written", count > 1000, count)
        return f"{name}: {count} acknowledged, {excused} lost with a primary"

    def replicas_agree(self):
        for primary in self.primaries():
            replica = replica_of(self.nodes, primary)
            self.checks.true("replica and primary are in step", in_step(primary, replica), replica.figures())
            self.checks.equal("and have the same data", replica.ask("DEBUG", "DIGEST"), primary.ask("DEBUG", "DIGEST"))


def members(client, key):
    return {int(one) for one in client.call("SMEMBERS" if key.endswith(":set") else "HKEYS", key)}
