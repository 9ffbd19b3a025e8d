#!/usr/bin/python3
"""kill -9 at random moments, under parallel writers, with the append-only file: what is there after the restart.

Each writer owns some keys and changes them with a sequence of steps: commands on every data type, and transactions.
The data set of a writer after n steps is known, so what is found after a restart tells how many steps survived, and
that none of them is missing in between or half done. Every acknowledged step must be there, whatever `appendfsync`
says: it is about the end of the machine, and here only the process ends. Meanwhile snapshots and rewrites run, or the file is switched off
and on. CINNABAR_CRASHES is the number of crashes (60), CINNABAR_CRASH_SEED repeats a run's choices.
"""

import collections
import os
import pathlib
import random
import sys
import tempfile
import time
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from checks import run_parts  # noqa: E402
from resp_client import Disconnected, ErrorReply, encode  # noqa: E402
from server_process import Server  # noqa: E402

CRASHES = int(os.environ.get("CINNABAR_CRASHES", "60"))
SEED = int(os.environ.get("CINNABAR_CRASH_SEED", random.randrange(1 << 32)))
WRITERS = 4
PIPELINE_MAX = 40
GONE = (Disconnected, ConnectionError, OSError)


class Step:
    """One command or transaction, and what it does to the model of the writer's keys."""

    def __init__(self, commands, is_transaction):
        self.commands, self.is_transaction = commands, is_transaction

    def bytes(self):
        parts = [encode(command) for command in self.commands]
        return b"".join([encode(("MULTI",)), *parts, encode(("EXEC",))]) if self.is_transaction else parts[0]

    def replies(self):
        return len(self.commands) + 2 if self.is_transaction else 1


def command_of(choose, writer, number):
    kind = choose.choice(("string", "append", "count", "list", "trim", "hash", "set", "zset", "stream", "delete", "large"))
    key = f"{writer}:{kind}"
    tag = f"{number}"
    if kind == "string":
        return ("SET", key, tag)
    if kind == "append":
        return ("APPEND", key, tag + ";")
    if kind == "count":
        return ("INCRBY", key, number)
    if kind == "list":
        return ("RPUSH", f"{writer}:list", tag)
    if kind == "trim":
        return ("LTRIM", f"{writer}:list", "-50", "-1")
    if kind == "hash":
        return ("HSET", key, f"f{number % 30}", tag)
    if kind == "set":
        return ("SADD", key, tag) if choose.random() < 0.6 else ("SREM", key, f"{number - choose.randint(1, 60)}")
    if kind == "zset":
        return ("ZADD", key, number, f"m{number % 40}")
    if kind == "stream":
        return ("XADD", key, "MAXLEN", "20", f"{number + 1}-{choose.randint(1, 9)}", "n", tag)
    if kind == "large":
        return ("SET", key, tag * choose.choice((1, 100, 5000)))
    return ("DEL", f"{writer}:" + choose.choice(("append", "list", "hash", "set", "zset", "stream", "large")))


def step_of(writer, number):
    """The same for the same numbers, always."""
    choose = random.Random(f"{SEED} {writer} {number}")
    count = choose.choice((1, 1, 1, 1, 2, 5))
    commands = [command_of(choose, writer, number * 10 + i) for i in range(count)]
    return Step(commands, is_transaction=count > 1)


def add_to_stream(data, key, words):
    data[key] = (data.get(key) or []) + [(words[2].encode(), [word.encode() for word in words[3:]])]
    del data[key][:-20]


def apply(data, command):
    """What a command does to the model: a dict from key to value, in the shape in which `found` reads it."""
    name, key, words = command[0], command[1], [str(word) for word in command[2:]]
    if name == "SET":
        data[key] = words[0].encode()
    elif name == "APPEND":
        data[key] = data.get(key, b"") + words[0].encode()
    elif name == "INCRBY":
        data[key] = b"%d" % (int(data.get(key, b"0")) + int(words[0]))
    elif name == "RPUSH":
        data[key] = data.get(key, []) + [words[0].encode()]
    elif name == "LTRIM" and key in data:
        data[key] = data[key][-50:]
    elif name == "HSET":
        data[key] = {**data.get(key, {}), words[0].encode(): words[1].encode()}
    elif name == "SADD":
        data[key] = data.get(key, frozenset()) | {words[0].encode()}
    elif name == "SREM":
        data[key] = data.get(key, frozenset()) - {words[0].encode()}
    elif name == "ZADD":
        data[key] = {**data.get(key, {}), words[1].encode(): words[0].encode()}
    elif name == "XADD":
        add_to_stream(data, key, words)
    if name == "DEL" or not data.get(key, True):
        data.pop(key, None)


