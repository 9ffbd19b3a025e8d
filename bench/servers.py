"""What the measuring scripts share: servers of their own on free ports, the load generator, and the kernel's figures."""

import argparse
import contextlib
import glob
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HOST = "127.0.0.1"
SERVER_CPU, CLIENT_CPU = "0", "1"
BOTH_CPUS = "0,1"


def arguments(description, **defaults):
    """The options that every script has."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    ours = os.environ.get("CINNABAR_SERVER", f"{ROOT}/build/release/cinnabar-server")
    parser.add_argument("--server", default=ours, help="our server (default: the release build)")
    parser.add_argument("--redis", default="/usr/bin/redis-server", help="the server to compare with")
    parser.add_argument("--loadgen", default=os.environ.get("LOADGEN", f"{ROOT}/build/release/loadgen"))
    for name, value in defaults.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value, help=f"default {value}")
    return parser


def checked(options):
    for path in (options.server, options.redis, options.loadgen):
        if not os.access(path, os.X_OK):
            sys.exit(f"{path} is missing: ./dev build release, or name another with --server, --redis, --loadgen")
    Load.program = options.loadgen
    return options


class Server:
    """One server, pinned, without persistence, in a temporary folder. Use as a context manager.

    `files` is a folder whose content it finds there at its start; `under` is a program that runs it, with its arguments."""

    def __init__(self, name, path, threads=1, cpus=SERVER_CPU, options=(), files=None, under=()):
        self.name, self.path, self.threads, self.cpus, self.options = name, path, threads, cpus, list(options)
        self.files, self.under = files, list(under)

    def __enter__(self):
        for _ in range(5):
            self.dir = tempfile.mkdtemp(prefix="cinnabar-bench-")
            if self.files:
                shutil.copytree(self.files, self.dir, dirs_exist_ok=True)
            with socket.socket() as probe:
                probe.bind((HOST, 0))
                self.port = probe.getsockname()[1]
            # `io-threads` is Redis's name for the directive and an alias of ours.
            command = ["setpriv", "--pdeathsig", "KILL", "taskset", "-c", self.cpus, *self.under, self.path, "--port", str(self.port),
                       "--bind", HOST, "--save", "", "--appendonly", "no", "--dir", self.dir, "--loglevel", "warning",
                       "--io-threads", str(self.threads), *self.options]
            with open(f"{self.dir}/output", "w") as output:
                self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
            self.pid = self.process.pid
            if self._answers():
                return self
            with open(f"{self.dir}/output") as output:
                why = output.read()
            self.__exit__()
        raise RuntimeError(f"{self.name} did not start: {why}")

    def _answers(self):
        limit = time.monotonic() + 120
        while self.process.poll() is None and time.monotonic() < limit:
            with contextlib.suppress(OSError):
                if self.ask("PING") == b"PONG":  # and not that it is loading
                    return True
            time.sleep(0.02)
        return False

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def ask(self, *words):
        """One command on a connection of its own: the status, number or bulk string that it answers."""
        with socket.create_connection((HOST, self.port), timeout=300) as connection:
            connection.sendall(request(*words))
            stream = connection.makefile("rb")
            line = stream.readline()
            if line[:1] == b"$":
                return stream.read(int(line[1:])) if int(line[1:]) >= 0 else None
            return line[1:].rstrip()

    def info(self, section="all"):
        text = self.ask("INFO", section).decode()
        return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)

    def output(self):
        with open(f"{self.dir}/output") as output:
            return output.read()

    def cpu_nanos(self):
        """CPU time of all its threads, by the scheduler's own clock."""
        return sum(values[0] for values in self._schedstats())

    def cpu_wait_nanos(self):
        """Time its threads were ready and had no CPU: how much others disturbed the measurement."""
        return sum(values[1] for values in self._schedstats())

    def _schedstats(self):
        for path in glob.glob(f"/proc/{self.pid}/task/*/schedstat"):
            with contextlib.suppress(OSError), open(path) as file:
                yield [int(word) for word in file.read().split()]

    def context_switches(self):
        total = 0
        for path in glob.glob(f"/proc/{self.pid}/task/*/status"):
            with contextlib.suppress(OSError), open(path) as file:
                total += sum(int(line.split()[1]) for line in file if "ctxt_switches" in line)
        return total

    def rss_bytes(self):
        return self._status_bytes("VmRSS")

    def rss_peak_bytes(self):
        """The greatest RSS since the start or since forget_rss_peak()."""
        return self._status_bytes("VmHWM")

    def forget_rss_peak(self):
        with open(f"/proc/{self.pid}/clear_refs", "w") as file:
            file.write("5")

    def _status_bytes(self, field):
        with open(f"/proc/{self.pid}/status") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith(field))

    def settled_rss_bytes(self, seconds_max=20):
        """RSS once it has not changed for a second: tables that grow step by step have finished by then."""
        last, same, limit = self.rss_bytes(), 0, time.monotonic() + seconds_max
        while same < 5 and time.monotonic() < limit:
            time.sleep(0.2)
            now = self.rss_bytes()
            same = same + 1 if now == last else 0
            last = now
        return last


def request(*words):
    parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


class Load:
    """A run of the load generator. Its figures become attributes: rps, wall, reqs, p50, p99, p999, max, ccpu, cwait."""

    program = ""

    def __init__(self, server, test, cpus=CLIENT_CPU, **options):
        command = ["taskset", "-c", cpus, Load.program, "-p", str(server.port), "-t", test]
        for name, value in options.items():
            flag = f"-{name}" if len(name) == 1 else f"--{name}"
            command += [flag] if value is True else [flag, str(value)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def wait(self):
        out, errors = self.process.communicate(timeout=900)
        if self.process.returncode:
            raise RuntimeError(f"{' '.join(self.process.args)}: {errors.strip()}")
        for name, value in re.findall(r"(\w+) ([\d.]+)", out):
            setattr(self, name, float(value))
        return self


def fill(server, keys, first=0, test="set", value_bytes=64):
    return Load(server, test, c=10, P=32, n=keys, first=first, d=value_bytes, seq=True).wait()


@contextlib.contextmanager
def running(*servers):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(server) for server in servers]


def in_turn(servers, repetition):
    """Who goes first changes, so that nobody always meets the warmer machine."""
    shift = repetition % len(servers)
    return servers[shift:] + servers[:shift]


def child_of(pid):
    """A child process of it, or 0."""
    with contextlib.suppress(OSError, IndexError), open(f"/proc/{pid}/task/{pid}/children") as file:
        return int(file.read().split()[0])
    return 0


def private_bytes(pid):
    """Memory that no other process has."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/smaps_rollup") as file:
        return sum(int(line.split()[1]) * 1024 for line in file if line.startswith(("Private_Dirty", "Private_Clean")))
    return 0


def median(values):
    return statistics.median(values) if values else float("nan")


def table(headings, rows):
    """A Markdown table; numbers to the right."""
    print("| " + " | ".join(headings) + " |")
    print("|" + "|".join(["---"] + ["---:"] * (len(headings) - 1)) + "|")
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    print(flush=True)
