#!/usr/bin/env python3
"""What scripts cost: ours and redis-server side by side, in turn.

eval     EVALSHA of scripts as applications have them, pipeline 16: CPU time of the server per operation
threads  the same scripts on our server with two threads against one, server and clients sharing both CPUs
long     one script that computes for two seconds on one key: p99 of paced readers of other keys, against their p99 when it is
         quiet; ours with one thread and with two

The scripts: `get` is one GET; `release` gives back a lock if it is one's own (GET, then DEL); `limiter` is a sliding window of
requests in a sorted set, each client its own key; both are printed in articles. `queue` is a job's way through a queue, with
key names that the script builds, as BullMQ does.

    bench/scripts.py [--only eval,threads,long] [--cells get,limiter] [--reps 5] [--scale 1.0] [--server PATH]
"""

import hashlib
import sys
import threading
import time

from servers import BOTH_CPUS, CLIENT_CPU, Load, Server, arguments, checked, fill, in_turn, median, running, table

PIPELINE = 16
QUEUES, LIMITED = 100, 20_000
LONG_SECONDS = 2.0
PROVING_RUNS = 200

GET = "return redis.call('get', KEYS[1])"
RELEASE = """
if redis.call('get', KEYS[1]) == ARGV[1] then
return redis.call('del', KEYS[1])
else
return 0
end
"""
LIMITER = """
local key = KEYS[1]
local now = tonumber(ARGV[1])
local window = tonumber(ARGV[2])
local limit = tonumber(ARGV[3])
local window_start = now - window
-- Remove expired entries
redis.call('ZREMRANGEBYSCORE', key, '-inf', window_start)
-- Count requests in the current window
local count = redis.call('ZCARD', key)
if count < limit then
-- Allow: add this request with the current timestamp as score
redis.call('ZADD', key, now, now .. ':' .. math.random(1000000))
redis.call('EXPIRE', key, math.ceil(window / 1000))
return {1, limit - count - 1, now + window}
else
-- Deny: return the timestamp of the oldest entry (when the window resets)
local oldest = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
local reset_at = oldest[2] and (tonumber(oldest[2]) + window) or (now + window)
return {0, 0, reset_at}
end
"""
QUEUE = """
local prefix = KEYS[1]
local id = redis.call('INCR', prefix .. 'id')
local job = prefix .. id
redis.call('HSET', job, 'name', ARGV[1], 'data', ARGV[2], 'timestamp', '1700000000000', 'delay', '0', 'priority', '0')
redis.call('LPUSH', prefix .. 'wait', id)
redis.call('XADD', prefix .. 'events', 'MAXLEN', '~', '100', '*', 'event', 'waiting', 'jobId', id)
local taken = redis.call('RPOPLPUSH', prefix .. 'wait', prefix .. 'active')
redis.call('HSET', prefix .. taken, 'processedOn', '1700000000001')
redis.call('LREM', prefix .. 'active', 1, taken)
redis.call('DEL', prefix .. taken)
return taken
"""
LONG = """
local n = tonumber(redis.call('get', KEYS[1])) or 0
for i = 1, tonumber(ARGV[1]) do n = (n + i) % 1000003 end
redis.call('set', KEYS[1], n)
return n
"""


class Cell:
    """A script, what clients send for it (%s is its SHA1), how many requests, and what its keys are filled with before."""

    def __init__(self, name, script, sent, requests, keyspace, filling=None, sequential=False):
        self.name, self.script, self.requests, self.keyspace = name, script, requests, keyspace
        self.filling, self.sequential = filling, sequential
        self.test = sent % hashlib.sha1(script.encode()).hexdigest()

    def prepare(self, server):
        server.ask("SCRIPT", "LOAD", self.script)
        if self.filling and not self.sequential:
            fill(server, self.keyspace, test=self.filling)

    def measure(self, server, repetition, options, cpus):
        """A load, with the CPU time of the server per operation in it."""
        requests = int(self.requests * options.scale)
        if self.sequential:  # each key serves one request: they are filled anew
            fill(server, requests, test=self.filling)
        cpu, waited = server.cpu_nanos(), server.cpu_wait_nanos()
        more = {"seq": True} if self.sequential else {}
        load = Load(server, self.test, cpus, c=options.connections, P=PIPELINE, n=requests, r=self.keyspace,
            d=options.value_bytes,
                    s=repetition + 1, **more).wait()
        load.nanos = (server.cpu_nanos() - cpu) / load.reqs
        load.disturbed = ((server.cpu_wait_nanos() - waited) / 1e9 + load.cwait) / load.wall
        return load


CELLS = [
    Cell("get", GET, "EVALSHA %s 1 key:%%k", 600_000, 1_000_000, filling="set"),
    Cell("release", RELEASE, "EVALSHA %s 1 lock:%%k token", 400_000, 1, filling="SET lock:%k token", sequential=True),
    Cell("limiter", LIMITER, "EVALSHA %s 1 ratelimit:%%k %%n 1000 10", 300_000, LIMITED),
    Cell("queue", QUEUE, "EVALSHA %s 1 bull:%%k: name %%v", 100_000, QUEUES),
]


def chosen(options):
    return [cell for cell in CELLS if cell.name in options.cells.split(",")]


def measured(servers, options, cpus):
    """(server, cell) -> one Load per repetition; who goes first changes."""
    samples = {}
    for cell in chosen(options):
        for server in servers:
            cell.prepare(server)
    for repetition in range(options.reps):
        for cell in chosen(options):
            for server in in_turn(servers, repetition):
                samples.setdefault((server.name, cell.name), []).append(cell.measure(server, repetition, options, cpus))
    return samples


