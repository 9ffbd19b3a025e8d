#!/usr/bin/python3
"""Commands over large collections: the other clients of the same core thread have their turn meanwhile.

What runs in between is not part of the long command: its keys look as before it or as after it, pipelines stay in
their order, whole-keyspace commands and transactions wait for its end, clients may hang up or be killed at any moment,
and the journal replays to the same data set. Seeded: CINNABAR_LONG_SEED repeats a run's choices.
"""

import os
import pathlib
import random
import select
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from checks import run_parts  # noqa: E402
from resp_client import Disconnected, ErrorReply  # noqa: E402
from server_process import Server, wait_until  # noqa: E402

MEMBERS = 200_000
GONE = (Disconnected, ConnectionError, OSError)


def fill(client, command, key, count, words):
    """`count` elements, 500 to a command."""
    batches = 0
    for first in range(0, count, 500):
        client.send(command, key, *[word for i in range(first, min(first + 500, count)) for word in words(i)])
        batches += 1
    for _ in range(batches):
        client.read()


def fill_sets(client):
    fill(client, "SADD", "a", MEMBERS, lambda i: (f"a{i}",))
    fill(client, "SADD", "b", MEMBERS, lambda i: (f"b{i}",))


def answered(client):
    return bool(select.select([client.socket], [], [], 0)[0])


LONG = [
    ("SUNIONSTORE", "result", "a", "b"),
    ("SDIFF", "a", "b"),
    ("ZUNIONSTORE", "result", 2, "a", "b"),
    ("SORT", "a", "ALPHA", "STORE", "result"),
]


def others_have_their_turn(checks):
    with Server(threads=1, options=["--save", ""]) as server, server.client() as one, server.client() as other:
        fill_sets(one)
        for words in LONG:
            one.send(*words)
            turns = 0
            while not answered(one):
                other.call("SET", "x", turns)
                turns += 1
            one.read()
            checks.true(f"turns of another client during {words[0]}", turns > 5, f"only {turns}")


def who_needs_its_keys_waits(checks):
    for threads in (1, 4):
        with Server(threads=threads, options=["--save", ""]) as server, server.client() as one:
            fill_sets(one)
            others = [server.client() for _ in range(8)]
            for _ in range(3):
                one.call("DEL", "result")
                one.call("SADD", "result", "before")
                one.send("SUNIONSTORE", "result", "a", "b")
                one.send("SCARD", "result")
                for other in others:
                    for words in (("SCARD", "result"), ("DBSIZE",), ("MULTI",), ("SCARD", "result"), ("EXEC",)):
                        other.send(*words)
                checks.equal("the size", one.read(), 2 * MEMBERS)
                checks.equal("the next command of the pipeline", one.read(), 2 * MEMBERS)
                for other in others:
                    replies = [other.read() for _ in range(5)]
                    checks.true("before or after", replies[0] in (1, 2 * MEMBERS), f"{replies[0]!r}")
                    checks.equal("keys", replies[1], 3)
                    checks.true("in a transaction", replies[4] in ([1], [2 * MEMBERS]), f"{replies[4]!r}")
                    checks.true("never back", replies[4][0] >= replies[0], f"{replies!r}")
            for other in others:
                other.close()


