#!/usr/bin/python3
"""MIGRATE: to and from stock redis-server, to targets that fail in every way, under writers, beside other clients.

What a session answers, what goes over the wire and what is left behind are compared with stock redis-server.
`SEED=n` repeats a run.
"""

import contextlib
import os
import random
import signal
import socket
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))

from checks import run_parts  # noqa: E402
from fake_peers import FakePrimary  # noqa: E402
from key_content import content, without_times  # noqa: E402
from rdb_payloads import sample_commands  # noqa: E402
from replicating import OURS, SEED, THEIRS, Host, figures  # noqa: E402
from resp_client import ErrorReply  # noqa: E402
from server_process import HOST, free_port, wait_until  # noqa: E402
from tls_files import TlsFiles  # noqa: E402

CANNOT_CONNECT = b"IOERR error or timeout connecting to the client"
CANNOT_WRITE = b"IOERR error or timeout writing to target instance"
CANNOT_READ = b"IOERR error or timeout reading to target instance"
LONG = 60000  # a timeout that nothing waits for to its end
OK = b"+OK\r\n"


def reply_of(reply):
    """With its kind: errors and texts with the same words are not the same."""
    return type(reply).__name__, reply


@contextlib.contextmanager
def both(options=(), **more):
    """This server and stock redis-server, side by side."""
    with Host(OURS, options, **more) as ours, Host(THEIRS, options, **more) as theirs:
        yield ours, theirs


def moves(target, *words):
    """MIGRATE to the target."""
    return ("MIGRATE", *target.address, *words)


# ---- beside stock redis-server ---------------------------------------------------------------------------------------

def facts(checks):
    """What COMMAND says of it."""
    tries = [["h", 1, "k", 0, 10], ["h", 1, "", 0, 10, "keys", "a", "b"], ["h", 1, "", 0, 10], ["h", 1, "k", 0, 10, "KEYS", "a"],
             ["h", 1, "", 0, 10, "AUTH", "keys", "keys", "a", "b"], ["h", 1, "", 0, 10, "AUTH2", "keys", "keys", "keys", "a"],
             ["h", 1, "", 0, 10, "AUTH", "keys"], ["h", 1, "", 0, 10, "AUTH2", "x", "keys", "a"], ["h", 1, "", 0, 10, "KEYS"],
             ["h", 1, "", 0, 10, "foo", "keys", "a"], ["h", 1, "k", 0, 10, "auth"], ["h", 1, "", 0, 10, "keys", "a", "keys", "b"],
             ["h", 1, "", 0, 10, "copy", "REPLACE", "keys", "a", "b"]]
    with both() as (ours, theirs):
        for name in ("migrate", "restore", "restore-asking"):
            checks.equal(f"COMMAND INFO {name}", ours.ask("COMMAND", "INFO", name), theirs.ask("COMMAND", "INFO", name))
            our, their = (host.ask("COMMAND", "DOCS", name)[1] for host in (ours, theirs))
            our, their = (dict(zip(docs[::2], docs[1::2])) for docs in (our, their))
            for field in their.keys() - {b"summary", b"complexity"}:
                checks.equal(f"COMMAND DOCS {name}: {field}", our.get(field), their[field])
        for words in tries:
            for question in ("GETKEYS", "GETKEYSANDFLAGS"):
                asked = ("COMMAND", question, "MIGRATE", *words)
                checks.equal(f"{asked}", ours.ask(*asked), theirs.ask(*asked))


def errors_of(source, target, closed):
    """Everything that goes wrong before a key moves, with the keys that are there afterwards."""
    source.call("MSET", "a", 1, "b", 2)
    tries = [["h"], ["h", 1, "none", 0, 10], ["h", 1, "a", "x", 10], ["h", 1, "a", 0, "x"], ["h", 1, "a", "x", "y", "BAD"],
             ["h", 1, "a", 0, 10, "BAD"], ["h", 1, "a", 0, 10, "AUTH"], ["h", 1, "a", 0, 10, "AUTH2", "x"],
             ["h", 1, "", 0, 10, "KEYS"], ["h", 1, "a", 0, 10, "KEYS", "a"], ["h", 1, "", 0, 10, "KEYS", "none"],
             [HOST, closed, "a", 0, 500], [HOST, closed, "", 0, 500, "KEYS", "a", "b"], [HOST, closed, "a", 0, 0],
             [HOST, "abc", "a", 0, 500], [HOST, 99999, "a", 0, 500], [HOST, 0, "a", 0, 500], [HOST, -1, "a", 0, 500],
             ["", 1, "a", 0, 500], ["no such name.invalid", 1, "a", 0, 3000], ["::1::", 1, "a", 0, 500],
             [*target.address, "a", 99, 5000], [*target.address, "a", -1, 5000], [*target.address, "none", 99, 5000],
             [*target.address, "a", 0, 5000, "AUTH", "wrong"], [*target.address, "a", 0, 5000, "AUTH2", "nobody", "wrong"],
             [*target.address, "", 0, 5000, "AUTH2", "nobody", "wrong", "KEYS", "a", "b"]]
    for words in tries:
        # Which of its ports a machine has closed is none of ours to compare.
        title = [str(word).replace(str(closed), "closed").replace(str(target.port), "target") for word in words]
        yield title, reply_of(source.call("MIGRATE", *words)), sorted(source.call("KEYS", "*"))
    target.ask("SET", "a", "old")
    for words in (["a", 0, 5000], ["a", 0, 5000, "COPY"], ["", 0, 5000, "KEYS", "a", "b"], ["a", 0, 5000, "REPLACE"],
                  ["a", 0, 5000, "REPLACE", "COPY"], ["b", 0, 5000]):
        yield words, reply_of(source.call(*moves(target, *words))), sorted(source.call("KEYS", "*"))


