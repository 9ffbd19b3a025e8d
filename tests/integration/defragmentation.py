#!/usr/bin/python3
"""Active defragmentation: a heap full of holes is packed while clients write, and the data stay what they were."""

import os
import pathlib
import random
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from checks import run_parts  # noqa: E402
from resp_client import ErrorReply, encode  # noqa: E402
from server_process import Server, wait_until  # noqa: E402

SEED = int(os.environ.get("CINNABAR_TEST_SEED", random.SystemRandom().randrange(10**9)))
LOWER = 15  # percent
SETTINGS = {"active-defrag-threshold-lower": LOWER, "active-defrag-threshold-upper": 60, "active-defrag-ignore-bytes": "500kb",
            "active-defrag-cycle-min": 30, "active-defrag-cycle-max": 60, "active-defrag-max-scan-fields": 200}


def figures(client):
    text = client.call("INFO", "memory").decode() + client.call("INFO", "stats").decode()
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


def waste(client):
    return (float(figures(client)["allocator_frag_ratio"]) - 1) * 100


def pipeline(client, commands, at_once=500):
    def run(batch):
        client.send_raw(b"".join(encode(words) for words in batch))
        for words in batch:
            reply = client.read()
            if isinstance(reply, ErrorReply):
                raise RuntimeError(f"{words[0]}: {reply}")

    batch = []
    for words in commands:
        batch.append(words)
        if len(batch) == at_once:
            run(batch)
            batch = []
    run(batch)


# Each type has a way to fill a heap with blocks of many sizes, and one to leave a quarter of them at random.

def strings(rng):
    names = [f"string:{i}" for i in range(60_000)]
    yield [("SET", name, "v" * rng.randrange(1500)) for name in names]
    yield [("DEL", name) for name in names if rng.random() < 0.75]


def many_small(rng):
    """Collections in their packed form, inside the entry of the key."""
    names = [(rng.choice(["HSET", "SADD", "ZADD", "RPUSH"]), f"small:{i}") for i in range(60_000)]
    words = {"HSET": lambda i: (f"f{i}", "v" * 60), "SADD": lambda i: (f"{i}" + "m" * 50,),
             "ZADD": lambda i: (i, f"{i}" + "m" * 50), "RPUSH": lambda i: ("e" * 2 * i,)}
    yield [(command, name, *[word for i in range(rng.randrange(1, 40)) for word in words[command](i)])
           for command, name in names]
    yield [("DEL", name) for _, name in names if rng.random() < 0.75]


def hashes(rng):
    fields = [(f"hash:{i % 20}", f"field:{i}") for i in range(150_000)]
    yield [("HSET", key, field, "v" * rng.randrange(500)) for key, field in fields]
    yield [("HDEL", key, field) for key, field in fields if rng.random() < 0.75]


def sets(rng):
    members = [(f"set:{i % 7}", f"{i}:" + "m" * rng.randrange(400)) for i in range(150_000)]
    yield [("SADD", *words) for words in members]
    yield [("SREM", *words) for words in members if rng.random() < 0.75]


def sorted_sets(rng):
    members = [(f"zset:{i % 7}", rng.randrange(1000), f"{i}:" + "m" * rng.randrange(300)) for i in range(150_000)]
    yield [("ZADD", *words) for words in members]
    yield [("ZREM", key, member) for key, _, member in members if rng.random() < 0.75]


def lists(rng):
    yield [("RPUSH", f"list:{i % 60}", "e" * rng.randrange(600)) for i in range(100_000)]
    yield [("DEL", f"list:{i}") for i in range(60) if i % 4]


def streams(rng):
    yield [("XGROUP", "CREATE", f"stream:{i}", "readers", "$", "MKSTREAM") for i in range(60)]
    yield [("XADD", f"stream:{i % 60}", f"{i + 1}-1", "field", "v" * rng.randrange(600)) for i in range(80_000)]
    yield [("XREADGROUP", "GROUP", "readers", f"consumer:{i % 5}", "COUNT", 400, "STREAMS", f"stream:{i % 60}", ">")
           for i in range(120)]
    yield [("DEL", f"stream:{i}") for i in range(60) if i % 4]


