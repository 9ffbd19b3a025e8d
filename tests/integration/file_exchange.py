#!/usr/bin/python3
"""Snapshots and append-only files go back and forth between this server and stock redis-server.

One makes random data of every type, the other loads its files: DEBUG DIGEST is the same, and so is all that can be seen
of every key; then it writes files of its own, which the first loads. redis-check-* of both accept all of them.

    SEED=n file_exchange.py [PART]     repeats a run
"""

import contextlib
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from checks import run_parts  # noqa: E402
from key_content import content  # noqa: E402
from random_writes import RandomWrites, difficult_commands  # noqa: E402
from rdb_payloads import sample_commands  # noqa: E402
from server_process import SECONDS_MAX, Server, program, wait_until  # noqa: E402

SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 32)))
WRITES = 1500
REFERENCE = shutil.which("redis-server")
THEIRS, OURS = "redis-server", "this server"
DATABASES = 16
MANIFEST = pathlib.Path("appendonlydir", "appendonly.aof.manifest")


class Host(Server):
    """A server of either make on a folder that outlives it."""

    def __init__(self, make, folder, options=(), threads=2):
        common = ["--save", "", "--sanitize-dump-payload", "yes", "--dir", str(folder), *options]
        if make == OURS:
            common = ["--compat-version", "7.0", *common]
        super().__init__(path=program() if make == OURS else REFERENCE, options=common, threads=threads)


def checked_by_both(checks, name, tool, path):
    """redis-check-rdb or redis-check-aof of both servers find nothing."""
    for make, binary in ((OURS, program()), (THEIRS, shutil.which(tool))):
        done = subprocess.run([tool, path.name], executable=binary, cwd=path.parent, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=SECONDS_MAX, check=False)
        checks.equal(f"{name}: {tool} of {make}", (done.returncode, done.stdout[-500:] if done.returncode else b""), (0, b""))


def sizes(client):
    found = []
    for database in range(DATABASES):
        client.call("SELECT", database)
        found.append(client.call("DBSIZE"))
    client.call("SELECT", 0)
    return found


def all_keys(client):
    """(database, key), for all of them."""
    found = []
    for database in range(DATABASES):
        client.call("SELECT", database)
        found += [(database, key) for key in client.call("KEYS", "*")]
    client.call("SELECT", 0)
    return sorted(found)


def difference(one, other, path=""):
    """Where two nested values begin to differ, in a few words."""
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)) and len(one) == len(other):
        for index, (left, right) in enumerate(zip(one, other)):
            if left != right:
                return difference(left, right, f"{path}[{index}]")
    return f"at {path}: {one!r:.300} and {other!r:.300}"


class Facts:
    """What a data set looks like from outside."""

    def __init__(self, client):
        self.sizes = sizes(client)
        self.digest = client.call("DEBUG", "DIGEST")
        self.keys = {}
        for database, key in all_keys(client):
            client.call("SELECT", database)
            self.keys[database, key] = (client.call("PEXPIRETIME", key), client.call("DEBUG", "DIGEST-VALUE", key),
                                        *content(client, key))
        client.call("SELECT", 0)

    ENCODING = 3


LOADED_BY_BOTH, BEFORE_AND_AFTER = True, False


def same(checks, name, got, want, encodings=BEFORE_AND_AFTER):
    """The encoding of a value may tell of its past, and files do not: only who loaded the same file agrees in that."""
    checks.equal(f"{name}: sizes of databases", got.sizes, want.sizes)
    checks.equal(f"{name}: DEBUG DIGEST", got.digest, want.digest)
    checks.equal(f"{name}: keys", sorted(got.keys), sorted(want.keys))
    for place in sorted(set(got.keys) & set(want.keys)):
        here, there = got.keys[place], want.keys[place]
        if encodings == BEFORE_AND_AFTER:
            here, there = (seen[:Facts.ENCODING] + seen[Facts.ENCODING + 1:] for seen in (here, there))
        if here != there:
            parts = list(range(2, len(here))) + [1, 0]  # what differs in the digest, too, differs in something else
            first = next(part for part in parts if here[part] != there[part])
            checks.true(f"{name}: {place}", False, difference(here[first], there[first], f"[{first}]"))


