#!/usr/bin/python3
"""Drives one printed program, imported as a module, to an end that can be checked; `applications.py` starts this.

    application_drives.py NAME      one line per check: "ok NAME" or "fail NAME<tab>DETAIL", and "end" at the end
"""

import contextlib
import functools
import importlib
import io
import json
import sys
import threading

import psycopg2
import redis
from redis.exceptions import RedisClusterException

from harness import Checks
from server_process import wait_until


class PrintedChecks(Checks):
    """Checks that another process counts."""

    def record(self, name, ok, detail=""):
        detail = str(detail).replace("\n", " ").replace("\t", " ")
        print(f"ok {name}" if ok else f"fail {name}\t{detail}", file=sys.__stdout__, flush=True)
        return ok


def cache_aside(c, r, _printed):
    program = importlib.import_module("cache_aside")
    shop, connection = psycopg2.database("shop"), psycopg2.connect("shop")
    shop.put("42", "Lamp", 19.99, 7)
    lamp = {"id": "42", "name": "Lamp", "price": 19.99, "stock": 7}
    c.equal("a miss reads the database", [program.get_product("42", connection), shop.selects], [lamp, 1])
    c.equal("a hit does not", [program.get_product("42", connection), shop.selects], [lamp, 1])
    c.true("for five minutes", 295 <= r.ttl("product:42") <= 300)
    shop.put("42", "Lamp", 24.5, 6)
    c.equal("stale until told", program.get_product("42", connection)["price"], 19.99)
    program.invalidate_product("42")
    c.equal("then fresh", [program.get_product("42", connection)["price"], shop.selects], [24.5, 2])
    c.equal("what does not exist", [program.get_product("43", connection), shop.selects], [None, 3])
    c.equal("is remembered too", [program.get_product("43", connection), shop.selects, r.get("product:43")], [None, 3, "null"])
    c.true("for half a minute", 25 <= r.ttl("product:43") <= 30)
    _together([lambda: [program.get_product("42", connection) for _ in range(100)]] * 8)
    c.equal("800 reads of eight threads all hit", shop.selects, 3)


def write_through(c, r, _printed):
    program = importlib.import_module("write_through")
    shop, connection = psycopg2.database("shop"), psycopg2.connect("shop")
    shop.put("42", "Lamp", 19.99, 7)
    for price in (21.0, 22.5, 23.75):
        program.update_product_price("42", price, connection)
        c.equal(f"{price} in both", [shop.price("42"), json.loads(r.get("product:42"))["price"]], [price, price])
    c.true("with a time to live", 295 <= r.ttl("product:42") <= 300)
    r.set("product:44", "left over")
    program.update_product_price("44", 1.0, connection)
    c.equal("a deleted product leaves the cache", r.exists("product:44"), 0)


def write_behind(c, r, printed):
    program = importlib.import_module("write_behind")
    shop = psycopg2.database("shop")
    names = [f"p{i}" for i in range(4)]
    for name in names:
        shop.put(name, name.upper(), 1, 10)
        r.setex(f"product:{name}", 300, json.dumps({"id": name, "name": name.upper(), "price": 1.0, "stock": 10}))
    program.start_write_behind(psycopg2.connect("shop"))
    c.true("the worker waits", wait_until(lambda: r.info("clients")["blocked_clients"] == 1))

    def sell(name):
        for price in range(1, 101):
            program.update_product_price_async(name, price)
    _together([functools.partial(sell, name) for name in names])
    c.equal("the cache has each last price", [json.loads(r.get(f"product:{name}"))["price"] for name in names], [100] * 4)
    c.true("400 writes reach the database", wait_until(lambda: shop.commits == 400), shop.commits)
    c.equal("in their order", [shop.price(name) for name in names], [100.0] * 4)
    c.equal("the queue is empty", [r.llen(program.WRITE_QUEUE), r.exists(program.WRITE_QUEUE)], [0, 0])
    shop.failing_commits = 3
    for name in names:
        program.update_product_price_async(name, 7.5)
    c.true("refused writes are queued again", wait_until(lambda: shop.commits == 404), shop.commits)
    c.equal("and arrive", [shop.price(name) for name in names], [7.5] * 4)
    c.equal("failures are told", printed().count("Write-behind flush failed: could not serialize"), 3)
    c.true("the worker waits again", wait_until(lambda: r.info("clients")["blocked_clients"] == 1))


