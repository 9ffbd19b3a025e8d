"""Lists, hashes, sets, sorted sets, geo, SORT, DUMP and RESTORE with python3-redis; `python_session.py` runs the parts."""

import redis

from server_process import wait_until

WRONG_TYPE = "Operation against a key holding the wrong kind of value"
INFINITY = float("inf")


def lists(c, connect):
    r = connect()
    r.flushall()
    c.equal("push", [r.rpush("l", "b", "c"), r.lpush("l", "a"), r.rpushx("l", "d"), r.lpushx("none", "x"), r.rpushx("none", "x")],
            [2, 3, 4, 0, 0])
    c.equal("lrange", [r.lrange("l", 0, -1), r.lrange("l", -2, 100), r.lrange("l", 3, 1), r.lrange("none", 0, -1)],
            [["a", "b", "c", "d"], ["c", "d"], [], []])
    c.equal("llen lindex", [r.llen("l"), r.lindex("l", 1), r.lindex("l", -1), r.lindex("l", 4)], [4, "b", "d", None])
    c.equal("linsert", [r.linsert("l", "BEFORE", "b", "x"), r.linsert("l", "AFTER", "b", "y"), r.linsert("l", "AFTER", "no", "z"),
                        r.linsert("none", "AFTER", "a", "z")], [5, 6, -1, 0])
    c.equal("lset lrem", [r.lset("l", 0, "y"), r.lset("l", -1, "y"), r.lrem("l", -1, "y"), r.lrem("l", 0, "y"), r.lrange("l", 0, -1)],
            [True, True, 1, 2, ["x", "b", "c"]])
    c.raises("lset without a key", redis.ResponseError, "no such key", r.lset, "none", 0, "v")
    c.raises("lset out of range", redis.ResponseError, "index out of range", r.lset, "l", 9, "v")
    c.equal("pop", [r.lpop("l"), r.rpop("l"), r.lpop("none"), r.lpop("l", 5), r.exists("l"), r.lpop("l", 5)],
            ["x", "c", None, ["b"], 0, None])
    r.rpush("l", *range(10))
    c.equal("pop with a count", [r.lpop("l", 2), r.rpop("l", 2), r.lpop("l", 0)], [["0", "1"], ["9", "8"], []])
    c.equal("ltrim", [r.ltrim("l", 1, -2), r.lrange("l", 0, -1), r.ltrim("l", 5, 9), r.exists("l")], [True, list("3456"), True, 0])
    r.rpush("p", *"abcabcabc")
    c.equal("lpos", [r.lpos("p", "b"), r.lpos("p", "b", rank=-1), r.lpos("p", "b", count=0), r.lpos("p", "b", count=2, rank=-1),
                     r.lpos("p", "c", maxlen=2), r.lpos("p", "z"), r.lpos("p", "z", count=0)], [1, 7, [1, 4, 7], [7, 4], None, None, []])
    c.equal("lmove", [r.lmove("p", "q"), r.lmove("p", "q", "RIGHT", "LEFT"), r.lrange("q", 0, -1), r.lmove("none", "q")],
            ["a", "c", ["c", "a"], None])
    c.equal("rpoplpush", [r.rpoplpush("q", "q"), r.lrange("q", 0, -1), r.rpoplpush("none", "q")], ["a", ["a", "c"], None])
    c.equal("lmpop", [r.lmpop(2, "none", "q", direction="LEFT", count=5), r.lmpop(1, "none", direction="RIGHT"), r.exists("q")],
            [["q", ["a", "c"]], None, 0])
    _large_list(c, connect)
    r.set("word", "x")
    for name, call in (("lpush", lambda: r.lpush("word", 1)), ("lrange", lambda: r.lrange("word", 0, 1)),
                       ("rpoplpush", lambda: (r.rpush("l", 1), r.rpoplpush("l", "word")))):
        c.raises(f"{name} of a word", redis.ResponseError, WRONG_TYPE, call)
    c.equal("nothing was lost by the error", r.lrange("l", 0, -1), ["1"])
    c.raises("pop of a negative count", redis.ResponseError, "value is out of range, must be positive", r.lpop, "l", -1)