def errors(checks):
    with both() as (ours, theirs), Host(THEIRS) as target, ours.client() as our, theirs.client() as their:
        closed = free_port()
        seen = list(errors_of(our, target, closed))
        target.ask("FLUSHALL")
        for got, want in zip(seen, errors_of(their, target, closed)):
            checks.equal(f"MIGRATE {' '.join(map(str, want[0]))}", got, want)
        checks.equal("as many", len(seen), 33)
        for count in ("keyspace_hits", "keyspace_misses", "total_error_replies"):
            checks.equal(count, ours.figures("stats")[count], theirs.figures("stats")[count])


def shown(request):
    """A request as it is compared: without the payload, and a time to live only as such."""
    words = list(request)
    if words[0].upper().startswith(b"RESTORE"):
        words[3] = b"payload"
        words[2] = words[2] if words[2] == b"0" else b"ttl"
    return words


def recorder(seen, answer=lambda request: OK):
    """A target that answers, and notes connections and what comes over them."""
    def play(peer):
        seen.append("connected")
        while (request := peer.request()) is not None:
            seen.append(shown(request))
            said = answer(request)
            if said is None:
                return
            peer.say(said)
    return play


def wire_session(host, target):
    """What a server says to its targets, for one MIGRATE after another."""
    replies = []
    with host.client() as client:
        def move(*words):
            client.call("MSET", "a", 1, "b", 2, "c", 3)
            client.call("PEXPIRE", "b", 100000)
            replies.append((words, reply_of(client.call(*moves(target, *words))), sorted(client.call("KEYS", "*"))))

        for words in (["a", 0, LONG], ["a", 0, LONG], ["a", 5, LONG], ["a", 5, LONG, "COPY"], ["a", 5, LONG, "replace"],
                      ["", 5, LONG, "KEYS", "a", "none", "b", "c"], ["", 0, LONG, "COPY", "REPLACE", "KEYS", "a", "a"],
                      ["bad", 0, LONG]):
            move(*words)
        # From here on it answers with errors to the key named bad.
        client.call("SET", "bad", 1)
        for words in (["bad", 0, LONG], ["a", 0, LONG], ["", 0, LONG, "KEYS", "a", "bad", "b"], ["a", 0, LONG],
                      ["a", 7, LONG], ["a", 0, LONG]):
            move(*words)
        replies.append(figures(client.call("INFO", "stats"))["migrate_cached_sockets"])
        for words in (["a", 0, LONG, "AUTH", "secret"], ["", 0, LONG, "AUTH2", "me", "secret", "REPLACE", "KEYS", "a", "b"]):
            move(*words)
    return replies


def wire(checks):
    """The same requests, over as many connections."""
    def answer(request):
        return b"-WRONG that one not\r\n" if b"bad" in request else (b"-ERR no such place\r\n" if request[1:] == [b"7"] else OK)

    results = []
    for make in (OURS, THEIRS):
        seen = []
        with FakePrimary(recorder(seen, answer)) as target, Host(make) as host:
            target.port = target.address[1]
            results.append((wire_session(host, target), seen, target.troubles))
    (our, our_seen, trouble), (their, their_seen, _) = results
    for got, want in zip(our, their):
        checks.equal(f"{want[0]}", got, want)
    # Whoever gives credentials has a connection of his own here, so that nobody uses them who does not know them.
    split = their_seen.index([b"AUTH", b"secret"])
    checks.equal("what is said", our_seen[:split], their_seen[:split])
    checks.equal("with credentials", [line for line in our_seen[split:] if line != "connected" and line[0] != b"SELECT"],
                 [line for line in their_seen[split:] if line != "connected" and line[0] != b"SELECT"])
    checks.equal("troubles", trouble, [])


