"""EVAL and its family, SCRIPT, the first line of a script, and every command called from a script."""

import hashlib

from script_cases.case import SHOW, cases, scripted, together


def sha(text):
    return hashlib.sha1(text.encode()).hexdigest()


ONE, KEYED = "return 1", "return {KEYS, ARGV}"
WRITES = "return redis.call('SET', KEYS[1], ARGV[1])"

EVALS = cases("eval", any_order=True, entries=[
    [("EVAL",)], [("EVAL", ONE)], [("EVAL", ONE, "")], [("EVAL", ONE, "x")], [("EVAL", ONE, "-1")], [("EVAL", ONE, "1")],
    [("EVAL", ONE, "2", "a")], [("EVAL", ONE, "1.5", "a")], [("EVAL", ONE, " 0")], [("EVAL", ONE, "0 ")],
    [("EVAL", ONE, "00")], [("EVAL", ONE, "+1", "a")], [("EVAL", ONE, "9223372036854775807")],
    [("EVAL", ONE, "9223372036854775808")], [("EVAL", ONE, "4294967296")], [("EVAL", "", "0")], [("EVAL", "", "x")],
    [("EVAL", "syntax error", "5")],
    [("EVAL", KEYED, "0")], [("EVAL", KEYED, "0", "a", "b")], [("EVAL", KEYED, "2", "a", "b")],
    [("EVAL", KEYED, "1", "a", "b", "c")], [("EVAL", KEYED, "2", "a", "a", "a")], [("EVAL", KEYED, "1", b"\0\xff", b"\r\n\0")],
    [("EVAL", KEYED, "1", "", "")],
    [("EVAL", "return {#KEYS, #ARGV, KEYS[0], ARGV[0], KEYS[9]}", "1", "a", "b", "c")],
    [("EVAL", "return KEYS[1] .. ARGV[1] + 1", "1", "a", "2")], [("eval", ONE, "0")], [("EvAl", ONE, "0")],
    [("EVAL", "return #ARGV", "0", *["x"] * 5000)],
    [("EVAL", "return #KEYS", "3000", *["x"] * 3000)], [("EVAL", "return ARGV[1]", "0", "y" * 100000)],
    [("EVAL", WRITES, "1", "k", "v"), ("GET", "k")],
    [("EVALSHA",)], [("EVALSHA", "x")], [("EVALSHA", "x", "0")], [("EVALSHA", "a" * 40, "0")], [("EVALSHA", "a" * 41, "0")],
    [("EVALSHA", "a" * 39, "0")], [("EVALSHA", "a" * 40, "x")], [("EVALSHA", "a" * 40, "1")], [("EVALSHA", "", "0")],
    [("EVALSHA", "z" * 40, "0")],
    [("EVAL", ONE, "0"), ("EVALSHA", sha(ONE), "0"), ("EVALSHA", sha(ONE).upper(), "0"), ("EVALSHA", sha(ONE) + " ", "0"),
    ("EVALSHA", sha(ONE)[:39], "0")],
    [("SCRIPT", "LOAD", ONE), ("EVALSHA", sha(ONE), "0"), ("SCRIPT", "FLUSH"), ("EVALSHA", sha(ONE), "0")],
    [("EVAL", "x y", "0"), ("EVALSHA", sha("x y"), "0")], [("EVAL", "error('x')", "0"), ("EVALSHA", sha("error('x')"), "0")],
    [("EVAL_RO",)], [("EVAL_RO", ONE)], [("EVAL_RO", ONE, "0")], [("EVAL_RO", WRITES, "1", "k", "v"), ("GET", "k")],
    [("EVAL_RO", "return redis.pcall('SET', 'k', 'v')", "0"), ("GET", "k")],
    [("SET", "k", "v"), ("EVAL_RO", "return redis.call('GET', KEYS[1])", "1", "k")],
    [("EVAL_RO", "return redis.pcall('DEL', 'absent')", "0")], [("EVAL_RO", "return redis.call('FLUSHALL')", "0")],
    [("EVAL_RO", "return redis.pcall('PUBLISH', 'c', 'm')", "0")], [("EVAL_RO", "return redis.pcall('PFCOUNT', 'k')", "0")],
    [("EVAL_RO", "return redis.pcall('SPUBLISH', 'c', 'm')", "0")],
    [("EVAL_RO", "return redis.pcall('SORT', 'k')", "0")], [("EVAL_RO", "return redis.pcall('SORT_RO', 'k')", "0")],
    [("EVAL_RO", "return redis.pcall('GETEX', 'k')", "0")], [("EVAL_RO", "return redis.pcall('SELECT', 1)", "0")],
    [("EVAL_RO", "return redis.pcall('nosuch')", "0")],
    [("EVAL_RO", "return redis.pcall('SET')", "0")], [("EVAL_RO", "redis.call('SET', 'k', 1)", "x")], [("EVALSHA_RO",)],
    [("EVALSHA_RO", "a" * 40, "0")], [("EVAL", ONE, "0"), ("EVALSHA_RO", sha(ONE), "0")],
    [("SCRIPT", "LOAD", WRITES), ("EVALSHA_RO", sha(WRITES), "1", "k", "v"), ("GET", "k")],
    [("SCRIPT", "LOAD", WRITES), ("EVALSHA_RO", sha(WRITES), "1", "k", "v"), ("EVALSHA", sha(WRITES), "1", "k", "v"),
    ("EVALSHA_RO", sha(WRITES), "1", "k", "v")],
    [("MULTI",), ("EVAL", ONE, "0"), ("EVAL", WRITES, "1", "k", "v"), ("EVALSHA", "a" * 40, "0"),
    ("EVAL", "return redis.call('GET', 'k')", "0"), ("EXEC",)], [("MULTI",), ("EVAL", ONE), ("EXEC",)],
    [("MULTI",), ("EVAL", ONE, "x"), ("EXEC",)],
    [("MULTI",), ("SCRIPT", "LOAD", ONE), ("EVALSHA", sha(ONE), "0"), ("SCRIPT", "EXISTS", sha(ONE)), ("EXEC",)],
    [("MULTI",), ("SCRIPT", "nosuch"), ("EXEC",)], [("MULTI",), ("SCRIPT", "KILL"), ("SCRIPT", "FLUSH"), ("EXEC",)],
    [("WATCH", "k"), ("EVAL", WRITES, "1", "k", "v"), ("MULTI",), ("PING",), ("EXEC",)],
    [("WATCH", "k"), ("EVAL", ONE, "1", "k"), ("MULTI",), ("PING",), ("EXEC",)],
    [("MULTI",), ("EVAL", "return redis.call('MULTI')", "0"), ("EXEC",)],
    [("COMMAND", "GETKEYS", "EVAL", ONE, "2", "a", "b", "c")], [("COMMAND", "GETKEYS", "EVAL", ONE, "0", "c")],
    [("COMMAND", "GETKEYS", "EVAL", ONE, "x")],
    [("COMMAND", "GETKEYS", "EVALSHA", "x", "1", "a", "b")], [("COMMAND", "GETKEYS", "FCALL", "f", "1", "a", "b")],
    [("COMMAND", "GETKEYSANDFLAGS", "EVAL", ONE, "1", "a")], [("COMMAND", "GETKEYSANDFLAGS", "EVAL_RO", ONE, "1", "a")],
    [("COMMAND", "GETKEYS", "EVAL", ONE, "3", "a")],
    *[[("COMMAND", "INFO", name)] for name in ("EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO", "FCALL", "FCALL_RO", "SCRIPT",
    "FUNCTION")],
])

