#!/usr/bin/python3
"""redis-check-rdb and redis-check-aof beside those of stock Redis: same lines, same exit codes, same files afterwards.

Files come from this server, from stock redis-server, and from a table of good, cut, damaged and odd ones. Where Redis
prints what only its own source explains (a line of rdb.c), or this server knows more, the verdict alone is compared.
"""

import os
import pathlib
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from checks import run_parts  # noqa: E402
from rdb_payloads import flagged_node, sample_commands, stream  # noqa: E402
from server_process import Server, program, run_to_exit, wait_until  # noqa: E402

SECONDS_MAX = 60
RDB, AOF = "redis-check-rdb", "redis-check-aof"
REFERENCE = shutil.which("redis-server")
HAVE_REFERENCE = bool(REFERENCE and shutil.which(RDB) and shutil.which(AOF))
PING = b"*1\r\n$4\r\nPING\r\n"
MULTI, EXEC = b"*1\r\n$5\r\nMULTI\r\n", b"*1\r\n$4\r\nEXEC\r\n"
SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 32)))


class Run:
    """A tool that has ended: its lines without the summary, its exit code."""

    def __init__(self, tool, arguments, folder, ours=True, answer=""):
        done = subprocess.run([tool, *arguments], executable=program() if ours else shutil.which(tool), cwd=folder,
                              input=answer.encode(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=SECONDS_MAX, check=False)
        self.code = done.returncode
        self.text = done.stdout.decode("latin-1")
        self.summary = [line for line in self.text.split("\n") if line.startswith("[summary] ")]
        lines = [re.sub(r"^\d+:C .{24} # ?", "", line) for line in self.text.split("\n")]
        self.lines = [line for line in lines if line and not line.startswith("[summary] ")]

    def explained_by_source(self):
        return "rdb.c:" in self.text or "(unknown)" in self.text


def write_files(folder, files):
    for name, data in files.items():
        (folder / name).write_bytes(data)


def read_files(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def exactly(lines):
    return lines


def without_end_offset(lines):
    """Ours sees that a collection cannot be whole where it begins, Redis where the bytes end."""
    return [re.sub(r"^\[offset \d+\] Unexpected EOF", "Unexpected EOF", line) for line in lines]


def nothing(_):
    return None


def compare(checks, name, tool, arguments, files, answer="", lines=exactly):
    """`lines` says what of them is compared. Returns what ours printed, and the files as it left them."""
    with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as base:
        folders = [pathlib.Path(base, "ours"), pathlib.Path(base, "theirs")]
        for folder in folders:
            folder.mkdir()
            write_files(folder, files)
        ours = Run(tool, arguments, folders[0], answer=answer)
        checks.true(f"{name}: ends by itself", ours.code in (0, 1), f"code {ours.code}")
        left = read_files(folders[0])
        if HAVE_REFERENCE:
            theirs = Run(tool, arguments, folders[1], ours=False, answer=answer)
            checks.equal(f"{name}: exit code", ours.code, theirs.code)
            checks.true(f"{name}: same files afterwards", left == read_files(folders[1]))
            if not theirs.explained_by_source():
                checks.equal(f"{name}: lines", lines(ours.lines), lines(theirs.lines))
        return ours, left


# ---- snapshots ----------------------------------------------------------------------------------------------------


def entry(key=b"\x01k", value=b"\x01v"):
    return b"\x00" + key + value


def odd_snapshots():
    """(name, bytes)"""
    head, end = b"REDIS0010", b"\xff" + bytes(8)
    first = head + b"\xfe\x00"
    past, future = b"\xfc" + struct.pack("<q", 1), b"\xfc" + struct.pack("<q", 1 << 62)
    yield "no bytes", b""
    yield "no snapshot", b"hello world foo"
    yield "no checksum", first + entry() + end
    yield "expired", first + past + entry() + end
    yield "expired, in seconds", first + b"\xfd" + struct.pack("<i", 1) + entry() + end
    yield "expires", first + future + entry() + entry(b"\x01l") + end
    yield "cut in an expiry", first + b"\xfc\0\0"
    yield "cut in an expiry in seconds", first + b"\xfd\0\0"
    yield "cut behind an expiry", first + future
    yield "cut in the key", first + future + b"\0"
    yield "cut in the value", first + past + b"\0\x01k"
    yield "cut in the sizes", first + b"\xfb\x01"
    yield "cut in the idle time", first + b"\xf8"
    yield "cut in the frequency", first + b"\xf9"
    yield "version 4", b"REDIS0004\xfe\x00" + entry() + b"\xff"
    yield "version 4 and more", b"REDIS0004\xfe\x00" + entry() + b"\xff123"
    yield "version 0", b"REDIS0000\xfe\x00" + entry() + end
    yield "version 1010", b"REDIS1010\xfe\x00" + entry() + end
    yield "more behind the end", first + entry() + end + b"garbage"
    yield "key with a line feed", first + b"\x00\x03a\nb\x05"
    yield "fact with percent signs", head + b"\xfa\x03%%s\x05%%%%s" + end
    yield "wrong checksum", first + entry() + b"\xff" + b"12345678"
    for kind in [8, 26, 100, 243]:
        yield f"type {kind}", first + bytes([kind]) + b"\x01k"
    for kind in [*range(0, 6), *range(9, 15), 16, 17, 18]:
        yield f"type {kind}, cut", first + bytes([kind]) + b"\x01k"


def check_odd_snapshots(checks):
    for name, data in odd_snapshots():
        compare(checks, name, RDB, ["dump.rdb"], {"dump.rdb": data})


def check_what_loading_refuses(checks):
    """Redis knows functions, and its tool does not look for keys that are there twice. Loading is the judge."""
    head, end = b"REDIS0010\xfe\x00", b"\xff" + bytes(8)
    past = b"\xfc" + struct.pack("<q", 1)
    twice = "RDB has duplicated key 'k' in DB 0"
    dead = stream(2, [flagged_node((5, 0), (0, 1), [(3, 5, 0)])], 0, (5, 0), added=1)
    for name, data, fault in [
            ("a key twice", head + entry() + entry(b"\x01l") + entry() + end, twice),
            ("a key twice, once expired", head + past + entry() + entry() + end, None),
            ("a key in two databases", head + entry() + b"\xfe\x01" + entry() + end, None),
            ("a node without live entries", head + b"\x13\x01k" + dead + end, None)]:
        with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder:
            pathlib.Path(folder, "dump.rdb").write_bytes(data)
            run = Run(RDB, ["dump.rdb"], folder)
            checks.equal(f"{name}: exit code", run.code, 1 if fault else 0)
            if fault is None:
                with Server(options=["--save", ""], folder=folder) as server, server.client() as client:
                    checks.true(f"{name}: is loaded", client.call("EXISTS", "k") == 1)
                continue
            checks.contains(f"{name}: the tool", run.text, fault)
            code, log = run_to_exit(["--save", "", "--dir", folder])
            checks.true(f"{name}: the server", code != 0 and fault in log, log)
            with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as parts:
                write_files(pathlib.Path(parts), {"a.manifest": manifest(("b", 1, "b")), "b": data})
                checks.equal(f"{name}: as a base", Run(AOF, ["a.manifest"], parts).code, 1)


def check_arguments(checks):
    for tool, arguments in [(RDB, []), (RDB, ["a", "b"]), (AOF, []), (AOF, ["--foo", "a"]), (AOF, ["a", "--fix"]),
                            (AOF, ["--fix"]), (AOF, ["nofile"]), (AOF, ["."]), (AOF, ["a", "b", "c", "d"]),
                            (AOF, ["--truncate-to-timestamp", "x", "a"]), (AOF, ["--truncate-to-timestamp", "1x", "a"])]:
        compare(checks, f"{tool} {arguments}", tool, arguments, {})
    with tempfile.TemporaryDirectory() as folder:
        run = Run(RDB, ["nofile"], folder)
        checks.equal("no file", run.code, 1)
        checks.contains("no file", run.text, "No such file or directory")
        checks.contains("version", Run(RDB, ["--version"], folder).text, "redis-check-rdb 7.")
        for family in ("redis", "valkey"):
            for tool, arguments, says in [(f"{family}-check-rdb", [], f"Usage: {family}-check-rdb"),
                                          (f"{family}-check-aof", [], f"Usage: {family}-check-aof"),
                                          (f"{family}-sentinel", [], "Sentinel needs config file on disk to save state"),
                                          (f"/opt/{family}-check-rdb-8", [], f"Usage: /opt/{family}-check-rdb-8")]:
                run = Run(tool, arguments, folder)
                checks.equal(tool, run.code, 1)
                checks.contains(tool, run.text, says)
            checks.contains("the server", Run(f"{family}-server", ["--version"], folder).text, "Redis server v=7.")


def fill(client):
    """Every type and encoding, expiries, two databases."""
    client.call("FLUSHALL")
    for number, (_, commands) in enumerate(sample_commands()):
        for command in commands:
            client.call(*command)
        client.call("RENAME", "k", f"k{number}")
    client.call("SET", "expires", "1", "EX", "10000")
    client.call("SELECT", "3")
    client.call("SET", "foo", "bar")
    client.call("SELECT", "0")


def snapshot_of(path, options=()):
    with Server(options=["--save", "", *options], path=path) as server, server.client() as client:
        fill(client)
        reply = client.call("SAVE")
        if reply != b"OK":
            raise AssertionError(f"SAVE: {reply!r}")
        return pathlib.Path(server.dir, "dump.rdb").read_bytes()


def check_snapshot(checks, data):
    run, _ = compare(checks, "whole", RDB, ["dump.rdb"], {"dump.rdb": data})
    checks.equal("whole", run.code, 0)
    keys = int(re.search(r"\[info\] (\d+) keys read", run.text)[1])
    counted = sum(int(re.search(r": (\d+) keys", line)[1]) for line in run.summary)
    checks.equal("the summary counts all keys", counted, keys)
    chance = random.Random(SEED)
    for _ in range(40):
        cut = chance.randrange(len(data))
        run, _ = compare(checks, f"cut at {cut} (SEED={SEED})", RDB, ["dump.rdb"], {"dump.rdb": data[:cut]},
                         lines=without_end_offset)
        checks.equal(f"cut at {cut} (SEED={SEED})", (run.code, run.summary), (1, []))
        checks.contains(f"cut at {cut} (SEED={SEED})", run.text, "--- RDB ERROR DETECTED ---")
    for _ in range(40):
        at, bit = chance.randrange(9, len(data)), chance.randrange(8)
        damaged = bytearray(data)
        damaged[at] ^= 1 << bit
        run, _ = compare(checks, f"bit {bit} of {at} (SEED={SEED})", RDB, ["dump.rdb"], {"dump.rdb": bytes(damaged)},
                         lines=nothing)
        checks.equal(f"bit {bit} of {at} (SEED={SEED})", run.code, 1)


def check_our_snapshot(checks):
    check_snapshot(checks, snapshot_of(program(), ["--compat-version", "7.0"]))


def check_their_snapshot(checks):
    if HAVE_REFERENCE:
        check_snapshot(checks, snapshot_of(REFERENCE))


# ---- append-only files --------------------------------------------------------------------------------------------

ODD_COMMANDS = [
    b"", PING, PING + PING, b"*1\r\n", b"*a\r\n$4\r\nPING\r\n", b"*1\r\n$4\r\nPINGxx", b"garbage", b"*1\r\n$-1\r\n",
    b"*1\r\n$4x\r\nPING\r\n", b"+OK\r\n", b"*1\r\n+4\r\nPING\r\n", b"*2\r\n$5\r\nMULTI\r\n", b"#TS:12\r\n", b"#TS",
    b"#foo\r\n", b"*1\n$4\r\nPING\r\n", MULTI, EXEC, MULTI + MULTI, MULTI + EXEC + MULTI + PING, b"*0\r\n", b"*-1\r\n",
    b"*1\r\n$1\r\nab\r\n", PING + b"*1\r\n$100\r\nPING\r\n", PING + b"*1\r\n$4x\r\nPING\r\n", MULTI.lower() + EXEC.lower(),
    MULTI + b"garbage", PING + b"#TS:a\r\n" + PING, b"*1\r\n$0\r\n\r\n", b"*2\r\n$4\r\nEXEC\r\n$1\r\na\r\n",
    b"*2\r\n$5\r\nMULTI\r\n$1\r\na\r\n", MULTI + b"*2\r\n$4\r\nECHO\r\n$10\r\na\r\n", b"* 1\r\n$4\r\nPING\r\n",
    b"*+1\r\n$4\r\nPING\r\n", b"*\r\n", b"*99999999999999999999\r\n", b"*1\r\n$99999999999999999999\r\n",
    b"*1\r\n$9999999999\r\n", b"REDI", b"REDIS", b"REDIS0010", b"REDIS0010\xff", b"REDIS0010\xff" + bytes(8) + PING,
    b"REDIS0010\xff" + bytes(8) + b"*1\r\n", b"#TS:1\r\n" + PING + b"#TS:2\r\n" + PING + b"\n",
    b"*1\r\n$" + b"0" * 200 + b"\r\n", b"#" + b"x" * 2000 + b"\r\n", PING + MULTI + PING,
]


def check_odd_commands(checks):
    for data in ODD_COMMANDS:
        name = f"{data[:60]!r}"
        files = {"a.aof": data}
        found, _ = compare(checks, name, AOF, ["a.aof"], files)
        checks.equal(f"{name}: a summary of what is fine", bool(found.summary), found.code == 0)
        _, left = compare(checks, f"{name}, fix", AOF, ["--fix", "a.aof"], files, answer="y\n")
        compare(checks, f"{name}, fixed", AOF, ["a.aof"], left)
        _, left = compare(checks, f"{name}, no", AOF, ["--fix", "a.aof"], files, answer="n\n")
        checks.equal(f"{name}, no: nothing changes", left, files)
        compare(checks, f"{name}, no answer", AOF, ["--fix", "a.aof"], files)


def check_moments(checks):
    data = b"#TS:100\r\n" + PING + b"#TS:200\r\n" + PING + PING + b"#TS:300\r\n" + PING
    snapshot = b"REDIS0010\xff" + bytes(8)
    for moment in [50, 99, 100, 150, 200, 299, 300, 301, 0, -5]:
        for name, content in [("whole", data), ("with garbage", data + b"garbage"), ("with a snapshot", snapshot + data),
                              ("without times", PING), ("cut", PING + b"*1\r\n"), ("bad time", b"#TS:a\r\n" + PING),
                              ("no time", b"#TS:\r\n" + PING), ("other", b"#foo\r\n" + PING), ("empty", b""),
                              ("bad end", b"#TS:1\n" + PING)]:
            compare(checks, f"{name} to {moment}", AOF, ["--truncate-to-timestamp", str(moment), "a.aof"],
                    {"a.aof": content})
    across = b"#TS:100\r\n" + PING + MULTI + b"#TS:200\r\n" + EXEC
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "a.aof")
        path.write_bytes(across)
        run = Run(AOF, ["--truncate-to-timestamp", "150", "a.aof"], folder)
        checks.equal("a transaction across the moment", (run.code, path.read_bytes()), (0, b"#TS:100\r\n" + PING))


def manifest(*lines):
    return "".join(f"file {name} seq {number} type {kind}\n" for name, number, kind in lines).encode()


def check_parts(checks):
    snapshot = b"REDIS0010\xfe\x00" + entry() + b"\xff" + bytes(8)
    cut = PING + b"*1\r\n$4\r\nPI"
    three = manifest(("b", 1, "b"), ("i1", 1, "i"), ("i2", 2, "i"))
    timed = b"#TS:10\r\n" + PING + b"#TS:20\r\n" + PING
    cases = {
        "good": (three, snapshot, PING, PING), "commands as base": (three, PING, PING, PING),
        "base cut": (three, cut, PING, PING), "snapshot cut": (three, snapshot[:-3], PING, PING),
        "first increment cut": (three, snapshot, cut, PING), "last increment cut": (three, snapshot, PING, cut),
        "empty increments": (three, snapshot, b"", b""), "empty base": (three, b"", PING, PING),
        "base alone": (manifest(("b", 1, "b")), snapshot, b"", b""),
        "base alone, cut": (manifest(("b", 1, "b")), cut, b"", b""),
        "snapshot, then a cut command": (manifest(("b", 1, "b")), snapshot + cut, b"", b""),
        "no base": (manifest(("i1", 1, "i")), b"", PING, b""), "history": (manifest(("i1", 1, "h")), b"", PING, b""),
        "times": (three, timed, PING, timed), "times in the last": (three, snapshot, PING, timed),
        "snapshot as increment": (manifest(("b", 1, "i")), snapshot, b"", b""),
        "missing increment": (manifest(("b", 1, "b"), ("x", 1, "i")), snapshot, b"", b""),
        "missing base": (manifest(("x", 1, "b"), ("i1", 1, "i")), b"", PING, b""),
        "path": (manifest(("a/b", 1, "i")), b"", b"", b""), "unknown type": (manifest(("i1", 1, "z")), b"", b"", b""),
        "bad line": (manifest(("i1", 1, "i")) + b"bad\n", b"", b"", b""),
        "order": (manifest(("i1", 2, "i"), ("i2", 1, "i")), b"", b"", b""),
        "no manifest": (b"fil", b"", b"", b""), "comment only": (b"#foo\n", b"", b"", b""),
        "comment first": (b"#foo\n" + three, snapshot, PING, PING), "nothing": (b"", b"", b"", b""),
    }
    for name, (text, base, first, second) in cases.items():
        files = {"a.manifest": text, "b": base, "i1": first, "i2": second}
        compare(checks, name, AOF, ["a.manifest"], files)
        compare(checks, f"{name}, path", AOF, ["./a.manifest"], files)
        _, left = compare(checks, f"{name}, fix", AOF, ["--fix", "a.manifest"], files, answer="y\n")
        compare(checks, f"{name}, fixed", AOF, ["a.manifest"], left)
        for moment in ["5", "15", "30"]:
            compare(checks, f"{name} to {moment}", AOF, ["--truncate-to-timestamp", moment, "a.manifest"], files)
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "a.aof").write_bytes(b"*2\r\n$4\r\nECHO\r\n$4\r\nfile\r\n")
        run = Run(AOF, ["a.aof"], folder)
        checks.equal("a value that looks like a line of a manifest", run.code, 0)


