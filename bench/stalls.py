#!/usr/bin/env python3
"""No request may stall the others. Five experiments, ours against redis-server:

growth  fill to 10 M keys in phases of one million: p99.9 of the writers in each phase shows no step
keys    KEYS * over 5 M keys again and again on one connection, while others read at a fixed pace
big     GET of a 100 MB value again and again on one connection, while others read at a fixed pace
once    DEL and LTRIM of a list of 10 M elements, DEL of a sorted set of 2 M, a hash that grows out of its packed form,
        SUNIONSTORE of two sets of 1 M: each once, on one connection, while others read at a fixed pace
defrag  three of four keys are deleted at random, then active defragmentation is switched on, while others read at a fixed
        pace (Debian's redis-server refuses: its allocator has no support for it)

In `keys` and `big` the figure is the p99 of the others, divided by their p99 just before, when nothing else ran
(medians of --reps turns of both).
The others are paced and count a late request from when it was due, so a stall cannot hide.

    bench/stalls.py [--only growth,keys,big,once,defrag] [--only-ours] [--server PATH]
"""

import random
import socket
import subprocess
import sys
import time

from servers import CLIENT_CPU, HOST, Load, Server, arguments, checked, fill, median, request, table

RATIO_MAX = 3
STEP_MAX = 3  # a phase's p99.9 against the median of all phases


def read_again_and_again(port, words):
    """The greedy client: asks, reads the whole reply without looking at it, asks again. Ends when it is killed."""
    connection = socket.create_connection((HOST, int(port)))
    buffer = bytearray(1 << 20)
    replies = received = 0
    while True:
        connection.sendall(request(*words) + b"*1\r\n$4\r\nPING\r\n")
        tail = b""
        while not tail.endswith(b"+PONG\r\n"):
            size = connection.recv_into(buffer)
            if size == 0:
                return
            received += size
            tail = (tail + bytes(buffer[max(0, size - 7):size]))[-7:]
        replies += 1
        print(replies, received, flush=True)


def others(server, seconds, rate):
    return Load(server, "get", c=20, n=10**9, r=1_000_000, rate=rate, seconds=seconds)


def disturbed_by(server, words, options):
    """Runs of the paced readers without and with the greedy client in turn, and how many replies that one got."""
    others(server, 1, options.rate).wait()
    quiet, busy, replies = [], [], 0
    for _ in range(options.reps):
        quiet.append(others(server, options.seconds, options.rate).wait())
        load, count = beside_greedy(server, words, options)
        busy.append(load)
        replies += count
    return quiet, busy, replies


def beside_greedy(server, words, options):
    # The greedy client gives way to the measuring one, so that they disturb each other in the server only.
    greedy = subprocess.Popen(["nice", "-n", "19", "taskset", "-c", CLIENT_CPU, sys.executable, __file__, "--greedy",
                               str(server.port), *words], stdout=subprocess.PIPE, text=True)
    try:
        greedy.stdout.readline()
        load = others(server, options.seconds, options.rate).wait()
    finally:
        greedy.kill()
        replies = greedy.communicate()[0].split()
    return load, int(replies[-2]) if len(replies) > 1 else 0


def growth(servers, options):
    rows, worst = [], {}
    for name, path in servers:
        with Server(name, path) as server:
            figures = []
            for phase in range(options.phases):
                load = Load(server, "set", c=20, P=4, n=options.phase_keys, first=phase * options.phase_keys, seq=True).wait()
                figures.append(load)
        middle = median([load.p999 for load in figures])
        worst[name] = max(load.p999 for load in figures) / middle
        rows.append([name, *[f"{load.p999 / 1000:.2f}" for load in figures], f"**{worst[name]:.2f}**",
                     f"{max(load.max for load in figures) / 1000:.1f}"])
    print(f"## p99.9 in ms while growing, phases of {options.phase_keys:,} keys (target: no phase above "
          f"{STEP_MAX} × their median)\n")
    table(["server", *[str(phase + 1) for phase in range(options.phases)], "worst ÷ median", "longest ms"], rows)


def greedy_rows(servers, words, prepare, options):
    rows = []
    for name, path in servers:
        with Server(name, path) as server:
            prepare(server)
            quiet, busy, replies = disturbed_by(server, words, options)
        before, during = median([load.p99 for load in quiet]), median([load.p99 for load in busy])
        ratio = during / before
        rows.append([name, f"{before:,.0f}", f"{during:,.0f}", f"**{ratio:.1f}**", f"≤ {RATIO_MAX}",
                     "yes" if ratio <= RATIO_MAX else "no", f"{median([load.p999 for load in busy]):,.0f}",
                     f"{max(load.max for load in busy):,.0f}", replies])
    table(["server", "quiet p99 µs", "p99 µs", "ratio", "target", "met", "p99.9 µs", "longest µs", "replies"], rows)


def keys(servers, options):
    def prepare(server):
        for first in range(0, options.many_keys, 1_000_000):
            fill(server, min(1_000_000, options.many_keys - first), first=first, value_bytes=16)
    print(f"## Others during KEYS * over {options.many_keys:,} keys\n")
    greedy_rows(servers, ["KEYS", "*"], prepare, options)


def big(servers, options):
    def prepare(server):
        fill(server, 1_000_000)
        server.ask("SETRANGE", "large", options.big_bytes - 1, "x")
    print(f"## Others during GET of {options.big_bytes / 1e6:.0f} MB\n")
    greedy_rows(servers, ["GET", "large"], prepare, options)


