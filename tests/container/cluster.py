"""A cluster in containers: the Compose file of packaging/compose-cluster, and the one that an article prints, with four more nodes
like its two.

Replaced are the ports of the host. Clients are in the network of the containers, where redirections lead somewhere.
"""

import json
import pathlib
import shutil

from manifests import PACKAGING
from printed_texts import TEXTS
from replicating import figures
from resp_client import Disconnected
from server_process import free_port, wait_until
from services import Services

FOLDER = PACKAGING / "compose-cluster"
CREATE = "create-cluster"
NODES = [f"redis-node-{number}" for number in range(1, 7)]
KEYS = 300
OTHER_ADDRESSES = "10.91.7.0/24"
PASSWORD_LINES = ("# requirepass ", "# masterauth ")


class Cluster(Services):
    def __init__(self, podman, name, text, password=None):
        folder = pathlib.Path(podman.folder, name)
        folder.mkdir(exist_ok=True)
        super().__init__(podman, folder, {node: free_port() for node in NODES}, password)
        for number, node in enumerate(NODES, 1):
            text = text.replace(f"{7000 + number}:6379", f"{self.ports[node]}:6379")
        (folder / "docker-compose.yml").write_text(text)
        self.compose("up", "-d")

    def address(self, node):
        networks = json.loads(self.podman.podman("inspect", self.container(node)))[0]["NetworkSettings"]["Networks"]
        return next(iter(networks.values()))["IPAddress"]

    def info(self, node):
        return figures(self.ask(node, "CLUSTER", "INFO"))

    def lines(self, node):
        """CLUSTER NODES as this node says it: the words of each line."""
        text = self.ask(node, "CLUSTER", "NODES").decode()
        return [line.split() for line in text.splitlines()]

    def identity(self, node):
        return self.ask(node, "CLUSTER", "MYID").decode()

    def role(self, node):
        return self.ask(node, "ROLE")[0].decode()

    def primaries(self, nodes=None):
        return [node for node in nodes or NODES if self.role(node) == "master"]

    def replica_of(self, primary):
        name = self.identity(primary)
        follower = next(line[0] for line in self.lines(primary) if line[3] == name)
        return next(node for node in NODES if self.identity(node) == follower)

    def client(self, node, commands):
        """The replies of redis-cli -c to these lines; it runs beside a node and begins with this one."""
        secret = ["-e", f"REDISCLI_AUTH={self.password}"] if self.password else []
        here = next(self.container(each) for each in NODES if each != node and self.runs(each))
        script = 'node=$0; printf "%s\\n" "$@" | redis-cli -c -h "$node"'
        said = self.podman.podman("exec", *secret, here, "sh", "-c", script, node, *commands)
        return [line for line in said.splitlines() if line and not line.startswith("-> Redirected")]

    def runs(self, service):
        return self.podman.state(self.container(service))["Status"] == "running"


def is_well(cluster, node):
    """It knows all nodes, and each slot has one; its link to its primary is up."""
    try:
        seen = cluster.info(node)
        link = cluster.figures(node).get("master_link_status", "up")
    except (Disconnected, OSError):
        return False
    wanted = {"cluster_state": "ok", "cluster_slots_ok": "16384", "cluster_known_nodes": "6", "cluster_size": "3"}
    return link == "up" and wanted.items() <= seen.items()


def all_well(checks, cluster, when):
    for node in NODES:
        checks.true(f"{when}: {node} is well", wait_until(lambda node=node: is_well(cluster, node)),
                    [cluster.info(node), cluster.lines(node)])
    checks.equal(f"{when}: primaries", len(cluster.primaries()), 3)


def write(checks, cluster, through, value):
    commands = [f"SET key:{number} {value}-{number}" for number in range(KEYS)]
    checks.equal(f"{KEYS} writes by way of {through}", cluster.client(through, commands), ["OK"] * KEYS)


def all_there(checks, cluster, through, value, when):
    found = cluster.client(through, [f"GET key:{number}" for number in range(KEYS)])
    checks.equal(f"{when}: all keys by way of {through}", found, [f"{value}-{number}" for number in range(KEYS)])


def in_step(cluster, primary, replica):
    """The replica has read all that the primary has acknowledged."""
    return wait_until(lambda: cluster.figures(primary)["master_repl_offset"] == cluster.figures(replica)["slave_repl_offset"])


def killed_and_back(checks, cluster, value):
    """Its replica takes over; it comes back as a replica, with its own name."""
    primary = cluster.primaries()[0]
    replica, name = cluster.replica_of(primary), cluster.identity(primary)
    checks.true(f"{replica} has everything", in_step(cluster, primary, replica), cluster.figures(replica))
    cluster.kill(primary)
    others = [node for node in NODES if node != primary]
    checks.true(f"{replica} takes over from {primary}", wait_until(lambda: cluster.role(replica) == "master"), cluster.lines(replica))
    for node in others:
        checks.true(f"without {primary}: {node} is well", wait_until(lambda node=node: is_well(cluster, node)), cluster.info(node))
    all_there(checks, cluster, others[-1], value, f"without {primary}")
    write(checks, cluster, others[0], f"{value}-later")
    cluster.start_again(primary)
    checks.true(f"{primary} comes back as a replica", wait_until(lambda: follows(cluster, primary)), cluster.lines(replica))
    checks.equal("under its name", cluster.identity(primary), name)
    all_well(checks, cluster, f"with {primary} again")
    all_there(checks, cluster, primary, f"{value}-later", f"with {primary} again")