class AppendOnlyServer(Server):
    """Starts with the given append-only folder; its files stay in `folder`."""

    def __init__(self, path, folder):
        super().__init__(path=path, options=["--save", "", "--appendonly", "yes", "--appendfsync", "always",
                                             "--aof-timestamp-enabled", "yes", "--aof-load-truncated", "no",
                                             "--appenddirname", "aof", "--dir", str(folder)])


def make_append_only(path, folder):
    """Base, increment and a transaction; returns how many keys there are."""
    with AppendOnlyServer(path, folder) as server, server.client() as client:
        fill(client)
        client.call("BGREWRITEAOF")
        done = b"aof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0\r\n"
        wait_until(lambda: done in client.call("INFO", "persistence"))
        client.call("MULTI")
        client.call("SET", "m", "1")
        client.call("EXEC")
        client.call("SET", "last", "1")
        return client.call("DBSIZE")


def check_append_only(checks, maker):
    with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder:
        keys = make_append_only(maker, folder)
        parts = pathlib.Path(folder, "aof")
        name = "appendonly.aof.manifest"
        files = read_files(parts)
        run, _ = compare(checks, "whole", AOF, [name], files)
        checks.equal("whole", run.code, 0)
        checks.true("summary", len(run.summary) > 2, run.summary)
        last = max(name for name in files if "incr" in name)
        chance = random.Random(SEED)
        cut = len(files[last]) - chance.randrange(1, 20)
        run, _ = compare(checks, f"cut at {cut}", AOF, [name], files | {last: files[last][:cut]})
        checks.equal("cut", run.code, 1)
        run, fixed = compare(checks, f"cut at {cut}, fix", AOF, ["--fix", name], files | {last: files[last][:cut]},
                             answer="y\n")
        checks.equal("fix", run.code, 0)
        for loader in [program()] + ([REFERENCE] if HAVE_REFERENCE else []):
            write_files(parts, fixed)
            with AppendOnlyServer(loader, folder) as server, server.client() as client:
                checks.equal(f"{loader} loads what was fixed", client.call("DBSIZE"), keys - 1)


def check_our_append_only(checks):
    check_append_only(checks, program())


def check_their_append_only(checks):
    if HAVE_REFERENCE:
        check_append_only(checks, REFERENCE)


if __name__ == "__main__":
    sys.exit(run_parts([check_arguments, check_odd_snapshots, check_what_loading_refuses, check_our_snapshot, check_their_snapshot,
                        check_odd_commands, check_moments, check_parts, check_our_append_only,
                        check_their_append_only]))
