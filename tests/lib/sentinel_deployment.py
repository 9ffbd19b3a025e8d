"""Machines on a network of their own, each with a server and a sentinel, and what can happen to one of them."""

import contextlib
import os
import pathlib
import shutil
import signal
import tempfile

from network_of_hosts import Network, Placed
from replicating import GONE, OURS, Host, figures
from resp_client import ProtocolError
from sentinels import NAME, Watch, lines_about, texts
from server_process import wait_until

SERVER_PORT, SENTINEL_PORT = 6379, 26379
OPEN = ["--protected-mode", "no"]
LOOK_SECONDS = 5            # for the answer of somebody who may be in trouble
LIMIT_SECONDS = 150         # for what has to come: a sentinel that was held up decides nothing for 30 seconds


class PlacedServer(Placed, Host):
    pass


class PlacedSentinel(Placed, Watch):
    pass


class Machine:
    """A host with a server and a sentinel, whose files survive them."""

    def __init__(self, host, folder, first_primary, down_after, options, periods):
        self.host, self.folder, self.periods = host, folder, periods
        follows = "" if host is first_primary else f"replicaof {first_primary.ip} {SERVER_PORT}\n"
        watched = lines_about(SERVER_PORT, 2, down_after, address=first_primary.ip)
        self.server = PlacedServer(host, SERVER_PORT, OURS, [*OPEN, "--repl-ping-replica-period", "10", *options],
                                   config=follows, folder=self._folder("server"))
        self.sentinel = PlacedSentinel(host, SENTINEL_PORT, OURS, watched, options=OPEN, folder=self._folder("sentinel"))

    def _folder(self, name):
        path = pathlib.Path(self.folder, name)
        path.mkdir(parents=True)
        return str(path)

    @property
    def address(self):
        return (self.host.ip, SERVER_PORT)

    def start(self, process):
        """The first time, or again: with the file as it is now."""
        path = pathlib.Path(process.folder, "test.conf")
        if path.exists():
            process.config = path.read_text()
        process.__enter__()
        if process is self.sentinel and self.periods:
            self.ask(process, "SENTINEL", "DEBUG", *self.periods)

    def ask(self, process, *words, resp=2):
        """One command, asked on this machine; None without an answer."""
        with contextlib.suppress(*GONE, ProtocolError), process.client(resp, timeout=LOOK_SECONDS) as client:
            return client.call(*words)
        return None

    def names(self):
        """The address that its sentinel names."""
        reply = self.ask(self.sentinel, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)
        return (reply[0].decode(), int(reply[1])) if isinstance(reply, list) else None

    def replication(self):
        reply = self.ask(self.server, "INFO", "replication")
        return figures(reply) if type(reply) is bytes else {}

    def watched(self, what, *words):
        """[{field: value}] of SENTINEL MASTERS, REPLICAS or SENTINELS."""
        reply = self.ask(self.sentinel, "SENTINEL", what, *words, resp=3)
        return [texts(one) for one in reply] if type(reply) is list else []

    def agrees(self, others):
        """Whether its sentinel knows everybody and finds nothing wrong. `others`: how many machines there are besides."""
        primary = next(iter(self.watched("MASTERS")), {})
        replicas, sentinels = (self.watched(what, NAME) for what in ("REPLICAS", "SENTINELS"))
        return (primary.get("flags") == "master" and [one["flags"] for one in sentinels] == ["sentinel"] * others
                and [(one["flags"], one["master-link-status"]) for one in replicas] == [("slave", "ok")] * others)

    def end(self):
        for process in (self.sentinel, self.server):
            if hasattr(process, "process"):
                if process.process.poll() is None:
                    process.process.send_signal(signal.SIGCONT)
                process.__exit__()


