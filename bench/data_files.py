#!/usr/bin/env python3
"""Files of the data set, written and read: ours and redis-server side by side.

bgsave  BGSAVE of --save-keys keys while paced clients write: p99.9 of the writers, memory taken beside the data set
write   the same BGSAVE with nobody else there, and BGREWRITEAOF into a snapshot: keys per second, CPU time of the child
load    start from that snapshot: keys per second and CPU time until the first PONG. Each server reads the file of redis-server
replay  start from increments without a snapshot, as redis-server wrote them: SETs, and commands of all kinds

    bench/data_files.py [--only bgsave,write,load,replay] [--reps 3] [--save-keys 5000000] [--server PATH]
"""

import contextlib
import os
import re
import shutil
import sys
import tempfile
import threading
import time

from servers import BOTH_CPUS, Load, Server, arguments, checked, child_of, median, private_bytes, table

TICKS = os.sysconf("SC_CLK_TCK")
WRITE_TARGET = LOAD_TARGET = 1.5
REPLAY_TARGET = 2.0
MIXED = ["INCR counter:%k", "HSET hash:%k field:%n %v", "RPUSH list:%k %v", "SADD set:%k member:%n", "ZADD scores:%k %n member:%n",
         "SET text:%k %v EX 100000", "DEL text:%k", "HINCRBY hash:%k count 1"]


def fill(server, keys, options):
    for first in range(0, keys, 1_000_000):
        Load(server, "set", c=10, P=32, n=min(1_000_000, keys - first), first=first, d=options.value_bytes, s=first + 1, seq=True,
             varied=True).wait()


def child_cpu_seconds(pid):
    """Of children that have ended."""
    with open(f"/proc/{pid}/stat") as file:
        words = file.read().rpartition(")")[2].split()
    return (int(words[13]) + int(words[14])) / TICKS


class Memory:
    """While it is entered: the most that the child had to itself, plus what the parent has grown by. The pages that the
    kernel copied are in the first: the parent has the new ones, the child alone keeps the old ones."""

    def __init__(self, server):
        self.server, self.peak, self.ended = server, 0, threading.Event()

    def __enter__(self):
        self.before = self.server.rss_bytes()
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()
        return self

    def _watch(self):
        while not self.ended.wait(0.1):
            if child := child_of(self.server.pid):
                self.peak = max(self.peak, private_bytes(child) + self.server.rss_bytes() - self.before)

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()


def saved(server, command=("BGSAVE",), field="rdb_bgsave_in_progress"):
    """Wall and CPU seconds of the child."""
    cpu, began = child_cpu_seconds(server.pid), time.monotonic()
    server.ask(*command)
    while True:
        time.sleep(0.01)
        if not child_of(server.pid):
            wall = time.monotonic() - began
            break
    while server.info("persistence")[field].strip() == "1":
        time.sleep(0.01)
    return wall, child_cpu_seconds(server.pid) - cpu


def running(options):
    return [Server("ours", options.server), Server("redis", options.redis)]


def bgsave(options):
    print(f"## BGSAVE of {options.save_keys:,} keys × {options.value_bytes} bytes beside 20 writers at {options.write_rate:,.0f}/s, "
          f"in windows of {options.seconds:.0f} s, medians of {options.reps}\n")
    rows = []
    for server in running(options):
        with server:
            fill(server, options.save_keys, options)
            server.settled_rss_bytes()
            quiet, busy, extra, forks, walls = [], [], [], [], []
            for repetition in range(options.reps):
                quiet.append(writers(server, repetition, options).wait())
                with Memory(server) as memory:
                    load = writers(server, repetition, options)
                    time.sleep(0.5)
                    walls.append(saved(server)[0])
                    busy.append(load.wait())
                extra.append(memory.peak / 1e6)
                forks.append(int(server.info("stats")["latest_fork_usec"]) / 1000)
        rows.append([server.name, *[f"{median([getattr(load, name) for load in loads]) / 1000:.2f}"
                                    for loads in (quiet, busy) for name in ("p99", "p999", "max")],
                     f"{median(forks):.1f}", f"{median(walls):.2f}", f"**{median(extra):.0f}**"])
    table(["server", "quiet p99 ms", "p99.9 ms", "longest ms", "BGSAVE p99 ms", "p99.9 ms", "longest ms", "fork ms", "save s",
           "extra MB"], rows)
    print("target: p99.9 and extra memory no worse than redis-server's\n")


def writers(server, repetition, options):
    return Load(server, "set", c=20, n=10**9, r=options.save_keys, d=options.value_bytes, rate=options.write_rate,
                seconds=options.seconds, s=repetition + 5, varied=True)


def write(options):
    print(f"## Writing {options.save_keys:,} keys × {options.value_bytes} bytes, medians of {options.reps}\n")
    found = {}
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(server) for server in running(options)]
        for server in servers:
            fill(server, options.save_keys, options)
        for _ in range(options.reps):
            for server in servers:
                found.setdefault((server.name, "BGSAVE"), []).append(saved(server))
                server.ask("CONFIG", "SET", "rdbcompression", "no")
                found.setdefault((server.name, "uncompressed"), []).append(saved(server))
                server.ask("CONFIG", "SET", "rdbcompression", "yes")
        size = os.path.getsize(f"{servers[1].dir}/dump.rdb")
    rows = []
    for what in ("BGSAVE", "uncompressed"):
        rows.append(compared(what, found["ours", what], found["redis", what], options.save_keys, WRITE_TARGET, size))
    speeds(rows)


