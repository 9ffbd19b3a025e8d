"""python3-redis and ioredis in Sentinel mode: they ask three sentinels where the primary and its replicas are, write and read,
and go on by themselves when the primary is killed. Once without passwords, once with them on servers and sentinels.

Each numbered write is followed by WAIT 1. What it confirms must be there after the failover: nothing but the death of the
primary happens, and the replica that is promoted is the one that has more.
"""

import collections
import contextlib
import json
import threading

from redis.exceptions import AuthenticationError, RedisError, ReadOnlyError
from redis.sentinel import MasterNotFoundError, Sentinel

from harness import HOST, Lines, record_line
from node_session import HERE, node_environment
from replicating import OURS, Host
from sentinels import NAME, Watch, lines_about
from server_process import wait_until

DOWN_AFTER = 1000   # milliseconds
ENOUGH = 20         # writes that the new primary has confirmed
# What a client may be told while the primary is gone: that the connection is closed, that nobody answers, that no sentinel
# knows of a living one.
WHILE_IT_IS_GONE = {"ConnectionError", "TimeoutError", "MasterNotFoundError"}


class Watched:
    """A primary, two replicas, and three sentinels that agree about them."""

    def __init__(self, options, password):
        self.options, self.password = options, password
        self.opened = contextlib.ExitStack()

    def __enter__(self):
        secret = ["--requirepass", self.password, "--masterauth", self.password] if self.password else []
        about = f'sentinel auth-pass {NAME} "{self.password}"\n' if self.password else ""
        own = f'requirepass "{self.password}"\nsentinel sentinel-pass "{self.password}"\n' if self.password else ""
        with contextlib.ExitStack() as opened:
            self.servers = []
            for _ in range(3):
                follows = ["--replicaof", f"{HOST} {self.servers[0].port}"] if self.servers else []
                server = Host(OURS, [*self.options, *secret, *follows], compat=None, password=self.password)
                self.servers.append(opened.enter_context(server))
            self.sentinels = [opened.enter_context(Watch(OURS, lines_about(self.servers[0].port, 2, DOWN_AFTER, more=about), own,
                                                         compat=None)) for _ in range(3)]
            if not wait_until(self._settled):
                raise RuntimeError("the sentinels do not come to know everybody")
            self.opened = opened.pop_all()
        return self

    def __exit__(self, *_):
        self.opened.close()

    @property
    def primary(self):
        return self.servers[0]

    @property
    def ports(self):
        return [sentinel.port for sentinel in self.sentinels]

    def client(self):
        """Of python3-redis, as an application makes it."""
        more = {"password": self.password, "socket_timeout": 1}
        return Sentinel([(HOST, port) for port in self.ports], sentinel_kwargs=more, decode_responses=True, **more)

    def _settled(self):
        """Every sentinel knows both replicas and both other sentinels, and the replicas are linked."""
        for sentinel in self.client().sentinels:
            about = sentinel.sentinel_master(NAME)
            replicas = sentinel.sentinel_slaves(NAME)
            if (about["num-other-sentinels"], about["flags"], len(replicas)) != (2, "master", 2) or \
                    any(one["flags"] != "slave" or one["master-link-status"] != "ok" for one in replicas):
                return False
        return True


def sentinel_session(checks, server, locked):
    for title, password in (("without passwords", None), ("with passwords", locked.password)):
        with checks.part(title), Watched(server.options, password) as watched:
            python = PythonClient(watched)
            with checks.part("python"):
                python.before(checks)
            facts = {"ports": watched.ports, "name": NAME, "password": password, "primary": watched.primary.port}
            command = ["setpriv", "--pdeathsig", "KILL", "node", f"{HERE}/node/ioredis_sentinel.js", json.dumps(facts)]
            with Lines(command, node_environment()) as ioredis, python:
                seen = ioredis.until("ready")
                checks.true("both write", seen[-1:] == ["ready"] and python.confirms(watched.primary.port), seen[-10:])
                watched.primary.kill()
                seen += ioredis.until("end")
                with checks.part("python"):
                    python.after(checks)
            for line in seen:
                record_line(checks, line)
            checks.equal("the session of ioredis came to its end", seen[-1:], ["end"])
            if checks.verbose:
                print("\n".join([f"  python saw {dict(python.saw)}", *(line for line in seen if "saw" in line)]), flush=True)


