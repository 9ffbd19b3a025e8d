"""A session with redis-cli: output forms, both protocols, pipes, repeats, scans, MONITOR, a terminal."""

import json
import os
import pty
import re
import select
import subprocess
import time

from cli_collections import collections
from harness import Lines, end, raw_exchange, run

CLI = "/usr/bin/redis-cli"


def cli_session(checks, server, locked):
    base = [CLI, "-p", str(server.port)]

    def ask(*arguments, stdin=None, options=()):
        return run([*base, *options, *arguments], stdin)[1].rstrip("\n")

    for protocol in ("-2", "-3"):
        ask("flushall")
        with checks.part(f"redis-cli {protocol}"):
            _commands(checks, lambda *a, **k: ask(*a, **{**k, "options": (protocol, *k.get("options", ()))}))
            _replies(checks, protocol, lambda *a: ask(*a, options=(protocol, "--no-raw")))
    for name, part in (("options", _options), ("pipe", _pipe), ("scans", _scans), ("monitor", _monitor),
                       ("inline", _inline), ("terminal", _terminal), ("collections", collections)):
        ask("flushall")
        with checks.part(f"redis-cli {name}"):
            part(checks, server, ask)
    with checks.part("redis-cli password"):
        _password(checks, locked)
    with checks.part("redis-cli unix socket"):
        status, out, _ = run([CLI, "-s", server.socket, "set", "over", "unix"])
        checks.equal("SET over the socket", (status, out), (0, "OK\n"))
        checks.equal("seen over TCP", ask("get", "over"), "unix")
        out = run([CLI, "-s", server.socket, "-3", "client", "info"])[1]
        checks.contains("CLIENT INFO names the socket", out, "addr=" + server.socket)


def _commands(checks, ask):
    """Command, expected raw output. One table, so that a newcomer sees the session at a glance."""
    table = [
        ("ping", "PONG"), ("ping hello", "hello"), ("echo hi", "hi"),
        ("set k v", "OK"), ("get k", "v"), ("get nothing", ""), ("set k w nx", ""), ("set k w xx get", "v"),
        ("append k !", "2"), ("strlen k", "2"), ("getrange k 0 0", "w"), ("setrange k 3 x", "4"),
        ("getset k z", "w!\0x"), ("getdel k", "z"), ("exists k", "0"),
        ("mset a 1 b 2 c 3", "OK"), ("mget a b nothing c", "1\n2\n\n3"), ("msetnx c 9 d 9", "0"),
        ("incr a", "2"), ("incrby a 40", "42"), ("decr a", "41"), ("decrby a 1", "40"), ("incrbyfloat a 2.5", "42.5"),
        ("set t v ex 100", "OK"), ("ttl t", "100"), ("persist t", "1"), ("ttl t", "-1"), ("ttl nothing", "-2"),
        ("getex t px 50000", "v"), ("expire t 10 gt", "0"), ("expire t 1000 gt", "1"), ("expiretime nothing", "-2"),
        ("lcs ohmytext mynewtext", ""), ("setbit bits 7 1", "0"), ("getbit bits 7", "1"), ("bitcount bits", "1"),
        ("bitpos bits 1", "7"), ("bitop not inverse bits", "1"), ("bitcount inverse", "7"),
        ("bitfield f set u8 0 255 get u4 0 incrby i5 8 1", "0\n15\n1"), ("bitfield_ro f get u8 0", "255"),
        ("pfadd hll a b c", "1"), ("pfadd hll a", "0"), ("pfcount hll", "3"), ("pfmerge other hll", "OK"),
        ("pfcount other hll", "3"), ("type k", "none"), ("type hll", "string"), ("object encoding b", "int"),
        ("rename b bb", "OK"), ("renamenx bb c", "0"), ("copy bb b", "1"), ("copy bb b", "0"),
        ("copy bb b replace", "1"), ("touch b bb nothing", "2"), ("unlink b bb", "2"), ("del c nothing", "1"),
        ("move hll 3", "1"), ("dbsize", "6"), ("swapdb 0 3", "OK"), ("dbsize", "1"), ("swapdb 3 0", "OK"),
        ("object refcount f", "1"), ("config set slowlog-max-len 77", "OK"),
        ("client getname", ""), ("client setname me", "OK"),
        ("slowlog reset", "OK"), ("slowlog len", "0"), ("config resetstat", "OK"), ("client no-evict on", "OK"),
        ("command getkeys mset x 1 y 2", "x\ny"), ("memory usage nothing", ""), ("watch a", "OK"), ("unwatch", "OK"),
        ("select 5", "OK"), ("flushdb async", "OK"), ("reset", "RESET"), ("quit", "OK"),
    ]
    for line, want in table:
        checks.equal(line, ask(*line.split()), want)
    checks.equal("LCS", [ask("mset", "x", "ohmytext", "y", "mynewtext"), ask("lcs", "x", "y"),
                         ask("lcs", "x", "y", "len")], ["OK", "mytext", "6"])
    checks.equal("CONFIG GET", ask("config", "get", "slowlog-max-len").split(), ["slowlog-max-len", "77"])
    checks.equal("KEYS", sorted(ask("keys", "[xy]").split()), ["x", "y"])
    checks.true("RANDOMKEY", ask("randomkey"))
    checks.true("TIME is two numbers", re.fullmatch(r"\d+\n\d+", ask("time")))
    checks.true("MEMORY USAGE is a number", ask("memory", "usage", "x").isdigit())
    checks.true("COMMAND COUNT is large", int(ask("command", "count")) > 90)
    for section in ("server", "clients", "memory", "stats", "cpu", "commandstats", "keyspace", "replication"):
        checks.contains(f"INFO {section}", ask("info", section).lower(), f"# {section}")
    checks.contains("COMMAND DOCS", ask("command", "docs", "get"), "complexity")
    checks.contains("LOLWUT", ask("lolwut"), "ver")


