#!/usr/bin/python3
"""A disk that is full or broken: writes are refused or the server ends, and nothing that was acknowledged is lost.

A limit on the size of files stands for a full disk: it can be set and lifted from outside while the server runs.
Syncs fail by means of strace; that part is left out where strace is missing or not allowed.
"""

import os
import pathlib
import resource
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from checks import run_parts  # noqa: E402
from resp_client import Disconnected, ErrorReply  # noqa: E402
from server_process import Server, wait_until  # noqa: E402
from tracing import detach, traced  # noqa: E402

LARGE = "x" * 10000
GONE = (Disconnected, ConnectionError, OSError)


def limit_files(server, size):
    """No file of the server may grow beyond `size` any more: writes fail with EFBIG."""
    hard = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, hard))


def lift_limit(server):
    limit_files(server, resource.RLIM_INFINITY)


def figure(client, name):
    lines = client.call("INFO", "persistence").decode().splitlines()
    return next(line.split(":", 1)[1] for line in lines if line.startswith(name + ":"))


def append_only(policy):
    return ["--appendonly", "yes", "--appendfsync", policy, "--save", ""]


def refused(reply):
    return isinstance(reply, ErrorReply) and reply.startswith(b"MISCONF")


def refused_soon(client):
    return wait_until(lambda: refused(client.call("SET", "other", LARGE)), 10)


def full_disk_every_second(checks):
    """Writes are refused, reads go on, and so do writes once there is room."""
    for threads in (1, 4):
        with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder:
            with Server(append_only("everysec"), threads=threads, folder=folder) as server, server.client() as client:
                for i in range(100):
                    client.call("SET", f"k{i}", i)
                limit_files(server, 100_000)
                checks.true(f"threads {threads}: writes are refused", refused_soon(client), "they are not")
                checks.equal("a transaction", [client.call("MULTI"), refused(client.call("SET", "t", "1")),
                                               client.call("EXEC")[:9]], [b"OK", True, b"EXECABORT"])
                checks.equal("reads go on", client.call("GET", "k7"), b"7")
                checks.equal("INFO", figure(client, "aof_last_write_status"), "err")
                checks.contains("log", server.log_text(), "Error writing to the AOF file")
                lift_limit(server)
                checks.equal("recovery", wait_until(lambda: client.call("SET", "after", "1") == b"OK", 10), True)
                checks.equal("INFO", figure(client, "aof_last_write_status"), "ok")
                server.kill()
            with Server(append_only("everysec"), threads=threads, folder=folder) as server, server.client() as client:
                checks.equal("what came before", client.call("GET", "k99"), b"99")
                checks.equal("in the middle", client.call("GET", "other"), LARGE.encode())


def crash_on_a_full_disk(checks):
    """What fitted in is there: no torn record remains."""
    with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder:
        with Server(append_only("everysec"), folder=folder) as server, server.client() as client:
            client.call("SET", "k", "v")
            limit_files(server, 50_000)
            checks.true("writes are refused", refused_soon(client), "they are not")
            server.kill()
        with Server([*append_only("everysec"), "--aof-load-truncated", "no"], folder=folder) as server:
            with server.client() as client:
                checks.equal("the data set", client.call("GET", "k"), b"v")


def full_disk_always(checks):
    """The server ends rather than to acknowledge what is not on disk."""
    for threads in (1, 4):
        with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder:
            acknowledged = 0
            with Server(append_only("always"), threads=threads, folder=folder) as server, server.client() as client:
                limit_files(server, 200_000)
                try:
                    while client.call("SET", f"k{acknowledged}", LARGE) == b"OK":
                        acknowledged += 1
                except GONE:
                    pass
                checks.equal(f"threads {threads}: exit code", server.wait_exit(), 1)
                checks.contains("log", server.log_text(), "Can't recover from AOF write error when the AOF fsync policy is 'always'")
            checks.true("some were acknowledged", acknowledged > 10, acknowledged)
            with Server(append_only("always"), threads=threads, folder=folder) as server, server.client() as client:
                checks.equal("all of them are there", client.call("EXISTS", *(f"k{i}" for i in range(acknowledged))), acknowledged)


def failing_sync_every_second(checks):
    with Server(append_only("everysec")) as server, server.client() as client:
        client.call("SET", "k", "v")
        tracer = traced(server, "fdatasync", "error=EIO")
        if tracer is None:
            return
        checks.true("writes are refused", refused_soon(client), "they are not")
        checks.equal("reads go on", client.call("GET", "k"), b"v")
        client.call("CONFIG", "SET", "rdb-key-save-delay", "1000000")  # the rewrite takes longer than what comes now
        detach(tracer)
        checks.equal("recovery", wait_until(lambda: client.call("SET", "after", "1") == b"OK", 10), True)
        checks.contains("SHUTDOWN is refused", client.call("SHUTDOWN"), b"Errors trying to SHUTDOWN. Check logs.")
        checks.contains("log", server.log_text(), "A failed fsync leaves doubts about what is in the AOF, can't exit.")
        # What the failed sync was for may be gone from the page cache: it is written once more, to another file.
        checks.equal("WAITAOF", client.call("WAITAOF", 1, 0, 30000), [1, 0])
        checks.true("it was rewritten", int(figure(client, "aof_rewrites")) > 0, "it was not")
        checks.contains("log", server.log_text(), "a failed fsync leaves doubts")


