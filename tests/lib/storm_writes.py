"""Writes of every kind, at random and from several connections at once, for servers that somebody follows."""

import contextlib

from random_writes import DATABASES, FAR, RandomWrites
from replicating import SEED, Crew
from resp_client import encode

FLUSHED = DATABASES[-1]
SOON_MILLIS = 400
HERE = ("13.361389", "38.115556")


class StormWrites(RandomWrites):
    """Besides values that stay: what expires, what is chosen by the server, what moves whole databases."""

    def __init__(self, seed, newer=False):
        super().__init__(seed)
        self.newer = newer  # more than 7.0 knows
        self.own_streams = [b"grouped:%d" % self.random.randrange(1 << 30) for _ in range(2)]
        self.last_entry = 0

    def soon(self):
        return self.random.randrange(1, SOON_MILLIS)

    def any_key(self):
        return self.key(self.random.choice([b"string", b"list", b"set", b"hash", b"zset", b"stream", b"numbers"]))

    def expiring(self):
        key = b"soon:%d" % self.random.randrange(40)
        return self.random.choice([
            ("SET", key, self.word(), "PX", self.soon()), ("PSETEX", key, self.soon(), self.word()),
            ("SET", key, self.word(), "KEEPTTL"), ("SET", key, self.word(), "XX", "GET", "PX", self.soon()),
            ("GETEX", key, "PX", self.soon()), ("GETEX", key, "PERSIST"), ("PEXPIRE", key, self.soon()),
            ("PEXPIRE", key, self.soon(), "GT"), ("INCR", key), ("APPEND", key, self.word()), ("GET", key),
            ("PEXPIRE", self.any_key(), self.soon()), ("EXPIRE", self.any_key(), -1), ("PEXPIREAT", key, 1),
            ("SETNX", key, self.word()), ("SETEX", key, 1, self.word()), ("PERSIST", key)])

    def bits(self):
        key, other = self.key(b"bits"), self.key(b"bits")
        return self.random.choice([
            ("SETBIT", key, self.random.randrange(3000), self.random.randrange(2)),
            ("BITOP", self.random.choice(["AND", "OR", "XOR"]), key, other, self.key(b"bits")),
            ("BITOP", "NOT", key, other),
            ("BITFIELD", key, "INCRBY", "u8", "#%d" % self.random.randrange(20), self.random.randrange(99)),
            ("BITFIELD", key, "OVERFLOW", "SAT", "INCRBY", "i5", 100, 7, "OVERFLOW", "FAIL", "SET", "u4", 8, 19)])

    def sketches(self):
        key = self.key(b"log")
        return self.random.choice([
            ("PFADD", key, *self.words(30)), ("PFMERGE", key, self.key(b"log"), self.key(b"log")), ("PFCOUNT", key),
            ("PFCOUNT", key, self.key(b"log"))])

    def places(self):
        key = self.key(b"geo")
        near = ("FROMLONLAT", *HERE, "BYRADIUS", self.random.randrange(1, 9000), "km")
        return self.random.choice([
            ("GEOADD", key, round(self.random.uniform(-179, 179), 6), round(self.random.uniform(-85, 85), 6),
             self.word()),
            ("GEOADD", key, *HERE, self.word()), ("GEOSEARCHSTORE", self.key(b"geo"), key, *near),
            ("GEOSEARCHSTORE", b"distances", key, *near, "COUNT", 5, "STOREDIST"),
            ("GEORADIUS", key, *HERE, 500, "km", "STORE", self.key(b"geo"))])

    def stores(self):
        kinds = b"list", b"set", b"zset"
        target = self.key(b"list")
        # Once a score was as small as 5e-324, a numeric SORT of stock 7.0 may fail, here and not there.
        order = ["DESC"] if self.newer else ["ALPHA", "DESC"]
        return self.random.choice([
            ("SORT", self.key(self.random.choice(kinds)), "ALPHA", "STORE", target),
            ("SORT", self.key(b"numbers"), *order, "LIMIT", 0, 20, "STORE", target),
            ("SORT", self.key(b"set"), "BY", "nosort", "STORE", target),
            ("SINTERSTORE", self.key(b"set"), self.key(b"set"), self.key(b"numbers")),
            ("SDIFFSTORE", self.key(b"set"), self.key(b"set"), self.key(b"set")),
            ("ZINTERSTORE", self.key(b"zset"), 2, self.key(b"zset"), self.key(b"set"), "WEIGHTS", 2, 0.5),
            ("ZDIFFSTORE", self.key(b"zset"), 2, self.key(b"zset"), self.key(b"zset")),
            ("ZRANGESTORE", self.key(b"zset"), self.key(b"zset"), 0, 30)])

    def chosen(self):
        """What is taken, and from where, is the server's choice."""
        return self.random.choice([
            ("SPOP", self.key(b"set"), self.random.randrange(1, 30)), ("SPOP", self.key(b"numbers")),
            ("LMPOP", 2, self.key(b"list"), self.key(b"list"), "LEFT", "COUNT", 3), ("ZPOPMAX", self.key(b"zset"), 2),
            ("ZMPOP", 2, self.key(b"zset"), self.key(b"zset"), "MIN"), ("XADD", self.key(b"auto"), "*", *self.pairs(3)),
            ("XADD", self.key(b"auto"), "MAXLEN", "~", 50, "*", *self.pairs(3)),
            ("XTRIM", self.key(b"auto"), "MAXLEN", 20),
            ("INCRBYFLOAT", b"float:%d" % self.random.randrange(5), self.random.uniform(-9, 9)),
            ("HINCRBYFLOAT", self.key(b"hash"), b"float", self.random.uniform(-9, 9)),
            ("PUBLISH", b"news", self.word())])

    def blocking(self):
        """Somebody else may serve it; the time is up soon."""
        return self.random.choice([
            ("BLPOP", self.key(b"queue"), self.key(b"queue"), 0.004), ("BLMOVE", self.key(b"queue"), self.key(b"queue"),
                                                                       "LEFT", "RIGHT", 0.004),
            ("BZPOPMIN", self.key(b"waiting"), 0.004), ("BLMPOP", 0.004, 1, self.key(b"queue"), "RIGHT", "COUNT", 2),
            ("RPUSH", self.key(b"queue"), *self.words(4)), ("LPUSH", self.key(b"queue"), self.word()),
            ("ZADD", self.key(b"waiting"), self.score(), self.word())])

    def groups(self):
        """On streams that nobody else writes to, so that most of it has an effect."""
        key, group = self.random.choice(self.own_streams), b"group:%d" % self.random.randrange(2)
        consumer = b"consumer:%d" % self.random.randrange(3)
        self.last_entry += 1
        recent = [b"%d-1" % max(1, self.last_entry - self.random.randrange(1, 40)) for _ in range(6)]
        usual = [("XADD", key, b"%d-1" % self.last_entry, *self.pairs(3)),
                 ("XGROUP", "CREATE", key, group, "0", "MKSTREAM"),
                 ("XREADGROUP", "GROUP", group, consumer, "COUNT", 6, "STREAMS", key, ">"),
                 ("XACK", key, group, *recent), ("XCLAIM", key, group, consumer, 0, *recent),
                 ("XCLAIM", key, group, consumer, 0, *recent, "JUSTID"), ("XAUTOCLAIM", key, group, consumer, 0, "-"),
                 ("XDEL", key, *recent[:2]), ("XADD", key, "NOMKSTREAM", "MAXLEN", "~", 60, b"%d-1" % self.last_entry,
                                              b"field", self.word())]
        rare = [("XREADGROUP", "GROUP", group, consumer, "NOACK", "STREAMS", key, ">"),
                ("XTRIM", key, "MINID", recent[0]), ("XGROUP", "DELCONSUMER", key, group, consumer),
                ("XGROUP", "DESTROY", key, group),
                ("XGROUP", "SETID", key, group, recent[0]), ("XSETID", key, b"%d-2" % self.last_entry),
                ("XREADGROUP", "GROUP", group, consumer, "STREAMS", key, "0"),
                ("XGROUP", "CREATECONSUMER", key, group, b"x")]
        return self.random.choice(usual * 5 + rare)

    def databases(self):
        kind = self.random.choice([b"string", b"list", b"set", b"hash", b"zset", b"stream"])
        moves = [("COPY", self.key(kind), self.key(kind), "DB", self.random.choice(DATABASES), "REPLACE"),
                 ("RENAMENX", self.key(kind), self.key(kind)), ("MOVE", self.key(kind), self.random.choice(DATABASES))]
        rare = [("SWAPDB", *self.random.sample(DATABASES, 2)), ("SELECT", FLUSHED), ("FLUSHDB",), ("SELECT", 0)]
        return self.random.choice(moves * 6 + rare[:2])

    def fields(self):
        key = self.key(b"hash")
        field = self.word()
        return self.random.choice([
            ("HPEXPIRE", key, self.soon(), "FIELDS", 1, field), ("HPERSIST", key, "FIELDS", 1, field),
            ("HGETEX", key, "PX", self.soon(), "FIELDS", 1, field), ("HGETDEL", key, "FIELDS", 1, field),
            ("HSETEX", key, "PX", self.soon(), "FIELDS", 1, field, self.word()),
            ("HEXPIRE", key, 0, "FIELDS", 1, field)])

    def command(self):
        makers = [self.expiring, self.groups, self.groups, self.bits, self.sketches, self.places, self.stores,
                  self.chosen, self.databases]
        if self.newer:
            makers.append(self.fields)
        return self.random.choice(makers)() if self.random.random() < 0.4 else super().command()

    def batch(self):
        """Requests of one connection, behind each other. Errors are part of it."""
        found = [("SELECT", self.random.choice(DATABASES))]
        commands = [self.command() for _ in range(self.random.randrange(1, 25))]
        pick = self.random.random()
        if pick < 0.15:
            found += [("WATCH", self.any_key()), ("MULTI",), *commands, ("EXEC",)]
        elif pick < 0.3:
            found += [("MULTI",), *commands, ("SELECT", self.random.choice(DATABASES)), self.command(), ("EXEC",)]
        elif pick < 0.33:
            found += [("MULTI",), *commands, ("DISCARD",)]
        elif pick < 0.345:
            found += [("SELECT", FLUSHED), self.random.choice([("FLUSHDB",), ("FLUSHDB", "ASYNC")])]
        else:
            found += commands + [self.blocking() for _ in range(self.random.randrange(3))]
        return found

    def play_batch(self, client):
        requests = self.batch()
        client.send_raw(b"".join(encode(request) for request in requests))
        for _ in requests:
            client.read()


class Storm(Crew):
    """Several connections that write until the end of the block. A `lull` lets a reader of the log breathe."""

    def __init__(self, host, title, writers=3, newer=False, lull=0.004):
        self.stack = contextlib.ExitStack()
        clients = [self.stack.enter_context(host.client()) for _ in range(writers)]

        def writer(index, client):
            writes = StormWrites(f"{SEED} {title} {index}", newer)

            def work():
                writes.play_batch(client)
                self.stopping.wait(lull)
            return work

        super().__init__(*[writer(index, client) for index, client in enumerate(clients)])

    def __exit__(self, *_):
        with self.stack:
            super().__exit__()


def settle(host):
    """Removes what would expire by itself."""
    with host.client() as client:
        for database in DATABASES:
            client.call("SELECT", database)
            for key in client.call("KEYS", "*"):
                if 0 <= client.call("PEXPIRETIME", key) < FAR:
                    client.call("DEL", key)
        client.call("DEBUG", "RELOAD")  # which leaves out what is past its time
