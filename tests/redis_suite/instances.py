"""What the suites of many instances (Sentinel, Cluster) have in common: who plays an instance, and what they print.

In a unit's copy, src/redis-server is a small script; the folder of the configuration file that it is given names the
instance:

    src/redis-server redis_3/redis.conf  ->  src/redis_3/redis-server (a link to the program that plays)

A unit runs in namespaces of its own (processes.py), on the suite's ports; where that is refused, on claimed ports.
"""

import contextlib
import os
import pathlib
import re
import shutil
import sys
import typing

import processes

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


def player(who, ours):
    if who == "ours":
        return ours
    program = shutil.which("redis-server") if who == "stock" else os.path.abspath(who)
    if not program or not os.access(program, os.X_OK):
        sys.exit(f"nothing can play {who}")
    return Player(program, "")


def listed(text, count, ours):
    """The players that a list names, for `count` instances: for all, or for each."""
    names = text.split(",")
    if len(names) not in (1, count):
        sys.exit(f"who plays the {count} instances: name 1 or {count}, not {len(names)}")
    return [player(names[number % len(names)], ours) for number in range(count)]


def ports():
    """The context that holds the unit's ports: their base, or None for those of the suite."""
    return contextlib.nullcontext() if processes.isolation() else processes.PortRange()


def prepare(tree, suite, players, added=""):
    """Makes a copy of the tree one that this cast plays, {instance: player}, and that counts its tests."""
    names = {instance: f"redis-{'sentinel' if instance.startswith('sentinel_') else 'server'}" for instance in players}
    for name in set(names.values()):
        link = tree / "src" / name
        link.unlink()
        link.write_text(PLAY_INSTANCE, encoding="utf-8")
        link.chmod(0o755)
    for instance, one in players.items():
        folder = tree / "src" / instance
        folder.mkdir()
        (folder / names[instance]).symlink_to(one.program)
        (folder / "settings").write_text(one.settings, encoding="utf-8")
    shutil.copy2(COUNT_TESTS, tree)
    change(tree / "tests" / suite / "run.tcl", "source ../instances.tcl\n",
           "source ../instances.tcl\nsource ../../../count_tests.tcl\n" + added)


def starts(program, name, settings, folder):
    """Whether a program comes up under a name with these settings; what it says is shown if not."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / name).symlink_to(program)
    with processes.PortRange() as base:
        (folder / "conf").write_text(f"port {base}\n{settings}", encoding="utf-8")
        if processes.comes_up([f"./{name}", "conf"], folder, folder / "log", base):
            return True
    print(f"{program} does not start as {name}:")
    for line in (folder / "log").read_text(errors="replace").splitlines()[-20:]:
        print("    " + line)
    return False


def command(runner, unit, keep):
    words = [*processes.isolation(), f"./{runner}", "--single", f"/{unit}.tcl"]
    return words + (["--dont-clean"] if keep else [])


def change(path, old, new):
    text = path.read_text(encoding="utf-8")
    if text.count(old) != 1:
        sys.exit(f"{path} is not as expected")
    path.write_text(text.replace(old, new), encoding="utf-8")


def failures_outside(lines, failed_tests):
    """[(what, line number)] of what the suite counts as failed beside tests."""
    found = [(match.group(1), number) for number, line in enumerate(lines) if (match := OUTSIDE_TESTS.match(line))]
    if not failed_tests:
        found += [(match.group(0), number) for number, line in enumerate(lines) if (match := ERROR_IN_UNIT.match(line))]
    return found


def ended(unit, code, text, failures):
    """How the suite ended, if that is a failure of its own."""
    if f"Testing unit: {unit}.tcl" not in text and not failures:
        return "the harness has not run the unit"
    if code == 0 and "GOOD! No errors." in text:
        return ""
    if code != 1:
        return f"the harness exited with {code}"
    return "" if failures else "the harness has found something wrong outside of tests"