class Writers:
    """Clients that come and go with keys of their own, of which nothing is left at the end."""

    def __init__(self, server, count=2):
        self.server, self.stop, self.rounds, self.failed = server, threading.Event(), 0, []
        self.threads = [threading.Thread(target=self.write, args=(i,)) for i in range(count)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def write(self, number):
        rng = random.Random(SEED + number)
        try:
            with self.server.client() as client:
                while not self.stop.is_set():
                    name = f"writer:{number}:{rng.randrange(50)}"
                    text = "w" * rng.randrange(1500)
                    fields = [word for i in range(300) for word in (f"f{i}", i)]
                    pipeline(client, [("SET", name, text), ("APPEND", name, "x"), ("HSET", name + "h", *fields),
                                      ("ZADD", name + "z", 1, text), ("RPUSH", name + "l", text, text)])
                    if client.call("GET", name) != (text + "x").encode():
                        self.failed.append(name)
                    if client.call("HLEN", name + "h") != 300:
                        self.failed.append(name + "h")
                    client.call("DEL", name, name + "h", name + "z", name + "l")
                    self.rounds += 1
        except Exception as error:  # noqa: BLE001 - a thread's failure is the test's
            self.failed.append(repr(error))


def refused(client):
    """Where the allocator cannot be asked (sanitizers), the directive is refused, and says why."""
    reply = client.call("CONFIG", "SET", "activedefrag", "yes")
    return reply.decode() if isinstance(reply, ErrorReply) else None


def packed_again(checks, kind, threads):
    rng = random.Random(SEED)
    options = [word for name, value in SETTINGS.items() for word in (f"--{name}", value)]
    with Server(["--save", "", "--stream-node-max-entries", "3", "--list-max-listpack-size", "10",
                 *options], threads=threads) as server, \
            server.client() as client:
        for commands in kind(rng):
            pipeline(client, commands)
        before = waste(client)
        digest = client.call("DEBUG", "DIGEST")
        if reason := refused(client):
            checks.contains("refused", reason, "Active defragmentation cannot be enabled")
            return
        checks.true("full of holes", before > 3 * LOWER, f"{before:.0f} %")
        with Writers(server) as writers:
            checks.true("packed", wait_until(lambda: waste(client) < LOWER), f"{waste(client):.0f} % after {before:.0f} %")
            rounds = writers.rounds
            checks.true("writers go on", wait_until(lambda: writers.rounds > rounds or writers.failed))
        checks.equal("what writers read", writers.failed, [])
        checks.equal("data", client.call("DEBUG", "DIGEST"), digest)
        checks.true("it comes to rest", wait_until(lambda: figures(client)["active_defrag_running"] == "0"))
        seen = figures(client)
        for name in ("active_defrag_hits", "active_defrag_misses", "total_active_defrag_time"):
            checks.true(name, int(seen[name]) > 0, seen[name])
        checks.true("keys", int(seen["active_defrag_key_hits"]) + int(seen["active_defrag_key_misses"]) > 0)
        client.call("DEBUG", "RELOAD")
        checks.equal("data in a file", client.call("DEBUG", "DIGEST"), digest)


def held_up_by_a_child(checks):
    """Nothing moves while a child writes a snapshot; afterwards it does."""
    options = [word for name, value in SETTINGS.items() for word in (f"--{name}", value)]
    with Server(["--save", "", *options]) as server, server.client() as client:
        for commands in strings(random.Random(SEED)):
            pipeline(client, commands)
        client.call("CONFIG", "SET", "rdb-key-save-delay", "1000")
        client.call("BGSAVE")
        if refused(client):
            return
        text = client.call("INFO", "persistence").decode()
        checks.contains("a child is at work", text, "rdb_bgsave_in_progress:1")
        for _ in range(20):
            client.call("DEBUG", "SLEEP", "0.02")
            seen = figures(client)
            checks.equal("hits", (seen["active_defrag_running"], seen["active_defrag_hits"]), ("0", "0"))
        text = client.call("INFO", "persistence").decode()
        checks.contains("and was all the time", text, "rdb_bgsave_in_progress:1")
        client.call("CONFIG", "SET", "rdb-key-save-delay", "0")
        checks.true("packed", wait_until(lambda: waste(client) < LOWER), f"{waste(client):.0f} %")


def part(kind, threads):
    def run(checks):
        packed_again(checks, kind, threads)
    run.__name__ = f"{kind.__name__}_with_{threads}_threads"
    run.__doc__ = f"{kind.__name__}: {threads} threads; CINNABAR_TEST_SEED={SEED}"
    return run


if __name__ == "__main__":
    print(f"CINNABAR_TEST_SEED={SEED} tests/integration/defragmentation.py")
    KINDS = [strings, many_small, hashes, sets, sorted_sets, lists, streams]
    sys.exit(run_parts([*[part(kind, threads) for threads in (1, 4) for kind in KINDS], held_up_by_a_child]))