SCRIPT_COMMANDS = cases("script", any_order=True, entries=[
    [("SCRIPT",)], [("SCRIPT", "nosuch")], [("SCRIPT", "nosuch", "x")], [("SCRIPT", "HELP", "x")], [("SCRIPT", "LOAD")],
    [("SCRIPT", "LOAD", ONE)], [("SCRIPT", "LOAD", ONE, "x")], [("SCRIPT", "LOAD", "")], [("SCRIPT", "LOAD", "x y")],
    [("SCRIPT", "LOAD", "return")], [("SCRIPT", "LOAD", "return '\n\n")], [("SCRIPT", "LOAD", b"return '\0\xff'")],
    [("SCRIPT", "LOAD", "error('x')")], [("SCRIPT", "LOAD", "#!lua\nreturn 1")], [("SCRIPT", "LOAD", "#!nosuch\nreturn 1")],
    [("SCRIPT", "LOAD", "#!lua flags=nosuch\nreturn 1")],
    [("SCRIPT", "LOAD", "return " + "x" * 5000)], [("SCRIPT", "EXISTS")], [("SCRIPT", "EXISTS", "x")],
    [("SCRIPT", "EXISTS", sha(ONE), "y")], [("EVAL", ONE, "0"),
    ("SCRIPT", "EXISTS", sha(ONE), "a" * 40, sha(ONE), sha(ONE).upper(), "")],
    [("EVAL", "x y", "0"), ("SCRIPT", "EXISTS", sha("x y"))],
    [("SCRIPT", "LOAD", "x y"), ("SCRIPT", "EXISTS", sha("x y"))], [("SCRIPT", "FLUSH")], [("SCRIPT", "FLUSH", "ASYNC")],
    [("SCRIPT", "FLUSH", "sync")], [("SCRIPT", "FLUSH", "nosuch")], [("SCRIPT", "FLUSH", "SYNC", "ASYNC")],
    [("SCRIPT", "FLUSH", "")],
    [("EVAL", ONE, "0"), ("SCRIPT", "FLUSH"), ("SCRIPT", "EXISTS", sha(ONE)), ("EVAL", ONE, "0"), ("SCRIPT", "EXISTS", sha(ONE))],
    [("SCRIPT", "KILL")], [("SCRIPT", "KILL", "x")], [("FUNCTION", "KILL")], [("FUNCTION", "KILL", "x")],
    [("SCRIPT", "DEBUG")], [("SCRIPT", "DEBUG", "x")], [("SCRIPT", "DEBUG", "NO")], [("SCRIPT", "DEBUG", "no")],
    [("SCRIPT", "DEBUG", "YES", "x")], [("SCRIPT", "LOAD", ONE), ("SCRIPT", "LOAD", ONE), ("SCRIPT", "EXISTS", sha(ONE))],
    [("SCRIPT|LOAD", ONE)], [("script", "exists", sha(ONE))], [("SCRIPT", "SHOW", "x")],
    [("COMMAND", "INFO", "SCRIPT|LOAD", "SCRIPT|EXISTS", "script|flush", "SCRIPT|KILL", "SCRIPT|DEBUG", "SCRIPT|HELP")],
])

