#!/usr/bin/env python3
"""How well eviction chooses: hit ratios of the same recorded accesses, ours beside redis-server, and of exact policies.

A client plays a trace (access_traces.py) as an application uses a cache: GET, and on a miss SET. Ratios are compared at
the same number of resident keys: while it plays, maxmemory is trimmed so that each server holds as many keys as wanted.
The last column is ours at the memory with which redis-server holds that many: we need less for a key, and keep more.
Hits count once the cache has filled. The exact policies are computed, with the same batches.

    bench/eviction_quality.py [--policies allkeys-lru,...] [--traces drift,scan,loop] [--samples 5,10] [--rate 0]

--rate paces the client (requests per second; 0: as fast as it can): at full speed a small cache turns over within
the second that is one tick of redis-server's LRU clock.
"""

import heapq
import random
import socket
import statistics
import sys
import time
from collections import Counter, OrderedDict

from access_traces import KINDS, trace
from servers import BOTH_CPUS, HOST, Server, arguments, checked, request, table

POLICIES = ("allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-lfu", "volatile-ttl")
BATCH = 50
VALUE = b"v" * 100
HIT = b"$%d\r\n%s\r\n" % (len(VALUE), VALUE)
MISS = b"$-1\r\n"
WARM_SHARE = 0.3  # of the trace, before hits count
TRIM_EACH = 100  # batches between two looks at the number of keys


def lives_of(keys):
    """Seconds to live of each key: the application knows what is asked for often, and lets it live longer."""
    return {key: 3600 + 30 * count + key % 30 for key, count in Counter(keys).items()}


class Player:
    """Plays a trace against one server and counts."""

    def __init__(self, server, lives):
        self.server, self.lives = server, lives
        self.socket = socket.create_connection((HOST, server.port), timeout=60)
        self.gets, self.sets = {}, {}

    def command(self, *words):
        self.socket.sendall(request(*words))
        return self.read_line()[1:]

    def read_line(self):
        line = b""
        while not line.endswith(b"\r\n"):
            line += self.socket.recv(1)
        return line[:-2]

    def get(self, key):
        if key not in self.gets:
            self.gets[key] = request("GET", f"key:{key:08d}")
        return self.gets[key]

    def set(self, key):
        if key not in self.sets:
            words = ["SET", f"key:{key:08d}", VALUE]
            self.sets[key] = request(*words, *(["EX", self.lives.get(key, 3600)] if self.lives else []))
        return self.sets[key]

    def ask_for(self, keys):
        """Which of the keys were there; those that were not are set."""
        self.socket.sendall(b"".join(map(self.get, keys)))
        missed, reply, at = [], b"", 0
        for key in keys:
            while len(reply) - at < len(MISS) or (reply[at + 1] != 45 and len(reply) - at < len(HIT)):
                reply += self.socket.recv(1 << 16)
            hit = reply[at + 1] != 45  # -
            at += len(HIT) if hit else len(MISS)
            if not hit:
                missed.append(key)
        if missed:
            self.socket.sendall(b"".join(map(self.set, missed)))
            answers = b""
            while answers.count(b"\r\n") < len(missed):
                answers += self.socket.recv(1 << 16)
            if answers != b"+OK\r\n" * len(missed):
                raise RuntimeError(f"{self.server.name} answered {answers[:80]!r} to SET")
        return len(keys) - len(missed)

    def fill(self, keys):
        for first in range(0, len(keys), BATCH):
            self.ask_for(keys[first:first + BATCH])


def play(server, keys, policy, samples, resident, rate, memory=None):
    """(hit ratio, mean number of resident keys, maxmemory in the end); `memory` fixes the limit instead."""
    player = Player(server, lives_of(keys) if policy.startswith("volatile") else None)
    player.command("FLUSHALL")
    player.command("CONFIG", "SET", "maxmemory", 0)
    player.command("CONFIG", "SET", "maxmemory-policy", policy, "maxmemory-samples", samples)
    empty = int(server.info("memory")["used_memory"])
    player.fill(range(10**7, 10**7 + resident))
    limit = memory or int(server.info("memory")["used_memory"])
    bytes_per_key = (int(server.info("memory")["used_memory"]) - empty) / resident
    player.command("FLUSHALL")
    player.command("CONFIG", "SET", "maxmemory", limit)
    hits = asked = 0
    held, began = [], time.monotonic()
    for batch, first in enumerate(range(0, len(keys), BATCH)):
        found = player.ask_for(keys[first:first + BATCH])
        counts = first >= len(keys) * WARM_SHARE
        if counts:
            hits, asked = hits + found, asked + min(BATCH, len(keys) - first)
        if batch % TRIM_EACH == TRIM_EACH - 1:
            present = int(player.command("DBSIZE"))
            if counts:
                held.append(present)
            full = first >= len(keys) * WARM_SHARE / 2
            if memory is None and (full or present > resident):
                limit = max(int(limit + (resident - present) * bytes_per_key * 0.5), 1)
                player.command("CONFIG", "SET", "maxmemory", limit)
        if rate:
            time.sleep(max(0.0, began + first / rate - time.monotonic()))
    return hits / asked, statistics.mean(held), limit


