#!/usr/bin/python3
"""Power cuts: what only the page cache knew is gone. What is there after the restart?

The writers and their oracle are those of crash.py; beside them, writers whose transactions all append to one list, so that
what survives is known to be a prefix of the journal across shards. With `appendfsync always` everything that was
acknowledged before the cut is there; with `everysec` all but the last second. (What is acknowledged while the cut goes on
does not count: a sync that overtakes the end of ext4's journal is told of success. Power would be gone by then.) After
SAVE, BGSAVE and SHUTDOWN have said so, their data set is there. CINNABAR_CUTS is the number of cuts (10),
CINNABAR_CRASH_SEED repeats a run's choices.
"""

import os
import pathlib
import random
import signal
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from checks import Skipped, run_parts  # noqa: E402
from crash import GONE, SEED, Everything, Quiet, Rewrites, Scene, Switching, Writer, figures  # noqa: E402
from power import Disk, in_own_namespace  # noqa: E402
from resp_client import ErrorReply  # noqa: E402
from server_process import Server, wait_until  # noqa: E402
from tracing import detach, traced  # noqa: E402

CUTS = int(os.environ.get("CINNABAR_CUTS", "10"))
WRITERS = 3
ORDERED = 2
# What `everysec` may lose, with the time that a sync takes while a rewrite writes its base beside it.
LOSS_SECONDS = 1.25


class OrderedWriter:
    """A transaction raises the writer's counter and appends it to the list of all; then a key of its own follows."""

    def __init__(self, number):
        self.number = number

    def run(self, server):
        try:
            with server.client() as client:
                value = int(client.call("GET", f"counter:{self.number}") or 0)
                while True:
                    value += 1
                    for words in (("MULTI",), ("SET", f"counter:{self.number}", value),
                                  ("RPUSH", "order", f"{self.number}:{value}"), ("EXEC",),
                                  ("SET", f"follows:{self.number}", value)):
                        client.send(*words)
                    if any(isinstance(client.read(), ErrorReply) for _ in range(5)):
                        return
        except GONE:
            pass

    def check(self, checks, name, client, order):
        """Its entries are complete, its counter agrees with them, and what follows follows at most one behind."""
        own = [value for number, value in order if number == self.number]
        checks.equal(f"{name}: entries of {self.number}", own, list(range(1, len(own) + 1)))
        checks.equal(f"{name}: counter {self.number}", int(client.call("GET", f"counter:{self.number}") or 0), len(own))
        follows = int(client.call("GET", f"follows:{self.number}") or 0)
        checks.true(f"{name}: what follows {self.number}", len(own) - 1 <= follows <= len(own), f"{follows} of {len(own)}")


def order_of(client):
    return [tuple(int(part) for part in entry.split(b":")) for entry in client.call("LRANGE", "order", 0, -1)]


class Saves(Scene):
    """Snapshots one after the other. What was acknowledged before one began is safe once it is said to be saved."""

    def __init__(self, writers, command):
        super().__init__(writers)
        self.command = command
        self.floor = {writer: writer.base for writer in writers}

    def work(self, client, choose):
        acknowledged = {writer: writer.acknowledged for writer in self.writers}
        reply = client.call(self.command)
        if self.command == "BGSAVE":
            while figures(client)["rdb_bgsave_in_progress"] == "1":
                pass
        if not isinstance(reply, ErrorReply) and figures(client)["rdb_last_bgsave_status"] == "ok":
            self.floor = acknowledged


class Pulse:
    """How late this machine may let anybody be who wants to run: the longest of many short pauses."""

    def __init__(self):
        self.longest = 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        began = time.monotonic()
        while not self.ended.wait(0.01):
            now = time.monotonic()
            self.longest, began = max(self.longest, now - began - 0.01), now

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()


def cut_once(disk, options, threads, choose, writers, scene, seconds):
    """Lets everybody work for a while, and cuts the power under them. Returns the moment, how late it may
    have been on a busy machine, and what the scene says that writers may count on, just before the cut and at the end: what
    it learns from the server behind the cut is not so."""
    with Server(options, threads=threads, folder=disk.folder) as server, Pulse() as pulse:
        workers = [threading.Thread(target=writer.run, args=(server, random.Random(choose.random()))) for writer in writers]
        workers += [threading.Thread(target=OrderedWriter(i).run, args=(server,)) for i in range(ORDERED)]
        workers.append(threading.Thread(target=scene.run, args=(server, random.Random(choose.random()))))
        for worker in workers:
            worker.start()
        threading.Event().wait(choose.uniform(*seconds))
        floor, moment = scene.floor, time.monotonic()
        disk.cut()
        threading.Event().wait(choose.uniform(0, 0.2))  # the server goes on, on a disk that takes nothing
        server.kill()
        for worker in workers:
            worker.join()
    disk.restore()
    return moment, 4 * pulse.longest, [which for which in (floor, scene.floor) if which is not None]


def verify(checks, name, disk, options, threads, writers, floors):
    """Returns when the first acknowledged step was acknowledged that is lost; None after a failure."""
    with Server(options, threads=threads, folder=disk.folder) as server, server.client() as client:
        for i in range(ORDERED):
            OrderedWriter(i).check(checks, name, client, order_of(client))
        first_lost = time.monotonic()
        for writer in writers:
            known = f"from {writer.base}, {floors[writer]} promised, {writer.acknowledged} acknowledged, {writer.sent} sent"
            moments = writer.moments
            count = writer.survived(client, floors[writer])
            if not checks.true(f"{name}: writer {writer.number} finds its steps", count is not None, known):
                return None
            first_lost = min([first_lost, *(when for when, acknowledged in moments if acknowledged > count)])
    return first_lost


