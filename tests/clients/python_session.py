"""A session with python3-redis over RESP2 and RESP3, on TCP and on a Unix socket."""

import threading

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

import python_blocking
import python_collections
import python_scripts
import python_streams
from python_client import Resp3Mixin, Resp3Parser, python_client


def python_session(checks, server, locked):
    for protocol in (2, 3):
        for transport in ("tcp", "unix"):
            def connect(to=server, **options):
                return python_client(to, protocol, transport, **options)
            with checks.part(f"RESP{protocol} {transport}"):
                connect().flushall()
                for part in (_strings, _bits, _keys, _scan, _transactions, _pipelines, _connection, _server,
                             _large, _errors, _reconnect, _pool, *python_collections.PARTS, *python_streams.PARTS,
                             *python_blocking.PARTS, *python_scripts.PARTS, *([python_collections.hash_field_times] if server.ours else [])):
                    with checks.part(part.__name__.strip("_")):
                        part(checks, connect)
                with checks.part("password"):
                    _password(checks, connect, locked)
    checks.true("RESP3 types were seen", {b"%", b"_"} <= Resp3Parser.seen, Resp3Parser.seen)


def _strings(c, connect):
    r = connect()
    c.equal("set", r.set("k", "v"), True)
    c.equal("get", r.get("k"), "v")
    c.equal("get missing", r.get("missing"), None)
    c.equal("set nx", r.set("k", "w", nx=True), None)
    c.equal("set xx get", r.set("k", "w", xx=True, get=True), "v")
    c.equal("set keepttl", [r.set("k", "w", ex=90), r.set("k", "x", keepttl=True), r.ttl("k")], [True, True, 90])
    c.equal("set exat", [r.set("k", "x", exat=4102444800), r.expiretime("k")], [True, 4102444800])
    c.equal("setex psetex", [r.setex("k", 50, "x"), r.psetex("k", 50000, "x"), r.ttl("k")], [True, True, 50])
    c.equal("setnx", [r.setnx("k", 1), r.setnx("k2", 1)], [False, True])
    c.equal("getex persist", [r.getex("k", persist=True), r.ttl("k")], ["x", -1])
    c.equal("getex ex", [r.getex("k", ex=7), r.ttl("k")], ["x", 7])
    c.equal("getdel", [r.getdel("k"), r.exists("k")], ["x", 0])
    c.equal("getset", [r.getset("k", "1"), r.getset("k", "2")], [None, "1"])
    c.equal("incr", [r.incr("n"), r.incr("n", 9), r.decr("n", 3)], [1, 10, 7])
    c.equal("incrbyfloat", r.incrbyfloat("n", 0.5), 7.5)
    c.equal("append", [r.append("s", "Hello"), r.append("s", " World"), r.strlen("s")], [5, 11, 11])
    c.equal("setrange", [r.setrange("s", 6, "Redis"), r.get("s"), r.getrange("s", -5, -1)], [11, "Hello Redis", "Redis"])
    c.equal("substr", r.substr("s", 0, 4), "Hello")
    c.equal("mset mget", [r.mset({"a": 1, "b": 2}), r.mget("a", "x", "b")], [True, ["1", None, "2"]])
    c.equal("msetnx", [r.msetnx({"b": 1, "z": 1}), r.exists("z"), r.msetnx({"y": 1, "z": 1})], [False, 0, True])
    r.mset({"l1": "ohmytext", "l2": "mynewtext"})
    c.equal("lcs", r.execute_command("LCS", "l1", "l2"), "mytext")
    got = r.execute_command("LCS", "l1", "l2", "IDX", "WITHMATCHLEN")
    c.equal("lcs idx", got, ["matches", [[[4, 7], [5, 8], 4], [[2, 3], [0, 1], 2]], "len", 6])


