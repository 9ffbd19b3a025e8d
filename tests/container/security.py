"""The Compose file of packaging/compose-secure: certificates, users, and a container that may do nothing but serve.

Replaced is the port of the host. The passwords are those that packaging/README.md prints.
"""

import pathlib
import re
import shutil
import ssl
import subprocess
import tempfile

import data
from manifests import PACKAGING
from printed_texts import compose
from resp_client import Client
from server_process import HOST, Server, free_port, wait_until

FOLDER = PACKAGING / "compose-secure"
USERS = ("admin", "application", "health")
NO_CAPABILITIES = "0" * 16


def password_of(user):
    return f"change-me-{user}"


def denied(reply):
    return reply.startswith(b"NOPERM") if isinstance(reply, bytes) else False


def copied(folder):
    """The files of the example in a folder of their own, with certificates."""
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("tls"))
    made = subprocess.run([folder / "make-certificates.sh", "redis.example.org", "192.0.2.7"], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=False)
    if made.returncode:
        raise RuntimeError(f"make-certificates.sh: {made.stdout}{made.stderr}")
    return folder


# ---- without podman ----------------------------------------------------------------------------------------------


def secure_files(checks):
    """Certificates that belong together, and users that may do what packaging/README.md says."""
    with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as place:
        folder = copied(pathlib.Path(place, "secure"))
        certificates(checks, folder)
        users(checks, folder / "users.acl")
    text = (PACKAGING / "README.md").read_text()
    for user in USERS:
        checks.contains("packaging/README.md", text, f"| `{user}` | `{password_of(user)}`")
    checks.contains("docker-compose.yml", (FOLDER / "docker-compose.yml").read_text(),
                    f"REDISCLI_AUTH: {password_of('health')}\n")


def certificates(checks, folder):
    def openssl(*words):
        return subprocess.run(["openssl", *words], cwd=folder / "tls", stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              check=False)

    for name, purpose in (("server", "sslserver"), ("client", "sslclient")):
        done = openssl("verify", "-CAfile", "ca.crt", "-purpose", purpose, f"{name}.crt")
        checks.equal(f"{name}: openssl verify", done.returncode, 0)
        keys = [openssl("x509", "-in", f"{name}.crt", "-noout", "-pubkey").stdout,
                openssl("pkey", "-in", f"{name}.key", "-pubout").stdout]
        checks.equal(f"{name}: its key", keys[0], keys[1])
    for address in ("redis", "localhost", "redis.example.org"):
        checks.equal(f"the server is {address}", openssl("verify", "-CAfile", "ca.crt", "-verify_hostname", address,
                                                         "server.crt").returncode, 0)
    for address in ("127.0.0.1", "192.0.2.7"):
        checks.equal(f"the server is {address}", openssl("verify", "-CAfile", "ca.crt", "-verify_ip", address,
                                                         "server.crt").returncode, 0)
    for key in ("ca.key", "server.key", "client.key"):
        checks.equal(f"mode of {key}", oct((folder / "tls" / key).stat().st_mode & 0o777), oct(0o600))
    before = {path.name: path.read_bytes() for path in (folder / "tls").iterdir()}
    subprocess.run([folder / "make-certificates.sh"], stdin=subprocess.DEVNULL, capture_output=True, check=True)
    checks.equal("what is there is kept", {path.name: path.read_bytes() for path in (folder / "tls").iterdir()}, before)


def users(checks, file):
    with Server(["--aclfile", str(file)]) as server, server.client() as client:
        checks.equal("nobody without a name", client.call("PING"), b"NOAUTH Authentication required.")
        rights(checks, client)


def rights(checks, client):
    """What each of the users may do, on a connection that knows nobody yet."""
    for user in USERS:
        checks.equal(f"{user}: another password", client.call("AUTH", user, "change-me"),
                     b"WRONGPASS invalid username-password pair or user is disabled.")
    tried = [("PING",), ("SET", "app:1", "x"), ("GET", "app:1"), ("SET", "other", "x"), ("PUBLISH", "app:news", "x"),
             ("PUBLISH", "news", "x"), ("KEYS", "app:*"), ("FLUSHALL",), ("CONFIG", "GET", "port"), ("ACL", "WHOAMI"),
             ("CLIENT", "SETNAME", "me"), ("CLIENT", "KILL", "ID", "0"), ("MULTI",), ("DISCARD",)]
    allowed = {"health": {("PING",)}, "admin": set(tried),
               "application": {tried[0], tried[1], tried[2], tried[4], tried[10], tried[12], tried[13]}}
    for user in ("health", "application", "admin"):
        checks.equal(f"AUTH {user}", client.call("AUTH", user, password_of(user)), b"OK")
        for words in tried:
            reply = client.call(*words)
            checks.equal(f"{user}: {' '.join(words)} is denied", denied(reply), words not in allowed[user])


# ---- with podman -------------------------------------------------------------------------------------------------


