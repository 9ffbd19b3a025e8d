"""stunnel and haproxy between stock clients and the server: they speak TLS for those that do not, or pass it on."""

import contextlib
import os
import re
import socket
import subprocess
import threading

from harness import HOST, REDIS_CLI, run
from python_tls import hold_session, plain_client, refused, tls_client
from server_process import end

STUNNEL_PROGRAM, HAPROXY_PROGRAM = "/usr/bin/stunnel", "/usr/sbin/haproxy"
CHECKER, CHECKER_PASSWORD = "checker", "checks-health"
LOG_SECONDS_MAX = 60


class Front:
    """A program in front of the server. Its log is its event source; it ends with the block, and with us."""

    def __init__(self, command, listeners=()):
        self.command = ["setpriv", "--pdeathsig", "KILL", *command]
        self.listeners = listeners
        self.log = []
        self.changed = threading.Condition()
        self.ended = False

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        text=True, errors="replace", pass_fds=[s.fileno() for s in self.listeners])
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        return self

    def __exit__(self, *_):
        end(self.process)
        self.reader.join(5)
        self.process.stdout.close()

    def _read(self):
        for line in self.process.stdout:
            with self.changed:
                self.log.append(line.rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def logged(self, pattern, after=0):
        """Waits for a line at or behind place `after` that holds the pattern: its match, or None when it does not come."""
        def find():
            return next(filter(None, (re.search(pattern, line) for line in self.log[after:])), None)
        with self.changed:
            self.changed.wait_for(lambda: find() or self.ended, LOG_SECONDS_MAX)
            return find()


def _write(server, name, text):
    path = os.path.join(server.dir, name)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    return path


# ---- stunnel -----------------------------------------------------------------------------------------------------

# Port 0 takes a free one; the log tells which.
STUNNEL = """foreground = yes
syslog = no
pid =
debug = info
[client]
client = yes
accept = {host}:0
connect = {host}:{tls_port}
cert = {folder}/client.crt
key = {folder}/client.key
CAfile = {folder}/ca.crt
verifyChain = yes
checkIP = {host}
[bare]
client = yes
accept = {host}:0
connect = {host}:{tls_port}
CAfile = {folder}/ca.crt
verifyChain = yes
[distrustful]
client = yes
accept = {host}:0
connect = {host}:{tls_port}
cert = {folder}/client.crt
key = {folder}/client.key
CAfile = {folder}/other.crt
verifyChain = yes
[server]
accept = {host}:0
connect = {host}:{port}
cert = {folder}/local.crt
key = {folder}/local.key
CAfile = {folder}/ca.crt
verifyChain = yes
"""


def stunnel(c, server):
    config = STUNNEL.format(host=HOST, tls_port=server.tls_port, port=server.port, folder=server.files.folder)
    with Front([STUNNEL_PROGRAM, _write(server, "stunnel.conf", config)]) as front:
        if not c.true("it starts", front.logged("Accepting new connections"), front.log):
            return
        ports = {name: int(front.logged(rf"Service \[{name}\].* bound to {HOST}:(\d+)")[1])
                 for name in ("client", "bare", "distrustful", "server")}
        with c.part("for clients without TLS"):
            hold_session(c, server, lambda **options: plain_client(server, ports["client"], **options))
            c.true("it resumes its sessions with the server", front.logged("previous session reused"), front.log[-20:])
            refused(c, "without a certificate", plain_client(server, ports["bare"]))
            refused(c, "distrusting the server", plain_client(server, ports["distrustful"]))
            c.true("and why", front.logged(r"certificate verify failed"), front.log[-20:])
            if server.ours:
                _without_session_caching(c, server, ports["client"])
            server.control.config_set("tls-auth-clients", "no")
            c.equal("without a certificate where none is asked for", plain_client(server, ports["bare"]).ping(), True)
        with c.part("for a server without TLS"):
            hold_session(c, server, lambda **options: tls_client(server, ports["server"], **options))
            c.equal("redis-cli", _redis_cli(server, ports["server"]), (0, "shop\n"))
            refused(c, "no certificate", tls_client(server, ports["server"], certificate=None))


def _without_session_caching(c, server, port):
    """Stock Redis goes on giving tickets, and cuts off who shows one; a program that always shows its last one cannot work."""
    server.control.config_set("tls-session-caching", "no")
    r = plain_client(server, port)
    for turn in ("a session that is known no more", "none", "none again"):
        c.equal(f"without session caching, shows {turn}", r.ping(), True)
        r.connection_pool.disconnect()
    server.control.config_set("tls-session-caching", "yes")


def _redis_cli(server, port):
    path = server.files.path
    return run([REDIS_CLI, "-h", HOST, "-p", str(port), "--tls", "--cacert", path("ca.crt"), "--cert", path("client.crt"),
                "--key", path("client.key"), "--no-auth-warning", "--user", server.user, "--pass", server.user_password,
                "acl", "whoami"])[:2]


# ---- haproxy -----------------------------------------------------------------------------------------------------

# It takes sockets that listen already: no port is taken twice. Each `listen` reaches the server in another way. A reply other
# than the expected one fails a check when its time is over: haproxy waits for more until then.
HAPROXY_HEAD = """global
  log stdout format raw local0 info
  nbthread 1
  maxconn 200
defaults
  mode tcp
  log global
  option log-health-checks
  timeout connect 20s
  timeout client 60s
  timeout server 60s
  timeout check 4s
"""
HEALTH_CHECK = rf"""  option tcp-check
  tcp-check send AUTH\ {CHECKER}\ {CHECKER_PASSWORD}\r\n
  tcp-check expect string +OK
  tcp-check send PING\r\n
  tcp-check expect string +PONG
  tcp-check send info\ replication\r\n
  tcp-check expect string role:master
  tcp-check send QUIT\r\n
  tcp-check expect string +OK
"""
CHECKED = "check inter 200 fall 1 rise 1"


def haproxy(c, server):
    path = server.files.path
    with open(path("client.crt"), encoding="ascii") as certificate, open(path("client.key"), encoding="ascii") as key:
        both = _write(server, "client.pem", certificate.read() + key.read())
    secured = f"ssl verify required ca-file {path('ca.crt')}"
    ways = {"secure": (HEALTH_CHECK, f"{CHECKED} {secured} verifyhost localhost crt {both}"),
            "bare": (HEALTH_CHECK, f"{CHECKED} {secured}"),
            "distrustful": (HEALTH_CHECK, f"{CHECKED} ssl verify required ca-file {path('other.crt')} crt {both}"),
            "through": ("", "")}
    _allow_checker(server, CHECKER_PASSWORD)
    with contextlib.ExitStack() as stack:
        listeners = {name: stack.enter_context(socket.create_server((HOST, 0))) for name in ways}
        config = HAPROXY_HEAD + "".join(
            f"listen {name}\n  bind fd@{listeners[name].fileno()}\n{check}  server redis {HOST}:{server.tls_port} {options}\n"
            for name, (check, options) in ways.items())
        command = [HAPROXY_PROGRAM, "-db", "-f", _write(server, "haproxy.cfg", config)]
        front = stack.enter_context(Front(command, listeners.values()))
        ports = {name: listener.getsockname()[1] for name, listener in listeners.items()}
        with c.part("health"):
            _health(c, server, front, ports)
        with c.part("for clients without TLS"):
            hold_session(c, server, lambda **options: plain_client(server, ports["secure"], **options))
        with c.part("passing TLS on"):
            hold_session(c, server, lambda **options: tls_client(server, ports["through"], **options))
            c.equal("redis-cli", _redis_cli(server, ports["through"]), (0, "shop\n"))
            refused(c, "no certificate", tls_client(server, ports["through"], certificate=None))
            refused(c, "another authority", tls_client(server, ports["through"], authority="other"), "CERTIFICATE_VERIFY_FAILED")


def _allow_checker(server, password):
    server.control.execute_command("ACL", "SETUSER", CHECKER, "reset", "on", f">{password}", "+ping", "+info")


def _health(c, server, front, ports):
    """The check sees a server that does not answer it as it should, and sees when it does again."""
    passed = front.logged(r"check for server secure/redis succeeded.*Layer7 check passed")
    if not c.true("the check passes", passed, front.log[-20:]):
        return
    c.true("it fails without a certificate", front.logged(r"check for server bare/redis failed"), front.log[-20:])
    failed = front.logged(r"check for server distrustful/redis failed.*Layer6")
    c.true("it fails with another authority", failed, front.log[-20:])
    refused(c, "then nobody is let through", plain_client(server, ports["distrustful"]))
    here = len(front.log)
    _allow_checker(server, "another")
    failed = front.logged(r"check for server secure/redis failed.*Layer7.*step 2 of tcp-check \(expect string '\+OK'\)", here)
    c.true("it fails with a wrong password", failed, front.log[here:])
    c.true("the server is out", front.logged(r"Server secure/redis is DOWN", here), front.log[here:])
    refused(c, "nobody is let through meanwhile", plain_client(server, ports["secure"]))
    here = len(front.log)
    _allow_checker(server, CHECKER_PASSWORD)
    c.true("it passes again", front.logged(r"Server secure/redis is UP", here), front.log[here:])
    c.equal("and clients come through", plain_client(server, ports["secure"]).ping(), True)
    here = len(front.log)
    server.control.config_set("tls-auth-clients", "optional")
    c.true("it passes without a certificate where it need not be", front.logged(r"Server bare/redis is UP", here), front.log[here:])
    c.equal("and there clients come through, too", plain_client(server, ports["bare"]).ping(), True)
    server.control.config_set("tls-auth-clients", "yes")
