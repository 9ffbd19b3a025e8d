#!/usr/bin/python3
"""Crashes around snapshots: dump.rdb always is a whole one, the old or the new, and nothing old comes back."""

import os
import pathlib
import random
import sys
import tempfile
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from checks import run_parts  # noqa: E402
from resp_client import Disconnected  # noqa: E402
from server_process import Server, wait_until  # noqa: E402

CRASHES = max(4, int(os.environ.get("CINNABAR_CRASHES", "60")) // 4)
SEED = int(os.environ.get("CINNABAR_CRASH_SEED", random.randrange(1 << 32)))
KEYS = 2000
GONE = (Disconnected, ConnectionError, OSError)


def fill(client, version):
    """The whole data set is of one version."""
    client.call("MSET", *(part for i in range(KEYS) for part in (f"key:{i}", version)))


def versions(client):
    return {int(value) for value in client.call("MGET", *(f"key:{i}" for i in range(KEYS)))}


def saving(client):
    return b"rdb_bgsave_in_progress:1" in client.call("INFO", "persistence")


def temporary_files(folder):
    return sorted(name for name in os.listdir(folder) if name.startswith("temp-"))


def snapshot_without_end(server, command, saved, version):
    """Saves one version after the other until the crash. `saved` holds the last one that was acknowledged."""
    try:
        with server.client() as client:
            while True:
                version += 1
                fill(client, version)
                client.call(command)
                if command == "BGSAVE":
                    while saving(client):
                        pass
                saved.append(version)
    except GONE:
        saved.append(-version)


def crashes_of(checks, command):
    version = 1
    with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder:
        for number in range(CRASHES):
            choose = random.Random(f"{SEED} {command} {number}")
            saved = [version]
            with Server(["--save", ""], threads=choose.choice((1, 4)), folder=folder) as server:
                worker = threading.Thread(target=snapshot_without_end, args=(server, command, saved, version))
                worker.start()
                threading.Event().wait(choose.uniform(0.02, 0.3))
                server.kill()
                worker.join()
            begun, acknowledged = -saved.pop(), saved[-1]
            with Server(["--save", ""], folder=folder) as server, server.client() as client:
                if acknowledged == 1 and client.call("DBSIZE") == 0:
                    continue  # before the first snapshot
                there = versions(client)
                checks.equal(f"{command}, crash {number}: one version", len(there), 1)
                version = max(there)
                checks.true(f"{command}, crash {number}: old or new", acknowledged <= version <= begun,
                            f"{version}, acknowledged {acknowledged}, begun {begun}")
        print(f"    {command}: {CRASHES} crashes, {version} versions, left over: {temporary_files(folder)}")


def background(checks):
    crashes_of(checks, "BGSAVE")


def foreground(checks):
    crashes_of(checks, "SAVE")


def child_ends_with_its_parent(checks):
    """A snapshot of the server that crashed does not take the place of what the next one has saved."""
    with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder:
        with Server(["--save", "", "--rdb-key-save-delay", "200"], folder=folder) as server, server.client() as client:
            fill(client, 1)  # 0.4 seconds of work for the child
            client.call("BGSAVE")
            checks.true("the child writes", wait_until(lambda: temporary_files(folder)), "it does not")
            server.kill()
            with Server(["--save", ""], folder=folder) as second, second.client() as client:
                fill(client, 2)
                checks.equal("SAVE", client.call("SAVE"), b"OK")
                inode = os.stat(os.path.join(folder, "dump.rdb")).st_ino
                wait_until(lambda: os.stat(os.path.join(folder, "dump.rdb")).st_ino != inode, 1.5)
                second.kill()
        with Server(["--save", ""], folder=folder) as server, server.client() as client:
            checks.equal("the version that was saved last", versions(client), {2})


def stopped_children_clean_up(checks):
    """FLUSHALL and SHUTDOWN end a running snapshot, and its file goes with it."""
    with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder:
        with Server(["--save", "", "--rdb-key-save-delay", "1000"], folder=folder) as server, server.client() as client:
            for end in (("FLUSHALL",), ("SHUTDOWN", "NOSAVE")):
                fill(client, 1)
                client.call("BGSAVE")
                checks.true("the child writes", wait_until(lambda: temporary_files(folder)), "it does not")
                client.send(*end)
                client.read() if end == ("FLUSHALL",) else client.read_until_closed()
                checks.equal(f"{end[0]}: nothing is left", wait_until(lambda: temporary_files(folder) == [], 5), True)


if __name__ == "__main__":
    print(f"    repeat with CINNABAR_CRASH_SEED={SEED}")
    sys.exit(run_parts([background, foreground, child_ends_with_its_parent, stopped_children_clean_up]))
