"""Commands that wait, with python3-redis and several clients; `python_session.py` runs the parts.

A command that waits is sent from a thread; INFO tells when the server has blocked its client, so nothing sleeps.
"""

import concurrent.futures
import time

import redis

from server_process import wait_until


class Waiting:
    """Starts calls one after the other, each in a thread of its own, and knows when they are blocked."""

    def __init__(self, watch):
        self.watch = watch
        self.pool = concurrent.futures.ThreadPoolExecutor(16)
        self.count = 0

    def __call__(self, call):
        self.count += 1
        future = self.pool.submit(call)
        if not wait_until(lambda: self.watch.info("clients")["blocked_clients"] >= self.count or future.done(), 20):
            raise AssertionError("the client is not blocked")
        if future.done():
            raise AssertionError(f"the command did not wait: {future.result()}")
        return future

    def answers(self, *futures):
        """What the commands returned; none of them may still wait."""
        self.count -= len(futures)
        return [future.result(20) for future in futures]


def blocking_lists(c, connect):
    r = connect()
    r.flushall()
    waits = Waiting(connect())
    r.rpush("ready", "x", "y")
    c.equal("what is there is served at once", [r.blpop(["none", "ready"], 1), r.brpop("ready"), r.exists("ready")], [("ready", "x"), ("ready", "y"), 0])
    first, second = waits(lambda: connect().blpop(["a", "b"])), waits(lambda: connect().brpop("b"))
    c.equal("first come, first served", [r.rpush("b", 1, 2), waits.answers(first, second), r.exists("b")], [2, [("b", "1"), ("b", "2")], 0])
    many = waits(lambda: connect().blmpop(0, 2, "m", "n", direction="LEFT", count=3))
    c.equal("blmpop", [r.rpush("n", 1, 2, 3, 4), waits.answers(many), r.lrange("n", 0, -1)], [4, [["n", ["1", "2", "3"]]], ["4"]])
    start = time.monotonic()
    c.equal("nothing comes", [r.blpop("none", 0.05), r.blmove("none", "x", 0.05), r.blmpop(0.05, 1, "none", direction="LEFT")], [None] * 3)
    c.true("it waited", 0.14 < time.monotonic() - start < 10)
    victim = connect().client()
    waiting = waits(lambda identity=victim.client_id(): victim.blpop("none"))
    c.equal("client unblock", [r.client_unblock(_id(r, "blpop")), waits.answers(waiting)], [True, [None]])
    waiting = waits(lambda: victim.blpop("none"))
    identity = _id(r, "blpop")
    c.equal("with an error", r.client_unblock(identity, error=True), True)
    c.raises("it gets it", redis.ResponseError, "UNBLOCKED client unblocked via CLIENT UNBLOCK", waits.answers, waiting)
    waiting = waits(lambda: connect().blpop("typed", 0))
    r.sadd("typed", "not a list")
    c.equal("another type does not wake it", r.info("clients")["blocked_clients"], 1)
    r.delete("typed")
    with r.pipeline() as p:
        p.rpush("typed", "gone").delete("typed").rpush("typed", "kept").execute()
    c.equal("the end of a transaction does", waits.answers(waiting), [("typed", "kept")])
    with r.pipeline() as p:
        c.equal("inside a transaction nobody waits", p.blpop("none").brpoplpush("none", "x").execute(), [None, None])
    c.raises("negative", redis.ResponseError, "timeout is negative", r.blpop, "none", -1)
    c.raises("a word", redis.ResponseError, "timeout is not a float or out of range", r.blpop, "none", "x")


def blocking_chains(c, connect):
    """One push wakes a client whose move wakes the next; the names differ, so that cores share the keys in many ways."""
    r = connect()
    r.flushall()
    waits = Waiting(connect())
    for i in range(25):
        first, second, third = (f"{name}:{i}" for name in ("first", "second", "third"))
        later = waits(lambda: connect().blmove(second, third, 0, "LEFT", "RIGHT"))
        sooner = waits(lambda: connect().brpoplpush(first, second))
        c.equal(f"chain {i}", [r.lpush(first, i), waits.answers(sooner, later), r.lrange(third, 0, -1)], [1, [str(i)] * 2, [str(i)]])
    c.equal("what is left", r.dbsize(), 25)


def _id(r, command):
    return max(int(each["id"]) for each in r.client_list() if each["cmd"] == command and "b" in each["flags"])


