"""Plays tests against one server and counts."""

import dataclasses
import socket

from language.reply import show
from resp_client import Disconnected, ErrorReply, ProtocolError
from server_process import HOST, Server, free_port
from tls_peers import Files, TlsClient

REPLY_SECONDS_MAX = 20
# Changed by the test runner itself or by the server while it runs: nothing to put back.
VOLATILE_SETTINGS = {"port", "dir", "unixsocket", "bind", "maxclients"}


@dataclasses.dataclass(frozen=True)
class Variant:
    resp: int
    threads: int
    way: str = "tcp"  # or unix, tls

    def __str__(self):
        return f"RESP{self.resp}, {self.threads} thread{'s' if self.threads > 1 else ''}" + {"unix": ", Unix", "tls": ", TLS"}.get(self.way, "")

    def options(self):
        return f"--resp {self.resp} --threads {self.threads}" + ("" if self.way == "tcp" else f" --{self.way}")


class TestFailed(Exception):
    def __init__(self, step, reason):
        super().__init__(reason)
        self.step = step


class Player:
    """Holds a server for as long as it lives; a new one takes the place of one that died."""

    def __init__(self, variant, options=()):
        self.variant = variant
        self.options = options
        self.server = None
        self.defaults = {}
        self.files = None  # certificates
        self.tls_port = 0

    def __enter__(self):
        if self.variant.way == "tls":
            self.files = Files().__enter__()
        self._start()
        return self

    def __exit__(self, *_):
        self.server.__exit__(None, None, None)
        if self.files:
            self.files.__exit__()

    def _start(self):
        own = []
        if self.files:
            self.tls_port = free_port()
            own = ["--tls-port", str(self.tls_port), *self.files.options()]
        self.server = Server([*self.options, *own], threads=self.variant.threads).__enter__()
        with self._connect(2) as control:
            self.defaults = self._settings(control)

    def _connect(self, resp):
        if self.files:
            return TlsClient((HOST, self.tls_port), self.files.context(), timeout=REPLY_SECONDS_MAX, resp=resp)
        return self.server.client(resp, self.variant.way == "unix", REPLY_SECONDS_MAX)

    def _settings(self, control):
        flat = control.call("CONFIG", "GET", "*")
        return dict(zip(flat[::2], flat[1::2])) if isinstance(flat, list) else {}

    def play(self, test):
        """None, or a text that says what went wrong."""
        connections = {}
        try:
            with self._connect(2) as control:
                self._reset(control, test)
                try:
                    self._run_steps(test, connections)
                finally:
                    for connection in connections.values():
                        connection.close()
                    self._restore_settings(control, test)
                    self._restore_users(control, test)
        except TestFailed as failure:
            return self._report(test, failure.step, str(failure))
        except (OSError, Disconnected, ProtocolError) as failure:
            return self._report(test, test.steps[0], f"between tests: {failure!r}")
        return None

    def _run_steps(self, test, connections):
        for step in test.steps:
            if step.resp not in (None, self.variant.resp):
                continue
            try:
                if step.connection not in connections:
                    connections[step.connection] = self._connect(self.variant.resp)
                connection = connections[step.connection]
                if step.words:
                    connection.send(*step.words)
                if step.reply is None:
                    continue
                got = connection.read()
            except socket.timeout as late:
                raise TestFailed(step, f"no reply in {REPLY_SECONDS_MAX} seconds") from late
            except (OSError, Disconnected, ProtocolError) as failure:
                raise TestFailed(step, str(failure)) from failure
            reason = step.reply.mismatch(got, self.variant.resp)
            if reason:
                raise TestFailed(step, f"{reason}\n    expected {step.reply_text}\n    got      {show(got)}")

    def _reset(self, control, test):
        reply = control.call("FLUSHALL")
        if isinstance(reply, ErrorReply):
            raise TestFailed(test.steps[0], f"FLUSHALL before the test: {show(reply)}")

    def _restore_settings(self, control, test):
        if not any(word.upper() in (b"CONFIG", b"DEBUG") for step in test.steps for word in step.words[:1]):
            return
        now = self._settings(control)
        for name, value in self.defaults.items():
            if now.get(name) != value and name.decode() not in VOLATILE_SETTINGS:
                control.call("CONFIG", "SET", name, value)

    def _restore_users(self, control, test):
        if not any(word.upper() == b"ACL" for step in test.steps for word in step.words[:1]):
            return
        control.call("ACL", "SETUSER", "default", "clearselectors", "on", "nopass", "allkeys", "allchannels", "+@all")
        others = [name for name in control.call("ACL", "USERS") if name != b"default"]
        if others:
            control.call("ACL", "DELUSER", *others)
        control.call("ACL", "LOG", "RESET")

    def _report(self, test, step, reason):
        text = f"FAIL {test.file}:{step.line}: {test.title} ({self.variant})\n    {step.text}\n    {reason}\n"
        text += f"    again: tests/conformance/run {self.variant.options()} --only {test.file}:{test.line}"
        if self.server.process.poll() is not None:
            text += f"\n    the server has ended, code {self.server.process.returncode}:\n{''.join(self.server.log[-40:])}"
            self.__exit__()
            self._start()
        return text
