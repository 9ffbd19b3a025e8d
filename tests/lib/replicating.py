"""Servers that follow each other, the cable between them, and questions about both."""

import contextlib
import os
import random
import shutil
import socket
import struct
import threading

from key_content import content
from resp_client import Disconnected, encode
from server_process import HOST, Server, is_ours, program, wait_until

SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 32)))
REFERENCE = shutil.which("redis-server")
OURS, THEIRS = "this server", "redis-server"
DATABASES = 16
# Nobody waits, nothing is said in silence (so that offsets stand still), and a short cut is never too long.
QUICK = ["--save", "", "--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "3600",
         "--repl-backlog-size", "64mb"]
GONE = (Disconnected, ConnectionError, OSError)


def ours_is_tested():
    """False when the tests themselves are checked, with stock redis-server in our place."""
    return is_ours(program())


class Host(Server):
    """A server of either make. `compat`: what a 7.0 on the other side must be able to read."""

    def __init__(self, make=OURS, options=(), threads=2, compat="7.0", password=None, **more):
        path = program() if make == OURS else REFERENCE
        options = [*QUICK, *options]
        if is_ours(path) and compat:
            options = ["--compat-version", compat, *options]
        self.make = make
        self.password = password
        super().__init__(path=path, options=options, threads=threads, **more)

    def client(self, resp=2, unix=False, timeout=60):
        client = super().client(resp, unix, timeout)
        if self.password is not None:
            client.call("AUTH", self.password)
        return client

    def ask(self, *words):
        """One command on a connection of its own."""
        with self.client() as client:
            return client.call(*words)

    def figures(self, section="replication"):
        return figures(self.ask("INFO", section))

    def follow(self, target):
        """Becomes the replica of something that has an address, or of nobody."""
        return self.follow_address(*(("NO", "ONE") if target is None else target.address))

    def follow_address(self, *address):
        """A server that loads what its last primary has sent refuses to change its mind (as Redis does): asks again."""
        answers = []
        wait_until(lambda: not answers.append(self.ask("REPLICAOF", *address)) and not is_loading(answers[-1]))
        return answers[-1]


def is_loading(answer):
    return isinstance(answer, bytes) and answer.startswith(b"LOADING")


def figures(text):
    return dict(line.split(":", 1) for line in text.decode("utf-8", "replace").splitlines() if ":" in line)


def number(host, section, name):
    return int(host.figures(section)[name])


def linked(replica):
    seen = replica.figures()
    return seen["role"] == "slave" and seen["master_link_status"] == "up"


def is_up(checks, name, replica):
    return checks.true(f"{name}: the link comes up", wait_until(lambda: linked(replica)), replica.figures())


def place(host):
    """(id, offset): what of which history it has."""
    seen = host.figures()
    offset = seen["slave_repl_offset"] if seen["role"] == "slave" else seen["master_repl_offset"]
    return seen["master_replid"], int(offset)


def in_step(primary, *replicas):
    """Whether all of them come to have everything. Writers have to be silent."""
    return wait_until(lambda: all(linked(one) for one in replicas)
                      and all(place(one) == place(primary) for one in replicas))


def portrait(host):
    """{(database, key): what can be seen of it, whoever looks}; of streams without what the stream of effects does
    not carry."""
    seen = {}
    with host.client() as client:
        for database in range(DATABASES):
            client.call("SELECT", database)
            keys = client.call("KEYS", "*")
            for first in range(0, len(keys), 100):
                some = keys[first:first + 100]
                answers = pipelined(client, [(*question, key) for key in some for question in KEY_QUESTIONS])
                for index, key in enumerate(some):
                    kind, *facts = answers[index * len(KEY_QUESTIONS):][:len(KEY_QUESTIONS)]
                    seen[database, key] = (kind, *facts, groups_of(client, key) if kind == b"stream" else None)
    return seen


KEY_QUESTIONS = [("TYPE",), ("PEXPIRETIME",), ("DEBUG", "DIGEST-VALUE")]


def pipelined(client, requests):
    client.send_raw(b"".join(encode(request) for request in requests))
    return [client.read() for _ in requests]


def groups_of(client, key):
    found = []
    groups = client.call("XINFO", "GROUPS", key)
    for group in groups if isinstance(groups, list) else []:  # it may have expired just now
        facts = dict(zip(group[::2], group[1::2]))
        found.append((facts[b"name"], facts[b"pending"], facts[b"last-delivered-id"],
                      client.call("XPENDING", key, facts[b"name"])))
    return found


def same_data(checks, name, primary, *replicas):
    """Once nobody writes: the same offsets, digests and keys everywhere. What expires meanwhile is waited for."""
    if not in_step(primary, *replicas):
        checks.true(f"{name}: all are in step", False, [one.figures() for one in (primary, *replicas)])
    for replica in replicas:
        same = wait_until(lambda replica=replica: primary.ask("DEBUG", "DIGEST") == replica.ask("DEBUG", "DIGEST"), 20)
        checks.true(f"{name}: DEBUG DIGEST of {replica.make}", same, "differs")
        if not wait_until(lambda replica=replica: portrait(primary) == portrait(replica), 10):
            checks.true(f"{name}: keys of {replica.make}", False, differences(primary, replica))