DEBUGGER = cases("debugger", [[("MULTI",), ("SCRIPT", "DEBUG", "YES"), ("EXEC",)]])

FLAGS = ["no-writes", "allow-oom", "allow-stale", "no-cluster", "allow-cross-slot-keys"]
FIRST_LINES = ["#!lua", "#!lua ", "#!lua  ", "#!LUA", "#!luax", "#!", "#! lua", "#!lua\t", "#!lua\r", "#!js", "#!lua name=x",
    "#!lua name=x flags=no-writes", "#!lua flags", "#!lua flags=", "#!lua flags= ", "#!lua flags=,", "#!lua flags=nosuch",
    "#!lua flags=no-writes,nosuch",
               "#!lua flags=no-writes,", "#!lua flags=,no-writes", "#!lua flags=no-writes no-cluster",
               "#!lua flags=no-writes flags=allow-oom", "#!lua flags=NO-WRITES", "#!lua Flags=no-writes",
               "#!lua flags='no-writes'", "#!lua   flags=no-writes", "#!lua flags=no-writes   ", "#!lua\tflags=no-writes",
               "#!lua flags =no-writes", "#!lua =", "#!lua x", "#!lua x=y", "#!lua engine=lua", "#!lua flags=no-writes\0",
               "#!lua flags=" + ",".join(FLAGS), *[f"#!lua flags={flag}" for flag in FLAGS], "#!lua flags=no-writes,no-writes",
               "#!/bin/sh", "#!lua flags=\"no-writes\"", "#!lua \"flags=no-writes\"",
               "#!lua flags=no_writes", "#!lua -- comment", "#!lua name=", "#!lua name", " #!lua", "\n#!lua", "#!lua version=1"]
FIRST = cases("first line", [
    [scripted(f"{line}\nreturn redis.call('GET', 'k')"), scripted(f"{line}\nreturn redis.call('SET', KEYS[1], 'v')", ["k"]),
    ("GET", "k"), scripted(f"{line}\nreturn redis.call('SET', 'other', 'v')"), ("SCRIPT", "LOAD", f"{line}\nreturn 5"),
     scripted(f"{line}\nreturn 1", command="EVAL_RO"),
     scripted(f"{line}\n\nerror('on the third line')")] for line in FIRST_LINES] + [
    [scripted(text)] for text in ("#!lua", "#!lua flags=no-writes", "#!", "#!lua\n", "#!lua\n\n", "#!lua\nx y",
    "#!lua\nreturn '\n", "#!lua return 1", "#!lua\rreturn 1", "#!lua\r\nreturn 1")])