def found(client, writer):
    """What the server holds of a writer's keys."""
    def pairs(reply):
        return dict(zip(reply[::2], reply[1::2]))
    read = {
        "string": ("GET",), "append": ("GET",), "count": ("GET",), "large": ("GET",), "list": ("LRANGE", 0, -1),
        "hash": ("HGETALL",), "set": ("SMEMBERS",), "zset": ("ZRANGE", 0, -1, "WITHSCORES"), "stream": ("XRANGE", "-", "+"),
    }
    shape = {"hash": pairs, "zset": pairs, "set": frozenset, "stream": lambda reply: [tuple(entry) for entry in reply]}
    data = {}
    for kind, (name, *words) in read.items():
        reply = client.call(name, f"{writer}:{kind}", *words)
        if reply:
            data[f"{writer}:{kind}"] = shape.get(kind, lambda same: same)(reply)
    return data


class Writer:
    """Sends its steps in pipelines, and knows which were acknowledged, and when."""

    def __init__(self, number):
        self.number = number
        self.data = {}      # the model after `base` steps: what the last restart proved
        self.base = 0
        self.sent = self.acknowledged = 0
        self.moments = []   # (when, acknowledged)
        self.wrong = []

    def run(self, server, choose):
        try:
            with server.client() as client:
                client.call("SELECT", self.number % 2)
                while True:
                    self.batch(client, choose)
        except GONE:
            pass  # the crash

    def batch(self, client, choose):
        steps = [step_of(self.number, self.sent + i) for i in range(choose.choice((1, 1, 3, PIPELINE_MAX)))]
        self.sent += len(steps)
        client.send_raw(b"".join(step.bytes() for step in steps))
        for step in steps:
            replies = [client.read() for _ in range(step.replies())]
            self.wrong += [reply for reply in replies if isinstance(reply, ErrorReply)]
            self.acknowledged += 1
            self.moments.append((time.monotonic(), self.acknowledged))

    def acknowledged_before(self, moment):
        return max((count for when, count in self.moments if when <= moment), default=self.base)

    def survived(self, client, at_least):
        """How many steps the server's data set holds; None when it is no state that ever was. What was lost is sent again
        after that, so that a run over many crashes has one sequence of steps."""
        client.call("SELECT", self.number % 2)
        actual = found(client, self.number)
        data, count = self.data, self.base
        while True:
            if count >= at_least and data == actual:
                self.data, self.moments = data, []
                self.base = self.sent = self.acknowledged = count
                return count
            if count >= self.sent:
                return None
            for command in step_of(self.number, count).commands:
                apply(data, command)
            count += 1


class Scene:
    """What goes on beside the writers. `floor` maps writers to what they may count on, None: what is acknowledged."""

    def __init__(self, writers):
        self.writers = writers
        self.floor = None

    def work(self, client, choose):
        raise NotImplementedError

    def run(self, server, choose):
        try:
            with server.client() as client:
                while True:
                    self.work(client, choose)
        except GONE:
            pass


class Quiet(Scene):
    def work(self, client, choose):
        client.call("PING")
        threading.Event().wait(0.05)


class Snapshots(Scene):
    def work(self, client, choose):
        client.call("BGSAVE")
        threading.Event().wait(0.02)


def figures(client):
    lines = client.call("INFO", "persistence").decode().splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


class Rewrites(Scene):
    """One after the other: most crashes hit the switch of files."""

    def work(self, client, choose):
        client.call("BGREWRITEAOF")
        while figures(client)["aof_rewrite_in_progress"] == "1":
            pass


class Everything(Scene):
    def work(self, client, choose):
        client.call(choose.choice(("BGSAVE", "BGREWRITEAOF", "PING")))
        if choose.random() < 0.3:
            client.call("BGSAVE", "SCHEDULE")
        threading.Event().wait(choose.random() * 0.05)


class Switching(Scene):
    """appendonly no and yes. What is written while it is off, or before its new base is complete, may be lost."""

    def work(self, client, choose):
        threading.Event().wait(choose.random() * 0.1)
        if self.floor is None:  # else the last switch has failed, and nothing more was promised since
            self.floor = {writer: writer.acknowledged for writer in self.writers}
        if choose.random() < 0.3:
            client.call("BGREWRITEAOF")
        client.call("CONFIG", "SET", "appendonly", "no")
        if choose.random() < 0.3:
            client.call("BGREWRITEAOF")
        threading.Event().wait(choose.random() * 0.05)
        client.call("CONFIG", "SET", "appendonly", "yes")
        while True:
            now = figures(client)
            if now["aof_rewrite_in_progress"] == "0" and now["aof_rewrite_scheduled"] == "0":
                break
        if now["aof_last_bgrewrite_status"] == "ok":
            self.floor = None


def crash_while_loading(options, threads, folder, choose):
    """Starts that do not live to see the end of loading."""
    for _ in range(choose.randint(1, 2)):
        server = Server([*options, "--key-load-delay", "50"], threads=threads, folder=folder)
        server.launch()
        threading.Event().wait(choose.random() * 0.15)
        server.kill()


