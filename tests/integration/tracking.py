#!/usr/bin/python3
"""Client-side caching (docs/tracking.md): who is told of which change, in what order beside its replies, on one core and
on several.

Seen to fail: with letters written while a long command of their client is in the middle (long_commands), or without regard
to the reply of a blocked command that is on its way (blocked_clients); with broadcasts sent behind the replies of a batch
(behind_a_busy_core); with the reads in transactions of a third of the clients not noted (both storms, in every run).

The storms have many clients with caches of their own on several cores over few keys. In the first a client knows, for each
key, a value that somebody has been answered; then it sends PING, and behind the PONG no cached value may be older than
that. In the second keys also expire, are renamed and flushed; at each rest no cached value may differ from the server's.
CINNABAR_TRACKING_SEED repeats the choices.
"""

import contextlib
import os
import pathlib
import random
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from checks import run_parts  # noqa: E402
from resp_client import ErrorReply, Push, encode  # noqa: E402
from server_process import Server, wait_until  # noqa: E402

CHANNEL = b"__redis__:invalidate"
EVERYTHING = "everything"
NOTHING = []
BRAKE_BYTES = 4000  # of the strings that LCS compares, each byte with each: half a millisecond or so


class Told:
    """A connection that keeps apart what it is told out of band."""

    def __init__(self, server, resp=3, tracking=None):
        self.client = server.client(resp=resp, timeout=60)
        self.resp = resp
        self.pushes = []
        self.id = self.call("CLIENT", "ID")
        if tracking is not None:
            reply = self.call("CLIENT", "TRACKING", "on", *tracking)
            assert reply == b"OK", reply

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()

    def send(self, *words):
        self.client.send(*words)

    def read(self):
        """The next reply; pushes before it are kept."""
        while isinstance(reply := self.client.read(), Push):
            self.pushes.append(reply)
        return reply

    def call(self, *words):
        self.send(*words)
        return self.read()

    def calls(self, *commands):
        self.client.send_raw(b"".join(encode(command) for command in commands))
        return [self.read() for _ in commands]

    def read_any(self):
        return self.pushes.pop(0) if self.pushes else self.client.read()

    def listen(self):
        assert self.call("SUBSCRIBE", CHANNEL)[0] == b"subscribe" if self.resp == 2 else True
        return self

    def told(self):
        """The keys of each invalidation since the last call, behind a PING."""
        if self.resp == 2:  # a listener
            self.send("PING")
            messages = []
            while (message := self.client.read()) != [b"pong", b""]:
                messages.append(message)
            assert all(message[:2] == [b"message", CHANNEL] for message in messages), messages
            return [keys(message[2]) for message in messages]
        self.call("PING")
        pushes, self.pushes = self.pushes, []
        return [keys(push[1]) if push[0] == b"invalidate" else push for push in pushes]


def keys(names):
    return EVERYTHING if names is None else [name.decode() for name in names]


@contextlib.contextmanager
def served(threads=2, options=()):
    with Server(threads=threads, options=["--save", "", *options]) as server, server.client() as writer:
        yield server, writer


def each_count_of_threads(part):
    def play(checks):
        for threads in (1, 2, 4):
            with checks.part(f"{part.__name__}, {threads} threads"), served(threads) as (server, writer):
                part(checks, server, writer)
    play.__name__ = part.__name__
    return play


def figures(client, section):
    text = client.call("INFO", section).decode()
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


@each_count_of_threads
def pushes(checks, server, writer):
    """RESP3: once for each key that was read and then changed."""
    with contextlib.ExitStack() as stack:
        readers = [stack.enter_context(Told(server, tracking=())) for _ in range(5)]
        writer.call("MSET", "a", 1, "b", 2, "c", 3)
        for reader in readers:
            reader.call("MGET", "a", "b", "absent")
            reader.call("APPEND", "c", "x")  # a write is no read
        for words, told in ((("SET", "a", 2), [["a"]]), (("SET", "a", 3), NOTHING), (("SET", "c", 3), NOTHING),
                            (("SET", "absent", 1), [["absent"]]), (("GET", "b"), NOTHING),
                            (("MSET", "b", 1, "a", 1), [["b"]])):
            writer.call(*words)
            checks.equal(f"{words}", [reader.told() for reader in readers], [told] * 5)