def dead_connections(checks):
    """A kept connection that the target has closed, before or while it is used."""
    for title, script in (("closed behind a reply", [1]), ("closed at a request", [1, None]), ("closed by one, then by all", [1])):
        results = []
        for make in (OURS, THEIRS):
            seen, count = [], [0]

            def answer(request, count=count):
                count[0] += 1
                return None if title == "closed at a request" and count[0] == 3 else OK

            def once(peer, seen=seen):
                seen.append("connected")
                for _ in range(2):
                    seen.append(shown(peer.request()))
                    peer.say(OK)

            first = recorder(seen, answer) if title == "closed at a request" else once
            rest = recorder(seen) if title != "closed by one, then by all" else (lambda peer: None)
            with FakePrimary(first, rest) as target, Host(make) as host, host.client() as client:
                replies = []
                for _ in range(2):
                    client.call("SET", "k", "v")
                    replies.append(reply_of(client.call("MIGRATE", *target.address, "k", 0, LONG)))
                    wait_until(lambda target=target: title == "closed at a request" or target.ended >= 1)
                results.append((replies, client.call("EXISTS", "k"), seen))
        checks.equal(f"{title}, {script}", results[0], results[1])


# ---- data ------------------------------------------------------------------------------------------------------------

def every_encoding(checks):
    with both(["--save", ""]) as (ours, theirs), Host(OURS) as second:
        for source, target in ((ours, theirs), (theirs, ours), (ours, second)):
            direction = f"{source.make} to {target.make}"
            with source.client() as one, target.client() as other:
                for name, commands in sample_commands():
                    for host in (one, other):
                        host.call("FLUSHALL")
                    for command in commands:
                        one.call(*command)
                    want, one_ttl = without_times(content(one)), name.startswith("packed")
                    if one_ttl:
                        one.call("PEXPIRE", "k", 5000000)
                    title = f"{direction}: {name}"
                    checks.equal(title, one.call(*moves(target, "k", 0, LONG)), b"OK")
                    checks.equal(f"{title}: content", without_times(content(other)), want)
                    checks.equal(f"{title}: here", one.call("EXISTS", "k"), 0)
                    ttl = other.call("PTTL", "k")
                    checks.true(f"{title}: time to live", 4900000 < ttl <= 5000000 if one_ttl else ttl == -1, ttl)


def batches(checks):
    """Many keys at once, absent and expired ones among them, to another database; a value of some megabytes."""
    with both() as (ours, theirs), Host(OURS, ["--lazyfree-lazy-server-del", "yes"]) as second:
        for source, target in ((ours, theirs), (ours, second), (theirs, ours)):
            direction = f"{source.make} to {target.make}"
            with source.client() as one, target.client() as other:
                one.call("DEBUG", "SET-ACTIVE-EXPIRE", "0")
                one.call("SELECT", 3)
                for i in range(2000):
                    one.send("SET", f"key:{i}", "v" * (i % 100))
                one.send("SET", "large", random.Random(SEED).randbytes(30 << 20))
                one.send("PSETEX", "gone", 1, "x")
                for _ in range(2002):
                    one.read()
                wait_until(lambda one=one: one.call("PTTL", "gone") == -2)
                names = [f"key:{i}" for i in range(2000)] + ["large", "gone", "never"]
                digest = one.call("DEBUG", "DIGEST-VALUE", *names[:2001])
                checks.equal(direction, one.call(*moves(target, "", 9, LONG, "KEYS", *names)), b"OK")
                checks.equal(f"{direction}: left", one.call("DBSIZE"), 0)
                other.call("SELECT", 9)
                checks.equal(f"{direction}: there", other.call("DBSIZE"), 2001)
                checks.equal(f"{direction}: digests", other.call("DEBUG", "DIGEST-VALUE", *names[:2001]), digest)
                checks.equal(f"{direction}: none left", one.call(*moves(target, "", 9, LONG, "KEYS", *names)), b"NOKEY")


def with_delete(path):
    """The bytes of an append-only file, once a DEL is among them."""
    with open(path, "rb") as file:
        text = file.read()
    return text if b"DEL" in text else None


