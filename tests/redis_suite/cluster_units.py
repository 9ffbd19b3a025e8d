"""The Cluster suite for run.py: `cluster:UNIT` is tests/cluster/tests/UNIT.tcl, as ./runtest-cluster runs it.

A unit starts twenty nodes, and each of them may be another program (instances.py).
"""

import processes
from instances import listed
import instances

PREFIX = "cluster:"
INSTANCES = 20
# The longest unit takes one and a half minutes on an idle machine.
UNIT_SECONDS_MAX = 600
# Chance decides how often these run, but for once.
OFTEN = {"cluster:03-failover-loop": {"Wait for slave of #N to sync", "Wait failover by #N with old epoch N"}}


def belongs(unit):
    return unit.startswith(PREFIX)


def name(unit):
    return unit.removeprefix(PREFIX)


def file_of(unit):
    """Where the unit is below tests/, without the ending."""
    return f"cluster/tests/{name(unit)}"


def cast(options, ours):
    """{instance: its player}. `nodes` is a list of `ours`, `stock` and paths, for all or for each."""
    return {f"redis_{number}": one for number, one in enumerate(listed(options.nodes, INSTANCES, ours))}


def starts(players, folder):
    """Whether all come up as nodes of a cluster. Without it, many starts would wait for a long time."""
    return all(instances.starts(one.program, "redis-server", one.settings + "cluster-enabled yes\n", folder)
               for one in set(players.values()))


def prepare(tree, players, base):
    """Makes a copy of the tree one that this cast plays, on these ports, and that counts its tests."""
    added = ""
    if base is not None:
        added = f"set ::redis_base_port {base}\nset ::redis_port_count {processes.PORTS_PER_RANGE}\n"
    instances.prepare(tree, "cluster", players, added)


def command(unit, keep):
    return instances.command("runtest-cluster", name(unit), keep)
