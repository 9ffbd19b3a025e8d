#!/usr/bin/python3
"""What scripts leave behind: in the append-only file, in the stream of replicas, for those who watch, wait and listen, and in
the figures. What stock redis-server leaves is what is right.

    scripts_effects.py [PART]            repeats a part
    SEED=n scripts_effects.py together   repeats a storm
"""

import contextlib
import pathlib
import random
import re
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from checks import run_parts  # noqa: E402
from fake_peers import FakeReplica  # noqa: E402
from replicating import (OURS, SEED, THEIRS, Crew, Host, figures, in_step, is_up, place, pipelined,  # noqa: E402
                         same_data, went_well)
from resp_client import ErrorReply, Received  # noqa: E402
from sanitized import share  # noqa: E402
from script_cases.effects import CHOSEN, HEAD, LIBRARY, SCENARIOS, SEEN, STREAMS  # noqa: E402
from server_process import wait_until  # noqa: E402

# ---- the stream ------------------------------------------------------------------------------------------------------

AROUND = ([b"MULTI"], [b"EXEC"], [b"SELECT", b"0"])


def commands(data):
    """The requests in the text of an append-only file or of a stream, with times left out."""
    received, found = Received(data), []
    while received.buffer:
        found.append([re.sub(rb"^1[5-9]\d{11}(-\d+)?$", b"TIME", word) for word in received.read()])
    return found


def incremental(folder):
    """What is in the append-only files behind the base."""
    files = sorted(pathlib.Path(folder).glob("appendonlydir/*.incr.aof"))
    return commands(b"".join(file.read_bytes() for file in files))


def left_by(make, threads, requests, end):
    """(the stream that a replica sees, what the file holds) after the requests, up to the command that marks the end."""
    options = ["--appendonly", "yes", "--appendfsync", "always", "--repl-diskless-sync", "yes", "--shutdown-timeout", "0"]
    with Host(make, options, threads) as server, server.client() as client:
        replica = FakeReplica(server)
        replica.introduce()
        replica.ask()
        replica.line()
        replica.payload(replica.payload_begins())
        for request in requests:
            client.call(*request)
        client.call(*end)
        last = b"*%d\r\n" % len(end) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in end)
        while not replica.client.buffer.endswith(last):
            replica.more()
        return commands(replica.client.buffer), incremental(server.dir)


def streams(checks):
    """One effect stands alone, several are one group of MULTI and EXEC, what reads only leaves nothing."""
    end = (b"SET", b"the", b"end")
    for number, requests in share(list(enumerate(STREAMS + CHOSEN)), SEED):
        expected = left_by(THEIRS, 1, requests, end)
        for threads in (1, 4):
            got = left_by(OURS, threads, requests, end)
            for kind, ours, theirs in zip(("replicas", "the file"), got, expected):
                if requests in CHOSEN:
                    ours, theirs = ([words for words in effects if words not in AROUND] for effects in (ours, theirs))
                checks.true(f"case {number}, {threads} threads, for {kind}: {requests}"[:300], ours == theirs,
                    f"\n    ours  {ours}\n    redis {theirs}")


# ---- who watches, waits and listens ----------------------------------------------------------------------------------


def played(server, resp, scenario):
    """The replies, in the order in which the scenario asks for them."""
    found = []
    with contextlib.ExitStack() as stack:
        clients = {number: stack.enter_context(server.client(resp)) for number in (1, 2, 3)}
        for number, *step in scenario:
            client = clients[number]
            if step == ["reads"]:
                found.append(client.read())
            elif step[0] == "sends":
                client.send(*step[1])
            elif step[0] == "waits":
                wait_until(lambda: b"blocked_clients:%d\r" % step[1] in client.call("INFO", "clients"))
            else:
                found.append(client.call(*step[0]))
    return found


def scenarios(checks):
    for name, scenario in share(list(SCENARIOS.items()), SEED):
        for resp in (2, 3):
            with Host(THEIRS) as stock:
                expected = played(stock, resp, scenario)
            for threads in (1, 4):
                with checks.part(f"{name}, RESP{resp}, {threads} threads"), Host(OURS, threads=threads) as server:
                    checks.equal("replies", played(server, resp, scenario), expected)


# ---- figures ---------------------------------------------------------------------------------------------------------


def statistics(text):
    """Counts without times, of what a script can do with."""
    found = {}
    for name, value in figures(text).items():
        if not name.startswith(("cmdstat_info", "cmdstat_monitor", "cmdstat_slowlog", "cmdstat_config", "cmdstat_hello",
                "cmdstat_debug")):
            found[name] = re.sub(r"usec=\d+,usec_per_call=[\d.]+,", "", value)
    return found


