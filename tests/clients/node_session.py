"""Runs the Node.js sessions (node/*.js) and counts the checks that they print, one line each."""

import json
import os
import shutil

from harness import record_lines, run

HERE = os.path.dirname(os.path.abspath(__file__))
HOME = os.path.join(os.path.dirname(os.path.dirname(HERE)), "build", "clients_npm")

PROGRAMS = {"ioredis": ("ioredis_session.js", "ioredis_collections.js", "ioredis_applications.js"),
            "redis": ("redis_session.js", "redis_collections.js")}


def ioredis_session(checks, server, locked):
    _session(checks, server, locked, "ioredis")


def redis_session(checks, server, locked):
    _session(checks, server, locked, "redis")


def _session(checks, server, locked, client):
    _install()
    for protocol in (2, 3):
        for transport in ("tcp", "unix"):
            with checks.part(f"RESP{protocol} {transport}"):
                facts = {"protocol": protocol, "transport": transport, "port": server.port, "path": server.socket,
                         "lockedPort": locked.port, "lockedPath": locked.socket, "password": locked.password, "ours": server.ours}
                environment = {**os.environ, "NODE_PATH": f"{HOME}/node_modules", "NODE_NO_WARNINGS": "1"}
                for program in PROGRAMS[client]:
                    record_lines(checks, ["node", f"{HERE}/node/{program}", json.dumps(facts)], environment)


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