def _large_list(c, connect):
    r, raw = connect(), connect(decode_responses=False)
    values = [f"element:{i}" for i in range(20000)]
    with r.pipeline(transaction=False) as p:
        for i in range(0, len(values), 500):
            p.rpush("large", *values[i:i + 500])
        p.execute()
    c.equal("20,000 elements", [r.llen("large"), r.type("large"), r.object("encoding", "large")], [20000, "list", "quicklist"])
    c.true("all in one reply", r.lrange("large", 0, -1) == values)
    c.equal("in the middle", [r.lindex("large", 12345), r.lindex("large", -5000), r.lrange("large", 9999, 10001)],
            [values[12345], values[15000], values[9999:10002]])
    c.equal("change the middle", [r.lset("large", 10000, "changed"), r.linsert("large", "BEFORE", "changed", "inserted"),
                                  r.lrange("large", 9999, 10002)], [True, 20001, [values[9999], "inserted", "changed", values[10001]]])
    c.equal("trim both ends", [r.ltrim("large", 100, -101), r.llen("large"), r.lindex("large", 0)], [True, 19801, values[100]])
    c.equal("empty it", [len(r.lpop("large", 10**6)), r.exists("large")], [19801, 0])
    big = bytes(range(256)) * 256
    c.equal("values of every byte", [raw.rpush("bin", b"", big, b"\x00"), raw.lrange("bin", 0, -1)], [3, [b"", big, b"\x00"]])


def hashes(c, connect):
    r = connect()
    r.flushall()
    c.equal("hset", [r.hset("h", "a", 1), r.hset("h", mapping={"a": 2, "b": 3}), r.hsetnx("h", "a", 9), r.hsetnx("h", "c", 4)], [1, 1, 0, 1])
    c.equal("hget", [r.hget("h", "a"), r.hget("h", "none"), r.hget("none", "a"), r.hmget("h", "a", "none", "c")], ["2", None, None, ["2", None, "4"]])
    c.equal("hgetall", [r.hgetall("h"), r.hgetall("none")], [{"a": "2", "b": "3", "c": "4"}, {}])
    c.equal("hkeys hvals hlen", [r.hkeys("h"), r.hvals("h"), r.hlen("h"), r.hkeys("none")], [list("abc"), list("234"), 3, []])
    c.equal("hexists hstrlen", [r.hexists("h", "a"), r.hexists("h", "z"), r.hstrlen("h", "a"), r.hstrlen("h", "z")], [True, False, 1, 0])
    c.equal("hincrby", [r.hincrby("h", "n", 5), r.hincrby("h", "n", -7), r.hincrbyfloat("h", "f", 1.5), r.hincrbyfloat("h", "f", "1e2")],
            [5, -2, 1.5, 101.5])
    c.equal("hdel", [r.hdel("h", "n", "f", "none"), r.hdel("none", "a"), r.hdel("h", "a", "b", "c"), r.exists("h")], [2, 0, 3, 0])
    c.equal("hmset", [r.execute_command("HMSET", "h", "x", 1, "y", 2), r.hlen("h")], [True, 2])
    fields = {f"field:{i}": f"value:{i}" for i in range(5000)}
    r.hset("large", mapping=fields)
    c.equal("encodings", [r.object("encoding", "h"), r.object("encoding", "large")], ["listpack", "hashtable"])
    c.true("5,000 fields", r.hgetall("large") == fields)
    c.true("hscan_iter", dict(r.hscan_iter("large")) == fields)
    c.equal("hscan_iter match", dict(r.hscan_iter("large", match="field:77?", count=1000)), {f"field:77{i}": f"value:77{i}" for i in range(10)})
    c.equal("hscan of a small one", r.hscan("h"), (0, {"x": "1", "y": "2"}))
    c.equal("hrandfield", [r.hrandfield("h") in "xy", sorted(r.hrandfield("h", 9)), len(r.hrandfield("h", -9)), r.hrandfield("none"),
                           r.hrandfield("none", 2)], [True, ["x", "y"], 9, None, []])
    pairs = r.hrandfield("large", 100, withvalues=True)
    c.true("hrandfield withvalues", len(pairs) == 200 and all(fields[f] == v for f, v in zip(pairs[::2], pairs[1::2])), pairs[:4])
    c.equal("long field", [r.hset("h", "x" * 100000, "y" * 100000), r.hget("h", "x" * 100000) == "y" * 100000], [1, True])
    r.set("word", "x")
    c.raises("hset of a word", redis.ResponseError, WRONG_TYPE, r.hset, "word", "a", 1)
    c.raises("hgetall of a word", redis.ResponseError, WRONG_TYPE, r.hgetall, "word")
    c.raises("hincrby of a word", redis.ResponseError, "hash value is not an integer", lambda: (r.hset("h", "w", "x"), r.hincrby("h", "w")))
    c.raises("hincrbyfloat of a word", redis.ResponseError, "hash value is not a float", r.hincrbyfloat, "h", "w")
    c.raises("odd hset", redis.ResponseError, "wrong number of arguments for 'hset' command", r.execute_command, "HSET", "h", "a", 1, "b")