@each_count_of_threads
def what_counts_as_a_change(checks, server, writer):
    cases = [
        (["SET k v"], "DEL k"), (["SET k v"], "UNLINK k"), (["SET k v"], "RENAME k other"), (["SET other v"], "RENAME other k"),
        (["SET other v"], "COPY other k"), (["SET k v"], "MOVE k 1"), (["SET k v"], "EXPIRE k 100"),
        (["SET k v", "EXPIRE k 100"], "PERSIST k"), (["RPUSH k a b"], "LPOP k"), (["RPUSH k a b"], "LMOVE k other LEFT RIGHT"),
        (["SADD k a"], "SREM k a"), (["SADD s a"], "SUNIONSTORE k s"), (["HSET k f 1"], "HINCRBY k f 1"),
        (["ZADD k 1 a"], "ZADD k 2 a"), (["XADD k 1-1 f v"], "XTRIM k MAXLEN 0"), (["SET k 1"], "GETDEL k"),
        (["SET k 1"], "GETEX k EX 10"), (["RPUSH k 2 1"], "SORT k STORE k"), (["SET k v"], "SETRANGE k 0 x"),
        (["PFADD k a"], "PFMERGE k"), (["SET k v"], "EXPIREAT k 1"), (["RPUSH k a b c"], "LTRIM k 0 0"), ([], "GEOADD k 1 1 a"),
    ]
    with Told(server, tracking=()) as reader:
        for before, change in cases:
            writer.call("FLUSHALL")
            writer.call("SELECT", 0)
            reader.told()
            for words in before:
                writer.call(*words.split())
            reader.call("EXISTS", "k")
            reply = writer.call(*change.split())
            checks.true(change, not isinstance(reply, ErrorReply), f"{reply!r}")
            checks.true(change, reader.told() == [["k"]], "not told of k alone")
        # Redis tells names, not databases: so a change in another one counts.
        reader.call("GET", "k")
        writer.call("SELECT", 5)
        writer.call("SET", "k", 1)
        checks.equal("in another database", reader.told(), [["k"]])
        writer.call("SELECT", 0)
        reader.call("GET", "k")
        writer.call("XGROUP", "CREATE", "absent", "g", "$")  # an error
        checks.equal("an error changes nothing", reader.told(), NOTHING)


@each_count_of_threads
def redirected(checks, server, writer):
    """To a RESP2 connection that listens, and to one that speaks RESP3; several clients may share one."""
    with Told(server, resp=2) as listener, Told(server) as other, contextlib.ExitStack() as stack:
        deaf = stack.enter_context(Told(server, resp=2))
        for target, count in ((listener, 3), (other, 2), (deaf, 1)):
            clients = [stack.enter_context(Told(server, resp=2 + i % 2, tracking=("REDIRECT", target.id))) for i in range(count)]
            if target is listener:
                listener.call("SUBSCRIBE", CHANNEL)
            for number, client in enumerate(clients):
                client.call("GET", "shared")
                client.call("GET", f"own{number}")
                checks.equal("GETREDIR", client.call("CLIENT", "GETREDIR"), target.id)
            for number in range(count):
                writer.call("SET", f"own{number}", 1)
            writer.call("SET", "shared", 1)
            want = [[f"own{number}"] for number in range(count)] + [["shared"]] * count
            if target is deaf:
                checks.equal("RESP2 that does not listen", deaf.call("PING"), b"PONG")
            else:
                checks.equal("told", target.told(), want)
            writer.call("FLUSHALL")
            if target is not deaf:
                checks.equal("of everything", target.told(), [EVERYTHING] * count)
            for client in clients:
                checks.equal("the reader itself is told nothing", client.call("PING"), b"PONG")
                checks.equal("the reader itself is told nothing", client.pushes, [])
                client.call("CLIENT", "TRACKING", "off")