def effects(checks):
    """What a replica, the append-only file, watchers and listeners see of it."""
    results = []
    for make in (OURS, THEIRS):
        with Host(make, ["--appendonly", "yes", "--notify-keyspace-events", "KEA"]) as source, Host(OURS) as replica, \
                Host(THEIRS) as target, source.client() as client, source.client() as listener, source.client() as watcher:
            replica.follow(source)
            listener.call("PSUBSCRIBE", "__keyevent@0__:*")
            client.call("MSET", "a", 1, "b", 2, "c", 3)
            target.ask("SET", "b", "in the way")
            wait_until(lambda replica=replica: replica.ask("DBSIZE") == 3)
            for key in ("a", "b"):
                watcher.call("WATCH", key)
            replies = [reply_of(client.call(*moves(target, "", 0, LONG, "KEYS", "a", "none", "b", "c"))), client.call("KEYS", "*"),
                       client.call(*moves(target, "", 0, LONG, "COPY", "REPLACE", "KEYS", "b"))]
            watcher.call("MULTI")
            replies.append(watcher.call("EXEC"))
            client.call("SET", "end", 1)
            wait_until(lambda replica=replica: replica.ask("EXISTS", "end") == 1)
            replies.append(sorted(replica.ask("KEYS", "*")))
            told = []
            while not told or told[-1] != b"end":
                told.append(listener.read()[3])
            replies += [told, source.figures("persistence")["rdb_changes_since_last_save"]]
            folder = os.path.join(source.dir, "appendonlydir")
            name, = [one for one in os.listdir(folder) if one.endswith(".incr.aof")]
            text = wait_until(lambda path=os.path.join(folder, name): with_delete(path))
            replies.append(text[text.index(b"DEL"):].replace(b"\r\n", b" ")[:22])
            client.call("DEBUG", "LOADAOF")
            replies.append(sorted(client.call("KEYS", "*")))
            results.append(replies)
    for at, (got, want) in enumerate(zip(*results)):
        checks.equal(f"step {at}", got, want)
    checks.equal("who was acknowledged", results[0][1], [b"b"])


# ---- targets that fail -----------------------------------------------------------------------------------------------

def silent(peer):
    peer.until_gone()


def timeouts(checks):
    """A target that accepts and says nothing, one whose network swallows everything, and one that takes nothing."""
    results = {}
    for make in (OURS, THEIRS):
        with FakePrimary(silent) as target, Host(make) as host, host.client() as client:
            client.call("SET", "k", "v")
            for millis, least, most in ((200, 0.2, 0.9), (0, 1.0, 1.8), (-5, 1.0, 1.8), (600, 0.6, 1.4)):
                began = time.monotonic()
                reply = client.call("MIGRATE", *target.address, "k", 0, millis)
                took = time.monotonic() - began
                results.setdefault(("silent", millis), []).append(reply_of(reply))
                checks.true(f"{make}: {millis} ms", least <= took < most or make != OURS, took)
            checks.equal("still there", client.call("GET", "k"), b"v")
            checks.equal("nothing is kept", host.figures("stats")["migrate_cached_sockets"], "0")
            # A queue of one, which is full: whoever connects next gets no answer.
            with socket.socket() as full, contextlib.ExitStack() as stack:
                full.bind((HOST, 0))
                full.listen(0)
                for _ in range(4):
                    waiting = stack.enter_context(socket.socket())
                    waiting.setblocking(False)
                    waiting.connect_ex(full.getsockname())
                reply = client.call("MIGRATE", *full.getsockname(), "k", 0, 300)
                results.setdefault("no answer", []).append(reply_of(reply))
            client.call("SET", "large", b"x" * (40 << 20))
            client.call("CONFIG", "SET", "rdbcompression", "no")
            with socket.create_server((HOST, 0)) as deaf:
                results.setdefault("takes nothing", []).append(
                    reply_of(client.call("MIGRATE", *deaf.getsockname(), "large", 0, 300)))
            checks.equal("large is there", client.call("STRLEN", "large"), 40 << 20)
    for title, (got, want) in results.items():
        checks.equal(f"{title}", got, want)


def sudden_ends(checks):
    """A target that goes after so many bytes of requests or answers: what it acknowledged is gone here, and nothing else."""
    names = [f"k{i}" for i in range(6)]

    def dies(answers, cut):
        def play(peer):
            for _ in range(answers):
                peer.request()
                peer.say(OK)
            peer.request()
            peer.say(OK[:cut])
        return play

    with Host(OURS) as host, host.client() as client:
        for answers in range(8):
            for cut in (0, 1, 4):
                with FakePrimary(dies(answers, cut)) as target:
                    for name in names:
                        client.call("SET", name, name)
                    reply = client.call("MIGRATE", *target.address, "", 0, LONG, "KEYS", *names)
                    acknowledged = max(answers - 1, 0)
                    title = f"{answers} answers and {cut} bytes"
                    left = [name for name in names if client.call("EXISTS", name)]
                    if acknowledged >= len(names):
                        checks.equal(title, reply, b"OK")
                    else:
                        checks.true(f"{title}: reply", reply in (CANNOT_READ, CANNOT_WRITE), reply)
                        checks.equal(f"{title}: none is kept", host.figures("stats")["migrate_cached_sockets"], "0")
                    checks.equal(f"{title}: left", left, names[acknowledged:])


def nonsense(checks):
    """Whoever does not say OK has not taken the key."""
    for said in (b"hello\r\n", b"$5\r\nhello\r\n", b":1\r\n", b"*1\r\n+OK\r\n", b"\0\0\0\0", b"$-1\r\n", b"+" + b"x" * (2 << 20) + b"\r\n",
                 b"$999999999999\r\n", b"_\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n"):
        with FakePrimary(recorder([], lambda request, said=said: OK + said)) as target, Host(OURS) as host, host.client() as client:
            client.call("SET", "k", "v")
            checks.equal(f"{said[:20]!r}", client.call("MIGRATE", *target.address, "k", 0, LONG), CANNOT_READ)
            checks.equal(f"{said[:20]!r}: still there", client.call("GET", "k"), b"v")
            checks.true("lives", host.alive())