def _replies(checks, protocol, ask):
    """What a person sees on a terminal, where types show."""
    resp3 = protocol == "-3"
    table = [
        ("set k v", "OK"), ("get k", '"v"'), ("get nothing", "(nil)"), ("incr n", "(integer) 1"),
        ("mget k nothing", '1) "v"\n2) (nil)'), ("keys nomatch*", "(empty array)"),
        ("nosuch a b", "(error) ERR unknown command 'nosuch', with args beginning with: 'a' 'b' "),
        ("get", "(error) ERR wrong number of arguments for 'get' command"),
        ("incr k", "(error) ERR value is not an integer or out of range"),
        ("set k v ex 0", "(error) ERR invalid expire time in 'set' command"),
        ("select 99", "(error) ERR DB index is out of range"),
        ("exec", "(error) ERR EXEC without MULTI"), ("set k v bogus", "(error) ERR syntax error"),
        ("config get databases", '1# "databases" => "16"' if resp3 else '1) "databases"\n2) "16"'),
        ("incrbyfloat f 1.5", '"1.5"'), ("config set nosuch 1", None), ("object help", None),
        ("client list id 999999", ""), ("renamenx nokey b", "(error) ERR no such key"),
        ("getrange k 0 -1 x", "(error) ERR wrong number of arguments for 'getrange' command"),
        ("bitop not d a b", "(error) ERR BITOP NOT must be called with a single source key."),
        ("client kill 1.2.3.4:5", "(error) ERR No such client"),
    ]
    for line, want in table:
        got = ask(*line.split())
        if want is None:
            checks.true(line, got, "empty answer")
        else:
            checks.equal(line, got, want)


