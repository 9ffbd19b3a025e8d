"""Process groups, ports and namespaces for programs that the suites start. Nothing here outlives its user.

A unit's processes are one group, and all of it is killed at its end. Where the kernel lets us (root, as a rule), a
unit can also have network and process namespaces of its own: then its ports are nobody else's, and what leaves the
group is killed as well.
"""

import functools
import os
import random
import shutil
import signal
import socket
import subprocess
import time

# A port range is 2,000 ports that are also free 10,000 higher up, below the ports that the kernel hands out itself.
# The holder of range N holds the abstract socket of that name, machine-wide, until its process ends.
PORT_RANGES = [(number, 11000 + 2100 * number) for number in range(4)]
PORTS_PER_RANGE = 2000

live_groups = set()


class PortRange:
    """A claim on one range; waits until one is free."""

    def __enter__(self):
        while True:
            ranges = list(PORT_RANGES)
            random.shuffle(ranges)
            for number, base in ranges:
                self.claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                try:
                    self.claim.bind(f"\0cinnabar-redis-suite-{number}")
                    return base
                except OSError:
                    self.claim.close()
            time.sleep(0.5)

    def __exit__(self, *_):
        self.claim.close()


def start_group(command, folder, out):
    process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                               start_new_session=True)
    live_groups.add(process)
    return process


def end_group(process):
    """Nothing that the unit started may outlive it."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
    live_groups.discard(process)


def end_everything(*_):
    for process in list(live_groups):
        end_group(process)
    os._exit(1)


def comes_up(command, folder, log, port):
    """Whether a server answers PING on its port within 20 seconds. Its output is in `log`; it is ended here."""
    with open(log, "wb") as out:
        process = start_group(command, folder, out)
        deadline = time.monotonic() + 20
        up = False
        while not up and time.monotonic() < deadline and process.poll() is None:
            up = answers(port)
            time.sleep(0.05)
        end_group(process)
    return up


def answers(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(1) in (b"+", b"-")
    except OSError:
        return False


@functools.cache
def isolation():
    """What goes before a shell command line to run it in namespaces of its own, or nothing where that is refused.

    The first process in there is a shell, so what is orphaned in there is reaped, and what is left is killed when
    `unshare` is. Only the loopback device is in there; what is sent to 10.0.0.1 is lost without an answer.
    """
    prefix = ["unshare", "--net", "--mount", "--pid", "--mount-proc", "--fork", "--kill-child", "sh", "-c",
              'ip link set lo up && ip route add 10.0.0.1/32 dev lo && { "$@"; exit $?; }; exit 99', "sh"]
    if os.geteuid() != 0 or not shutil.which("unshare"):
        return []
    works = subprocess.run([*prefix, "true"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, check=False).returncode == 0
    return prefix if works else []