def differences(primary, replica):
    """The first keys that are not the same, in words."""
    one, other = portrait(primary), portrait(replica)
    keys = sorted(key for key in one.keys() | other.keys() if one.get(key) != other.get(key))
    found = [f"{key}: {one.get(key)} and {other.get(key)}" for key in keys[:3]]
    for database, key in keys[:1]:
        for host in (primary, replica):
            with host.client() as client:
                client.call("SELECT", database)
                found.append(f"{content(client, key)!r:.400}")
    return [f"{len(keys)} keys", *found]


def fill(host, keys=1000, size=1000):
    """Values that no compression makes smaller."""
    chance = random.Random(SEED)
    with host.client() as client:
        for first in range(0, keys, 100):
            pipelined(client, [("SET", f"filling:{index}", chance.randbytes(size))
                               for index in range(first, min(keys, first + 100))])


# ---- the cable ------------------------------------------------------------------------------------------------------


class Proxy:
    """Stands for `target`, which may change, at an address that does not. It passes on what is said, unless told to
    refuse, to cut after so many bytes, to hold back, or to damage. Cuts and damage concern what the target says."""

    def __init__(self, target):
        self.target = target
        self.refuses = False
        self.damage = None       # bytes -> bytes
        self.cut_after = None    # bytes from now on, over all connections; then all of them are closed
        self.connections = 0     # passed on so far
        self.cuts = 0
        self.flowing = threading.Event()
        self.flowing.set()
        self.lock = threading.Lock()
        self.pairs = set()
        self.threads = []
        self.listener = socket.create_server((HOST, 0))
        self.address = self.listener.getsockname()

    def __enter__(self):
        self._start(self._accept)
        return self

    def __exit__(self, *_):
        self.refuses = True
        self.flowing.set()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.cut()
        for thread in self.threads:
            thread.join(20)

    def cut(self):
        """Closes what is open."""
        with self.lock:
            pairs, self.pairs = self.pairs, set()
        for pair in pairs:
            close_both(pair)

    def cut_within(self, count):
        """Cuts after `count` more bytes from the target; see `cuts`."""
        with self.lock:
            self.cut_after = count

    def _start(self, function, *arguments):
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        self.threads.append(thread)
        thread.start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            if self.refuses:
                near.close()
                continue
            try:
                far = socket.create_connection(self.target.address, 10)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            pair = (near, far)
            with self.lock:
                self.pairs.add(pair)
                self.connections += 1
            self._start(self._pump, near, far, pair, False)
            self._start(self._pump, far, near, pair, True)

    def _pump(self, source, sink, pair, from_target):
        with contextlib.suppress(OSError):
            while piece := source.recv(1 << 16):
                self.flowing.wait()
                cuts = False
                if from_target:
                    piece, cuts = self._allowed(piece)
                try:
                    sink.sendall(piece)
                finally:
                    if cuts:
                        self.cut()
                        self.cuts += 1
                if cuts:
                    break
        with self.lock:
            self.pairs.discard(pair)
        close_both(pair)

    def _allowed(self, piece):
        """What of it may pass, changed perhaps; and whether the cut is behind it."""
        with self.lock:
            if self.damage is not None:
                piece = self.damage(piece)
            if self.cut_after is None:
                return piece, False
            self.cut_after -= len(piece)
            if self.cut_after > 0:
                return piece, False
            piece, self.cut_after = piece[:len(piece) + self.cut_after], None
            return piece, True


def close_both(pair):
    for one in pair:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


def reset(connection):
    """Closes a socket as a process that dies with unread bytes does."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


# ---- many at once ---------------------------------------------------------------------------------------------------


class Crew:
    """Threads that do something again and again until told to stop; what they stumble over is told."""

    def __init__(self, *works):
        self.works = works
        self.stopping = threading.Event()
        self.troubles = []
        self.rounds = [0] * len(works)

    def __enter__(self):
        self.threads = [threading.Thread(target=self._run, args=(index, work), daemon=True)
                        for index, work in enumerate(self.works)]
        for thread in self.threads:
            thread.start()
        return self

    def _run(self, index, work):
        try:
            while not self.stopping.is_set():
                work()
                self.rounds[index] += 1
        except Exception as trouble:  # whatever it is, the test has to hear of it
            self.troubles.append(f"{type(trouble).__name__}: {trouble}")

    def busy(self, rounds=5):
        """Waits until each of them has done some rounds more."""
        before = list(self.rounds)
        return wait_until(lambda: self.troubles or all(now >= then + rounds for now, then in zip(self.rounds, before)))

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(90)
        self.troubles += ["it does not end" for thread in self.threads if thread.is_alive()]

    def __exit__(self, *_):
        self.stop()


def went_well(checks, name, crew):
    checks.equal(f"{name}: nobody stumbled", crew.troubles, [])
