#!/usr/bin/env python3
"""What replication costs: ours and redis-server side by side, in turn.

primary       SET with no, one, two and three replicas that keep up: CPU time of the primary per operation
instructions  the same in user instructions of the primary (callgrind): what each further replica adds
apply         SET, INCR and HSET streamed by redis-server to a replica of ours and to its own kind: CPU time of the replica per
              command, and whether the lag grows while the primary is written to at full speed
sync          a full synchronisation: time from REPLICAOF to equal offsets, memory, and p99.9 of the primary's other clients,
              beside the same during its BGSAVE
acknowledged  50 clients that send SET and WAIT 1 0 in one pipeline, against SET alone

A replica is of its primary's kind, except in `apply`. CPU time is utime + stime of all threads, by the scheduler's clock.

    bench/replication.py [--only primary,instructions,apply,sync,acknowledged] [--reps 5] [--scale 1.0] [--server PATH]

--scale multiplies the requests of a load and the keys of a synchronisation: --only sync --scale 10 for 5 M keys.
"""

import contextlib
import glob
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

from servers import (BOTH_CPUS, CLIENT_CPU, HOST, SERVER_CPU, Load, Server, arguments, checked, child_of, fill, in_turn, median,
                     private_bytes, running, table)

REPLICA_CPU = CLIENT_CPU
PRIMARY_RATIO_MAX = APPLY_RATIO_MAX = 0.50
SYNC_RATIO_MAX = 0.60
ACKNOWLEDGED_KEPT = 0.60
ADDED_INSTRUCTIONS_MAX = 0.05
ADDED_TARGET_FROM = 2  # the first replica pays for the stream, the others only for sending it
# pipeline, requests
PRIMARY_CELLS = [(16, 1_200_000), (64, 1_500_000)]
# name, test, what its keys are filled with before, requests
APPLY_CELLS = [("SET", "set", "set", 1_500_000), ("INCR", "incr", "incr", 1_500_000),
               ("HSET", "HSET hash:%k field2 %v", "HSET hash:%k field1 a field2 b field3 c", 1_000_000)]
# of what is written between the first and the last third of a load, the part by which the lag may differ
LAG_GROWTH_MAX = 0.02
INSTRUCTION_KEYS, INSTRUCTION_REQUESTS, INSTRUCTION_PIPELINE = 20_000, 48_000, 16
WAIT_TESTS = [("alone", "SET key:%k %v", 1), ("nobody", "SET key:%k %v ; WAIT 0 0", 2), ("one", "SET key:%k %v ; WAIT 1 0", 2)]
PATIENCE_SECONDS = 600

# Both begin a synchronisation at once, never drop a replica for being slow, and forget a backlog that nobody reads.
OPTIONS = ["--repl-diskless-sync-delay", "0", "--client-output-buffer-limit", "replica", "0", "0", "0", "--repl-backlog-ttl", "1"]


def primary_server(name, path, **placing):
    return Server(name, path, options=OPTIONS, **placing)


def replica_server(name, path, cpus=REPLICA_CPU):
    return Server(f"{name}, replica", path, cpus=cpus, options=OPTIONS)


def kinds(options):
    return [("ours", options.server), ("redis", options.redis)]


# ---- primaries and their replicas ----------------------------------------------------------------------------------


def offset(primary):
    return int(primary.info("replication")["master_repl_offset"])


def applied(replica):
    """The offset up to which it has applied the stream, or -1 while it has no link."""
    facts = replica.info("replication")
    return int(facts["slave_repl_offset"]) if facts.get("master_link_status") == "up" else -1


def until(done, what, seconds_max=PATIENCE_SECONDS):
    limit = time.monotonic() + seconds_max
    while not done():
        if time.monotonic() > limit:
            raise RuntimeError(f"{what}: not within {seconds_max} s")
        time.sleep(0.01)


def caught_up(primary, replicas):
    """Waits until every replica has applied what the primary has written before this call."""
    written = offset(primary)
    for replica in replicas:
        until(lambda: applied(replica) >= written, f"{replica.name} catches up")