def compared(what, ours, redis, keys, target, size=0):
    wall = [median([sample[0] for sample in samples]) for samples in (ours, redis)]
    cpu = [median([sample[1] for sample in samples]) for samples in (ours, redis)]
    ratio = median([b[0] / a[0] for a, b in zip(ours, redis)])
    cpu_ratio = median([b[1] / a[1] for a, b in zip(ours, redis)])
    return [what, *[f"{keys / seconds / 1e6:.2f}" for seconds in wall], *[f"{size / seconds / 1e6:,.0f}" for seconds in wall],
            f"**{ratio:.2f}**", f"≥ {target}", "yes" if ratio >= target else "no",
            *[f"{seconds / keys * 1e9:,.0f}" for seconds in cpu], f"{cpu_ratio:.2f}"]


def speeds(rows):
    table(["what", "ours M keys/s", "redis M keys/s", "ours MB/s", "redis MB/s", "speed ×", "target", "met", "ours ns CPU/key",
           "redis ns CPU/key", "by CPU ×"], rows)


def prepared(options, commands, folder, extra):
    """Lets redis-server make files; `folder` has them afterwards."""
    with Server("redis", options.redis, options=extra) as server:
        for command in commands:
            command(server)
        server.ask("CONFIG", "SET", "appendfsync", "always")
        server.ask("SET", "last", "1")
        for name in ("dump.rdb", "appendonlydir"):
            path = f"{server.dir}/{name}"
            if os.path.isdir(path):
                shutil.copytree(path, f"{folder}/{name}")
            elif os.path.exists(path):
                shutil.copy(path, folder)


def started(name, path, files, extra, cpus):
    """Seconds that it says loading took, and CPU seconds."""
    with Server(name, path, files=files, cpus=cpus, options=["--loglevel", "notice", *extra]) as server:
        cpu = server.cpu_nanos() / 1e9
        told = re.search(r"DB loaded from .*: ([\d.]+) seconds", server.output())
        if not told:
            raise RuntimeError(f"{name} loaded nothing: {server.output()}")
        return float(told[1]), cpu, int(server.ask("DBSIZE"))


def both_started(options, files, extra):
    found = {"ours": [], "redis": []}
    for _ in range(options.reps):
        sizes = set()
        for name, path in (("ours", options.server), ("redis", options.redis)):
            wall, cpu, keys = started(name, path, files, extra, options.cpus)
            found[name].append((wall, cpu))
            sizes.add(keys)
        if len(sizes) != 1:
            raise RuntimeError(f"not the same keys: {sizes}")
    return found, keys


def load(options):
    print(f"## Loading, medians of {options.reps}, on CPU {options.cpus}\n")
    rows = []
    shapes = [("strings", options.save_keys, lambda server: fill(server, options.save_keys, options)),
              ("small hashes, lists, sorted sets", options.mixed_keys, lambda server: fill_mixed(server, options.mixed_keys))]
    for what, count, make in shapes:
        with tempfile.TemporaryDirectory(prefix="cinnabar-bench-") as folder:
            prepared(options, [make, lambda server: server.ask("SAVE")], folder, [])
            size = os.path.getsize(f"{folder}/dump.rdb")
            found, keys = both_started(options, folder, [])
        rows.append(compared(what, found["ours"], found["redis"], keys, LOAD_TARGET, size))
    speeds(rows)


def fill_mixed(server, count):
    for command in MIXED[:5]:
        Load(server, command, c=10, P=32, n=count, r=max(count // 8, 1), d=32, varied=True).wait()


def replay(options):
    print(f"## Replaying increments, medians of {options.reps}, on CPU {options.cpus}; speeds are of commands\n")
    rows = []
    off = ["--appendonly", "yes", "--aof-use-rdb-preamble", "no", "--auto-aof-rewrite-percentage", "0", "--appendfsync", "no"]

    def mixed(server):
        for command in MIXED:
            Load(server, command, c=10, P=32, n=options.replay_commands // len(MIXED), r=options.replay_commands // 16, d=32,
                 varied=True).wait()

    shapes = [("SET", lambda server: fill(server, options.replay_commands, options)), ("eight commands", mixed)]
    for what, make in shapes:
        with tempfile.TemporaryDirectory(prefix="cinnabar-bench-") as folder:
            prepared(options, [make], folder, off)
            size = sum(os.path.getsize(f"{folder}/appendonlydir/{name}") for name in os.listdir(f"{folder}/appendonlydir"))
            found, _ = both_started(options, folder, off)
        rows.append(compared(what, found["ours"], found["redis"], options.replay_commands, REPLAY_TARGET, size))
    speeds(rows)


def main():
    parser = arguments(__doc__, only="bgsave,write,load,replay", reps=3, save_keys=5_000_000, mixed_keys=2_000_000,
                       replay_commands=3_000_000, value_bytes=64, seconds=12.0, write_rate=5000.0, cpus=BOTH_CPUS)
    options = checked(parser.parse_args())
    for experiment in (bgsave, write, load, replay):
        if experiment.__name__ in options.only.split(","):
            experiment(options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
