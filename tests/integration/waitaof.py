#!/usr/bin/python3
"""WAITAOF: what it says is on disk is on disk.

The disk is made slow or broken with strace, so that an answer that does not wait for the fsync is found out.
"""

import contextlib
import pathlib
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from checks import run_parts  # noqa: E402
from resp_client import ErrorReply  # noqa: E402
from server_process import Server, wait_until  # noqa: E402
from tracing import detach, traced  # noqa: E402

DISABLED = b"ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."
SLOW_SECONDS = 0.6
DONE = b"aof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0\r\n"


def options(policy, *more):
    return ["--appendonly", "yes", "--appendfsync", policy, "--save", "", *more]


def blocked(client, count=1):
    """Waits until so many clients are blocked."""
    return wait_until(lambda: f"blocked_clients:{count}\r\n".encode() in client.call("INFO", "clients"))


@contextlib.contextmanager
def disk(server, effect):
    """The server's syncs have an effect; gives False where strace does not work."""
    tracer = traced(server, "fdatasync", effect)
    try:
        yield tracer is not None
    finally:
        if tracer is not None:
            detach(tracer)


def after_the_fsync(checks):
    for policy in ("everysec", "always"):
        with Server(options(policy), threads=2) as server, server.client() as client:
            checks.equal(f"{policy}: nothing written", client.call("WAITAOF", 1, 0, 0), [1, 0])
            with disk(server, f"delay_enter={int(SLOW_SECONDS * 1e6)}") as slow:
                began = time.monotonic()
                client.send("INCR", "counter")
                client.send("WAITAOF", 1, 0, 0)
                checks.equal(f"{policy}: INCR", client.read(), 1)
                checks.equal(f"{policy}: WAITAOF", client.read(), [1, 0])
                took = time.monotonic() - began
                checks.true(f"{policy}: not before the fsync", not slow or took >= SLOW_SECONDS * 0.9, f"{took:.2f} s")
                if slow and policy == "everysec":
                    client.call("INCR", "counter")
                    with server.client() as other:
                        checks.equal("who wrote nothing need not wait", other.call("WAITAOF", 1, 0, 0), [1, 0])
                    began = time.monotonic()
                    checks.equal("too little time", client.call("WAITAOF", 1, 0, 20), [0, 0])
                    checks.true("the time is kept", time.monotonic() - began < SLOW_SECONDS * 0.9)


