"""Scripts, functions and locks with python3-redis; `python_session.py` runs the parts."""

import hashlib
import threading

import redis
from redis.lock import Lock

MULTIPLY = "local n = redis.call('GET', KEYS[1]) n = tonumber(n) return n * ARGV[1]"
LIBRARY = "#!lua name=mylib\nredis.register_function('put', function(keys, args) return redis.call('SET', keys[1], args[1]) end)\n" \
          "redis.register_function{function_name='look', callback=function(keys) return redis.call('GET', keys[1]) end, flags={'no-writes'}}"


def scripts(c, connect):
    r = connect()
    r.flushall()
    r.script_flush()
    c.equal("eval", [r.eval("return {KEYS[1], ARGV[1], #ARGV}", 1, "k", "a", "b"), r.eval("return ARGV[1]", 0, "ä")],
        [["k", "a", 2], "ä"])
    c.equal("types", r.eval("return {1, 2.9, 'x', true, false, {ok='fine'}, {1, {2}}}", 0),
        [1, 2, "x", 1, None, "fine", [1, [2]]])
    r.set("n", 2)
    multiply = r.register_script(MULTIPLY)
    c.equal("the digest is known before", multiply.sha, hashlib.sha1(MULTIPLY.encode()).hexdigest())
    c.equal("not loaded yet", r.script_exists(multiply.sha), [False])
    c.equal("a call loads it", [multiply(keys=["n"], args=[5]), r.script_exists(multiply.sha)], [10, [True]])
    c.equal("by its digest", r.evalsha(multiply.sha, 1, "n", 7), 14)
    r.script_flush()
    c.raises("forgotten", redis.exceptions.NoScriptError, "No matching script", r.evalsha, multiply.sha, 1, "n", 7)
    c.equal("loaded again", multiply(keys=["n"], args=[3]), 6)
    r.script_flush()
    with r.pipeline() as p:
        p.set("n", 4)
        multiply(keys=["n"], args=[5], client=p)
        p.get("n")
        c.equal("in a pipeline", p.execute(), [True, 20, "4"])
    with r.pipeline(transaction=False) as p:
        for i in range(500):
            p.eval("return redis.call('INCRBY', KEYS[1], ARGV[1])", 1, f"sum:{i % 10}", i)
        p.execute()
    c.equal("five hundred", sum(int(value) for value in r.mget(*[f"sum:{i}" for i in range(10)])), sum(range(500)))
    c.raises("an error of the script", redis.ResponseError, "user_script:1: bad", r.eval, "error('bad')", 0)
    c.raises("an error of a command", redis.ResponseError, "WRONGTYPE", r.eval, "redis.call('LPUSH', 'n', 1)", 0)
    c.raises("a script that is none", redis.ResponseError, "Error compiling script", r.script_load, "return (")
    c.raises("nothing to kill", redis.ResponseError, "No scripts in execution right now.", r.script_kill)
    c.equal("read only", r.execute_command("EVAL_RO", "return redis.call('GET', 'n')", 0), "4")


def functions(c, connect):
    r = connect()
    r.flushall()
    r.function_flush()
    c.equal("load", r.function_load(LIBRARY), "mylib")
    c.raises("twice", redis.ResponseError, "already exists", r.function_load, LIBRARY)
    c.equal("replace", r.function_load(LIBRARY, replace=True), "mylib")
    c.equal("call", [r.fcall("put", 1, "k", "v"), r.fcall("look", 1, "k"), r.fcall_ro("look", 1, "k")], ["OK", "v", "v"])
    c.raises("not read only", redis.ResponseError, "write flag", r.fcall_ro, "put", 1, "k", "v")
    c.equal("list", [len(r.function_list()), "mylib" in str(r.function_list(library="my*")), len(r.function_list(library="x*"))],
        [1, True, 0])
    payload = connect(decode_responses=False).function_dump()
    c.equal("flush and restore", [r.function_flush(), r.function_list(), r.function_restore(payload), r.fcall("look", 1, "k")],
        [True, [], True, "v"])
    c.equal("delete", [r.function_delete("mylib"), r.function_list()], [True, []])
    c.raises("gone", redis.ResponseError, "Function not found", r.fcall, "look", 0)


def locks(c, connect):
    r = connect()
    r.flushall()
    lock = r.lock("lock", timeout=30)
    c.equal("taken", [lock.acquire(blocking=False), lock.locked(), lock.owned(), r.pttl("lock") > 20000],
        [True, True, True, True])
    other = r.lock("lock", timeout=30)
    c.equal("by one only", [other.acquire(blocking=False), other.owned()], [False, False])
    c.equal("longer", [lock.extend(60), r.pttl("lock") > 80000, lock.extend(5, replace_ttl=True), r.pttl("lock") <= 5000,
        lock.reacquire(), r.pttl("lock") > 20000], [True] * 6)
    lock.release()
    c.equal("given back", r.exists("lock"), 0)
    c.raises("twice", redis.exceptions.LockError, "unlocked lock", lock.release)
    c.true("taken again", lock.acquire())
    r.set("lock", "somebody else's")
    c.raises("lost", redis.exceptions.LockNotOwnedError, "no longer owned", lock.release)
    c.equal("his stays", r.get("lock"), "somebody else's")
    r.delete("lock")
    counter = {"n": 0}

    def work():
        client = connect()
        for _ in range(20):
            with Lock(client, "counter", timeout=30, sleep=0.001):
                seen = counter["n"]
                client.ping()
                counter["n"] = seen + 1
    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    c.equal("six threads, one after the other", counter["n"], 120)


PARTS = [scripts, functions, locks]
