"""Stock clients over TLS: redis-cli, redis-benchmark, python3-redis, ioredis, node-redis; then with stunnel and haproxy
between the client and the server.

One server with a plain port for control and a TLS port for the clients. They log in as the user `shop`, who has keys and
channels of its own; nobody comes in without a password.
"""

import os
import re
import socket
from urllib.parse import quote

import redis

from harness import HOST, REDIS_CLI, Lines, Server, run
from node_session import tls_node_sessions
from python_tls import python_over_tls
from server_process import free_port
from tls_fronts import haproxy, stunnel
from tls_peers import Files

BENCHMARK = "/usr/bin/redis-benchmark"
USER, USER_PASSWORD = "shop", "secret wörd/@:"
RULES = ["reset", "on", f">{USER_PASSWORD}", "~shop:*", "&shop:*", "+@all", "-@dangerous"]
ONE_MEGABYTE = "".join(f"{number:07}\n" for number in range(131072))


class TlsServer(Server):
    """A server with a TLS port beside the plain one, whose certificate names this machine."""

    def __init__(self, path, options, files):
        super().__init__(path, options, password="control-password")
        self.plain_options = self.options
        self.files = files
        self.user, self.user_password = USER, USER_PASSWORD

    def _launch(self):
        self.tls_port = free_port()
        self.options = [*self.plain_options, "--tls-port", str(self.tls_port), *self.files.options("local")]
        super()._launch()

    def listeners(self):
        return [*super().listeners(), (socket.AF_INET, (HOST, self.tls_port))]

    def __enter__(self):
        super().__enter__()
        self.control = redis.Redis(HOST, self.port, password=self.password, decode_responses=True)
        self.control.execute_command("ACL", "SETUSER", USER, *RULES)
        return self

    def __exit__(self, *_):
        self.control.close()
        super().__exit__()


def tls_session(checks, server, _locked):
    with Files() as files:
        files.issue("local", use="local")
        with TlsServer(server.path, server.options, files) as secure:
            secure.ours = server.ours
            for part in (_certificates, _users, _redis_cli, _benchmark, python_over_tls, tls_node_sessions, stunnel, haproxy):
                with checks.part(part.__name__.strip("_")):
                    secure.control.flushall()
                    secure.control.config_set("tls-auth-clients", "yes")
                    part(checks, secure)
            checks.true("the server with TLS is still alive", secure.alive() and secure.control.ping(), "".join(secure.log[-30:]))


def _certificate(server, name="client"):
    return ["--cert", server.files.path(f"{name}.crt"), "--key", server.files.path(f"{name}.key")]


def _base(server, program=REDIS_CLI, authority="ca"):
    return [program, "-h", HOST, "-p", str(server.tls_port), "--tls", "--cacert", server.files.path(f"{authority}.crt")]


def _ask(server, *arguments, stdin=None):
    """What redis-cli prints for the user, who shows its certificate."""
    command = [*_base(server), *_certificate(server), "--no-auth-warning", "--user", USER, "--pass", USER_PASSWORD, *arguments]
    return "".join(run(command, stdin)[1:]).rstrip("\n")


def _certificates(c, server):
    """Whom the server lets in, and whom redis-cli believes."""
    login = ["--no-auth-warning", "-a", server.password, "ping"]
    shown = {"its certificate": _certificate(server), "none": [], "a stranger's": _certificate(server, "stranger")}
    for asked, welcome in (("yes", ["its certificate"]), ("optional", ["its certificate", "none"]), ("no", list(shown))):
        server.control.config_set("tls-auth-clients", asked)
        for what, options in shown.items():
            status, out, errors = run([*_base(server), *options, *login])
            want = (0, "PONG\n") if what in welcome else (1, "")
            c.true(f"tls-auth-clients {asked}, shows {what}", (status, out) == want, (status, out, errors, "want", want))
    server.control.config_set("tls-auth-clients", "yes")
    status, out, errors = run([*_base(server, authority="other"), *_certificate(server), *login])
    c.equal("a wrong authority is refused", (status, out), (1, ""))
    c.contains("and why", errors, "certificate verify failed")
    out = run([*_base(server, authority="other"), "--insecure", *_certificate(server), *login])[1]
    c.equal("--insecure does not look", out, "PONG\n")
    out = run([REDIS_CLI, "-h", HOST, "-p", str(server.tls_port), *login])[1]
    c.equal("without --tls nothing is answered", out, "")


