"""What scripts leave behind: requests of one client, and scenarios of several."""

HEAD = "#!lua name=lib\n"
LIBRARY = HEAD + ("redis.register_function('put', function(keys, args) redis.call('SET', keys[1], args[1]) return redis.call('INCR', 'n') end)\n"
                  "redis.register_function{function_name='look', callback=function(keys) return redis.call('GET', keys[1]) end, flags={'no-writes'}}")


def script(text, *keys_and_arguments):
    keys = [word for word in keys_and_arguments if not str(word).startswith("=")]
    return ("EVAL", text, len(keys), *keys, *[word[1:] for word in keys_and_arguments if str(word).startswith("=")])


# Requests of one client; what they leave in the stream and in the file is compared.
STREAMS = [
    [script("return redis.call('SET', KEYS[1], 'v')", "a")],
    [script("redis.call('SET', KEYS[1], 'v') return redis.call('SET', KEYS[2], 'w')", "a", "b")],
    [script("return redis.call('GET', KEYS[1])", "a")],
    [script("return 1")],
    [script("redis.call('SET', 'undeclared', 'v') redis.call('INCR', 'n')")],
    [script("redis.call('SET', 'a', 1) error('after a write')")],
    [script("redis.call('SET', 'a', 1) redis.call('INCR', 'n') redis.call('nosuch')")],
    [script("redis.call('SET', 'a', 'x') redis.pcall('INCR', 'a') redis.call('SET', 'b', 'y')")],
    [script("redis.pcall('INCR', KEYS[1])", "a")],
    [script("redis.call('DEL', 'absent')")],
    [script("redis.call('SET', 'a', 1) redis.call('DEL', 'a')")],
    [("SADD", "s", "only"), script("return redis.call('SPOP', 's')")],
    [("SADD", "s", "1", "2", "3"), script("return #redis.call('SPOP', 's', 3)")],
    [script("return redis.call('INCRBYFLOAT', 'f', 1.5)")],
    [script("return redis.call('HINCRBYFLOAT', 'h', 'f', 0.1)")],
    [script("redis.call('SET', 'a', 'v', 'EX', 1000)")],
    [script("redis.call('SETEX', 'a', 1000, 'v') redis.call('EXPIRE', 'a', 500) redis.call('PERSIST', 'a')")],
    [script("redis.call('SET', 'a', 'v', 'PX', 100000) return redis.call('GETEX', 'a', 'PERSIST')")],
    [script("return #redis.call('XADD', 'x', '*', 'f', 'v') > 0")],
    [script("redis.call('XADD', 'x', '1-1', 'f', 'v') redis.call('XADD', 'x', '1-2', 'f', 'v')")],
    [script("redis.call('SELECT', 5) redis.call('SET', 'a', 1)"), ("SET", "b", "2")],
    [
        script("redis.call('SET', 'a', 0) redis.call('SELECT', 5) redis.call('SET', 'a', 5) redis.call('SELECT', 0) redis.call('SET', 'b', 0)"),
        ("SET", "c", "3"),
    ],
    [
        ("SELECT", "3"), script("redis.call('SET', 'a', 3)"),
        script("redis.call('SELECT', 4) return redis.call('SET', 'a', 4)"), ("SET", "b", "3"),
    ],
    [script("redis.call('PUBLISH', 'c', 'm')")],
    [script("redis.call('PUBLISH', 'c', 'm') redis.call('SET', 'a', 1)")],
    [script("redis.call('SPUBLISH', 'c', 'm')")],
    [script("redis.call('FLUSHALL') redis.call('SET', 'a', 1)")],
    [script("redis.call('FLUSHDB')")],
    [script("redis.call('SWAPDB', 0, 1)")],
    [
        ("MULTI",), script("redis.call('SET', 'a', 1)"), ("SET", "b", "2"),
        script("redis.call('SET', 'c', 3) redis.call('SET', 'd', 4)"), ("EXEC",),
    ],
    [("MULTI",), script("return 1"), ("EXEC",)],
    [("MULTI",), script("redis.call('SET', 'a', 1)"), ("EXEC",)],
    [("MULTI",), script("redis.call('SET', 'a', 1) error('x')"), ("SET", "b", "1"), ("EXEC",)],
    [("EVAL_RO", "return 1", "0")],
    [("SCRIPT", "LOAD", "return redis.call('SET', 'a', 1)"), ("EVALSHA", "920a07f443019e7350f07db671ce6a75fcc99e2c", "0")],
    [("SCRIPT", "LOAD", "return 1"), ("SCRIPT", "FLUSH"), ("SET", "a", "1")],
    [("MULTI",), ("SCRIPT", "LOAD", "return 1"), ("SET", "a", "1"), ("SCRIPT", "FLUSH"), ("EXEC",)],
    [
        ("FUNCTION", "LOAD", LIBRARY), ("FCALL", "put", "1", "a", "v"), ("FCALL", "look", "1", "a"),
        ("FCALL_RO", "look", "1", "a"), ("FUNCTION", "DELETE", "lib"),
    ],
    [
        ("FUNCTION", "LOAD", LIBRARY), ("FUNCTION", "LOAD", LIBRARY), ("FUNCTION", "LOAD", "REPLACE", LIBRARY),
        ("FUNCTION", "FLUSH"), ("FUNCTION", "FLUSH", "ASYNC"),
    ],
    [("MULTI",), ("FUNCTION", "LOAD", LIBRARY), ("FCALL", "put", "1", "a", "v"), ("FUNCTION", "DELETE", "lib"), ("EXEC",)],
    [("FUNCTION", "RESTORE", "junk"), ("FUNCTION", "DELETE", "nosuch"), ("SET", "a", "1")],
    [("FUNCTION", "LOAD", HEAD), ("SET", "a", "1")],
    [
        ("RPUSH", "l", "3", "1", "2"),
        script("redis.call('SORT', 'l', 'STORE', 'm') redis.call('LMPOP', 1, 'l', 'LEFT') redis.call('RPOPLPUSH', 'm', 'l')"),
    ],
    [script("redis.call('SET', 'a', 1) redis.call('RENAME', 'a', 'b') redis.call('COPY', 'b', 'c')")],
    [script("#!lua flags=no-writes\nreturn redis.call('GET', 'a')")],
    [script("#!lua\nredis.call('SET', 'a', 1) redis.call('SET', 'b', 1)")],
    [script("for i = 1, 50 do redis.call('RPUSH', 'l', i) end")],
    [script("redis.call('SET', KEYS[1], ARGV[1])", "bin\0\r\n", "=\0\r\n\xff")],
    [script("redis.call('SET', 'a', 1.5) redis.call('SET', 'b', 3)  redis.call('SET', 'c', 1e17)")],
    [script("redis.call('set', 'a', 1) redis.call('SeT', 'b', 2)")],
    [script("redis.call('GETDEL', 'a') redis.call('SET', 'a', 1) redis.call('GETDEL', 'a')")],
    [script("redis.call('PFADD', 'p', 'x') redis.call('PFCOUNT', 'p')")],
    [script("redis.call('ZADD', 'z', 1.5, 'a', 2, 'b') redis.call('ZPOPMIN', 'z') redis.call('ZADD', 'z', 'INCR', 1, 'b')")],
    [script("redis.call('EXPIRE', 'absent', 10) redis.call('SET', 'a', 1) redis.call('EXPIRE', 'a', -1)")],
    [script("redis.call('SET', 'a', 1, 'NX') redis.call('SET', 'a', 1, 'NX') redis.call('SETNX', 'b', 1)")],
    [script("redis.call('BLPOP', 'absent', 0) redis.call('RPUSH', 'l', 1) redis.call('BLPOP', 'l', 0)")],
    [
        script("redis.call('XGROUP', 'CREATE', 'x', 'g', '$', 'MKSTREAM') redis.call('XADD', 'x', '5-1', 'f', 'v') redis.call('XACK', 'x', 'g', '5-1')"),
    ],
]
# Where a script says who is told, only what is told counts, and its order: groups may be of one, or empty.
CHOSEN = [
    [script("redis.set_repl(redis.REPL_NONE) redis.call('SET', 'a', 1)"), ("SET", "b", "1")],
    [
        script("redis.call('SET', 'a', 1) redis.set_repl(redis.REPL_NONE) redis.call('SET', 'b', 1) redis.set_repl(redis.REPL_ALL) redis.call('SET', 'c', 1)"),
    ],
    [script("redis.set_repl(redis.REPL_AOF) redis.call('SET', 'a', 1) redis.call('SET', 'b', 1)"), ("SET", "c", "1")],
    [script("redis.set_repl(redis.REPL_REPLICA) redis.call('SET', 'a', 1) redis.call('SET', 'b', 1)"), ("SET", "c", "1")],
    [
        script("redis.call('SET', 'a', 1) redis.set_repl(redis.REPL_AOF) redis.call('SET', 'b', 1) redis.set_repl(redis.REPL_REPLICA) redis.call('SET', 'c', 1)"),
    ],
    [
        script("redis.call('SET', 'a', 1) redis.set_repl(redis.REPL_AOF) redis.call('SET', 'a', 2) redis.call('SET', 'a', 3)"),
        ("SET", "b", "1"),
    ],
    [
        script("redis.set_repl(redis.REPL_REPLICA) redis.call('SET', 'a', 1) redis.set_repl(redis.REPL_ALL) redis.call('SET', 'a', 2)"),
        ("SET", "b", "1"),
    ],
    [
        script("redis.set_repl(redis.REPL_NONE) redis.call('FLUSHALL') redis.call('SET', 'a', 1) redis.set_repl(redis.REPL_ALL) redis.call('APPEND', 'a', 2)"),
        ("SET", "b", "1"),
    ],
]

