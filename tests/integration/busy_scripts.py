#!/usr/bin/python3
"""A script or a function that does not end: who hears BUSY, what is answered all the same, and how it is brought to its end.

Where no other number is said, the parts run with one core and with four, so that the script and whoever waits for it share a
core or do not. Stock redis-server says what the answers are.

    busy_scripts.py [PART]        repeats a part
"""

import contextlib
import pathlib
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from checks import run_parts  # noqa: E402
from replicating import OURS, THEIRS, Crew, Host, in_step, is_up, linked, place, same_data, went_well  # noqa: E402
from resp_client import ErrorReply  # noqa: E402
from server_process import wait_until  # noqa: E402

SOON = ["--busy-reply-threshold", "5"]
LOOP = "while true do end"
KEYED = "redis.call('GET', KEYS[1]) if ARGV[1] == 'stay' then while true do end end return 'left'"
WRITES = "redis.call('SET', KEYS[1], 'written') while true do end"
LIBRARY = ("#!lua name=lib\nredis.register_function{function_name='stay', callback=function() while true do end end, flags={'no-writes'}}\n"
           "redis.register_function('write', function(keys) redis.call('SET', keys[1], 'x') while true do end end)")
BUSY_SCRIPT = b"BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
BUSY_FUNCTION = b"BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE."
UNKILLABLE = (b"UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the script "
              b"termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.")
KILLED_SCRIPT = b"ERR Error running script (call to f_"
CONNECTIONS = 24


def variants():
    return (1, 4)


@contextlib.contextmanager
def clients(server, count=CONNECTIONS):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(server.client(2 + number % 2)) for number in range(count)]


def is_busy(client, key="k"):
    return str(client.call("GET", key)).find("BUSY") >= 0


@contextlib.contextmanager
def endless(server, *request, key="k"):
    """The connection of one whose script does not end, from the moment in which others hear of it."""
    with server.client() as runner, server.client() as other:
        runner.send(*(request or ("EVAL", LOOP, 0)))
        if not wait_until(lambda: is_busy(other, key)):
            raise AssertionError("nobody hears BUSY")
        yield runner


def killed(checks, name, server, runner, how="SCRIPT"):
    with server.client() as other:
        checks.equal(f"{name}: {how} KILL", other.call(how, "KILL"), b"OK")
        reply = runner.read()
        checks.true(f"{name}: the script ends with an error", isinstance(reply, ErrorReply) and b"killed by user" in reply, reply)
        checks.equal(f"{name}: its connection goes on", runner.call("PING"), b"PONG")
        checks.true(f"{name}: nobody is busy", wait_until(lambda: not is_busy(other)))
        checks.true(f"{name}: nothing is left to kill", other.call(how, "KILL").startswith(b"NOTBUSY"))


def everybody_hears(checks):
    """BUSY on every connection, for every command but a few, until the script is killed; then all is as before."""
    for threads in variants():
        with checks.part(f"{threads} threads"), Host(OURS, SOON, threads) as server, clients(server) as others:
            others[0].call("SET", "k", "v")
            with endless(server) as runner:
                for number, other in enumerate(others):
                    for words in (("GET", "k"), ("SET", f"own:{number}", "x"), ("PING",), ("DBSIZE",), ("EVAL", "return 1", 0),
                            ("INFO",), ("CLIENT", "ID")):
                        checks.equal(f"{words[0]} on connection {number}", other.call(*words), BUSY_SCRIPT)
                for other in others:  # pipelines, in their order
                    for words in (("GET", "k"), ("FUNCTION", "KILL"), ("INCR", "n")):
                        other.send(*words)
                for number, other in enumerate(others):
                    checks.equal(f"a pipeline on connection {number}", [other.read() for _ in range(3)],
                        [BUSY_SCRIPT, BUSY_SCRIPT, BUSY_SCRIPT])
                checks.contains("the log says so", server.log_text(), "Slow script detected")
                killed(checks, "then", server, runner)
            for number, other in enumerate(others):
                checks.equal(f"connection {number} again", other.call("GET", "k"), b"v")
            checks.equal("nothing was written", others[0].call("KEYS", "*"), [b"k"])