def in_step(primary, replica):
    """Waits until both are at the same offset. REQUIRES: nobody writes."""
    until(lambda: applied(replica) == offset(primary), f"{replica.name} is in step")


def follow(primary, replica):
    if replica.ask("REPLICAOF", HOST, primary.port) != b"OK":
        raise RuntimeError(f"{replica.name} does not follow {primary.name}")


def attached(primary, replica):
    follow(primary, replica)
    until(lambda: applied(replica) >= 0, f"{replica.name} synchronises")


def detached(primary, replicas):
    """Without its replicas, and without a backlog, so that the next load is as on a server that never had one."""
    for replica in replicas:
        replica.ask("REPLICAOF", "NO", "ONE")
    until(lambda: primary.info("replication")["connected_slaves"] == "0", f"{primary.name} is alone")
    limit = time.monotonic() + 5
    while primary.info("replication").get("repl_backlog_active") == "1" and time.monotonic() < limit:
        time.sleep(0.05)


def full_syncs(primary):
    return int(primary.info("stats").get("sync_full", 0))


def loaded(primary, replicas, cpus=CLIENT_CPU, **load_options):
    """A load, until the replicas have all of it: with the CPU time per operation of the primary and of the replicas in it."""
    caught_up(primary, replicas)
    syncs = full_syncs(primary)
    cpu = [server.cpu_nanos() for server in (primary, *replicas)]
    load = Load(primary, cpus=cpus, **load_options).wait()
    began = time.monotonic()
    caught_up(primary, replicas)
    load.behind = time.monotonic() - began
    load.nanos, *load.replica_nanos = [(server.cpu_nanos() - before) / load.reqs
                                       for server, before in zip((primary, *replicas), cpu)]
    if full_syncs(primary) != syncs:
        print(f"{primary.name}: a replica was lost and synchronised anew, this load is worth nothing", file=sys.stderr)
    return load


def ratios(ours, theirs, figure):
    """Within each repetition."""
    return [figure(a) / figure(b) for a, b in zip(ours, theirs)]


def compared(ours, theirs, figure, target, show="{:,.0f}"):
    """Cells of a row: both medians, their ratio and its spread, the target and whether it is met."""
    found = ratios(ours, theirs, figure)
    return [*[show.format(median([figure(x) for x in samples])) for samples in (ours, theirs)], f"**{median(found):.2f}**",
            f"{min(found):.2f}–{max(found):.2f}", f"≤ {target:.2f}", "yes" if median(found) <= target else "no"]


def rates(*groups):
    return [f"{median([load.rps for load in loads]):,.0f}" for loads in groups]


# ---- primary -------------------------------------------------------------------------------------------------------


def replica_counts(options):
    return sorted({int(count) for count in options.replicas.split(",")})


def primary(options):
    counts = replica_counts(options)
    samples = {}
    with contextlib.ExitStack() as stack:
        groups = []
        for name, path in kinds(options):
            servers = [primary_server(name, path), *[replica_server(name, path) for _ in range(max(counts))]]
            groups.append(stack.enter_context(running(*servers)))
            fill(groups[-1][0], options.keys, value_bytes=options.value_bytes)
        for repetition in range(options.reps):
            for count in counts:
                grow(groups, counts, count)
                for pipeline, requests in PRIMARY_CELLS:
                    for server, *replicas in in_turn(groups, repetition):
                        samples.setdefault((server.name, count, pipeline), []).append(
                            loaded(server, replicas[:count], test="set", c=50, P=pipeline, n=int(requests * options.scale),
                                   r=options.keys, d=options.value_bytes, s=repetition + 1))
            for server, *replicas in groups:
                detached(server, replicas[:counts[-1]])
    report_primary(samples, counts, options)


def grow(groups, counts, count):
    """From the number of replicas before to this one."""
    before = counts[counts.index(count) - 1] if counts.index(count) > 0 else 0
    for server, *replicas in groups:
        for replica in replicas[before:count]:
            attached(server, replica)