# For MONITOR, SLOWLOG and the statistics.
SEEN = [
    script("return redis.call('SET', KEYS[1], ARGV[1])", "k", "=v"),
    script("redis.call('GET', 'k') return redis.pcall('INCR', 'k')"), script("error('x')"), script("x y"),
    ("EVALSHA", "a" * 40, "0"), ("EVAL_RO", "return redis.pcall('SET', 'k', 1)", "0"), ("FUNCTION", "LOAD", LIBRARY),
    ("FCALL", "put", "1", "a", "v"), ("FCALL_RO", "put", "1", "a", "v"), ("FCALL", "nosuch", "0"),
    ("SCRIPT", "LOAD", "return 1"), ("SCRIPT", "EXISTS", "x"), ("EVAL", "return 1", "x"),
    script("return redis.pcall('nosuch')"), script("return redis.pcall('GET')"),
    script("return redis.pcall('CONFIG', 'GET', 'save')"), script("redis.call('SELECT', 2) redis.call('SET', 'k', 'v')"),
    ("MULTI",), script("redis.call('INCR', 'n')"), ("EXEC",), ("FUNCTION", "LOAD", "junk"),
    script("return redis.pcall('FCALL', 'put', 1, 'k', 'v')"),
]

EVENTS = ("CONFIG", "SET", "notify-keyspace-events", "KEA")
# (connection, request) sends and reads one reply; (connection, "sends", request) reads nothing; (connection, "reads") reads one
# more; (connection, "waits", n) goes on when n clients are blocked.
SCENARIOS = {
    "a watched key": [
        (1, ("WATCH", "k")), (2, script("redis.call('SET', 'k', 1)")), (1, ("MULTI",)), (1, ("PING",)), (1, ("EXEC",)),
    ],
    "a watched key that is only read": [
        (1, ("WATCH", "k")), (2, script("redis.call('GET', 'k')", "k")), (1, ("MULTI",)), (1, ("PING",)), (1, ("EXEC",)),
    ],
    "watched and changed by oneself": [
        (1, ("WATCH", "k")), (1, script("redis.call('SET', 'k', 1)")), (1, ("MULTI",)), (1, ("PING",)), (1, ("EXEC",)),
    ],
    "a script in a transaction": [
        (1, ("MULTI",)), (1, script("redis.call('INCR', 'n') return redis.call('INCR', 'n')")), (1, ("INCR", "n")),
        (1, script("error('x')")), (1, script("return redis.call('GET', 'n')")), (1, ("EXEC",)),
    ],
    "watch, then a transaction with scripts": [
        (1, ("SET", "k", "1")), (1, ("WATCH", "k")), (1, ("MULTI",)), (1, script("return redis.call('INCR', KEYS[1])", "k")),
        (1, ("EXEC",)), (2, ("GET", "k")),
    ],
    "EXEC with SELECT inside a script": [
        (1, ("MULTI",)), (1, script("redis.call('SELECT', 2) redis.call('SET', 'a', 1)")), (1, ("SET", "b", "1")),
        (1, ("EXEC",)), (1, ("KEYS", "*")), (1, ("SELECT", "2")), (1, ("KEYS", "*")),
    ],
    "events": [
        (1, EVENTS), (2, ("PSUBSCRIBE", "__key*__:*")),
        (1, script("redis.call('SET', 'k', 1) redis.call('EXPIRE', 'k', 100) redis.call('DEL', 'k') return 'done'")),
        *[(2, "reads")] * 6,
    ],
    "events in another database": [
        (1, EVENTS), (2, ("PSUBSCRIBE", "__key*__:*")),
        (1, script("redis.call('SELECT', 3) redis.call('RPUSH', 'l', 1) return redis.call('LPOP', 'l')")), *[(2, "reads")] * 6,
    ],
    "events before an error": [
        (1, EVENTS), (2, ("PSUBSCRIBE", "__keyevent*__:*")),
        (1, script("redis.call('SET', 'k', 1) redis.call('INCR', 'n') error('x')")), *[(2, "reads")] * 2,
    ],
    "events of a function": [
        (1, EVENTS), (1, ("FUNCTION", "LOAD", LIBRARY)), (2, ("PSUBSCRIBE", "__keyevent*__:*")),
        (1, ("FCALL", "put", "1", "a", "v")), *[(2, "reads")] * 2,
    ],
    "messages": [
        (2, ("SUBSCRIBE", "c")), (3, ("PSUBSCRIBE", "*")),
        (1, script("return {redis.call('PUBLISH', 'c', 'one'), redis.call('PUBLISH', 'd', 'two'), redis.call('PUBLISH', 'c', 'three')}")),
        (2, "reads"), (2, "reads"), *[(3, "reads")] * 3,
    ],
    "messages of shards": [
        (2, ("SSUBSCRIBE", "c")), (1, script("return redis.call('SPUBLISH', 'c', 'one')")), (2, "reads"),
    ],
    "messages to nobody": [
        (1, script("return redis.call('PUBLISH', 'c', 'm')")),
    ],
    "messages in a transaction": [
        (2, ("SUBSCRIBE", "c")), (1, ("MULTI",)), (1, script("return redis.call('PUBLISH', 'c', 'one')")),
        (1, ("PUBLISH", "c", "two")), (1, ("EXEC",)), (2, "reads"), (2, "reads"),
    ],
    "BLPOP": [
        (2, "sends", ("BLPOP", "q", "0")), (1, "waits", 1), (1, script("return redis.call('RPUSH', KEYS[1], 'x')", "q")),
        (2, "reads"), (1, ("EXISTS", "q")),
    ],
    "BLPOP, undeclared": [
        (2, "sends", ("BLPOP", "q", "0")), (1, "waits", 1), (1, script("return redis.call('RPUSH', 'q', 'x')")), (2, "reads"),
        (1, ("EXISTS", "q")),
    ],
    "BLPOP, pushed and taken back": [
        (2, "sends", ("BLPOP", "q", "0")), (1, "waits", 1),
        (1, script("redis.call('RPUSH', 'q', 'x') return redis.call('LPOP', 'q')")), (1, ("RPUSH", "q", "y")), (2, "reads"),
    ],
    "BLPOP, the last of several": [
        (2, "sends", ("BLPOP", "q", "0")), (1, "waits", 1),
        (1, script("redis.call('RPUSH', 'q', 'x', 'y', 'z') redis.call('LPOP', 'q') return redis.call('LLEN', 'q')")),
        (2, "reads"), (1, ("LRANGE", "q", "0", "-1")),
    ],
    "BLPOP, two who wait": [
        (2, "sends", ("BLPOP", "q", "0")), (1, "waits", 1), (3, "sends", ("BLPOP", "q", "0")), (1, "waits", 2),
        (1, script("return redis.call('RPUSH', 'q', 'x', 'y', 'z')")), (2, "reads"), (3, "reads"),
        (1, ("LRANGE", "q", "0", "-1")),
    ],
    "BLPOP, the order of keys": [
        (2, "sends", ("BLPOP", "a", "b", "0")), (1, "waits", 1),
        (1, script("redis.call('RPUSH', 'b', 1) redis.call('RPUSH', 'a', 2)")), (2, "reads"), (1, ("EXISTS", "a", "b")),
    ],
    "BLPOP, another type": [
        (2, "sends", ("BLPOP", "q", "0")), (1, "waits", 1), (1, script("redis.call('SET', 'q', 'text')")), (1, ("DEL", "q")),
        (1, ("RPUSH", "q", "x")), (2, "reads"),
    ],
    "BLMOVE": [
        (2, "sends", ("BLMOVE", "a", "b", "LEFT", "RIGHT", "0")), (1, "waits", 1), (3, "sends", ("BLPOP", "b", "0")),
        (1, "waits", 2), (1, script("redis.call('RPUSH', 'a', 'x')")), (2, "reads"), (3, "reads"),
    ],
    "BZPOPMIN": [
        (2, "sends", ("BZPOPMIN", "z", "0")), (1, "waits", 1), (1, script("redis.call('ZADD', 'z', 2, 'b', 1, 'a')")),
        (2, "reads"), (1, ("ZCARD", "z")),
    ],
    "XREAD": [
        (2, "sends", ("XREAD", "BLOCK", "0", "STREAMS", "x", "$")), (1, "waits", 1),
        (1, script("redis.call('XADD', 'x', '1-1', 'f', 'v') redis.call('XADD', 'x', '1-2', 'f', 'w')")), (2, "reads"),
    ],
    "BLPOP by a script that fails": [
        (2, "sends", ("BLPOP", "q", "0")), (1, "waits", 1), (1, script("redis.call('RPUSH', 'q', 'x') error('after it')")),
        (2, "reads"),
    ],
    "BLPOP by a transaction": [
        (2, "sends", ("BLPOP", "q", "0")), (1, "waits", 1), (1, ("MULTI",)), (1, script("redis.call('RPUSH', 'q', 'x')")),
        (1, ("LPOP", "q")), (1, script("redis.call('RPUSH', 'q', 'y')")), (1, ("EXEC",)), (2, "reads"),
    ],
    "a key that moves to who waits": [
        (2, "sends", ("BLPOP", "q", "0")), (1, "waits", 1),
        (1, script("redis.call('RPUSH', 'other', 'x') redis.call('RENAME', 'other', 'q')")), (2, "reads"),
    ],
    "SELECT": [
        (1, script("redis.call('SELECT', 5) redis.call('SET', 'k', 5) return redis.call('GET', 'k')")), (1, ("GET", "k")),
        (1, ("SELECT", "5")), (1, ("GET", "k")), (1, script("return redis.call('GET', 'k')")),
        (1, script("redis.call('SELECT', 99)")), (1, ("GET", "k")), (1, script("redis.call('SELECT', 1) error('x')")),
        (1, ("GET", "k")),
    ],
    "time stands still": [
        (1, script("redis.call('SET', 'k', 'v', 'PX', 1) for i = 1, 3000000 do end return {redis.call('EXISTS', 'k'), redis.call('GET', 'k')}")),
    ],
    "a key that has expired": [
        (1, ("DEBUG", "SET-ACTIVE-EXPIRE", "0")), (1, ("SET", "k", "v", "PX", "1")), (1, ("DEBUG", "SLEEP", "0.005")),
        (1, script("return {redis.call('EXISTS', 'k'), redis.call('TTL', 'k'), redis.call('SET', 'k', 'new', 'NX'), redis.call('TTL', 'k')}")),
        (1, ("DEBUG", "SET-ACTIVE-EXPIRE", "1")),
    ],
    "expired, for a script that reads": [
        (1, ("DEBUG", "SET-ACTIVE-EXPIRE", "0")), (1, ("SET", "k", "v", "PX", "1")), (1, ("DEBUG", "SLEEP", "0.005")),
        (1, ("EVAL_RO", "return {redis.call('EXISTS', 'k'), redis.call('DBSIZE')}", "0")), (1, ("DBSIZE",)),
        (1, ("DEBUG", "SET-ACTIVE-EXPIRE", "1")),
    ],
    "TIME": [
        (1, script("local a = redis.call('TIME') return {#a, tonumber(a[1]) > 1000000000 and 1 or 0}")),
    ],
    "a random member": [
        (1, ("SADD", "s", "a")),
        (1, script("return {redis.call('SRANDMEMBER', 's'), redis.call('RANDOMKEY'), redis.call('SPOP', 's')}")),
    ],
    "CLIENT REPLY OFF": [
        (1, "sends", ("CLIENT", "REPLY", "SKIP")), (1, "sends", script("return redis.call('SET', 'k', 'v')")),
        (1, ("GET", "k")),
    ],
    "paused writes": [
        (1, ("CLIENT", "PAUSE", "100000", "WRITE")), (2, ("EVAL_RO", "return redis.call('GET', 'k')", "0")),
        (2, "sends", script("return redis.call('SET', 'k', 'v')")), (3, ("GET", "k")), (1, ("CLIENT", "UNPAUSE")),
        (2, "reads"), (3, ("GET", "k")),
    ],
    "the client of a script": [
        (1, ("CLIENT", "SETNAME", "me")), (1, script("return redis.pcall('CLIENT', 'GETNAME')")), (1, ("CLIENT", "GETNAME")),
    ],
    "WAIT": [
        (1, script("redis.call('SET', 'k', 1)")), (1, ("WAIT", "0", "0")), (1, script("return redis.pcall('WAIT', 0, 0)")),
    ],
    "OBJECT FREQ and policy": [
        (1, ("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu")), (1, ("SET", "k", "v")),
        (1, script("return redis.call('OBJECT', 'FREQ', 'k') > 0")), (1, ("CONFIG", "SET", "maxmemory-policy", "noeviction")),
    ],
    "all that a replica may not": [
        (1, ("REPLICAOF", "127.0.0.1", "1")), (1, script("return redis.call('SET', 'k', 'v')")),
        (1, script("return redis.pcall('SET', 'k', 'v')")), (1, script("return redis.call('GET', 'k')")),
        (1, ("EVAL_RO", "return redis.call('GET', 'k')", "0")), (1, script("#!lua\nreturn 1")),
        (1, script("#!lua flags=no-writes\nreturn redis.call('GET', 'k')")),
        (1, script("#!lua flags=allow-stale\nreturn redis.call('SET', 'k', 'v')")),
        (1, script("#!lua flags=no-writes,allow-stale\nreturn redis.call('GET', 'k')")), (1, ("FUNCTION", "LOAD", LIBRARY)),
        (1, ("SCRIPT", "LOAD", "return 1")), (1, script("return redis.call('PING')")),
        (1, script("return redis.pcall('PUBLISH', 'c', 'm')")), (1, ("REPLICAOF", "NO", "ONE")),
    ],
    "stale data": [
        (1, ("CONFIG", "SET", "replica-serve-stale-data", "no")), (1, ("REPLICAOF", "127.0.0.1", "1")),
        (1, script("return 1")), (1, ("EVAL_RO", "return 1", "0")), (1, script("#!lua flags=no-writes\nreturn 1")),
        (1, script("#!lua flags=no-writes,allow-stale\nreturn 1")),
        (1, script("#!lua flags=allow-stale\nreturn redis.call('GET', 'k')")),
        (1, script("#!lua flags=no-writes,allow-stale\nreturn redis.call('ECHO', 'x')")), (1, ("SCRIPT", "LOAD", "return 1")),
        (1, ("FUNCTION", "LIST")), (1, ("FCALL", "f", "0")), (1, ("REPLICAOF", "NO", "ONE")),
        (1, ("CONFIG", "SET", "replica-serve-stale-data", "yes")),
    ],
}