def first_request(checks):
    """What was sent before anybody was told is answered too, and not only after the end."""
    for threads in variants():
        with checks.part(f"{threads} threads"), Host(OURS, SOON, threads) as server, clients(server) as others:
            with server.client() as runner:
                runner.send("EVAL", LOOP, 0)
                runner.send("ECHO", "behind it")
                for other in others:
                    other.send("SET", "k", "v")
                replies = [other.read() for other in others]
                # Who was faster than the script has written.
                checks.true("OK or BUSY", set(replies) <= {b"OK", BUSY_SCRIPT}, replies)
                checks.true("all wait in the end", wait_until(lambda: all(is_busy(other) for other in others)))
                checks.equal("SCRIPT KILL", others[-1].call("SCRIPT", "KILL"), b"OK")
                checks.contains("the script", runner.read(), b"killed by user")
                checks.equal("what was behind it in the pipeline", runner.read(), b"behind it")


def same_as_stock(checks):
    """What is allowed meanwhile, in which words, and what becomes of transactions: as stock redis-server has it."""
    questions = [("PING",), ("AUTH", "x"), ("HELLO",), ("HELLO", "2"), ("HELLO", "9"), ("MULTI",), ("DISCARD",), ("WATCH", "k"),
        ("UNWATCH",), ("RESET",), ("REPLCONF", "capa", "x"), ("EXEC",), ("SCRIPT", "LOAD", "return 1"),
                 ("SCRIPT", "EXISTS", "x"), ("SCRIPT", "FLUSH"), ("FUNCTION", "LIST"), ("FUNCTION", "DUMP"), ("SHUTDOWN",),
                 ("SHUTDOWN", "SAVE"), ("nosuch",), ("GET",), ("SUBSCRIBE", "c"), ("CLIENT", "LIST"),
                 ("CLIENT", "PAUSE", "1"), ("CONFIG", "GET", "save"), ("DEBUG", "SLEEP", "0"), ("COMMAND", "COUNT"),
                 ("SELECT", "1"), ("FCALL", "nosuch", "0"), ("SCRIPT", "HELP"), ("FUNCTION", "HELP"), ("ROLE",),
                 ("LATENCY", "LATEST"), ("REPLICAOF", "NO", "ONE")]

    def told(reply):
        return reply if not isinstance(reply, list) else "a list"

    def asked(make, threads, request, library):
        with Host(make, SOON,
                threads) as server, server.client() as queued, server.client() as watching, server.client() as fresh:
            server.ask("FUNCTION", "LOAD", LIBRARY)
            queued.call("MULTI")
            queued.call("SET", "k", "v")
            watching.call("WATCH", "k")
            with endless(server, *request) as runner:
                found = {words: told(server.ask(*words)) for words in questions}
                found["queued before"] = [queued.call("GET", "k"), queued.call("EXEC"), queued.call("EXEC")]
                found["begun meanwhile"] = [fresh.call(*words) for words in (("MULTI",), ("SET", "k", "v"), ("EXEC",),
                    ("DISCARD",), ("WATCH", "k"), ("MULTI",), ("EXEC",))]
                found["watched before"] = [watching.call("MULTI"), watching.call("PING"), watching.call("DISCARD")]
                found["killed wrongly"] = server.ask("SCRIPT" if library else "FUNCTION", "KILL")
                found["killed"] = server.ask("FUNCTION" if library else "SCRIPT", "KILL")
                found["its error"] = runner.read()
                found["afterwards"] = [fresh.call("GET", "k"), queued.call("PING")]
        return found

    for request, library in ((("EVAL", LOOP, 0), False), (("EVAL_RO", LOOP, 0), False), (("FCALL", "stay", 0), True),
            (("FCALL_RO", "stay", 0), True)):
        expected = asked(THEIRS, 1, request, library)
        for threads in variants():
            with checks.part(f"{request[0]}, {threads} threads"):
                got = asked(OURS, threads, request, library)
                for question, answer in expected.items():
                    checks.equal(f"{question}", got[question], answer)