def slow_targets(checks):
    """Every step has the whole time; bytes that come one by one are an answer in the end."""
    def slow(peer):
        for _ in range(4):
            peer.request()
            for byte in OK:
                threading.Event().wait(0.05)
                peer.say(bytes([byte]))
        peer.until_gone()

    for threads in (1, 4):
        with FakePrimary(slow) as target, Host(OURS, threads=threads) as host, host.client() as client:
            client.call("MSET", "a", 1, "b", 2, "c", 3)
            checks.equal("slow answers", client.call("MIGRATE", *target.address, "", 0, 800, "KEYS", "a", "b", "c"), b"OK")
            checks.equal("all gone", client.call("DBSIZE"), 0)


# ---- other clients meanwhile -----------------------------------------------------------------------------------------

class Stalled:
    """A target that answers only when it is told to."""

    def __init__(self):
        self.reached, self.go = threading.Event(), threading.Event()
        self.target = FakePrimary(self.play)

    def play(self, peer):
        while (request := peer.request()) is not None:
            if request[0] == b"RESTORE":
                self.reached.set()
                self.go.wait(60)
            peer.say(OK)

    def __enter__(self):
        self.target.__enter__()
        return self

    def __exit__(self, *_):
        self.go.set()
        self.target.__exit__()


def served_meanwhile(checks):
    for threads in (1, 4):
        with Host(OURS, threads=threads) as host, Stalled() as stalled, host.client() as mover, contextlib.ExitStack() as stack:
            others = [stack.enter_context(host.client()) for _ in range(12)]
            waiting = [stack.enter_context(host.client()) for _ in range(8)]
            others[0].call("MSET", *[word for i in range(3000) for word in (f"k{i}", i)])
            mover.send("MIGRATE", *stalled.target.address, "moved", 0, LONG)
            checks.equal("no such key", mover.read(), b"NOKEY")
            others[0].call("SET", "moved", "v")
            mover.send("MIGRATE", *stalled.target.address, "moved", 0, LONG)
            stalled.reached.wait(30)
            title = f"{threads} threads"
            longest, answered, late = 0, 0, {}
            for i in range(3000):
                client = others[i % len(others)]
                if client in late:
                    continue
                began = time.monotonic()
                client.send("INCR", f"k{i}")
                client.socket.settimeout(0.5)
                try:
                    answered += client.read() == i + 1
                    longest = max(longest, time.monotonic() - began)
                except TimeoutError:  # a key of the same shard
                    late[client] = i + 1
            checks.true(f"{title}: others are served", answered >= 3000 * 0.6 and len(late) < len(others), (answered, len(late)))
            checks.true(f"{title}: and soon", longest < 0.4, longest)
            for client, words in zip(waiting, (("GET", "moved"), ("SET", "moved", "new"), ("DEL", "moved"), ("KEYS", "moved"),
                                               ("CONFIG", "SET", "maxmemory", "0"), ("FLUSHDB",))):
                client.send(*words)
            with contextlib.suppress(TimeoutError):
                waiting[0].socket.settimeout(0.3)
                checks.true(f"{title}: the key itself waits", False, waiting[0].read())
            # The commands that need it wait for its end, and find it gone.
            stalled.go.set()
            checks.equal(f"{title}: moved", mover.read(), b"OK")
            for client in (*waiting[:6], *late):
                client.socket.settimeout(30)
            checks.true(f"{title}: GET", waiting[0].read() in (None, b"new"))
            checks.equal(f"{title}: SET", waiting[1].read(), b"OK")
            checks.true(f"{title}: DEL", waiting[2].read() in (0, 1))
            for client in waiting[3:6]:
                checks.true(f"{title}: answered", not isinstance(client.read(), ErrorReply))
            for client, want in late.items():
                checks.true(f"{title}: late, but right", client.read() in (want, 1))


def two_at_once(checks):
    """One that waits does not keep those of other cores; on its own core the next one follows."""
    for threads in (1, 4):
        with Host(OURS, threads=threads) as host, Stalled() as stalled, Host(THEIRS) as target, host.client() as mover, \
                contextlib.ExitStack() as stack:
            others = [stack.enter_context(host.client()) for _ in range(6)]
            others[0].call("MSET", *[word for i in range(7) for word in (f"k{i}", i)])
            mover.send("MIGRATE", *stalled.target.address, "k6", 0, LONG)
            stalled.reached.wait(30)
            for i, client in enumerate(others):
                client.send(*moves(target, f"k{i}", 0, LONG))
            stalled.go.set()
            checks.equal(f"{threads} threads", [client.read() for client in (mover, *others)], [b"OK"] * 7)
            checks.equal("all there", target.ask("DBSIZE"), 6)


