#!/usr/bin/python3
"""Commands that stop the world, among clients that work: nobody crashes, hangs or gets a malformed reply.

Eight connections send pipelines over few keys; two others flush, swap, list, kill, pause, reconfigure and look
around all the time. With four core threads. Seeded: CINNABAR_STORM_SEED repeats a run's choices.
"""

import os
import pathlib
import random
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from checks import run_parts  # noqa: E402
from resp_client import Disconnected  # noqa: E402
from server_process import Server  # noqa: E402

WORKERS, ADMINS = 8, 2
ROUNDS = 150     # connections of each thread, one after the other
PIPELINE_MAX = 30

ADMIN = [("INFO",), ("CLIENT", "LIST"), ("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"), ("FLUSHALL",),
         ("FLUSHDB", "ASYNC"), ("SWAPDB", "0", "1"), ("KEYS", "*"), ("CONFIG", "RESETSTAT"), ("SLOWLOG", "GET"),
         ("CONFIG", "SET", "slowlog-log-slower-than", "0"), ("LATENCY", "HISTOGRAM"), ("MEMORY", "STATS"),
         ("CLIENT", "PAUSE", "3"), ("CLIENT", "UNPAUSE"), ("DEBUG", "DIGEST"), ("COMMAND", "COUNT"),
         ("CLIENT", "NO-TOUCH", "on"), ("CONFIG", "SET", "hz", "20"), ("DBSIZE",), ("SCAN", "0", "COUNT", "100")]


def work(choose):
    key, other = f"k{choose.randrange(300)}", f"k{choose.randrange(300)}"
    value = "v" * choose.choice([1, 50, 3000, 40000])
    return choose.choice([
        [("SET", key, value)], [("GET", key)], [("MSET", key, "1", other, "2")], [("DEL", key, other)],
        [("APPEND", key, "x")], [("PEXPIRE", key, "3")], [("SETBIT", key, "900", "1")], [("RENAME", key, other)],
        [("COPY", key, other, "REPLACE")], [("RANDOMKEY",)], [("MGET", key, other)],
        [("MULTI",), ("SET", key, "1"), ("GET", other), ("FLUSHDB",), ("EXEC",)],
        [("WATCH", key), ("MULTI",), ("INCR", other), ("EXEC",)]])


def run_client(server, choose, requests_of, failures):
    for _ in range(ROUNDS):
        try:
            with server.client() as client:
                requests = [request for _ in range(choose.randint(1, PIPELINE_MAX)) for request in requests_of(choose)]
                for request in requests:
                    client.send(*request)
                for _ in requests:
                    client.read()
        except (Disconnected, ConnectionError):
            pass  # killed by another client: allowed
        except Exception as error:  # a malformed reply, a time-out
            failures.append(repr(error))
            return


def storm(checks):
    seed = int(os.environ.get("CINNABAR_STORM_SEED", random.randrange(1 << 32)))
    print(f"    repeat with CINNABAR_STORM_SEED={seed}")
    failures = []
    with Server(options=("--enable-debug-command", "yes"), threads=4) as server:
        threads = [threading.Thread(target=run_client, args=(server, random.Random(seed + i), work, failures))
                   for i in range(WORKERS)]
        threads += [threading.Thread(target=run_client, args=(
            server, random.Random(seed + 100 + i), lambda choose: [choose.choice(ADMIN)], failures))
            for i in range(ADMINS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        checks.equal("no client saw anything but replies and closed connections", failures, [])
        checks.true("the server is alive", server.alive())
        with server.client() as client:
            checks.equal("it still serves", client.call("PING"), b"PONG")
        log = server.log_text()
        checks.true("no sanitizer report, no crash report", "WARNING: ThreadSanitizer" not in log
                    and "REDIS BUG REPORT" not in log and "ERROR: AddressSanitizer" not in log, log[-2000:])


if __name__ == "__main__":
    sys.exit(run_parts([storm]))
