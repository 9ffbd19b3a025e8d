#!/usr/bin/python3
"""Blocking pops among many clients: no element is lost, delivered twice, or delivered out of turn.

Producers push numbered elements, consumers pop them with every blocking command there is, on one, two and four core
threads. Some consumers run into time-outs, some hang up while they wait, some are unblocked by others, and BLMOVE
chains carry elements on from list to list. In the end every element was received once, or is still in a list.
Seeded: CINNABAR_BLOCKING_SEED repeats a run's choices.
"""

import collections
import os
import pathlib
import random
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from checks import run_parts  # noqa: E402
from resp_client import Disconnected, ErrorReply  # noqa: E402
from server_process import Server  # noqa: E402

PRODUCERS, CONSUMERS, MOVERS = 3, 6, 3
ELEMENTS = 400  # of each producer
LISTS = ["one", "two", "three"]
LAST = "last"  # where the chain of movers ends


def seed_of_run():
    seed = int(os.environ.get("CINNABAR_BLOCKING_SEED", random.randrange(1 << 32)))
    print(f"    repeat with CINNABAR_BLOCKING_SEED={seed}")
    return seed


def produce(server, number, choose):
    with server.client() as client:
        sequence = 0
        while sequence < ELEMENTS:
            count = min(choose.choice([1, 1, 1, 2, 5]), ELEMENTS - sequence)
            elements = [f"{number}:{sequence + i}" for i in range(count)]
            sequence += count
            push = ("RPUSH", choose.choice(LISTS), *elements)
            if choose.random() < 0.3:
                client.send("MULTI")
                client.send(*push)
                client.send("EXEC")
                client.read(), client.read(), client.read()
            else:
                client.call(*push)


def take(client, choose):
    """One blocking pop: the elements that came, None after a time-out or CLIENT UNBLOCK."""
    keys = choose.sample(LISTS + [LAST], choose.randint(1, 4))
    if choose.random() < 0.5:
        reply = client.call("BLPOP", *keys, "0.05")
        elements = reply[1:] if isinstance(reply, list) else None
    else:
        reply = client.call("BLMPOP", "0.05", len(keys), *keys, "LEFT", "COUNT", choose.randint(1, 3))
        elements = reply[1] if isinstance(reply, list) else None
    if isinstance(reply, ErrorReply) and not reply.startswith(b"UNBLOCKED"):
        raise AssertionError(reply)
    return elements


def consume(server, choose, received, finished):
    """Pops until producers are done and nothing comes any more. Hangs up now and then: only between replies and
    requests, or while it waits for a key that nobody ever fills."""
    client = server.client()
    idle = 0
    while not finished.is_set() or idle < 5:
        elements = take(client, choose)
        idle = 0 if elements else idle + 1
        received.extend(elements or ())
        if choose.random() < 0.05:
            client.send("BLPOP", "never", "also-never", "0")
            client.close()
            client = server.client()
    client.close()


def move(server, choose, finished):
    """Carries elements from the first lists to the last one, in order."""
    with server.client() as client:
        while not finished.is_set():
            if choose.random() < 0.5:
                client.call("BLMOVE", choose.choice(LISTS), LAST, "LEFT", "RIGHT", "0.05")
            else:
                client.call("BLMOVE", LAST, choose.choice(LISTS + [LAST]), "LEFT", "LEFT", "0.02")


def unblock(server, choose, finished):
    with server.client() as client:
        while not finished.is_set():
            blocked = [dict(field.split("=", 1) for field in line.split())["id"]
                       for line in client.call("CLIENT", "LIST").decode().splitlines() if " flags=b " in line]
            for one in blocked[:2]:
                client.call("CLIENT", "UNBLOCK", one, choose.choice(["TIMEOUT", "ERROR"]))
            finished.wait(0.01)


def guarded(failures, work, *arguments):
    try:
        work(*arguments)
    except (Exception, Disconnected) as error:
        failures.append(f"{work.__name__}: {error!r}")