def blocking_queue(c, connect):
    """Four producers, four consumers: every job once, and in the order of its producer."""
    connect().flushall()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        consumers = [pool.submit(_consume, connect()) for _ in range(4)]
        producers = [pool.submit(_produce, connect(), name) for name in range(4)]
        for producer in producers:
            producer.result(60)
        connect().rpush("jobs", *["stop"] * 4)
        taken = [consumer.result(60) for consumer in consumers]
    c.equal("each job once", sorted(job for share in taken for job in share), sorted(f"{name}:{i}" for name in range(4) for i in range(250)))
    in_order = all([int(job.split(":")[1]) for job in share if job.startswith(f"{name}:")] ==
                   sorted(int(job.split(":")[1]) for job in share if job.startswith(f"{name}:")) for share in taken for name in range(4))
    c.true("in order", in_order)
    c.equal("nothing is left", connect().dbsize(), 0)


def _consume(r):
    taken = []
    while (job := r.blpop("jobs", 30)[1]) != "stop":
        taken.append(job)
    return taken


def _produce(r, name):
    for i in range(250):
        r.rpush("jobs", f"{name}:{i}")


def blocking_sorted_sets(c, connect):
    r = connect()
    r.flushall()
    waits = Waiting(connect())
    r.zadd("ready", {"a": 1, "b": 2})
    c.equal("at once", [r.bzpopmin(["none", "ready"]), r.bzpopmax("ready")], [("ready", "a", 1.0), ("ready", "b", 2.0)])
    low, high = waits(lambda: connect().bzpopmin(["x", "z"])), waits(lambda: connect().bzpopmax("z"))
    c.equal("first come, first served", [r.zadd("z", {"a": 1, "b": 2, "c": 3.5}), waits.answers(low, high), r.zrange("z", 0, -1)],
            [3, [("z", "a", 1.0), ("z", "c", 3.5)], ["b"]])
    many = waits(lambda: connect().bzmpop(0, 1, ["m"], max=True, count=2))
    c.equal("bzmpop", [r.zadd("m", {"a": 1, "b": 2, "c": 3}), waits.answers(many)], [3, [["m", [["c", "3"], ["b", "2"]]]]])
    c.equal("nothing comes", [r.bzpopmin("none", 0.05), r.bzmpop(0.05, 1, ["none"], min=True)], [None, None])
    waiting = waits(lambda: connect().bzpopmin("stored"))
    c.equal("a stored result wakes", [r.zunionstore("stored", ["m", "z"]), waits.answers(waiting)], [2, [("stored", "a", 1.0)]])


def blocking_streams(c, connect):
    r = connect()
    r.flushall()
    waits = Waiting(connect())
    readers = [waits(lambda: connect().xread({"x": "$", "y": "$"}, block=0)) for _ in range(3)]
    c.equal("all readers see an entry", [r.xadd("y", {"a": 1}, id="5-0"), waits.answers(*readers)], ["5-0", [[["y", [("5-0", {"a": "1"})]]]] * 3])
    r.xgroup_create("x", "g", mkstream=True)
    consumers = [waits(lambda name=name: connect().xreadgroup("g", name, {"x": ">"}, block=0, count=5)) for name in "ab"]
    r.xadd("x", {"n": 1}, id="1-0")
    r.xadd("x", {"n": 2}, id="2-0")
    c.equal("one consumer each", waits.answers(*consumers), [[["x", [("1-0", {"n": "1"})]]], [["x", [("2-0", {"n": "2"})]]]])
    c.equal("nothing comes", [r.xread({"x": "$"}, block=50), r.xreadgroup("g", "a", {"x": ">"}, block=50)], [[], []])
    waiting = waits(lambda: connect().xreadgroup("g", "c", {"x": ">"}, block=0))
    r.xgroup_destroy("x", "g")
    c.raises("the group goes", redis.ResponseError, "NOGROUP", waits.answers, waiting)
    r.xgroup_create("x", "g")
    waiting = waits(lambda: connect().xreadgroup("g", "c", {"x": ">"}, block=0))
    r.delete("x")
    c.raises("the stream goes", redis.ResponseError, "", waits.answers, waiting)


PARTS = (blocking_lists, blocking_chains, blocking_queue, blocking_sorted_sets, blocking_streams)