def nobody_is_dropped(checks):
    """More requests at once than a core takes in one turn, behind a long command that has what they need."""
    for threads in (1, 2):
        with Server(threads=threads, options=["--save", "", "--enable-debug-command", "yes"]) as server, \
                server.client() as one, server.client() as brake:
            fill_sets(one)
            others = [server.client() for _ in range(60)]
            for other in others:
                other.call("WATCH", "a", "b")
            brake.send("DEBUG", "SLEEP", 0.2)  # so that all of it is there when the next turn begins
            one.send("SUNIONSTORE", "result", "a", "b")
            for i, other in enumerate(others):
                if i % 2:
                    other.send("UNWATCH")
                else:
                    other.send("SADD", "a", f"new{i}")
            checks.equal("the brake", brake.read(), b"OK")
            size = one.read()  # on the other core some may have come first
            checks.true("the size", 2 * MEMBERS <= size <= 2 * MEMBERS + len(others) // 2, f"{size}")
            for i, other in enumerate(others):
                checks.equal(f"client {i}", other.read(), b"OK" if i % 2 else 1)
                other.close()


def figure(client, name):
    """A number that INFO persistence shows."""
    lines = client.call("INFO", "persistence").decode().splitlines()
    return next(int(line.split(":")[1]) for line in lines if line.startswith(name + ":"))


def pings_behind(one, other, words, changes):
    """Sends the long command to `one`; makes the save point due meanwhile, with `changes` of `other`. Whether a PING of
    `other` was sent in the later half of the time from then to the end of the long command, and answered before it."""
    one.send(*words)
    for _ in range(20):
        other.call("PING")  # it is on its way
    for i in range(changes):
        other.call("SET", "x", i)
    due = time.monotonic()
    sent = []
    while not answered(one):
        sent.append(time.monotonic())
        other.call("PING")
        if answered(one):
            sent.pop()
    half = (due + time.monotonic()) / 2
    one.read()
    return bool(sent) and sent[-1] > half


def save_points_wait(checks):
    """With a save point due, the world is not stopped while a long command of another core would keep everybody waiting
    with it. No time is too long here: what counts is which reply came first. The periodic work may come upon the command
    before it has yielded; so it has several tries."""
    changes, tries, enough = 10, 6, 2
    for role in ("first", "second"):  # the save points are looked after by one of the cores
        with Server(threads=2, options=["--save", "", "--hz", "100"]) as server, \
                server.client() as first, server.client() as second:
            one, other = (first, second) if role == "first" else (second, first)
            fill(one, "RPUSH", "list", 2 * MEMBERS, lambda i: (i,))
            sort = ("SORT", "list", "ALPHA", "LIMIT", MEMBERS, 10)
            good = 0
            for number in range(tries):
                wait_until(lambda: other.call("SAVE") == b"OK")
                other.call("CONFIG", "SET", "save", f"1 {changes}")
                saved, saves = other.call("LASTSAVE"), figure(other, "rdb_saves")
                wait_until(lambda: int(other.call("TIME")[0]) > saved + 1)
                good += pings_behind(one, other, sort, changes)
                checks.true("the save point is not forgotten", wait_until(lambda: figure(other, "rdb_saves") > saves),
                            f"try {number}")
                if good == enough:
                    break
            checks.true(f"PINGs beside SORT, which the {role} client sends", good == enough, f"in {good} of {tries} tries")


def hang_ups(checks):
    """Clients go away while they wait for the command, while it is theirs, and while it serves them."""
    for threads in (1, 4):
        with Server(threads=threads, options=["--save", ""]) as server, server.client() as one:
            fill_sets(one)
            for _ in range(5):
                leaving = [server.client() for _ in range(6)]
                leaving[0].send("SUNIONSTORE", "result", "a", "b")
                leaving[1].send("SCARD", "result")
                leaving[2].send("SUBSCRIBE", "channel")
                leaving[3].send("WATCH", "a", "result")
                leaving[4].send("BLPOP", "nothing", 0)
                leaving[5].send("CLIENT", "KILL", "TYPE", "pubsub")
                for client in leaving:
                    client.close()
                checks.equal("still there", one.call("PING"), b"PONG")
            checks.equal("all at its place", one.call("SCARD", "a"), MEMBERS)
            checks.true("still there", server.alive(), "gone")


def during(one, step):
    """Takes steps while `one` has a long command that is not answered: the results of those that ended before it was."""
    results = []
    one.send("SUNIONSTORE", "result", "a", "b")
    while not answered(one):
        result = step(len(results))
        if not answered(one):
            results.append(result)
    one.read()
    return results


def messages_arrive(checks):
    """Messages, and lines for MONITOR, reach their clients during a long command of the core, and count there for the limits."""
    with Server(threads=1, options=["--save", ""]) as server, server.client() as one, server.client() as publisher, \
            server.client() as listener, server.client() as monitor, server.client(resp=3) as self_listener:
        fill_sets(one)
        listener.call("SUBSCRIBE", "channel")

        def message(number):
            publisher.call("PUBLISH", "channel", number)
            return listener.read()
        checks.true("messages arrive", len(during(one, message)) > 3, "they do not")

        monitor.call("MONITOR")

        def line(number):
            publisher.call("GET", f"key{number}")
            while f"key{number}".encode() not in monitor.read():
                pass
        checks.true("lines of MONITOR arrive", len(during(one, line)) > 3, "they do not")
        monitor.close()

        # A client that runs the long command itself has its messages behind the whole reply.
        self_listener.send("SUBSCRIBE", "self")
        self_listener.read()
        self_listener.send("SDIFF", "a", "b")
        sent = 0
        while not answered(self_listener):
            publisher.call("PUBLISH", "self", sent)
            sent += 1
        checks.true("the reply is whole", len(self_listener.read()) == MEMBERS, "it is not")
        checks.true("messages meanwhile", sent > 3, f"{sent}")
        got = [self_listener.read() for _ in range(sent)]
        checks.true("all messages, in order", [int(each[2]) for each in got] == list(range(sent)), f"{got[:5]}")

        publisher.call("CONFIG", "SET", "client-output-buffer-limit", "pubsub 1mb 0 0")

        def let_go_meanwhile():
            text = "overcoming of output buffer limits"
            before = server.log_text().count(text)
            with server.client() as idle:
                idle.call("SUBSCRIBE", "channel")

                def too_much(_):
                    publisher.call("PUBLISH", "channel", b"x" * 4_000_000)
                    return server.log_text().count(text) > before
                return any(during(one, too_much))
        # On a busy machine a command may be over before much was published.
        checks.true("who reads nothing is let go meanwhile", any(let_go_meanwhile() for _ in range(5)), server.log_text())


def quit_lets_go(checks):
    """The OK of QUIT says that nobody listens any more, whatever the core has to do."""
    with Server(threads=2, options=["--save", ""]) as server, server.client() as one, server.client() as other:
        fill_sets(one)
        for _ in range(3):
            leaving = [server.client() for _ in range(6)]  # on both cores
            for i, client in enumerate(leaving):
                client.call("SUBSCRIBE", f"channel{i}")

            def leave(number):
                client = leaving[number]
                client.call("QUIT")
                return other.call("PUBSUB", "NUMSUB", f"channel{number}")[1]
            one.send("SUNIONSTORE", "result", "a", "b")
            left = [leave(i) for i in range(len(leaving))]
            one.read()
            checks.equal("subscribers after QUIT", left, [0] * len(leaving))
            for client in leaving:
                client.close()
        for i in range(300):
            with server.client() as client:
                client.call("SUBSCRIBE", *[f"name{n}" for n in range(10)])
                for _ in range(9):
                    client.read()
                client.call("QUIT")
                if other.call("PUBSUB", "NUMSUB", "name9")[1] != 0:
                    checks.true("nobody listens", False, f"round {i}")


BIG = ["big:a", "big:b", "big:c", "big:d"]


def long_command(choose):
    one, other, to = choose.choice(BIG), choose.choice(BIG), f"result:{choose.randrange(3)}"
    return choose.choice([
        ("SUNIONSTORE", to, one, other), ("SINTERSTORE", to, one, other), ("SDIFFSTORE", to, one, other),
        ("ZUNIONSTORE", to, 2, one, other), ("ZINTERSTORE", to, 2, one, other), ("SORT", one, "ALPHA", "STORE", to),
        ("SINTERCARD", 2, one, other), ("SMEMBERS", one)])


def short_command(choose, number):
    key = choose.choice(BIG + [f"result:{i}" for i in range(3)])
    return choose.choice([
        ("SADD", choose.choice(BIG), f"new{choose.randrange(1000)}"), ("SREM", choose.choice(BIG), choose.randrange(1000)),
        ("INCR", f"counter:{number}"), ("TYPE", key), ("EXISTS", key), ("DBSIZE",), ("INFO", "clients"), ("PING",),
        ("LPUSH", "queue", number), ("BLPOP", "queue", "0.01"), ("BLMOVE", "queue", "done", "LEFT", "LEFT", "0.01"),
        ("EXPIRE", "result:0", 1), ("DEL", "done"), ("CONFIG", "GET", "save"), ("CLIENT", "LIST")])


def work(server, number, choose, rounds, failures):
    client = server.client(timeout=60)
    try:
        for _ in range(rounds):
            if choose.random() < 0.05:
                client.send(*(long_command(choose) if choose.random() < 0.3 else short_command(choose, number)))
                client.close()
                client = server.client(timeout=60)
            elif number < 3:
                client.call(*long_command(choose))
            elif choose.random() < 0.2:
                client.call("MULTI")
                for _ in range(2):
                    client.call(*short_command(choose, number))
                client.call("EXEC")
            else:
                client.call(*short_command(choose, number))
    except GONE as error:
        failures.append(repr(error))
    finally:
        client.close()


def storm(checks):
    seed = int(os.environ.get("CINNABAR_LONG_SEED", random.randrange(1 << 32)))
    print(f"    repeat with CINNABAR_LONG_SEED={seed}")
    for threads in (1, 4):
        with Server(threads=threads, options=["--save", "", "--appendonly", "yes"]) as server, server.client() as one:
            for i, key in enumerate(BIG):
                fill(one, "SADD", key, 20_000, lambda n: (n * (i + 1),))
            failures = []
            workers = [threading.Thread(target=work, args=(server, number, random.Random(seed + number), 25 if number < 3 else
                                                           400, failures)) for number in range(9)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
            checks.equal("failures", failures, [])
            # What those have sent who hung up may still be on its way; their connections go behind it.
            checks.true("everybody is gone", wait_until(lambda: one.call("CLIENT", "LIST").count(b"\n") == 1, 60))
            one.call("PERSIST", "result:0")
            before = one.call("DEBUG", "DIGEST")
            reloaded = one.call("DEBUG", "LOADAOF")
            checks.true("the journal loads", not isinstance(reloaded, ErrorReply), f"{reloaded!r}")
            checks.equal(f"digest after a replay, {threads} threads", one.call("DEBUG", "DIGEST"), before)


if __name__ == "__main__":
    sys.exit(run_parts([others_have_their_turn, who_needs_its_keys_waits, nobody_is_dropped, save_points_wait,
                        hang_ups, messages_arrive, quit_lets_go, storm]))