@each_count_of_threads
def redirection_that_ends(checks, server, writer):
    for resp in (2, 3):
        for ends in ("QUIT", "close", "kill"):
            target = Told(server, resp=3)
            with Told(server, resp=resp, tracking=("REDIRECT", target.id)) as client:
                client.call("GET", "k")
                if ends == "QUIT":
                    target.call("QUIT")
                elif ends == "close":
                    target.client.close()
                else:
                    writer.call("CLIENT", "KILL", "ID", target.id)
                wait_until(lambda gone=target.id: f"id={gone} ".encode() not in writer.call("CLIENT", "LIST"))
                writer.call("SET", "k", ends)
                broken = wait_until(lambda c=client: b"broken_redirect" in dict_of(c.call("CLIENT", "TRACKINGINFO"))[b"flags"])
                checks.true(f"{ends}, RESP{resp}: TRACKINGINFO", broken, "no broken_redirect")
                checks.contains("CLIENT INFO", client.call("CLIENT", "INFO"), b" flags=tR ")
                want = [[b"tracking-redir-broken", target.id]] if resp == 3 else []
                checks.equal("push", [list(push) for push in client.pushes], want)
                client.pushes = []
                with Told(server) as another:
                    client.call("CLIENT", "TRACKING", "on", "REDIRECT", another.id)
                    client.call("GET", "k")
                    writer.call("SET", "k", "again")
                    checks.equal("another one", another.told(), [["k"]])
                    checks.true("whole again", b"broken_redirect" not in dict_of(client.call("CLIENT", "TRACKINGINFO"))[b"flags"])
            target.client.close()


def dict_of(reply):
    return dict(reply) if reply and isinstance(reply[0], tuple) else dict(zip(reply[::2], reply[1::2]))


@each_count_of_threads
def broadcasts(checks, server, writer):
    """BCAST: by prefixes, without having read anything, one message for all keys of a prefix."""
    with Told(server, tracking=("BCAST", "PREFIX", "user:", "PREFIX", "item:")) as some, \
         Told(server, tracking=("BCAST",)) as every, Told(server, resp=2) as listener, \
         Told(server, tracking=("BCAST", "NOLOOP", "PREFIX", "user:")) as noloop, \
         Told(server, resp=2, tracking=("BCAST", "PREFIX", "u", "REDIRECT", listener.id)):
        listener.call("SUBSCRIBE", CHANNEL)
        writer.call("MSET", "user:2", 1, "user:1", 1, "item:1", 1, "x", 1)
        checks.equal("some", some.told(), [["item:1"], ["user:1", "user:2"]])
        checks.equal("every", every.told(), [["item:1", "user:1", "user:2", "x"]])
        checks.equal("redirected", listener.told(), [["user:1", "user:2"]])
        checks.equal("noloop", noloop.told(), [["user:1", "user:2"]])
        for command in (("MULTI",), ("INCR", "user:1"), ("INCR", "user:1"), ("INCR", "y"), ("EXEC",)):
            noloop.call(*command)
        checks.equal("its own", noloop.told(), NOTHING)
        checks.equal("of a transaction", some.told(), [["user:1"]])
        checks.equal("of a transaction", every.told(), [["user:1", "y"]])
        some.call("CLIENT", "TRACKING", "on", "BCAST", "PREFIX", "z")
        writer.call("SET", "z1", 1)
        checks.equal("a prefix was added", some.told(), [["z1"]])
        checks.equal("distinct prefixes", figures(writer, "stats")["tracking_total_prefixes"], "5")
        some.call("GET", "x")
        writer.call("SET", "x", 2)
        checks.equal("what is read is not noted", some.told(), NOTHING)
        writer.call("FLUSHDB")
        checks.equal("everything", some.told(), [EVERYTHING])
        checks.equal("everything, whoever did it", noloop.told(), [EVERYTHING])
    gone = wait_until(lambda: figures(writer, "stats")["tracking_total_prefixes"] == "0")
    checks.true("prefixes go with their clients", gone, figures(writer, "stats")["tracking_total_prefixes"])


@each_count_of_threads
def opting(checks, server, writer):
    with Told(server, tracking=("OPTIN",)) as optin, Told(server, tracking=("OPTOUT",)) as optout:
        for client, word, alone in ((optin, "yes", NOTHING), (optout, "no", [["k"]])):
            said = NOTHING if alone else [["k"]]
            for commands, want in (
                    ([("GET", "k")], alone),
                    ([("CLIENT", "CACHING", word), ("GET", "k")], said),
                    ([("CLIENT", "CACHING", word), ("PING",), ("GET", "k")], alone),
                    ([("CLIENT", "CACHING", word), ("CLIENT", "ID"), ("GET", "k")], said),
                    ([("CLIENT", "CACHING", word), ("MULTI",), ("PING",), ("GET", "k"), ("EXEC",)], said),
                    ([("CLIENT", "CACHING", word), ("MULTI",), ("EXEC",), ("GET", "k")], alone)):
                client.calls(*commands)
                writer.call("INCR", "k")
                checks.equal(f"{word}: {commands}", client.told(), want)
                client.calls(("CLIENT", "TRACKING", "off"),
                             ("CLIENT", "TRACKING", "on", "OPTIN" if client is optin else "OPTOUT"))