def ends(checks):
    """The client, the server or the peace ends while the answer is waited for."""
    for threads in (1, 4):
        with Host(OURS, ["--appendonly", "yes"], threads=threads) as host, Stalled() as stalled, host.client() as other:
            other.call("MSET", "a", 1, "b", 2)
            with host.client() as mover:
                mover.send("MIGRATE", *stalled.target.address, "a", 0, LONG)
                stalled.reached.wait(30)
            checks.equal(f"{threads} threads: served although its client is gone", other.call("PING"), b"PONG")
            stalled.go.set()
            checks.true("it was done all the same", wait_until(lambda other=other: other.call("EXISTS", "a") == 0))
        with Host(OURS, ["--appendonly", "yes"], threads=threads) as host, Stalled() as stalled, host.client() as other, \
                host.client() as mover:
            other.call("MSET", "a", 1, "b", 2)
            identity = mover.call("CLIENT", "ID")
            mover.send("MIGRATE", *stalled.target.address, "a", 0, LONG)
            stalled.reached.wait(30)
            other.send("CLIENT", "KILL", "ID", identity)
            with host.client() as third:
                third.send("REPLICAOF", HOST, free_port())
                host.process.send_signal(signal.SIGTERM)
                stalled.go.set()
                checks.equal("its end", host.wait_exit(), 0)
        with Host(OURS, ["--appendonly", "yes"], threads=threads) as host, FakePrimary(silent) as target, host.client() as client:
            client.call("SET", "a", 1)
            client.send("MIGRATE", *target.address, "a", 0, 1500)
            wait_until(lambda target=target: target.attempts)
            host.process.send_signal(signal.SIGTERM)
            checks.equal("the time is up, and the server ends", host.wait_exit(), 0)


def to_each_other(checks):
    """Two servers move to each other, and one to itself: that ends, at the latest when the time is up."""
    for threads in (1, 4):
        with Host(OURS, threads=threads) as one, Host(OURS, threads=threads) as two, one.client() as first, two.client() as second:
            for i in range(50):
                first.call("SET", f"one:{i}", i)
                second.call("SET", f"two:{i}", i)
                first.send(*moves(two, f"one:{i}", 0, 2000))
                second.send(*moves(one, f"two:{i}", 0, 2000))
                replies = first.read(), second.read()
                checks.true(f"{threads} threads, {i}", replies == (b"OK", b"OK"), replies)
            checks.equal("all have moved", (first.call("EXISTS", "two:7"), second.call("EXISTS", "one:7")), (1, 1))
            with one.client() as other:
                first.call("SET", "self", 1)
                first.send(*moves(one, "self", 0, 700))
                began = time.monotonic()
                checks.equal("others are served", other.call("SET", "x", 1), b"OK")
                checks.true("at once", time.monotonic() - began < 0.5)
                checks.equal("to itself", first.read(), CANNOT_READ)
                checks.equal("it is there", first.call("GET", "self"), b"1")


COUNTERS = 60


class Storm:
    """Movers on both servers, and clients that increment wherever they find the key."""

    def __init__(self, sides, seconds):
        self.sides = sides
        self.until = time.monotonic() + seconds
        self.added = [0] * COUNTERS
        self.lock = threading.Lock()
        self.replies = {}
        self.troubles = []

    def going(self):
        return time.monotonic() < self.until

    def run(self, work, *arguments):
        try:
            work(*arguments)
        except Exception as trouble:
            self.troubles.append(f"{work.__name__}: {type(trouble).__name__}: {trouble}")

    def move(self, source, target, batch, seed):
        dice = random.Random(seed)
        with source.client() as client:
            while self.going():
                names = [f"c{dice.randrange(COUNTERS)}" for _ in range(batch)]
                words = [names[0], 0, 10000] if batch == 1 else ["", 0, 10000, "KEYS", *dict.fromkeys(names)]
                reply = client.call(*moves(target, *words))
                with self.lock:
                    self.replies[bytes(reply)] = self.replies.get(bytes(reply), 0) + 1

    def add(self, seed):
        """RPUSHX adds only where the key is: whoever moves it may have it in neither place for a moment."""
        dice = random.Random(seed)
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(side.client()) for side in self.sides]
            while self.going():
                which, client = dice.randrange(COUNTERS), dice.choice(clients)
                if client.call("RPUSHX", f"c{which}", "x"):
                    with self.lock:
                        self.added[which] += 1