OUT_OF_MEMORY = [("CONFIG", "SET", "maxmemory", "1")]
ENOUGH = [("CONFIG", "SET", "maxmemory", "0")]
WITHOUT_MEMORY = cases("out of memory", [[("SET", "k", "v"), *OUT_OF_MEMORY,
    scripted(f"{line}return redis.{call}", command=command), *ENOUGH, ("GET", "k")]
                                         for line in ("", "#!lua\n", "#!lua flags=allow-oom\n", "#!lua flags=no-writes\n",
                                         "#!lua flags=no-writes,allow-oom\n")
                                         for call in ("call('SET', 'k', 'new')", "pcall('SET', 'k', 'new')", "call('GET', 'k')",
                                         "call('DEL', 'k')", "pcall('LPUSH', 'k', 'x')",
                                         "call('DEL', 'k') and redis.call('SET', 'k', 'again')")
                                         for command in ("EVAL", "EVAL_RO")] + [
    [*OUT_OF_MEMORY,
    ("FUNCTION", "LOAD", "#!lua name=l\nredis.register_function('f', function() return redis.call('SET', 'k', 'v') end)"),
    *ENOUGH, ("FUNCTION", "LIST")],
    [*OUT_OF_MEMORY, ("SCRIPT", "LOAD", ONE), ("EVALSHA", sha(ONE), "0"), *ENOUGH],
    *[[("FUNCTION", "LOAD",
    f"#!lua name=l\nredis.register_function{{function_name='f', callback=function() return redis.{call} end, flags={{{flags}}}}}"),
    *OUT_OF_MEMORY, ("FCALL", "f", 0), ("FCALL_RO", "f", 0), *ENOUGH]
      for flags in ("", "'allow-oom'", "'no-writes'", "'no-writes','allow-oom'") for call in ("call('SET', 'k', 'v')",
      "call('GET', 'k')", "call('DEL', 'k')")],
])

SIDES = cases("refused writes", [
    [("CONFIG", "SET", "min-replicas-to-write", "1"), scripted("return redis.call('SET', 'k', 'v')"),
    scripted("return redis.pcall('SET', 'k', 'v')"), scripted("#!lua\nreturn 1"),
    scripted("#!lua flags=no-writes\nreturn redis.call('GET', 'k')"),
    scripted("return redis.call('GET', 'k')", command="EVAL_RO"),
     ("FUNCTION", "LOAD", "#!lua name=l\nredis.register_function('f', function() return 1 end)"),
     ("CONFIG", "SET", "min-replicas-to-write", "0"), scripted("return redis.call('SET', 'k', 'v')")],
    [("CONFIG", "SET", "notify-keyspace-events", "KEA"), scripted("return redis.call('SET', 'k', 'v')"),
    ("CONFIG", "SET", "notify-keyspace-events", "")],
])

SKIPPED = {  # what depends on the make, the moment or the machine
    "info", "command", "lolwut", "time", "lastsave", "acl", "cluster", "debug", "memory", "latency", "migrate", "module", "role",
    "pfdebug", "config", "client", "slowlog", "waitaof",
    "shutdown", "failover", "sync", "psync", "replicaof", "slaveof", "monitor", "hpexpire", "hexpire", "bgsave", "save",
    "bgrewriteaof",
    "zrank", "zrevrank"}  # the last two take one word more here


def every_command(names, subcommands):
    """Each command of stock Redis from a script: with its name alone, with one word, with two; and from a script that may not write."""
    requests = []
    for name in sorted(names):
        if name in SKIPPED:
            continue
        words = "', '".join(name.split("|"))
        for extra in ("", ", 'k'", ", 'k', 'x'", ", 'k', '1', 'x'"):
            requests.append(scripted(f"{SHOW} return show(redis.pcall('{words}'{extra}))"))
        requests.append(scripted(f"{SHOW} return show(redis.pcall('{words}', 'k', '1', 'x'))", command="EVAL_RO"))
    for name in sorted(subcommands):
        container, _, sub = name.partition("|")
        if container in SKIPPED:
            continue
        requests.append(scripted(f"{SHOW} return show(redis.pcall('{container}', '{sub}', 'k', 'x', 'y', 'z', '0', '1', '2', '3', '4'))"))
    return together("every command", requests, size=20)


FAMILIES = [EVALS, SCRIPT_COMMANDS, DEBUGGER, FIRST, WITHOUT_MEMORY, SIDES]
