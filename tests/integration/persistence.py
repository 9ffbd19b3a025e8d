#!/usr/bin/python3
"""What is on disk after rewrites, switches and sudden ends is what the clients were told."""

import os
import pathlib
import signal
import sys
import tempfile
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from checks import run_parts  # noqa: E402
from resp_client import Disconnected  # noqa: E402
from server_process import Server, run_to_exit, wait_until  # noqa: E402


def info(client):
    text = client.call("INFO", "persistence").decode()
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


def rewritten(client):
    def idle():
        figures = info(client)
        return figures["aof_rewrite_in_progress"] == figures["aof_rewrite_scheduled"] == "0"

    return wait_until(idle)


def manifest(folder):
    return (pathlib.Path(folder) / "appendonlydir" / "appendonly.aof.manifest").read_text()


def fields_that_expired_meanwhile(checks):
    """Records were made while fields of hashes were alive: a replay after their time does the same to them."""
    options = ["--appendonly", "yes", "--save", "", "--enable-debug-command", "yes"]
    with Server(options) as server, server.client() as client:
        for words in (("DEBUG", "SET-ACTIVE-EXPIRE", 0),
                      ("HSET", "all", "field", 1, "other", 1), ("HSET", "none", "field", 1), ("HSET", "sum", "field", 1),
                      ("HSET", "only", "field", 1), ("HSET", "kept", "field", 1, "other", 1), ("HSET", "later", "field", 1)):
            client.call(*words)
        now = client.call("TIME")
        moment = int(now[0]) * 1000 + int(now[1]) // 1000 + 300
        for key in ("all", "none", "sum", "only", "kept", "later"):
            checks.equal(f"{key} gets a time", client.call("HPEXPIREAT", key, moment, "FIELDS", 1, "field"), [1])
        checks.equal("HSETEX FXX", client.call("HSETEX", "all", "FXX", "FIELDS", 2, "field", 2, "other", 2), 1)
        checks.equal("HSETEX FNX", client.call("HSETEX", "none", "FNX", "FIELDS", 1, "new", 2), 1)
        checks.equal("HSETNX", client.call("HSETNX", "only", "field", 2), 0)
        checks.equal("HINCRBY", client.call("HINCRBY", "sum", "field", 1), 2)
        checks.equal("HSET", client.call("HSET", "only", "other", 2), 1)
        checks.equal("HPERSIST", client.call("HPERSIST", "kept", "FIELDS", 1, "field"), [1])
        checks.equal("a later time", client.call("HEXPIRE", "later", 1000, "FIELDS", 1, "field"), [1])
        client.call("DEBUG", "SLEEP", 0.4)
        for when in ("before", "after"):
            for key, fields in {"all": {b"field": b"2", b"other": b"2"}, "none": {b"new": b"2"}, "sum": {},
                                "only": {b"other": b"2"}, "kept": {b"field": b"1", b"other": b"1"},
                                "later": {b"field": b"1"}}.items():
                found = client.call("HGETALL", key)
                checks.equal(f"{key} {when} the replay", dict(zip(found[::2], found[1::2])), fields)
            checks.equal("the replay", client.call("DEBUG", "LOADAOF"), b"OK")


def acknowledged_is_durable(checks):
    """appendfsync always: clients count while files are rewritten; the process is killed; no count is lost."""
    with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder:
        options = ["--dir", folder, "--appendonly", "yes", "--appendfsync", "always", "--save", ""]
        told = [0] * 4
        for life in range(3):
            with Server(options, threads=4) as server:
                with server.client() as client:
                    for i, count in enumerate(told):
                        found = int(client.call("GET", f"counter:{i}") or 0)
                        checks.true(f"life {life}, counter {i}", count <= found <= count + 1, f"{found} after {count}")
                        told[i] = found

                def count(i, server=server):
                    try:
                        with server.client() as client:
                            while True:
                                told[i] = client.call("INCR", f"counter:{i}")
                    except (OSError, Disconnected):
                        pass

                threads = [threading.Thread(target=count, args=(i,)) for i in range(len(told))]
                before = list(told)
                for thread in threads:
                    thread.start()
                with server.client() as client:
                    for _ in range(3):
                        client.call("BGREWRITEAOF")
                        checks.true("the rewrite ends", rewritten(client))
                    client.call("BGREWRITEAOF")
                wait_until(lambda: all(now > then for now, then in zip(told, before)))
                server.process.kill()
                for thread in threads:
                    thread.join()