def hash_field_times(c, connect):
    """Since 7.4 and 8.0."""
    r = connect()
    r.flushall()
    r.hset("h", mapping={"a": 1, "b": 2, "c": 3})
    do = r.execute_command
    c.equal("hexpire httl", [do("HEXPIRE", "h", 100, "FIELDS", 2, "a", "none"), do("HTTL", "h", "FIELDS", 3, "a", "b", "none"),
                             do("HEXPIRE", "h", 50, "GT", "FIELDS", 1, "a"), do("HPERSIST", "h", "FIELDS", 2, "a", "b")],
            [[1, -2], [100, -1, -2], [0], [1, -1]])
    c.equal("absolute", [do("HPEXPIREAT", "h", 4102444800000, "FIELDS", 1, "a"), do("HPEXPIRETIME", "h", "FIELDS", 1, "a"),
                         do("HEXPIRETIME", "h", "FIELDS", 1, "a")], [[1], [4102444800000], [4102444800]])
    c.equal("hset forgets the time", [r.hset("h", "a", 5), do("HTTL", "h", "FIELDS", 1, "a")], [0, [-1]])
    c.equal("in the past", [do("HEXPIRE", "h", 0, "FIELDS", 1, "a"), r.hgetall("h")], [[2], {"b": "2", "c": "3"}])
    do("HPEXPIRE", "h", 1, "FIELDS", 1, "b")
    wait_until(lambda: not r.hexists("h", "b"))
    c.equal("a field expires", [r.hgetall("h"), r.hlen("h"), r.hget("h", "b")], [{"c": "3"}, 1, None])
    do("HPEXPIRE", "h", 1, "FIELDS", 1, "c")
    wait_until(lambda: not r.exists("h"))
    c.equal("with the last one goes the key", [r.type("h"), do("HTTL", "h", "FIELDS", 1, "c")], ["none", [-2]])
    r.hset("h", mapping={"a": 1, "b": 2})
    c.equal("hgetdel", [do("HGETDEL", "h", "FIELDS", 2, "a", "none"), r.hgetall("h")], [["1", None], {"b": "2"}])
    c.equal("hgetex", [do("HGETEX", "h", "EX", 100, "FIELDS", 1, "b"), do("HTTL", "h", "FIELDS", 1, "b")], [["2"], [100]])
    c.equal("hsetex", [do("HSETEX", "h", "FNX", "EX", 100, "FIELDS", 1, "b", 9), do("HSETEX", "h", "EX", 70, "FIELDS", 1, "d", 9),
                       do("HTTL", "h", "FIELDS", 1, "d")], [0, 1, [70]])