class Secure:
    """The service of the Compose file behind a free port."""

    def __init__(self, podman):
        self.podman = podman
        self.folder = copied(pathlib.Path(podman.folder, "secure"))
        self.port = free_port()
        file = self.folder / "docker-compose.yml"
        file.write_text(file.read_text().replace('"6379:6379"', f'"{self.port}:6379"'))
        self.context = ssl.create_default_context(cafile=self.folder / "tls" / "ca.crt")
        self.compose("up", "-d")

    def compose(self, *words):
        compose(self.podman, self.folder, *words)

    @property
    def container(self):
        label = "label=com.docker.compose.service=redis"
        return self.podman.podman("ps", "--all", "--filter", label, "--format", "{{.Names}}")

    def connect(self, user=None):
        """Over TLS, once the server answers."""
        def ready():
            try:
                client = Client((HOST, self.port))
                client.socket = self.context.wrap_socket(client.socket, server_hostname="localhost")
                if client.call("PING") == b"NOAUTH Authentication required.":
                    return client
            except data.GONE:  # errors of TLS are OSErrors, too
                pass
            return None

        client = wait_until(ready)
        if client is None:
            raise RuntimeError(f"nobody answers: {self.podman.try_podman('logs', self.container)}")
        if user is not None:
            client.call("AUTH", user, password_of(user))
        return client

    def ask(self, user, *words):
        with self.connect(user) as client:
            return client.call(*words)

    def health(self):
        return self.podman.try_podman("healthcheck", "run", self.container).code


def secure_compose(checks, podman):
    secure = Secure(podman)
    with secure.connect() as client:
        rights(checks, client)
        checks.equal("version of TLS", client.socket.version(), "TLSv1.3")
    plain_text(checks, secure)
    confined(checks, secure)
    checks.true("health", wait_until(lambda: secure.health() == 0), podman.try_podman("logs", secure.container))
    changed_users(checks, secure)
    secure.ask("admin", "SET", "app:kept", "value")
    secure.compose("restart", "-t", "30")
    checks.equal("after a restart", secure.ask("admin", "GET", "app:kept"), b"value")
    secure.compose("down")
    secure.compose("up", "-d")
    checks.equal("after down and up", secure.ask("admin", "GET", "app:kept"), b"value")
    log = podman.try_podman("logs", secure.container)
    checks.true("no password in the log", "change-me" not in log.output + log.errors, log)


def plain_text(checks, secure):
    """Without TLS nobody gets an answer."""
    try:
        with Client((HOST, secure.port)) as client:
            client.send("PING")
            said = client.read_until_closed()
    except data.GONE:
        said = b""
    checks.true("no answer in plain text", b"PONG" not in said and b"NOAUTH" not in said, said)
    checks.equal("the others do not notice", secure.ask("health", "PING"), b"PONG")


def confined(checks, secure):
    """What the container may do."""
    status = secure.podman.podman("exec", secure.container, "cat", "/proc/1/status")
    found = dict(re.findall(r"^(\w+):\s+(\S+)", status, re.MULTILINE))
    checks.equal("user and group", (found["Uid"], found["Gid"]), ("999", "999"))
    for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb", "CapInh"):
        checks.equal(name, found[name], NO_CAPABILITIES)
    checks.equal("NoNewPrivs", found["NoNewPrivs"], "1")
    for path, code in (("/file", 1), ("/usr/local/bin/file", 1), ("/usr/local/etc/redis/users.acl", 1), ("/data/file", 0),
                       ("/tmp/file", 0)):
        done = secure.podman.try_podman("exec", secure.container, "sh", "-c", f"echo x >> {path}")
        checks.equal(f"writing to {path}", min(done.code, 1), code)
    checks.true("ACL SAVE says that it cannot", secure.ask("admin", "ACL", "SAVE").startswith(b"ERR "), "it did")


def changed_users(checks, secure):
    """The file is edited in place; ACL LOAD takes it, and the clients of users that are others now are disconnected."""
    file = secure.folder / "users.acl"
    good = file.read_text()
    secure.ask("admin", "SET", "app:1", "x")
    with secure.connect("application") as client:
        file.write_text(good + "user wrong on nonsense\n")
        checks.true("a wrong file is refused", secure.ask("admin", "ACL", "LOAD").startswith(b"ERR "), "it was taken")
        checks.equal("and changes nothing", client.call("GET", "app:1"), b"x")
        file.write_text(good.replace("~app:*", "~other:*"))
        with secure.connect("admin") as admin:
            admin.call("ACL", "LOAD")
        checks.equal("the old connection ends", client.read_until_closed(), b"")
    checks.true("the new rights", denied(secure.ask("application", "GET", "app:1")), "the old ones")
    file.write_text(re.sub(r"^user health .*$", "user health off", good, flags=re.MULTILINE))
    with secure.connect("admin") as admin:
        admin.call("ACL", "LOAD")
    checks.equal("a health check that is not let in", secure.health(), 1)
    file.write_text(good)
    with secure.connect("admin") as admin:
        admin.call("ACL", "LOAD")
    checks.equal("health again", secure.health(), 0)


PARTS = [secure_compose]