def switched_on_during_a_rewrite(checks):
    """A rewrite that began while the log was off says nothing about what came after."""
    with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder:
        options = ["--dir", folder, "--save", ""]
        with Server(options) as server, server.client() as client:
            client.call("MSET", *(word for i in range(50) for word in (f"k{i}", "v")))
            client.call("CONFIG", "SET", "rdb-key-save-delay", "10000")
            client.call("BGREWRITEAOF")
            checks.equal("switched on", client.call("CONFIG", "SET", "appendonly", "yes"), b"OK")
            checks.equal("and another one begins at once", info(client)["aof_rewrite_in_progress"], "1")
            client.call("CONFIG", "SET", "rdb-key-save-delay", "0")
            client.call("SET", "late", "1")
            checks.true("the base is made", rewritten(client))
            client.call("SET", "later", "1")
            checks.equal("status", info(client)["aof_last_bgrewrite_status"], "ok")
            client.call("CONFIG", "SET", "appendfsync", "always")
            client.call("SET", "last", "1")
            server.process.kill()
        with Server([*options, "--appendonly", "yes"]) as server, server.client() as client:
            checks.equal("keys", client.call("DBSIZE"), 53)


def no_end_before_the_first_base(checks):
    """What is acknowledged while the first append-only file is written is in no file: only FORCE lets the server end."""
    refusal = b"ERR Errors trying to SHUTDOWN. Check logs."
    waits_for_another_child = ("BGSAVE",)
    for prepare in ((), waits_for_another_child):
        with checks.part(f"after {prepare or 'nothing'}"), Server(["--save", ""]) as server, server.client() as client:
            client.call("SET", "k", "v")
            client.call("CONFIG", "SET", "rdb-key-save-delay", "10000000")
            if prepare:
                client.call(*prepare)
            client.call("CONFIG", "SET", "appendonly", "yes")
            told = 0
            for words in ((), ("NOSAVE",), ("SAVE",), ("NOW",)):
                checks.equal(f"SHUTDOWN {words}", client.call("SHUTDOWN", *words), refusal)
                told += 1
                checks.true("log", wait_until(lambda: server.log_text().count("Writing initial AOF, can't exit") == told))
            server.process.send_signal(signal.SIGTERM)
            checks.true("SIGTERM", wait_until(lambda: "SIGTERM received but errors" in server.log_text()))
            child = "rdb_bgsave_in_progress" if prepare else "aof_rewrite_in_progress"
            checks.equal("the child goes on", info(client)[child], "1")
            checks.equal("the server, too", client.call("GET", "k"), b"v")
            client.send("SHUTDOWN", "FORCE")
            checks.equal("SHUTDOWN FORCE", client.read_until_closed(), b"")
            checks.equal("exit code", server.wait_exit(), 0)
    with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder:
        options = ["--save", "", "--dir", folder]
        with Server(options) as server, server.client() as client:
            client.call("SET", "k", "v")
            client.call("CONFIG", "SET", "appendonly", "yes")
            checks.true("the base is made", rewritten(client))
            client.send("SHUTDOWN")
            checks.equal("SHUTDOWN afterwards", client.read_until_closed(), b"")
            checks.equal("exit code", server.wait_exit(), 0)
        with Server([*options, "--appendonly", "yes"]) as server, server.client() as client:
            checks.equal("the key", client.call("GET", "k"), b"v")
    with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder:
        options = ["--save", "", "--dir", folder]
        with Server(options) as server, server.client() as client:
            client.call("SET", "k", "v")
            client.call("CONFIG", "SET", "rdb-key-save-delay", "500000")
            client.call("CONFIG", "SET", "appendonly", "yes")
            server.process.send_signal(signal.SIGTERM)
            checks.true("SIGTERM is refused", wait_until(lambda: "SIGTERM received but errors" in server.log_text()))
            checks.equal("and acted on when the base is there", server.wait_exit(), 0)
        with Server([*options, "--appendonly", "yes"]) as server, server.client() as client:
            checks.equal("nothing is lost", client.call("GET", "k"), b"v")


