#!/usr/bin/python3
"""The durability gate: with `appendfsync always` nobody reads what a crash can still take away.

Writers change counters of their own; readers on other connections, on other core threads, look at them in every way
there is and remember the greatest they saw. After kill -9 and a restart nothing is older than what was seen. The disk
is made slow with strace, so that a reply that does not wait for it is found out.
"""

import os
import pathlib
import random
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from checks import run_parts  # noqa: E402
from resp_client import Disconnected  # noqa: E402
from server_process import Server  # noqa: E402
from tracing import detach, traced  # noqa: E402

CRASHES = max(1, int(os.environ.get("CINNABAR_CRASHES", "60")) // 5)
SEED = int(os.environ.get("CINNABAR_CRASH_SEED", random.randrange(1 << 32)))
COUNTERS = 4
OPTIONS = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
GONE = (Disconnected, ConnectionError, OSError)


def write(server, number):
    """Each round raises the counter, as a string, as the length of a list, and as a name of a key."""
    value = 0
    try:
        with server.client() as client:
            while True:
                value += 1
                client.send("SET", f"c{number}", value)
                client.send("MULTI")
                client.send("RPUSH", f"l{number}", value)
                client.send("RPUSH", "wake", f"{number}:{value}")
                client.send("EXEC")
                if value == 1:
                    client.send("SET", f"name:{number}:1", "")
                else:
                    client.send("RENAME", f"name:{number}:{value - 1}", f"name:{number}:{value}")
                for _ in range(6):
                    client.read()
    except GONE:
        pass


class Reader:
    """`seen`: from (what, counter) to the greatest number that a reply told."""

    def __init__(self):
        self.seen = {}

    def note(self, what, number, value):
        self.seen[what, number] = max(self.seen.get((what, number), 0), int(value or 0))

    def names(self, keys):
        for key in keys:
            if key.startswith(b"name:"):
                _, number, value = key.decode().split(":")
                self.note("name", int(number), value)

    def look(self, client, choose):
        number = choose.randrange(COUNTERS)
        how = choose.choice(("get", "mget", "list", "exec", "keys", "scan", "random", "pop"))
        if how == "get":
            self.note("c", number, client.call("GET", f"c{number}"))
        elif how == "mget":
            for i, value in enumerate(client.call("MGET", *(f"c{i}" for i in range(COUNTERS)))):
                self.note("c", i, value)
        elif how == "list":
            self.note("l", number, client.call("LLEN", f"l{number}"))
        elif how == "exec":
            for words in (("MULTI",), ("GET", f"c{number}"), ("LINDEX", f"l{number}", -1), ("EXEC",)):
                client.send(*words)
            value, last = [client.read() for _ in range(4)][3]
            self.note("c", number, value)
            self.note("l", number, last)
        elif how == "keys":
            self.names(client.call("KEYS", "name:*"))
        elif how == "scan":
            self.names(client.call("SCAN", 0, "COUNT", 1000)[1])
        elif how == "random":
            self.names([client.call("RANDOMKEY") or b""])
        elif how == "pop" and (popped := client.call("BLPOP", "wake", "0.01")):
            number, value = popped[1].decode().split(":")
            self.note("l", int(number), value)

    def run(self, server, choose):
        try:
            with server.client() as client:
                while True:
                    self.look(client, choose)
        except GONE:
            pass


def slow_disk(server, micros=5000):
    """Every sync takes so much longer, before it begins."""
    return traced(server, "fdatasync", f"delay_enter={micros}")


def crash_once(threads, folder, choose):
    with Server(OPTIONS, threads=threads, folder=folder) as server:
        with server.client() as client:
            client.call("DEBUG", "POPULATE", 20000, "pad")  # looking at all keys takes a while
        tracer = slow_disk(server)
        readers = [Reader() for _ in range(4)]
        workers = [threading.Thread(target=write, args=(server, i)) for i in range(COUNTERS)]
        workers += [threading.Thread(target=reader.run, args=(server, random.Random(choose.random()))) for reader in readers]
        for worker in workers:
            worker.start()
        threading.Event().wait(choose.uniform(0.3, 1.0))
        server.kill()
        for worker in workers:
            worker.join()
        if tracer is not None:
            detach(tracer)
    greatest = {}
    for reader in readers:
        for what, value in reader.seen.items():
            greatest[what] = max(greatest.get(what, 0), value)
    return greatest


def flushed_keys_stay_away(checks):
    """Who misses a key that FLUSHALL removed will not find it again after the crash."""
    for threads in (1, 4):
        with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder:
            missed = []

            def flush(client):
                try:
                    client.call("FLUSHALL")
                except GONE:
                    pass

            def look(client):
                try:
                    while client.call("GET", "k") is not None:
                        pass
                    missed.append("k")
                except GONE:
                    pass

            with Server(OPTIONS, threads=threads, folder=folder) as server:
                clients = [server.client() for _ in range(4)]
                clients[0].call("SET", "k", "v")
                tracer = slow_disk(server, 1_000_000)
                # The tracer has begun when a write takes that long.
                while tracer is not None and not delayed(clients[1]):
                    pass
                workers = [threading.Thread(target=flush, args=clients[:1])]
                workers += [threading.Thread(target=look, args=(client,)) for client in clients[1:]]
                for worker in workers:
                    worker.start()
                threading.Event().wait(0.3)
                server.kill()
                for worker in workers:
                    worker.join()
                if tracer is not None:
                    detach(tracer)
            # Under kill -9 what was written survives without a sync: only the gate itself can be looked at.
            if tracer is not None:
                checks.equal(f"threads {threads}: nobody knew before the disk did", missed, [])
            with Server(OPTIONS, threads=threads, folder=folder) as server, server.client() as client:
                checks.true(f"threads {threads}: the key", not missed or client.call("GET", "k") is None, "is back")


def long_looks_wait(checks):
    """KEYS goes over a large data set in slices: what a late slice finds may be newer than the first."""
    for threads in (1, 4):
        with Server(OPTIONS, threads=threads) as server, server.client() as looker, server.client() as writer:
            looker.call("DEBUG", "POPULATE", 500_000, "pad")
            tracer = slow_disk(server, 1_000_000)
            if tracer is None:
                return
            while not delayed(writer):
                pass
            found = 0
            for i in range(4):
                # One look is over before the writer begins, or finds some of its keys, which then are on disk.
                looker.send("KEYS", f"new:{i}:*")
                writer.send("MSET", *(part for j in range(200) for part in (f"new:{i}:{j}", "v")))
                began = time.monotonic()
                names = looker.read()
                seconds = time.monotonic() - began
                found += bool(names)
                writer.read()
                checks.true(f"threads {threads}: nobody knew before the disk did", not names or seconds > 0.5,
                            f"{len(names)} keys after {seconds:.3f} seconds")
            print(f"    threads {threads}: {found} of 4 looks found new keys")
            server.kill()
            detach(tracer)


def delayed(client):
    began = time.monotonic()
    client.call("SET", "other", "x")
    return time.monotonic() - began > 0.5


def readers_see_what_lasts(checks):
    for number in range(CRASHES):
        threads = (1, 2, 4)[number % 3]
        name = f"threads {threads}, crash {number}"
        with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder:
            greatest = crash_once(threads, folder, random.Random(f"{SEED} {number}"))
            checks.true(f"{name}: readers saw something", sum(greatest.values()) > 0, "nothing")
            there = Reader()
            with Server(OPTIONS, threads=threads, folder=folder) as server, server.client() as client:
                for i in range(COUNTERS):
                    there.note("c", i, client.call("GET", f"c{i}"))
                    there.note("l", i, client.call("LLEN", f"l{i}"))
                there.names(client.call("KEYS", "name:*"))
            lost = {what: (seen, there.seen.get(what, 0)) for what, seen in greatest.items()
                    if seen > there.seen.get(what, 0)}
            checks.equal(f"{name}: seen and then lost", lost, {})


if __name__ == "__main__":
    print(f"    repeat with CINNABAR_CRASH_SEED={SEED}")
    sys.exit(run_parts([readers_see_what_lasts, flushed_keys_stay_away, long_looks_wait]))
