"""Sentinels of either make, groups of servers that they watch, and what two of them need not agree on."""

import os
import pathlib
import re
import signal
import subprocess

from replicating import OURS, REFERENCE, THEIRS, Host
from resp_client import ErrorReply, Map
from server_process import HOST, SECONDS_MAX, Server, is_ours, program, wait_until

NAME = "mymaster"


class Watch(Server):
    """A sentinel. `watched`: lines about what it watches."""

    def __init__(self, make=OURS, watched="", config="", options=(), compat="7.0", **more):
        path = program() if make == OURS else REFERENCE
        options = ["--sentinel", *options]
        if is_ours(path) and compat:
            options = ["--compat-version", compat, *options]
        self.make = make
        super().__init__(path=path, options=options, config=config + watched, **more)

    def wait_ready(self):
        """It logs its id once it can be asked."""
        return wait_until(lambda: b"Sentinel ID is" in self.log or self.process.poll() is not None) \
            and self.process.poll() is None

    def ask(self, *words, resp=2):
        with self.client(resp) as client:
            return client.call(*words)

    def about(self, what, *words):
        """[{field: value}] of SENTINEL MASTERS, REPLICAS or SENTINELS."""
        reply = self.ask("SENTINEL", what, *words, resp=3)
        return [] if isinstance(reply, ErrorReply) else [texts(one) for one in reply]

    def primary(self, name=NAME):
        return next((one for one in self.about("MASTERS") if one["name"] == name), {})

    def address_of(self, name=NAME):
        """The port of the primary."""
        reply = self.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name)
        return int(reply[1]) if isinstance(reply, list) else None


def texts(pairs):
    return {name.decode(): value.decode() for name, value in pairs}


def lines_about(port, quorum=2, down_after=1000, name=NAME, more="", address=HOST):
    return (f"sentinel monitor {name} {address} {port} {quorum}\n"
            f"sentinel down-after-milliseconds {name} {down_after}\n"
            f"sentinel failover-timeout {name} 20000\n{more}")


class Group:
    """A stock primary with stock replicas, a stock sentinel, and one of `make` beside it, which is looked at."""

    def __init__(self, make, replicas=1, quorum=2, more="", config=""):
        self.make, self.count, self.quorum, self.more, self.config = make, replicas, quorum, more, config
        self.opened = []

    def open(self, server):
        self.opened.append(server)
        return server.__enter__()

    def __enter__(self):
        try:
            self.primary = self.open(Host(THEIRS))
            self.replicas = [self.open(Host(THEIRS, ["--replicaof", f"{HOST} {self.primary.port}"]))
                             for _ in range(self.count)]
            watched = lines_about(self.primary.port, self.quorum, more=self.more)
            self.other = self.open(Watch(THEIRS, watched))
            self.watch = self.open(Watch(self.make, watched, self.config))
            self.settle()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for server in reversed(self.opened):
            if server.process.poll() is None:
                server.process.send_signal(signal.SIGCONT)
            server.__exit__()

    def settle(self):
        """Until everybody is known, up, and asked."""
        def settled():
            primary = self.watch.primary()
            return (primary.get("flags") == "master" and primary["num-slaves"] == str(self.count)
                    and primary["num-other-sentinels"] == "1" and primary["runid"] != ""
                    and [one["flags"] for one in self.watch.about("SENTINELS", NAME)] == ["sentinel"]
                    and all(one["flags"] == "slave" and one["master-link-status"] == "ok"
                            for one in self.watch.about("REPLICAS", NAME)))
        # What a replica was asked while it was loading is asked again after ten seconds.
        if not wait_until(settled):
            raise RuntimeError(f"the group does not settle: {self.watch.about('MASTERS')} "
                               f"{self.watch.about('REPLICAS', NAME)} {self.watch.about('SENTINELS', NAME)}")

    def names(self):
        """What is another text in each group, and what it stands for."""
        nodes = {"primary": self.primary, "other": self.other, "watch": self.watch}
        nodes |= {f"replica{index}": one for index, one in enumerate(self.replicas)}
        known = [(str(one.port), f"<port of {name}>") for name, one in nodes.items()]
        known += [(run_id(one), f"<id of {name}>") for name, one in nodes.items() if one.process.poll() is None]
        return known


def run_id(server):
    if not hasattr(server, "known_id"):
        sentinel = isinstance(server, Watch)
        reply = server.ask("SENTINEL", "MYID") if sentinel else server.ask("INFO", "server")
        server.known_id = reply.decode() if sentinel else re.search(rb"run_id:(\w+)", reply)[1].decode()
    return server.known_id


# Fields of which two sentinels need not agree: how long ago something was, how many answers are awaited.
CHANGING = {b"link-pending-commands", b"last-ping-sent", b"last-ok-ping-reply", b"last-ping-reply", b"s-down-time",
            b"o-down-time", b"info-refresh", b"role-reported-time", b"last-hello-message", b"slave-repl-offset",
            b"master-link-down-time", b"pid", b"run-time", b"run-delay"}


def is_node(reply):
    return isinstance(reply, list) and bool(reply) and reply[0] in (b"name", (b"name", dict(pairs_of(reply)).get(b"name")))


def pairs_of(reply):
    return reply if isinstance(reply, Map) else zip(reply[::2], reply[1::2])


def same_for_both(reply, names):
    """A reply without what is another one in each group. Lists of nodes in the order of their names."""
    if isinstance(reply, Map):
        return Map((key, "<n>" if key in CHANGING else same_for_both(value, names)) for key, value in reply)
    if isinstance(reply, list):
        flat = reply and reply[0] in (b"name", b"argv")
        seen = [("<n>" if flat and index % 2 and reply[index - 1] in CHANGING else same_for_both(value, names))
                for index, value in enumerate(reply)]
        return type(reply)(sorted(seen, key=repr) if reply and all(map(is_node, reply)) else seen)
    if isinstance(reply, bytes):
        text = reply.decode("utf-8", "replace")
        for known, stands_for in names:
            text = re.sub(rf"(?<![0-9a-f]){re.escape(known)}(?![0-9a-f])", stands_for, text)
        return text if type(reply) is bytes else (type(reply).__name__, text)
    return reply


def ends(make, arguments, folder):
    """Runs it until it ends by itself: (exit code, lines). Versions, times and what the programs are called is left out."""
    path = program() if make == OURS else REFERENCE
    done = subprocess.run([path, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          cwd=folder, timeout=SECONDS_MAX, check=False)
    lines = [line for line in done.stdout.decode("utf-8", "replace").splitlines() if line and "Failed to resolve" not in line]
    return done.returncode, [re.sub(r"Redis \d[.\d]*|^\d+:X .{24} . ", "", line) for line in lines]


def stop(server):
    os.kill(server.process.pid, signal.SIGSTOP)


def go_on(server):
    os.kill(server.process.pid, signal.SIGCONT)


def script(folder, text):
    path = pathlib.Path(folder) / "script.sh"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)