def the_name_of_a_base_tells_what_is_in_it(checks):
    """aof-use-rdb-preamble decides when the rewrite begins; a change while it goes on is for the next."""
    for at_first, then, ending in (("yes", "no", "base.rdb"), ("no", "yes", "base.aof")):
        with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder:
            options = ["--save", "", "--dir", folder, "--appendonly", "yes", "--aof-use-rdb-preamble", at_first]
            with checks.part(f"{at_first}, then {then}"), Server(options) as server, server.client() as client:
                client.call("MSET", *(word for i in range(50) for word in (f"k{i}", "v")))
                client.call("CONFIG", "SET", "rdb-key-save-delay", "10000")
                client.call("BGREWRITEAOF")
                client.call("CONFIG", "SET", "aof-use-rdb-preamble", then)
                checks.equal("it goes on", info(client)["aof_rewrite_in_progress"], "1")
                checks.true("rewritten", rewritten(client))
                checks.contains("name", manifest(folder), f"appendonly.aof.2.{ending}")
                begins = (pathlib.Path(folder, "appendonlydir") / f"appendonly.aof.2.{ending}").read_bytes()[:5]
                checks.equal("content", begins == b"REDIS", ending.endswith("rdb"))


def history_keeps_its_names(checks):
    """A new increment must not be called as one that is yet to be deleted: it would be deleted itself."""
    with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder:
        options = ["--dir", folder, "--save", "", "--appendonly", "yes"]
        with Server([*options, "--aof-disable-auto-gc", "yes"]) as server, server.client() as client:
            client.call("CONFIG", "SET", "appendonly", "no")
            client.call("BGREWRITEAOF")
            checks.true("rewritten", rewritten(client))
            checks.contains("history", manifest(folder), "file appendonly.aof.1.incr.aof seq 1 type h")
            checks.equal("the manifest is read again", client.call("DEBUG", "LOADAOF"), b"OK")
            client.call("CONFIG", "SET", "appendonly", "yes")
            checks.true("switched on", rewritten(client))
            checks.contains("another name", manifest(folder), "file appendonly.aof.2.incr.aof seq 2 type i")
            client.call("CONFIG", "SET", "aof-disable-auto-gc", "no")
            checks.true("the history is forgotten", "type h" not in manifest(folder), manifest(folder))
            client.call("SET", "k", "v")
        checks.true("the increment is there", os.path.exists(f"{folder}/appendonlydir/appendonly.aof.2.incr.aof"))


def a_tail_of_zeros(checks):
    """What a power cut leaves on some file systems: the file is long enough, and its last bytes were never written."""
    with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder:
        options = ["--save", "", "--appendonly", "yes", "--aof-use-rdb-preamble", "no"]
        alone = ["--dir", folder, "--port", "0", "--unixsocket", f"{folder}/socket", *options]
        with Server(options, folder=folder) as server, server.client() as client:
            client.call("SET", "kept", "v")
        increment = pathlib.Path(folder, "appendonlydir", "appendonly.aof.1.incr.aof")
        whole = increment.read_bytes()
        for what, torn in (("only zeros", b""), ("half a record", b"*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$50\r\nabc"),
                           ("half a transaction", b"*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$1\r\nv\r\n")):
            increment.write_bytes(whole + torn + bytes(500))
            code, output = run_to_exit([*alone, "--aof-load-truncated", "no"], cwd=folder)
            checks.equal(f"{what}: refused when asked to", code, 1)
            checks.contains(f"{what}: why", output, "Unexpected end of file reading the append only file")
            with Server(options, folder=folder) as server, server.client() as client:
                checks.equal(f"{what}: what was written", client.call("DBSIZE"), 1)
                checks.equal(f"{what}: cut off", increment.stat().st_size, len(whole))
        increment.write_bytes(whole + b"rubbish" + bytes(500))
        code, output = run_to_exit(alone, cwd=folder)
        checks.equal("rubbish is refused", code, 1)
        checks.contains("rubbish", output, "Bad file format reading the append only file")


