#!/usr/bin/python3
"""A cluster whose bus, replication and MIGRATE are TLS, with users and passwords; a node with a certificate of somebody
else; and the bus under fire: packets of every kind, cut, oversized, wrong, and from strangers.

`SEED=n` repeats a run.
"""

import contextlib
import os
import random
import socket
import struct
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))

from checks import run_parts  # noqa: E402
from cluster_nodes import Node, cli, nodes_seen, owners_seen, settle, slot_of  # noqa: E402
from replicating import OURS, SEED, THEIRS  # noqa: E402
from server_process import HOST, wait_until  # noqa: E402
from tls_peers import Files, TlsPort  # noqa: E402

PASSWORD = "a-password"
RULES = ["--requirepass", PASSWORD, "--masterauth", PASSWORD]
HEADER_BYTES = 2256
SLOTS_MOVED = 40


class SecretNode(TlsPort, Node):
    """Nothing but TLS goes between nodes."""

    def __init__(self, files, make):
        super().__init__(files, make, password=PASSWORD, own_options=["--tls-cluster", "yes", "--tls-replication", "yes", *RULES])


def secret(checks):
    with Files() as files, contextlib.ExitStack() as stack:
        nodes = [stack.enter_context(SecretNode(files, make)) for make in (OURS, THEIRS, OURS, THEIRS, OURS, THEIRS)]
        tls = ["--tls", "--cacert", files.path("ca.crt"), "--cert", files.path("client.crt"), "--key", files.path("client.key"),
               "-a", PASSWORD, "--no-auth-warning"]
        places = [f"{HOST}:{node.tls_port}" for node in nodes]
        code, said = cli(*tls, "--cluster", "create", *places, "--cluster-replicas", 1, "--cluster-yes")
        checks.true("redis-cli --cluster create", code == 0, said)
        settle(checks, "all over TLS", nodes)
        checks.true("all replicas are linked", wait_until(lambda: all(
            node.figures()["role"] == "master" or node.figures()["master_link_status"] == "up" for node in nodes)))
        first, second = nodes[:2]
        name = next(f"k{index}" for index in range(100_000) if slot_of(f"k{index}") < SLOTS_MOVED)  # the lowest ones move
        first.ask("SET", name, "v")
        for source, target in ((first, second), (second, first)):
            code, said = cli(*tls, "--cluster", "reshard", places[0], "--cluster-from", source.id, "--cluster-to", target.id,
                             "--cluster-slots", SLOTS_MOVED, "--cluster-yes")
            checks.true(f"slots go from {source.make} to {target.make}", code == 0, said[-1000:])
            settle(checks, "moved", nodes)
        checks.equal("the key is back", [first.ask("GET", name)], [b"v"])
        with first.client() as plain:
            checks.equal("who came without TLS is sent to the plain port",
                         plain.call("GET", key_of(first, second)).split()[-1], f"{HOST}:{second.port}".encode())
        with first.tls() as client:
            client.call("AUTH", PASSWORD)
            checks.equal("who came with TLS to the other one", client.call("GET", key_of(first, second)).split()[-1],
                         f"{HOST}:{second.tls_port}".encode())
        stranger(checks, files, first, stack)


def key_of(asked, owner):
    owners = owners_seen(asked)
    return next(f"k{index}" for index in range(10_000) if owners[slot_of(f"k{index}")] == owner.id)


class OthersFiles:
    """The certificate of somebody whom nobody here trusts."""

    def __init__(self, files):
        self.options = lambda: files.options("stranger")


def stranger(checks, files, node, stack):
    other = stack.enter_context(SecretNode(OthersFiles(files), OURS))
    before = set(nodes_seen(node))
    other.ask("CLUSTER", "MEET", HOST, node.tls_port, node.bus_port)
    threading.Event().wait(3)  # it tries several times
    checks.true("nothing comes of it", all({"myself", "handshake"} & set(facts["flags"])
                                           for facts in nodes_seen(other).values()), nodes_seen(other))
    checks.equal("nobody has joined", set(nodes_seen(node)), before)


# ---- under fire ------------------------------------------------------------------------------------------------------


def recorded(node):
    """A packet that a node sends, whole: its first PING to somebody it is asked to meet."""
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]
        node.ask("CLUSTER", "MEET", HOST, port, port)
        listener.settimeout(20)
        link, _ = listener.accept()
        with link:
            link.settimeout(20)
            data = b""
            while len(data) < 8 or len(data) < struct.unpack(">I", data[4:8])[0]:
                data += link.recv(65536)
            return data[:struct.unpack(">I", data[4:8])[0]]


def spoiled(packet, chance):
    """Something that is almost a packet."""
    data = bytearray(packet)
    kind = chance.randrange(7)
    if kind == 0:
        return bytes(data[:chance.randrange(1, len(data))])
    if kind == 1:
        struct.pack_into(">I", data, 4, chance.choice([0, 7, 8, HEADER_BYTES - 1, len(data) + 1, 1 << 20, 0xffffffff]))
    elif kind == 2:
        struct.pack_into(">H", data, 12, chance.randrange(16))     # another type
    elif kind == 3:
        struct.pack_into(">H", data, 14, chance.choice([1, 2, 1000, 65535]))   # entries of gossip
    elif kind == 4:
        struct.pack_into(">H", data, 8, chance.randrange(65536))   # another version
    elif kind == 5:
        for _ in range(chance.randrange(1, 200)):
            data[chance.randrange(len(data))] = chance.randrange(256)
    else:
        data += chance.randbytes(chance.randrange(1, 5000))
    return bytes(data)


def fire(checks):
    """Whatever comes, the nodes live, nobody joins, and they go on serving."""
    chance = random.Random(SEED)
    with contextlib.ExitStack() as stack:
        nodes = [stack.enter_context(Node(OURS)) for _ in range(3)]
        code, said = cli("--cluster", "create", *(f"{HOST}:{node.port}" for node in nodes), "--cluster-yes")
        checks.true("create", code == 0, said)
        settle(checks, "before", nodes)
        alone = stack.enter_context(Node(OURS))
        packet = recorded(alone)
        checks.true("a packet", packet[:4] == b"RCmb" and len(packet) >= HEADER_BYTES, packet[:16])
        members = set(nodes_seen(nodes[0]))
        for _ in range(400):
            with contextlib.suppress(OSError), socket.create_connection((HOST, nodes[0].bus_port), 10) as link:
                # A PING of nobody, and not a MEET: whoever sends that is let in.
                as_ping = bytearray(packet)
                struct.pack_into(">H", as_ping, 12, 0)
                data = spoiled(bytes(as_ping), chance)
                if len(data) >= 14 and struct.unpack(">H", data[12:14])[0] == 2:
                    continue
                link.sendall(data)
                if chance.randrange(4) == 0:
                    link.shutdown(socket.SHUT_WR)
                    link.settimeout(2)
                    with contextlib.suppress(OSError):
                        link.recv(65536)
        checks.true("the node lives", nodes[0].alive())
        checks.equal("nobody has joined", set(nodes_seen(nodes[0])), members)
        settle(checks, "after", nodes)
        idle = [socket.create_connection((HOST, nodes[0].bus_port), 10) for _ in range(200)]
        threading.Event().wait(0.2)
        checks.true("links that say nothing are closed in the end", wait_until(lambda: all(map(closed, idle)), 30))
        for link in idle:
            link.close()
        settle(checks, "in the end", nodes)


def closed(link):
    link.setblocking(False)
    try:
        return link.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


if __name__ == "__main__":
    print(f"SEED={SEED}")
    run_parts([secret, fire])
