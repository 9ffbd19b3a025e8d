#!/usr/bin/python3
"""Libraries of functions outlive the server: in snapshots, in append-only files, on replicas; to and from stock redis-server.

    functions_kept.py [PART]      repeats a part
"""

import contextlib
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from checks import run_parts  # noqa: E402
from replicating import OURS, THEIRS, Host, Proxy, in_step, is_up, number, ours_is_tested, same_data  # noqa: E402
from script_cases import functions  # noqa: E402
from server_process import SECONDS_MAX, program, wait_until  # noqa: E402

HEAD = "#!lua name="
LIBRARIES = [
    functions.PLAIN, functions.WRITER, functions.READER, functions.TWO,
    HEAD + "bytes\nredis.register_function('raw', function() return '\\0\\255\\r\\n' end)",
    HEAD + "large\n-- " + "not much " * 5000 + "\nredis.register_function('large', function() return 'large' end)",
    HEAD + "flags\nredis.register_function{function_name='all_flags', callback=function() return 1 end, flags={'no-writes', 'allow-oom', 'allow-stale', 'no-cluster', 'allow-cross-slot-keys'}, description='All \\r\\n of them'}",
    HEAD + "umlaut\nredis.register_function('umlaut', function() return 'äöü' end)",
    HEAD + "many\nfor i = 1, 40 do redis.register_function('many' .. i, function(keys, args) return {i, #keys, #args} end) end",
]
CALLS = [("FCALL", "f", 1, "a", "b"), ("FCALL", "look", 1, "k"), ("FCALL_RO", "look", 1, "k"), ("FCALL", "up", 0),
    ("FCALL", "raw", 0), ("FCALL", "large", 0), ("FCALL_RO", "all_flags", 0), ("FCALL", "umlaut", 0),
    ("FCALL", "many17", 2, "a", "b", "c")]
PAIRS = [(OURS, THEIRS), (THEIRS, OURS), (OURS, OURS)]


def load(host, libraries=tuple(LIBRARIES)):
    with host.client() as client:
        client.call("SET", "k", "value")
        return [client.call("FUNCTION", "LOAD", "REPLACE", library) for library in libraries]


def listed(host):
    """All that is said of libraries, whatever their order."""
    def plain(reply):
        return sorted((plain(one) for one in reply), key=repr) if isinstance(reply, list) else reply
    return plain(host.ask("FUNCTION", "LIST", "WITHCODE"))


def called(host):
    with host.client() as client:
        return [client.call(*words) for words in CALLS]


def alike(checks, name, host, expected):
    """`expected`: what list and calls gave where the libraries come from."""
    checks.equal(f"{name}: the list", listed(host), expected[0])
    checks.equal(f"{name}: calls", called(host), expected[1])


def fresh(host):
    """List and calls of a server whose functions have not run yet."""
    load(host)
    return listed(host), called(host)


def checked_by_both(checks, name, tool, path):
    for make, binary in ((OURS, program()), (THEIRS, shutil.which(tool))):
        if make == OURS and not ours_is_tested():
            continue
        done = subprocess.run([tool, path.name], executable=binary, cwd=path.parent, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=SECONDS_MAX, check=False)
        checks.equal(f"{name}: {tool} of {make}", (done.returncode, done.stdout[-500:] if done.returncode else b""), (0, b""))


@contextlib.contextmanager
def folder():
    with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as name:
        yield name


def expected_of(make):
    with Host(make) as host:
        return fresh(host)


