"""Lists, hashes, sets, sorted sets, streams, geo and SORT with redis-cli; `cli_session.py` runs the parts."""

import json
import re

from harness import Lines, run

CLI = "/usr/bin/redis-cli"

# Command, expected raw output; a pair where the protocols differ (a map has its keys and values on one line).
RAW = [
    ("rpush l a b c", "3"), ("lpush l z", "4"), ("lrange l 0 -1", "z\na\nb\nc"), ("llen l", "4"), ("lindex l -1", "c"),
    ("linsert l before b x", "5"), ("lset l 0 y", "OK"), ("lrem l 0 x", "1"), ("lpos l b", "2"), ("lpop l", "y"),
    ("rpop l 2", "c\nb"), ("lmove l m left right", "a"), ("exists l", "0"), ("rpoplpush m m", "a"), ("lpushx none a", "0"),
    ("rpush m 1 2 3", "4"), ("ltrim m 1 2", "OK"), ("lmpop 2 l m left count 5", "m\n1\n2"), ("blpop none 0.01", ""),
    ("hset h a 1 b 2", "2"), ("hget h a", "1"), ("hmget h none a", "\n1"), ("hgetall h", ("a\n1\nb\n2", "a 1\nb 2")), ("hkeys h", "a\nb"),
    ("hvals h", "1\n2"), ("hlen h", "2"), ("hexists h a", "1"), ("hstrlen h a", "1"), ("hincrby h a 41", "42"),
    ("hincrbyfloat h a 0.5", "42.5"), ("hsetnx h a 9", "0"), ("hmset h c 3", "OK"), ("hdel h a b c none", "3"), ("exists h", "0"),
    ("sadd s 1 2 3 3", "3"), ("scard s", "3"), ("sismember s 2", "1"), ("smismember s 2 9", "1\n0"), ("srem s 1", "1"),
    ("smembers s", "2\n3"), ("smove s t 2", "1"), ("sunion t none", "2"), ("sinter s t", ""), ("sdiff s t", "3"),
    ("sunionstore u s t", "2"), ("sintercard 2 s u", "1"), ("spop s", "3"), ("spop t 5", "2"), ("srandmember none", ""),
    ("zadd z 1 a 2.5 b 3 c", "3"), ("zadd z gt ch 5 a", "1"), ("zadd z incr 1 a", "6"), ("zscore z b", "2.5"), ("zincrby z 0.5 b", "3"),
    ("zrange z 0 -1", "b\nc\na"), ("zrevrange z 0 0", "a"), ("zrangebyscore z (3 +inf", "a"), ("zrange z 0 -1 rev limit 0 1", None),
    ("zrank z a", "2"), ("zrank z none", ""), ("zcount z -inf +inf", "3"), ("zcard z", "3"), ("zmscore z none a", "\n6"),
    ("zpopmin z", "b\n3"), ("zpopmax z", "a\n6"), ("bzpopmin z 0.01", "z\nc\n3"), ("exists z", "0"), ("zadd x 1 a 2 b", "2"), ("zadd y 3 b", "1"),
    ("zunionstore d 2 x y weights 2 1", "2"), ("zrange d 0 -1 withscores", "a\n2\nb\n7"), ("zinter 2 x y", "b"), ("zdiff 2 x y", "a"),
    ("zremrangebyrank d 0 0", "1"), ("zlexcount x - +", "2"), ("zmpop 1 x min", "x\na\n1"),
    ("xadd st 1-1 a 1 b 2", "1-1"), ("xadd st 2 a 3", "2-0"), ("xlen st", "2"), ("xrange st - + count 1", "1-1\na\n1\nb\n2"),
    ("xrevrange st + - count 1", "2-0\na\n3"), ("xread streams st 1-1", ("st\n2-0\na\n3", "st 2-0\na\n3")), ("xgroup create st g 0", "OK"),
    ("xreadgroup group g c count 1 streams st >", ("st\n1-1\na\n1\nb\n2", "st 1-1\na\n1\nb\n2")), ("xpending st g", "1\n1-1\n1-1\nc\n1"), ("xack st g 1-1", "1"),
    ("xdel st 1-1", "1"), ("xtrim st maxlen 0", "1"), ("xgroup destroy st g", "1"), ("type st", "stream"),
    ("geoadd g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania", "2"), ("geodist g Palermo Catania km", "166.2742"),
    ("geohash g Palermo", "sqc8b49rny0"), ("geosearch g fromlonlat 15 37 byradius 200 km asc", "Catania\nPalermo"),
    ("rpush numbers 3 10 1", "3"), ("sort numbers", "1\n3\n10"), ("sort numbers alpha desc", "3\n10\n1"), ("sort numbers limit 1 1 store sorted", "1"),
    ("type numbers", "list"), ("object encoding numbers", None), ("copy numbers other", "1"), ("lrange other 0 -1", "3\n10\n1"),
]