def fill(client, writes):
    for number, (_, commands) in enumerate(sample_commands()):
        for command in commands:
            client.call(*command)
        client.call("RENAME", "k", f"sample:{number}")
    for command in difficult_commands():
        client.call(*command)
    writes.play(client, WRITES)


def copied(source, target):
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    return target


@contextlib.contextmanager
def folders(*names):
    with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as base:
        made = [pathlib.Path(base, name) for name in names]
        for folder in made:
            folder.mkdir()
        yield made


# ---- snapshots ----------------------------------------------------------------------------------------------------


def saved(checks, name, client, folder):
    checks.equal(f"{name}: SAVE", client.call("SAVE"), b"OK")
    checked_by_both(checks, name, "redis-check-rdb", folder / "dump.rdb")


def snapshots(checks, makers, options=()):
    first, second = makers
    seed = f"{SEED} {first} {options}"
    name = f"{first} to {second} {' '.join(options)} (SEED={SEED})"
    with checks.part(name), folders("first", "second") as (one, two):
        with Host(first, one, options) as server, server.client() as client:
            fill(client, RandomWrites(seed))
            want = Facts(client)
            checks.true("there is enough", len(want.keys) > 100, len(want.keys))
            saved(checks, "first", client, one)
        with Host(first, one, options) as server, server.client() as client:
            own = Facts(client)
            same(checks, "loaded by itself", own, want)
        shutil.copy(one / "dump.rdb", two)
        with Host(second, two, options) as server, server.client() as client:
            same(checks, "loaded", Facts(client), own, LOADED_BY_BOTH)
            RandomWrites(seed + " more").play(client, WRITES // 4)
            want = Facts(client)
            saved(checks, "second", client, two)
        shutil.copy(two / "dump.rdb", one)
        with Host(first, one, options) as server, server.client() as client:
            same(checks, "and back", Facts(client), want)


def snapshots_ours_first(checks):
    snapshots(checks, (OURS, THEIRS))
    snapshots(checks, (OURS, THEIRS), ("--rdbcompression", "no", "--rdbchecksum", "no"))


def streams_that_contradict_themselves(checks):
    """Redis trims and lets ids go back in ways that leave nodes behind which only it reads without a word."""
    commands = [
        *[("XADD", "trimmed", f"{i}-0", "f", "v") for i in (1, 2)],
        ("XDEL", "trimmed", "2-0"), ("XTRIM", "trimmed", "MINID", "=", "2-0"),
        *[("XADD", "also trimmed", f"{i}-0", "f", "v") for i in (1, 2)],
        ("XDEL", "also trimmed", "2-0"), ("XTRIM", "also trimmed", "MINID", "=", "2-0"),
        *[("XADD", "back", f"{i}-0", "f", "v") for i in (1, 2, 3)],
        ("XDEL", "back", "3-0"), ("XSETID", "back", "2-0"), ("XADD", "back", "2-5", "f", "w"),
    ]
    questions = [("XLEN", "trimmed"), ("XRANGE", "trimmed", "-", "+"), ("XLEN", "back"), ("XRANGE", "back", "2-5", "2-5"),
                 ("XREVRANGE", "back", "2-9", "-"), ("XADD", "trimmed", "2-1", "f", "v"), ("XRANGE", "trimmed", "-", "+"),
                 ("XADD", "back", "2-7", "f", "x"), ("XRANGE", "back", "2-1", "2-9")]
    for options in ((), ("--appendonly", "yes")):
        with checks.part(f"streams {options}"), folders("first", "second") as (one, two):
            with Host(THEIRS, one, options) as server, server.client() as client:
                for command in commands:
                    client.call(*command)
                checks.equal("SAVE", client.call("SAVE"), b"OK")
                if options:
                    rewritten(checks, "theirs", client)
                end_of(server, client)
            copied(one, two)
            with Host(THEIRS, one, options) as server, server.client() as client:
                want = [client.call(*question) for question in questions]
            with Host(OURS, two, options) as server, server.client() as client:
                checks.equal("replies", [client.call(*question) for question in questions], want)
                checks.equal("told once", server.log_text().count("is put right"), 1)


def snapshots_theirs_first(checks):
    snapshots(checks, (THEIRS, OURS))
    small = [word for limit in ("hash-max-listpack-entries", "zset-max-listpack-entries", "set-max-intset-entries",
                                "list-max-listpack-size") for word in (f"--{limit}", "8")]
    snapshots(checks, (THEIRS, OURS), (*small, "--list-compress-depth", "1"))


# ---- append-only files ---------------------------------------------------------------------------------------------


def rewritten(checks, name, client):
    client.call("BGREWRITEAOF")
    done = b"aof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0\r\n"
    checks.true(f"{name}: the rewrite ends", wait_until(lambda: done in client.call("INFO", "persistence")))
    checks.contains(f"{name}: the rewrite", client.call("INFO", "persistence"), b"aof_last_bgrewrite_status:ok")


def written(checks, name, client, writes):
    """A base of some of the data, and increments with the rest. `client` has begun with them."""
    rewritten(checks, name, client)
    writes.play(client, WRITES // 4)
    return Facts(client)


def end_of(server, client):
    """Without a snapshot; the append-only file is complete."""
    client.send("SHUTDOWN", "NOSAVE")
    client.read_until_closed()
    server.wait_exit()


def loaded_by_both(checks, name, makers, options, folder, elsewhere, want):
    """Redis does not write all that it knows of a stream into its increments: the same file, loaded by both, counts."""
    first, second = makers
    checked_by_both(checks, name, "redis-check-aof", folder / MANIFEST)
    copied(folder, elsewhere)
    with Host(first, folder, options) as server, server.client() as client:
        own = Facts(client)
        if first == OURS:
            same(checks, f"{name}: loaded by itself", own, want)
        end_of(server, client)
    with Host(second, elsewhere, options) as server, server.client() as client:
        same(checks, f"{name}: loaded by both", Facts(client), own, LOADED_BY_BOTH)
        end_of(server, client)


def append_only_files(checks, makers, preamble, timestamps):
    first, second = makers
    options = ["--appendonly", "yes", "--appendfsync", "no", "--aof-use-rdb-preamble", preamble, "--aof-timestamp-enabled",
               timestamps, "--auto-aof-rewrite-percentage", "0"]
    seed = f"{SEED} {first} {preamble} {timestamps}"
    name = f"{first} to {second}, preamble {preamble}, timestamps {timestamps} (SEED={SEED})"
    with checks.part(name), folders("first", "second", "copy") as (one, two, copy):
        with Host(first, one, options) as server, server.client() as client:
            fill(client, RandomWrites(seed))
            want = Facts(client)
            end_of(server, client)
        loaded_by_both(checks, "before a rewrite", makers, options, one, copy, want)
        with Host(first, one, options) as server, server.client() as client:
            want = written(checks, "first", client, RandomWrites(seed + " more"))
            end_of(server, client)
        loaded_by_both(checks, "after a rewrite", makers, options, one, two, want)
        with Host(second, two, options) as server, server.client() as client:
            want = written(checks, "second", client, RandomWrites(seed + " and more"))
            end_of(server, client)
        loaded_by_both(checks, "and back", (second, first), options, two, one, want)


def append_only_ours_first(checks):
    append_only_files(checks, (OURS, THEIRS), "yes", "no")
    append_only_files(checks, (OURS, THEIRS), "no", "yes")


def append_only_theirs_first(checks):
    append_only_files(checks, (THEIRS, OURS), "yes", "yes")
    append_only_files(checks, (THEIRS, OURS), "no", "no")


if __name__ == "__main__":
    print(f"SEED={SEED}", flush=True)
    if REFERENCE is None:
        sys.exit("this test needs redis-server")
    sys.exit(run_parts([snapshots_ours_first, snapshots_theirs_first, streams_that_contradict_themselves,
                        append_only_ours_first, append_only_theirs_first]))