def storm(checks):
    """Every key is in one place in the end, and no acknowledged write is lost. Batches go one way: of two that meet, each
    may need a shard that the other holds, and then the time of one is up. So may stock redis-server not be asked both ways."""
    for makes, threads, both_ways in (((OURS, OURS), 1, True), ((OURS, OURS), 4, True), ((OURS, OURS), 1, False),
                                      ((OURS, OURS), 4, False), ((OURS, THEIRS), 4, False)):
        with Host(makes[0], threads=threads) as one, Host(makes[1], threads=threads) as two:
            sides = [one, two]
            with one.client() as client:
                for i in range(COUNTERS):
                    client.call("RPUSH", f"c{i}", "first")
            work = Storm(sides, 4)
            jobs = [(work.add, SEED + i) for i in range(4)]
            for which, batch in enumerate((1, 1, 1) if both_ways else (1, 8, 8)):
                jobs.append((work.move, one, two, batch, SEED + 10 + which))
                if both_ways:
                    jobs.append((work.move, two, one, batch, SEED + 20 + which))
            threads_of = [threading.Thread(target=work.run, args=job) for job in jobs]
            for thread in threads_of:
                thread.start()
            for thread in threads_of:
                thread.join()
            title = f"{makes[0]} and {makes[1]}, {threads} threads, seed {SEED}"
            checks.equal(f"{title}: troubles", work.troubles, [])
            checks.equal(f"{title}: replies", sorted(work.replies.keys() - {b"OK", b"NOKEY"}), [])
            with one.client() as first, two.client() as second:
                lengths = [(first.call("LLEN", f"c{i}"), second.call("LLEN", f"c{i}")) for i in range(COUNTERS)]
            checks.equal(f"{title}: each in one place", [pair for pair in lengths if 0 not in pair or pair == (0, 0)], [])
            checks.equal(f"{title}: nothing is lost", [sum(pair) - 1 for pair in lengths], work.added)
            checks.true(f"{title}: something has moved", work.replies.get(b"OK", 0) > 5, work.replies)


# ---- transactions, scripts, users, TLS -------------------------------------------------------------------------------

SCRIPT = "return redis.call('MIGRATE', ARGV[1], ARGV[2], KEYS[1], 0, 60000)"
STRAY = "redis.call('SET', 'mark', 1) local r = redis.call('MIGRATE', ARGV[1], ARGV[2], KEYS[1], 0, 60000) " \
        "redis.call('SET', ARGV[3], 1) return r"


def in_others(checks):
    """Inside MULTI and of scripts; a script that strays is not run twice once it has moved something."""
    for threads in (1, 4):
        with Host(OURS, threads=threads) as host, Host(THEIRS) as target, host.client() as client:
            client.call("MSET", *[word for i in range(40) for word in (f"k{i}", i)])
            client.call("MULTI")
            client.call("INCR", "k0")
            client.call(*moves(target, "k0", 0, LONG))
            client.call(*moves(target, "", 0, LONG, "KEYS", "k1", "k2", "none"))
            client.call("EXISTS", "k0", "k1", "k2", "k3")
            checks.equal("EXEC", client.call("EXEC"), [1, b"OK", b"OK", 1])
            checks.equal("there", target.ask("MGET", "k0", "k1", "k2"), [b"1", b"1", b"2"])
            for i in range(3, 12):
                checks.equal(f"EVAL {i}", client.call("EVAL", SCRIPT, 1, f"k{i}", *target.address), b"OK")
            for i in range(12, 21):
                checks.equal(f"stray {i}", client.call("EVAL", STRAY, 1, f"k{i}", *target.address, f"mark{i}"), b"OK")
            checks.equal("all are there", target.ask("DBSIZE"), 21)
            checks.equal("the rest is here", client.call("DBSIZE"), 19 + 10)
            reply = client.call("EVAL", "return redis.pcall('MIGRATE', ARGV[1], ARGV[2], KEYS[1], 0, 100)", 1, "k30", HOST, free_port())
            checks.equal("an error in a script", bytes(reply), CANNOT_WRITE)
            with Stalled() as stalled, host.client() as other:
                client.call("MULTI")
                client.call("MIGRATE", *stalled.target.address, "k31", 0, 3000)
                client.send("EXEC")
                stalled.reached.wait(30)
                stalled.go.set()
                checks.equal("a stalled EXEC", client.read(), [b"OK"])
                checks.equal("others go on", other.call("PING"), b"PONG")