def functions_too(checks):
    for threads in variants():
        with checks.part(f"{threads} threads"), Host(OURS, SOON, threads) as server, clients(server) as others:
            others[0].call("FUNCTION", "LOAD", LIBRARY)
            with endless(server, "FCALL", "stay", 0) as runner:
                for number, other in enumerate(others):
                    checks.equal(f"GET on connection {number}", other.call("GET", "k"), BUSY_FUNCTION)
                    stats = other.call("FUNCTION", "STATS")
                    stats = dict(stats if number % 2 else zip(stats[::2], stats[1::2]))
                    running = stats[b"running_script"]
                    running = dict(running if number % 2 else zip(running[::2], running[1::2]))
                    checks.equal(f"who runs, on connection {number}", (running[b"name"], running[b"command"]),
                        (b"stay", [b"FCALL", b"stay", b"0"]))
                    checks.true("for how long", running[b"duration_ms"] >= 5, running)
                    checks.equal(f"SCRIPT KILL on connection {number}", other.call("SCRIPT", "KILL"), BUSY_FUNCTION)
                killed(checks, "then", server, runner, "FUNCTION")
            stats = others[0].call("FUNCTION", "STATS")
            checks.equal("nobody runs", dict(zip(stats[::2], stats[1::2]))[b"running_script"], None)


def who_has_written(checks):
    """Cannot be killed; SHUTDOWN NOSAVE ends all, and what the script wrote was never there."""
    for threads in variants():
        for kind, request in (("SCRIPT", ("EVAL", WRITES, 1, "k")), ("FUNCTION", ("FCALL", "write", 1, "k"))):
            with checks.part(f"{kind}, {threads} threads"), tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder:
                options = [*SOON, "--appendonly", "yes", "--appendfsync", "always"]
                with Host(OURS, options, threads, folder=folder) as server, clients(server) as others:
                    others[0].call("FUNCTION", "LOAD", LIBRARY)
                    others[0].call("SET", "kept", "v")
                    with endless(server, *request) as runner:
                        for other in others[:6]:
                            checks.equal(f"{kind} KILL", other.call(kind, "KILL"), UNKILLABLE)
                            checks.true("SHUTDOWN alone", b"BUSY" in other.call("SHUTDOWN"))
                        others[0].send("SHUTDOWN", "NOSAVE")
                        checks.equal("the server ends", server.wait_exit(), 0)
                        checks.equal("without a word", (runner.read_until_closed(), others[0].read_until_closed()), (b"", b""))
                with Host(OURS, ["--appendonly", "yes"], threads, folder=folder) as server, server.client() as client:
                    checks.equal("what is there", (client.call("GET", "k"), client.call("GET", "kept")), (None, b"v"))


def newcomers(checks):
    """Who connects meanwhile is welcome, and served afterwards."""
    for threads in variants():
        with checks.part(f"{threads} threads"), Host(OURS, SOON, threads) as server:
            with endless(server) as runner, clients(server) as others:
                for number, other in enumerate(others):
                    checks.equal(f"newcomer {number}", other.call("SET", f"k{number}", "v"), BUSY_SCRIPT)
                killed(checks, "then", server, runner)
                for number, other in enumerate(others):
                    checks.equal(f"newcomer {number} again", other.call("SET", f"k{number}", "v"), b"OK")


def keys_of_its_own(checks):
    """A script that has shown that it keeps to its keys may hold those only: whoever needs them hears BUSY, others hear that
    or are served, and what they are told is true."""
    for threads in variants():
        with checks.part(f"{threads} threads"), Host(OURS, SOON, threads) as server, clients(server) as others:
            for number in range(300):
                others[number % CONNECTIONS].call("EVAL", KEYED, 1, f"key:{number}", "go")
            with endless(server, "EVAL", KEYED, 1, "mine", "stay", key="mine") as runner:
                for number, other in enumerate(others):
                    checks.equal(f"connection {number}: its key", other.call("SET", "mine", "x"), BUSY_SCRIPT)
                    for words, answer in ((("SET", f"other:{number}", number), b"OK"),
                            (("GET", f"other:{number}"), b"%d" % number), (("PING",), b"PONG")):
                        reply = other.call(*words)
                        checks.true(f"connection {number}: {words}", reply in (answer, BUSY_SCRIPT), reply)
                    checks.true("the whole world", other.call("FLUSHALL") == BUSY_SCRIPT)
                checks.equal("SCRIPT KILL", others[0].call("SCRIPT", "KILL"), b"OK")
                checks.contains("it ends", runner.read(), b"killed by user")
            checks.true("its key is free", wait_until(lambda: others[3].call("SET", "mine", "x") == b"OK"))


