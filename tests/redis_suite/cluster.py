#!/usr/bin/python3
"""The Redis Cluster suite, with our nodes and with nodes of both makes.

    cluster.py            every unit with our nodes, then with every other node a stock one
    cluster.py SEED       some units with our nodes and some with both makes, drawn by the seed (any text)

What it runs is run.py, whose command lines it prints. The last line is the sum, `N passed, N failed, N skipped`.
"""

import random
import signal
import sys

sys.dont_write_bytecode = True

import cluster_units  # noqa: E402
import mixed  # noqa: E402
import run  # noqa: E402

UNITS_DRAWN = 2
BOTH_MAKES = ",".join(["ours", "stock"] * (cluster_units.INSTANCES // 2))
# What stock nodes do not pass among ours for reasons of their own: {unit: reason}. So far there is none.
UNFIT = {}


def units():
    """Those that have tests."""
    return [unit for unit, names in run.read_expected().items() if cluster_units.belongs(unit) and names]


def games(seed):
    """[(who plays the nodes, units)]."""
    pure = units()
    both = [unit for unit in pure if unit not in UNFIT]
    if seed is not None:
        source = random.Random(f"{seed} cluster")
        pure = sorted(source.sample(pure, UNITS_DRAWN))
        both = sorted(source.sample(both, UNITS_DRAWN))
    return [("ours", pure), (BOTH_MAKES, both)]


def main(arguments):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    seed = arguments[0] if arguments else None
    if seed is not None:
        print(f"repeat with tests/redis_suite/cluster.py {seed}", flush=True)
    totals = [0, 0, 0 if arguments else len(UNFIT)]
    for nodes, chosen in games(seed):
        totals = [a + b for a, b in zip(totals, mixed.play(["--nodes", nodes], chosen))]
    if not arguments:
        for unit, reason in UNFIT.items():
            print(f"left out: {unit} with nodes of both makes: {reason}")
    print("{} passed, {} failed, {} skipped".format(*totals))
    return 1 if totals[1] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
