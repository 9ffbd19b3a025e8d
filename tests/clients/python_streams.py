"""Streams and consumer groups with python3-redis; `python_session.py` runs the parts."""

import redis


def streams(c, connect):
    r = connect()
    r.flushall()
    c.equal("xadd", [r.xadd("x", {"a": 1, "b": 2}, id="1-1"), r.xadd("x", {"a": 3}, id="1-2"), r.xadd("x", {"a": 4}, id="2-*"), r.xlen("x")],
            ["1-1", "1-2", "2-0", 3])
    seconds, micros = r.time()
    milliseconds = int(r.xadd("x", {"a": 5}).split("-")[0])
    c.true("an identity is the time", abs(milliseconds - (seconds * 1000 + micros // 1000)) < 5000)
    c.equal("nomkstream", [r.xadd("none", {"a": 1}, nomkstream=True), r.exists("none")], [None, 0])
    c.equal("xrange", [r.xrange("x", count=1), r.xrange("x", "(1-1", "2"), r.xrevrange("x", "2", "1", count=2), r.xrange("none")],
            [[("1-1", {"a": "1", "b": "2"})], [("1-2", {"a": "3"}), ("2-0", {"a": "4"})], [("2-0", {"a": "4"}), ("1-2", {"a": "3"})], []])
    c.equal("xread", [r.xread({"x": "1-2", "none": 0}, count=1), r.xread({"x": "$"}), r.xread({"none": 0})], [[["x", [("2-0", {"a": "4"})]]], [], []])
    c.equal("xdel", [r.xdel("x", "1-2", "9-9"), r.xlen("x"), r.xrange("x", "1", "1")], [1, 3, [("1-1", {"a": "1", "b": "2"})]])
    c.raises("not greater", redis.ResponseError, "The ID specified in XADD is equal or smaller than the target stream top item", r.xadd, "x", {"a": 1}, "1-5")
    c.raises("zero", redis.ResponseError, "The ID specified in XADD must be greater than 0-0", r.xadd, "new", {"a": 1}, "0-0")
    c.raises("not an identity", redis.ResponseError, "Invalid stream ID specified as stream command argument", r.xrange, "x", "abc")
    r.delete("x")
    with r.pipeline(transaction=False) as p:
        for i in range(1, 5001):
            p.xadd("x", {"n": i, "same": "field"}, id=f"{i}-0")
        p.execute()
    c.true("5,000 entries", [int(fields["n"]) for _, fields in r.xrange("x")] == list(range(1, 5001)))
    c.equal("deep", [r.xrange("x", 4000, 4000), r.xrevrange("x", count=1)[0][0]], [[("4000-0", {"n": "4000", "same": "field"})], "5000-0"])
    c.equal("xtrim", [r.xtrim("x", maxlen=4000, approximate=False), r.xtrim("x", minid="2001", approximate=False), r.xlen("x"), r.xrange("x", count=1)[0][0]],
            [1000, 1000, 3000, "2001-0"])
    removed = r.xtrim("x", maxlen=2000)
    c.true("xtrim about", 900 <= removed <= 1000 and r.xlen("x") == 3000 - removed, removed)
    c.equal("xadd maxlen", [r.xadd("x", {"last": 1}, id="9000-0", maxlen=10, approximate=False), r.xlen("x")], ["9000-0", 10])
    info = r.xinfo_stream("x")
    c.equal("xinfo stream", [info[key] for key in ("length", "groups", "last-generated-id", "entries-added", "max-deleted-entry-id")],
            [10, 0, "9000-0", 5001, "0-0"])
    c.equal("first and last", [info["first-entry"][0], info["last-entry"]], ["4992-0", ("9000-0", {"last": "1"})])
    c.equal("xsetid", [r.execute_command("XSETID", "x", "10000-0"), r.xinfo_stream("x")["last-generated-id"]], ["OK", "10000-0"])
    c.equal("emptied it stays", [r.xtrim("x", maxlen=0, approximate=False), r.xlen("x"), r.exists("x"), r.type("x")], [10, 0, 1, "stream"])
    large = "x" * 100000
    c.equal("large entry", [r.xadd("x", {large: large}, id="10001-0"), r.xrange("x")[0][1] == {large: large}], ["10001-0", True])


def consumer_groups(c, connect):
    r = connect()
    r.flushall()
    c.raises("no stream", redis.ResponseError, "The XGROUP subcommand requires the key to exist", r.xgroup_create, "x", "g")
    c.equal("create", [r.xgroup_create("x", "g", id="$", mkstream=True), r.xgroup_createconsumer("x", "g", "early"),
                       r.xgroup_createconsumer("x", "g", "early")], [True, 1, 0])
    c.raises("again", redis.ResponseError, "BUSYGROUP Consumer Group name already exists", r.xgroup_create, "x", "g")
    c.raises("no group", redis.ResponseError, "NOGROUP No such key 'x' or consumer group 'no'", r.xreadgroup, "no", "a", {"x": ">"})
    for i in range(1, 11):
        r.xadd("x", {"n": i}, id=f"{i}-0")
    c.equal("read", r.xreadgroup("g", "a", {"x": ">"}, count=3), [["x", [(f"{i}-0", {"n": str(i)}) for i in (1, 2, 3)]]])
    c.equal("the next reader goes on", [entry[0] for entry in r.xreadgroup("g", "b", {"x": ">"}, count=2)[0][1]], ["4-0", "5-0"])
    c.equal("own history", [[entry[0] for entry in r.xreadgroup("g", "a", {"x": "0"})[0][1]], r.xreadgroup("g", "c", {"x": "0"})],
            [["1-0", "2-0", "3-0"], [["x", []]]])
    c.equal("xack", [r.xack("x", "g", "1-0", "9-9"), r.xack("x", "g", "1-0"), r.xack("none", "g", "1-0")], [1, 0, 0])
    c.equal("xpending", r.xpending("x", "g"), {"pending": 4, "min": "2-0", "max": "5-0", "consumers": [
        {"name": "a", "pending": 2}, {"name": "b", "pending": 2}]})
    c.equal("xpending range", [(p["message_id"], p["consumer"], p["times_delivered"]) for p in r.xpending_range("x", "g", "-", "+", 10, "b")],
            [("4-0", "b", 1), ("5-0", "b", 1)])
    c.equal("xpending idle", r.xpending_range("x", "g", "-", "+", 10, idle=1000000), [])
    c.equal("xclaim", [r.xclaim("x", "g", "c", 0, ["4-0"]), r.xclaim("x", "g", "c", 1000000, ["5-0"]),
                       r.xclaim("x", "g", "c", 0, ["5-0"], idle=50000, retrycount=7, justid=True)], [[("4-0", {"n": "4"})], [], ["5-0"]])
    c.equal("counted", [(p["message_id"], p["times_delivered"]) for p in r.xpending_range("x", "g", "-", "+", 10, "c")], [("4-0", 2), ("5-0", 7)])
    c.equal("xautoclaim", [r.xautoclaim("x", "g", "d", 40000, count=10), r.xautoclaim("x", "g", "d", 0, count=1), r.xautoclaim("x", "g", "d", 0, start_id="3-0", justid=True)],
            [["0-0", [("5-0", {"n": "5"})], []], ["3-0", [("2-0", {"n": "2"})], []], ["3-0", "4-0", "5-0"]])
    r.xdel("x", "3-0")
    c.equal("a deleted one leaves the list", r.xautoclaim("x", "g", "e", 0, count=10)[2], ["3-0"])
    groups = r.xinfo_groups("x")
    c.equal("xinfo groups", [groups[0][key] for key in ("name", "consumers", "pending", "last-delivered-id", "entries-read", "lag")],
            ["g", 6, 3, "5-0", 5, 5])
    consumers = {each["name"]: each["pending"] for each in r.xinfo_consumers("x", "g")}
    c.equal("xinfo consumers", consumers, {"early": 0, "a": 0, "b": 0, "c": 0, "d": 0, "e": 3})
    c.equal("noack", [len(r.xreadgroup("g", "n", {"x": ">"}, noack=True)[0][1]), r.xpending("x", "g")["pending"]], [5, 3])
    full = r.xinfo_stream("x", full=True)
    c.equal("xinfo stream full", [full["length"], len(full["entries"]), len(full["groups"])], [9, 9, 1])
    c.equal("setid and read again", [r.xgroup_setid("x", "g", "0"), len(r.xreadgroup("g", "n", {"x": ">"})[0][1])], [True, 9])
    c.equal("delete", [r.xgroup_delconsumer("x", "g", "n"), r.xgroup_destroy("x", "g"), r.xgroup_destroy("x", "g"), r.xinfo_groups("x")], [9, True, False, []])
    r.set("word", 1)
    c.raises("a word", redis.ResponseError, "Operation against a key holding the wrong kind of value", r.xadd, "word", {"a": 1})


PARTS = (streams, consumer_groups)