def _users(c, server):
    base = [*_base(server), *_certificate(server)]
    c.contains("nobody without a password", run([*base, "get", "shop:k"])[1], "NOAUTH Authentication required.")
    c.equal("--user --pass", _ask(server, "acl", "whoami"), USER)
    environment = {**os.environ, "REDISCLI_AUTH": USER_PASSWORD}
    c.equal("REDISCLI_AUTH", run([*base, "--user", USER, "acl", "whoami"], env=environment)[1], f"{USER}\n")
    address = f"rediss://{USER}:{quote(USER_PASSWORD, safe='')}@{HOST}:{server.tls_port}/0"
    out = run([REDIS_CLI, "-u", address, *base[6:], "acl", "whoami"])[1]
    c.equal("-u rediss://", out, f"{USER}\n")
    c.equal("own key", [_ask(server, "set", "shop:k", "v"), _ask(server, "-3", "get", "shop:k")], ["OK", "v"])
    c.contains("another's key", _ask(server, "get", "other:k"), "NOPERM this user has no permissions to access one of the keys")
    c.contains("another's channel", _ask(server, "publish", "news", "x"), "NOPERM this user has no permissions to access one of the channels")
    c.contains("a dangerous command", _ask(server, "flushall"), "NOPERM this user has no permissions to run the 'flushall' command")
    out = "".join(run([*base, "--no-auth-warning", "--user", USER, "--pass", "wrong", "get", "shop:k"])[1:])
    c.contains("wrong password", out, "WRONGPASS invalid username-password pair or user is disabled.")


def _redis_cli(c, server):
    requests = "".join(f"SET shop:p:{i} {i}\r\n" for i in range(2000))
    c.contains("--pipe", _ask(server, "--pipe", stdin=requests), "errors: 0, replies: 2000")
    c.equal("--pipe stored all", server.control.dbsize(), 2000)
    c.contains("--pipe counts what is denied", _ask(server, "--pipe", stdin="SET shop:x 1\r\nSET x 1\r\n"), "errors: 1, replies: 2")
    c.equal("-x with 1 MB", _ask(server, "-x", "set", "shop:large", stdin=ONE_MEGABYTE), "OK")
    c.true("1 MB arrived", server.control.get("shop:large") == ONE_MEGABYTE)
    c.true("1 MB back", _ask(server, "get", "shop:large") == ONE_MEGABYTE.rstrip("\n"))
    c.equal("stdin lines", _ask(server, stdin="MULTI\nSET shop:m 1\nINCR shop:m\nEXEC\n"), "OK\nQUEUED\nQUEUED\nOK\n2")
    c.equal("--sni, -r", _ask(server, "--sni", "localhost", "-r", "3", "incr", "shop:n"), "1\n2\n3")
    suite = _ask(server, "--tls-ciphersuites", "TLS_AES_128_GCM_SHA256", "get", "shop:n")
    c.equal("--tls-ciphersuites", suite, "3")
    c.equal("--scan", sorted(_ask(server, "--scan", "--pattern", "shop:p:199?").split()), [f"shop:p:199{i}" for i in range(10)])


def _benchmark(c, server):
    base = [*_base(server, BENCHMARK), "-q", "-n", "2000", "-c", "10", "-P", "16"]
    forms = (("-t set,get", ["-a", server.password, "-t", "set,get"], {"SET", "GET"}),
             ("of the user", ["--user", USER, "-a", USER_PASSWORD, "-r", "100", "incr", "shop:__rand_int__"],
              {"incr shop:__rand_int__"}))
    for name, options, want in forms:
        status, out, errors = run([*base, *_certificate(server), *options])
        finished = set(re.findall(r"^(.+): [\d.]+ requests per second", out.replace("\r", "\n"), re.M))
        c.true(name, (status, finished) == (0, want) and "Error from server" not in out + errors, (status, out[-300:], errors[-300:]))
    counted = sum(int(server.control.get(key)) for key in server.control.scan_iter("shop:*"))
    c.equal("every request of the user was run once", counted, 2000)
    with Lines([*base, "-a", server.password, "-t", "get"]) as refused:  # It would go on trying.
        said = refused.until("ERROR: failed to fetch reply")
    c.true("without a certificate it is refused", said and "failed to fetch reply" in said[-1], said)
