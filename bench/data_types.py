#!/usr/bin/env python3
"""Collections: server CPU time per operation, and bytes per member, ours against redis-server in one run.

speed   pipelined (16) commands on 1 M small keys, and inside one sorted set of 1 M members
memory  growth of used_memory by one collection of 1 M members of 16 bytes, and by 1 M small hashes of 5 fields

Measured as compare.py does: both servers up, pinned, cells interleaved, medians of the ratios within one repetition.

    bench/data_types.py [--only speed,memory] [--cells zadd,xadd] [--reps 5] [--scale 1.0] [--server PATH]
"""

import contextlib
import sys

import compare
from servers import CLIENT_CPU, Load, Server, arguments, checked, table

TARGET = 0.60
# name, command, requests, what the keys hold before (filled once; "" for nothing)
SMALL = [
    ("lpush", "LPUSH list:%k %v", 1_000_000, "RPUSH list:%k a b c d"),
    ("rpop", "RPOP list:%k", 1_000_000, ""),
    ("hset", "HSET hash:%k field2 %v", 1_000_000, "HSET hash:%k field1 a field2 b field3 c"),
    ("hget", "HGET hash:%k field2", 1_000_000, ""),
    ("sadd", "SADD set:%k %v", 1_000_000, "SADD set:%k one two three"),
    ("sismember", "SISMEMBER set:%k two", 1_000_000, ""),
    ("zadd", "ZADD zset:%k %n m3", 1_000_000, "ZADD zset:%k 1 m1 2 m2 3 m3 4 m4 5 m5 6 m6 7 m7 8 m8 9 m9 10 m10"),
    ("zscore", "ZSCORE zset:%k m5", 1_000_000, ""),
    ("zrange", "ZRANGE zset:%k 0 9", 500_000, ""),
    ("xadd", "XADD stream:%k * field %v", 1_000_000, "XADD stream:%k * field a"),
]
ONE_SET = [
    ("zadd-one", "ZADD scores %n m:%k", 500_000, "ZADD scores %n m:%k"),
    ("zrank-one", "ZRANK scores m:%k", 500_000, ""),
    ("zrangebyscore-one", "ZRANGEBYSCORE scores %n +inf LIMIT 0 10", 300_000, ""),
]
# what, command of the fill, share of redis-server's used_memory to reach
MEMORY = [
    ("sorted set of 1 M members", "ZADD one %n mem:%k", 0.55),
    ("hash of 1 M fields", "HSET one fld:%k %v", 0.72),
    ("set of 1 M members", "SADD one mem:%k", 0.60),
] + [(f"1 M hashes of 5 fields, values of {size}", "HSET hash:%k " + " ".join(f"field{i} " + f"{i}".rjust(size, "v")
                                                                             for i in range(1, 6)), 0.75)
     for size in (4, 7, 10, 13, 16)]  # the allocator's size classes make each of them good or bad luck


def speed(options):
    cells = [cell for cell in SMALL + ONE_SET if not options.cells or cell[0] in options.cells.split(",")]
    samples = {}
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(Server("ours", options.server)),
                   stack.enter_context(Server("redis", options.redis))]
        for server in servers:
            for _, _, _, prepare in SMALL + ONE_SET:
                if prepare:
                    Load(server, prepare, c=10, P=32, n=options.keys, d=16, seq=True).wait()
        for repetition in range(options.reps):
            for name, command, requests, _ in cells:
                for server in servers if repetition % 2 == 0 else servers[::-1]:
                    load = compare.measure(server, command, 16, int(requests * options.scale), repetition, options,
                                           CLIENT_CPU)
                    samples.setdefault((server.name, name, 16), []).append(load)
    compare.report_ratio(samples, [(name, 16, 0, TARGET) for name, *_ in cells], options)


def used_by(name, path, command, options):
    with Server(name, path) as server:
        before, resident = int(server.info("memory")["used_memory"]), server.settled_rss_bytes()
        Load(server, command, c=10, P=32, n=options.keys, d=16, seq=True).wait()
        grown = server.settled_rss_bytes() - resident
        return (int(server.info("memory")["used_memory"]) - before) / options.keys, grown / options.keys


def memory(options):
    rows = []
    for what, command, target in MEMORY:
        ours, ours_rss = used_by("ours", options.server, command, options)
        redis, redis_rss = used_by("redis", options.redis, command, options)
        ratio = ours / redis
        rows.append([what, f"{ours:.1f}", f"{redis:.1f}", f"**{ratio:.2f}**", f"≤ {target:.2f}",
                     "yes" if ratio <= target else "no", f"{ours_rss:.1f}", f"{redis_rss:.1f}"])
    print("## Bytes per member (per key for the small hashes), growth of used_memory\n")
    table(["case", "ours", "redis", "ratio", "target", "met", "ours RSS", "redis RSS"], rows)


def main():
    parser = arguments(__doc__, reps=5, scale=1.0, keys=1_000_000, connections=50, value_bytes=16, only="speed,memory",
                       cells="")
    options = checked(parser.parse_args())
    for experiment in (speed, memory):
        if experiment.__name__ in options.only.split(","):
            experiment(options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