def snapshots(checks):
    """SAVE, BGSAVE, SHUTDOWN, DEBUG RELOAD."""
    expected = expected_of(THEIRS)
    for writer, reader in PAIRS:
        for how in ("SAVE", "BGSAVE", "SHUTDOWN"):
            for threads in (1, 4):
                with checks.part(f"{writer} writes with {how}, {reader} reads, {threads} threads"), folder() as place:
                    with Host(writer, threads=threads, folder=place) as host:
                        load(host)
                        if how == "SHUTDOWN":
                            with host.client() as client:
                                client.send("SHUTDOWN", "SAVE")
                                host.wait_exit()
                        else:
                            host.ask(how)
                            checks.true("it is saved",
                                wait_until(lambda: host.figures("persistence")["rdb_bgsave_in_progress"] == "0"))
                    checked_by_both(checks, "the file", "redis-check-rdb", pathlib.Path(place, "dump.rdb"))
                    with Host(reader, threads=5 - threads, folder=place) as host:
                        alike(checks, "afterwards", host, expected)
    for threads in (1, 4):
        with checks.part(f"DEBUG RELOAD, {threads} threads"), Host(OURS, threads=threads) as host:
            load(host)
            checks.equal("DEBUG RELOAD", host.ask("DEBUG", "RELOAD"), b"OK")
            alike(checks, "afterwards", host, expected)


def append_only_files(checks):
    """What was loaded, replaced and deleted is in the file; a rewrite puts all of it at the beginning, with and without the
    form of snapshots."""
    expected = expected_of(THEIRS)
    for writer, reader in PAIRS:
        for preamble in ("yes", "no"):
            for rewrite in (False, True):
                with checks.part(f"{writer} writes, {reader} reads, preamble {preamble}, rewrite {rewrite}"), folder() as place:
                    options = ["--appendonly", "yes", "--aof-use-rdb-preamble", preamble]
                    with Host(writer, options, threads=4, folder=place) as host:
                        host.ask("FUNCTION", "LOAD", HEAD + "gone\nredis.register_function('gone', function() end)")
                        host.ask("FUNCTION", "LOAD", functions.PLAIN.replace("'f'", "'old'"))
                        load(host)
                        host.ask("FUNCTION", "DELETE", "gone")
                        if rewrite:
                            host.ask("BGREWRITEAOF")
                            checks.true("it is rewritten",
                                wait_until(lambda: host.figures("persistence")["aof_rewrite_in_progress"] == host.figures("persistence")["aof_rewrite_scheduled"] == "0"))
                        host.ask("FUNCTION", "LOAD", "REPLACE", functions.TWO)
                        checks.equal("in the server", listed(host), expected[0])
                    checked_by_both(checks, "the files", "redis-check-aof",
                        pathlib.Path(place, "appendonlydir", "appendonly.aof.manifest"))
                    with Host(reader, options, threads=1, folder=place) as host:
                        alike(checks, "afterwards", host, expected)


def restored_and_flushed(checks):
    """FUNCTION RESTORE and FLUSH in the file and in the stream."""
    expected = expected_of(THEIRS)
    for writer, reader in PAIRS:
        with checks.part(f"{writer} writes, {reader} reads"), folder() as place:
            options = ["--appendonly", "yes"]
            with Host(writer, options, folder=place) as host, Host(reader) as replica:
                replica.follow(host)
                is_up(checks, reader, replica)
                load(host)
                payload = host.ask("FUNCTION", "DUMP")
                host.ask("FUNCTION", "FLUSH")
                host.ask("FUNCTION", "LOAD", functions.PLAIN.replace("'f'", "'old'"))
                for policy in ("REPLACE", "FLUSH"):
                    checks.equal(f"RESTORE {policy}", host.ask("FUNCTION", "RESTORE", payload, policy), b"OK")
                checks.true("in step", in_step(host, replica))
                checks.equal("on the replica", listed(replica), expected[0])
            with Host(reader, options, folder=place) as host:
                alike(checks, "afterwards", host, expected)


def replicas(checks):
    """By a full synchronisation, which takes away what a replica had of its own, by the stream, and by a partial one."""
    expected = expected_of(THEIRS)
    for primary_make, replica_make in PAIRS:
        for diskless in ("yes", "no"):
            for threads in (1, 4):
                options = ["--repl-diskless-sync", diskless]
                with checks.part(f"{primary_make} to {replica_make}, diskless {diskless}, {threads} threads"), Host(primary_make,
                        options, threads) as primary, \
                        Host(replica_make, ["--repl-diskless-load", "swapdb" if diskless == "yes" else "disabled"],
                            5 - threads) as replica, Proxy(primary) as cable:
                    load(primary)
                    load(replica, [HEAD + "own\nredis.register_function('own', function() end)",
                        functions.PLAIN.replace("'f'", "'mine'")])
                    replica.follow(cable)
                    is_up(checks, replica_make, replica)
                    checks.true("in step", in_step(primary, replica))
                    checks.equal("by a full synchronisation", listed(replica), expected[0])
                    checks.equal("read", replica.ask("FCALL_RO", "look", 1, "k"), b"value")
                    checks.contains("not written", replica.ask("FCALL", "put", 1, "k", "x"), b"READONLY")
                    checks.contains("not loaded", replica.ask("FUNCTION", "LOAD", functions.PLAIN), b"READONLY")
                    streamed(checks, primary, replica)
                    partially(checks, primary, replica, cable)
                    same_data(checks, "in the end", primary, replica)


