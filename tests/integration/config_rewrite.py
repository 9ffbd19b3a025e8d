#!/usr/bin/python3
"""CONFIG REWRITE: the file it leaves starts a server with the same configuration, and still is its owner's file."""

import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from checks import run_parts  # noqa: E402
from server_process import Server  # noqa: E402

CONFIG = """# the owner's comment
maxmemory 100mb

# about saving
save 900 1
client-output-buffer-limit pubsub 32mb 8mb 60
"""
OURS = {"port", "bind", "dir", "unixsocket", "enable-debug-command", "threads", "io-threads"}  # set by the test itself


def settings(server):
    with server.client() as client:
        flat = client.call("CONFIG", "GET", "*")
    return {name.decode(): value.decode() for name, value in zip(flat[::2], flat[1::2]) if name.decode() not in OURS}


def round_trip(checks):
    changes = {"maxmemory": "209715200", "maxmemory-policy": "allkeys-lru", "save": "100 10 60 1000", "timeout": "7",
               "notify-keyspace-events": "KEA", "requirepass": "", "latency-tracking-info-percentiles": "50 99.9",
               "slowlog-log-slower-than": "-1", "client-output-buffer-limit": "normal 1048576 524288 30",
               "proc-title-template": "{title} \"quoted\" {listen-addr}", "hz": "50"}
    with Server(config=CONFIG) as server:
        before = settings(server)
        checks.equal("the file was read", before["maxmemory"], str(100 << 20))
        with server.client() as client:
            words = [word for pair in changes.items() for word in pair]
            checks.equal("CONFIG SET", client.call("CONFIG", "SET", *words), b"OK")
            changed = settings(server)
            checks.equal("CONFIG REWRITE", client.call("CONFIG", "REWRITE"), b"OK")
            once = pathlib.Path(server.config_path).read_text()
            checks.equal("CONFIG REWRITE again", client.call("CONFIG", "REWRITE"), b"OK")
            checks.equal("changes nothing more", pathlib.Path(server.config_path).read_text(), once)
    checks.true("CONFIG GET shows the changes", changed != before)
    for line in ("# the owner's comment", "# about saving", "maxmemory 200mb"):
        checks.contains("rewritten file", once, line)
    kept = [line for line in once.splitlines() if line.split(" ")[0] not in OURS]
    with Server(config="\n".join(kept)) as server:
        again = settings(server)
    different = {name: (changed.get(name), again.get(name)) for name in changed.keys() | again.keys()
                 if changed.get(name) != again.get(name)}
    checks.equal("the restarted server has the same settings", different, {})


def without_a_file(checks):
    with Server() as server, server.client() as client:
        checks.equal("refused", client.call("CONFIG", "REWRITE"), b"ERR The server is running without a config file")


def one_bad_value_changes_nothing(checks):
    with Server() as server, server.client() as client:
        before = settings(server)
        reply = client.call("CONFIG", "SET", "maxmemory", "1gb", "timeout", "never")
        checks.contains("refused", reply.decode(), "CONFIG SET failed (possibly related to argument 'timeout')")
        checks.equal("nothing changed", settings(server), before)


if __name__ == "__main__":
    sys.exit(run_parts([round_trip, without_a_file, one_bad_value_changes_nothing]))