def failing_sync_always(checks):
    with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder:
        with Server(append_only("always"), folder=folder) as server, server.client() as client:
            client.call("SET", "k", "v")
            tracer = traced(server, "fdatasync", "error=EIO")
            if tracer is None:
                return
            client.send("SET", "k", "not on disk")
            try:
                reply = client.read()
            except GONE:
                reply = None
            checks.equal("no acknowledgement", reply, None)
            checks.equal("exit code", server.wait_exit(), 1)
            detach(tracer)
        with Server(append_only("always"), folder=folder) as server, server.client() as client:
            checks.true("the key", client.call("GET", "k") in (b"v", b"not on disk"), "neither")


def failing_rewrite(checks):
    """A rewrite that cannot write its base changes nothing."""
    with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder:
        with Server(append_only("always"), folder=folder) as server, server.client() as client:
            for i in range(50):
                client.call("SET", f"k{i}", os.urandom(5000))
            limit_files(server, 100_000)  # the new increment has room, the new base has not
            client.call("BGREWRITEAOF")
            wait_until(lambda: figure(client, "aof_rewrite_in_progress") == "0")
            checks.equal("INFO", figure(client, "aof_last_bgrewrite_status"), "err")
            checks.equal("writes go on", client.call("SET", "after", "1"), b"OK")
            checks.equal("no temporary files", [name for name in os.listdir(folder) if name.startswith("temp")], [])
            lift_limit(server)
            client.call("BGREWRITEAOF")
            wait_until(lambda: figure(client, "aof_rewrite_in_progress") == "0")
            checks.equal("INFO", figure(client, "aof_last_bgrewrite_status"), "ok")
            client.call("SET", "last", "1")
            server.kill()
        with Server(append_only("always"), folder=folder) as server, server.client() as client:
            checks.equal("everything is there", client.call("DBSIZE"), 52)


def failing_snapshot(checks):
    """A directory in the place of dump.rdb."""
    with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder:
        with Server(["--save", "3600 1"], folder=folder, threads=2) as server, server.client() as client:
            client.call("SET", "k", "v")
            os.mkdir(os.path.join(folder, "dump.rdb"))
            client.call("BGSAVE")
            checks.equal("INFO", wait_until(lambda: figure(client, "rdb_last_bgsave_status") == "err"), True)
            checks.contains("writes are refused", client.call("SET", "k", "w"),
                            b"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to")
            checks.equal("reads go on", client.call("GET", "k"), b"v")
            checks.equal("no temporary files", [name for name in os.listdir(folder) if name.startswith("temp")], [])
            client.call("CONFIG", "SET", "stop-writes-on-bgsave-error", "no")
            checks.equal("writes, when told so", client.call("SET", "k", "w"), b"OK")
            client.call("CONFIG", "SET", "stop-writes-on-bgsave-error", "yes")
            checks.true("SAVE fails", isinstance(client.call("SAVE"), ErrorReply), "it does not")
            checks.contains("SHUTDOWN is refused", client.call("SHUTDOWN"), b"Errors trying to SHUTDOWN. Check logs.")
            checks.true("SHUTDOWN SAVE is refused", isinstance(client.call("SHUTDOWN", "SAVE"), ErrorReply), "it is not")
            os.rmdir(os.path.join(folder, "dump.rdb"))
            client.call("BGSAVE")
            checks.equal("INFO", wait_until(lambda: figure(client, "rdb_last_bgsave_status") == "ok"), True)
            checks.equal("writes", client.call("SET", "k", "x"), b"OK")


def shutdown_in_spite_of_the_disk(checks):
    for how in ("NOSAVE", "FORCE"):
        with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder:
            with Server(["--save", "3600 1"], folder=folder) as server, server.client() as client:
                client.call("SET", "k", "v")
                os.mkdir(os.path.join(folder, "dump.rdb"))
                checks.true("SHUTDOWN is refused", isinstance(client.call("SHUTDOWN"), ErrorReply), "it is not")
                client.send("SHUTDOWN", how)
                checks.equal(f"SHUTDOWN {how}", client.read_until_closed(), b"")
                checks.equal("exit code", server.wait_exit(), 0)


def always_from_now_on(checks):
    """appendfsync no to always, while something is not synced: readers do not wait for a write that never comes."""
    for policy in ("no", "everysec"):
        with Server(append_only(policy)) as server, server.client(timeout=10) as client:
            client.call("SET", "k", "v")
            checks.equal("CONFIG SET", client.call("CONFIG", "SET", "appendfsync", "always"), b"OK")
            checks.equal("GET", client.call("GET", "k"), b"v")
            checks.equal("SET", client.call("SET", "k", "w"), b"OK")


if __name__ == "__main__":
    sys.exit(run_parts([full_disk_every_second, crash_on_a_full_disk, full_disk_always, failing_sync_every_second,
                        failing_sync_always, failing_rewrite, failing_snapshot, shutdown_in_spite_of_the_disk,
                        always_from_now_on]))