@each_count_of_threads
def own_changes(checks, server, writer):
    """Behind the reply of the command, or of EXEC; NOLOOP: not at all."""
    pipeline = [("INCR", "a"), ("MULTI",), ("INCR", "b"), ("GET", "b"), ("INCR", "c"), ("EXEC",), ("PING",)]
    replies = [2, b"OK", b"QUEUED", b"QUEUED", b"QUEUED", [2, b"2", 2], b"PONG"]
    invalidated = [[b"invalidate", [name]] for name in (b"a", b"b", b"c")]
    for tracking, want in (((), [*replies[:1], invalidated[0], *replies[1:6], *invalidated[1:], *replies[6:]]),
                           (("NOLOOP",), replies)):
        with Told(server, tracking=tracking) as client:
            client.call("MSET", "a", 1, "b", 1, "c", 1)
            client.call("MGET", "a", "b", "c")
            client.client.send_raw(b"".join(encode(words) for words in pipeline))
            checks.equal(f"{tracking}, in order", [client.client.read() for _ in want], want)
            client.call("GET", "a")
            writer.call("SET", "a", 1)
            checks.equal("of others", client.told(), [["a"]])


@each_count_of_threads
def expiry(checks, server, writer):
    for how in ("lazy", "active"):
        with Told(server, tracking=("NOLOOP",)) as client, Told(server, tracking=("BCAST", "NOLOOP")) as every:
            writer.call("DEBUG", "SET-ACTIVE-EXPIRE", 1 if how == "active" else 0)
            every.call("MSET", "kept", 1, "k", 1)
            client.call("MGET", "kept", "k")
            client.call("PEXPIRE", "k", 20)
            client.call("GET", "k")
            checks.equal(f"{how}: its own command", every.told(), [["k"]])
            if how == "lazy":
                threading.Event().wait(0.05)
                client.call("MGET", "kept", "k")  # meets it itself
            told = []
            wait_until(lambda c=client, t=told: t.extend(c.told()) or t)
            checks.equal(how, told, [["k"]])
            told = []
            wait_until(lambda e=every, t=told: t.extend(e.told()) or t)
            checks.equal(f"{how}, BCAST", told, [["k"]])
            writer.call("HSET", "h", "f", 1, "g", 1)
            writer.call("FLUSHALL")
    with Told(server, tracking=()) as client:
        writer.call("DEBUG", "SET-ACTIVE-EXPIRE", 1)
        writer.call("HSET", "h", *[word for i in range(200) for word in (f"f{i}", "v")])
        writer.call("HPEXPIRE", "h", 20, "FIELDS", 1, "f1")
        client.call("HGETALL", "h")
        told = []
        wait_until(lambda: told.extend(client.told()) or told)
        checks.equal("a field", told, [["h"]])


@each_count_of_threads
def eviction(checks, server, writer):
    with Told(server, tracking=("NOLOOP",)) as client, Told(server, tracking=("BCAST",)) as every:
        writer.call("CONFIG", "SET", "maxmemory-policy", "volatile-random")
        client.call("SET", "volatile", "x", "EX", 10_000)
        client.call("GET", "volatile")
        used = int(figures(writer, "memory")["used_memory"])
        writer.call("CONFIG", "SET", "maxmemory", used + 200_000)
        writer.call("SETBIT", "big", 8_000_000, 0)
        writer.call("PING")
        client.call("PING")
        writer.call("CONFIG", "SET", "maxmemory", used + 200_000)
        every.call("PING")
        checks.equal("told", [push[1] for push in client.pushes if push[0] == b"invalidate"], [[b"volatile"]])
        checks.true("BCAST", any(b"volatile" in push[1] for push in every.pushes), f"{every.pushes}")
        client.pushes = []
        # What has to go for one's own command is told before its reply.
        writer.call("CONFIG", "SET", "maxmemory", 0)
        client.call("SET", "volatile", "x", "EX", 10_000)
        client.call("GET", "volatile")
        writer.call("CONFIG", "SET", "maxmemory-policy", "noeviction", "maxmemory", used)
        writer.call("CONFIG", "SET", "maxmemory-policy", "volatile-random")
        client.send("GETBIT", "big", 0)
        seen = [client.client.read()]
        if isinstance(seen[0], Push):
            seen.append(client.client.read())
            checks.equal("before the reply", seen, [[b"invalidate", [b"volatile"]], 0])
        else:  # another core was quicker
            checks.equal("before the reply", client.told(), [["volatile"]])