def sets(c, connect):
    r = connect()
    r.flushall()
    c.equal("sadd", [r.sadd("s", "a", "b", "c", "a"), r.sadd("s", "a"), r.scard("s"), r.scard("none")], [3, 0, 3, 0])
    c.equal("smembers", [r.smembers("s"), r.smembers("none")], [{"a", "b", "c"}, set()])
    c.equal("sismember", [r.sismember("s", "a"), r.sismember("s", "z"), r.smismember("s", "a", "z", "c")], [True, False, [1, 0, 1]])
    c.equal("srem smove", [r.srem("s", "a", "z"), r.smove("s", "t", "b"), r.smove("s", "t", "z"), r.smembers("s"), r.smembers("t")],
            [1, True, False, {"c"}, {"b"}])
    c.equal("spop", [r.spop("s"), r.exists("s"), r.spop("s"), sorted(r.spop("t", 5)), r.exists("t")], ["c", 0, None, ["b"], 0])
    r.sadd("x", *range(0, 10))
    r.sadd("y", *range(5, 15))
    r.sadd("z", *range(9, 30))
    texts = lambda numbers: {str(n) for n in numbers}  # noqa: E731
    c.equal("algebra", [r.sinter("x", "y"), r.sunion("x", "y"), r.sdiff("x", "y"), r.sinter("x", "y", "z"), r.sinter("x", "none"),
                        r.sdiff("none", "x")], [texts(range(5, 10)), texts(range(15)), texts(range(5)), {"9"}, set(), set()])
    c.equal("algebra stored", [r.sinterstore("d", "x", "y"), r.sunionstore("e", "x", "y"), r.sdiffstore("f", "x", "y"), r.scard("d"),
                               r.sinterstore("d", "x", "none"), r.exists("d")], [5, 15, 5, 5, 0, 0])
    c.equal("sintercard", [r.sintercard(2, ["x", "y"]), r.sintercard(2, ["x", "y"], limit=3), r.sintercard(1, ["none"])], [5, 3, 0])
    c.equal("srandmember", [r.srandmember("x") in texts(range(10)), set(r.srandmember("x", 20)), len(r.srandmember("x", -50)),
                            r.srandmember("none"), r.srandmember("none", 3)], [True, texts(range(10)), 50, None, []])
    members = {f"member:{i}" for i in range(5000)}
    r.sadd("large", *members)
    r.sadd("short", "a", "b")
    seen = [r.object("encoding", key) for key in ("x", "short", "large")]
    c.true("encodings", seen[::2] == ["intset", "hashtable"] and seen[1] in ("listpack", "hashtable"), seen)
    c.true("5,000 members", r.smembers("large") == members)
    c.true("sscan_iter", set(r.sscan_iter("large")) == members)
    c.equal("sscan_iter match", set(r.sscan_iter("large", match="member:77?")), {f"member:77{i}" for i in range(10)})
    popped = r.spop("large", 4000)
    c.true("spop of many", len(set(popped)) == 4000 and set(popped) | r.smembers("large") == members)
    c.equal("integers at their limits", [r.sadd("n", 2**63 - 1, -2**63, 0, 2**63), r.smembers("n")], [4, texts([2**63 - 1, -2**63, 0, 2**63])])
    r.set("word", "x")
    c.raises("sadd to a word", redis.ResponseError, WRONG_TYPE, r.sadd, "word", 1)
    c.raises("sinter with a word", redis.ResponseError, WRONG_TYPE, r.sinter, "x", "word")
    c.raises("sintercard of none", redis.ResponseError, "numkeys should be greater than 0", r.execute_command, "SINTERCARD", 0, "x")