def _bits(c, connect):
    r = connect()
    c.equal("setbit", [r.setbit("b", 7, 1), r.setbit("b", 7, 0), r.getbit("b", 7), r.getbit("b", 1000)], [0, 1, 0, 0])
    r.set("b", b"\xff\xf0\x00")
    c.equal("bitcount", [r.bitcount("b"), r.bitcount("b", 0, 0), r.bitcount("b", 5, 11, "BIT")], [12, 8, 7])
    c.equal("bitpos", [r.bitpos("b", 0), r.bitpos("b", 1, 2), r.bitpos("b", 0, 0, -1, "BIT")], [12, -1, 12])
    r.mset({"x": b"\x0f\xff", "y": b"\xf1"})
    raw = connect(decode_responses=False)
    for operation, want in (("AND", b"\x01\x00"), ("OR", b"\xff\xff"), ("XOR", b"\xfe\xff")):
        c.equal(f"bitop {operation}", [r.bitop(operation, "d", "x", "y"), raw.get("d")], [2, want])
    c.equal("bitop not", [r.bitop("NOT", "d", "x"), raw.get("d")], [2, b"\xf0\x00"])
    field = r.bitfield("f")
    field.set("u8", "#1", 200).get("u8", 8).incrby("u8", 8, 100, "SAT").incrby("i5", 0, -20, "FAIL")
    c.equal("bitfield", field.execute(), [0, 200, 255, None])
    c.equal("bitfield_ro", r.execute_command("BITFIELD_RO", "f", "GET", "u8", 8), [255])
    c.equal("pfadd", [r.pfadd("h", *range(1000)), r.pfadd("h", 1)], [1, 0])
    c.true("pfcount", abs(r.pfcount("h") - 1000) < 50)
    r.pfadd("h2", *range(500, 1500))
    c.true("pfcount of a union", abs(r.pfcount("h", "h2") - 1500) < 75)
    c.equal("pfmerge", [r.pfmerge("h3", "h", "h2"), r.pfcount("h3") == r.pfcount("h", "h2")], [True, True])


def _keys(c, connect):
    r = connect()
    r.flushdb()
    r.mset({f"key:{i}": i for i in range(10)})
    c.equal("keys", sorted(r.keys("key:[0-2]")), ["key:0", "key:1", "key:2"])
    c.equal("exists", r.exists("key:0", "key:0", "nokey"), 2)
    c.equal("touch type", [r.touch("key:0", "nokey"), r.type("key:0"), r.type("nokey")], [1, "string", "none"])
    c.equal("expire", [r.expire("key:0", 100), r.ttl("key:0"), 99000 < r.pttl("key:0") <= 100000], [True, 100, True])
    c.equal("expire flags", [r.expire("key:0", 9, nx=True), r.expire("key:0", 200, gt=True), r.expire("key:0", 300, lt=True),
                             r.expire("key:1", 5, xx=True)], [False, True, False, False])
    c.equal("expireat", [r.expireat("key:1", 4102444800), r.expiretime("key:1"), r.pexpiretime("key:1")],
            [True, 4102444800, 4102444800000])
    c.equal("persist", [r.persist("key:1"), r.persist("key:1"), r.ttl("key:1"), r.ttl("nokey")], [True, False, -1, -2])
    c.equal("expire in the past deletes", [r.expire("key:2", -1), r.exists("key:2")], [True, 0])
    r.set("short", 1, px=1)
    done = threading.Event()
    while r.exists("short") and not done.wait(0.001):
        pass
    c.equal("a short life ends", r.get("short"), None)
    c.equal("rename", [r.rename("key:3", "new"), r.get("new"), r.renamenx("new", "key:4")], [True, "3", False])
    c.equal("copy", [r.copy("new", "new2"), r.copy("new", "key:4"), r.copy("new", "key:4", replace=True), r.get("key:4")],
            [True, False, True, "3"])
    c.equal("copy to a database", [r.copy("new", "elsewhere", destination_db=9), connect(db=9).get("elsewhere")], [True, "3"])
    c.equal("move", [r.move("new", 9), r.exists("new"), connect(db=9).get("new")], [True, 0, "3"])
    c.equal("swapdb", [r.swapdb(0, 9), r.get("new"), r.swapdb(0, 9), r.exists("new")], [True, "3", True, 0])
    c.equal("dbsize delete unlink", [r.dbsize(), r.delete("key:5", "key:6", "nokey"), r.unlink("key:7"), r.dbsize()], [9, 2, 1, 6])
    c.true("randomkey", r.randomkey() in r.keys())
    r.mset({"int": 12, "emb": "x" * 44, "raw": "x" * 45})
    c.equal("object encoding", [r.object("encoding", k) for k in ("int", "emb", "raw")], ["int", "embstr", "raw"])
    c.equal("object idletime refcount", [r.object("idletime", "emb") < 5, r.object("refcount", "emb")], [True, 1])
    c.true("memory usage", 45 <= r.memory_usage("raw") <= 200)
    c.equal("flushdb", [connect(db=9).flushdb(), connect(db=9).dbsize(), r.dbsize() > 0], [True, 0, True])
    c.equal("flushall", [r.flushall(asynchronous=True), r.dbsize()], [True, 0])


