#!/usr/bin/python3
"""Runs units of the Redis 7.0 Tcl suite against our server and keeps score.

    run.py                      every unit of expected_pass.txt, compared with the score files; those of the Cluster
                                suite only when they are named (cluster.py names them)
    run.py unit/expire ...      some units; failures are shown with the output around them
    run.py --update [UNIT ...]  also rewrites expected_pass.txt for the units that ran, from what passed
    --server PATH               the program to test (default build/release/cinnabar-server)
    --no-compat                 do not set `compat-version 7.0` (for a stock redis-server)
    --jobs N                    units at a time (default 2)
    --keep                      keep the units' copies of the tree, with the servers' logs
    --servers WHO               who plays the five servers of a `sentinel:` unit (default ours)
    --sentinels WHO             who plays its five sentinels (default ours)
    --nodes WHO                 who plays the twenty nodes of a `cluster:` unit (default ours)

A unit is named as the suite names it; `tls:UNIT` is the same unit over TLS, as the harness's --tls runs it, with
certificates that are made once. What is skipped of UNIT is skipped of tls:UNIT as well. `sentinel:UNIT` is a unit of
the Sentinel suite (sentinel:00-base), `cluster:UNIT` one of the Cluster suite (cluster:00-base). WHO is `ours` (the program of --server), `stock` (redis-server on the path) or a
path; as many as there are instances, with commas between, are for one each: --sentinels ours,ours,ours,stock,stock.

Each unit runs in its own copy of the tree, on its own ports, in its own process group, for at most 600 seconds (units
of the Sentinel suite: 300).

Score files, both beside this program:
    expected_pass.txt   `[unit]` and below it the tests that must pass, one line for each time a test runs
    skipped.txt         `unit | test name | reason`; the harness does not run these. `*` as the name skips the unit,
                        `tags:-TAG` leaves out the unit's blocks with that tag, `without:TEXT` the commands that begin
                        with this text (both for set-up code outside any test).
A listed unit fails for every test that fails, every expected test that did not run, and every stale skip.
The last line is `N passed, N failed, N skipped`.
"""

import argparse
import collections
import concurrent.futures
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import zlib

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "lib"))

import cluster_units  # noqa: E402
import instances  # noqa: E402
import sentinel_units  # noqa: E402
from processes import PORTS_PER_RANGE, PortRange, comes_up, end_everything, end_group, start_group  # noqa: E402
from tls_files import make_suite_files  # noqa: E402

BUILD = ROOT / "build" / "redis_suite"
EXPECTED = HERE / "expected_pass.txt"
SKIPPED = HERE / "skipped.txt"
UNIT_SECONDS_MAX = 600
COMPAT_VERSION = "7.0"
# Tests of these units send on one connection, then on another, without waiting for the first to be served, and expect
# the order of sending. Only one thread that serves both keeps it, so these run with one.
ORDER_OF_ARRIVAL = {"unit/client-eviction", "unit/type/list", "unit/type/stream-cgroups", "unit/pubsub",
                    "unit/pubsubshard", "integration/shutdown"}
OUR_NAMES = ("redis-server", "redis-sentinel", "redis-check-aof", "redis-check-rdb")
# Suites of many instances.
SUITES = (sentinel_units, cluster_units)
DEBIAN_NAMES = ("redis-cli", "redis-benchmark")

print_lock = threading.Lock()
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
STATUS = re.compile(r"^\[(ok|err|skip|ignore|exception|TIMEOUT)\]: ?(.*)$")
ELAPSED = re.compile(r" \(\d+ ms\)$")


def say(text):
    with print_lock:
        print(text, flush=True)


def read_expected():
    """{unit: [test name, ...]} in file order."""
    units, unit = {}, None
    if EXPECTED.exists():
        for line in EXPECTED.read_text(encoding="utf-8").splitlines():
            if re.fullmatch(r"\[\S+\]", line):
                unit = line[1:-1]
                units[unit] = []
            elif unit and line.strip() and not line.startswith("#"):
                units[unit].append(line)
    return units