def streamed(checks, primary, replica):
    primary.ask("FUNCTION", "LOAD",
        HEAD + "late\nredis.register_function('late', function(keys) redis.call('SET', keys[1], 'late') return redis.call('INCR', 'n') end)")
    primary.ask("FUNCTION", "DELETE", "many")
    primary.ask("FUNCTION", "LOAD", "REPLACE", functions.PLAIN.replace("'f'", "'g'"))
    checks.equal("a call", primary.ask("FCALL", "late", 1, "late"), 1)
    checks.true("in step", in_step(primary, replica))
    checks.equal("by the stream", listed(replica), listed(primary))
    checks.equal("its effects", (replica.ask("GET", "late"), replica.ask("GET", "n")), (b"late", b"1"))


def partially(checks, primary, replica, cable):
    syncs = number(primary, "stats", "sync_full")
    cable.refuses = True
    cable.cut()
    primary.ask("FUNCTION", "DELETE", "late")
    primary.ask("FUNCTION", "LOAD", HEAD + "latest\nredis.register_function('latest', function() end)")
    cable.refuses = False
    checks.true("in step again", in_step(primary, replica))
    checks.equal("by a partial synchronisation", (listed(replica), number(primary, "stats", "sync_full")),
        (listed(primary), syncs))


def promoted(checks):
    """A replica that becomes a primary has all of it, and a primary that becomes a replica gives up its own."""
    for first, second in PAIRS:
        with checks.part(f"{first}, then {second}"), Host(first) as one, Host(second) as other:
            load(one)
            other.follow(one)
            is_up(checks, second, other)
            checks.true("in step", in_step(one, other))
            other.follow(None)
            other.ask("FUNCTION", "LOAD", HEAD + "new\nredis.register_function('new', function() return 'new' end)")
            one.ask("FUNCTION", "LOAD", HEAD + "lost\nredis.register_function('lost', function() end)")
            one.follow(other)
            is_up(checks, first, one)
            checks.true("in step the other way", in_step(other, one))
            checks.equal("the same libraries", listed(one), listed(other))
            checks.equal("the new one is there, the lost one is not",
                (one.ask("FCALL_RO", "look", 1, "k"), b"lost" in repr(listed(one)).encode(),
                b"'new'" in repr(listed(one)).encode()), (b"value", False, True))


def scripts_are_not_kept(checks):
    """Texts of EVAL and SCRIPT LOAD end with the server; replicas do not get them either."""
    with folder() as place:
        options = ["--appendonly", "yes"]
        with Host(OURS, options, folder=place) as host, Host(THEIRS) as replica:
            replica.follow(host)
            is_up(checks, "replica", replica)
            digest = host.ask("SCRIPT", "LOAD", "return redis.call('INCR', 'n')")
            checks.equal("EVALSHA", host.ask("EVALSHA", digest, 0), 1)
            checks.true("in step", in_step(host, replica))
            checks.equal("on the replica", (replica.ask("SCRIPT", "EXISTS", digest), replica.ask("GET", "n")), ([0], b"1"))
        with Host(OURS, options, folder=place) as host:
            checks.equal("after a restart", (host.ask("SCRIPT", "EXISTS", digest), host.ask("GET", "n")), ([0], b"1"))


if __name__ == "__main__":
    sys.exit(run_parts([snapshots, append_only_files, restored_and_flushed, replicas, promoted, scripts_are_not_kept]))
