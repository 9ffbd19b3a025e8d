"""The Sentinel suite for run.py: `sentinel:UNIT` is tests/sentinel/tests/UNIT.tcl, as ./runtest-sentinel runs it.

A unit starts five sentinels and five servers, and each of these ten instances may be another program (instances.py).
"""

import processes
from instances import change, listed
import instances

PREFIX = "sentinel:"
INSTANCES = 5
# The longest unit takes half a minute. The suite waits for some things without a limit.
UNIT_SECONDS_MAX = 300


def belongs(unit):
    return unit.startswith(PREFIX)


def name(unit):
    return unit.removeprefix(PREFIX)


def file_of(unit):
    """Where the unit is below tests/, without the ending."""
    return f"sentinel/tests/{name(unit)}"


def cast(options, ours):
    """{instance: its player}. `servers` and `sentinels` are lists of `ours`, `stock` and paths, for all or for each."""
    players = {}
    for kind, text in (("redis", options.servers), ("sentinel", options.sentinels)):
        for number, one in enumerate(listed(text, INSTANCES, ours)):
            players[f"{kind}_{number}"] = one
    return players


def starts(players, folder):
    """Whether all that is to be a sentinel becomes one. Without it, many starts would wait for a long time."""
    sentinels = {one for instance, one in players.items() if instance.startswith("sentinel_")}
    return all(instances.starts(one.program, "redis-sentinel", one.settings, folder) for one in sentinels)


def prepare(tree, players, base):
    """Makes a copy of the tree one that this cast plays, on these ports, and that counts its tests."""
    added = ""
    if base is not None:
        half = processes.PORTS_PER_RANGE // 2
        added = f"set ::sentinel_base_port {base}\nset ::redis_base_port {base + half}\n"
        added += f"set ::redis_port_count {half}\n"
    instances.prepare(tree, "sentinel", players, added)
    # A unit moves a server to `/`, where it cannot write a file `tmp`, and its log moves with it. So may any folder do.
    (tree / "root" / "tmp").mkdir(parents=True)
    change(tree / "tests" / "sentinel" / "tests" / "07-down-conditions.tcl", "config set dir /\n",
           f"config set dir {tree}/root\n")


def command(unit, keep):
    return instances.command("runtest-sentinel", name(unit), keep)