def write_expected(units):
    head = []
    if EXPECTED.exists():
        for line in EXPECTED.read_text(encoding="utf-8").splitlines():
            if not line.startswith("#"):
                break
            head.append(line)
    blocks = ["\n".join([f"[{unit}]"] + names) for unit, names in units.items()]
    EXPECTED.write_text("\n".join(head) + "\n\n" + "\n\n".join(blocks) + "\n", encoding="utf-8")


def read_skipped():
    """{unit: {test name: reason}}."""
    units = collections.defaultdict(dict)
    if SKIPPED.exists():
        for number, line in enumerate(SKIPPED.read_text(encoding="utf-8").splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            unit, _, rest = line.partition(" | ")
            name, _, reason = rest.rpartition(" | ")
            if not name or not reason.strip():
                sys.exit(f"{SKIPPED.name}:{number}: want `unit | test name | reason`")
            units[unit.strip()][name.strip()] = reason.strip()
    return units


def test_names(skipped):
    return [name for name in skipped if name != "*" and not name.startswith(("tags:", "without:"))]


def denied_tags(skipped):
    return [name[len("tags:"):] for name in skipped if name.startswith("tags:")]


def removed_commands(skipped):
    return [name[len("without:"):] for name in skipped if name.startswith("without:")]


def remove_commands(path, start):
    """Takes the Tcl commands that begin with a text out of a unit; says whether there were any."""
    kept, depth, found = [], 0, False
    for line in path.read_text(encoding="utf-8", errors="surrogateescape").splitlines(keepends=True):
        if depth > 0 or line.strip().startswith(start):
            found = True
            depth += line.count("{") - line.count("}")
        else:
            kept.append(line)
    path.write_text("".join(kept), encoding="utf-8", errors="surrogateescape")
    return found


def suite_of(unit):
    """The suite of many instances that the unit belongs to, or None."""
    return next((suite for suite in SUITES if suite.belongs(unit)), None)


def file_of(unit):
    """The unit as the harness knows it: without the mode that it runs in."""
    suite = suite_of(unit)
    return suite.file_of(unit) if suite else unit.removeprefix("tls:")


def skipped_of(unit, skipped):
    return {**skipped.get(file_of(unit), {}), **skipped.get(unit, {})}


class UnitRun:
    """What one unit did: counts by test name, the raw lines, and how it ended."""

    def __init__(self, unit):
        self.unit = unit
        self.file = file_of(unit)
        self.passed = collections.Counter()
        self.order = []
        self.failed = []  # (test name, line number)
        self.skipped = collections.Counter()
        self.ignored = 0
        self.useless = []  # entries of skipped.txt that have removed nothing
        self.lines = []
        self.ended = ""
        self.seconds = 0.0

    def parse(self, text):
        self.lines = [ESCAPES.sub("", line) for line in text.splitlines()]
        for number, line in enumerate(self.lines):
            if "The following tests failed:" in line:
                break
            match = STATUS.match(line)
            if not match:
                continue
            status, rest = match.groups()
            if status == "ok":
                name = ELAPSED.sub("", rest)
                self.passed[name] += 1
                self.order.append(name)
            elif status == "skip":
                self.skipped[rest] += 1
            elif status == "ignore":
                self.ignored += 1
            else:
                name = rest.split(f" in tests/{self.file}.tcl")[0]
                self.failed.append((name if status == "err" else f"{status}: {name}", number))


def make_tree(unit, server):
    # A short name: the servers' Unix sockets are below it, and their paths hold 107 bytes.
    tree = BUILD / "run" / f"{unit.rpartition('/')[2][:12]}.{zlib.crc32(unit.encode()):x}.{os.getpid()}"
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    original = BUILD / "tree"
    for entry in original.iterdir():
        if entry.is_dir():
            shutil.copytree(entry, tree / entry.name, symlinks=True)
        else:
            shutil.copy2(entry, tree / entry.name)
    if unit.startswith("tls:"):
        shutil.copytree(BUILD / "tls", tree / "tests" / "tls")
    (tree / "src").mkdir(exist_ok=True)
    for name in OUR_NAMES:
        (tree / "src" / name).symlink_to(server)
    for name in DEBIAN_NAMES:
        found = shutil.which(name)
        if not found:
            sys.exit(f"{name} is missing (package redis-tools)")
        (tree / "src" / name).symlink_to(found)
    return tree


def starts(options):
    """Whether the server comes up at all. Without it each of many starts would wait for two minutes."""
    folder = BUILD / "start"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with PortRange() as base:
        command = [options.server, "--port", str(base), "--save", ""]
        if not options.no_compat:
            command += ["--compat-version", COMPAT_VERSION]
        if comes_up(command, folder, folder / "log", base):
            return True
    say(f"{options.server} does not start:")
    for line in (folder / "log").read_text(errors="replace").splitlines()[-20:]:
        say("    " + line)
    return False


def suite_command(run, options, skipped, base):
    command = ["./runtest", "--single", run.file, "--durable", "--clients", "1", "--no-latency",
               "--baseport", str(base), "--portcount", str(PORTS_PER_RANGE), "--skipfile", "skipfile"]
    if not options.no_compat:
        # Written into every config file that the harness makes. A wrapper that appends an option to the
        # command line would break the tests that start the program with incomplete options.
        command += ["--config", "compat-version", COMPAT_VERSION]
        if run.file in ORDER_OF_ARRIVAL:
            command += ["--config", "io-threads", "1"]
    for tag in denied_tags(skipped):
        command += ["--tags", tag]
    if run.unit.startswith("tls:"):
        command.append("--tls")
    if options.keep:
        command.append("--dont-clean")
    return command


def suite_ended(run, code, text):
    if code not in (0, 1):
        return f"the harness exited with {code}"
    return "" if f"done]: {run.file} (" in text else "the harness stopped early"


def run_unit(unit, options, skipped):
    run = UnitRun(unit)
    tree = make_tree(unit, options.server)
    # The harness writes this list; both files are ours and inside the unit's own copy.
    (tree / "skipfile").write_text("".join(f"{name}\n" for name in test_names(skipped)), encoding="utf-8")
    for start in removed_commands(skipped):
        if not remove_commands(tree / "tests" / f"{run.file}.tcl", start):
            run.useless.append(f"without:{start}")
    log = BUILD / "logs" / f"{unit.replace('/', '_')}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    suite = suite_of(unit)
    seconds_max = suite.UNIT_SECONDS_MAX if suite else UNIT_SECONDS_MAX
    started = time.monotonic()
    with (instances.ports() if suite else PortRange()) as base, open(log, "wb") as out:
        if suite:
            suite.prepare(tree, options.casts[suite], base)
            command = suite.command(unit, options.keep)
        else:
            command = suite_command(run, options, skipped, base)
        process = start_group(command, tree, out)
        try:
            code = process.wait(seconds_max)
        except subprocess.TimeoutExpired:
            code = None
        end_group(process)
    run.seconds = time.monotonic() - started
    text = ESCAPES.sub("", log.read_text(encoding="utf-8", errors="replace"))
    run.parse(text)
    if suite:
        run.failed += instances.failures_outside(run.lines, run.failed)
    if code is None:
        run.ended = f"not done after {seconds_max} seconds"
    elif suite:
        run.ended = instances.ended(suite.name(unit), code, text, run.failed)
    else:
        run.ended = suite_ended(run, code, text)
    if not options.keep:
        shutil.rmtree(tree, ignore_errors=True)
    return run


def show_failure(run, number):
    """The lines after a failure that belong to it, and a few before it."""
    first = max(0, number - 3)
    last = number + 1
    while last < len(run.lines) and last < number + 25 and not STATUS.match(run.lines[last]):
        last += 1
    for line in run.lines[first:last]:
        say("      " + line[:400])


def judge(run, expected, skipped, verbose):
    """Prints one unit's score; returns (passed, failed, skipped)."""
    wanted = collections.Counter(name for name in expected if name not in skipped)
    missing = wanted - run.passed
    failed_names = collections.Counter(name for name, _ in run.failed)
    missing -= failed_names
    stale = []
    if not run.ended and not denied_tags(skipped):
        stale = [name for name in test_names(skipped) if name not in run.skipped]
    stale += run.useless
    problems = len(run.failed) + sum(missing.values()) + len(stale) + (1 if run.ended else 0)
    passed = sum(run.passed.values())
    verdict = "ok  " if not problems else "FAIL"
    say(f"{verdict} {run.unit}: {passed} passed, {problems} failed, {sum(run.skipped.values())} skipped"
        f" ({run.seconds:.0f} s)")
    for name, number in run.failed:
        say(f"    failed: {name[:200]}")
        if verbose:
            show_failure(run, number)
    for name, count in missing.items():
        say(f"    did not run: {name}" + (f" ({count} times)" if count > 1 else ""))
    for name in stale:
        say(f"    skipped.txt names a test that the unit does not have: {name}")
    if run.ended:
        say(f"    {run.ended}; the last lines:")
        for line in run.lines[-15:]:
            say("      " + line[:400])
    return passed, problems, sum(run.skipped.values())


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("units", nargs="*")
    parser.add_argument("--server", default=str(ROOT / "build" / "release" / "cinnabar-server"))
    parser.add_argument("--no-compat", action="store_true")
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--servers", default="ours")
    parser.add_argument("--sentinels", default="ours")
    parser.add_argument("--nodes", default="ours")
    options = parser.parse_args()
    options.server = os.path.abspath(options.server)
    if not os.access(options.server, os.X_OK):
        sys.exit(f"no program at {options.server}")
    ours = instances.Player(options.server, "" if options.no_compat else f"compat-version {COMPAT_VERSION}\n")
    options.casts = {suite: suite.cast(options, ours) for suite in SUITES}
    return options


def updated(expected, runs, skipped):
    """What the tests that passed make of the expectations. Order: as they ran."""
    for run in runs:
        often = cluster_units.OFTEN.get(run.unit, ())
        names = [name for at, name in enumerate(run.order) if name not in skipped_of(run.unit, skipped) and
                 not (name in often and name in run.order[:at])]
        expected[run.unit] = names
    return expected


def main():
    options = parse_arguments()
    signal.signal(signal.SIGTERM, end_everything)
    signal.signal(signal.SIGINT, end_everything)
    subprocess.run([str(HERE / "fetch")], check=True)
    if not starts(options):
        say("0 passed, 1 failed")
        return 1
    expected, skipped = read_expected(), read_skipped()
    units = options.units or [unit for unit in expected if not cluster_units.belongs(unit)]
    units = [unit for unit in units if "*" not in skipped_of(unit, skipped) or unit in options.units]
    whole_units_skipped = [unit for unit in expected if "*" in skipped_of(unit, skipped) and unit not in units]
    if any(unit.startswith("tls:") for unit in units) and not (BUILD / "tls" / "redis.dh").exists():
        make_suite_files(BUILD / "tls")  # the last of them is redis.dh
    totals = [0, 0, len(whole_units_skipped)]
    for suite in SUITES:
        if any(map(suite.belongs, units)) and not suite.starts(options.casts[suite], BUILD / "start"):
            totals[1] += 1
            units = [unit for unit in units if not suite.belongs(unit)]
    runs = []
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        futures = [pool.submit(run_unit, unit, options, skipped_of(unit, skipped)) for unit in units]
        for future in concurrent.futures.as_completed(futures):
            run = future.result()
            runs.append(run)
            score = judge(run, expected.get(run.unit, []), skipped_of(run.unit, skipped), bool(options.units))
            totals = [a + b for a, b in zip(totals, score)]
    if options.update:
        write_expected(updated(expected, runs, skipped))
        say(f"{EXPECTED.name} rewritten for {len(runs)} units; look at the difference before you keep it")
    say(f"{totals[0]} passed, {totals[1]} failed, {totals[2]} skipped")
    return 1 if totals[1] else 0


if __name__ == "__main__":
    sys.exit(main())
