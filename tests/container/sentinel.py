"""Sentinels in containers: the Compose file of packaging/compose-sentinel, and the config file that an article prints.

Replaced are the ports of the host. Names are asked for where they mean something, inside the network of the containers.
"""

import contextlib
import pathlib
import re
import shutil

import data
from manifests import PACKAGING
from printed_texts import CONFIG
from resp_client import Client
from server_process import HOST, SECONDS_MAX, free_port, wait_until
from services import Services

FOLDER = PACKAGING / "compose-sentinel"
PRINTED = CONFIG.parent / "sentinel.conf"
SERVERS = {"redis-1": 6379, "redis-2": 6380, "redis-3": 6381}
SENTINELS = {"sentinel-1": 26379, "sentinel-2": 26380, "sentinel-3": 26381}
NAME = "mymaster"
PASSWORD_LINE = re.compile(r"^# (?=requirepass |masterauth |sentinel auth-pass )", re.MULTILINE)
WAIT_MILLISECONDS = 20_000


def texts(pairs):
    words = [word.decode() for word in pairs]
    return dict(zip(words[::2], words[1::2]))


class Watched(Services):
    """Servers and sentinels; what a sentinel says is asked by the port of the host that is its own."""

    def primary(self, sentinel):
        """(host, port) as a client is told them."""
        host, port = self.ask(sentinel, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)
        return host.decode(), int(port)

    def about(self, sentinel, what):
        """[{field: value}] of SENTINEL REPLICAS or SENTINELS."""
        return [texts(one) for one in self.ask(sentinel, "SENTINEL", what, NAME)]

    def state(self, sentinel):
        """What it knows of the primary."""
        return texts(self.ask(sentinel, "SENTINEL", "MASTER", NAME))

    def identity(self, sentinel):
        """What it may not forget."""
        fields = self.state(sentinel)
        return (self.ask(sentinel, "SENTINEL", "MYID"), self.primary(sentinel),
                *(fields[name] for name in ("config-epoch", "quorum", "num-slaves", "num-other-sentinels")))

    @contextlib.contextmanager
    def move(self, sentinel):
        """A failover is expected: yields a function that waits for the message of it and returns its text."""
        with Client((HOST, self.ports[sentinel]), timeout=SECONDS_MAX) as client:
            client.call("SUBSCRIBE", "+switch-master")
            yield lambda: client.read()[-1].decode()


class Deployment(Watched):
    def __init__(self, podman, name, password=None):
        folder = pathlib.Path(podman.folder, name)
        shutil.copytree(FOLDER, folder)
        super().__init__(podman, folder, {service: free_port() for service in (*SERVERS, *SENTINELS)}, password)
        for path in folder.glob("*.conf") if password is not None else ():
            path.write_text(PASSWORD_LINE.sub("", path.read_text()))
        file = folder / "docker-compose.yml"
        text = file.read_text()
        for service, printed in (*SERVERS.items(), *SENTINELS.items()):
            text = text.replace(f'"{printed}:', f'"{self.ports[service]}:')
        file.write_text(text)
        self.compose("up", "-d")

    def client(self, sentinel, *words):
        """What a client in the network is told, with nothing but redis-cli and the name of a sentinel. It tries again while the
        server of names, which is told of each container that ends, is not there."""
        script = 'set -- $(redis-cli -h "$0" -p 26379 SENTINEL GET-MASTER-ADDR-BY-NAME mymaster) "$@"; ' \
            'host=$1 port=$2; shift 2; redis-cli -h "$host" -p "$port" "$@"'
        here = self.container("redis-2")
        return wait_until(lambda: self.podman.try_podman("exec", here, "sh", "-c", script, sentinel, *words).output)


def follows(group, server, primary):
    figures = group.figures(server)
    return (figures.get("master_host"), figures.get("master_link_status")) == (primary, "up")


def knows_all(group, sentinel, primary):
    """A sentinel knows the primary, both replicas and both other sentinels, by their names, and all are well."""
    fields = group.state(sentinel)
    replicas, others = group.about(sentinel, "REPLICAS"), group.about(sentinel, "SENTINELS")
    return ((fields["ip"], fields["flags"]) == (primary, "master")
            and sorted(one["name"] for one in replicas) == sorted(f"{name}:6379" for name in SERVERS if name != primary)
            and all(one["flags"] == "slave" for one in replicas)
            and sorted(one["ip"] for one in others) == sorted(name for name in SENTINELS if name != sentinel)
            and all(one["flags"] == "sentinel" for one in others))


