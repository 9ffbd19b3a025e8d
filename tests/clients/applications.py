"""Whole programs: those that articles print (printed/, letter by letter), run and driven to an end that shows.

The functions of a printed module are called by application_drives.py in a process of its own. The programs that have
a `main` run as they are, several at once where they are made for it.
"""

import json
import os
import re
import signal
import sys

from harness import HOST, Lines, record_lines, run
from python_client import python_client
from server_process import wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
PRINTED = f"{HERE}/printed"
DRIVES = ("cache_aside", "write_through", "write_behind", "ttl_patterns", "pubsub_example", "streams_producer")
STREAM, GROUP = "orders:events", "order-processor"


def applications_session(checks, server, _locked):
    r = python_client(server, 2, "tcp")
    for name in DRIVES:
        r.flushall()
        with checks.part(name):
            record_lines(checks, [sys.executable, f"{HERE}/application_drives.py", name], _world(server))
    for part in (_producer, _dead_consumer, _two_consumers, _poison):
        r.flushall()
        with checks.part(part.__name__.strip("_")):
            part(checks, server, r)


def _world(server, pod="pod-a"):
    """The environment in which the host "redis" is our server and a database is at hand."""
    path = os.pathsep.join([f"{HERE}/stand_ins", PRINTED, HERE, f"{HERE}/../lib"])
    return {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1",
            "REDIS_AT": f"{HOST}:{server.port}", "POD_NAME": pod}


def _program(server, name, pod="pod-a"):
    return Lines([sys.executable, f"{PRINTED}/{name}.py"], _world(server, pod))


def _producer(c, server, r):
    identities = []
    for _ in range(3):
        status, out, errors = run([sys.executable, f"{PRINTED}/streams_producer.py"], env=_world(server))
        c.true("prints the identity", status == 0 and re.fullmatch(r"Published: \d+-\d+\n", out), out + errors)
        identities.append(out.split()[-1])
    kept = r.xrange(STREAM)
    c.equal("three entries", [identity for identity, _ in kept], identities)
    c.equal("what is in them", [kept[0][1][field] for field in ("order_id", "event_type")], ["ord-abc123", "OrderPlaced"])


def _add(r, first, count):
    with r.pipeline(transaction=False) as p:
        for i in range(first, first + count):
            p.xadd(STREAM, {"order_id": f"ord-{i}", "event_type": "OrderPlaced", "payload": json.dumps({"total": i})})
        return p.execute()


def _caught_up(r, pending=0):
    """Whether the group has read everything and left `pending` messages without acknowledgement."""
    groups = r.xinfo_groups(STREAM)
    return bool(groups) and groups[0]["lag"] == 0 and groups[0]["pending"] == pending


def _until_caught_up(r, pending=0):
    return wait_until(lambda: r.exists(STREAM) and _caught_up(r, pending), 20)


def _end(program):
    """Ends a consumer, as a deployment does. Returns the lines it printed."""
    program.process.send_signal(signal.SIGKILL)
    return program.until("no such line")


def _orders(lines):
    return [line.rpartition("=")[2] for line in lines if line.startswith("Processing [OrderPlaced]")]


def _dead_consumer(c, server, r):
    """Five messages were delivered to a consumer that died; whoever comes next takes them, then what is new."""
    _add(r, 0, 8)
    r.xgroup_create(STREAM, GROUP, id="0")
    taken = [identity for identity, _ in r.xreadgroup(GROUP, "pod-dead", {STREAM: ">"}, count=5)[0][1]]
    c.equal("delivered to the dead one", [len(taken), r.xpending(STREAM, GROUP)["pending"]], [5, 5])
    c.equal("long idle", r.xclaim(STREAM, GROUP, "pod-dead", 0, taken, idle=60000, justid=True), taken)
    with _program(server, "streams_consumer") as consumer:
        seen = consumer.until("order=ord-7")
        c.true("all are acknowledged", _until_caught_up(r), r.xpending(STREAM, GROUP))
        _add(r, 8, 30)
        seen += consumer.until("order=ord-37")
        c.true("what came later too", _until_caught_up(r), r.xpending(STREAM, GROUP))
        seen += _end(consumer)
    c.equal("each once, in order", _orders(seen), [f"ord-{i}" for i in range(38)])
    c.equal("nothing failed", [line for line in seen if "ailed" in line or "Error" in line], [])
    consumers = {each["name"]: each["pending"] for each in r.xinfo_consumers(STREAM, GROUP)}
    c.equal("both are known", consumers, {"pod-dead": 0, "pod-a": 0})


def _two_consumers(c, server, r):
    """Started on an empty server: the first makes the stream and the group, the second finds them."""
    with _program(server, "streams_consumer", "pod-a") as a, _program(server, "streams_consumer", "pod-b") as b:
        c.true("both wait for messages", wait_until(lambda: r.info("clients")["blocked_clients"] == 2, 20))
        for first in range(0, 400, 20):
            _add(r, first, 20)
        c.true("all are acknowledged", _until_caught_up(r))
        shares = [_orders(_end(a)), _orders(_end(b))]
    c.equal("each message went to one of them", sorted(shares[0] + shares[1]), sorted(f"ord-{i}" for i in range(400)))
    c.equal("no message twice", len(set(shares[0] + shares[1])), 400)
    for share in shares:
        c.true("a part each, in order", share and share == sorted(share, key=lambda order: int(order[4:])), len(share))


def _poison(c, server, r):
    """A message that cannot be processed stays pending, and is tried again by whoever claims it."""
    _add(r, 0, 1)
    bad = r.xadd(STREAM, {"order_id": "ord-bad", "event_type": "OrderPlaced", "payload": "{broken"})
    _add(r, 1, 1)
    with _program(server, "streams_consumer") as consumer:
        seen = consumer.until("order=ord-1")
        c.true("the others are acknowledged", _until_caught_up(r, 1), r.xpending(STREAM, GROUP))
        seen += _end(consumer)
    c.equal("the failure is told", [line for line in seen if line.startswith(f"Failed to process {bad}")] != [], True)
    (left,) = r.xpending_range(STREAM, GROUP, "-", "+", 10)
    c.equal("it stays pending", [left["message_id"], left["consumer"], left["times_delivered"]], [bad, "pod-a", 1])
    r.xclaim(STREAM, GROUP, "pod-a", 0, [bad], idle=60000, justid=True)
    with _program(server, "streams_consumer", "pod-b") as consumer:
        c.contains("the next one tries it", consumer.until("Failed")[-1], bad)
    (left,) = r.xpending_range(STREAM, GROUP, "-", "+", 10)
    c.equal("and is counted", [left["consumer"], left["times_delivered"]], ["pod-b", 2])
    c.equal("given up by hand", [r.xack(STREAM, GROUP, bad), r.xpending(STREAM, GROUP)["pending"]], [1, 0])