def _options(checks, server, ask):
    checks.equal("-x", ask("set", "from-stdin", stdin="line one\nline two", options=("-x",)), "OK")
    checks.equal("-x value", ask("get", "from-stdin"), "line one\nline two")
    checks.equal("-X", ask("set", "k", "tag", stdin="tagged", options=("-X", "tag")), "OK")
    checks.equal("-r", ask("incr", "times", options=("-r", "5")), "1\n2\n3\n4\n5")
    checks.equal("-r -i", ask("incr", "times", options=("-r", "2", "-i", "0.01")), "6\n7")
    checks.equal("-n", ask("set", "in-nine", "1", options=("-n", "9")), "OK")
    checks.equal("-n keeps databases apart", ask("exists", "in-nine"), "0")
    checks.equal("-d", ask("mget", "times", "times", options=("-d", ",")), "7,7")
    checks.equal("--csv", ask("mget", "times", "none", options=("--csv",)), '"7",NULL')
    checks.equal("--json", json.loads(ask("mget", "times", "none", options=("--json",))), ["7", None])
    ask("config", "set", "hz", "17")
    got = json.loads(ask("config", "get", "hz", options=("--json",)))
    checks.equal("--json of a map", got, {"hz": "17"})
    checks.equal("--json -2", json.loads(ask("config", "get", "hz", options=("--json", "-2"))), ["hz", "17"])
    docs = json.loads(ask("command", "docs", "set", options=("--json",)))
    checks.equal("--json COMMAND DOCS", docs.get("set", {}).get("since"), "1.0.0")
    info = json.loads(ask("command", "info", "get", options=("--json",)))
    checks.equal("--json COMMAND INFO", info[0][:3], ["get", 2, info[0][2]])
    ask("set", '"a\\x00b"', '"\\xff\\n"', options=("--quoted-input",))
    checks.equal("--quoted-input", ask("--no-raw", "get", '"a\\x00b"', options=("--quoted-input",)), '"\\xff\\n"')
    status, _, errors = run([CLI, "-p", str(server.port), "-e", "incr", "from-stdin"])
    checks.equal("-e exit status", (status, "not an integer" in errors), (1, True))
    checks.equal("-u", run([CLI, "-u", f"redis://127.0.0.1:{server.port}/9", "get", "in-nine"])[1], "1\n")
    latency = ask("--latency", "--raw", "-i", "0.2").split()
    checks.true("--latency", len(latency) == 4 and int(latency[3]) > 0, latency)
    with Lines([CLI, "-p", str(server.port), "--stat", "-i", "0.05"]) as stat:
        seen = stat.until("------- data ------")
        row = stat.until("+")[-1]
    checks.true("--stat", seen and re.search(r"\(\+\d+\)", row), row)


def _pipe(checks, server, ask):
    count = 20000
    requests = "".join(f"*3\r\n$3\r\nSET\r\n${len(f'p:{i}')}\r\np:{i}\r\n${len(str(i))}\r\n{i}\r\n" for i in range(count))
    out = ask("--pipe", stdin=requests)
    checks.contains("--pipe", out, f"errors: 0, replies: {count}")
    checks.equal("--pipe stored all", ask("dbsize"), str(count))
    out = ask("--pipe", stdin="INCR p:1\r\nINCR\r\nSET s v\r\nINCR s\r\n")
    checks.contains("--pipe counts errors", out, "errors: 2, replies: 4")
    checks.equal("stdin lines", ask(stdin="MULTI\nSET m 1\nINCR m\nGET m\nEXEC\n"), "OK\nQUEUED\nQUEUED\nQUEUED\nOK\n2\n2")
    checks.equal("stdin DISCARD", ask(stdin="MULTI\nSET m 9\nDISCARD\nGET m\n"), "OK\nQUEUED\nOK\n2")
    got = ask(stdin="MULTI\nSET m\nEXEC\n")
    checks.contains("stdin EXECABORT", got, "EXECABORT Transaction discarded because of previous errors.")


def _scans(checks, server, ask):
    ask(stdin="".join(f"set user:{i} {'x' * (1 + i % 50)}\n" for i in range(1000)) + "mset other:1 y other:2 z\n")
    found = ask("--scan").split()
    checks.equal("--scan finds each key once", (len(found), len(set(found))), (1002, 1002))
    checks.equal("--scan --pattern", sorted(ask("--scan", "--pattern", "other:*").split()), ["other:1", "other:2"])
    checks.equal("--scan --pattern of many", len(ask("--scan", "--pattern", "user:*").split()), 1000)
    big = ask("--bigkeys")
    checks.contains("--bigkeys counts", big, "Sampled 1002 keys in the keyspace!")
    checks.true("--bigkeys finds", re.search(r"Biggest string found .* with 50 bytes", big), big[-600:])
    checks.contains("--memkeys", ask("--memkeys"), "Sampled 1002 keys in the keyspace!")
    before = ask("config", "get", "maxmemory-policy").split()[-1]
    ask("config", "set", "maxmemory-policy", "allkeys-lfu")
    checks.contains("--hotkeys", ask("--hotkeys"), "Sampled 1002 keys in the keyspace!")
    ask("config", "set", "maxmemory-policy", before)