class PythonClient:
    """Writes in a thread, from the first to the last line of its `with` block."""

    def __init__(self, watched):
        self.watched = watched
        self.sentinel = watched.client()
        self.primary, self.replica = self.sentinel.master_for(NAME), self.sentinel.slave_for(NAME)
        self.confirmed = collections.defaultdict(list)  # port: numbers
        self.saw = collections.Counter()
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._write, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join(30)

    def before(self, c):
        primary, *replicas = (server.port for server in self.watched.servers)
        c.equal("discover_master", self.sentinel.discover_master(NAME), (HOST, primary))
        c.equal("discover_slaves", sorted(self.sentinel.discover_slaves(NAME)), sorted((HOST, port) for port in replicas))
        c.raises("another name", MasterNotFoundError, "No master found for 'other'", self.sentinel.discover_master, "other")
        c.equal("a write, and both replicas have it", [self.primary.set("greeting", "hello"), self.primary.wait(2, 10000)], [True, 2])
        c.equal("a replica is read", [self.replica.get("greeting"), self.replica.role()[0]], ["hello", "slave"])
        c.raises("and takes no writes", ReadOnlyError, "You can't write against a read only replica", self.replica.set, "greeting", "x")
        if self.watched.password:
            addresses = [(HOST, port) for port in self.watched.ports]
            stranger = Sentinel(addresses, socket_timeout=1)
            c.raises("sentinels want their password", MasterNotFoundError, NAME, stranger.discover_master, NAME)
            guest = Sentinel(addresses, sentinel_kwargs={"password": self.watched.password})
            c.raises("and servers theirs", AuthenticationError, "", guest.master_for(NAME).get, "greeting")

    def _write(self):
        number = 0
        while not self.stopping.wait(0.001):
            number += 1
            try:
                steps = self.primary.pipeline(transaction=False).sadd("python", number).wait(1, 1000).config_get("port")
                _, copies, where = steps.execute()
                if copies >= 1:
                    self.confirmed[int(where["port"])].append(number)
            except RedisError as error:
                self.saw[type(error).__name__] += 1

    def confirms(self, port):
        return wait_until(lambda: len(self.confirmed.get(port, [])) >= ENOUGH)

    def after(self, c):
        old, *others = (server.port for server in self.watched.servers)
        c.true("it goes on with another primary", wait_until(lambda: any(len(self.confirmed.get(port, [])) >= ENOUGH for port in others)),
               (dict(self.saw), {port: len(numbers) for port, numbers in self.confirmed.items()}))
        self.stopping.set()
        self.thread.join(30)
        new = self.sentinel.discover_master(NAME)[1]
        c.true("which the sentinels name", new in others and self.confirmed[new], (new, others))
        c.true("it saw what has to be expected", self.saw and set(self.saw) <= WHILE_IT_IS_GONE, dict(self.saw))
        kept = {int(one) for one in self.primary.smembers("python")}
        c.equal("confirmed and gone", [one for port in (old, new) for one in self.confirmed[port] if one not in kept], [])
        left = [(HOST, port) for port in others if port != new]
        c.true("discover_slaves, once the old one is known to be down", wait_until(lambda: self.sentinel.discover_slaves(NAME) == left))
        self.primary.set("greeting", "hello again")
        c.equal("the other replica has it", self.primary.wait(1, 10000), 1)
        c.true("a replica is read", wait_until(lambda: self.sentinel.slave_for(NAME).get("greeting") == "hello again", 10))