def _scan(c, connect):
    r = connect()
    r.flushall()
    wanted = {f"scan:{i}" for i in range(5000)}
    with r.pipeline(transaction=False) as p:
        for key in wanted:
            p.set(key, 1)
        p.execute()
    c.equal("scan_iter", set(r.scan_iter()), wanted)
    c.equal("scan_iter match", set(r.scan_iter(match="scan:1??")), {f"scan:1{i:02}" for i in range(100)})
    c.equal("scan_iter type", set(r.scan_iter(_type="string", count=1000)), wanted)
    seen = set()
    for index, key in enumerate(r.scan_iter(count=50)):
        seen.add(key)
        r.set(f"grown:{index}", 1)
        if index % 3 == 0:
            r.delete(f"grown:{index // 2}")
        if index > 20000:
            break
    c.true("every key is met while the table grows", wanted <= seen, f"{len(wanted - seen)} missed")
    r.flushall()
    c.equal("scan of nothing", r.scan(), (0, []))


def _transactions(c, connect):
    r, other = connect(), connect()
    with r.pipeline() as p:
        got = p.set("t", 1).incr("t").get("t").mget("t", "none").execute()
    c.equal("multi exec", got, [True, 2, "2", ["2", None]])
    with r.pipeline() as p:
        p.watch("t")
        p.multi()
        p.set("t", 10)
        other.incr("t")
        c.raises("watch sees a change", redis.WatchError, "Watched variable changed", p.execute)
    c.equal("nothing was run", r.get("t"), "3")
    with r.pipeline() as p:
        p.watch("t", "absent")
        p.unwatch()
        other.incr("t")
        c.equal("unwatch", p.get("t").execute() if p.multi() is None else None, ["4"])
    c.equal("transaction()", r.transaction(lambda p: (p.multi(), p.incr("t")), "t"), [5])
    with r.pipeline() as p:
        got = p.set("word", "abc").incr("word").set("after", 1).execute(raise_on_error=False)
    c.equal("an error inside does not stop the rest", [got[0], type(got[1]).__name__, got[2]], [True, "ResponseError", True])
    p = r.pipeline()
    p.set("t", 7).execute_command("INCR")
    c.raises("execabort", redis.ResponseError, "wrong number of arguments", p.execute)
    c.equal("nothing was run after execabort", r.get("t"), "5")
    connection = r.client()
    c.raises("exec alone", redis.ResponseError, "EXEC without MULTI", connection.execute_command, "EXEC")
    c.raises("discard alone", redis.ResponseError, "DISCARD without MULTI", connection.execute_command, "DISCARD")
    connection.execute_command("MULTI")
    c.raises("nested multi", redis.ResponseError, "MULTI calls can not be nested", connection.execute_command, "MULTI")
    c.raises("watch inside", redis.ResponseError, "WATCH inside MULTI is not allowed", connection.execute_command, "WATCH", "t")
    connection.execute_command("DISCARD")
    c.equal("optimistic counters of threads", _count_together(connect), 200)