def observed(make, threads):
    """What MONITOR, SLOWLOG and INFO tell of the same requests."""
    with Host(make, threads=threads) as server, server.client() as client, server.client() as monitor, server.client() as other:
        client.call("CONFIG", "SET", "slowlog-log-slower-than", "0")
        client.call("SLOWLOG", "RESET")
        client.call("CONFIG", "RESETSTAT")
        monitor.call("MONITOR")
        for request in SEEN:
            client.call(*request)
        client.call("PING", "the end")
        lines = []
        while not lines or b"the end" not in lines[-1]:
            lines.append(re.sub(rb"^\d+\.\d+ |127\.0\.0\.1:\d+", b"", monitor.read()))
        slow = [entry[3] for entry in reversed(other.call("SLOWLOG", "GET", "100"))]
        return {"MONITOR": lines, "SLOWLOG": [words for words in slow if words[0] not in (b"CONFIG", b"SLOWLOG", b"MONITOR")],
                "commandstats": statistics(other.call("INFO", "commandstats")),
                "errorstats": statistics(other.call("INFO", "errorstats")),
                "errors": figures(other.call("INFO", "stats"))["total_error_replies"]}


def observation(checks):
    """MONITOR, SLOWLOG, the statistics of commands and of errors."""
    expected = observed(THEIRS, 1)
    for threads in (1, 4):
        got = observed(OURS, threads)
        for kind, theirs in expected.items():
            if isinstance(theirs, dict):
                for name in theirs.keys() | got[kind].keys():
                    checks.equal(f"{threads} threads, {kind}, {name}", got[kind].get(name), theirs.get(name))
            else:
                checks.equal(f"{threads} threads, {kind}", got[kind], theirs)


COUNTED = ["number_of_cached_scripts", "number_of_functions", "number_of_libraries"]
MEASURED = ["used_memory_lua", "used_memory_vm_eval", "used_memory_scripts_eval", "used_memory_vm_functions",
    "used_memory_vm_total", "used_memory_functions", "used_memory_scripts"]


def memory_figures(checks):
    """What scripts and functions take is shown, counted and given back."""
    def counted(host):
        return [host.figures("memory")[name] for name in COUNTED]

    def measured(host):
        return {name: int(host.figures("memory")[name]) for name in MEASURED}

    for threads in (1, 4):
        with checks.part(f"{threads} threads"), Host(OURS, threads=threads) as server, Host(THEIRS) as stock:
            empty = measured(server)
            for title, requests in (("nothing", []), ("scripts",
                    [("SCRIPT", "LOAD", f"return {number} -- {'x' * 1000}") for number in range(200)]),
                    ("again", [("SCRIPT", "LOAD", "return 1")] * 3),
                                    ("run", [("EVAL", "return 'run'", 0), ("EVAL", "x y", 0), ("EVAL", "error('x')", 0)]),
                                    ("libraries", [("FUNCTION", "LOAD", LIBRARY),
                                    ("FUNCTION", "LOAD", "#!lua name=x\nredis.register_function('f', function() end)")])):
                for host in (server, stock):
                    with host.client() as client:
                        pipelined(client, requests)
                checks.equal(f"{title}: counts", counted(server), counted(stock))
            full = measured(server)
            for name in ("used_memory_scripts_eval", "used_memory_functions", "used_memory_vm_functions", "used_memory_scripts"):
                checks.true(f"{name} has grown", full[name] > empty[name], (empty, full))
            checks.true("texts count", full["used_memory_scripts_eval"] - empty["used_memory_scripts_eval"] > 200 * 1000, full)
            checks.equal("the sum", full["used_memory_vm_total"], full["used_memory_vm_eval"] + full["used_memory_vm_functions"])
            checks.equal("the old name", full["used_memory_lua"], full["used_memory_vm_eval"])
            seen = server.figures("memory")
            checks.true("for people", all(seen[name + "_human"][-1] in "BKMG" for name in ("used_memory_lua",
                "used_memory_vm_total", "used_memory_scripts")), seen)
            server.ask("SCRIPT", "FLUSH")
            server.ask("FUNCTION", "FLUSH")
            stock.ask("SCRIPT", "FLUSH")
            stock.ask("FUNCTION", "FLUSH")
            checks.true("all is given back", wait_until(lambda: counted(server) == counted(stock) == ["0", "0", "0"]),
                counted(server))
            checks.true("the texts too",
                wait_until(lambda: measured(server)["used_memory_scripts_eval"] <= empty["used_memory_scripts_eval"] + 1000),
                measured(server))


# ---- limits ----------------------------------------------------------------------------------------------------------