def report_primary(samples, counts, options):
    print(f"## CPU time of the primary per SET: 50 connections, {options.value_bytes}-byte values, {options.keys:,} keys, one "
          f"thread, medians of {options.reps}\n")
    rows = []
    for pipeline, _ in PRIMARY_CELLS:
        for count in counts:
            ours, redis = samples["ours", count, pipeline], samples["redis", count, pipeline]
            row = [f"pipeline {pipeline}, {count} replicas", *compared(ours, redis, lambda load: load.nanos, PRIMARY_RATIO_MAX)]
            if count != 1:
                row[-2:] = ["", ""]
            for name in ("ours", "redis"):
                less = samples.get((name, count - 1, pipeline))
                row.append(f"{median(ratios(samples[name, count, pipeline], less, lambda load: load.nanos)) - 1:+.1%}" if less else "")
            rows.append([*row, *rates(ours, redis), *[f"{median([load.behind for load in loads]):.2f}" for loads in (ours, redis)]])
    table(["SET", "ours ns", "redis ns", "ratio", "spread", "target", "met", "ours, added by the last", "redis, added", "ours req/s",
           "redis req/s", "ours s behind", "redis s behind"], rows)


# ---- instructions --------------------------------------------------------------------------------------------------


class Counted:
    """User instructions of a server that callgrind runs, as bench/instructions.sh counts them."""

    def __init__(self, name, path, folder):
        self.files = f"{folder}/{name}"
        self.server = primary_server(name, path, under=["valgrind", "--tool=callgrind", f"--callgrind-out-file={self.files}.%p",
                                                        "--compress-strings=no", "--compress-pos=no"])

    def begin(self):
        self._control("--zero")

    def end(self, label):
        """How many since begin(). Every label is used once."""
        self._control(f"--dump={label}")
        # The dump is written when the server next wakes up. A script that starts the server would be counted instead of it.
        until(lambda: self._counted(label), f"callgrind writes {label}", seconds_max=30)
        return self._counted(label)

    def _counted(self, label):
        """The sum over the threads, each of which may have a file; only those of this dump carry its label. 0 without any."""
        total = 0
        for path in glob.glob(f"{self.files}.{self.server.pid}.*"):
            with open(path) as file:
                text = file.read()
            count = re.search(r"^totals: (\d+)$", text, re.M)  # the last line
            if count and re.search(rf"^desc: Trigger:.*\b{label}$", text, re.M):
                total += int(count[1])
        return total

    def _control(self, order):
        subprocess.run(["callgrind_control", order, str(self.server.pid)], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)


def instructions(options):
    if not shutil.which("callgrind_control"):
        print("instructions: left out, valgrind is missing\n")
        return
    counts = replica_counts(options)
    found = {}
    for name, path in kinds(options):
        with tempfile.TemporaryDirectory(prefix="cinnabar-bench-") as folder:
            counted = Counted(name, path, folder)
            with running(counted.server, *[replica_server(name, path) for _ in range(max(counts))]) as group:
                server, *replicas = group
                fill(server, INSTRUCTION_KEYS, value_bytes=options.value_bytes)
                for count in counts:
                    grow([group], counts, count)
                    caught_up(server, replicas[:count])
                    requests = int(INSTRUCTION_REQUESTS * options.scale)
                    counted.begin()
                    load = Load(server, "set", c=50, P=INSTRUCTION_PIPELINE, n=requests, r=INSTRUCTION_KEYS,
                                d=options.value_bytes, s=5).wait()
                    caught_up(server, replicas[:count])
                    found[name, count] = counted.end(f"replicas{count}") / load.reqs
    report_instructions(found, counts)


def report_instructions(found, counts):
    print(f"## User instructions of the primary per SET, pipeline {INSTRUCTION_PIPELINE} (callgrind)\n")
    rows = []
    for count in counts:
        row = [f"{count} replicas"]
        for name in ("ours", "redis"):
            less = found.get((name, count - 1))
            added = found[name, count] / less - 1 if less else None
            row += [f"{found[name, count]:,.0f}", "" if added is None else f"{added:+.1%}"]
            if name == "ours":
                counts_here = added is not None and count >= ADDED_TARGET_FROM
                row += [f"≤ {ADDED_INSTRUCTIONS_MAX:.0%}", "yes" if added <= ADDED_INSTRUCTIONS_MAX else "no"] if counts_here else ["", ""]
        rows.append(row)
    table(["SET", "ours", "added by the last replica", "target", "met", "redis", "added"], rows)


