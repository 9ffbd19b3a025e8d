#!/usr/bin/env python3
"""CPU time of a server with nothing to do: empty, then with keys that have a TTL and with silent connections.

    bench/idle.py [--seconds 5] [--server PATH]
"""

import contextlib
import socket
import sys
import time

from servers import BOTH_CPUS, HOST, Server, arguments, checked, fill, table


def idle(server, seconds):
    """(share of one CPU in percent, context switches per second)"""
    time.sleep(1)  # What loading left behind, such as a table still growing, is not idling.
    cpu, switches, start = server.cpu_nanos(), server.context_switches(), time.monotonic()
    time.sleep(seconds)
    wall = time.monotonic() - start
    return (server.cpu_nanos() - cpu) / 1e7 / wall, (server.context_switches() - switches) / wall


def main():
    options = checked(arguments(__doc__, seconds=5.0, keys=100_000, connections=50).parse_args())
    rows = []
    for name, path, threads in (("ours, 1 thread", options.server, 1), ("ours, 4 threads", options.server, 4),
                                ("redis", options.redis, 1)):
        with contextlib.ExitStack() as stack:
            server = stack.enter_context(Server(name, path, threads, BOTH_CPUS))
            rows.append([name, "empty", *idle(server, options.seconds)])
            fill(server, options.keys, test="setex")
            for _ in range(options.connections):
                stack.enter_context(socket.create_connection((HOST, server.port)))
            rows.append([name, f"{options.keys:,} keys with TTL, {options.connections} connections",
                         *idle(server, options.seconds)])
    print(f"## Idle server, {options.seconds:g} s\n")
    table(["server", "state", "CPU %", "switches/s"], [[*row[:2], f"{row[2]:.3f}", f"{row[3]:.0f}"] for row in rows])
    return 0


if __name__ == "__main__":
    sys.exit(main())