def out_of_memory(checks):
    """Asked before the first write: a script that has begun to write comes to its end."""
    grow = "for i = 1, 60 do redis.call('SET', KEYS[1] .. i, ('x'):rep(100000)) end return redis.call('DBSIZE')"
    for threads in (1, 4):
        found = {}
        for make in (THEIRS, OURS):
            with Host(make, threads=threads) as server, server.client() as client:
                limit = int(figures(client.call("INFO", "memory"))["used_memory"]) + 3_000_000
                client.call("CONFIG", "SET", "maxmemory", limit)
                found[make] = [client.call("EVAL", grow, 1, "a"), client.call("EVAL", grow, 1, "b"),
                    client.call("EVAL", "return redis.call('GET', 'a1') ~= nil", 0),
                    client.call("EVAL", "return redis.pcall('SET', 'c', 'x')", 0),
                               client.call("EVAL", "redis.call('DEL', 'a1') return redis.pcall('SET', 'c', 'x')", 0),
                               client.call("DBSIZE")]
        checks.equal(f"{threads} threads", found[OURS], found[THEIRS])


def eviction(checks):
    """Keys go before a script, not in the middle of it; what it wrote is whole."""
    for threads in (1, 4):
        with checks.part(f"{threads} threads"), Host(OURS, ["--maxmemory", "20mb", "--maxmemory-policy", "allkeys-random"],
                threads) as server, server.client() as client:
            for number in range(400):
                reply = client.call("EVAL",
                    "for i = 1, 20 do redis.call('SET', KEYS[1] .. ':' .. i, ('x'):rep(10000)) end local n = 0 for i = 1, 20 do n = n + redis.call('EXISTS', KEYS[1] .. ':' .. i) end return n",
                    1, f"k{number}")
                if reply != 20:
                    checks.equal(f"all of script {number} is there", reply, 20)
            seen = server.figures("stats")
            checks.true("others have gone", int(seen["evicted_keys"]) > 1000, seen["evicted_keys"])
            checks.true("memory keeps to its limit", int(server.figures("memory")["used_memory"]) < 24_000_000)


def killed_scripts(checks):
    """A script that is killed before it wrote leaves nothing: no key, no record, no step of the offset."""
    for threads in (1, 4):
        options = ["--appendonly", "yes", "--appendfsync", "always", "--busy-reply-threshold", "1"]
        with checks.part(f"{threads} threads"), Host(OURS, options,
                threads) as server, Host(THEIRS) as replica, server.client() as one, server.client() as other:
            replica.follow(server)
            is_up(checks, "replica", replica)
            one.call("SET", "k", "v")
            in_step(server, replica)
            before = (place(server), incremental(server.dir), other.call("DEBUG", "DIGEST"))
            for text in ("redis.call('GET', 'k') while true do end", "while true do redis.call('GET', 'k') end",
                    "while true do redis.pcall('nosuch') end", "while true do pcall(redis.call, 'STRLEN', 'k', 'x') end"):
                one.send("EVAL", text, 0)
                checks.true("it is killed", wait_until(lambda: other.call("SCRIPT", "KILL") == b"OK"))
                checks.true("its client learns it", isinstance(one.read(), ErrorReply))
            checks.equal("nothing is left", (place(server), incremental(server.dir), other.call("DEBUG", "DIGEST")), before)
            one.call("EVAL", "return redis.call('SET', 'k', 'w')", 0)
            same_data(checks, "and it goes on", server, replica)


# ---- many at once ----------------------------------------------------------------------------------------------------

ACCOUNTS, START = 40, 1000
MOVES = {
    "declared": "redis.call('DECRBY', KEYS[1], ARGV[1]) redis.call('INCRBY', KEYS[2], ARGV[1])",
    "half declared": "redis.call('DECRBY', KEYS[1], ARGV[1]) redis.call('INCRBY', ARGV[2], ARGV[1])",
    "undeclared": "redis.call('DECRBY', ARGV[3], ARGV[1]) redis.call('INCRBY', ARGV[2], ARGV[1])",
    "made in the script": "local a, b = ARGV[3]:match('%d+'), ARGV[2]:match('%d+') redis.call('INCRBY', 'account:' .. b, ARGV[1]) redis.call('DECRBY', 'account:' .. a, ARGV[1])",
    "with an error inside": "redis.call('DECRBY', KEYS[1], ARGV[1]) redis.pcall('LPUSH', KEYS[1], 'x') redis.call('INCRBY', KEYS[2], ARGV[1])",
    "with an error behind": "redis.call('DECRBY', KEYS[1], ARGV[1]) redis.call('INCRBY', ARGV[2], ARGV[1]) error('behind')",
    "after reading all": f"local n = 0 for i = 0, {ACCOUNTS - 1} do n = n + redis.call('GET', 'account:' .. i) end if n ~= {ACCOUNTS * START} then return redis.error_reply('SUM ' .. n) end redis.call('DECRBY', KEYS[1], ARGV[1]) redis.call('INCRBY', KEYS[2], ARGV[1])",
    "strange second step": "redis.call('APPEND', 'log:' .. ARGV[4], '.') redis.call('DECRBY', KEYS[1], ARGV[1]) redis.call('INCRBY', ARGV[2], ARGV[1]) redis.call('APPEND', 'log:' .. ARGV[4], ',')",
}
SUM = f"local n = 0 for i = 0, {ACCOUNTS - 1} do n = n + redis.call('GET', 'account:' .. i) end return n"
MOVER = HEAD + "redis.register_function('move', function(keys, args) redis.call('DECRBY', keys[1], args[1]) return redis.call('INCRBY', args[2], args[1]) end)"