def _monitor(checks, server, ask):
    with Lines([CLI, "-p", str(server.port), "monitor"]) as monitor:
        checks.equal("MONITOR is accepted", monitor.until("OK"), ["OK"])
        ask("set", "watched", 'a "quoted" value', options=("-n", "2"))
        seen = monitor.until("watched")
        checks.true("MONITOR line", re.fullmatch(
            r'\d+\.\d{6} \[2 127\.0\.0\.1:\d+\] "set" "watched" "a \\"quoted\\" value"', seen[-1]), seen)
        ask("config", "set", "hz", "10")
        ask("get", "end-mark")
        seen = monitor.until("end-mark")
        checks.true("MONITOR hides administration", not any('"config"' in line for line in seen), seen)


def _inline(checks, server, _ask):
    got = raw_exchange(server.port, b"PING\r\nMULTI\r\nSET i 1\r\nINCR i\r\nEXEC\r\n", 7)
    checks.equal("inline MULTI", got, b"+PONG\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n:2\r\n")
    got = raw_exchange(server.port, b'SET q "a\\x41 b"\nGET q\n\r\nGET \'q\'\r\n', 5)
    checks.equal("inline quotes and bare newlines", got, b"+OK\r\n$4\r\naA b\r\n$4\r\naA b\r\n")
    got = raw_exchange(server.port, b'SET q "unbalanced\r\n', 2)
    checks.equal("inline unbalanced quotes", got, b"-ERR Protocol error: unbalanced quotes in request\r\n")


def _terminal(checks, server, _ask):
    """redis-cli on a terminal reads COMMAND DOCS for its help and shows the prompt of the database."""
    master, slave = pty.openpty()
    process = subprocess.Popen([CLI, "-p", str(server.port), "-3"], stdin=slave, stdout=slave, stderr=slave,
                               env={**os.environ, "TERM": "dumb", "HOME": server.dir})
    os.close(slave)
    try:
        prompt = f"127.0.0.1:{server.port}"
        _expect(master, prompt + "> ")
        for line, want in (("set k 1", "OK"), ("incr k", "(integer) 2"), ("help getdel", "summary:"),
                           ("multi", prompt + "(TX)> "), ("incr k", "QUEUED"), ("exec", "1) (integer) 3"),
                           ("select 4", prompt + "[4]> ")):
            os.write(master, line.encode() + b"\n")
            checks.contains(line, _expect(master, want), want)
        os.write(master, b"quit\n")
        checks.equal("quit", process.wait(10), 0)
    finally:
        end(process)
        os.close(master)


def _expect(terminal, text, seconds=10):
    seen, limit = "", time.monotonic() + seconds
    while text not in seen and time.monotonic() < limit:
        if select.select([terminal], [], [], 0.5)[0]:
            try:
                seen += os.read(terminal, 65536).decode("utf-8", "replace")
            except OSError:
                break
    return seen


def _password(checks, locked):
    base = [CLI, "-p", str(locked.port)]
    checks.contains("no password", run([*base, "get", "k"])[1], "NOAUTH Authentication required.")
    out = run([*base, "--no-auth-warning", "-a", locked.password, "set", "k", "v"])[1]
    checks.equal("-a", out, "OK\n")
    out = run([*base, "-3", "--no-auth-warning", "--user", "default", "--pass", locked.password, "get", "k"])[1]
    checks.equal("-3 --user --pass", out, "v\n")
    checks.equal("REDISCLI_AUTH", run([*base, "get", "k"], env={**os.environ, "REDISCLI_AUTH": locked.password})[1], "v\n")
    out = "".join(run([*base, "--no-auth-warning", "-a", "wrong", "ping"])[1:])
    checks.contains("wrong password", out, "WRONGPASS invalid username-password pair or user is disabled.")
    out = run(base, stdin=f"AUTH {locked.password}\nGET k\n")[1]
    checks.equal("AUTH on stdin", out, "OK\nv\n")
    out = run(base, stdin="HELLO 3\n")[1]
    checks.contains("HELLO without AUTH", out, "NOAUTH HELLO must be called with the client already authenticated")
