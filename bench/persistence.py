#!/usr/bin/env python3
"""What it costs to keep data on disk while they change: ours and redis-server side by side, in turn.

everysec  SET without an append-only file and with one under everysec: throughput and CPU time per operation. Each repetition
          starts the servers anew, because where a server's memory lies makes a difference of some per cent
always    SET under always with 50 and with 500 clients; many short loads in turn, because neither the disk nor the machine is
          as fast in one second as in the next
readers   paced readers alone, beside paced writers under everysec, and beside the same writers under always

    bench/persistence.py [--only everysec,always,readers] [--reps 5] [--seconds 3.0] [--server PATH]
"""

import sys
import time

from servers import Load, Server, arguments, checked, fill, in_turn, median, running, table

# pipeline, part of the throughput without a file that is to be kept
EVERYSEC_CELLS = [(1, 0.95), (16, 0.80)]
# one repetition of `everysec` is so many loads on each server; what a load has left for the disk is there before the next
EVERYSEC_LOADS = 3
SETTLE_SECONDS = 1.0
# clients, throughput ÷ redis-server's to reach, throughput ÷ our own everysec's to reach
ALWAYS_CELLS = [(50, 1.0, None), (500, 1.3, 0.8)]
# one repetition of `always` is so many loads on each server
SHORT_LOADS = 5
KEPT_BESIDE_WRITERS = 0.9


def append_only(policy):
    # No rewrite disturbs: that has its own figures (data_files.py).
    return ["--appendonly", "yes", "--appendfsync", policy, "--auto-aof-rewrite-percentage", "0"]


def pairs(samples, one, other, figure):
    """The median over the repetitions of the ratio within one repetition."""
    return median([figure(a) / figure(b) for a, b in zip(samples[one], samples[other])])


def measured(server, **options):
    """A load with the server's CPU time per operation in it."""
    cpu = server.cpu_nanos()
    load = Load(server, **options).wait()
    load.nanos = (server.cpu_nanos() - cpu) / load.reqs
    return load


def everysec(options):
    print(f"## everysec: 50 clients SET {options.value_bytes} bytes, one thread; medians of {EVERYSEC_LOADS} loads of "
          f"{options.seconds:.1f} s on each of {options.reps} sets of servers\n")
    names = [f"{who}, {what}" for who in ("ours", "redis") for what in ("no file", "everysec")]
    samples = {(name, pipeline): [] for name in names for pipeline, _ in EVERYSEC_CELLS}
    for repetition in range(options.reps):
        with running(*(Server(name, options.server if name.startswith("ours") else options.redis,
                              options=append_only("everysec") if name.endswith("everysec") else ()) for name in names)) as servers:
            for server in servers:
                fill(server, options.keys, value_bytes=options.value_bytes)
            for pipeline, _ in EVERYSEC_CELLS:
                for number in range(repetition, repetition + EVERYSEC_LOADS):
                    for server in in_turn(servers, number):
                        time.sleep(SETTLE_SECONDS)
                        samples[server.name, pipeline].append(
                            measured(server, test="set", c=50, P=pipeline, n=10**9, r=options.keys, d=options.value_bytes,
                                     s=number + 1, seconds=options.seconds))
    rows = []
    for pipeline, target in EVERYSEC_CELLS:
        for who in ("ours", "redis"):
            without, with_file = (f"{who}, no file", pipeline), (f"{who}, everysec", pipeline)
            kept = pairs(samples, with_file, without, lambda load: load.rps)
            cost = pairs(samples, with_file, without, lambda load: load.nanos)
            rows.append([f"{who}, pipeline {pipeline}", *[f"{median([x.rps for x in samples[cell]]):,.0f}" for cell in (without, with_file)],
                         f"**{kept:.3f}**", f"≥ {target:.2f}", "yes" if kept >= target else "no",
                         *[f"{median([x.nanos for x in samples[cell]]):,.0f}" for cell in (without, with_file)],
                         f"{cost:.2f}", f"{median([x.p99 for x in samples[with_file]]):,.0f}"])
    table(["SET", "no file req/s", "everysec req/s", "kept", "target", "met", "no file ns CPU", "everysec ns CPU", "CPU ratio",
           "everysec p99 µs"], rows)