def records_are_canonical(checks):
    """However a client writes a request, and wherever the network cuts it, the file holds it in the one usual form."""
    usual = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$10\r\n0123456789\r\n"
    ways = [usual,
            b"SET k 0123456789\r\n",
            b"*3\r\n$3\r\nSET??$1\r\nk\r\n$10\r\n0123456789\r\n",
            b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$10\r\n0123456789\n\n",
            b"*3\r?$3\r\nSET\r\n$1\r?k\r\n$10\r\n0123456789\r\n"]
    with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder:
        with Server(["--dir", folder, "--appendonly", "yes", "--save", ""], threads=1) as server, server.client() as client, \
                server.client() as other:
            client.call("SET", "k", "first")  # comes with a SELECT
            increment = pathlib.Path(folder) / "appendonlydir" / "appendonly.aof.1.incr.aof"

            def record_of(*pieces):
                before = increment.stat().st_size
                for piece in pieces:
                    client.send_raw(piece)
                    if piece is not pieces[-1]:
                        other.call("PING")  # the piece has been read
                checks.equal(f"{pieces}", client.read(), b"OK")
                checks.equal(f"record of {pieces}", increment.read_bytes()[before:], usual)

            for way in ways:
                record_of(way)
                for cut in (1, 12, 22, 30, len(way) - 1):
                    record_of(way[:cut], way[cut:])
            # Two in one piece, the second of them cut.
            before = increment.stat().st_size
            client.send_raw(usual + ways[2] + usual[:20])
            checks.equal("replies", [client.read(), client.read()], [b"OK", b"OK"])
            client.send_raw(usual[20:])
            checks.equal("the last reply", client.read(), b"OK")
            checks.equal("three records", increment.read_bytes()[before:], usual * 3)


def transactions_in_a_reload(checks):
    """DEBUG LOADAOF has stopped the world; what it replays may want to do so too."""
    with Server(["--appendonly", "yes", "--aof-use-rdb-preamble", "no", "--save", ""], threads=4) as server:
        with server.client() as client, server.client() as other:
            client.call("MSET", "a", "1", "b", "2")
            client.call("FLUSHALL")
            client.call("MULTI")
            client.call("MSET", "a", "3", "c", "4")
            client.call("FLUSHDB")
            client.call("MSET", "a", "5", "c", "6")
            client.call("EXEC")
            checks.equal("reloaded", client.call("DEBUG", "LOADAOF"), b"OK")
            for each in [client, other]:
                checks.equal("values", each.call("MGET", "a", "b", "c"), [b"5", None, b"6"])
                checks.equal("the world goes on", each.call("DBSIZE"), 2)


def flushall_in_a_replay(checks):
    """A start from the append-only file leaves the snapshot file alone."""
    with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder:
        options = ["--dir", folder, "--appendonly", "yes", "--save", "3600", "1"]
        with Server(options) as server, server.client() as client:
            client.call("SET", "k", "v")
            checks.equal("flushed", client.call("FLUSHALL"), b"OK")
            checks.equal("changes", info(client)["rdb_changes_since_last_save"], "0")
            client.call("SET", "k", "v")
            client.send("SHUTDOWN", "NOSAVE")
            server.wait_exit()
        snapshot = pathlib.Path(folder) / "dump.rdb"
        snapshot.write_bytes(b"another file")
        with Server(options) as server, server.client() as client:
            checks.equal("replayed", client.call("GET", "k"), b"v")
            checks.equal("the snapshot is as it was", snapshot.read_bytes(), b"another file")


def uses_leave_no_trace_beside_a_child(checks):
    """A clock that goes on would make the kernel copy a page for each read. With the factor 0 every use counts."""
    options = ["--save", "", "--maxmemory-policy", "allkeys-lfu", "--lfu-log-factor", "0"]
    with Server(options, threads=2) as server, server.client() as client:
        for i in range(1000):
            client.call("SET", f"key:{i}", i)

        def uses():
            before = client.call("OBJECT", "FREQ", "key:1")
            client.call("GET", "key:1")
            return client.call("OBJECT", "FREQ", "key:1") - before

        checks.equal("a use counts", uses(), 1)
        client.call("CONFIG", "SET", "rdb-key-save-delay", "10000000")
        client.call("BGSAVE")
        checks.equal("beside a child", uses(), 0)
        checks.equal("it is still there", info(client)["rdb_bgsave_in_progress"], "1")
        client.call("FLUSHALL")  # stops it
        client.call("SET", "key:1", "1")
        checks.true("afterwards", wait_until(lambda: uses() == 1, 10), "uses count no more")


if __name__ == "__main__":
    sys.exit(run_parts([fields_that_expired_meanwhile, uses_leave_no_trace_beside_a_child, acknowledged_is_durable,
                        switched_on_during_a_rewrite, no_end_before_the_first_base, the_name_of_a_base_tells_what_is_in_it,
                        history_keeps_its_names, a_tail_of_zeros, records_are_canonical, transactions_in_a_reload, flushall_in_a_replay]))
