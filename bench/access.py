#!/usr/bin/env python3
"""What a user's rules cost: CPU time of the server per operation at pipeline 16, ours and redis-server in turn.

The clients are the default user, whose rules change from cell to cell:

open       may do everything, as at the start
one        one key pattern, which all keys match
ten        ten key patterns, of which the last one matches
selectors  ten key patterns and two selectors: the root has the commands and not the keys, the second selector has both

    bench/access.py [--cells open,ten] [--tests get,set] [--reps 5] [--scale 1.0] [--server PATH]
"""

import sys

from servers import CLIENT_CPU, Load, Server, arguments, checked, fill, in_turn, median, running, table

PIPELINE, KEYS = 16, 100_000
OTHERS = [f"~other{number}:*" for number in range(9)]
RESET = ["reset", "on", "nopass", "&*"]
CELLS = {
    "open": ["+@all", "~*"],
    "one": ["+@all", "~key:*"],
    "ten": ["+@all", *OTHERS, "~key:*"],
    "selectors": ["+@all", *OTHERS, "~another:*", "(+get +del ~cache:*)", "(+get +set ~key:*)"],
}
NAMED = {"get": "GET key:%k", "set": "SET key:%k %v"}


def load(server, test, options, repetition):
    cpu, waited = server.cpu_nanos(), server.cpu_wait_nanos()
    done = Load(server, NAMED[test], CLIENT_CPU, c=options.connections, P=PIPELINE, n=int(1_000_000 * options.scale), r=KEYS,
                d=options.value_bytes, s=repetition + 1).wait()
    done.nanos = (server.cpu_nanos() - cpu) / done.reqs
    done.disturbed = ((server.cpu_wait_nanos() - waited) / 1e9 + done.cwait) / done.wall
    return done


def give(server, rules):
    answer = server.ask("ACL", "SETUSER", "default", *RESET, *rules)
    if answer != b"OK":
        raise RuntimeError(f"{server.name}: {answer!r}")


def main():
    parser = arguments(__doc__, cells=",".join(CELLS), tests="get,set", reps=5, scale=1.0, connections=50, value_bytes=64)
    options = checked(parser.parse_args())
    samples = {}
    with running(Server("ours", options.server), Server("redis", options.redis)) as servers:
        for server in servers:
            fill(server, KEYS, test="SET key:%k %v")
        for repetition in range(options.reps):
            for cell in options.cells.split(","):
                for test in options.tests.split(","):
                    for server in in_turn(servers, repetition):
                        give(server, CELLS[cell])
                        samples.setdefault((cell, test, server.name), []).append(load(server, test, options, repetition))
    print(f"## CPU time of the server per operation, one thread: {options.connections} connections, pipeline {PIPELINE}, medians of {options.reps}\n")
    rows = []
    for cell in options.cells.split(","):
        for test in options.tests.split(","):
            ours, redis = samples[cell, test, "ours"], samples[cell, test, "redis"]
            ratios = [one.nanos / other.nanos for one, other in zip(ours, redis)]
            rows.append([cell, test, f"{median([one.nanos for one in ours]):,.0f}", f"{median([one.nanos for one in redis]):,.0f}",
                         f"**{median(ratios):.2f}**", f"{min(ratios):.2f}–{max(ratios):.2f}",
                         f"{max(one.disturbed for one in ours + redis):.0%}"])
    table(["rules", "test", "ours ns", "redis ns", "ratio", "spread", "disturbed ≤"], rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