def follows(cluster, node):
    try:
        return cluster.role(node) == "slave"
    except (Disconnected, OSError):
        return False


def created(checks, cluster):
    """The service that makes the cluster has ended well."""
    def ended():
        state = cluster.podman.state(cluster.container(CREATE))
        return state["Status"] == "exited" and state["ExitCode"] == 0
    checks.true(f"{CREATE} ends", wait_until(ended), cluster.podman.try_podman("logs", cluster.container(CREATE)))


def packaged(podman, name, password=None):
    folder = pathlib.Path(podman.folder, name)
    shutil.copytree(FOLDER, folder)
    if password is not None:
        settings = folder / "redis.conf"
        text = settings.read_text()
        for line in PASSWORD_LINES:
            text = text.replace(line, line.removeprefix("# "))
        settings.write_text(text)
    return Cluster(podman, name, (FOLDER / "docker-compose.yml").read_text(), password)


def cluster_compose(checks, podman):
    cluster = packaged(podman, "cluster")
    created(checks, cluster)
    all_well(checks, cluster, "at first")
    for node in NODES:
        checks.equal(f"{node}: health", podman.try_podman("healthcheck", "run", cluster.container(node)).code, 0)
        known = wait_until(lambda node=node: sorted(line[1] for line in cluster.lines(node)) == [f"{each}:6379@16379" for each in NODES])
        checks.true(f"{node} knows all by their names", known, cluster.lines(node))
    write(checks, cluster, "redis-node-2", "first")
    all_there(checks, cluster, "redis-node-5", "first", "at first")
    killed_and_back(checks, cluster, "first")
    other_addresses(checks, cluster, "first-later")
    podman.clean()
    checks.equal("nothing is left", podman.podman("ps", "--all", "--quiet") + podman.podman("volume", "ls", "--quiet"), "")


def other_addresses(checks, cluster, value):
    """All containers are made anew, in a network with other addresses: the same nodes, roles, slots and data."""
    podman = cluster.podman
    before = {node: (cluster.identity(node), cluster.role(node)) for node in NODES}
    addresses = {node: cluster.address(node) for node in NODES}
    cluster.compose("down")
    network = f"{cluster.folder.name}_default"
    podman.try_podman("network", "rm", "--force", network)
    podman.podman("network", "create", "--subnet", OTHER_ADDRESSES, network)
    cluster.compose("up", "-d")
    checks.equal("addresses that stayed", [node for node in NODES if cluster.address(node) == addresses[node]], [])
    all_well(checks, cluster, "in new containers")
    created(checks, cluster)
    checks.equal("who is who", {node: (cluster.identity(node), cluster.role(node)) for node in NODES}, before)
    all_there(checks, cluster, "redis-node-3", value, "in new containers")
    write(checks, cluster, "redis-node-1", "anew")


def cluster_compose_with_password(checks, podman):
    """The two lines of the config file that are comments, without their `#`."""
    cluster = packaged(podman, "cluster-with-password", "change-me")
    created(checks, cluster)
    all_well(checks, cluster, "with a password")
    write(checks, cluster, "redis-node-3", "secret")
    all_there(checks, cluster, "redis-node-4", "secret", "with a password")


# ---- a Compose file as an article prints it --------------------------------------------------------------------------


def printed_text():
    """Two nodes are printed; the others are added similarly, as it says."""
    text = (TEXTS / "cluster-compose.yml").read_text()
    begin, end = text.index("  redis-node-2:"), text.index("# Add additional nodes similarly")
    second = text[begin:end]
    more = "".join(second.replace("redis-node-2", f"redis-node-{number}").replace("7002", f"700{number}") for number in range(3, 7))
    return text[:end] + more + text[end:]


def printed_cluster_compose(checks, podman):
    """Whose nodes know nobody, until somebody makes a cluster of their addresses."""
    cluster = Cluster(podman, "printed-cluster", printed_text())
    for node in NODES:
        alone = wait_until(lambda node=node: answers(cluster, node) and cluster.info(node)["cluster_known_nodes"] == "1")
        checks.true(f"{node} knows nobody", alone, cluster.info(node))
    checks.true("and takes no keys", cluster.ask(NODES[0], "SET", "key", 1).startswith(b"CLUSTERDOWN"))
    said = podman.podman("exec", cluster.container(NODES[0]), "redis-cli", "--cluster", "create",
                         *(f"{cluster.address(node)}:6379" for node in NODES), "--cluster-replicas", 1, "--cluster-yes")
    checks.contains("redis-cli --cluster create", said, "All 16384 slots covered")
    all_well(checks, cluster, "once created")
    write(checks, cluster, "redis-node-2", "printed")
    killed_and_back(checks, cluster, "printed")
    podman.podman("restart", *(cluster.container(node) for node in NODES))
    all_well(checks, cluster, "restarted")
    all_there(checks, cluster, "redis-node-6", "printed-later", "restarted")


def answers(cluster, node):
    try:
        return cluster.ask(node, "PING") == b"PONG"
    except (Disconnected, OSError):
        return False


PARTS = [cluster_compose, cluster_compose_with_password, printed_cluster_compose]