def crash_once(options, threads, folder, choose, writers, scene):
    """Lets the writers write for a moment; returns when the server has gone."""
    with Server(options, threads=threads, folder=folder) as server:
        workers = [threading.Thread(target=writer.run, args=(server, random.Random(choose.random()))) for writer in writers]
        workers.append(threading.Thread(target=scene.run, args=(server, random.Random(choose.random()))))
        for worker in workers:
            worker.start()
        threading.Event().wait(choose.uniform(0.02, 0.5))
        server.kill()
        for worker in workers:
            worker.join()


def verify(checks, name, options, threads, folder, writers, floors, total):
    """The data set is some number of each writer's steps, no fewer than they may count on."""
    with Server(options, threads=threads, folder=folder) as server, server.client() as client:
        for writer in writers:
            known = f"{floors[writer]} promised, {writer.acknowledged} acknowledged, {writer.sent} sent"
            base, acknowledged = writer.base, writer.acknowledged
            count = writer.survived(client, floors[writer])
            if not checks.true(f"{name}: writer {writer.number} finds its steps", count is not None, f"from {base}, {known}"):
                return False
            checks.equal(f"{name}: no command failed", writer.wrong, [])
            total["steps"] += count - base
            total["acknowledged and lost"] += max(0, acknowledged - count)
            total["found without a reply"] += max(0, count - acknowledged)
    total["crashes"] += 1
    return True


def scenario(checks, policy, threads, scene_type, crashes, more_options=()):
    options = ["--appendonly", "yes", "--appendfsync", policy, "--save", "", *more_options]
    with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder:
        writers, total = [Writer(i) for i in range(WRITERS)], collections.Counter()
        for number in range(crashes):
            choose = random.Random(f"{SEED} {policy} {threads} {scene_type.__name__} {number}")
            scene = scene_type(writers)
            crash_once(options, threads, folder, choose, writers, scene)
            floors = {}
            for writer in writers:
                floor = writer.acknowledged
                floors[writer] = min(floor, scene.floor[writer]) if scene.floor is not None else floor
            if choose.random() < 0.25:
                crash_while_loading(options, threads, folder, choose)
            name = f"{policy}, threads {threads}, {scene_type.__name__}, crash {number}"
            if not verify(checks, name, options, threads, folder, writers, floors, total):
                if kept := os.environ.get("CINNABAR_CRASH_KEEP"):
                    os.rename(folder, kept)
                    os.mkdir(folder)
                break
        print(f"    {policy}, threads {threads}, {scene_type.__name__}: {dict(total)}", flush=True)


def share(part):
    return max(1, round(CRASHES * part / 40))


def always(checks):
    for threads in (1, 2, 4):
        scenario(checks, "always", threads, Everything, share(3))
    scenario(checks, "always", 2, Quiet, share(2))
    scenario(checks, "always", 2, Rewrites, share(5), ["--aof-timestamp-enabled", "yes"])
    scenario(checks, "always", 1, Switching, share(5))


def without_waiting_for_the_disk(checks):
    for threads in (1, 2, 4):
        scenario(checks, "everysec", threads, Everything, share(2))
    scenario(checks, "no", 2, Everything, share(2))
    scenario(checks, "everysec", 4, Rewrites, share(5), ["--aof-use-rdb-preamble", "no"])
    scenario(checks, "everysec", 2, Switching, share(4))
    scenario(checks, "everysec", 1, Snapshots, share(2))


def orderly_ends(checks):
    """SHUTDOWN under the writers, with snapshots alone: what one core has acknowledged is in the snapshot that another took."""
    for threads in (1, 2, 4):
        for number in range(share(2)):
            with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder:
                writers = [Writer(i) for i in range(WRITERS)]
                choose = random.Random(f"{SEED} end {threads} {number}")
                with Server(["--save", "3600 1"], threads=threads, folder=folder) as server, server.client() as client:
                    workers = [threading.Thread(target=writer.run, args=(server, random.Random(choose.random())))
                               for writer in writers]
                    for worker in workers:
                        worker.start()
                    threading.Event().wait(choose.uniform(0.05, 0.3))
                    client.send("SHUTDOWN")
                    checks.equal("exit code", server.wait_exit(), 0)
                    for worker in workers:
                        worker.join()
                floors = {writer: writer.acknowledged for writer in writers}
                verify(checks, f"threads {threads}, end {number}", ["--save", ""], threads, folder, writers, floors,
                       collections.Counter())


if __name__ == "__main__":
    print(f"    repeat with CINNABAR_CRASH_SEED={SEED}")
    sys.exit(run_parts([always, without_waiting_for_the_disk, orderly_ends]))