def survives(checks):
    """Many clients; what WAITAOF acknowledged is there after the end."""
    with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder:
        told = [0] * 8
        with Server(options("everysec"), threads=4, folder=folder) as server:
            def work(number):
                with server.client() as client:
                    for value in range(1, 4):
                        client.call("SET", f"k{number}", value)
                        if client.call("WAITAOF", 1, 0, 0) == [1, 0]:
                            told[number] = value

            threads = [threading.Thread(target=work, args=(number,)) for number in range(len(told))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            server.kill()
        checks.equal("all were told", told, [3] * len(told))
        with Server(options("everysec"), folder=folder) as server, server.client() as client:
            checks.equal("all is there", [int(client.call("GET", f"k{number}") or 0) for number in range(len(told))], told)


def broken_disk(checks):
    with Server(options("everysec")) as server, server.client() as client:
        with disk(server, "error=EIO") as broken:
            if not broken:
                return
            client.call("SET", "k", "v")
            checks.equal("the sync fails", client.call("WAITAOF", 1, 0, 1500), [0, 0])
        checks.equal("then it works again", client.call("WAITAOF", 1, 0, 0), [1, 0])


def without_fsync(checks):
    """appendfsync no: nobody syncs, until somebody has a reason."""
    with Server(options("no"), threads=2) as server, server.client() as client, server.client() as admin:
        client.call("SET", "k", "1")
        checks.equal("nobody syncs", client.call("WAITAOF", 1, 0, 50), [0, 0])
        client.send("WAITAOF", 1, 0, 0)
        checks.true("waits", blocked(admin))
        admin.call("BGREWRITEAOF")
        checks.equal("a rewrite does", client.read(), [1, 0])
        checks.true("the rewrite ends", wait_until(lambda: DONE in admin.call("INFO", "persistence")))
        client.call("SET", "k", "2")
        client.send("WAITAOF", 1, 0, 0)
        checks.true("waits", blocked(admin))
        admin.call("CONFIG", "SET", "appendfsync", "everysec")
        checks.equal("another policy does", client.read(), [1, 0])


def switched(checks):
    with Server(["--save", ""], threads=2) as server, server.client() as client, server.client() as admin:
        for number in range(30):
            client.call("SET", f"k{number}", "v")
        checks.equal("off", client.call("WAITAOF", 1, 0, 0), DISABLED)
        admin.call("CONFIG", "SET", "rdb-key-save-delay", "10000")
        checks.equal("on", admin.call("CONFIG", "SET", "appendonly", "yes"), b"OK")
        client.call("SET", "k", "1")
        checks.equal("no base yet", client.call("WAITAOF", 1, 0, 20), [0, 0])
        client.send("WAITAOF", 1, 0, 0)
        checks.equal("the base comes", client.read(), [1, 0])
        checks.contains("by then", admin.call("INFO", "persistence"), b"aof_rewrite_in_progress:0")
        admin.call("CONFIG", "SET", "appendfsync", "no")
        client.call("SET", "k", "2")
        client.send("WAITAOF", 1, 0, 0)
        checks.true("waits", blocked(admin))
        checks.equal("off again", admin.call("CONFIG", "SET", "appendonly", "no"), b"OK")
        checks.equal("the waiter hears of it", client.read(), DISABLED)
        client.call("SET", "k", "3")
        admin.call("CONFIG", "SET", "rdb-key-save-delay", "0")
        admin.call("CONFIG", "SET", "appendfsync", "everysec", "appendonly", "yes")
        checks.equal("on again, with what was written before", client.call("WAITAOF", 1, 0, 0), [1, 0])


def ended_by_others(checks):
    with Server(options("no"), threads=2) as server, server.client() as client, server.client() as admin:
        number = client.call("CLIENT", "ID")
        for command, answer in ((("WAITAOF", 1, 0, 0), [0, 0]), (("WAITAOF", 0, 1, 0), [0, 0]), (("WAIT", 1, 0), 0)):
            client.call("INCR", "k")
            client.send(*command)
            checks.true(f"{command}: waits", blocked(admin))
            checks.contains(f"{command}: CLIENT LIST", admin.call("CLIENT", "LIST", "ID", number), b"flags=b")
            checks.equal(f"{command}: UNBLOCK", admin.call("CLIENT", "UNBLOCK", number), 1)
            checks.equal(f"{command}: as if its time were up", client.read(), answer)
            client.send(*command)
            checks.true(f"{command}: waits again", blocked(admin))
            checks.equal(f"{command}: UNBLOCK ERROR", admin.call("CLIENT", "UNBLOCK", number, "ERROR"), 1)
            reply = client.read()
            checks.true(f"{command}: an error", isinstance(reply, ErrorReply) and reply.startswith(b"UNBLOCKED"), reply)
        client.send("WAITAOF", 0, 1, 0)
        checks.true("waits", blocked(admin))
        client.close()
        checks.true("who leaves waits no more", blocked(admin, 0))
        checks.equal("and the server goes on", admin.call("WAITAOF", 0, 0, 0), [1, 0])


def in_a_transaction(checks):
    with Server(options("no")) as server, server.client() as client:
        client.call("MULTI")
        client.call("SET", "k", "v")
        client.call("WAITAOF", 1, 1, 0)
        checks.equal("does not wait", client.call("EXEC"), [b"OK", [1, 0]])  # of what was written before
        checks.equal("what the transaction wrote", client.call("WAITAOF", 1, 0, 20), [0, 0])


if __name__ == "__main__":
    sys.exit(run_parts([after_the_fsync, survives, broken_disk, without_fsync, switched, ended_by_others,
                        in_a_transaction]))
