#!/usr/bin/env python3
"""Server CPU time per operation, ours against redis-server, in one run.

Both servers are up at the same time, filled alike and pinned to one CPU, the load generator to the other. The cells are
interleaved (every repetition visits every cell on every server) so that a noisy minute hits all alike; a cell in which
a side was kept from its CPU for long is measured again. Prints Markdown. The exit status says only that it ran.

    bench/compare.py [--reps 5] [--scale 1.0] [--only get,set] [--server PATH]
"""

import contextlib
import json
import sys
import time

from servers import BOTH_CPUS, CLIENT_CPU, Load, Server, arguments, checked, fill, median, table

# test, pipeline, requests, ratio to reach
CELLS = [
    ("get", 1, 200_000, 0.90), ("set", 1, 200_000, 0.90),
    ("get", 16, 1_500_000, 0.48), ("set", 16, 1_200_000, 0.48),
    ("get", 64, 2_000_000, 0.36), ("set", 64, 1_500_000, 0.36),
    ("incr", 16, 1_000_000, 0.55), ("mset10", 16, 150_000, 0.55),
]
THREADS_RATIO_MAX = 1.15
DISTURBED_MAX = 0.10  # share of a cell's time in which a side waited for its CPU
TRIES_MAX = 3


def main():
    parser = arguments(__doc__, reps=5, scale=1.0, keys=1_000_000, connections=50, value_bytes=64, only="", json="")
    parser.add_argument("--no-threads", action="store_true", help="leave out the comparison with --threads 2")
    options = checked(parser.parse_args())
    cells = [cell for cell in CELLS if not options.only or cell[0] in options.only.split(",")]
    log = open(options.json, "a") if options.json else None
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(Server("ours", options.server)),
                   stack.enter_context(Server("redis", options.redis))]
        samples = measure_all(servers, cells, options, CLIENT_CPU, log)
        report_ratio(samples, cells, options)
    if not options.no_threads:
        with contextlib.ExitStack() as stack:
            servers = [stack.enter_context(Server(f"threads {count}", options.server, count, BOTH_CPUS))
                       for count in (1, 2)]
            samples = measure_all(servers, cells, options, BOTH_CPUS, log)
            report_threads(samples, cells)
    return 0


def measure_all(servers, cells, options, client_cpus, log):
    """(server, test, pipeline) -> one Load per repetition, with the server's CPU time per operation in it."""
    for server in servers:
        fill(server, options.keys, value_bytes=options.value_bytes)
        fill(server, options.keys, test="incr")
    samples = {}
    for repetition in range(options.reps):
        for test, pipeline, requests, _ in cells:
            # The side that goes first changes, so that neither always meets the warmer machine.
            for server in servers if repetition % 2 == 0 else servers[::-1]:
                load = measure(server, test, pipeline, int(requests * options.scale), repetition, options, client_cpus)
                samples.setdefault((server.name, test, pipeline), []).append(load)
                if log:
                    facts = {name: value for name, value in vars(load).items() if name != "process"}
                    log.write(json.dumps({"server": server.name, "test": test, "pipeline": pipeline, **facts}) + "\n")
    return samples


def measure(server, test, pipeline, requests, seed, options, client_cpus):
    best = None
    for _ in range(TRIES_MAX):
        cpu, waited = server.cpu_nanos(), server.cpu_wait_nanos()
        load = Load(server, test, client_cpus, c=options.connections, P=pipeline, n=requests, r=options.keys,
                    d=options.value_bytes, s=seed + 1).wait()
        load.nanos = (server.cpu_nanos() - cpu) / load.reqs
        load.busy = load.nanos * load.rps / 1e9
        load.disturbed = ((server.cpu_wait_nanos() - waited) / 1e9 + load.cwait) / load.wall
        if best is None or load.disturbed < best.disturbed:
            best = load
        if client_cpus == BOTH_CPUS or best.disturbed <= DISTURBED_MAX:
            break
        time.sleep(0.3)
    return best


def paired(samples, one, other, test, pipeline, figure):
    """The median over the repetitions of the ratio within one repetition."""
    pairs = zip(samples[one, test, pipeline], samples[other, test, pipeline])
    return median([figure(a) / figure(b) for a, b in pairs])


def report_ratio(samples, cells, options):
    print(f"## CPU time per operation, one thread: {options.connections} connections, {options.value_bytes}-byte values, "
          f"{options.keys:,} keys, medians of {options.reps}\n")
    rows = []
    for test, pipeline, _, target in cells:
        ours, redis = samples["ours", test, pipeline], samples["redis", test, pipeline]
        ratio = paired(samples, "ours", "redis", test, pipeline, lambda load: load.nanos)
        spread = [a.nanos / b.nanos for a, b in zip(ours, redis)]
        rows.append([f"{test.upper()}, pipeline {pipeline}", f"{median([x.nanos for x in ours]):,.0f}",
                     f"{median([x.nanos for x in redis]):,.0f}", f"**{ratio:.2f}**", f"{min(spread):.2f}–{max(spread):.2f}",
                     f"≤ {target:.2f}", "yes" if ratio <= target else "no",
                     f"{median([x.rps for x in ours]):,.0f}", f"{median([x.rps for x in redis]):,.0f}",
                     f"{max(x.disturbed for x in ours + redis):.0%}"])
    table(["cell", "ours ns", "redis ns", "ratio", "spread", "target", "met", "ours req/s", "redis req/s", "disturbed ≤"], rows)


def report_threads(samples, cells):
    print("## Two threads against one, ours, server and client sharing both CPUs\n")
    rows = []
    for test, pipeline, *_ in cells:
        cost = paired(samples, "threads 2", "threads 1", test, pipeline, lambda load: load.nanos)
        gain = paired(samples, "threads 2", "threads 1", test, pipeline, lambda load: load.rps)
        one, two = samples["threads 1", test, pipeline], samples["threads 2", test, pipeline]
        rows.append([f"{test.upper()}, pipeline {pipeline}", f"{median([x.nanos for x in one]):,.0f}",
                     f"{median([x.nanos for x in two]):,.0f}", f"**{cost:.2f}**", f"≤ {THREADS_RATIO_MAX:.2f}",
                     "yes" if cost <= THREADS_RATIO_MAX else "no", f"{gain:.2f}",
                     f"{median([x.ccpu / x.wall for x in two]):.0%}"])
    table(["cell", "1 thread ns", "2 threads ns", "ratio", "target", "met", "throughput ×", "client CPU"], rows)


if __name__ == "__main__":
    sys.exit(main())