def _count_together(connect):
    """Four threads each raise a counter fifty times with WATCH, GET, MULTI, SET, EXEC."""
    def work():
        r = connect()
        for _ in range(50):
            r.transaction(lambda p: (v := int(p.get("shared") or 0), p.multi(), p.set("shared", v + 1)), "shared")
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return int(connect().get("shared"))


def _pipelines(c, connect):
    r = connect()
    with r.pipeline(transaction=False) as p:
        for i in range(10000):
            p.set(f"pipe:{i}", i)
            p.get(f"pipe:{i}")
        got = p.execute()
    c.equal("10,000 pairs in order", got, [v for i in range(10000) for v in (True, str(i))])
    with r.pipeline(transaction=False) as p:
        got = p.set("w", "x").incr("w").ping().execute(raise_on_error=False)
    c.equal("an error keeps its place", [type(v).__name__ for v in got], ["bool", "ResponseError", "bool"])


def _connection(c, connect):
    r = connect(client_name="the-session", db=3).client()
    c.equal("ping echo", [r.ping(), r.echo("hello")], [True, "hello"])
    c.equal("client name and id", [r.client_getname(), r.client_id() > 0], ["the-session", True])
    info = r.client_info()
    c.equal("client info", [info["name"], int(info["db"]), info["cmd"]], ["the-session", 3, "client|info"])
    mine = [x for x in r.client_list() if x["id"] == str(r.client_id())]
    c.equal("client list", [len(mine), mine[0]["name"], mine[0]["cmd"]], [1, "the-session", "client|list"])
    c.equal("client list type", any(x["name"] == "the-session" for x in r.client_list(_type="normal")), True)
    c.equal("client setname", [r.client_setname("renamed"), r.client_getname()], [True, "renamed"])
    c.raises("bad name", redis.ResponseError, "Client names cannot contain spaces", r.client_setname, "a b")
    c.equal("client no-evict", r.execute_command("CLIENT", "NO-EVICT", "ON"), "OK")
    c.equal("client unblock", r.client_unblock(999999), False)
    c.equal("client pause", [r.client_pause(60000, all=False), r.get("k"), r.client_unpause()], [True, None, "OK"])
    c.equal("client trackinginfo or reply", r.execute_command("CLIENT", "REPLY", "ON"), "OK")
    hello = r.execute_command("HELLO")
    hello = dict(zip(hello[::2], hello[1::2]))
    c.equal("hello", [hello["server"], hello["proto"], hello["mode"], hello["role"]],
            ["redis", hello["proto"], "standalone", "master"])
    c.equal("reset", r.execute_command("RESET"), "RESET")