@each_count_of_threads
def everything(checks, server, writer):
    with Told(server, tracking=()) as client, Told(server, tracking=("NOLOOP",)) as own:
        for words in (("FLUSHALL",), ("FLUSHALL", "ASYNC"), ("FLUSHDB",), ("SWAPDB", 0, 1), ("DEBUG", "RELOAD")):
            own.call("SET", "k", 1)
            client.call("MGET", "k", "j")
            client.told()
            own.told()
            reply = own.call(*words)
            checks.equal(f"{words}", reply, b"OK")
            checks.equal(f"{words}: others", client.told(), [EVERYTHING])
            checks.equal(f"{words}: its own", own.told(), [EVERYTHING])
            own.call("SET", "k", 2)
            checks.equal("nothing is left noted", client.told(), NOTHING)
        for words in (("MULTI",), ("FLUSHDB",), ("GET", "k")):
            own.call(*words)
        own.send("EXEC")
        checks.equal("behind EXEC", [own.client.read(), own.client.read()], [[b"OK", None], [b"invalidate", None]])
        writer.call("DEBUG", "POPULATE", 5000)
        own.send("FLUSHALL", "SYNC")
        checks.equal("behind a flush in slices", [own.client.read(), own.client.read()], [b"OK", [b"invalidate", None]])


@each_count_of_threads
def the_limit(checks, server, writer):
    with Told(server, tracking=()) as client:
        for i in range(250):
            client.call("GET", f"key{i}")
        checks.equal("keys", figures(writer, "stats")["tracking_total_keys"], "250")
        writer.call("CONFIG", "SET", "tracking-table-max-keys", 100)
        told = client.told()
        checks.equal("told", len(told), 150)
        for i in range(1000, 1500):
            client.call("GET", f"key{i}")
        told += client.told()
        counts = [int(figures(writer, "stats")[name]) for name in ("tracking_total_keys", "tracking_total_items")]
        checks.true("keys and items", counts[0] == counts[1] <= 100, f"{counts}")
        checks.equal("each is noted or was told", len(told) + counts[0], 750)
        checks.equal("each once", len({name for names in told for name in names}), len(told))
        writer.call("CONFIG", "SET", "tracking-table-max-keys", 0)
        for i in range(250):
            client.call("GET", f"other{i}")
        checks.equal("without a limit", client.told(), NOTHING)
        checks.contains("refused", writer.call("CONFIG", "SET", "tracking-table-max-keys", -1), b"argument must be between 0 and")


@each_count_of_threads
def blocked_clients(checks, server, writer):
    """They are told while they wait, and of what serves them behind their reply."""
    with Told(server, tracking=()) as client:
        for _ in range(20):
            writer.call("DEL", "list1", "list2", "stream")
            writer.call("RPUSH", "list2", "a")
            client.call("LRANGE", "list2", 0, -1)
            client.call("GET", "other")
            client.told()
            client.send("BLMOVE", "list1", "list2", "LEFT", "LEFT", 0)
            wait_until(lambda: figures(writer, "clients")["blocked_clients"] == "1")
            writer.call("SET", "other", 1)
            checks.equal("while it waits", client.client.read(), [b"invalidate", [b"other"]])
            writer.call("RPUSH", "list1", "foo")
            checks.equal("behind its reply", [client.client.read(), client.client.read()], [b"foo", [b"invalidate", [b"list2"]]])
            # The stream was empty when XREAD read it, and has an entry when it is served.
            client.send("XREAD", "BLOCK", 0, "STREAMS", "stream", "0")
            wait_until(lambda: figures(writer, "clients")["blocked_clients"] == "1")
            writer.send_raw(encode(("XADD", "stream", "*", "f", "v")) + encode(("XADD", "stream", "*", "f", "w")))
            writer.read()
            writer.read()
            client.send("PING")
            seen = [client.client.read()]
            while seen[-1] != b"PONG":
                seen.append(client.client.read())
            at = next(i for i, each in enumerate(seen) if not isinstance(each, Push) and each != b"PONG")
            checks.true("what was read is stale, and that is told behind it",
                        [b"invalidate", [b"stream"]] in seen[at + 1:], f"{seen}")