def start(failures, work, *arguments):
    thread = threading.Thread(target=guarded, args=(failures, work, *arguments))
    thread.start()
    return thread


def exchange(checks, threads):
    seed = seed_of_run()
    failures, finished = [], threading.Event()
    received = [[] for _ in range(CONSUMERS)]
    with Server(threads=threads) as server:
        producers = [start(failures, produce, server, i, random.Random(seed + i)) for i in range(PRODUCERS)]
        others = [start(failures, consume, server, random.Random(seed + 100 + i), received[i], finished)
                  for i in range(CONSUMERS)]
        others += [start(failures, move, server, random.Random(seed + 200 + i), finished) for i in range(MOVERS)]
        others.append(start(failures, unblock, server, random.Random(seed + 300), finished))
        for thread in producers:
            thread.join()
        finished.set()
        for thread in others:
            thread.join()
        with server.client() as client:
            left = [element for name in LISTS + [LAST] for element in client.call("LRANGE", name, 0, -1)]
            blocked = [line for line in client.call("INFO", "clients").decode().splitlines() if "blocked_clients" in line]
        alive = server.alive()
    checks.equal(f"threads {threads}: no client failed", failures, [])
    checks.true(f"threads {threads}: the server is alive", alive)
    checks.equal(f"threads {threads}: nobody is blocked any more", blocked, ["blocked_clients:0"])
    counts = collections.Counter(left)
    for elements in received:
        counts.update(elements)
    expected = {f"{i}:{j}".encode() for i in range(PRODUCERS) for j in range(ELEMENTS)}
    checks.equal(f"threads {threads}: no element is lost", sorted(expected - set(counts))[:5], [])
    checks.equal(f"threads {threads}: none came twice", [e for e, n in counts.items() if n != 1][:5], [])


def exchange_on_one_thread(checks):
    exchange(checks, 1)


def exchange_on_two_threads(checks):
    exchange(checks, 2)


def exchange_on_four_threads(checks):
    exchange(checks, 4)


def first_come_first_served(checks):
    """Waiters get their elements in the order in which they began to wait, whoever pushes."""
    for threads in (1, 4):
        with Server(threads=threads) as server, server.client() as pusher:
            waiting = []
            for i in range(20):
                client = server.client()
                client.send("BLPOP", "queue", "0")
                waiting.append(client)
                while f"blocked_clients:{i + 1}" not in pusher.call("INFO", "clients").decode():
                    pass
            pusher.call("RPUSH", "queue", *range(10))
            for i in range(10, 20):
                pusher.call("RPUSH", "queue", i)
            got = [client.read() for client in waiting]
            for client in waiting:
                client.close()
            checks.equal(f"threads {threads}: in the order of arrival", [int(reply[1]) for reply in got], list(range(20)))
            checks.equal(f"threads {threads}: nothing is left", pusher.call("EXISTS", "queue"), 0)


def served_before_the_reply(checks):
    """When the pusher has its reply, the waiter has taken the element."""
    for threads in (1, 4):
        with Server(threads=threads) as server, server.client() as pusher, server.client() as waiter:
            seen = []
            for i in range(200):
                waiter.send("BLMOVE", "from", f"to{i}", "LEFT", "RIGHT", "0")
                while "blocked_clients:1" not in pusher.call("INFO", "clients").decode():
                    pass
                pusher.send("RPUSH", "from", i)
                pusher.send("EXISTS", "from")
                pusher.send("LRANGE", f"to{i}", 0, -1)
                seen.append([pusher.read(), pusher.read(), pusher.read()])
                waiter.read()
            wanted = [[1, 0, [str(i).encode()]] for i in range(200)]
            checks.equal(f"threads {threads}: the element is where it belongs", [s for s in seen if s not in wanted], [])


if __name__ == "__main__":
    sys.exit(run_parts([first_come_first_served, served_before_the_reply, exchange_on_one_thread, exchange_on_two_threads,
                        exchange_on_four_threads]))