def all_agree(checks, group, primary):
    for server in SERVERS:
        if server != primary:
            checks.true(f"{server}: follows {primary}", wait_until(lambda: follows(group, server, primary)), group.figures(server))
    for sentinel in SENTINELS:
        known = wait_until(lambda: knows_all(group, sentinel, primary))
        checks.true(f"{sentinel}: all is well, {primary} is the primary", known,
                    [group.state(sentinel), group.about(sentinel, "REPLICAS"), group.about(sentinel, "SENTINELS")])
        checks.equal(f"{sentinel}: what a client is told", group.primary(sentinel), (primary, 6379))
    checks.equal("the quorum can be reached", group.ask("sentinel-1", "SENTINEL", "CKQUORUM", NAME),
                 b"OK 3 usable Sentinels. Quorum and failover authorization can be reached")


def write(checks, group, primary, value):
    """By way of the port of the host; both replicas have it afterwards."""
    with data.connect(group.ports[primary], group.password) as client:
        written = wait_until(lambda: client.call("SET", "string:8", value) == b"OK")  # it waits for replicas to be there
        checks.true(f"a write to {primary}", written, "is refused")
        checks.equal(f"replicas of {primary} that have it", client.call("WAIT", 2, WAIT_MILLISECONDS), 2)


def sentinel_compose(checks, podman):
    """The primary is killed, comes back, and every container is made anew; whoever asks is told where the data are."""
    group = Deployment(podman, "sentinel")
    all_agree(checks, group, "redis-1")
    for service in group.ports:
        checks.equal(f"{service}: health", podman.try_podman("healthcheck", "run", group.container(service)).code, 0)
    wait_until(lambda: group.figures("redis-1").get("min_slaves_good_slaves") == "2")
    data.write(group.ports["redis-1"])
    write(checks, group, "redis-1", "at first")
    promoted = failover(checks, group)
    old_primary_follows(checks, group, promoted)
    sentinels_restart(checks, group, promoted)
    all_made_anew(checks, group, promoted)
    podman.clean()
    checks.equal("nothing is left", podman.podman("ps", "--all", "--quiet") + podman.podman("volume", "ls", "--quiet"), "")


def failover(checks, group):
    with group.move("sentinel-1") as moved:
        group.kill("redis-1")
        name, old, _, promoted, port = moved().split()
    checks.equal("who moves", (name, old, port), (NAME, "redis-1", "6379"))
    checks.true("to whom", promoted in ("redis-2", "redis-3"), promoted)
    for sentinel in SENTINELS:
        checks.true(f"{sentinel} tells clients", wait_until(lambda: group.primary(sentinel) == (promoted, 6379)),
                    group.primary(sentinel))
        checks.equal(f"a client that asks {sentinel}", group.client(sentinel, "GET", "string:8"), "at first")
    checks.equal("missing", group.missing(promoted), [])
    return promoted


def old_primary_follows(checks, group, promoted):
    """It begins as a primary, as it ended; the sentinels make it a replica, and it writes that down."""
    group.start_again("redis-1")
    all_agree(checks, group, promoted)
    write(checks, group, promoted, "under another primary")
    for server in SERVERS:
        checks.equal(f"{server}: missing", group.missing(server), [])
        checks.equal(f"{server}: the write", group.ask(server, "GET", "string:8"), b"under another primary")
    kept = wait_until(lambda: f"\nreplicaof {promoted} 6379\n" in group.podman.podman(
        "exec", group.container("redis-1"), "cat", "/data/redis.conf"))
    checks.true("redis-1: whom it follows is in its file", kept, "it is not")


def sentinels_restart(checks, group, promoted):
    before = [group.identity(sentinel) for sentinel in SENTINELS]
    group.podman.podman("restart", *(group.container(sentinel) for sentinel in SENTINELS))
    checks.equal("what the sentinels know at once", [group.identity(sentinel) for sentinel in SENTINELS], before)
    all_agree(checks, group, promoted)


def all_made_anew(checks, group, promoted):
    """New containers have other addresses, and the same names and volumes: roles stay."""
    before = [group.identity(sentinel) for sentinel in SENTINELS]
    group.compose("down")
    group.compose("up", "-d")
    all_agree(checks, group, promoted)
    checks.equal("what the sentinels know", [group.identity(sentinel) for sentinel in SENTINELS], before)
    write(checks, group, promoted, "in new containers")
    for server in SERVERS:
        checks.equal(f"{server}: missing in a new container", group.missing(server), [])
        checks.equal(f"{server}: the last write", group.ask(server, "GET", "string:8"), b"in new containers")


