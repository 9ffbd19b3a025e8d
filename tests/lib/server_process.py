"""Starts a server in an empty temporary folder on a free port, and always ends what it started."""

import os
import pathlib
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

from resp_client import Client

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HOST = "127.0.0.1"
SECONDS_MAX = 60  # for anything that should take a moment; sanitizers and busy machines are slow


def program():
    return os.environ.get("CINNABAR_SERVER", str(ROOT / "build" / "release" / "cinnabar-server"))


def is_ours(path):
    """Tests may also be played against stock redis-server, to check the tests themselves."""
    return "cinnabar" in os.path.basename(os.path.realpath(path))


def free_port():
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def wait_until(condition, seconds=SECONDS_MAX):
    """For what sends no event (a file that another process makes): asks until it is true. Returns the last answer."""
    limit = time.monotonic() + seconds
    while not (answer := condition()) and time.monotonic() < limit:
        threading.Event().wait(0.02)
    return answer


class Server:
    """`options` go on the command line; `config`, if given, is the text of a config file. `threads` core threads.
    `folder`, if given, is where its files are and stay; else it is a new one that goes with the server. `at`: the address
    and port where it listens, if that is to be another one than a free port of the loopback device."""

    def __init__(self, options=(), config=None, threads=1, tcp=True, path=None, folder=None, at=None):
        self.path = path or program()
        self.folder = folder
        self.at = at
        self.options = [str(option) for option in options]
        self.config = config
        self.threads = threads
        self.tcp = tcp

    def __enter__(self):
        # Between choosing a free port and binding it somebody else may take it: then choose again.
        for _ in range(5):
            self.launch()
            if self.wait_ready():
                return self
            log = self.log_text()
            self._end()
            if "in use" not in log:
                break
        raise RuntimeError(f"the server did not start: {' '.join(self.command)}\n{log}")

    def __exit__(self, *_):
        self._end()

    def launch(self):
        """Starts the process and does not wait for it."""
        self.dir = self.folder or tempfile.mkdtemp(prefix="cinnabar-test-")
        self.socket = os.path.join(self.dir, "server.sock")
        self.host, self.port = self.at or (HOST, free_port() if self.tcp else 0)
        arguments = ["--port", str(self.port), "--bind", self.host, "--unixsocket", self.socket, "--dir", self.dir,
                     "--enable-debug-command", "yes", *self.options]
        if is_ours(self.path):
            arguments += ["--threads", str(self.threads)]
        if self.config is not None:
            self.config_path = os.path.join(self.dir, "test.conf")
            pathlib.Path(self.config_path).write_text(self.config)
            arguments.insert(0, self.config_path)
        # Should we be killed, the kernel ends the server.
        self.command = ["setpriv", "--pdeathsig", "KILL", self.path, *arguments]
        self.log = b""
        self.log_lock = threading.Lock()
        self.ready = threading.Event()
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, cwd=self.dir)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.reader = threading.Thread(target=self._read_log, daemon=True)
        self.reader.start()

    def _read_log(self):
        # The line for the TCP port is the last one; without a port there is one for the Unix socket.
        last_line = b"Ready to accept connections tcp" if self.tcp and is_ours(self.path) else b"eady to accept connections"
        pipe = select.poll()
        pipe.register(self.process.stdout, select.POLLIN)
        while pipe.poll() and self._take_log():
            if not self.ready.is_set() and last_line in self.log:
                self.ready.set()
        self.ready.set()

    def _take_log(self):
        """Takes what is in the pipe. False at its end."""
        with self.log_lock:
            try:
                while True:
                    piece = os.read(self.process.stdout.fileno(), 1 << 16)
                    if not piece:
                        return False
                    self.log += piece
            except BlockingIOError:
                return True
            except (OSError, ValueError):  # the pipe is closed
                return False

    def wait_ready(self):
        return self.ready.wait(SECONDS_MAX) and b"eady to accept" in self.log

    def log_text(self):
        """All that the server has logged so far, also what the reading thread has not come to yet."""
        self._take_log()
        return self.log.decode("utf-8", "replace")

    @property
    def address(self):
        return (self.host, self.port)

    def client(self, resp=2, unix=False, timeout=30):
        return Client(self.socket if unix else self.address, resp, timeout)

    def kill(self):
        """As a crash ends it: nothing can be done about it any more."""
        self.process.kill()
        self.process.wait()

    def alive(self):
        """Whether it runs and answers."""
        if self.process.poll() is not None:
            return False
        with self.client(unix=not self.tcp) as client:
            return client.call("PING") == b"PONG"

    def wait_exit(self):
        """The exit code, once the process has ended and its log is complete."""
        code = self.process.wait(SECONDS_MAX)
        self.reader.join(SECONDS_MAX)
        return code

    def _end(self):
        end(self.process)
        self.reader.join(5)
        for mark in (b"BUG REPORT START", b"Sanitizer:", b"runtime error:"):
            if (at := self.log.find(mark)) >= 0:
                print(self.log[max(at - 500, 0):at + 8000].decode("utf-8", "replace"))
                break
        if self.folder is None:
            shutil.rmtree(self.dir, ignore_errors=True)


def end(process):
    """Ends a process that we started: politely, then for sure."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()


def run_to_exit(arguments, stdin=None, cwd=None):
    """Runs the program until it ends by itself: (exit code, everything it printed)."""
    source = {"input": stdin.encode()} if stdin is not None else {"stdin": subprocess.DEVNULL}
    done = subprocess.run([program(), *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=cwd,
                          timeout=SECONDS_MAX, check=False, **source)
    return done.returncode, done.stdout.decode("utf-8", "replace")
