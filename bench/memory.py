#!/usr/bin/env python3
"""Bytes of resident memory per key, ours against redis-server: 16-byte keys, 64-byte values, with and without a TTL.

    bench/memory.py [--keys 1000000] [--server PATH]
"""

import sys

from servers import Server, arguments, checked, fill, table

# test of the load generator, what it is, bytes per key to reach
CASES = [("set", "64-byte value", 115), ("setex", "64-byte value, TTL", 126)]


def bytes_per_key(name, path, test, keys):
    with Server(name, path) as server:
        resident, used = server.settled_rss_bytes(), int(server.info("memory")["used_memory"])
        fill(server, keys, test=test)
        grown = server.settled_rss_bytes() - resident
        count = int(server.ask("DBSIZE"))
        if count != keys:
            raise RuntimeError(f"{name} holds {count} keys instead of {keys}")
        return grown / keys, (int(server.info("memory")["used_memory"]) - used) / keys


def main():
    options = checked(arguments(__doc__, keys=1_000_000).parse_args())
    rows = []
    for test, what, target in CASES:
        ours, ours_used = bytes_per_key("ours", options.server, test, options.keys)
        redis, redis_used = bytes_per_key("redis", options.redis, test, options.keys)
        rows.append([what, f"**{ours:.1f}**", f"{redis:.1f}", f"{ours / redis:.2f}", f"≤ {target}",
                     "yes" if ours <= target else "no", f"{ours_used:.1f}", f"{redis_used:.1f}"])
    print(f"## Bytes per key, {options.keys:,} keys of 16 bytes\n")
    table(["case", "ours RSS", "redis RSS", "ratio", "target", "met", "ours used_memory", "redis used_memory"], rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