def always(options):
    reps = options.reps * SHORT_LOADS
    print(f"## always: SET {options.value_bytes} bytes, no pipeline, {options.seconds / SHORT_LOADS:.1f} s each, medians of {reps}\n")
    rows = []
    with running(Server("ours", options.server, options=append_only("always")),
                 Server("redis", options.redis, options=append_only("always")),
                 Server("everysec", options.server, options=append_only("everysec"))) as servers:
        for server in servers:
            fill(server, options.keys, value_bytes=options.value_bytes)
        for clients, against_redis, against_everysec in ALWAYS_CELLS:
            samples = {server.name: [] for server in servers}
            for repetition in range(reps):
                for server in in_turn(servers, repetition):
                    samples[server.name].append(measured(server, test="set", c=clients, n=10**9, r=options.keys,
                                                         d=options.value_bytes, s=repetition + 1,
                                                         seconds=options.seconds / SHORT_LOADS))
            for other, target in (("redis", against_redis), ("everysec", against_everysec)):
                ratio = pairs(samples, "ours", other, lambda load: load.rps)
                rows.append([f"{clients} clients, ÷ {'our everysec' if other == 'everysec' else other}",
                             *[f"{median([x.rps for x in samples[name]]):,.0f}" for name in ("ours", other)], f"**{ratio:.2f}**",
                             f"≥ {target}" if target else "", ("yes" if ratio >= target else "no") if target else "",
                             *[f"{median([x.p99 for x in samples[name]]) / 1000:.1f}" for name in ("ours", other)],
                             *[f"{median([x.nanos for x in samples[name]]) / 1000:.1f}" for name in ("ours", other)]])
    table(["always", "ours req/s", "other req/s", "ratio", "target", "met", "ours p99 ms", "other p99 ms", "ours µs CPU",
           "other µs CPU"], rows)


def readers(options):
    print(f"## Readers beside writers: 20 clients GET at {options.read_rate:,.0f}/s, 50 clients SET at {options.write_rate:,.0f}/s, "
          f"{options.keys:,} keys, medians of {options.reps}\n")
    rows = []
    with running(Server("ours", options.server, options=append_only("everysec")),
                 Server("redis", options.redis, options=append_only("everysec"))) as servers:
        for server in servers:
            fill(server, options.keys)
        samples = {(server.name, what): [] for server in servers for what in ("alone", "everysec", "always")}
        for repetition in range(options.reps):
            for server in in_turn(servers, repetition):
                for what in ("alone", "everysec", "always"):
                    if what != "alone":
                        server.ask("CONFIG", "SET", "appendfsync", what)
                    samples[server.name, what].append(beside_writers(server, what, repetition, options))
        for server in servers:
            base = [server.name, "everysec"]
            for what in ("alone", "everysec", "always"):
                found = samples[server.name, what]
                rate = pairs(samples, (server.name, what), tuple(base), lambda load: load.rps)
                tail = pairs(samples, tuple(base), (server.name, what), lambda load: load.p99)
                rows.append([server.name, what, f"{median([x.rps for x in found]):,.0f}", f"{median([x.p50 for x in found]):,.0f}",
                             f"{median([x.p99 for x in found]):,.0f}", f"{median([x.p999 for x in found]):,.0f}", f"{rate:.2f}",
                             f"**{tail:.2f}**", f"≥ {KEPT_BESIDE_WRITERS}" if what == "always" else "",
                             f"{median([x.written for x in found]):,.0f}"])
    table(["server", "writers", "reads/s", "p50 µs", "p99 µs", "p99.9 µs", "throughput kept", "p99 kept", "target", "writes/s"], rows)
    print("kept: against the same writers under everysec, so that what the writers take of the two CPUs does not count; "
          "a p99 kept of 0.5 is a p99 twice as long\n")


def beside_writers(server, what, repetition, options):
    writers = None
    if what != "alone":
        writers = Load(server, "set", c=50, n=10**9, r=options.keys, rate=options.write_rate, seconds=options.seconds + 1,
                       s=repetition + 77)
    load = Load(server, "get", c=20, n=10**9, r=options.keys, rate=options.read_rate, seconds=options.seconds,
                s=repetition + 1).wait()
    load.written = writers.wait().rps if writers else 0
    return load


def main():
    parser = arguments(__doc__, only="everysec,always,readers", reps=5, keys=1_000_000, value_bytes=64, seconds=3.0,
                       read_rate=8000.0, write_rate=4000.0)
    options = checked(parser.parse_args())
    for experiment in (everysec, always, readers):
        if experiment.__name__ in options.only.split(","):
            experiment(options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
