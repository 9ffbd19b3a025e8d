"""What an application does with RedisCluster of python3-redis: once, with answers that are known, and again and again while the
cluster changes.

This version has neither transactions nor sharded Pub/Sub of its own in a cluster: a transaction goes to the node that has the
slot, as its documentation says.
"""

import collections
import logging
import threading
import time

from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import (
    AskError, ClusterCrossSlotError, MovedError, NoScriptError, ReadOnlyError, RedisClusterException, RedisError)

from harness import HOST
from server_process import wait_until

PAIR = "redis.call('SADD', KEYS[1], ARGV[1]) redis.call('HSET', KEYS[2], ARGV[1], ARGV[1]) return ARGV[1]"
# It logs each redirection with its traceback.
logging.getLogger("redis.cluster").setLevel(logging.CRITICAL)
# Its destructor looks for what a copy that did not come about has not.
ClusterNode.redis_connection = None
PAUSE_SECONDS = 0.001  # behind each piece of work: others want the machine, too


def connect(ports, **more):
    return RedisCluster(startup_nodes=[ClusterNode(HOST, port) for port in ports], decode_responses=True, socket_timeout=5, **more)


class PythonCluster:
    """Writes in a thread, from the first to the last line of its `with` block."""

    name = "python"

    def __init__(self, ports, tags):
        self.ports, self.tags = ports, tags
        self.cluster = connect(ports)
        self.noted = collections.defaultdict(list)
        self.missed = []                       # (key, milliseconds) where a reader did not find what had just been written
        self.saw = collections.Counter()
        self.sent = 0
        self.lacking = set()                   # (work, tag) that have not succeeded since `lap` began
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.works = (self._set, self._pipeline, self._transaction, self._script, self._queue)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.stopping.set()
        self.thread.join(60)

    def lap(self):
        """Waits until everything has worked once more with each tag."""
        self.lacking = {(work, tag) for work in self.works for tag in self.tags}
        return wait_until(lambda: not self.lacking)

    # ---- again and again ----

    def _run(self):
        while not self.stopping.is_set():
            for index, tag in enumerate(self.tags):
                for work in self.works:
                    self.sent += 1
                    try:
                        keys = work(tag, self.tags[index - 1], self.sent)
                    except (RedisError, RedisClusterException, OSError) as error:
                        self.saw[type(error).__name__] += 1
                        continue
                    now = time.time() * 1000
                    for key in keys:
                        self.noted[key].append((self.sent, now))
                    self.lacking.discard((work, tag))
                    if self.stopping.wait(PAUSE_SECONDS):
                        return

    def _set(self, tag, _, number):
        key = f"{{{tag}}}:python:plain:set"
        self.cluster.sadd(key, number)
        if not self.cluster.sismember(key, number):
            self.missed.append((key, time.time() * 1000))
        return [key]

    def _pipeline(self, tag, other, number):
        """Of two slots: the client sorts it by nodes."""
        keys = [f"{{{tag}}}:python:pipeline:hash", f"{{{other}}}:python:pipelined:hash"]
        pipeline = self.cluster.pipeline()
        for key in keys:
            pipeline.hset(key, number, number)
        pipeline.execute()
        return keys

    def _transaction(self, tag, _, number):
        keys = [f"{{{tag}}}:python:transaction:set", f"{{{tag}}}:python:transaction:hash"]
        try:
            with self.at(keys[0]).pipeline(transaction=True) as steps:
                steps.sadd(keys[0], number).hset(keys[1], number, number).execute()
        except (RedisError, OSError) as error:
            if not isinstance(error, AskError) or isinstance(error, MovedError):
                self.cluster.nodes_manager.initialize()  # Nobody follows redirections here.
            raise
        return keys

    def _script(self, tag, _, number):
        keys = [f"{{{tag}}}:python:script:set", f"{{{tag}}}:python:script:hash"]
        self.run_script(keys, number)
        return keys

    def run_script(self, keys, number):
        """By its digest; a node that has not heard of it is told it."""
        try:
            return self.cluster.evalsha(self.digest, 2, *keys, number)
        except NoScriptError:
            return self.cluster.eval(PAIR, 2, *keys, number)

    def _queue(self, tag, _, number):
        key = f"{{{tag}}}:python:queue:{number}"
        self.cluster.rpush(key, number)
        if self.cluster.blpop(key, 1) is None:
            self.missed.append((key, time.time() * 1000))
        return []

    def at(self, key):
        """The client of the node that has it."""
        return self.cluster.get_redis_connection(self.cluster.get_node_from_key(key))

    # ---- once ----

    def before(self, c):
        r = self.cluster
        self.digest = r.script_load(PAIR)
        c.equal("primaries and replicas", [len(r.get_primaries()), len(r.get_replicas())], [3, 3])
        c.equal("CLUSTER INFO", [r.cluster_info(target_nodes=RedisCluster.RANDOM)[name] for name in ("cluster_state", "cluster_size")],
                ["ok", "3"])
        c.equal("every key at its place", [r.set(f"number:{i}", i) for i in range(300)], [True] * 300)
        c.equal("and back", [r.get(f"number:{i}") for i in range(300)], [str(i) for i in range(300)])
        c.equal("DBSIZE of all", r.dbsize(target_nodes=RedisCluster.PRIMARIES), 400)
        c.equal("SCAN of all", sorted(r.scan_iter(match="number:*", count=20)), sorted(f"number:{i}" for i in range(300)))
        c.equal("HSET, HGETALL", [r.hset("profile:1", mapping={"name": "Ada", "age": 36}), r.hgetall("profile:1")],
                [2, {"name": "Ada", "age": "36"}])
        self._several_keys(c, r)
        self._steps(c, r)
        self._waiting(c, r)
        self._messages(c, r)
        replicas = connect(self.ports, read_from_replicas=True)
        c.true("replicas are read", wait_until(lambda: [replicas.get("number:7") for _ in range(4)] == ["7"] * 4, 10))
        c.equal("SLOT of a key", [r.cluster_keyslot("{user:1}:cart"), r.keyslot("{user:1}:cart")], [r.keyslot("user:1")] * 2)

    def _several_keys(self, c, r):
        c.equal("MSET with a tag", r.mset({"{user:1}:name": "Ada", "{user:1}:age": "36"}), True)
        c.equal("MGET with a tag", r.mget("{user:1}:name", "{user:1}:age", "{user:1}:none"), ["Ada", "36", None])
        c.equal("MGET of many slots in parts", r.mget_nonatomic([f"number:{i}" for i in range(50)]), [str(i) for i in range(50)])
        c.raises("MGET of two slots", RedisClusterException, "slot", r.mget, "number:1", "number:2")
        c.raises("refused by the server, too", ClusterCrossSlotError, "", self.at("number:1").mget, "number:1", "number:2")
        c.raises("another node's key", MovedError, f"{r.keyslot('number:1')} ", self.other_than("number:1").get, "number:1")
        c.equal("DEL of many slots", r.delete(*[f"number:{i}" for i in range(100, 200)]), 100)
        c.equal("EXISTS of many slots", r.exists(*[f"number:{i}" for i in range(90, 110)]), 10)

    def other_than(self, key):
        node = self.cluster.get_node_from_key(key)
        return self.cluster.get_redis_connection(next(one for one in self.cluster.get_primaries() if one != node))

    def _steps(self, c, r):
        pipeline = r.pipeline()
        for i in range(200, 250):
            pipeline.get(f"number:{i}")
        c.equal("a pipeline to all nodes", pipeline.execute(), [str(i) for i in range(200, 250)])
        with self.at("{user:1}").pipeline(transaction=True) as steps:
            steps.watch("{user:1}:visits")
            steps.multi()
            c.equal("WATCH and a transaction", steps.incr("{user:1}:visits").rpush("{user:1}:log", "in").execute(), [1, 1])
        keys = ["{user:1}:set", "{user:1}:hash"]
        c.equal("EVALSHA", [self.run_script(keys, 5), r.smembers(keys[0]), r.hgetall(keys[1])], ["5", {"5"}, {"5": "5"}])
        c.raises("a script with keys of two slots", RedisClusterException, "slot", r.evalsha, self.digest, 2, "number:1", "number:2", 1)
        c.equal("SCRIPT EXISTS at all primaries", r.script_exists(self.digest), [True])
        with r.lock("lock:order", timeout=5, blocking_timeout=1, thread_local=False) as lock:
            c.equal("a lock", [lock.owned(), r.lock("lock:order", timeout=5, blocking=False).acquire()], [True, False])

    def _waiting(self, c, r):
        popped = []
        waiter = threading.Thread(target=lambda: popped.append(connect(self.ports).blpop("{jobs}:new", 20)), daemon=True)
        waiter.start()
        node = r.get_node_from_key("{jobs}:new")
        c.true("BLPOP waits", wait_until(lambda: r.info("clients", target_nodes=node)["blocked_clients"] == 1, 20))
        r.rpush("{jobs}:new", "a")
        waiter.join(20)
        c.equal("and is answered", popped, [("{jobs}:new", "a")])

    def _messages(self, c, r):
        listener = connect(self.ports).pubsub()
        listener.subscribe("news")
        c.equal("SUBSCRIBE", listener.get_message(timeout=5)["type"], "subscribe")
        for node in r.get_nodes():
            r.get_redis_connection(node).publish("news", f"from {node.port}")
        heard = [(listener.get_message(timeout=5) or {}).get("data") for _ in r.get_nodes()]
        c.equal("what is published anywhere is heard", sorted(map(str, heard)), sorted(f"from {node.port}" for node in r.get_nodes()))

    def after(self, c):
        fresh = connect(self.ports)
        for title, r in (("the old client", self.cluster), ("a new one", fresh)):
            r.nodes_manager.initialize()
            # By itself it asks those that were primaries when it first met them.
            owners = list({nodes[0].name: nodes[0] for nodes in r.nodes_manager.slots_cache.values()}.values())
            found = set(r.scan_iter(match="*:python:*:set", count=100, target_nodes=owners))
            c.equal(f"{title}: not found by SCAN", sorted(key for key in self.noted if key.endswith(":set") and key not in found), [])
            c.equal(f"{title}: every key", [r.get(f"number:{i}") for i in range(100)], [str(i) for i in range(100)])
            steps = r.pipeline().get("number:1").get("number:2").get("number:3")
            c.equal(f"{title}: a pipeline to all nodes", steps.execute(), ["1", "2", "3"])
        replicas = connect(self.ports, read_from_replicas=True)
        self.cluster.set("number:7", "new")
        c.true("replicas are read", wait_until(lambda: [replicas.get("number:7") for _ in range(4)] == ["new"] * 4, 10))


# While a primary is gone or a slot on its way, a client may be told as much, and nothing else.
EXPECTED = {"ConnectionError", "TimeoutError", "ClusterDownError", "ClusterError", "SlotNotCoveredError", "TryAgainError",
            "RedisClusterException", MovedError.__name__, AskError.__name__, ReadOnlyError.__name__, "ExecAbortError",
            "BusyLoadingError", "MasterDownError", "ConnectionRefusedError"}