@each_count_of_threads
def long_commands(checks, server, writer):
    """A client in the middle of one is told behind its reply, all others while it runs."""
    elements = [str(i).encode() for i in range(300_000)]
    for first in range(0, len(elements), 1000):
        writer.call("RPUSH", "big", *elements[first:first + 1000])
    with Told(server, tracking=()) as busy, Told(server, tracking=()) as other, Told(server, tracking=()) as same:
        for each in (busy, other, same):
            each.call("GET", "k")
        busy.send("LRANGE", "big", 0, -1)
        writer.call("SET", "k", 1)
        for each in (other, same):
            checks.equal("others", each.told(), [["k"]])
        reply = busy.client.read()
        if isinstance(reply, Push):  # the command had not begun
            reply = busy.client.read()
        checks.true("its reply is whole", reply == elements, "it is not")
        busy.told()
        busy.call("GET", "k")
        writer.call("SET", "k", 2)
        checks.equal("and tracked as before", busy.told(), [["k"]])


def behind_a_busy_core(checks):
    """The reader's core is in a command that gives nobody a turn while another core makes the change and answers, and the
    reader asks something: it is told before it is answered."""
    for tracking in ((), ("BCAST",), ("REDIRECT",)):
        with served() as (server, _), contextlib.ExitStack() as stack:
            # Neighbours are on different cores.
            tellers = [stack.enter_context(Told(server)) for _ in range(2)]
            brakes = [stack.enter_context(server.client(timeout=60)) for _ in range(2)]
            writers = [stack.enter_context(server.client(timeout=60)) for _ in range(2)]
            for client in (*brakes, *writers):
                client.call("PING")
            readers = [Told(server) for _ in range(2)] if tracking == ("REDIRECT",) else tellers
            for reader, teller in zip(readers, tellers):
                reader.call("CLIENT", "TRACKING", "on", *tracking, *([teller.id] if tracking == ("REDIRECT",) else []))
            for key in ("brake1", "brake2"):
                writers[0].call("SET", key, random.Random(key).randbytes(4 * BRAKE_BYTES))
            late = []
            for i in range(40):
                for reader in readers:
                    reader.call("GET", f"k{i}")
                for teller in tellers:
                    teller.told()
                here = i % 2
                brakes[here].send("LCS", "brake1", "brake2", "LEN")
                writers[1 - here].call("SET", f"k{i}", i)
                if tellers[here].told() != [[f"k{i}"]]:
                    late.append(i)
                brakes[here].read()
                for teller in tellers:
                    teller.told()
            checks.equal(f"{tracking}: told late", late, [])


@each_count_of_threads
def modes_of_replies(checks, server, writer):
    with Told(server, tracking=()) as client:
        client.call("GET", "k")
        client.send("CLIENT", "REPLY", "OFF")
        client.send("GET", "j")
        threading.Event().wait(0.02)
        writer.call("MSET", "k", 1)
        checks.equal("pushes are no replies", client.client.read(), [b"invalidate", [b"k"]])
        wait_until(lambda: int(figures(writer, "stats")["tracking_total_keys"]) == 1)
        writer.call("SET", "j", 1)
        checks.equal("reads without replies are noted", client.client.read(), [b"invalidate", [b"j"]])
        client.send("CLIENT", "REPLY", "ON")
        checks.equal("on again", client.client.read(), b"OK")


@each_count_of_threads
def figures_add_up(checks, server, writer):
    with Told(server, tracking=()) as one, Told(server, tracking=()) as two, Told(server, tracking=("BCAST", "PREFIX", "p")):
        one.call("MGET", "a", "b")
        two.call("MGET", "b", "c")
        stats, clients = figures(writer, "stats"), figures(writer, "clients")
        checks.equal("clients", clients["tracking_clients"], "3")
        checks.equal("stats", [stats[f"tracking_total_{what}"] for what in ("keys", "items", "prefixes")], ["3", "4", "1"])
        two.call("RESET")
        checks.equal("RESET", figures(writer, "clients")["tracking_clients"], "2")
        writer.call("SET", "b", 1)
        checks.equal("told", one.told(), [["b"]])
        checks.contains("commandstats", writer.call("INFO", "commandstats"), b"cmdstat_client|tracking:calls=3")
    gone = wait_until(lambda: figures(writer, "clients")["tracking_clients"] == "0"
                      and figures(writer, "stats")["tracking_total_keys"] == "0")
    checks.true("nothing is left", gone, f"{figures(writer, 'stats')}")