def sorted_sets(c, connect):
    r = connect()
    r.flushall()
    c.equal("zadd", [r.zadd("z", {"a": 1, "b": 2.5, "c": 3}), r.zadd("z", {"a": 5}, nx=True), r.zadd("z", {"d": 5}, xx=True),
                     r.zadd("z", {"a": 2, "d": 4}, ch=True), r.zadd("z", {"a": 1}, gt=True, ch=True), r.zadd("z", {"a": 1}, lt=True, ch=True)],
            [3, 0, 0, 2, 0, 1])
    c.equal("zadd incr", [r.zadd("z", {"a": 4}, incr=True), r.zadd("z", {"a": 4}, incr=True, nx=True), r.zincrby("z", -4, "a")], [5.0, None, 1.0])
    c.equal("zscore", [r.zscore("z", "b"), r.zscore("z", "x"), r.zmscore("z", ["a", "x", "d"]), r.zcard("z")], [2.5, None, [1.0, None, 4.0], 4])
    c.equal("zrank", [r.zrank("z", "a"), r.zrank("z", "x"), r.zrevrank("z", "a")], [0, None, 3])
    c.equal("zrange", [r.zrange("z", 0, 1), r.zrange("z", 0, -1, withscores=True), r.zrevrange("z", 0, 0, withscores=True), r.zrange("z", 5, 9)],
            [["a", "b"], [("a", 1.0), ("b", 2.5), ("c", 3.0), ("d", 4.0)], [("d", 4.0)], []])
    c.equal("by score", [r.zrangebyscore("z", "(1", 3), r.zrangebyscore("z", "-inf", "+inf", start=1, num=2, withscores=True),
                         r.zrevrangebyscore("z", 3, "-inf"), r.zrange("z", "(2.5", "+inf", byscore=True, withscores=True),
                         r.zrange("z", "+inf", 0, byscore=True, desc=True, offset=0, num=1), r.zcount("z", 2, "(4")],
            [["b", "c"], [("b", 2.5), ("c", 3.0)], ["c", "b", "a"], [("c", 3.0), ("d", 4.0)], ["d"], 2])
    r.zadd("lex", dict.fromkeys("abcdef", 0))
    c.equal("by name", [r.zrangebylex("lex", "[b", "(e"), r.zrevrangebylex("lex", "+", "[e"), r.zrange("lex", "-", "[b", bylex=True),
                        r.zlexcount("lex", "-", "+"), r.zremrangebylex("lex", "[e", "+")], [["b", "c", "d"], ["f", "e"], ["a", "b"], 6, 2])
    c.equal("zrangestore", [r.zrangestore("d", "z", 1, 2), r.zrange("d", 0, -1, withscores=True), r.zrangestore("d", "none", 0, -1), r.exists("d")],
            [2, [("b", 2.5), ("c", 3.0)], 0, 0])
    c.equal("zpop", [r.zpopmin("z"), r.zpopmax("z", 2), r.zpopmin("none"), r.zpopmin("z", 9), r.exists("z")],
            [[("a", 1.0)], [("d", 4.0), ("c", 3.0)], [], [("b", 2.5)], 0])
    r.zadd("z", {f"m{i}": i for i in range(10)})
    c.equal("zrem", [r.zrem("z", "m0", "x"), r.zremrangebyrank("z", 0, 1), r.zremrangebyscore("z", 8, "+inf"), r.zrange("z", 0, -1)],
            [1, 2, 2, ["m3", "m4", "m5", "m6", "m7"]])
    c.equal("zmpop", [r.zmpop(2, ["none", "z"], min=True, count=2), r.zmpop(1, ["none"], max=True)], [["z", [["m3", "3"], ["m4", "4"]]], None])
    c.equal("infinity", [r.zadd("i", {"lo": -INFINITY, "hi": INFINITY, "e": 1e300, "t": 1e-7, "big": 9007199254740993}),
                         r.zrange("i", 0, -1, withscores=True)],
            [5, [("lo", -INFINITY), ("t", 1e-7), ("big", 9007199254740992.0), ("e", 1e300), ("hi", INFINITY)]])
    c.raises("not a number", redis.ResponseError, "resulting score is not a number (NaN)", r.zincrby, "i", -INFINITY, "hi")
    _sorted_set_algebra(c, r)
    _large_sorted_set(c, r)
    r.set("word", "x")
    c.raises("zadd to a word", redis.ResponseError, WRONG_TYPE, r.zadd, "word", {"a": 1})
    c.raises("zadd of a word", redis.ResponseError, "value is not a valid float", r.execute_command, "ZADD", "z", "x", "m")
    c.raises("zadd gt nx", redis.ResponseError, "not compatible", r.execute_command, "ZADD", "z", "GT", "NX", 1, "m")
    c.raises("bad range", redis.ResponseError, "min or max is not a float", r.zrangebyscore, "z", "x", 1)
    c.raises("bad lex range", redis.ResponseError, "min or max not valid string range item", r.zrangebylex, "z", "a", "b")


def _sorted_set_algebra(c, r):
    r.zadd("x", {"a": 1, "b": 2})
    r.zadd("y", {"b": 10, "c": 20})
    r.sadd("plain", "a", "c")
    c.equal("zunion", [r.zunion(["x", "y"], withscores=True), r.zunion({"x": 2, "y": 1}, aggregate="MAX", withscores=True),
                       r.zunion(["x", "plain"], withscores=True)],
            [[("a", 1.0), ("b", 12.0), ("c", 20.0)], [("a", 2.0), ("b", 10.0), ("c", 20.0)], [("c", 1.0), ("a", 2.0), ("b", 2.0)]])
    c.equal("zinter zdiff", [r.zinter(["x", "y"], withscores=True), r.zinter(["x", "y"], aggregate="MIN"), r.zdiff(["x", "y"]),
                             r.zdiff(["x", "none"])], [[("b", 12.0)], ["b"], ["a"], ["a", "b"]])
    c.equal("stored", [r.zunionstore("d", ["x", "y"]), r.zinterstore("e", {"x": 1, "y": 0.5}), r.zdiffstore("f", ["x", "y"]),
                       r.zrange("e", 0, -1, withscores=True), r.zinterstore("e", ["x", "none"]), r.exists("e")], [3, 1, 1, [("b", 7.0)], 0, 0])
    c.equal("zintercard", [r.zintercard(2, ["x", "y"]), r.zintercard(2, ["x", "d"], limit=1)], [1, 1])