def ttl_patterns(c, r, _printed):
    program = importlib.import_module("ttl_patterns")
    for i in range(300):
        program.set_with_jitter(f"jitter:{i}", "v", 1000)
    lives = [r.ttl(f"jitter:{i}") for i in range(300)]
    c.true("within ten per cent", 895 <= min(lives) and max(lives) <= 1100, [min(lives), max(lives)])
    c.true("spread", len(set(lives)) > 50, len(set(lives)))
    program.set_with_jitter("jitter:short", "v", 1, 0.9)
    c.equal("never below a second", r.ttl("jitter:short") in (0, 1), True)
    calls = []

    def compute():
        calls.append(1)
        return {"answer": 42, "call": len(calls)}

    def ask(beta=1.0):
        return program.get_or_compute("xfetch", compute, 100, beta)["call"]
    c.equal("computed once", [ask() for _ in range(50)], [1] * 50)
    c.true("the cost is kept beside it", json.loads(r.get("xfetch"))["_delta"] >= 0)
    r.expire("xfetch", 15)
    c.equal("near the end, never early with beta 0", ask(0), 1)
    c.equal("near the end, early with a large beta", [ask(1e12), 80 < r.ttl("xfetch") <= 110], [2, True])
    c.equal("cached again", ask(), 2)
    r.pexpire("xfetch", 1)
    c.true("it expires", wait_until(lambda: not r.exists("xfetch")))
    c.equal("and is computed again", [ask(), ask()], [3, 3])


def pubsub_example(c, r, printed):
    program = importlib.import_module("pubsub_example")
    for target in (program.subscribe_price_updates, program.subscribe_all_events):
        threading.Thread(target=target, daemon=True).start()
    c.true("both are subscribed", wait_until(
        lambda: [r.pubsub_numsub("price_updates"), r.pubsub_numpat()] == [[("price_updates", 1)], 1]))
    program.publish_price_update("p1", 9.5)
    program.publish_price_update("p2", 10)
    r.publish("inventory_updates", "p1 is out")
    r.publish("unheard", "nobody")
    wanted = ["Published to 2 subscribers", "Price update received: p1 -> 9.5", "Price update received: p2 -> 10",
              '[price_updates] {"product_id": "p1", "price": 9.5}', '[price_updates] {"product_id": "p2", "price": 10}',
              "[inventory_updates] p1 is out"]
    wait_until(lambda: all(line in printed() for line in wanted), 10)
    for line in wanted:
        c.contains(line, printed(), line)
    c.true("nothing else was heard", "nobody" not in printed())


def streams_producer(c, r, _printed):
    program = importlib.import_module("streams_producer")
    program.MAX_STREAM_LEN = 100
    identities = [program.publish_order_event(f"ord-{i}", "OrderPlaced", {"total": i}) for i in range(1000)]
    order = [tuple(map(int, identity.split("-"))) for identity in identities]
    c.equal("identities grow", order, sorted(set(order)))
    c.true("trimmed in whole nodes", 100 <= r.xlen("orders:events") <= 200, r.xlen("orders:events"))
    kept = r.xrange("orders:events")
    c.equal("the newest are kept", [identity for identity, _ in kept], identities[-len(kept):])
    last = kept[-1][1]
    c.equal("fields in their order", list(last), ["order_id", "event_type", "payload", "published_at"])
    c.equal("payload", json.loads(last["payload"]), {"total": 999})
    r.delete("orders:events")


def cluster_client(c, _r, _printed):
    """Twice in one cluster, the second time without one of its primaries."""
    program = importlib.import_module("cluster_client")
    cluster = program.rc
    living = [node for node in cluster.get_nodes() if cluster.ping(target_nodes=node)]
    c.true("all nodes are found that there are", {node.port for node in living} >= set(range(7002, 7007)), living)
    users = [{"id": f"u{i}", "name": f"user {i}"} for i in range(100)]
    program.batch_set_user_data(users)
    keys = [f"user:{user['id']}:profile" for user in users]
    c.equal("each profile", [cluster.get(key) for key in keys], [str(user) for user in users])
    c.true("for an hour", all(3500 < cluster.ttl(key) <= 3600 for key in keys))
    c.equal("at three primaries", len({cluster.get_node_from_key(key).name for key in keys}), 3)
    for number in range(50):
        cluster.mset({f"{{user:{number}}}:session": f"s{number}", f"{{user:{number}}}:cart": number})
        cluster.set(f"{{user:{number}}}:prefs", "dark")
    c.equal("sessions", [program.get_user_session(str(number)) for number in range(50)],
            [{"session": f"s{number}", "cart_items": number, "preferences": "dark"} for number in range(50)])
    c.equal("a stranger's", program.get_user_session("none"), {"session": None, "cart_items": 0, "preferences": None})
    c.raises("without the tag", RedisClusterException, "slot", cluster.mget, ["user:1:session", "user:1:cart", "user:1:prefs"])


def _together(jobs):
    threads = [threading.Thread(target=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)


DRIVES = (cache_aside, write_through, write_behind, ttl_patterns, pubsub_example, streams_producer, cluster_client)


def main(name):
    printed = io.StringIO()
    r = redis.Redis(host="redis", port=6379, decode_responses=True)
    drive = next(drive for drive in DRIVES if drive.__name__ == name)
    with contextlib.redirect_stdout(printed):
        drive(PrintedChecks(False), r, printed.getvalue)
    print("end", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
