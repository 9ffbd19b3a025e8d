"""The Compose file of packaging/compose-replicas: primaries that die, and replicas that take their place by hand.

Replaced are the ports of the host, and what packaging/README.md says to change.
"""

import pathlib
import re

import data
from manifests import PACKAGING
from server_process import free_port, wait_until
from services import Services

FOLDER = PACKAGING / "compose-replicas"
PRIMARY, REPLICAS = "redis-primary", ("redis-replica-1", "redis-replica-2")
SERVICES = (PRIMARY, *REPLICAS)
OF_THE_PRIMARY = f" --replicaof {PRIMARY} 6379"
PASSWORD_LINE = re.compile(r"^# (requirepass|masterauth) ", re.MULTILINE)
WAIT_MILLISECONDS = 20_000


class Group(Services):
    """The three services of the Compose file, each behind a free port."""

    def __init__(self, podman, name, password=None):
        super().__init__(podman, pathlib.Path(podman.folder, name), {service: free_port() for service in SERVICES}, password)
        self.folder.mkdir()
        text = (FOLDER / "docker-compose.yml").read_text()
        for printed, port in zip((6379, 6380, 6381), self.ports.values()):
            text = text.replace(f'"{printed}:6379"', f'"{port}:6379"')
        self.up(text)

    def up(self, text):
        self.text = text
        (self.folder / "docker-compose.yml").write_text(text)
        settings = (FOLDER / "redis.conf").read_text()
        if self.password is not None:
            settings = PASSWORD_LINE.sub(r"\1 ", settings)
        (self.folder / "redis.conf").write_text(settings)
        self.compose("up", "-d")

    def number(self, service, section, name):
        return int(self.figures(service, section)[name])

    def write(self, service, value):
        """Whatever `data` does not look at; returns how many replicas have it."""
        with data.connect(self.ports[service], self.password) as client:
            client.call("SET", "string:8", value)
            return client.call("WAIT", len(REPLICAS), WAIT_MILLISECONDS)

    def link_is(self, replica, status):
        return wait_until(lambda: self.figures(replica).get("master_link_status") == status)


def all_follow(checks, group, primary):
    """Everybody else is its replica, online, and INFO of both sides says so."""
    others = [service for service in SERVICES if service != primary]
    for service in others:
        checks.true(f"{service}: the link is up", group.link_is(service, "up"), group.figures(service))
    lines = [f"slave{number}" for number in range(len(others))]
    online = wait_until(lambda: [",state=online," in group.figures(primary).get(line, "") for line in lines] == [True] * 2)
    checks.true(f"{primary}: both are online", online, group.figures(primary))
    checks.equal(f"{primary}: role and replicas", [group.figures(primary)[name] for name in ("role", "connected_slaves")],
                 ["master", "2"])
    checks.equal("roles of the others", [group.figures(service)["role"] for service in others], ["slave", "slave"])


def replicas_compose(checks, podman):
    """A primary that is killed and comes back with its volume; then one that is lost, and a replica in its place."""
    group = Group(podman, "replicas")
    all_follow(checks, group, PRIMARY)
    data.write(group.ports[PRIMARY])
    checks.equal("WAIT", group.write(PRIMARY, "at first"), 2)
    for replica in REPLICAS:
        checks.equal(f"{replica}: missing", group.missing(replica), [])
        checks.equal(f"{replica}: a write", group.ask(replica, "SET", "string:7", "other"),
                     b"READONLY You can't write against a read only replica.")

    checks.equal("a write that no replica was waited for", group.ask(PRIMARY, "SET", "string:8", "unheard"), b"OK")
    killed_and_back(checks, group)
    promoted, other = by_hand(checks, group)
    old_primary_follows(checks, group, promoted)
    as_the_file_says(checks, group, promoted, other)


