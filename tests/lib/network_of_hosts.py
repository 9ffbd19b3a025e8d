"""A network of hosts inside this process, whose lines can be cut.

    host 0, 10.77.0.1 on eth0 ---- port0 |
    host 1, 10.77.0.2 on eth0 ---- port1 | the switch: a bridge, and rules of nftables for what passes it
    ...                                  |

The switch and each host are network namespaces. Only open files of this process and the processes inside hold them, so that
nothing is left whatever ends the test. A thread goes inside for a moment: sockets and processes that it makes there stay
there for ever, and itself it comes back. What a host says to its own address does not pass the switch and is never cut.
"""

import contextlib
import ctypes
import os
import shutil
import subprocess

from checks import Skipped

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """A network namespace with nothing in it but a loopback device."""

    def __enter__(self):
        with own_namespace() as own:
            if LIBC.unshare(CLONE_NEWNET):
                raise Skipped(f"no network of one's own: {os.strerror(ctypes.get_errno())}")
            self.handle = this_namespace()
            enter(own)
        try:
            self.run("ip", "link", "set", "lo", "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        os.close(self.handle)

    @property
    def path(self):
        return f"/proc/{os.getpid()}/fd/{self.handle}"

    @contextlib.contextmanager
    def inside(self):
        """This thread is inside meanwhile."""
        with own_namespace() as own:
            enter(self.handle)
            try:
                yield
            finally:
                enter(own)

    def run(self, *words):
        """A command that sets up the network."""
        if shutil.which(words[0]) is None:
            raise Skipped(f"no network of one's own: there is no {words[0]}")
        with self.inside():
            done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  check=False)
        if done.returncode:
            raise Skipped(f"no network of one's own: {' '.join(words)}: {done.stdout.strip()}")


def this_namespace():
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY)


@contextlib.contextmanager
def own_namespace():
    handle = this_namespace()
    try:
        yield handle
    finally:
        os.close(handle)


def enter(handle):
    if LIBC.setns(handle, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


class NetworkHost(Namespace):
    """`ip` is its address, `port` its port of the switch."""

    def __init__(self, index):
        self.index = index
        self.ip = f"10.77.0.{index + 1}"
        self.port = f"port{index}"


class Network:
    """`hosts`: as many as were asked for. Skipped, where that is not possible."""

    def __init__(self, count):
        self.count = count

    def __enter__(self):
        with contextlib.ExitStack() as opened:
            self.switch = opened.enter_context(Namespace())
            self.hosts = [opened.enter_context(NetworkHost(index)) for index in range(self.count)]
            self.switch.run("ip", "link", "add", "switch", "type", "bridge", "forward_delay", "0")
            self.switch.run("ip", "link", "set", "switch", "up")
            self._rule("add table bridge faults; "
                       "add chain bridge faults passing { type filter hook forward priority 0; policy accept; }")
            for host in self.hosts:
                self.switch.run("ip", "link", "add", host.port, "type", "veth", "peer", "name", "eth0", "netns", host.path)
                self.switch.run("ip", "link", "set", host.port, "master", "switch", "up")
                host.run("ip", "address", "add", f"{host.ip}/24", "dev", "eth0")
                host.run("ip", "link", "set", "eth0", "up")
            self.opened = opened.pop_all()
        return self

    def __exit__(self, *_):
        self.opened.close()

    def _rule(self, text):
        self.switch.run("nft", text)

    def let_nothing_in(self, host):
        """Nothing from elsewhere reaches it."""
        self._rule(f"add rule bridge faults passing oifname {host.port} drop")

    def let_nothing_out(self, host):
        """Nothing that it says reaches anybody."""
        self._rule(f"add rule bridge faults passing iifname {host.port} drop")

    def cut_off(self, host):
        self.let_nothing_in(host)
        self.let_nothing_out(host)

    def silence(self, port):
        """Nothing passes from and to this TCP port any more: its connections stay open, and neither side learns of it."""
        self._rule(f"add rule bridge faults passing tcp sport {port} drop; "
                   f"add rule bridge faults passing tcp dport {port} drop")

    def heal(self):
        self._rule("flush chain bridge faults passing")


class Placed:
    """Before a class of servers: one that runs on a host of such a network, at this port of its address."""

    def __init__(self, host, port, *arguments, **more):
        self.place = host
        super().__init__(*arguments, at=(host.ip, port), **more)

    def launch(self):
        with self.place.inside():
            super().launch()

    def client(self, *arguments, **more):
        with self.place.inside():
            return super().client(*arguments, **more)
