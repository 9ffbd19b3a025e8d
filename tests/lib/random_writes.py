"""Seeded random writes over all types, encodings and databases, and values that files find hard."""

import random

DATABASES = (0, 1, 9)
KEYS_OF_A_TYPE = 12
FAR = 4102444800000  # no key expires while a test runs


class RandomWrites:
    """An endless source of commands that every server of Redis 7.0 or later takes. Their types never clash."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.stream_id = 0

    def word(self):
        """A name or a value."""
        pick = self.random.randrange(12)
        if pick < 3:
            return str(self.random.randrange(-100, 300)).encode()
        if pick < 4:
            return str(self.random.randrange(-(1 << 63), 1 << 63)).encode()
        if pick < 7:
            return b"word:%d" % self.random.randrange(500)
        if pick < 8:
            return bytes(self.random.randrange(256) for _ in range(self.random.randrange(1, 90)))
        if pick < 9:
            return b"again and again " * self.random.randrange(1, 40)
        if pick < 10:
            return self.random.choice([b"", b" ", b"\0", b"\r\n$5\r\n*3\r\n", b"007", b"-0", b"1e5", b"nan", b"+5"])
        return b"%d.%d" % (self.random.randrange(1000), self.random.randrange(1000))

    def words(self, most):
        return [self.word() for _ in range(self.random.randrange(1, most))]

    def pairs(self, most):
        return [part for _ in range(self.random.randrange(1, most)) for part in (self.word(), self.word())]

    def score(self):
        pick = self.random.randrange(6)
        if pick == 0:
            return self.random.choice([b"inf", b"-inf", b"0", b"1e300", b"5e-324", b"0.1"])
        return repr(self.random.choice([self.random.uniform(-1e6, 1e6), float(self.random.randrange(-50, 50))])).encode()

    def key(self, kind):
        return kind + b":%d" % self.random.randrange(KEYS_OF_A_TYPE)

    def string(self):
        key = self.key(b"string")
        return self.random.choice([
            ("SET", key, self.word()), ("SET", key, b"long and longer " * self.random.randrange(1, 3000)),
            ("SET", key, self.random.randbytes(self.random.randrange(1, 20000))), ("SET", key, self.word(), "PXAT", FAR),
            ("APPEND", key, self.word()), ("SETRANGE", key, self.random.randrange(300), self.word()),
            ("GETDEL", key), ("SETBIT", key, self.random.randrange(5000), "1"), ("PFADD", b"log", *self.words(20)),
            ("INCRBY", b"number:%d" % self.random.randrange(5), self.random.randrange(-99, 99)),
            ("INCRBYFLOAT", b"float:%d" % self.random.randrange(5), "0.5")])

    def list(self):
        key = self.key(b"list")
        return self.random.choice([
            ("RPUSH", key, *self.words(40)), ("LPUSH", key, *self.words(8)), ("LPOP", key), ("RPOP", key, 3),
            ("LTRIM", key, 0, 150), ("LSET", key, 0, self.word()), ("LREM", key, 1, self.word()),
            ("RPUSH", key, b"huge" * self.random.randrange(1, 5000)), ("LINSERT", key, "BEFORE", self.word(), self.word()),
            ("LMOVE", key, self.key(b"list"), "LEFT", "RIGHT")])

    def set(self):
        key, numbers = self.key(b"set"), self.key(b"numbers")
        return self.random.choice([
            ("SADD", key, *self.words(60)), ("SREM", key, *self.words(8)), ("SPOP", key), ("SPOP", key, 4),
            ("SADD", numbers, *[self.random.randrange(-1000, 1 << self.random.choice([8, 20, 40])) for _ in range(30)]),
            ("SPOP", numbers), ("SMOVE", key, self.key(b"set"), self.word()),
            ("SUNIONSTORE", key, self.key(b"set"), self.key(b"numbers"))])

    def hash(self):
        key = self.key(b"hash")
        return self.random.choice([
            ("HSET", key, *self.pairs(30)), ("HDEL", key, *self.words(10)), ("HSETNX", key, self.word(), self.word()),
            ("HINCRBY", key, b"count", self.random.randrange(-9, 9)), ("HINCRBYFLOAT", key, b"float", "1.25"),
            ("HSET", key, self.word(), b"value " * self.random.randrange(1, 400))])

    def sorted_set(self):
        key = self.key(b"zset")
        members = [part for _ in range(self.random.randrange(1, 40)) for part in (self.score(), self.word())]
        return self.random.choice([
            ("ZADD", key, *members), ("ZADD", key, *members[:6]), ("ZREM", key, *self.words(9)),
            ("ZINCRBY", key, "1.5", self.word()), ("ZPOPMIN", key), ("ZREMRANGEBYRANK", key, "0", "1"),
            ("ZUNIONSTORE", key, 2, self.key(b"zset"), self.key(b"zset"), "AGGREGATE", "MIN")])

    def stream(self):
        key, group = self.key(b"stream"), b"group:%d" % self.random.randrange(3)
        self.stream_id += self.random.randrange(1, 5)
        entry = b"%d-%d" % (self.stream_id, self.random.randrange(3))
        old = b"%d-1" % self.random.randrange(1, self.stream_id + 1)
        consumer = b"consumer:%d" % self.random.randrange(4)
        adds = [("XADD", key, entry, *self.pairs(6)), ("XADD", key, entry, b"temperature", self.word(), b"place", b"here")]
        return self.random.choice(adds * 4 + [
            ("XGROUP", "CREATE", key, group, self.random.choice([b"0", b"$", old]), "MKSTREAM"),
            ("XGROUP", "CREATECONSUMER", key, group, consumer), ("XGROUP", "DELCONSUMER", key, group, consumer),
            ("XREADGROUP", "GROUP", group, consumer, "COUNT", 5, "STREAMS", key, ">"),
            ("XREADGROUP", "GROUP", group, consumer, "COUNT", 3, "NOACK", "STREAMS", key, ">"),
            ("XACK", key, group, old), ("XCLAIM", key, group, consumer, 0, old, "FORCE"),
            ("XAUTOCLAIM", key, group, consumer, 0, "-", "COUNT", 4), ("XDEL", key, old), ("XTRIM", key, "MAXLEN", 60),
            ("XGROUP", "SETID", key, group, old), ("XGROUP", "DESTROY", key, group)])

    def whole(self):
        kind = self.random.choice([b"string", b"list", b"set", b"hash", b"zset", b"stream", b"numbers"])
        key = self.key(kind)
        return self.random.choice([
            ("PEXPIREAT", key, FAR + self.random.randrange(1000)), ("PERSIST", key), ("DEL", key), ("UNLINK", key),
            ("RENAME", key, self.key(kind)), ("COPY", key, self.key(kind), "REPLACE"),
            ("MOVE", key, self.random.choice(DATABASES))])

    def command(self):
        makers = [self.string, self.list, self.set, self.hash, self.sorted_set, self.stream] * 3 + [self.whole]
        return self.random.choice(makers)()

    def play(self, client, commands):
        """Errors are part of it. Some commands come in transactions."""
        while commands > 0:
            client.call("SELECT", self.random.choice(DATABASES))
            count = self.random.randrange(1, 30)
            commands -= count
            transaction = self.random.random() < 0.2
            if transaction:
                client.call("MULTI")
            for _ in range(count):
                client.call(*self.command())
            if transaction:
                client.call("EXEC")
        client.call("SELECT", 0)


def difficult_commands():
    """Names and values at the borders of what files can hold."""
    every_byte = bytes(range(256))
    return [("SET", b"", b"the empty name"), ("RPUSH", b"empty words", b"", b"", b""), ("SET", every_byte, every_byte),
            ("SET", b"n" * 70000, b"a long name"), ("SET", b"huge", b"compressible " * 400000),
            ("SET", b"random", random.Random(5).randbytes(1 << 20)), ("HSET", b"h", b"", b"", every_byte, b"x" * 70000),
            ("SADD", b"one", b""), ("ZADD", b"z", "-0", "a", "0", "b", "inf", b"", "-inf", every_byte),
            ("SET", b"16383", b"y" * 16383), ("SET", b"16384", b"y" * 16384), ("SET", b"63", b"y" * 63),
            ("SET", b"64", b"y" * 64), ("SET", b"expires", b"1", "PXAT", FAR), ("SADD", b"expires too", b"1"),
            ("PEXPIREAT", b"expires too", FAR), ("SELECT", 15), ("SET", b"last database", b"1"), ("SELECT", 0)]