def killed_and_back(checks, group):
    group.kill(PRIMARY)
    checks.equal("exit code", group.podman.state(group.container(PRIMARY))["ExitCode"], 137)
    for replica in REPLICAS:
        checks.true(f"{replica}: the link is down", group.link_is(replica, "down"), group.figures(replica))
        checks.equal(f"{replica}: missing without a primary", group.missing(replica), [])
    group.start_again(PRIMARY)
    all_follow(checks, group, PRIMARY)
    for service in SERVICES:
        checks.equal(f"{service}: missing after the restart", group.missing(service), [])
        checks.equal(f"{service}: the last write", group.ask(service, "GET", "string:8"), b"unheard")
    checks.equal("WAIT after the restart", group.write(PRIMARY, "afterwards"), 2)


def by_hand(checks, group):
    """The replica that has read most takes the place of the primary; the other one goes on where it was."""
    group.kill(PRIMARY)
    for replica in REPLICAS:
        checks.true(f"{replica}: the link is down again", group.link_is(replica, "down"), group.figures(replica))
    promoted = max(REPLICAS, key=lambda replica: group.number(replica, "replication", "slave_repl_offset"))
    other = next(replica for replica in REPLICAS if replica != promoted)
    checks.equal("REPLICAOF NO ONE", group.ask(promoted, "REPLICAOF", "NO", "ONE"), b"OK")
    checks.equal("REPLICAOF", group.ask(other, "REPLICAOF", promoted, 6379), b"OK")
    checks.true("the link is up", group.link_is(other, "up"), group.figures(other))
    checks.equal("full and partial synchronisations", [group.number(promoted, "stats", name) for name in (
        "sync_full", "sync_partial_ok", "sync_partial_err")], [0, 1, 0])
    with data.connect(group.ports[promoted]) as client:
        client.call("SET", "string:8", "under another primary")
        checks.equal("WAIT", client.call("WAIT", 1, WAIT_MILLISECONDS), 1)
    for replica in REPLICAS:
        checks.equal(f"{replica}: the write", group.ask(replica, "GET", "string:8"), b"under another primary")
        checks.equal(f"{replica}: missing after the change", group.missing(replica), [])
    return promoted, other


def old_primary_follows(checks, group, promoted):
    group.start_again(PRIMARY)
    checks.equal("it has not heard of the change", group.ask(PRIMARY, "GET", "string:8"), b"afterwards")
    checks.equal("REPLICAOF of the old primary", group.ask(PRIMARY, "REPLICAOF", promoted, 6379), b"OK")
    all_follow(checks, group, promoted)
    checks.equal("WAIT for the old primary too", group.write(promoted, "for all"), 2)
    checks.equal("the old primary: missing", group.missing(PRIMARY), [])


def as_the_file_says(checks, group, promoted, other):
    """With the Compose file changed as packaging/README.md says, new containers have the roles that the old ones had.
    podman-compose does not see by itself which containers are to be made anew, as docker does: all of them are."""
    commands = {service: re.search(rf"^  {service}:$.*?^    command: .*?$", group.text, re.MULTILINE | re.DOTALL).group()
                for service in SERVICES}
    following = f" --replicaof {promoted} 6379"
    text = group.text.replace(commands[promoted], commands[promoted].removesuffix(OF_THE_PRIMARY))
    text = text.replace(commands[other], commands[other].removesuffix(OF_THE_PRIMARY) + following)
    text = text.replace(commands[PRIMARY], commands[PRIMARY] + following)
    checks.equal("who follows whom in the file", re.findall(r" --replicaof (.*) 6379$", text, re.MULTILINE), [promoted] * 2)
    group.compose("down")
    group.up(text)
    all_follow(checks, group, promoted)
    for service in SERVICES:
        checks.equal(f"{service}: missing in a new container", group.missing(service), [])
        checks.equal(f"{service}: the last write", group.ask(service, "GET", "string:8"), b"for all")


def replicas_compose_with_password(checks, podman):
    """The two lines of the config file that are comments, without their `#`."""
    group = Group(podman, "replicas-with-password", "change-me")
    all_follow(checks, group, PRIMARY)
    data.write(group.ports[PRIMARY], group.password)
    checks.equal("WAIT", group.write(PRIMARY, "value"), 2)
    for replica in REPLICAS:
        checks.equal(f"{replica}: missing", group.missing(replica), [])


PARTS = [replicas_compose, replicas_compose_with_password]