# Command, what a person sees with RESP2, with RESP3.
SEEN = [
    ("hset h a 1 b 2", "(integer) 2", "(integer) 2"),
    ("hgetall h", '1) "a"\n2) "1"\n3) "b"\n4) "2"', '1# "a" => "1"\n2# "b" => "2"'),
    ("hgetall none", "(empty array)", "(empty hash)"),
    ("hrandfield h -1 withvalues", None, None),
    ("sadd s 1 2", "(integer) 2", "(integer) 2"),
    ("smembers s", '1) "1"\n2) "2"', '1~ "1"\n2~ "2"'),
    ("smembers none", "(empty array)", "(empty set)"),
    ("zadd z 1 a 2.5 b", "(integer) 2", "(integer) 2"),
    ("zscore z b", '"2.5"', "(double) 2.5"),
    ("zscore z none", "(nil)", "(nil)"),
    ("zrange z 0 -1 withscores", '1) "a"\n2) "1"\n3) "b"\n4) "2.5"', '1) 1) "a"\n   2) (double) 1\n2) 1) "b"\n   2) (double) 2.5'),
    ("zpopmin z", '1) "a"\n2) "1"', '1) "a"\n2) (double) 1'),
    ("zpopmin z 1", '1) "b"\n2) "2.5"', '1) 1) "b"\n   2) (double) 2.5'),
    ("xadd st 1-1 a 1", '"1-1"', '"1-1"'),
    ("xrange st - +", '1) 1) "1-1"\n   2) 1) "a"\n      2) "1"', '1) 1) "1-1"\n   2) 1) "a"\n      2) "1"'),
    ("xread streams st 0", '1) 1) "st"\n   2) 1) 1) "1-1"\n         2) 1) "a"\n            2) "1"', '1# "st" => \n   1) 1) "1-1"\n      2) 1) "a"\n         2) "1"'),
    ("xread streams st 9", "(nil)", "(nil)"),
    ("blpop none 0.01", "(nil)", "(nil)"),
    ("lpop none", "(nil)", "(nil)"),
    ("lpop none 2", "(nil)", "(nil)"),
    ("lrange none 0 -1", "(empty array)", "(empty array)"),
    ("geoadd g 13.361389 38.115556 Palermo", "(integer) 1", "(integer) 1"),
    ("geopos g none", "1) (nil)", "1) (nil)"),
    ("lpush h x", *["(error) WRONGTYPE Operation against a key holding the wrong kind of value"] * 2),
    ("hset h a", *["(error) ERR wrong number of arguments for 'hset' command"] * 2),
    ("hincrby h a x", *["(error) ERR value is not an integer or out of range"] * 2),
    ("zadd z x a", *["(error) ERR value is not a valid float"] * 2),
    ("zadd z nx xx 1 a", *["(error) ERR XX and NX options at the same time are not compatible"] * 2),
    ("xadd st 1-1 a 1", *["(error) ERR The ID specified in XADD is equal or smaller than the target stream top item"] * 2),
    ("xadd st 5-5 a", *["(error) ERR wrong number of arguments for 'xadd' command"] * 2),
    ("xreadgroup group no c streams st >", *["(error) NOGROUP No such key 'st' or consumer group 'no' in XREADGROUP with GROUP option"] * 2),
    ("sintercard 0 s", *["(error) ERR numkeys should be greater than 0"] * 2),
    ("lset none 0 a", *["(error) ERR no such key"] * 2),
    ("linsert h middle a b", *["(error) ERR syntax error"] * 2),
    ("restore new 0 nonsense", *["(error) ERR DUMP payload version or checksum are wrong"] * 2),
    ("sort h", *["(error) WRONGTYPE Operation against a key holding the wrong kind of value"] * 2),
]


def both_protocols(checks, protocol, ask):
    """`ask` sends one command with the options given and returns what redis-cli printed."""
    for line, want in RAW:
        got = ask(*line.split(), options=(protocol,))
        want = want[protocol == "-3"] if isinstance(want, tuple) else want
        if want is None:
            checks.true(line, got, "empty answer")
        else:
            checks.equal(line, got, want)
    ask("flushall")
    for line, *want in SEEN:
        got = ask(*line.split(), options=(protocol, "--no-raw"))
        if want[0] is None:
            checks.true(line, got, "empty answer")
        else:
            checks.equal(line, got, want[protocol == "-3"])