def mover(client, chance, index, wrong):
    """Moves amounts about by any way there is; a result that tells of half a move is kept."""
    def work():
        one, other = (f"account:{number}" for number in chance.sample(range(ACCOUNTS), 2))
        amount = chance.randrange(1, 50)
        pick = chance.random()
        if pick < 0.6:
            name = chance.choice(list(MOVES))
            reply = client.call("EVAL", MOVES[name], 2, one, other, amount, other, one, index)
            if isinstance(reply, ErrorReply) and b"behind" not in reply:
                wrong.append((name, reply))
        elif pick < 0.75:
            client.call("FCALL", "move", 1, one, amount, other)
        elif pick < 0.9:
            pipelined(client, [("MULTI",), ("DECRBY", one, amount),
                ("EVAL", "return redis.call('INCRBY', ARGV[1], ARGV[2])", 0, other, amount), ("EXEC",)])
        else:
            pipelined(client, [("WATCH", one), ("MULTI",), ("DECRBY", one, amount), ("INCRBY", other, amount), ("EXEC",)])
    return work


def reader(client, chance, wrong):
    def work():
        pick = chance.randrange(4)
        keys = [f"account:{number}" for number in range(ACCOUNTS)]
        if pick == 0:
            total = sum(int(value) for value in client.call("MGET", *keys))
        elif pick == 1:
            total = client.call("EVAL", SUM, 0)
        elif pick == 2:
            total = client.call("EVAL_RO", SUM, len(keys), *keys)
        else:
            total = sum(int(value) for value in pipelined(client, [("MULTI",), *[("GET", key) for key in keys], ("EXEC",)])[-1])
        if total != ACCOUNTS * START:
            wrong.append((f"reader {pick}", total))
    return work


def together(checks):
    """Whatever keys scripts declare and touch: nobody sees half of one, and file, replica and server hold the same in the end."""
    print(f"    repeat with SEED={SEED} scripts_effects.py together")
    for threads in (1, 4):
        with checks.part(f"{threads} threads"), tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder, contextlib.ExitStack() as stack:
            server = stack.enter_context(Host(OURS, ["--appendonly", "yes"], threads, folder=folder))
            replica = stack.enter_context(Host(THEIRS))
            replica.follow(server)
            is_up(checks, "replica", replica)
            server.ask("FUNCTION", "LOAD", MOVER)
            server.ask("MSET", *[word for number in range(ACCOUNTS) for word in (f"account:{number}", START)])
            wrong = []
            clients = [stack.enter_context(server.client()) for _ in range(9)]
            works = [mover(client, random.Random(f"{SEED} mover {index}"), index, wrong) for index,
                client in enumerate(clients[:6])]
            works += [reader(client, random.Random(f"{SEED} reader {index}"), wrong) for index, client in enumerate(clients[6:])]
            with Crew(*works) as crew:
                crew.busy(700)
            went_well(checks, "everybody", crew)
            checks.equal("nobody saw half a move", wrong[:5], [])
            checks.equal("the sum", clients[0].call("EVAL", SUM, 0), ACCOUNTS * START)
            logs = [clients[0].call("GET", f"log:{index}") or b"" for index in range(6)]
            checks.true("no step twice", all(re.fullmatch(rb"(\.,)*", log) for log in logs), [log[:100] for log in logs])
            same_data(checks, "in the end", server, replica)
            digest = clients[0].call("DEBUG", "DIGEST")
            clients[0].send("SHUTDOWN")
            server.wait_exit()
            again = stack.enter_context(Host(OURS, ["--appendonly", "yes"], 5 - threads, folder=folder))
            checks.equal("after a replay", again.ask("DEBUG", "DIGEST"), digest)


if __name__ == "__main__":
    sys.exit(run_parts([streams, scenarios, observation, memory_figures, out_of_memory, eviction, killed_scripts, together]))
