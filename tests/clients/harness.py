"""Starts a server in an empty folder of its own, counts checks, and always ends what it started."""

import contextlib
import functools
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import traceback

from server_process import end

HOST = "127.0.0.1"
REDIS_CLI = "/usr/bin/redis-cli"
START_SECONDS_MAX = 60
CLIENT_SECONDS_MAX = 60
TIMED_OUT = 124


class Checks:
    """Counts checks. A failed one is printed at once, with what was seen and what was expected."""

    def __init__(self, verbose):
        self.passed = 0
        self.failed = 0
        self.verbose = verbose
        self.section = ""

    def record(self, name, ok, detail=""):
        if ok:
            self.passed += 1
            if self.verbose:
                print(f"  ok   {self.section}: {name}", flush=True)
        else:
            self.failed += 1
            print(f"  FAIL {self.section}: {name}: {detail}"[:2000], flush=True)
        return ok

    def equal(self, name, got, want):
        return self.record(name, got == want, f"got {shorten(got)}, want {shorten(want)}")

    def contains(self, name, text, part):
        return self.record(name, part in text, f"{shorten(part)} is not in {shorten(text)}")

    def true(self, name, condition, detail="is false"):
        return self.record(name, bool(condition), detail)

    def raises(self, name, kind, text, function, *arguments, **named):
        """The call must raise `kind` with `text` in its message."""
        try:
            got = function(*arguments, **named)
        except kind as error:
            return self.record(name, text in str(error), f"message {str(error)!r} lacks {text!r}")
        except Exception as error:  # Another kind of error is a failed check, not the end of the run.
            return self.record(name, False, f"raised {error!r}")
        return self.record(name, False, f"returned {shorten(got)}, no error")

    @contextlib.contextmanager
    def part(self, section):
        """A group of checks. An exception that escapes it is one failed check."""
        outer, self.section = self.section, f"{self.section} {section}".strip()
        failed, passed = self.failed, self.passed
        try:
            yield
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)
            where = next((f for f in reversed(last) if os.path.dirname(__file__) in f.filename), last[-1])
            place = f"{os.path.basename(where.filename)}:{where.lineno}"
            self.record("runs to its end", False, f"{type(error).__name__}: {error} (at {place})")
        finally:
            if not outer:
                print(f"{self.section}: {self.passed - passed} passed, {self.failed - failed} failed", flush=True)
            self.section = outer


def shorten(value, length=300):
    text = repr(value)
    return text if len(text) <= length else text[:length] + f"… ({len(text)} characters)"


class Server:
    """One server process on a free port and a Unix socket, in an empty temporary folder."""

    def __init__(self, path, options=(), password=None):
        self.path = path
        self.options = list(options)
        self.password = password

    def __enter__(self):
        # Between choosing a free port and binding it somebody else may take it: then choose again.
        for attempt in range(5):
            self._launch()
            if self._wait_ready():
                return self
            log = "".join(self.log)
            self._end()
            if "in use" not in log:
                break
        raise RuntimeError(f"the server did not start: {' '.join(self.command)}\n{log}")

    def __exit__(self, *_):
        self._end()

    def _launch(self):
        self.dir = tempfile.mkdtemp(prefix="cinnabar-clients-")
        self.socket = os.path.join(self.dir, "server.sock")
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            self.port = probe.getsockname()[1]
        # Should we be killed, the kernel ends the server.
        self.command = ["setpriv", "--pdeathsig", "KILL", self.path, "--port", str(self.port), "--bind", HOST,
                        "--unixsocket", self.socket, "--save", "", "--appendonly", "no", "--dir", self.dir, *self.options]
        if self.password:
            self.command += ["--requirepass", self.password]
        self.log = []
        self.ready = threading.Event()
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, errors="replace", cwd=self.dir)
        self.reader = threading.Thread(target=self._read_log, daemon=True)
        self.reader.start()

    def _read_log(self):
        for line in self.process.stdout:
            self.log.append(line)
            if "eady to accept connections" in line and "/" not in line.split("eady to accept", 1)[1]:
                self.ready.set()
        self.ready.set()

    def _wait_ready(self):
        self.ready.wait(START_SECONDS_MAX)
        limit = time.monotonic() + 5
        while self.process.poll() is None and time.monotonic() < limit:
            with contextlib.suppress(OSError):
                for family, address in self.listeners():
                    with socket.socket(family) as probe:
                        probe.connect(address)
                return True
            threading.Event().wait(0.02)  # The log line may come before the last listener.
        return False

    def listeners(self):
        return [(socket.AF_INET, (HOST, self.port)), (socket.AF_UNIX, self.socket)]

    def alive(self):
        return self.process.poll() is None

    @functools.cached_property
    def ours(self):
        """Whether this is Cinnabar: by its name, or by what INFO says."""
        return "cinnabar" in os.path.basename(os.path.realpath(self.path)) or \
            "cinnabar" in run([REDIS_CLI, "-p", str(self.port), "info", "server"])[1].lower()

    def _end(self):
        end(self.process)
        self.reader.join(5)
        shutil.rmtree(self.dir, ignore_errors=True)