# What the clients of a storm do besides reading.
MODES = [(), ("OPTIN",), ("OPTOUT",), ("NOLOOP",), ("BCAST",), ("BCAST", "NOLOOP", "PREFIX", "k"), ("REDIRECT",),
         ("REDIRECT", "OPTIN")]
KEYS = [f"k{i}" for i in range(6)]


class Cache:
    """A client with a cache. It reads replies one by one, so that whatever it is told later is newer or harmless."""

    def __init__(self, server, mode, choose):
        self.choose = choose
        self.optin = "OPTIN" in mode
        self.noloop = "NOLOOP" in mode
        self.values = {}
        self.told = 0
        self.listener = None
        if "REDIRECT" in mode:
            self.listener = Told(server, resp=choose.choice((2, 3)))
            if self.listener.resp == 2:
                self.listener.call("SUBSCRIBE", CHANNEL)
            mode = (*mode, self.listener.id)
            if "OPTIN" in mode:
                mode = ("OPTIN", "REDIRECT", self.listener.id)
        self.data = Told(server, tracking=mode)

    def close(self):
        for each in (self.data, self.listener):
            if each is not None:
                each.client.close()

    def read(self):
        names = self.choose.sample(KEYS, self.choose.randrange(1, 4))
        commands = [("CLIENT", "CACHING", "yes")] if self.optin else []
        if self.choose.random() < 0.5:
            commands.append(("MGET", *names))
            replies = self.data.calls(*commands)
            values = replies[-1]
        else:
            commands += [("MULTI",), *[("GET", name) for name in names], ("EXEC",)]
            values = self.data.calls(*commands)[-1]
        self.values.update(zip(names, values))
        self.take(self.data)

    def take(self, told):
        """Drops what the connection has been told, behind all that it has read."""
        pushes, told.pushes = told.pushes, []
        for push in pushes:
            self.drop(push[1])

    def drop(self, names):
        self.told += 1
        if names is None:
            self.values.clear()
        for name in names or ():
            self.values.pop(name.decode(), None)

    def wrote(self, *names):
        """With NOLOOP nobody tells it of its own changes."""
        for name in names if self.noloop else ():
            self.values.pop(name, None)
        self.take(self.data)

    def fence(self):
        for told in (self.listener, self.data):
            for names in told.told() if told is not None else ():
                self.drop(None if names is EVERYTHING else [name.encode() for name in names])


def storm_seed():
    seed = int(os.environ.get("CINNABAR_TRACKING_SEED", random.randrange(1 << 32)))
    print(f"    repeat with CINNABAR_TRACKING_SEED={seed}", flush=True)
    return seed