def _large_sorted_set(c, r):
    scores = {f"member:{i}": (i * 7919) % 5003 for i in range(5000)}
    ordered = sorted(scores, key=lambda m: (scores[m], m))
    with r.pipeline(transaction=False) as p:
        for i in range(0, 5000, 250):
            p.zadd("large", {m: scores[m] for m in list(scores)[i:i + 250]})
        p.execute()
    c.equal("encodings", [r.object("encoding", "x"), r.object("encoding", "large")], ["listpack", "skiplist"])
    c.true("5,000 members in order", r.zrange("large", 0, -1) == ordered)
    c.equal("deep ranks", [r.zrank("large", ordered[4321]), r.zrevrank("large", ordered[0]), r.zrange("large", 2500, 2502)],
            [4321, 4999, ordered[2500:2503]])
    c.true("zscan_iter", dict(r.zscan_iter("large")) == scores)
    c.equal("zscan_iter match", {m for m, _ in r.zscan_iter("large", match="member:77?", count=500)}, {f"member:77{i}" for i in range(10)})
    picked = r.zrandmember("large", 50, withscores=True)
    c.true("zrandmember", len(picked) == 100 and all(scores[m] == float(s) for m, s in zip(picked[::2], picked[1::2])), picked[:4])
    c.equal("zrandmember more", [len(r.zrandmember("large", -10)), r.zrandmember("none"), r.zrandmember("large") in scores], [10, None, True])
    c.equal("remove a thousand", [r.zremrangebyrank("large", 0, 999), r.zcard("large"), r.zrange("large", 0, 0)], [1000, 4000, [ordered[1000]]])


