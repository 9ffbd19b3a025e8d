#!/usr/bin/python3
"""The Sentinel suite with casts of both makes: stock programs beside ours, as sentinels and as servers.

    mixed.py            every unit with each cast
    mixed.py SEED       one cast and three units, drawn by the seed (any text)

What it runs is run.py, whose command lines it prints. The last line is the sum, `N passed, N failed, N skipped`.
"""

import pathlib
import random
import re
import signal
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import run  # noqa: E402
import sentinel_units  # noqa: E402

UNITS_DRAWN = 3
SUMMARY = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$")
# Who plays: (its name, servers, sentinels). Which sentinels of a mixed quorum are stock is drawn, too.
CASTS = [("stock sentinels", "ours", "stock"), ("stock servers", "stock", "ours"),
         ("a mixed quorum", "ours", "ours,ours,ours,stock,stock")]
# What stock programs do not pass among ours for reasons of their own: {(name of the cast, unit): reason}. So far there is
# none. These count as skipped, and are not drawn.
UNFIT = {}


def units():
    """Those that have tests."""
    return [unit for unit, names in run.read_expected().items() if sentinel_units.belongs(unit) and names]


def options(servers, sentinels):
    return ["--servers", servers, "--sentinels", sentinels]


def drawn(seed):
    """[(options that name the cast, units)] of one run."""
    source = random.Random(f"{seed} mixed")
    name, servers, sentinels = source.choice(CASTS)
    order = sentinels.split(",")
    source.shuffle(order)
    fit = [unit for unit in units() if (name, unit) not in UNFIT]
    return [(options(servers, ",".join(order)), sorted(source.sample(fit, UNITS_DRAWN)))]


def everything():
    return [(options(servers, sentinels), [unit for unit in units() if (name, unit) not in UNFIT])
            for name, servers, sentinels in CASTS]


def play(cast, chosen):
    """The counts of one call of run.py with the options that name a cast."""
    command = [sys.executable, HERE / "run.py", *cast, *chosen]
    print(" ".join(["tests/redis_suite/run.py", *command[2:]]), flush=True)
    last = ""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors="replace") as process:
        try:
            for line in process.stdout:
                last = line.strip() or last
                if not SUMMARY.match(last):
                    print(line, end="", flush=True)
        except SystemExit:
            process.terminate()  # it ends what it has started
            raise
    match = SUMMARY.match(last)
    if not match:
        print(f"FAIL run.py: no summary (exit code {process.returncode})")
        return [0, 1, 0]
    counts = [int(number or 0) for number in match.groups()]
    if process.returncode and not counts[1]:
        counts[1] = 1
    return counts


def main(arguments):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if arguments:
        print(f"repeat with tests/redis_suite/mixed.py {arguments[0]}", flush=True)
    games = drawn(arguments[0]) if arguments else everything()
    totals = [0, 0, 0 if arguments else len(UNFIT)]
    for game in games:
        totals = [a + b for a, b in zip(totals, play(*game))]
    if not arguments:
        for (name, unit), reason in UNFIT.items():
            print(f"left out: {unit} with {name}: {reason}")
    print("{} passed, {} failed, {} skipped".format(*totals))
    return 1 if totals[1] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