def rights(checks):
    tries = [["h", 1, "a1", 0, 10], ["h", 1, "b1", 0, 10], ["h", 1, "", 0, 10, "KEYS", "a1", "a2"], ["h", 1, "r1", 0, 10],
             ["h", 1, "", 0, 10, "KEYS", "a1", "b1"], ["h", 1, "", 0, 10], ["h", 1, "", 0, 10, "AUTH", "KEYS", "KEYS", "a1", "b2"],
             ["h", 1, "b1", 0, 10, "KEYS", "a1"], ["h", 1, "w1", 0, 10]]
    rules = [["+@all", "~a*", "%R~r*", "%W~w*"], ["+@all", "-migrate", "~*"], ["+migrate", "~a*"], ["+@write", "~*"], ["+@dangerous", "~*"],
             ["-@all", "+@keyspace", "allkeys"]]
    with both() as (ours, theirs):
        for rule in rules:
            for host in (ours, theirs):
                host.ask("ACL", "SETUSER", "u", "reset", "on", "nopass", *rule)
            checks.equal(f"{rule}", ours.ask("ACL", "GETUSER", "u")[5], theirs.ask("ACL", "GETUSER", "u")[5])
            for words in tries:
                asked = ("ACL", "DRYRUN", "u", "MIGRATE", *words)
                checks.equal(f"{rule} {words}", ours.ask(*asked), theirs.ask(*asked))
        for host in (ours, theirs):
            host.ask("ACL", "SETUSER", "u", "reset", "on", "nopass", "+@all", "~a*")
        with ours.client() as our, theirs.client() as their:
            for client in (our, their):
                client.call("AUTH", "u", "x")
            for words in tries:
                checks.equal(f"{words}", our.call("MIGRATE", *words), their.call("MIGRATE", *words))


def credentials(checks):
    """Passwords, and that nobody uses a connection of somebody who knows more."""
    with Host(OURS) as host, Host(THEIRS, ["--requirepass", "secret"], password="secret") as target, host.client() as client:
        target.ask("ACL", "SETUSER", "carol", "on", ">hers", "~*", "+restore", "+select")
        def move(*words):
            client.call("SET", "k", "v")
            return client.call(*moves(target, "k", 0, LONG, "REPLACE", *words))

        checks.equal("without", move(), b"ERR Target instance replied with error: NOAUTH Authentication required.")
        checks.equal("AUTH", move("AUTH", "secret"), b"OK")
        checks.true("without, beside a kept one", move().startswith(b"ERR Target instance replied with error: NOAUTH"))
        checks.equal("AUTH2", move("AUTH2", "carol", "hers"), b"OK")
        checks.true("wrong", move("AUTH", "wrong").startswith(b"ERR Target instance replied with error: WRONGPASS"))
        checks.equal("still there", client.call("GET", "k"), b"v")
        checks.true("kept ones", int(host.figures("stats")["migrate_cached_sockets"]) >= 2)
        checks.true("which go", wait_until(lambda: host.figures("stats")["migrate_cached_sockets"] == "0"))


def over_tls(checks):
    with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder:
        files = TlsFiles(folder)
        authority = files.authority()
        certificate, key = files.issue("server")
        common = ["--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-cert-file", authority]
        for make in (OURS, THEIRS):
            port = free_port()
            with Host(OURS, [*common, "--tls-cluster", "yes"]) as source, Host(make, [*common, "--tls-port", port]) as target, \
                    source.client() as client:
                large = random.Random(SEED).randbytes(8 << 20)
                client.call("MSET", "k", "v", "large", large)
                there = HOST, port
                checks.equal(f"to {make}", client.call("MIGRATE", *there, "k", 0, LONG), b"OK")
                client.call("SET", "k", "new")
                checks.equal("many", client.call("MIGRATE", *there, "", 0, LONG, "REPLACE", "KEYS", "k", "large"), b"OK")
                checks.equal("content", target.ask("MGET", "k", "large"), [b"new", large])
                client.call("SET", "k", "v")
                checks.equal("a port without TLS", client.call(*moves(target, "k", 0, 500)), CANNOT_CONNECT)
                checks.equal("CONFIG SET", client.call("CONFIG", "SET", "tls-cluster", "no"), b"OK")
                checks.equal("and plain", client.call(*moves(target, "k", 0, LONG, "REPLACE")), b"OK")


def on_a_replica(checks):
    """One that may be written: what its primary sends waits for the answer, and comes in order."""
    for threads in (1, 4):
        with Host(OURS) as primary, Host(OURS, ["--replica-read-only", "no"], threads=threads) as replica, Stalled() as stalled, \
                replica.client() as mover:
            primary.ask("MSET", "a", 1, "b", 2)
            replica.follow(primary)
            wait_until(lambda replica=replica: replica.ask("DBSIZE") == 2)
            mover.send("MIGRATE", *stalled.target.address, "a", 0, LONG)
            stalled.reached.wait(30)
            primary.ask("INCRBY", "a", 10)
            primary.ask("FLUSHALL")
            primary.ask("SET", "end", 1)
            stalled.go.set()
            checks.equal(f"{threads} threads", mover.read(), b"OK")
            checks.true("the stream goes on", wait_until(lambda replica=replica: replica.ask("EXISTS", "end") == 1))
            checks.equal("in order", replica.ask("KEYS", "*"), [b"end"])


if __name__ == "__main__":
    sys.exit(run_parts([facts, errors, wire, dead_connections, every_encoding, batches, effects, timeouts, sudden_ends, nonsense,
                        slow_targets, served_meanwhile, two_at_once, ends, to_each_other, storm, in_others, rights, credentials,
                        over_tls, on_a_replica]))