def sentinel_compose_with_password(checks, podman):
    """The three lines of the config files that are comments, without their `#`; and a failover that is asked for."""
    group = Deployment(podman, "sentinel-with-password", "change-me")
    all_agree(checks, group, "redis-1")
    with group.move("sentinel-3") as moved:
        checks.equal("SENTINEL FAILOVER", group.ask("sentinel-2", "SENTINEL", "FAILOVER", NAME), b"OK")
        promoted = moved().split()[3]
    all_agree(checks, group, promoted)
    write(checks, group, promoted, "with a password")
    with data.connect(group.ports[promoted], "change-me") as client:
        checks.equal("another password", client.call("AUTH", "other"),
                     b"WRONGPASS invalid username-password pair or user is disabled.")


# ---- a config file as articles print it, mounted as articles mount it ----------------------------------------------------------


def start_printed(podman):
    """A primary under the printed name, a replica, and three sentinels. The sentinels' files belong to root; one is in a
    folder that is mounted, the others are mounted by themselves, so that nothing can be put in their place."""
    group = Watched(podman, None, {name: free_port() for name in ("redis-master", "replica", *SENTINELS)})
    podman.podman("network", "create", "printed")

    def run(name, port, *words, options=()):
        podman.podman("run", "--detach", "--name", name, "--network", "printed", "--publish", f"{group.ports[name]}:{port}",
                      *options, "redis:7-alpine", *words)

    run("redis-master", 6379, options=("--network-alias", "redis-master.internal"))
    run("replica", 6379, "redis-server", "--replicaof", "redis-master.internal", "6379")
    for sentinel in SENTINELS:
        folder = pathlib.Path(podman.folder, sentinel)
        folder.mkdir()
        file = folder / "sentinel.conf"
        shutil.copy(PRINTED, file)
        file.chmod(0o644)
        if sentinel == "sentinel-3":
            run(sentinel, 26379, "redis-server", "/etc/redis/sentinel.conf", "--sentinel",
                options=("--volume", f"{folder}:/etc/redis"))
        else:
            run(sentinel, 26379, "redis-sentinel", "/etc/redis/sentinel.conf",
                options=("--volume", f"{file}:/etc/redis/sentinel.conf"))
    return group


def printed_sentinel(checks, podman):
    group = start_printed(podman)

    def settled(sentinel):
        fields = group.state(sentinel)
        return ((fields["flags"], fields["num-slaves"], fields["num-other-sentinels"]) == ("master", "1", "2")
                and group.about(sentinel, "REPLICAS")[0]["master-link-status"] == "ok")

    for sentinel in SENTINELS:
        checks.true(f"{sentinel}: knows everybody", wait_until(lambda: settled(sentinel)), group.state(sentinel))
        fields = group.state(sentinel)
        checks.equal(f"{sentinel}: as printed", [fields[name] for name in ("quorum", "down-after-milliseconds",
                                                                            "failover-timeout")], ["2", "5000", "10000"])
    data.write(group.ports["redis-master"])
    checks.equal("WAIT", group.ask("redis-master", "WAIT", 1, WAIT_MILLISECONDS), 1)
    with group.move("sentinel-2") as moved:
        podman.podman("kill", "redis-master")
        promoted = moved().split()[3]
    checks.equal("the replica is the primary", group.figures("replica")["role"], "master")
    checks.equal("missing", group.missing("replica"), [])
    for sentinel in SENTINELS:
        checks.true(f"{sentinel} knows", wait_until(lambda: group.primary(sentinel) == (promoted, 6379)), group.primary(sentinel))
    before = [group.identity(sentinel) for sentinel in SENTINELS]
    podman.podman("restart", *SENTINELS)
    checks.equal("what the sentinels know after a restart", [group.identity(sentinel) for sentinel in SENTINELS], before)
    for sentinel in SENTINELS:
        text = pathlib.Path(podman.folder, sentinel, "sentinel.conf").read_text()
        checks.true(f"{sentinel}: the file of the host", text.startswith("# Sentinel config\nsentinel monitor mymaster ")
                    and f" {promoted} 6379 2" in text and "\nsentinel known-sentinel " in text, text)


PARTS = [sentinel_compose, sentinel_compose_with_password, printed_sentinel]