class Deployment:
    """`count` machines, the first of them with the primary, and an empty host for clients. `options` of the servers;
    `periods` of the sentinels, as SENTINEL DEBUG takes them."""

    def __init__(self, count=3, down_after=2000, options=(), periods=()):
        self.count, self.down_after, self.options, self.periods = count, down_after, options, periods

    def __enter__(self):
        with contextlib.ExitStack() as opened:
            self.network = opened.enter_context(Network(self.count + 1))
            self.folder = tempfile.mkdtemp(prefix="cinnabar-hosts-")
            opened.callback(shutil.rmtree, self.folder, ignore_errors=True)
            *hosts, self.outside = self.network.hosts
            self.machines = []
            for host in hosts:
                machine = Machine(host, os.path.join(self.folder, host.ip), hosts[0], self.down_after, self.options,
                                  self.periods)
                opened.callback(machine.end)
                self.machines.append(machine)
                machine.start(machine.server)
            if not wait_until(lambda: self.followed(self.machines[0], self.machines)):
                raise RuntimeError("the replicas do not come up")
            for machine in self.machines:
                machine.start(machine.sentinel)
            self.opened = opened.pop_all()
        return self

    def __exit__(self, *_):
        self.opened.close()

    @property
    def sentinels(self):
        return [(machine.host.ip, SENTINEL_PORT) for machine in self.machines]

    def machine_at(self, address):
        return next((one for one in self.machines if one.address == address), None)

    def named_by_majority(self):
        """The machine of the primary that most sentinels name, or None."""
        named = [machine.names() for machine in self.machines]
        return next((self.machine_at(one) for one in named if one is not None and 2 * named.count(one) > self.count), None)

    def followed(self, primary, machines):
        """Whether these follow it, or are it."""
        return all(seen.get("role") == ("master" if machine is primary else "slave")
                   and (machine is primary or (seen["master_host"], seen["master_link_status"]) == (primary.host.ip, "up"))
                   for machine in machines for seen in [machine.replication()])

    def settled(self):
        """The primary, once nothing is left to do for anybody; else None."""
        primary = self.named_by_majority()
        well = (primary is not None and all(machine.names() == primary.address for machine in self.machines)
                and self.followed(primary, self.machines) and all(one.agrees(self.count - 1) for one in self.machines))
        return primary if well else None

    def settle(self):
        """Waits for it."""
        return wait_until(self.settled, LIMIT_SECONDS)

    def in_step(self, primary):
        """Whether all come to have the same data. Writers have to be silent."""
        def same():
            offset = primary.replication()["master_repl_offset"]
            return (all(one is primary or one.replication().get("slave_repl_offset") == offset for one in self.machines)
                    and len({one.ask(one.server, "DEBUG", "DIGEST") for one in self.machines}) == 1)
        return wait_until(same, LIMIT_SECONDS)

    def last_words(self):
        """What everybody knows and has logged, for a person who looks for a fault."""
        return "\n".join(f"--- {machine.host.ip}: {machine.names()} {machine.replication()} {machine.watched('MASTERS')}\n"
                         + "\n".join(part.log_text()[-6000:] for part in (machine.server, machine.sentinel))
                         for machine in self.machines)


# ---- what can happen to the machine of the primary ----


class Fault:
    """`strike` returns when it is done; `heal` makes good what can be made good."""

    def __init__(self, deployment, machine):
        self.network, self.machine = deployment.network, machine

    def heal(self):
        self.network.heal()


class Killed(Fault):
    """kill -9 of the server, which is started again later, as the primary that it was."""

    def strike(self):
        self.machine.server.kill()

    def heal(self):
        self.machine.start(self.machine.server)


class Frozen(Fault):
    """The server stands still for a while, and does not know it."""

    def strike(self):
        os.kill(self.machine.server.process.pid, signal.SIGSTOP)

    def heal(self):
        os.kill(self.machine.server.process.pid, signal.SIGCONT)


class MachineDead(Fault):
    """Server and sentinel are gone, and come back."""

    def strike(self):
        self.machine.server.kill()
        self.machine.sentinel.kill()

    def heal(self):
        self.machine.start(self.machine.server)
        self.machine.start(self.machine.sentinel)


class CutOff(Fault):
    """The machine lives, and nothing passes to it or from it."""

    def strike(self):
        self.network.cut_off(self.machine.host)


class Deaf(Fault):
    """What it says is heard by all, and it hears nobody."""

    def strike(self):
        self.network.let_nothing_in(self.machine.host)


class Mute(Fault):
    """It hears all, and nobody hears it."""

    def strike(self):
        self.network.let_nothing_out(self.machine.host)


FAULTS = {"killed": Killed, "frozen": Frozen, "machine dead": MachineDead, "cut off": CutOff, "deaf": Deaf, "mute": Mute}