class Exact:
    """A cache of `resident` keys with the exact policy, asked in the same batches."""

    def __init__(self, resident):
        self.resident, self.present = resident, OrderedDict()

    def ask_for(self, keys):
        missed = [key for key in keys if key not in self.present]
        for key in keys:
            if key in self.present:
                self.used(key)
        for key in missed:
            if key not in self.present and len(self.present) >= self.resident:
                self.evict()
            self.insert(key)
        return len(keys) - len(missed)

    def insert(self, key):
        self.present[key] = True

    def used(self, key):
        pass


class ExactLru(Exact):
    def insert(self, key):
        self.present[key] = True
        self.present.move_to_end(key)

    used = insert

    def evict(self):
        self.present.popitem(last=False)


class ExactLfu(Exact):
    """Counts since a key came in, without decay; of equals the one that has rested longest goes."""

    def __init__(self, resident):
        super().__init__(resident)
        self.heap, self.now = [], 0

    def insert(self, key):
        self.used(key)

    def used(self, key):
        self.now += 1
        self.present[key] = (self.present.get(key, (0, 0))[0] + 1, self.now)
        heapq.heappush(self.heap, (*self.present[key], key))

    def evict(self):
        while True:
            *count_and_time, key = heapq.heappop(self.heap)
            if self.present.get(key) == tuple(count_and_time):
                del self.present[key]
                return


class ExactRandom(Exact):
    def __init__(self, resident):
        super().__init__(resident)
        self.order, self.chance = [], random.Random(1)

    def insert(self, key):
        if key not in self.present:
            self.present[key] = True
            self.order.append(key)

    def evict(self):
        at = self.chance.randrange(len(self.order))
        self.order[at], self.order[-1] = self.order[-1], self.order[at]
        del self.present[self.order.pop()]


class ExactTtl(Exact):
    def __init__(self, resident, lives):
        super().__init__(resident)
        self.heap, self.lives = [], lives

    def insert(self, key):
        if key not in self.present:
            self.present[key] = True
            heapq.heappush(self.heap, (self.lives[key], key))

    def evict(self):
        del self.present[heapq.heappop(self.heap)[1]]


def exact_ratio(keys, policy, resident):
    if policy == "volatile-ttl":
        cache = ExactTtl(resident, lives_of(keys))
    else:
        cache = {"lru": ExactLru, "lfu": ExactLfu, "random": ExactRandom}[policy.split("-")[1]](resident)
    hits = asked = 0
    for first in range(0, len(keys), BATCH):
        found = cache.ask_for(keys[first:first + BATCH])
        if first >= len(keys) * WARM_SHARE:
            hits, asked = hits + found, asked + min(BATCH, len(keys) - first)
    return hits / asked


def compare(options, kind, keys, policy, samples):
    resident = int(options.keys * options.share)
    ideal = exact_ratio(keys, policy, resident)
    with Server("redis", options.redis, cpus=BOTH_CPUS) as server:
        redis, redis_held, memory = play(server, keys, policy, samples, resident, options.rate)
    with Server("ours", options.server, cpus=BOTH_CPUS) as server:
        ours, ours_held, _ = play(server, keys, policy, samples, resident, options.rate)
        same, same_held, _ = play(server, keys, policy, samples, resident, options.rate, memory)
    return [kind, policy, samples, f"{ideal:.4f}", f"{redis:.4f}", f"**{ours:.4f}**", f"{ours - redis:+.4f}",
            f"{redis_held:,.0f} / {ours_held:,.0f}", f"{same:.4f} ({same_held:,.0f})"]


def main():
    options = checked(arguments(__doc__, keys=200_000, requests=1_200_000, share=0.2, seed=1, rate=0,
                                policies=",".join(POLICIES), traces=",".join(KINDS), samples="5,10").parse_args())
    print(f"## Hit ratios: {options.requests:,} requests for {options.keys:,} keys, {options.share:.0%} of them resident,"
          f" seed {options.seed}\n", flush=True)
    rows = []
    for kind in options.traces.split(","):
        keys = trace(kind, options.keys, options.requests, options.seed)
        for policy in options.policies.split(","):
            for samples in map(int, options.samples.split(",")):
                rows.append(compare(options, kind, keys, policy, samples))
                print(" ".join(map(str, rows[-1])), file=sys.stderr, flush=True)
    table(["trace", "policy", "samples", "exact", "redis", "ours", "difference", "keys held", "ours, same memory (keys)"],
          rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