def run_clients(count, work):
    """Runs `work(number)` in threads; what went wrong."""
    failures = []

    def guarded(number):
        try:
            work(number, failures)
        except Exception as error:
            failures.append(f"client {number}: {error!r}")
    workers = [threading.Thread(target=guarded, args=(number,)) for number in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return failures


@contextlib.contextmanager
def busy_cores(server, count):
    """Keeps all cores busy, in commands that give nobody a turn: what arrives meanwhile is found together."""
    ended = threading.Event()
    clients = [server.client(timeout=60) for _ in range(count)]
    for key in ("brake1", "brake2"):
        clients[0].call("SET", key, random.Random(key).randbytes(BRAKE_BYTES))

    def brake():
        while not ended.is_set():
            for client in clients:
                client.send("LCS", "brake1", "brake2", "LEN")
            for client in clients:
                client.read()
    thread = threading.Thread(target=brake)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        for client in clients:
            client.close()


def count_up(cache, answered, lock):
    """One or two counters; notes their values once it has the reply."""
    names = cache.choose.sample(KEYS, cache.choose.randrange(1, 3))
    if len(names) == 1:
        values = [cache.data.call("INCR", names[0])]
    else:
        values = cache.data.calls(("MULTI",), *[("INCR", name) for name in names], ("EXEC",))[-1]
    cache.wrote(*names)
    with lock:
        for name, value in zip(names, values):
            answered[name] = max(answered[name], value)


def storm_of_counters(checks):
    """Values only grow, so that a client can tell an old one at any moment."""
    seed = storm_seed()
    for threads, options in ((1, ()), (2, ()), (4, ()), (2, ("--appendonly", "yes", "--appendfsync", "always"))):
        with served(threads, options) as (server, writer):
            writer.call("MSET", *[word for name in KEYS for word in (name, 0)])
            answered, lock, told = dict.fromkeys(KEYS, 0), threading.Lock(), []

            def work(number, failures, server=server, answered=answered, lock=lock, told=told):
                cache = Cache(server, MODES[number % len(MODES)], random.Random(seed + number))
                for step in range(250):
                    if cache.choose.random() < 0.3:
                        count_up(cache, answered, lock)
                    cache.read()
                    if cache.choose.random() < 0.5:
                        with lock:
                            known = dict(answered)
                        cache.fence()
                        old = {name: (value, known[name]) for name, value in cache.values.items() if int(value) < known[name]}
                        if old:
                            failures.append(f"client {number}, {MODES[number % len(MODES)]}, step {step}: {old}")
                            break
                told.append(cache.told)
                cache.close()
            with busy_cores(server, 2 * threads):
                failures = run_clients(12, work)
            checks.equal(f"{threads} threads {options}: stale values behind a fence", failures, [])
            checks.true("all were told something", len(told) == 12 and min(told) > 0, f"{told}")


def change_anything(cache):
    choose = cache.choose
    name, other = choose.sample(KEYS, 2)
    value = choose.randrange(1 << 30)
    words = choose.choice([
        ("SET", name, value), ("SET", name, value, "PX", choose.randrange(1, 30)), ("DEL", name), ("RENAME", name, other),
        ("COPY", name, other, "REPLACE"), ("PEXPIRE", name, choose.randrange(1, 30)), ("MSET", name, value, other, value),
        ("GETDEL", name), ("APPEND", name, value), ("GETEX", name, "PX", 10)])
    if choose.random() < 0.03:
        words = choose.choice([("FLUSHDB",), ("SWAPDB", 0, 1), ("FLUSHALL", "ASYNC")])
    cache.data.call(*words)
    cache.wrote(name, other)


def storm_of_everything(checks):
    """At a rest every cache agrees with the server."""
    seed = storm_seed()
    rounds, clients = 12, 10
    for threads in (1, 2, 4):
        with served(threads) as (server, writer):
            rest = threading.Barrier(clients + 1, timeout=120)
            truth = {}

            def work(number, failures, server=server, rest=rest, truth=truth):
                cache = Cache(server, MODES[(number * 3) % len(MODES)], random.Random(seed + number))
                for round_number in range(rounds):
                    for _ in range(25):
                        change_anything(cache)
                        cache.read()
                    rest.wait()  # nobody writes any more
                    rest.wait()  # the truth is known
                    cache.fence()
                    wrong = {name: (value, truth[name]) for name, value in cache.values.items() if value != truth[name]}
                    if wrong:
                        failures.append(f"client {number}, {MODES[(number * 3) % len(MODES)]}, round {round_number}: {wrong}")
                    rest.wait()  # everybody has looked
                cache.close()

            def look(writer=writer, rest=rest, truth=truth):
                for _ in range(rounds):
                    rest.wait()
                    threading.Event().wait(0.05)  # what was about to expire is gone when it is looked for
                    truth.update(zip(KEYS, writer.call("MGET", *KEYS)))
                    rest.wait()
                    rest.wait()
            looker = threading.Thread(target=look)
            looker.start()
            failures = run_clients(clients, work)
            looker.join()
            checks.equal(f"{threads} threads: stale values at a rest", failures, [])


if __name__ == "__main__":
    sys.exit(run_parts([pushes, what_counts_as_a_change, redirected, redirection_that_ends, broadcasts, opting, own_changes,
                        expiry, eviction, everything, the_limit, blocked_clients, long_commands, behind_a_busy_core, modes_of_replies,
                        figures_add_up, storm_of_counters, storm_of_everything]))
