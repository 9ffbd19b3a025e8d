"""python3-redis, ioredis and node-redis in cluster mode: six nodes made by redis-cli, ours alone and among stock ones. All clients
work at once while a primary is killed and comes back, and slots move there and back.

What happens to the nodes, and what has to be there afterwards, is in cluster_deployment.py; what the clients do, in
cluster_python.py and node/*_cluster.js.
"""

import contextlib
import json
import re

from cluster_deployment import MAKES, Ring
from cluster_printed import printed_cluster
from cluster_python import EXPECTED, PythonCluster
from harness import Lines, record_line
from node_session import HERE, node_environment
from replicating import REFERENCE, THEIRS, ours_is_tested

NODE_CLIENTS = ("ioredis", "redis")
SECONDS_MAX = 300
# What the others may be told, behind the kind of work.
EXPECTED_TEXT = re.compile(
    r"\w+: \w*Error: (CLUSTERDOWN|MASTERDOWN|LOADING|READONLY|TRYAGAIN|ASK|MOVED|EXECABORT|The client is (offline|closed)"
    r"|connect ECONNREFUSED|read ECONNRESET|Connection is closed|Socket closed|Disconnects client|Too many Cluster redirections"
    r"|Reached the max retries|Failed to refresh slots|Command timed out|Cannot find node|None of the)")


class NodeCluster(Lines):
    """One of the programs. It does what it is told line by line, and answers each with a line that begins with the same word."""

    def __init__(self, name, ring, tags):
        self.name = name
        facts = json.dumps({"ports": ring.ports, "tags": tags})
        super().__init__(["setpriv", "--pdeathsig", "KILL", "node", f"{HERE}/node/{name}_cluster.js", facts], node_environment(),
                         SECONDS_MAX)
        self.seen = []

    def wait_for(self, word):
        seen = self.until(word)
        self.seen += seen
        return seen[-1] if seen and seen[-1].startswith(word) else f"it ends: {seen[-5:]}"

    def tell(self, word):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(f"{word}\n".encode())
            self.process.stdin.flush()


def cluster_session(checks, server, _locked):
    threads = int(server.options[-1]) if "--threads" in server.options else 2
    for title, makes in MAKES.items():
        if THEIRS in makes and (threads == 1 or not (REFERENCE and ours_is_tested())):
            continue  # once is enough
        with checks.part(title), Ring(checks, makes, threads) as ring:
            tags = ring.tags()
            python = PythonCluster(ring.ports, tags)
            with checks.part("python"):
                python.before(checks)
            with contextlib.ExitStack() as opened:
                programs = [opened.enter_context(NodeCluster(name, ring, tags)) for name in NODE_CLIENTS]
                for program in programs:
                    checks.equal(f"{program.name} works", program.wait_for("ready"), "ready")
                opened.enter_context(python)
                changes(checks, ring, python, programs)
                results(checks, ring, python, programs)
    with checks.part("printed"):
        printed_cluster(checks, server)


def laps(checks, name, python, programs):
    """Everything works again, with every client and every tag."""
    for program in programs:
        program.tell("lap")
    with checks.part(name):
        checks.true("python works", python.lap(), (dict(python.saw), list(python.lacking)[:5]))
        for program in programs:
            checks.equal(f"{program.name} works", program.wait_for("lap"), "lap")


def changes(checks, ring, python, programs):
    laps(checks, "at first", python, programs)
    for make in dict.fromkeys(ring.makes):
        with checks.part(f"a primary of {make} is killed"):
            primary = next(node for node in ring.primaries() if node.make == make)
            ring.kill(primary)
            laps(checks, "without it", python, programs)
            ring.restart(primary)
            laps(checks, "when it is back", python, programs)
    with checks.part("slots move"):
        for source, target in there_and_back(ring):
            ring.reshard(source, target)
            laps(checks, f"from {source.make} to {target.make}", python, programs)


def there_and_back(ring):
    """(source, target) twice, of both makes where there are two."""
    first, *others = ring.primaries()
    other = next((node for node in others if node.make != first.make), others[0])
    return [(first, other), (other, first)]


def results(checks, ring, python, programs):
    for program in programs:
        program.tell("stop")
    python.stop()
    said = [ring.verify("python", python.noted, python.sent), f"python saw {dict(python.saw)}"]
    checks.equal("python: what was written and not found", [key for key, at in python.missed if not ring.excused(key, at)], [])
    checks.equal("python saw only what has to be expected", [name for name in python.saw if name not in EXPECTED], [])
    for program in programs:
        said_last = program.wait_for("books ")
        if not checks.true(f"{program.name} tells what it has noted", said_last.startswith("books "), said_last):
            continue
        books = json.loads(said_last.removeprefix("books "))
        said += [ring.verify(program.name, books["noted"], books["sent"]), f"{program.name} saw {books['saw']}"]
        missed = [key for key, at in books["missed"] if not ring.excused(key, at)]
        checks.equal(f"{program.name}: what was written and not found", missed, [])
        unexpected = [text for text in books["saw"] if not EXPECTED_TEXT.match(text)]
        checks.equal(f"{program.name} saw only what has to be expected", unexpected, [])
        program.tell("after")
    with checks.part("python afterwards"):
        python.after(checks)
    for program in programs:
        checks.equal(f"the session of {program.name} came to its end", program.wait_for("end"), "end")
        with checks.part(program.name):
            for line in program.seen:
                record_line(checks, line)
    ring.replicas_agree()
    if checks.verbose:
        print("\n".join(f"  {line}" for line in said), flush=True)