def ratios(ours, others, figure):
    return [figure(one) / figure(other) for one, other in zip(ours, others)]


# ---- eval ------------------------------------------------------------------------------------------------------------


def evaluate(options):
    with running(Server("ours", options.server), Server("redis", options.redis)) as servers:
        samples = measured(servers, options, CLIENT_CPU)
    print(f"## CPU time of the server per EVALSHA, one thread: {options.connections} connections, pipeline {PIPELINE}, medians of {options.reps}\n")
    rows = []
    for cell in chosen(options):
        ours, redis = samples["ours", cell.name], samples["redis", cell.name]
        spread = ratios(ours, redis, lambda load: load.nanos)
        rows.append([cell.name, f"{median([load.nanos for load in ours]):,.0f}", f"{median([load.nanos for load in redis]):,.0f}",
                     f"**{median(spread):.2f}**", f"{min(spread):.2f}–{max(spread):.2f}",
                     f"{median([load.rps for load in ours]):,.0f}",
                     f"{median([load.rps for load in redis]):,.0f}", f"{max(load.disturbed for load in ours + redis):.0%}"])
    table(["script", "ours ns", "redis ns", "ratio", "spread", "ours req/s", "redis req/s", "disturbed ≤"], rows)


# ---- threads ---------------------------------------------------------------------------------------------------------


def threads(options):
    with running(*[Server(f"threads {count}", options.server, count, BOTH_CPUS) for count in (1, 2)]) as servers:
        samples = measured(servers, options, BOTH_CPUS)
    print("## Scripts on two threads against one, ours, server and clients sharing both CPUs\n")
    rows = []
    for cell in chosen(options):
        one, two = samples["threads 1", cell.name], samples["threads 2", cell.name]
        rows.append([cell.name, f"{median([load.rps for load in one]):,.0f}", f"{median([load.rps for load in two]):,.0f}",
                     f"**{median(ratios(two, one, lambda load: load.rps)):.2f}**", f"{median([load.nanos for load in one]):,.0f}",
                     f"{median([load.nanos for load in two]):,.0f}", f"{median(ratios(two, one, lambda load: load.nanos)):.2f}",
                     f"{median([load.ccpu / load.wall for load in two]):.0%}"])
    table(["script", "1 thread req/s", "2 threads req/s", "throughput ×", "1 thread ns", "2 threads ns", "CPU ×", "client CPU"],
        rows)


# ---- long ------------------------------------------------------------------------------------------------------------


class LongScript:
    """The script on a connection of its own, with the count of rounds that takes it as long as wanted."""

    def __init__(self, server):
        self.server = server
        self.digest = hashlib.sha1(LONG.encode()).hexdigest()
        server.ask("SCRIPT", "LOAD", LONG)
        for number in range(PROVING_RUNS):
            self.run(f"other:{number}", 10)
        rounds, took = 1_000_000, 0.0
        while took < 0.2:
            rounds *= 2
            took = self.run("calibration", rounds)
        self.rounds = int(rounds * LONG_SECONDS / took)

    def run(self, key, rounds):
        """How long it took."""
        began = time.monotonic()
        reply = self.server.ask("EVALSHA", self.digest, 1, key, rounds)
        if not reply.isdigit():
            raise RuntimeError(f"{self.server.name}: {reply!r}")
        return time.monotonic() - began

    def beside(self, options):
        """The readers while it runs, and how long it took."""
        took = []
        load = readers(self.server, options)
        time.sleep(0.5)
        thread = threading.Thread(target=lambda: took.append(self.run("long", self.rounds)))
        thread.start()
        load.wait()
        thread.join()
        load.took = took[0]
        return load


def readers(server, options):
    return Load(server, "get", c=20, n=10**9, r=100_000, rate=options.read_rate, seconds=LONG_SECONDS + 1)


def long(options):
    kinds = [Server("ours", options.server), Server("ours, 2 threads", options.server, 2, BOTH_CPUS),
        Server("redis", options.redis)]
    quiet, beside = {}, {}
    with running(*kinds) as servers:
        scripts = {}
        for server in servers:
            fill(server, 100_000)
            scripts[server.name] = LongScript(server)
        for repetition in range(options.reps):
            for server in in_turn(servers, repetition):
                quiet.setdefault(server.name, []).append(readers(server, options).wait())
                beside.setdefault(server.name, []).append(scripts[server.name].beside(options))
    print(f"## Readers of other keys ({options.read_rate:,.0f}/s) while a script computes for {LONG_SECONDS:.0f} s on one key, medians of {options.reps}\n")
    rows = []
    for name, loads in beside.items():
        growth = ratios(loads, quiet[name], lambda load: load.p99)
        rows.append([name, f"{median([load.p99 for load in quiet[name]]):,.0f}", f"{median([load.p99 for load in loads]):,.0f}",
            f"**{median(growth):,.1f}**",
                     f"{median([load.max for load in loads]) / 1000:,.1f}", f"{median([load.took for load in loads]):.2f}"])
    table(["server", "quiet p99 µs", "p99 µs", "ratio", "longest ms", "script s"], rows)


def main():
    parser = arguments(__doc__, only="eval,threads,long", cells=",".join(cell.name for cell in CELLS), reps=5, scale=1.0,
        connections=50,
                       value_bytes=64, read_rate=2000.0)
    options = checked(parser.parse_args())
    for name, experiment in (("eval", evaluate), ("threads", threads), ("long", long)):
        if name in options.only.split(","):
            experiment(options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