def promised(policy, writer, moment, late):
    """What the append-only file promises, as long as it is on."""
    if policy is None:
        return writer.acknowledged
    return writer.acknowledged_before(moment if policy == "always" else moment - LOSS_SECONDS - late)


def scenario(checks, policy, threads, make_scene, cuts, more_options=()):
    """`policy` of the append-only file, None for snapshots alone."""
    options = ["--save", "", *more_options]
    if policy is not None:
        options += ["--appendonly", "yes", "--appendfsync", policy]
    seconds = (1.0, 3.0) if policy == "everysec" else (0.05, 0.7)
    with Disk() as disk:
        writers, survived, longest = [Writer(i) for i in range(WRITERS)], 0, 0
        for number in range(cuts):
            scene = make_scene(writers)
            title = f"{policy}, threads {threads}, {type(scene).__name__}"
            choose = random.Random(f"{SEED} {title} {number}")
            moment, late, limits = cut_once(disk, options, threads, choose, writers, scene, seconds)
            floors = {writer: min([promised(policy, writer, moment, late), *(limit[writer] for limit in limits)])
                      for writer in writers}
            first_lost = verify(checks, f"{title}, cut {number}", disk, options, threads, writers, floors)
            if first_lost is None:
                break
            survived, longest = sum(writer.base for writer in writers), max(longest, moment - first_lost)
        print(f"    {title}: {cuts} cuts, {survived} steps survived, at most {longest:.2f} seconds are missing", flush=True)


def share(part):
    return max(1, round(CUTS * part / 10))


def always(checks):
    scenario(checks, "always", 4, Everything, share(1))
    scenario(checks, "always", 2, Rewrites, share(2))
    scenario(checks, "always", 1, Switching, share(1), ["--aof-use-rdb-preamble", "no"])


def every_second(checks):
    scenario(checks, "everysec", 2, Quiet, share(1))
    scenario(checks, "everysec", 4, Rewrites, share(1))
    scenario(checks, "everysec", 1, Everything, share(1), ["--aof-use-rdb-preamble", "no"])


def snapshots(checks):
    scenario(checks, None, 2, lambda writers: Saves(writers, "SAVE"), share(1))
    scenario(checks, None, 4, lambda writers: Saves(writers, "BGSAVE"), share(1))


ENDS = [(["--save", "3600 1"], ("SHUTDOWN",)), (["--save", ""], ("SHUTDOWN", "SAVE")), (["--save", "3600 1"], None),
        (["--save", "", "--appendonly", "yes"], ("SHUTDOWN",)),
        (["--save", "", "--appendonly", "yes", "--appendfsync", "no"], ("SHUTDOWN", "NOSAVE"))]


def after_shutdown(checks):
    """The power fails as soon as the process has ended: nothing that was acknowledged is missing."""
    for options, command in ENDS:
        for number in range(share(0.5)):
            name = f"{' '.join(options)}: {' '.join(command or ('SIGTERM',))}, cut {number}"
            with Disk() as disk:
                writers = [Writer(i) for i in range(WRITERS)]
                choose = random.Random(f"{SEED} {name}")
                with Server(options, threads=2, folder=disk.folder) as server:
                    workers = [threading.Thread(target=writer.run, args=(server, random.Random(choose.random())))
                               for writer in writers]
                    for worker in workers:
                        worker.start()
                    threading.Event().wait(choose.uniform(0.05, 0.5))
                    if command is None:
                        server.process.send_signal(signal.SIGTERM)
                    else:
                        server.client().send(*command)
                    checks.equal(f"{name}: exit code", server.wait_exit(), 0)
                    disk.cut()
                    for worker in workers:
                        worker.join()
                disk.restore()
                verify(checks, name, disk, options, 2, writers, {writer: writer.acknowledged for writer in writers})


def first_moments(checks):
    """The very first write of a server on an empty disk, and a configuration that was written."""
    for number in range(share(1)):
        with Disk() as disk:
            options = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
            with Server(options, config="maxmemory 1gb\n", folder=disk.folder) as server, server.client() as client:
                if number % 2 == 0:
                    client.call("CONFIG", "SET", "maxmemory", "7000000")
                    checks.equal("CONFIG REWRITE", client.call("CONFIG", "REWRITE"), b"OK")
                checks.equal("SET", client.call("SET", "first", "1"), b"OK")
                disk.cut()
                server.kill()
            disk.restore()
            config = pathlib.Path(disk.folder, "test.conf").read_text() if number % 2 == 0 else "maxmemory 1gb\n"
            with Server(options, config=config, folder=disk.folder) as server, server.client() as client:
                checks.equal(f"{number}: the first write", client.call("GET", "first"), b"1")
                if number % 2 == 0:
                    checks.equal("the configuration", client.call("CONFIG", "GET", "maxmemory")[1], b"7000000")


def forgotten_syncs_are_found_out(checks):
    """The test of the test: a server whose syncs do nothing loses what it acknowledged."""
    with Disk() as disk:
        options = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
        with Server(options, folder=disk.folder) as server, server.client() as client:
            client.call("SET", "synced", "1")
            tracer = traced(server, "fdatasync,fsync", "retval=0")
            if tracer is None:
                raise Skipped("no strace")
            client.call("SET", "not synced", "1")
            disk.cut()
            server.kill()
            detach(tracer)
        disk.restore()
        with Server(options, folder=disk.folder) as server, server.client() as client:
            checks.equal("synced", client.call("GET", "synced"), b"1")
            checks.equal("not synced", client.call("GET", "not synced"), None)


if __name__ == "__main__":
    in_own_namespace()
    print(f"    repeat with CINNABAR_CRASH_SEED={SEED}")
    sys.exit(run_parts([always, every_second, snapshots, after_shutdown, first_moments, forgotten_syncs_are_found_out]))