def run(command, stdin=None, timeout=CLIENT_SECONDS_MAX, env=None):
    """Runs a client to its end. Returns (exit status, output, errors), all as text."""
    data = stdin.encode() if isinstance(stdin, str) else stdin
    source = {"input": data} if data is not None else {"stdin": subprocess.DEVNULL}
    try:
        done = subprocess.run(command, **source, capture_output=True, timeout=timeout, env=env)
        status, out, errors = done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired as late:  # run() has ended the client; what it said so far helps to see why.
        status, out, errors = TIMED_OUT, late.stdout or b"", (late.stderr or b"") + b" (timed out)"
    return status, out.decode("utf-8", "replace"), errors.decode("utf-8", "replace")


def record_lines(checks, command, env):
    """Runs a session in another process, which prints its checks: "ok NAME", "fail NAME<tab>DETAIL", at last "end"."""
    status, out, errors = run(command, env=env)
    for line in out.splitlines():
        record_line(checks, line)
    checks.true("the session came to its end", status == 0 and out.endswith("end\n"), out[-200:] + errors[-800:])


def record_line(checks, line):
    """A line of such a session."""
    verdict, _, rest = line.partition(" ")
    if verdict in ("ok", "fail"):
        name, _, detail = rest.partition("\t")
        checks.record(name, verdict == "ok", detail)


class Lines:
    """Reads the lines of a running client with a deadline, then ends it."""

    def __init__(self, command, env=None, seconds=20):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, env=env)
        # A client that says nothing would block a read for ever; ending it turns that into end of file.
        self.alarm = threading.Timer(seconds, self.process.kill)
        self.alarm.start()

    def until(self, text):
        """Every line up to the one holding `text`; without that line at its end when it never came."""
        seen = []
        for line in self.process.stdout:
            seen.append(line.decode("utf-8", "replace").rstrip("\n"))
            if text in seen[-1]:
                break
        return seen

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.alarm.cancel()
        end(self.process)
        self.process.stdin.close()
        self.process.stdout.close()


def raw_exchange(port, request, replies):
    """Sends bytes, returns what came back once `replies` line ends were seen (or the peer closed)."""
    with socket.create_connection((HOST, port), timeout=10) as connection:
        connection.sendall(request)
        answer = b""
        while answer.count(b"\r\n") < replies:
            piece = connection.recv(65536)
            if not piece:
                break
            answer += piece
        return answer


def is_ours(path):
    with Server(path) as server:
        return server.ours


def main_guard(checks):
    print(f"{checks.passed} passed, {checks.failed} failed", flush=True)
    return 1 if checks.failed or not checks.passed else 0