def collections(checks, server, ask):
    for protocol in ("-2", "-3"):
        ask("flushall")
        with checks.part(protocol):
            both_protocols(checks, protocol, ask)
    ask("flushall")
    for part in (_json, _large, _blocking):
        part(checks, server, ask)


def _json(checks, _server, ask):
    ask(stdin="hset h a 1 b 2\nzadd z 1.5 a\nsadd s 1\nrpush l x y\nxadd st 1-1 f v\n")
    for line, want in (("hgetall h", {"a": "1", "b": "2"}), ("zrange z 0 -1 withscores", [["a", 1.5]]), ("smembers s", ["1"]), ("lrange l 0 -1", ["x", "y"]),
                       ("zscore z a", 1.5), ("xrange st - +", [["1-1", ["f", "v"]]]), ("xread streams st 0", {"st": [["1-1", ["f", "v"]]]})):
        checks.equal(f"--json {line}", json.loads(ask(*line.split(), options=("--json",))), want)
    checks.equal("--csv", ask("lrange", "l", "0", "-1", options=("--csv",)), '"x","y"')
    checks.equal("-x", [ask("rpush", "lines", stdin="one\ntwo", options=("-x",)), ask("lindex", "lines", "0")], ["1", "one\ntwo"])
    checks.equal("-r", ask("lpush", "times", "x", options=("-r", "3")), "1\n2\n3")


def _large(checks, _server, ask):
    ask("flushall")
    lines = ["rpush list " + " ".join(f"e{i + j}" for j in range(100)) for i in range(0, 3000, 100)]
    lines += [f"hset hash f{i} v{i}" for i in range(2000)] + [f"sadd set m{i}" for i in range(1500)]
    lines += [f"zadd zset {i} m{i}" for i in range(1000)] + [f"xadd stream {i}-0 f v" for i in range(1, 501)]
    out = ask("--pipe", stdin="\r\n".join(lines) + "\r\n")
    checks.contains("--pipe", out, f"errors: 0, replies: {len(lines)}")
    big = ask("--bigkeys")
    for kind, size, unit in (("list", 3000, "items"), ("hash", 2000, "fields"), ("set", 1500, "members"), ("zset", 1000, "members"), ("stream", 500, "entries")):
        checks.true(f"--bigkeys {kind}", re.search(rf"Biggest +{kind} found .* has {size} {unit}", big), big[-900:])
    checks.contains("--memkeys", ask("--memkeys"), "Sampled 5 keys in the keyspace!")
    for line, count in (("lrange list 0 -1", 3000), ("hkeys hash", 2000), ("smembers set", 1500), ("zrange zset 0 -1", 1000)):
        checks.equal(line, len(set(ask(*line.split()).split())), count)
    for command, key, per, count in (("hscan", "hash", 2, 2000), ("sscan", "set", 1, 1500), ("zscan", "zset", 2, 1000)):
        cursor, seen = "0", set()
        while True:
            cursor, *found = ask(command, key, cursor, "COUNT", "500").split()
            seen |= set(found[::per])
            if cursor == "0":
                break
        checks.equal(f"{command} to its end", len(seen), count)
    checks.equal("DUMP and RESTORE through a pipe", _copy(ask), "3000")


def _copy(ask):
    payload = ask("dump", "list", options=("--no-raw",))
    ask("restore", "copy", "0", payload, options=("--quoted-input",))
    return ask("llen", "copy")


def _blocking(checks, server, ask):
    for command, feed, want in (("blpop a q 0", "rpush q job", ["q", "job"]), ("brpop q 0", "rpush q job", ["q", "job"]),
                                ("blmove q done left right 0", "rpush q job", ["job"]), ("bzpopmin z 0", "zadd z 1.5 low", ["z", "low", "1.5"]),
                                ("blmpop 0 1 q left", "rpush q job", ["q", "job"]), ("bzmpop 0 1 z max", "zadd z 2 high", ["z", "high", "2"]),
                                ("xread block 0 streams news $", "xadd news 7-7 f v", ["news", "7-7", "f", "v"])):
        ask("del", "news", "z", "q")
        with Lines([CLI, "-p", str(server.port), *command.split()]) as waiting:
            while "blocked_clients:1" not in ask("info", "clients"):
                if waiting.process.poll() is not None:
                    break
            ask(*feed.split())
            checks.equal(command, waiting.until(want[-1]), want)
    out = run([CLI, "-p", str(server.port)], "MULTI\nBLPOP none 0\nRPUSH q 1\nBLPOP q 0\nEXEC\n")[1]
    checks.equal("in a transaction nobody waits", out.split("\n")[4:], ["", "1", "q", "1", ""])