# ---- apply ---------------------------------------------------------------------------------------------------------


class Lag:
    """While it is entered: the bytes that the replica is behind, again and again."""

    def __init__(self, primary, replica):
        self.primary, self.replica, self.samples, self.ended = primary, replica, [], threading.Event()

    def __enter__(self):
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()
        return self

    def _watch(self):
        while not self.ended.wait(0.05):
            has = applied(self.replica)
            written = offset(self.primary)
            self.samples.append((time.monotonic(), written, written - has))

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()

    def figures(self):
        """Bytes written per second; mean lag in the first and in the last third of the time in which the primary was written
        to; the greatest lag; the difference of the thirds as a part of what was written from the one to the other."""
        last = next((i for i, sample in enumerate(self.samples) if sample[1] == self.samples[-1][1]), 0)
        samples = self.samples[:last + 1]
        third = max(len(samples) // 3, 1)
        first, final = samples[:third], samples[-third:]
        means = [sum(sample[2] for sample in part) / third for part in (first, final)]
        between = sum(b[1] - a[1] for a, b in zip(first, final)) / third
        seconds = max(samples[-1][0] - samples[0][0], 0.001)
        return ((samples[-1][1] - samples[0][1]) / seconds, *means, max(sample[2] for sample in samples),
                (means[1] - means[0]) / max(between, 1))


def apply(options):
    pairs = [("ours", options.redis, options.server), ("redis", options.redis, options.redis),
             ("ours after ours", options.server, options.server)]
    samples = {}
    with contextlib.ExitStack() as stack:
        groups = []
        for name, primary_path, replica_path in pairs:
            server, replica = stack.enter_context(running(primary_server(name, primary_path, cpus=SERVER_CPU),
                                                          replica_server(name, replica_path)))
            for _, _, filling, _ in APPLY_CELLS:
                fill(server, options.keys, test=filling, value_bytes=options.value_bytes)
            attached(server, replica)
            groups.append((server, replica))
        for repetition in range(options.reps):
            for name, test, _, requests in APPLY_CELLS:
                for server, replica in in_turn(groups, repetition):
                    with Lag(server, replica) as lag:
                        # The client shares the primary's CPU: the replica, whose work is measured, has one to itself.
                        load = loaded(server, [replica], cpus=SERVER_CPU, test=test, c=50, P=16, n=int(requests * options.scale),
                                      r=options.keys, d=options.value_bytes, s=repetition + 1)
                    load.lag = lag.figures()
                    samples.setdefault((server.name, name), []).append(load)
    report_apply(samples, options)


def report_apply(samples, options):
    print(f"## CPU time of a replica per command of redis-server's stream: {options.value_bytes}-byte values, {options.keys:,} keys, "
          f"pipeline 16, medians of {options.reps}\n")
    rows = []
    for name, *_ in APPLY_CELLS:
        ours, redis = samples["ours", name], samples["redis", name]
        rows.append([name, *compared(ours, redis, lambda load: load.replica_nanos[0], APPLY_RATIO_MAX), *rates(ours, redis)])
    table(["command", "ours ns", "redis ns", "ratio", "spread", "target", "met", "primary of ours req/s", "primary of redis req/s"],
          rows)
    print("## Lag of the replica while the primary is written to at full speed\n")
    rows = []
    for name, *_ in APPLY_CELLS:
        for who in ("ours", "redis", "ours after ours"):
            loads = samples[who, name]
            rate, first, final, most, growth = [median([load.lag[i] for load in loads]) for i in range(5)]
            rows.append([f"{name}, {who}", *rates(loads), f"{rate / 1e6:.1f}", *[f"{lag / 1e3:,.0f}" for lag in (first, final, most)],
                         f"**{growth:.1%}**", f"≤ {LAG_GROWTH_MAX:.0%}", "yes" if growth > LAG_GROWTH_MAX else "no",
                         f"{median([load.behind for load in loads]):.2f}"])
    table(["stream, replica", "req/s", "MB/s", "lag in the first third, kB", "in the last third, kB", "greatest, kB",
           "growth ÷ written", "target", "grows", "s behind at the end"], rows)


# ---- sync ----------------------------------------------------------------------------------------------------------


class Peaks:
    """While it is entered: what the greatest RSS of each server is above its RSS at the start, plus the most that a child of
    the primary had to itself."""

    def __init__(self, primary, replica):
        self.primary, self.replica, self.child, self.ended = primary, replica, 0, threading.Event()

    def __enter__(self):
        self.before = []
        for server in (self.primary, self.replica):
            server.forget_rss_peak()
            self.before.append(server.rss_bytes())
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()
        return self

    def _watch(self):
        while not self.ended.wait(0.05):
            if child := child_of(self.primary.pid):
                self.child = max(self.child, private_bytes(child))

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()
        self.extra = self.child + sum(server.rss_peak_bytes() - before
                                      for server, before in zip((self.primary, self.replica), self.before))
        self.data = self.replica.rss_bytes() - self.before[1]


class Synchronised:
    """Figures of one full synchronisation while nobody writes."""

    def __init__(self, primary, path, keys):
        with replica_server(primary.name, path, cpus=BOTH_CPUS) as replica:
            with Peaks(primary, replica) as peaks:
                began = time.monotonic()
                follow(primary, replica)
                in_step(primary, replica)
                self.seconds = time.monotonic() - began
            if int(replica.ask("DBSIZE")) != keys:
                raise RuntimeError(f"{replica.name} does not have the keys of {primary.name}")
        self.extra, self.data = peaks.extra / 1e6, peaks.data / 1e6


def fill_varied(server, keys, options):
    """Values that nothing can compress."""
    for first in range(0, keys, 1_000_000):
        Load(server, "set", c=10, P=32, n=min(1_000_000, keys - first), first=first, d=options.value_bytes, s=first + 1, seq=True,
             varied=True).wait()
    server.settled_rss_bytes()


def tail(server, keys, repetition, options, disturb):
    """Paced writers, and in the middle of their time what `disturb` does. How long that took is in the load."""
    load = Load(server, "set", cpus=BOTH_CPUS, c=20, n=10**9, r=keys, d=options.value_bytes, rate=options.write_rate,
                seconds=options.seconds, s=repetition + 5, varied=True)
    time.sleep(0.5)
    began = time.monotonic()
    disturb()
    took = time.monotonic() - began
    ended_within = load.process.poll() is None
    load.wait()
    load.took, load.ended_within = took, ended_within
    return load


def bgsave(server):
    if not server.ask("BGSAVE").startswith(b"Background"):
        raise RuntimeError(f"{server.name} does not save")
    until(lambda: server.info("persistence")["rdb_bgsave_in_progress"] == "0", f"{server.name} saves")


def sync(options):
    keys = int(options.sync_keys * options.scale)
    figures, tails = {}, {}
    with running(*[primary_server(name, path, cpus=BOTH_CPUS) for name, path in kinds(options)]) as servers:
        for server in servers:
            fill_varied(server, keys, options)
        for repetition in range(options.reps):
            for server in in_turn(servers, repetition):
                figures.setdefault(server.name, []).append(Synchronised(server, server.path, keys))
        for repetition in range(options.reps):
            for server in in_turn(servers, repetition):
                with replica_server(server.name, server.path, cpus=BOTH_CPUS) as replica:
                    for what, disturb in (("quiet", lambda: None), ("sync", lambda: attached(server, replica)),
                                          ("BGSAVE", lambda: bgsave(server))):
                        tails.setdefault((server.name, what), []).append(tail(server, keys, repetition, options, disturb))
                        if what == "sync":
                            detached(server, [replica])
    report_sync(figures, tails, keys, options)


def report_sync(figures, tails, keys, options):
    print(f"## Full synchronisation of {keys:,} keys × {options.value_bytes} bytes, on CPU {BOTH_CPUS}, medians of {options.reps}\n")
    ours, redis = figures["ours"], figures["redis"]
    cells = compared(ours, redis, lambda one: one.seconds, SYNC_RATIO_MAX, "{:.2f}")
    memory = [f"{median([getattr(one, field) for one in found]):,.0f}" for field in ("extra", "data") for found in (ours, redis)]
    table(["", "ours s", "redis s", "ratio", "spread", "target", "met", "ours extra MB", "redis extra MB", "ours: the replica's data",
           "redis: the replica's data"], [["REPLICAOF to equal offsets", *cells, *memory]])
    print(f"## Other clients of the primary meanwhile: 20 writers at {options.write_rate:,.0f}/s in windows of {options.seconds:.0f} s\n")
    rows = []
    for name in ("ours", "redis"):
        loads = {what: tails[name, what] for what in ("quiet", "sync", "BGSAVE")}
        against = median(ratios(loads["sync"], loads["BGSAVE"], lambda load: load.p999))
        rows.append([name, *[f"{median([load.p999 for load in loads[what]]) / 1000:.2f}" for what in loads], f"**{against:.2f}**",
                     *[f"{median([load.max for load in loads[what]]) / 1000:.1f}" for what in loads],
                     *[f"{median([load.took for load in loads[what]]):.2f}" for what in ("sync", "BGSAVE")]])
    table(["server", "quiet p99.9 ms", "sync p99.9 ms", "BGSAVE p99.9 ms", "sync ÷ BGSAVE", "quiet longest ms", "sync longest ms",
           "BGSAVE longest ms", "sync s", "BGSAVE s"], rows)
    if not all(load.ended_within for loads in tails.values() for load in loads):
        print("a window was too short for what happened in it: more --seconds\n")


# ---- acknowledged --------------------------------------------------------------------------------------------------


def acknowledged(options):
    print(f"## Writes that one replica acknowledges: 50 clients SET {options.value_bytes} bytes, WAIT in the same pipeline, loads of "
          f"{options.seconds / 2:.1f} s, medians of {options.reps}\n")
    samples = {}
    with contextlib.ExitStack() as stack:
        groups = []
        for name, path in kinds(options):
            server, replica = stack.enter_context(running(primary_server(name, path), replica_server(name, path)))
            fill(server, options.keys, value_bytes=options.value_bytes)
            attached(server, replica)
            groups.append((server, replica))
        for repetition in range(options.reps):
            for server, replica in in_turn(groups, repetition):
                for what, test, commands in in_turn(WAIT_TESTS, repetition):
                    load = loaded(server, [replica], test=test, c=50, P=commands, n=10**9, r=options.keys, d=options.value_bytes,
                                  s=repetition + 1, seconds=options.seconds / 2)
                    load.rps /= commands
                    samples.setdefault((server.name, what), []).append(load)
    rows = []
    for name in ("ours", "redis"):
        alone, nobody, one = [samples[name, what] for what, *_ in WAIT_TESTS]
        kept = median(ratios(one, alone, lambda load: load.rps))
        target = [f"≥ {ACKNOWLEDGED_KEPT:.2f}", "yes" if kept >= ACKNOWLEDGED_KEPT else "no"] if name == "ours" else ["", ""]
        rows.append([name, *rates(alone, nobody, one), f"**{kept:.2f}**", *target,
                     f"{median(ratios(one, nobody, lambda load: load.rps)):.2f}",
                     *[f"{median([load.p99 for load in loads]):,.0f}" for loads in (alone, one)]])
    table(["server", "SET/s alone", "SET/s, WAIT 0 0", "SET/s, WAIT 1 0", "kept", "target", "met", "÷ WAIT 0 0", "alone p99 µs",
           "WAIT 1 0 p99 µs"], rows)


def main():
    parser = arguments(__doc__, only="primary,instructions,apply,sync,acknowledged", reps=5, scale=1.0, keys=1_000_000,
                       replicas="0,1,2,3", sync_keys=500_000, value_bytes=64, seconds=6.0, write_rate=5000.0)
    options = checked(parser.parse_args())
    for experiment in (primary, instructions, apply, sync, acknowledged):
        if experiment.__name__ in options.only.split(","):
            experiment(options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
