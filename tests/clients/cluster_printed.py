"""The cluster that an article prints: its three config files and three more like them, its ports, its command, its program. They
have a network of their own, so that the ports meet nobody.
"""

import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile

from applications import HERE, PRINTED
from checks import Skipped
from cluster_nodes import nodes_seen
from harness import HOST, REDIS_CLI, record_lines, run
from network_of_hosts import Namespace
from replicating import figures
from resp_client import Client, Disconnected
from server_process import end, wait_until

TEXTS = pathlib.Path(HERE).parent / "integration" / "seed_texts"
PORTS = range(7001, 7007)
CREATE = [REDIS_CLI, "--cluster", "create", *(f"127.0.0.1:{port}" for port in PORTS), "--cluster-replicas", "1"]


def text_for(port):
    """As printed, where something is printed."""
    if port <= 7003:
        return (TEXTS / f"cluster_primary_{port - 7000}.conf").read_text()
    return (TEXTS / "cluster_primary_2.conf").read_text().replace("7002", str(port))


class PrintedNode:
    """On a loopback device that is not that of the machine, in a folder of its own."""

    def __init__(self, place, path, options, port, folder):
        self.place, self.port = place, port
        self.folder = pathlib.Path(folder, f"node-{port}")
        self.folder.mkdir()
        (self.folder / "redis.conf").write_text(text_for(port))
        self.command = ["setpriv", "--pdeathsig", "KILL", path, "redis.conf", *options]

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        end(self.process)

    def start(self):
        with self.place.inside(), open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(self.command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=subprocess.STDOUT)
        if not wait_until(lambda: self.says("PING") == b"PONG"):
            raise RuntimeError(f"the node on port {self.port} does not answer: {(self.folder / 'log').read_text()[-2000:]}")

    def ask(self, *words):
        with self.place.inside(), Client((HOST, self.port), timeout=20) as client:
            return client.call(*words)

    def says(self, *words):
        """None: it does not answer."""
        with contextlib.suppress(OSError, Disconnected):
            return self.ask(*words)
        return None

    def kill(self):
        self.process.kill()
        self.process.wait()

    def healthy(self):
        return figures(self.says("CLUSTER", "INFO") or b"").get("cluster_state") == "ok"


def drive(checks, place):
    path = os.pathsep.join([f"{HERE}/stand_ins", PRINTED, HERE, f"{HERE}/../lib"])
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "REDIS_PRIMARIES_AT": HOST}
    with place.inside():
        record_lines(checks, [sys.executable, f"{HERE}/application_drives.py", "cluster_client"], environment)


def printed_cluster(checks, server):
    try:
        with Namespace() as place, tempfile.TemporaryDirectory(prefix="cinnabar-clients-") as folder, \
                contextlib.ExitStack() as opened:
            _play(checks, place, [opened.enter_context(PrintedNode(place, server.path, server.options, port, folder)) for port in PORTS])
    except Skipped as error:
        print(f"  left out {checks.section}: {error}", flush=True)


def _play(checks, place, nodes):
    with place.inside():
        code, out, errors = run(CREATE, stdin="yes\n", timeout=120)
    checks.true("redis-cli --cluster create", code == 0 and "All 16384 slots covered" in out, out + errors)
    checks.true("all is well", wait_until(lambda: all(node.healthy() for node in nodes)), nodes[0].ask("CLUSTER", "INFO"))

    def linked():
        roles = [node.says("ROLE") for node in nodes]
        return [role and role[3] for role in roles[3:]] == [b"connected"] * 3
    checks.true("the last three follow", wait_until(linked), nodes[0].ask("CLUSTER", "NODES"))
    # A replica is named to clients once it has read something.
    named = wait_until(lambda: all(len(row) == 4 for node in nodes for row in node.ask("CLUSTER", "SLOTS")))
    checks.true("clients are told of them", named, nodes[0].ask("CLUSTER", "SLOTS"))
    with checks.part("at first"):
        drive(checks, place)
    first, *others = nodes
    name = first.ask("CLUSTER", "MYID").decode()
    replica = next(node for node in others if nodes_seen(node)[node.ask("CLUSTER", "MYID").decode()]["primary"] == name)
    first.kill()
    checks.true("a replica takes over", wait_until(lambda: replica.ask("ROLE")[0] == b"master"), replica.ask("CLUSTER", "NODES"))
    checks.true("all others are well", wait_until(lambda: all(node.healthy() for node in others)))
    with checks.part("without redis-primary-1"):
        drive(checks, place)
    first.start()
    checks.true("it comes back as a replica", wait_until(lambda: first.ask("ROLE")[0] == b"slave"), first.ask("CLUSTER", "NODES"))
    checks.true("under its name, with its file", first.ask("CLUSTER", "MYID").decode() == name
                and (first.folder / "nodes-7001.conf").exists(), name)
    with checks.part("afterwards"):
        drive(checks, place)