def pipelined(server, requests):
    """Sends many requests on one connection and waits until all are answered."""
    with socket.create_connection((HOST, server.port)) as connection:
        stream = connection.makefile("rb")
        for batch in requests:
            connection.sendall(b"".join(batch))
            for _ in batch:
                if stream.readline()[:1] not in (b":", b"+"):
                    raise RuntimeError("an unexpected reply")


def numbers(command, key, count, words):
    """`count` elements in commands of 500, 20 commands at a time."""
    batch = []
    for first in range(0, count, 500):
        batch.append(request(command, key, *[word for i in range(first, min(first + 500, count)) for word in words(i)]))
        if len(batch) == 20:
            yield batch
            batch = []
    yield batch


ONCE = [
    ("DEL of a list of 10 M", [("RPUSH", "big", 10_000_000, lambda i: (i,))], [("DEL", "big")]),
    ("LTRIM of a list of 10 M", [("RPUSH", "big", 10_000_000, lambda i: (i,))], [("LTRIM", "big", 0, 0)]),
    ("DEL of a sorted set of 2 M", [("ZADD", "big", 2_000_000, lambda i: (i, f"m{i}"))], [("DEL", "big")]),
    ("a hash beyond its packed form", [("HSET", "big", 500, lambda i: (f"f{i}", i))],
     [("HSET", "big", f"g{i}", i) for i in range(40)]),
    ("SUNIONSTORE of two sets of 1 M", [("SADD", "big", 1_000_000, lambda i: (f"a{i}",)),
                                        ("SADD", "big2", 1_000_000, lambda i: (f"b{i}",))],
     [("SUNIONSTORE", "big3", "big", "big2")]),
]


def once(servers, options):
    print("## Others while one client does something large once\n")
    rows = []
    for name, path in servers:
        extra = ["--lazyfree-lazy-user-del", "yes", "--lazyfree-lazy-server-del", "yes"]
        with Server(name, path, options=extra) as server:
            fill(server, 1_000_000)
            for what, prepare, commands in ONCE:
                server.ask("FLUSHDB", "ASYNC")
                fill(server, 1_000_000)
                for command, key, count, words in prepare:
                    pipelined(server, numbers(command, key, count, words))
                quiet = others(server, options.seconds, options.rate).wait()
                load = others(server, options.seconds, options.rate)
                time.sleep(options.seconds / 2)
                pipelined(server, [[request(*words)] for words in commands])
                load.wait()
                ratio = load.p999 / quiet.p999
                rows.append([name, what, f"{quiet.p999:,.0f}", f"{load.p999:,.0f}", f"**{ratio:.1f}**", f"≤ {RATIO_MAX}",
                             "yes" if ratio <= RATIO_MAX else "no", f"{load.max:,.0f}"])
    table(["server", "what", "quiet p99.9 µs", "p99.9 µs", "ratio", "target", "met", "longest µs"], rows)


def fragment(server, options):
    fill(server, options.defrag_keys, value_bytes=200)
    rng = random.Random(1)
    doomed = [i for i in range(options.defrag_keys) if rng.random() < 0.75]
    pipelined(server, ([request("DEL", *[f"key:{i:012d}" for i in doomed[first:first + 100]])]
                       for first in range(0, len(doomed), 100)))


def waste(server):
    return (float(server.info("memory")["allocator_frag_ratio"]) - 1) * 100


def defrag(servers, options):
    print(f"## Others while the holes of 75 % of {options.defrag_keys:,} keys are filled up\n")
    rows = []
    for name, path in servers:
        extra = ["--active-defrag-threshold-lower", "5", "--active-defrag-ignore-bytes", "1mb"]
        with Server(name, path, options=extra) as server:
            fragment(server, options)
            before = waste(server)
            quiet = others(server, options.seconds, options.rate).wait()
            reply = server.ask("CONFIG", "SET", "activedefrag", "yes")
            if reply != b"OK":
                rows.append([name, f"{before:.0f} %", "refused", "", f"{quiet.p99:,.0f}", "", f"{quiet.p999:,.0f}", "", "", "", ""])
                continue
            began = time.monotonic()
            loads = []
            while waste(server) > 5 and time.monotonic() < began + 120:
                loads.append(others(server, options.seconds, options.rate).wait())
            p99, p999 = median([load.p99 for load in loads]), median([load.p999 for load in loads])
            rows.append([name, f"{before:.0f} %", f"{waste(server):.0f} %", f"{time.monotonic() - began:.0f}",
                         f"{quiet.p99:,.0f}", f"{p99:,.0f}", f"{quiet.p999:,.0f}", f"{p999:,.0f}",
                         f"**{p99 / quiet.p99:.1f}**", f"≤ {RATIO_MAX}", f"{max(load.max for load in loads):,.0f}"])
    table(["server", "waste", "after", "seconds", "quiet p99 µs", "p99 µs", "quiet p99.9 µs", "p99.9 µs", "ratio of p99", "target",
           "longest µs"], rows)


def main():
    if sys.argv[1:2] == ["--greedy"]:
        return read_again_and_again(sys.argv[2], sys.argv[3:])
    parser = arguments(__doc__, only="growth,keys,big,once,defrag", phases=10, phase_keys=1_000_000, many_keys=5_000_000,
                       big_bytes=100_000_000, seconds=3.0, reps=3, rate=4000.0, defrag_keys=3_000_000)
    parser.add_argument("--only-ours", action="store_true")
    options = checked(parser.parse_args())
    servers = [("ours", options.server)] + ([] if options.only_ours else [("redis", options.redis)])
    for experiment in (growth, keys, big, once, defrag):
        if experiment.__name__ in options.only.split(","):
            experiment(servers, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
