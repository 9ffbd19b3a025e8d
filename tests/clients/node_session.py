"""Runs the Node.js sessions (node/*.js) and counts the checks that they print, one line each."""

import json
import os
import shutil

from harness import HOST, record_lines, run

HERE = os.path.dirname(os.path.abspath(__file__))
HOME = os.path.join(os.path.dirname(os.path.dirname(HERE)), "build", "clients_npm")

PROGRAMS = {"ioredis": ("ioredis_session.js", "ioredis_collections.js", "ioredis_applications.js"),
            "redis": ("redis_session.js", "redis_collections.js"),
            "libraries": ("queues_session.js", "shared_state_session.js", "printed_session.js")}

WAYS = tuple((protocol, transport) for protocol in (2, 3) for transport in ("tcp", "unix"))


def ioredis_session(checks, server, locked):
    _session(checks, server, locked, "ioredis")


def redis_session(checks, server, locked):
    _session(checks, server, locked, "redis")


def libraries_session(checks, server, locked):
    _session(checks, server, locked, "libraries", ((2, "tcp"), (3, "unix")))


def tls_node_sessions(checks, server):
    """ioredis and node-redis over TLS, in both versions of it. A program in the middle of its session ends with us."""
    facts = {"port": server.port, "password": server.password, "tlsPort": server.tls_port, "folder": server.files.folder,
             "user": server.user, "userPassword": server.user_password}
    environment = node_environment()
    for client in ("ioredis", "redis"):
        for protocol, version in ((2, "TLSv1.2"), (3, "TLSv1.3")):
            with checks.part(f"{client} RESP{protocol} {version}"):
                server.control.flushall()
                arguments = json.dumps({**facts, "protocol": protocol, "version": version})
                program = f"{HERE}/node/{client}_tls.js"
                record_lines(checks, ["setpriv", "--pdeathsig", "KILL", "node", program, arguments], environment)


def _session(checks, server, locked, client, ways=WAYS):
    environment = {**node_environment(), "REDIS_AT": f"{HOST}:{server.port}"}
    for protocol, transport in ways:
        with checks.part(f"RESP{protocol} {transport}"):
            facts = {"protocol": protocol, "transport": transport, "port": server.port, "path": server.socket,
                     "lockedPort": locked.port, "lockedPath": locked.socket, "password": locked.password, "ours": server.ours}
            for program in PROGRAMS[client]:
                record_lines(checks, ["node", "-r", f"{HERE}/stand_ins/redis_host.js", f"{HERE}/node/{program}", json.dumps(facts)], environment)


def node_environment():
    """For programs that need the packages, which are installed now if they are not."""
    _install()
    return {**os.environ, "NODE_PATH": f"{HOME}/node_modules", "NODE_NO_WARNINGS": "1"}


def _install():
    """Installs the pinned versions unless they are there."""
    with open(f"{HERE}/package.json") as file:
        wanted = json.load(file)["dependencies"]
    if all(_installed(name) == version for name, version in wanted.items()):
        return
    os.makedirs(HOME, exist_ok=True)
    for name in ("package.json", ".npmrc"):
        shutil.copy(f"{HERE}/{name}", HOME)
    status, out, errors = run(["npm", "--prefix", HOME, "install", "--no-audit", "--no-fund", "--ignore-scripts"],
                              timeout=300)
    if status:
        raise RuntimeError(f"npm install failed: {(out + errors)[-500:]}")


def _installed(name):
    try:
        with open(f"{HOME}/node_modules/{name}/package.json") as file:
            return json.load(file)["version"]
    except OSError:
        return None