def several(checks):
    """More than one that does not end: SCRIPT KILL until there is none."""
    for threads in variants():
        with checks.part(f"{threads} threads"), Host(OURS, SOON,
                threads) as server, clients(server) as others, server.client() as killer:
            for number in range(300):
                others[number % CONNECTIONS].call("EVAL", KEYED, 1, f"key:{number}", "go")
            for number, other in enumerate(others):
                other.send("EVAL", KEYED, 1, f"own:{number}", "stay")
            replies = []
            for other in others:  # each runs until it is killed, or was told that another one does
                checks.true("an end", wait_until(lambda other=other: ended(other, killer, replies)))
            expected = [reply for reply in replies if b"killed by user" in reply or reply == BUSY_SCRIPT]
            checks.equal("killed, or not begun", len(expected), len(others))
            checks.true("one at least was killed", any(b"killed by user" in reply for reply in replies), replies[:3])
            checks.true("nobody is left", wait_until(lambda: killer.call("SCRIPT", "KILL").startswith(b"NOTBUSY")))
            checks.equal("all goes on", [other.call("PING") for other in others], [b"PONG"] * len(others))


def ended(client, killer, replies):
    """Whether there is a reply; kills what runs, else."""
    client.socket.settimeout(0.02)
    try:
        replies.append(client.read())
    except TimeoutError:
        killer.call("SCRIPT", "KILL")
        return False
    finally:
        client.socket.settimeout(30)
    return True


def inside_others(checks):
    """In a transaction, and behind blocked, watching and listening clients."""
    for threads in variants():
        with checks.part(f"{threads} threads"), Host(OURS, SOON, threads) as server, clients(server, 6) as (one, blocked, short,
                listener, watching, other):
            blocked.send("BLPOP", "queue", 0)
            checks.true("somebody waits", wait_until(lambda: b"blocked_clients:1" in other.call("INFO", "clients")))
            listener.call("SUBSCRIBE", "channel")
            watching.call("WATCH", "k", "n")
            for words in (("MULTI",), ("INCR", "n"), ("EVAL", LOOP, 0), ("INCR", "n")):
                one.call(*words)
            short.send("BLPOP", "nothing", 0.01)
            one.send("EXEC")
            checks.true("others hear of it", wait_until(lambda: is_busy(other)))
            checks.equal("SCRIPT KILL", other.call("SCRIPT", "KILL"), b"OK")
            reply = one.read()
            checks.true("the transaction goes on", reply[0] == 1 and b"killed by user" in reply[1] and reply[2] == 2, reply)
            reply = short.read()
            checks.true("the time of another is up, or it was not let in", reply is None or reply == BUSY_SCRIPT, reply)
            checks.equal("PUSH", other.call("RPUSH", "queue", "x"), 1)
            checks.equal("the one that waited", blocked.read(), [b"queue", b"x"])
            other.call("PUBLISH", "channel", "m")
            checks.equal("the one that listened", listener.read(), [b"message", b"channel", b"m"])
            watching.call("MULTI")
            checks.equal("the one that watched", watching.call("EXEC"), None)


def left_alone(checks):
    """Its client goes away; it runs on until it is killed."""
    for threads in variants():
        with checks.part(f"{threads} threads"), Host(OURS, SOON, threads) as server, clients(server, 3) as (one, other, third):
            one.send("EVAL", LOOP, 0)
            checks.true("it runs", wait_until(lambda: is_busy(other)))
            one.close()
            checks.equal("and goes on", third.call("GET", "k"), BUSY_SCRIPT)
            checks.equal("SCRIPT KILL", other.call("SCRIPT", "KILL"), b"OK")
            checks.true("then all is quiet", wait_until(lambda: other.call("GET", "k") is None))
            checks.true("its client is gone", wait_until(lambda: other.call("CLIENT", "LIST").count(b"\n") == 2))