def _server(c, connect):
    r = connect()
    info = r.info()
    c.true("info", info["redis_version"][0] in "78" and info["tcp_port"] >= 0 and info["process_id"] > 1)
    c.equal("info types", [type(info[k]).__name__ for k in ("uptime_in_seconds", "connected_clients", "used_memory",
            "mem_fragmentation_ratio", "total_commands_processed", "role", "used_cpu_sys")],
            ["int", "int", "int", "float", "int", "str", "float"])
    r.set("k", 1, ex=100)
    c.equal("info keyspace", [r.info("keyspace")["db0"][k] > 0 for k in ("keys", "expires")], [True, True])
    r.config_resetstat()
    r.get("k")
    r.get("none")
    stats = r.info("stats")
    c.equal("keyspace hits and misses", [stats["keyspace_hits"], stats["keyspace_misses"]], [1, 1])
    c.true("info commandstats", r.info("commandstats")["cmdstat_get"]["calls"] == 2)
    c.equal("config set get", [r.config_set("maxmemory-policy", "allkeys-lru"), r.config_get("maxmemory-policy")],
            [True, {"maxmemory-policy": "allkeys-lru"}])
    c.equal("config back", r.config_set("maxmemory-policy", "noeviction"), True)
    c.true("config get pattern", len(r.config_get("*")) > 150, len(r.config_get("*")))
    c.equal("config get two", set(r.config_get("max*clients", "tim*t")) >= {"maxclients", "timeout"}, True)
    c.raises("config set unknown", redis.ResponseError, "Unknown option", r.config_set, "no-such", 1)
    r.config_set("slowlog-log-slower-than", 0)
    r.set("slow", "x")
    r.config_set("slowlog-log-slower-than", 10000)
    c.true("slowlog", any(str(x["command"]) in ("SET slow x", "b'SET slow x'") for x in r.slowlog_get(10)), r.slowlog_get(10))
    c.equal("slowlog reset", [r.slowlog_reset(), r.slowlog_len()], [True, 0])
    seconds, micros = r.time()
    c.true("time", seconds > 1.7e9 and 0 <= micros < 1000000)
    commands = r.command()
    c.equal("command", [commands["get"]["arity"], commands["mset"]["step_count"], commands["set"]["flags"][:1]], [2, 2, ["write"]])
    c.equal("command count", r.command_count(), len(commands))
    c.equal("command getkeys", r.command_getkeys("SET", "x", "y"), ["x"])
    c.true("memory stats", r.memory_stats()["keys.count"] >= 1)
    c.true("memory doctor", len(r.execute_command("MEMORY", "DOCTOR")) > 20)
    c.true("latency histogram", "get" in r.execute_command("LATENCY", "HISTOGRAM", "get"))
    c.equal("latency latest", r.execute_command("LATENCY", "LATEST"), [])
    c.equal("debug object is refused or answered", _refused_or(lambda: r.debug_object("k")), True)
    c.contains("lolwut", r.lolwut(), "ver")


def _refused_or(call):
    try:
        return bool(call())
    except redis.ResponseError as error:
        return "DEBUG command not allowed" in str(error)


def _large(c, connect):
    r = connect(decode_responses=False)
    every = bytes(range(256)) * 4
    c.equal("every byte as value", [r.set("bin", every), r.get("bin")], [True, every])
    c.equal("every byte as key", [r.set(every, 1), r.exists(every), r.keys(b"\x00\x01*")], [True, 1, [every]])
    c.equal("empty key and value", [r.set("", ""), r.get("")], [True, b""])
    five = bytes((i * 7 + (i >> 9)) & 255 for i in range(65536)) * 80
    c.equal("5 MB value", [r.set("large", five), r.strlen("large"), r.get("large") == five], [True, len(five), True])
    c.equal("5 MB append and range", [r.append("large", five), r.getrange("large", len(five), -1) == five], [2 * len(five), True])
    with r.pipeline(transaction=False) as p:
        for _ in range(4):
            p.get("large").ping()
        got = p.execute()
    c.equal("40 MB of replies in one pipeline", [len(x) if isinstance(x, bytes) else x for x in got], [2 * len(five), True] * 4)
    text = connect()
    c.equal("text beyond ASCII", [text.set("ключ", "значение ☃ 𝄞"), text.get("ключ")], [True, "значение ☃ 𝄞"])
    r.delete("large", "bin")