def geo(c, connect):
    r = connect()
    r.flushall()
    c.equal("geoadd", [r.geoadd("g", (13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania")),
                       r.geoadd("g", (13.5, 38, "Palermo"), nx=True), r.geoadd("g", (13.583333, 37.316667, "Agrigento"))], [2, 0, 1])
    c.equal("geodist", [r.geodist("g", "Palermo", "Catania"), r.geodist("g", "Palermo", "Catania", "km"), r.geodist("g", "Palermo", "none")],
            [166274.1516, 166.2742, None])
    c.equal("geohash", r.geohash("g", "Palermo", "Catania"), ["sqc8b49rny0", "sqdtr74hyu0"])
    place = r.geopos("g", "Palermo", "none")
    c.equal("geopos", [[round(x, 5) for x in place[0]], place[1]], [[13.36139, 38.11556], None])
    c.equal("radius", r.geosearch("g", longitude=15, latitude=37, radius=200, unit="km", sort="ASC"), ["Catania", "Agrigento", "Palermo"])
    c.equal("box", r.geosearch("g", member="Palermo", width=100, height=400, unit="km", sort="DESC"), ["Agrigento", "Palermo"])
    found = r.geosearch("g", longitude=15, latitude=37, radius=200, unit="km", sort="ASC", count=1, withdist=True, withcoord=True, withhash=True)
    c.equal("with everything", [found[0][:3], [round(x, 4) for x in found[0][3]]], [["Catania", 56.4413, 3479447370796909], [15.0873, 37.5027]])
    c.equal("stored", [r.geosearchstore("d", "g", longitude=15, latitude=37, radius=100, unit="km"), r.zrange("d", 0, -1),
                       r.geosearchstore("d", "g", longitude=15, latitude=37, radius=100, unit="km", storedist=True),
                       round(r.zscore("d", "Catania"), 4)], [1, ["Catania"], 1, 56.4413])
    c.equal("georadius", [r.georadius("g", 15, 37, 100, unit="km"), r.georadiusbymember("g", "Agrigento", 100, unit="km", sort="ASC")],
            [["Catania"], ["Agrigento", "Palermo"]])
    c.equal("it is a sorted set", [r.type("g"), r.zrem("g", "Palermo"), r.zcard("g")], ["zset", 1, 2])
    c.raises("off the earth", redis.ResponseError, "invalid longitude,latitude pair 200.000000,100.000000", r.geoadd, "g", (200, 100, "x"))
    c.raises("unknown member", redis.ResponseError, "could not decode requested zset member", r.geosearch, "g", member="no", radius=1)


def sort(c, connect):
    r = connect()
    r.flushall()
    r.rpush("l", 3, 10, 1, 2)
    c.equal("numbers", [r.sort("l"), r.sort("l", desc=True), r.sort("l", alpha=True), r.sort("l", start=1, num=2)],
            [["1", "2", "3", "10"], ["10", "3", "2", "1"], ["1", "10", "2", "3"], ["2", "3"]])
    for i in (1, 2, 3, 10):
        r.mset({f"weight:{i}": -i, f"name:{i}": f"n{i}"})
        r.hset(f"object:{i}", mapping={"rank": 100 - i, "title": f"t{i}"})
    c.equal("by", [r.sort("l", by="weight:*"), r.sort("l", by="object:*->rank", get="object:*->title"), r.sort("l", by="nosort")],
            [["10", "3", "2", "1"], ["t10", "t3", "t2", "t1"], ["3", "10", "1", "2"]])
    c.equal("get", [r.sort("l", get=["#", "name:*", "none:*"], groups=True)[:2], r.sort("l", get="name:*", store="d"), r.lrange("d", 0, -1)],
            [[("1", "n1", None), ("2", "n2", None)], 4, ["n1", "n2", "n3", "n10"]])
    c.equal("sort_ro", r.sort_ro("l", desc=True), ["10", "3", "2", "1"])
    r.sadd("s", "b", "a")
    r.zadd("z", {"x": 2, "y": 1})
    c.equal("sets", [r.sort("s", alpha=True), r.sort("z", by="nosort", desc=True), r.sort("none")], [["a", "b"], ["x", "y"], []])
    c.raises("words as numbers", redis.ResponseError, "One or more scores can't be converted into double", r.sort, "s")
    numbers = [str((i * 7919) % 5003) for i in range(3000)]
    r.rpush("many", *numbers)
    c.true("3,000 elements", r.sort("many") == sorted(numbers, key=int))


def dump(c, connect):
    r, raw = connect(), connect(decode_responses=False)
    r.flushall()
    r.set("string", "v" * 1000)
    r.set("number", 12345)
    r.rpush("list", *range(1000))
    r.rpush("short list", "a", 1, "b")
    r.hset("hash", mapping={"a": 1, "b": "x" * 100})
    r.hset("large hash", mapping={f"f{i}": i for i in range(1000)})
    r.sadd("set", "a", "b")
    r.sadd("numbers", 1, 2, 100000)
    r.sadd("large set", *(f"m{i}" for i in range(1000)))
    r.zadd("zset", {"a": 1.5, "b": -INFINITY})
    r.zadd("large zset", {f"m{i}": i / 3 for i in range(1000)})
    r.xadd("stream", {"f": "v"}, id="1-1")
    r.xgroup_create("stream", "group", id="0")
    r.xreadgroup("group", "consumer", {"stream": ">"})
    contents = {
        "string": r.get, "number": r.get, "list": lambda k: r.lrange(k, 0, -1), "short list": lambda k: r.lrange(k, 0, -1),
        "hash": r.hgetall, "large hash": r.hgetall, "set": r.smembers, "numbers": r.smembers, "large set": r.smembers,
        "zset": lambda k: r.zrange(k, 0, -1, withscores=True), "large zset": lambda k: r.zrange(k, 0, -1, withscores=True),
        "stream": lambda k: [r.xrange(k), r.xpending(k, "group")],
    }
    for key, read in contents.items():
        with c.part(key):
            before = [read(key), r.type(key)]
            c.equal("restore", raw.restore("copy", 0, raw.dump(key), replace=True), b"OK")
            c.true("the same content", [read("copy"), r.type("copy")] == before)
            c.equal("the same encoding", r.object("encoding", "copy"), r.object("encoding", key))
            c.equal("copy", [r.copy(key, "copy", replace=True), read("copy") == before[0]], [True, True])
            c.equal("rename keeps it", [r.rename("copy", "copy2"), read("copy2") == before[0], r.exists("copy")], [True, True, 0])
    payload = raw.dump("hash")
    c.equal("with a time", [raw.restore("t", 100000, payload), 99 <= r.ttl("t") <= 100,
                            raw.restore("t", 4102444800000, payload, replace=True, absttl=True), r.expiretime("t")], [b"OK", True, b"OK", 4102444800])
    c.raises("busy", redis.ResponseError, "BUSYKEY Target key name already exists", raw.restore, "t", 0, payload)
    c.raises("damaged", redis.ResponseError, "DUMP payload version or checksum are wrong", raw.restore, "u", 0, payload[:-1] + b"x")
    c.equal("dump of nothing", r.dump("none"), None)


PARTS = (lists, hashes, sets, sorted_sets, geo, sort, dump)