def patience(checks):
    """The time from which on others are told can be set, also by its old name, also to never."""
    work = "for i = 1, 2e7 do end return redis.call('INCR', KEYS[1])"
    for threads in variants():
        with checks.part(f"{threads} threads"), Host(OURS, ["--lua-time-limit", "60000"], threads) as server, clients(server,
                4) as (one, two, three, four):
            for limit in ("60000", "0"):
                checks.equal("CONFIG SET", four.call("CONFIG", "SET", "lua-time-limit", limit), b"OK")
                checks.equal("CONFIG GET", three.call("CONFIG", "GET", "busy-reply-threshold"),
                    [b"busy-reply-threshold", limit.encode()])
                one.send("EVAL", work, 1, "n")
                checks.equal(f"limit {limit}: whoever comes waits",
                    [two.call("PING"), three.call("EXISTS", "k"), four.call("SCRIPT", "EXISTS", "x")], [b"PONG", 0, [0]])
                checks.true(f"limit {limit}: the result", isinstance(one.read(), int))
            four.call("CONFIG", "SET", "busy-reply-threshold", "1")
            one.send("EVAL", work, 1, "n")
            checks.true("now they hear of it, or come too late", wait_until(lambda: two.call("GET", "n") in (BUSY_SCRIPT, b"3")))
            checks.equal("it ends by itself", one.read(), 3)
            checks.equal("once each", two.call("GET", "n"), b"3")


def replicas_meanwhile(checks):
    """What was written before reaches the replicas; who asks for a synchronisation has it afterwards."""
    for make in (THEIRS, OURS):
        for threads in variants():
            with checks.part(f"replica: {make}, {threads} threads"), Host(OURS, SOON, threads) as primary, Host(make,
                    SOON) as replica, Host(make, SOON) as late:
                replica.follow(primary)
                is_up(checks, make, replica)
                with primary.client() as client:
                    for number in range(2000):
                        client.send("RPUSH", "list", number)
                    for _ in range(2000):
                        client.read()
                with endless(primary) as runner:
                    checks.true("all of it arrives", wait_until(lambda: replica.ask("LLEN", "list") == 2000),
                        replica.ask("LLEN", "list"))
                    late.follow(primary)
                    checks.true("the late one is told to wait",
                        wait_until(lambda: late.figures()["master_link_status"] == "down"))
                    checks.true("the link stays", linked(replica), replica.figures())
                    killed(checks, "then", primary, runner)
                is_up(checks, f"{make}, late", late)
                primary.ask("SET", "after", "x")
                same_data(checks, "in the end", primary, replica, late)


def on_a_replica(checks):
    """The stream waits for the script of a reader; after its end nothing is missing."""
    for theirs, ours in ((THEIRS, OURS), (OURS, THEIRS), (OURS, OURS)):
        with checks.part(f"{ours} after {theirs}"), Host(theirs, SOON) as primary, Host(ours, SOON,
                4) as replica, primary.client() as client:
            replica.follow(primary)
            is_up(checks, ours, replica)
            with endless(replica, "EVAL_RO", "while true do redis.call('GET', KEYS[1]) end", 1, "n", key="n") as runner:
                with Crew(lambda: client.call("INCR", "n")) as crew:
                    crew.busy(200)
                went_well(checks, "the writer", crew)
                killed(checks, "then", replica, runner)
            checks.true("in step", in_step(primary, replica), (place(primary), place(replica)))
            checks.equal("nothing is missing", replica.ask("GET", "n"), client.call("GET", "n"))


if __name__ == "__main__":
    sys.exit(run_parts([everybody_hears, first_request, same_as_stock, functions_too, who_has_written, newcomers, keys_of_its_own,
                        several, inside_others, left_alone, patience, replicas_meanwhile, on_a_replica]))
