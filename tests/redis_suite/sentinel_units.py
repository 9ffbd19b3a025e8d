"""The Sentinel suite for run.py: `sentinel:UNIT` is tests/sentinel/tests/UNIT.tcl, as ./runtest-sentinel runs it.

A unit starts five sentinels and five servers, and each of these ten instances may be another program (the cast). In
the unit's copy, src/redis-server and src/redis-sentinel are a small script; the folder of the configuration file that
it is given names the instance:

    src/redis-sentinel sentinel_3/sentinel.conf  ->  src/sentinel_3/redis-sentinel (a link to the program that plays)

The unit runs in namespaces of its own (processes.py), on the suite's ports; where that is refused, on claimed ports.
"""

import contextlib
import os
import pathlib
import re
import shutil
import sys
import typing

import processes

PREFIX = "sentinel:"
INSTANCES = 5
# The longest unit takes half a minute. The suite waits for some things without a limit.
UNIT_SECONDS_MAX = 300
COUNT_TESTS = pathlib.Path(__file__).resolve().parent / "count_tests.tcl"

PLAY_INSTANCE = """#!/bin/sh
# Starts the program that plays the instance whose configuration file is $1, with what it needs to be told there.
here=$(dirname "$0")/${1%%/*}
grep -qxFf "$here/settings" "$1" || cat "$here/settings" >> "$1"
exec "$here/$(basename "$0")" "$@"
"""

OUTSIDE_TESTS = re.compile(r"^(\*\*\* Crash report found in .*|ERROR: Sentinel has leaked fds.*|>>>>>>>> .*)$")
ERROR_IN_UNIT = re.compile(r"^FAILED: caught an error in the test.*$")  # also follows a failed test


class Player(typing.NamedTuple):
    program: str
    settings: str  # lines for the configuration file


def belongs(unit):
    return unit.startswith(PREFIX)


def file_of(unit):
    """Where the unit is below tests/, without the ending."""
    return f"sentinel/tests/{unit.removeprefix(PREFIX)}"


def player(who, ours):
    if who == "ours":
        return ours
    program = shutil.which("redis-server") if who == "stock" else os.path.abspath(who)
    if not program or not os.access(program, os.X_OK):
        sys.exit(f"nothing can play {who}")
    return Player(program, "")


def cast(servers, sentinels, ours):
    """{instance: its player}. `servers` and `sentinels` are lists of `ours`, `stock` and paths, for all or for each."""
    players = {}
    for kind, names in (("redis", servers.split(",")), ("sentinel", sentinels.split(","))):
        if len(names) not in (1, INSTANCES):
            sys.exit(f"who plays the {INSTANCES} instances: name 1 or {INSTANCES}, not {len(names)}")
        for number in range(INSTANCES):
            players[f"{kind}_{number}"] = player(names[number % len(names)], ours)
    return players


def starts(players, folder):
    """Whether all that is to be a sentinel becomes one. Without it, many starts would wait for a long time."""
    for one in {one for instance, one in players.items() if instance.startswith("sentinel_")}:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "redis-sentinel").symlink_to(one.program)
        with processes.PortRange() as base:
            (folder / "sentinel.conf").write_text(f"port {base}\n{one.settings}", encoding="utf-8")
            if processes.comes_up(["./redis-sentinel", "sentinel.conf"], folder, folder / "log", base):
                continue
        print(f"{one.program} does not start as redis-sentinel:")
        for line in (folder / "log").read_text(errors="replace").splitlines()[-20:]:
            print("    " + line)
        return False
    return True


def ports():
    """The context that holds the unit's ports: their base, or None for those of the suite."""
    return contextlib.nullcontext() if processes.isolation() else processes.PortRange()


def prepare(tree, players, base):
    """Makes a copy of the tree one that this cast plays, on these ports, and that counts its tests."""
    for name in ("redis-server", "redis-sentinel"):
        link = tree / "src" / name
        link.unlink()
        link.write_text(PLAY_INSTANCE, encoding="utf-8")
        link.chmod(0o755)
    for instance, one in players.items():
        folder = tree / "src" / instance
        folder.mkdir()
        (folder / ("redis-sentinel" if instance.startswith("sentinel_") else "redis-server")).symlink_to(one.program)
        (folder / "settings").write_text(one.settings, encoding="utf-8")
    shutil.copy2(COUNT_TESTS, tree)
    added = "source ../../../count_tests.tcl\n"
    if base is not None:
        half = processes.PORTS_PER_RANGE // 2
        added += f"set ::sentinel_base_port {base}\nset ::redis_base_port {base + half}\n"
        added += f"set ::redis_port_count {half}\n"
    folder = tree / "tests" / "sentinel"
    change(folder / "run.tcl", "source ../instances.tcl\n", "source ../instances.tcl\n" + added)
    # A unit moves a server to `/`, where it cannot write a file `tmp`, and its log moves with it. So may any folder do.
    (tree / "root" / "tmp").mkdir(parents=True)
    change(folder / "tests" / "07-down-conditions.tcl", "config set dir /\n", f"config set dir {tree}/root\n")


def change(path, old, new):
    text = path.read_text(encoding="utf-8")
    if text.count(old) != 1:
        sys.exit(f"{path} is not as expected")
    path.write_text(text.replace(old, new), encoding="utf-8")


def command(unit, keep):
    words = [*processes.isolation(), "./runtest-sentinel", "--single", f"/{unit.removeprefix(PREFIX)}.tcl"]
    return words + (["--dont-clean"] if keep else [])


def failures_outside(lines, failed_tests):
    """[(what, line number)] of what the suite counts as failed beside tests."""
    found = [(match.group(1), number) for number, line in enumerate(lines) if (match := OUTSIDE_TESTS.match(line))]
    if not failed_tests:
        found += [(match.group(0), number) for number, line in enumerate(lines) if (match := ERROR_IN_UNIT.match(line))]
    return found


def ended(unit, code, text, failures):
    """How the suite ended, if that is a failure of its own."""
    if f"Testing unit: {unit.removeprefix(PREFIX)}.tcl" not in text and not failures:
        return "the harness has not run the unit"
    if code == 0 and "GOOD! No errors." in text:
        return ""
    if code != 1:
        return f"the harness exited with {code}"
    return "" if failures else "the harness has found something wrong outside of tests"