def _errors(c, connect):
    r = connect()
    r.set("word", "abc")
    wrong = redis.ResponseError
    c.raises("incr of a word", wrong, "value is not an integer or out of range", r.incr, "word")
    c.raises("incrbyfloat of a word", wrong, "value is not a valid float", r.incrbyfloat, "word", 1)
    c.raises("overflow", wrong, "increment or decrement would overflow", lambda: (r.set("n", 2**63 - 1), r.incr("n")))
    c.raises("unknown command", wrong, "unknown command 'NOSUCH', with args beginning with: 'a'", r.execute_command, "NOSUCH", "a")
    c.raises("unknown subcommand", wrong, "unknown subcommand 'BOGUS'", r.execute_command, "CONFIG", "BOGUS")
    c.raises("arity", wrong, "wrong number of arguments for 'get' command", r.execute_command, "GET")
    c.raises("arity of a subcommand", wrong, "wrong number of arguments for 'config|get' command", r.execute_command, "CONFIG", "GET")
    c.raises("syntax", wrong, "syntax error", r.execute_command, "SET", "a", "b", "EX", "1", "PX", "1")
    c.raises("expire time", wrong, "invalid expire time in 'setex' command", r.setex, "a", 0, "b")
    c.raises("bit offset", wrong, "bit offset is not an integer or out of range", r.setbit, "a", 2**40, 1)
    c.raises("bit value", wrong, "bit is not an integer or out of range", r.execute_command, "SETBIT", "a", 1, 2)
    c.raises("hll of a word", wrong, "Key is not a valid HyperLogLog string value", r.pfadd, "word", 1)
    c.raises("rename of nothing", wrong, "no such key", r.rename, "none", "b")
    c.raises("database", wrong, "DB index is out of range", r.execute_command, "SELECT", 16)
    c.raises("proto", wrong, "unsupported protocol version", r.execute_command, "HELLO", 4)
    c.raises("string too long", wrong, "string exceeds maximum allowed size", r.setrange, "a", 2**29, "x")
    c.equal("still connected", r.ping(), True)


def _reconnect(c, connect):
    r, killer = connect(), connect().client()
    c.equal("kill by id", [r.ping(), killer.client_kill_filter(_id=r.client_id())], [True, 1])
    c.equal("the next command reconnects", r.ping(), True)
    held = connect(client_name="victim", retry=Retry(NoBackoff(), 1), retry_on_error=[redis.ConnectionError]).client()
    held.ping()
    address = next(x["addr"] for x in killer.client_list() if x["name"] == "victim")
    c.equal("kill by address", killer.client_kill_filter(addr=address, skipme=True) >= 1, True)
    c.equal("a killed session comes back with its name", held.client_getname(), "victim")
    keeper = connect(client_name="pipe-victim").client()
    with keeper.pipeline() as p:
        p.watch("k")
        c.equal("kill a watcher", killer.client_kill_filter(_type="normal", skipme=True) >= 1, True)
        p.multi()
        p.set("k", "lost")
        c.raises("its transaction is not run", redis.RedisError, "", p.execute)
    c.true("kill spared the killer", killer.ping())


def _pool(c, connect):
    r = connect(max_connections=8, pooled=redis.BlockingConnectionPool, timeout=30)
    r.delete("pooled")
    threads = [threading.Thread(target=lambda: [r.incr("pooled") for _ in range(200)]) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    c.equal("16 threads over 8 connections", r.get("pooled"), "3200")
    before = len(r.client_list())
    c.true("the pool kept its limit", before <= 8 + 40)
    r.connection_pool.disconnect()
    c.equal("usable after disconnect", r.get("pooled"), "3200")


def _password(c, connect, locked):
    c.equal("right password", connect(locked).ping(), True)
    c.raises("wrong password", redis.ResponseError, "WRONGPASS", connect(locked, password="wrong").ping)
    r = connect(locked, password=None)
    if isinstance(r.connection_pool.connection_class(), Resp3Mixin):
        c.raises("hello without auth", redis.RedisError, "", r.ping)
    else:
        c.raises("no password", redis.AuthenticationError, "Authentication required", r.ping)
    named = connect(locked, username="default", client_name="known")
    c.equal("user and name", named.client_getname(), "known")
