#!/usr/bin/python3
"""This server as a replica of stock redis-server: the same data in the end, and what its clients see meanwhile.

    SEED=n following.py [PART]     repeats a run
"""

import contextlib
import pathlib
import random
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from checks import run_parts  # noqa: E402
from replicating import (OURS, REFERENCE, SEED, THEIRS, Crew, Host, Proxy, fill, in_step, is_up,  # noqa: E402
                         linked, number, place, same_data, went_well)
from resp_client import ErrorReply  # noqa: E402
from server_process import HOST, wait_until  # noqa: E402
from storm_writes import Storm  # noqa: E402

READONLY = b"READONLY You can't write against a read only replica."
MASTERDOWN = b"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."
LOADING = b"LOADING "
CUTS = 8
PAIRS = 5


@contextlib.contextmanager
def primary_and(*replicas, options=()):
    """Stock redis-server, and servers that do not follow it yet: each (make, options...)."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Host(THEIRS, options)), *[stack.enter_context(Host(*one)) for one in replicas]]


def link_is_down(replica):
    return wait_until(lambda: replica.figures()["master_link_status"] == "down")


# ---- the same data ----------------------------------------------------------------------------------------------


def same_data_in_the_end(checks):
    """Every way to get the first data set, with one core and with four, while clients write."""
    for diskless, load, threads in (("no", "disabled", 1), ("no", "swapdb", 4), ("yes", "disabled", 4),
                                    ("yes", "swapdb", 4), ("yes", "on-empty-db", 1)):
        name = f"diskless {diskless}, load {load}, {threads} threads"
        with checks.part(name), primary_and((OURS, ["--repl-diskless-load", load], threads),
                                            options=["--repl-diskless-sync", diskless]) as (primary, replica):
            fill(primary)
            if load != "on-empty-db":
                fill(replica, 100)
            replica.ask("SET", "of its own", "goes")
            with Storm(primary, name) as storm:
                storm.busy(2)
                checks.equal("REPLICAOF", replica.follow(primary), b"OK")
                is_up(checks, "first", replica)
                storm.busy()
            went_well(checks, "writers", storm)
            same_data(checks, "afterwards", primary, replica)
            checks.contains("again", replica.follow(primary), b"OK Already connected to specified master")


def cut_again_and_again(checks):
    """It asks for what it lacks and no more, wherever the stream was cut; so do its own replicas."""
    with primary_and((OURS, [], 4), (THEIRS,), (OURS, [], 1)) as (primary, replica, *below):
        chance = random.Random(f"{SEED} cuts")
        fill(primary, 200)
        with Proxy(primary) as cable, Proxy(replica) as lower, Storm(primary, "cut", lull=0.002) as storm:
            replica.follow(cable)
            is_up(checks, "first", replica)
            for one in below:
                one.follow(lower)
                is_up(checks, f"below, {one.make}", one)
            full = [number(one, "stats", "sync_full") for one in (primary, replica)]
            for time in range(1, CUTS + 1):
                cut = cable if time % 2 else lower
                before = cut.cuts
                cut.cut_within(chance.randrange(1, 20000))
                checks.true("cut", wait_until(lambda cut=cut, before=before: cut.cuts == before + 1))
                for one in (replica, *below):
                    is_up(checks, f"{one.make} again", one)
            storm.stop()
            went_well(checks, "writers", storm)
            same_data(checks, "afterwards", primary, replica, *below)
            checks.equal("full ones", [number(one, "stats", "sync_full") for one in (primary, replica)], full)


# ---- what clients of a replica see ------------------------------------------------------------------------------


def read_only(checks):
    with primary_and((OURS, [], 2)) as (primary, replica):
        replica.follow(primary)
        is_up(checks, "first", replica)
        primary.ask("SET", "k", "v")
        in_step(primary, replica)
        with replica.client() as client:
            for words in (("SET", "k", "w"), ("DEL", "k"), ("FLUSHALL",), ("SPOP", "nothing"), ("RESTORE", "r", 0, "x"),
                          ("BLPOP", "queue", 0)):
                checks.equal(f"{words}", client.call(*words), READONLY)
            checks.equal("reading", client.call("GET", "k"), b"v")
            checks.equal("PUBLISH", client.call("PUBLISH", "news", "x"), 0)
            client.call("MULTI")
            checks.equal("in a transaction", client.call("SET", "k", "w"), READONLY)
            checks.contains("EXEC", client.call("EXEC"), b"EXECABORT")
            client.call("CONFIG", "SET", "replica-read-only", "no")
            checks.equal("when it may", client.call("SET", "own", "w"), b"OK")
            checks.equal("with a time", client.call("SET", "own:soon", "w", "PX", 1), b"OK")
            checks.true("its own keys expire", wait_until(lambda: client.call("EXISTS", "own:soon") == 0))
            client.call("DEL", "own")
            client.call("CONFIG", "SET", "replica-read-only", "yes")
            checks.equal("and again", client.call("SET", "k", "w"), READONLY)
            checks.contains("BLPOP that waits when it becomes a replica", become_one_while_blocked(primary, replica),
                            b"UNBLOCKED force unblock from blocking operation, instance state changed")
        is_up(checks, "again", replica)
        same_data(checks, "afterwards", primary, replica)


def become_one_while_blocked(primary, replica):
    replica.follow(None)
    with replica.client() as client:
        client.send("BLPOP", "queue", 0)
        wait_until(lambda: b"blocked_clients:1\r\n" in replica.ask("INFO", "clients"))
        replica.follow(primary)
        return client.read()


def stale_data(checks):
    """replica-serve-stale-data no."""
    with primary_and((OURS, ["--replica-serve-stale-data", "no"], 2)) as (primary, replica):
        primary.ask("SET", "k", "v")
        with Proxy(primary) as cable:
            replica.follow(cable)
            is_up(checks, "first", replica)
            checks.equal("with a link", replica.ask("GET", "k"), b"v")
            cable.refuses = True
            cable.cut()
            checks.true("the link is down", link_is_down(replica))
            with replica.client() as client:
                checks.equal("without", client.call("GET", "k"), MASTERDOWN)
                checks.equal("writing", client.call("SET", "k", "w"), READONLY)
                client.call("MULTI")
                checks.equal("in a transaction", client.call("GET", "k"), MASTERDOWN)
                checks.contains("EXEC", client.call("EXEC"), b"EXECABORT")
                checks.contains("INFO", client.call("INFO", "replication"), b"role:slave")
                checks.equal("ROLE", client.call("ROLE")[3] in (b"connect", b"connecting"), True)
                client.call("CONFIG", "SET", "replica-serve-stale-data", "yes")
                checks.equal("when it may", client.call("GET", "k"), b"v")
                client.call("CONFIG", "SET", "replica-serve-stale-data", "no")
                cable.refuses = False
                is_up(checks, "again", replica)
                checks.equal("with a link again", client.call("GET", "k"), b"v")


def loading(checks):
    """While it reads a data set: LOADING, and INFO tells how far it is; the old data with an asynchronous load."""
    for load in ("disabled", "swapdb"):
        options = ["--repl-diskless-load", load, "--key-load-delay", "2000",
                   "--loading-process-events-interval-bytes", "1024"]
        with checks.part(load), primary_and((OURS, options, 2)) as (primary, replica):
            fill(primary, 100)
            replica.follow(primary)  # the history is the same in what follows: only then the old data may be shown
            is_up(checks, "first", replica)
            primary.ask("SET", "k", "v")
            in_step(primary, replica)
            with Proxy(primary) as cable, replica.client() as client:
                fill(primary, 1000)
                replica.follow(cable)
                is_up(checks, "with another address", replica)
                shrink_backlog(primary)
                cable.refuses = True
                cable.cut()
                link_is_down(replica)
                with primary.client() as writer:
                    for index in range(40):
                        writer.call("SET", "missed", b"m" * 10000 + b"%d" % index)
                cable.refuses = False
                flag = "async_loading" if load == "swapdb" else "loading"
                begun = wait_until(lambda: f"\r\n{flag}:1\r\n".encode() in client.call("INFO", "persistence"))
                checks.true("it loads", begun, client.call("INFO", "persistence"))
                reply = client.call("GET", "k")
                if load == "swapdb":
                    checks.equal("the old data", reply, b"v")
                    checks.true("no writing", isinstance(client.call("SET", "k", "w"), ErrorReply))
                else:
                    checks.true("LOADING", isinstance(reply, ErrorReply) and reply.startswith(LOADING), reply)
                client.call("CONFIG", "SET", "key-load-delay", "0")
                is_up(checks, "then", replica)
                checks.equal("all is there", client.call("GET", "k"), b"v")
                same_data(checks, "afterwards", primary, replica)


def shrink_backlog(primary):
    primary.ask("CONFIG", "SET", "repl-backlog-size", "16kb")


def readers(checks):
    """Never half of a transaction, never back in time: not even while the link is cut and continued."""
    def writer(client):
        state = {"value": 0}

        def work():
            state["value"] += 1
            for index in range(PAIRS):
                value = b"%d" % state["value"] * 20
                client.send("MULTI")
                client.send("SET", f"left:{index}", value)
                client.send("INCR", f"between:{index}")
                client.send("SET", f"right:{index}", value)
                client.send("EXEC")
            for _ in range(5 * PAIRS):
                client.read()
            client.call("INCR", "counter")
        return work

    def reader(client, found):
        last = {"counter": 0}

        def work():
            for index in range(PAIRS):
                left, right = client.call("MGET", f"left:{index}", f"right:{index}")
                if left != right:
                    found.append(("torn", left, right))
                for key in ("counter", f"between:{index}"):
                    now = int(client.call("GET", key) or 0)
                    if now < last.get(key, 0):
                        found.append(("back", key, last[key], now))
                    last[key] = now
        return work

    for threads in (1, 4):
        with checks.part(f"{threads} threads"), contextlib.ExitStack() as stack:
            primary, replica = stack.enter_context(primary_and((OURS, [], threads)))
            cable = stack.enter_context(Proxy(primary))
            replica.follow(cable)
            is_up(checks, "first", replica)
            found = []
            writers = Crew(writer(stack.enter_context(primary.client())))
            crew = Crew(*[reader(stack.enter_context(replica.client()), found) for _ in range(4)])
            with writers, crew:
                for _ in range(4):
                    cable.cut_within(30000)
                    crew.busy(15)
                    wait_until(lambda: cable.cut_after is None)
                    is_up(checks, "again", replica)
                crew.busy(30)
            went_well(checks, "writer", writers)
            went_well(checks, "readers", crew)
            checks.equal("seen", found[:5], [])
            checks.true("there was something to see", int(primary.ask("GET", "counter")) > 20)
            same_data(checks, "afterwards", primary, replica)
            checks.equal("full ones", number(primary, "stats", "sync_full"), 1)


def expiry(checks):
    """A key whose time is up is not visible, but only the primary removes it."""
    with primary_and((OURS, [], 2), (OURS, [], 1)) as (primary, replica, below):
        replica.follow(primary)
        is_up(checks, "first", replica)
        below.follow(replica)
        is_up(checks, "below", below)
        primary.ask("DEBUG", "SET-ACTIVE-EXPIRE", 0)
        with primary.client() as client:
            client.call("SET", "stays", "v", "EX", 5000)
            client.call("SET", "soon", "v", "PX", 300)
            client.call("HSET", "soon too", "f", "v")
            client.call("PEXPIRE", "soon too", 300)
        checks.true("in step", in_step(primary, replica, below))
        for one in (replica, below):
            with one.client() as client:
                checks.equal("the same moment", client.call("PEXPIRETIME", "stays"),
                             primary.ask("PEXPIRETIME", "stays"))
                checks.true("TTL", 4900 < client.call("TTL", "stays") <= 5000)
                checks.true("not visible", wait_until(lambda client=client: client.call("GET", "soon") is None))
                checks.true("nor the other", wait_until(lambda client=client: client.call("EXISTS", "soon too") == 0))
                checks.equal("TTL of what is gone", client.call("TTL", "soon"), -2)
                checks.equal("TYPE", client.call("TYPE", "soon"), b"none")
                checks.equal("KEYS", client.call("KEYS", "*"), [b"stays"])
                checks.equal("HGETALL", client.call("HGETALL", "soon too"), [])
                checks.equal("but there", client.call("DBSIZE"), 3)
                checks.equal("and not expired here", number(one, "stats", "expired_keys"), 0)
        checks.equal("nor on the primary", primary.ask("DBSIZE"), 3)
        primary.ask("GET", "soon")
        primary.ask("GET", "soon too")
        for one in (replica, below):
            checks.true("removed with the primary", wait_until(lambda one=one: one.ask("DBSIZE") == 1))
        primary.ask("SET", "mine", "v", "PX", 200)
        checks.true("in step", in_step(primary, replica, below))
        replica.follow(None)
        checks.true("who is promoted removes it", wait_until(lambda: replica.ask("DBSIZE") == 1))
        checks.true("also below", wait_until(lambda: below.ask("DBSIZE") == 1))


# ---- who follows whom -------------------------------------------------------------------------------------------


def by_config(checks):
    """replicaof in the file, on the command line and at run time, and what CONFIG REWRITE makes of it."""
    with primary_and() as (primary,), tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder:
        primary.ask("SET", "k", "v")
        host, port = primary.address
        with Host(OURS, ["--replicaof", host, port]) as replica:
            is_up(checks, "command line", replica)
            checks.equal("CONFIG GET", replica.ask("CONFIG", "GET", "replicaof"),
                         [b"replicaof", f"{host} {port}".encode()])
            same_data(checks, "command line", primary, replica)
        with Host(OURS, folder=folder, config=f"slaveof {host} {port}\n") as replica:
            is_up(checks, "config file", replica)
            path = pathlib.Path(replica.config_path)
            checks.equal("NO ONE", replica.follow(None), b"OK")
            checks.equal("again", replica.follow(None), b"OK")
            checks.equal("it keeps its data", replica.ask("GET", "k"), b"v")
            checks.equal("and takes writes", replica.ask("SET", "own", "v"), b"OK")
            checks.equal("REWRITE", replica.ask("CONFIG", "REWRITE"), b"OK")
            checks.true("nobody to follow", "replicaof" not in path.read_text() and "slaveof" not in path.read_text(),
                        path.read_text())
            checks.equal("SLAVEOF", replica.ask("SLAVEOF", host, port), b"OK")
            is_up(checks, "run time", replica)
            checks.equal("its own is gone", replica.ask("GET", "own"), None)
            replica.ask("CONFIG", "REWRITE")
            text = path.read_text()
            checks.true("it is remembered", f"of {host} {port}" in text, text)
        lines = "".join(line + "\n" for line in text.splitlines() if not line.startswith(("port", "unixsocket", "dir")))
        with Host(OURS, folder=folder, config=lines) as replica:
            is_up(checks, "with what was written", replica)
            same_data(checks, "then", primary, replica)
            for words in (("REPLICAOF", host, "port"), ("REPLICAOF", host, 70000), ("REPLICAOF", host, -1)):
                checks.equal(f"{words}", replica.ask(*words), b"ERR Invalid master port")
            checks.contains("CONFIG SET", replica.ask("CONFIG", "SET", "replicaof", f"{host} {port}"), b"ERR ")
            checks.true("still linked", linked(replica))


def passwords(checks):
    with primary_and(options=["--requirepass", "secret"]) as (primary,):
        primary.password = "secret"
        primary.ask("SET", "k", "v")
        with Host(OURS, ["--masterauth", "wrong"]) as replica, \
                Host(OURS, ["--requirepass", "own"], password="own") as other:
            for one in (replica, other):
                one.follow(primary)
            refused = wait_until(lambda: b"rejected_connections" in primary.ask("INFO", "stats")
                                 and number(primary, "stats", "total_connections_received") > 10)
            checks.true("they try", refused)
            for one, text in ((replica, "wrong"), (other, None)):
                checks.true(f"masterauth {text}: down", not linked(one), one.figures())
                checks.true("and alive", one.ask("GET", "k") is None)
                one.ask("CONFIG", "SET", "masterauth", "secret")
                is_up(checks, f"after {text} the right one", one)
            same_data(checks, "then", primary, replica, other)


def other_primary(checks):
    """From one primary to another one, while both are written to: the data of the last."""
    with primary_and((OURS, [], 4)) as (one, replica), Host(THEIRS) as two:
        with Storm(one, "one", writers=2) as first, Storm(two, "two", writers=2) as second:
            for _ in range(3):
                for primary in (one, two):
                    checks.equal("REPLICAOF", replica.follow(primary), b"OK")
                    first.busy(1)
                    second.busy(1)
            is_up(checks, "the last", replica)
        went_well(checks, "writers", first)
        went_well(checks, "writers", second)
        same_data(checks, "the last", two, replica)


# ---- ends and restarts ------------------------------------------------------------------------------------------


def killed_replica(checks):
    """kill -9 under writes, in every phase; what comes back follows again."""
    chance = random.Random(f"{SEED} kill")
    with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder, primary_and() as (primary,):
        fill(primary)
        options = ["--replicaof", *primary.address, "--appendonly", "yes", "--appendfsync", "everysec"]
        with Storm(primary, "killed", writers=2) as storm:
            for _ in range(4):
                with Host(OURS, options, 2, folder=folder) as replica:
                    if chance.random() < 0.5:
                        is_up(checks, "up", replica)
                    storm.busy(chance.randrange(1, 4))
                    replica.kill()
            with Host(OURS, options, 2, folder=folder) as replica:
                is_up(checks, "in the end", replica)
                storm.stop()
                went_well(checks, "writers", storm)
                same_data(checks, "afterwards", primary, replica)
                checks.true("its file is made", wait_until(lambda: rewritten(replica)))  # or it could not end


def restarted_replica(checks):
    """Its snapshot knows where it was: what it missed is enough."""
    with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder, primary_and() as (primary,):
        options = ["--replicaof", *primary.address]
        with Host(OURS, options, 2, folder=folder) as replica, Storm(primary, "restarted") as storm:
            is_up(checks, "up", replica)
            storm.busy()
            with replica.client() as client:
                client.send("SHUTDOWN", "SAVE")
                client.read_until_closed()
            checks.equal("exit code", replica.wait_exit(), 0)
        went_well(checks, "writers", storm)
        with Host(OURS, options, 2, folder=folder) as replica:
            is_up(checks, "again", replica)
            same_data(checks, "afterwards", primary, replica)
            checks.equal("full ones", number(primary, "stats", "sync_full"), 1)
            checks.equal("partial ones", number(primary, "stats", "sync_partial_ok"), 1)


def restarted_primary(checks):
    """Killed, and ended politely; it comes back at the same address, with its file or with nothing."""
    for politely in (True, False):
        with checks.part("SHUTDOWN SAVE" if politely else "kill -9"), contextlib.ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="cinnabar-test-"))
            replica = stack.enter_context(Host(OURS, [], 4))
            with Host(THEIRS, folder=folder) as primary:
                cable = stack.enter_context(Proxy(primary))
                replica.follow(cable)
                is_up(checks, "up", replica)
                with Storm(primary, f"primary {politely}") as storm:
                    storm.busy()
                went_well(checks, "writers", storm)
                if politely:
                    with primary.client() as client:
                        client.send("SHUTDOWN", "SAVE")
                        client.read_until_closed()
                else:
                    primary.kill()
                primary.process.wait()
            checks.true("the link is down", link_is_down(replica))
            checks.true("the replica goes on", replica.ask("DBSIZE") > 0 and replica.ask("SET", "k", "v") == READONLY)
            with Host(THEIRS, folder=folder) as primary:
                cable.target = primary
                with Storm(primary, f"primary again {politely}", writers=2) as storm:
                    is_up(checks, "again", replica)
                    storm.busy(2)
                went_well(checks, "writers", storm)
                same_data(checks, "afterwards", primary, replica)


def append_only(checks):
    """The replica's own file holds what the primary has; it starts as a primary from it."""
    for load, preamble in (("disabled", "yes"), ("swapdb", "no")):
        options = ["--appendonly", "yes", "--repl-diskless-load", load, "--aof-use-rdb-preamble", preamble]
        with checks.part(f"load {load}, preamble {preamble}"), primary_and() as (primary,), \
                tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder:
            fill(primary, 300)
            with Host(OURS, options, 4, folder=folder) as replica:
                replica.ask("SET", "of its own", "goes")
                with Storm(primary, f"append {load}") as storm:
                    replica.follow(primary)
                    is_up(checks, "up", replica)
                    storm.busy()
                    replica.ask("BGREWRITEAOF")
                    storm.busy()
                went_well(checks, "writers", storm)
                primary.ask("CONFIG", "SET", "save", "")
                same_data(checks, "in step", primary, replica)
                checks.true("the file is made", wait_until(lambda: rewritten(replica)), replica.figures("persistence"))
                with replica.client() as client:
                    client.send("SHUTDOWN", "NOSAVE")
                    client.read_until_closed()
                replica.wait_exit()
            with Host(OURS, options, 2, folder=folder) as again:
                checks.equal("a primary", again.figures()["role"], "master")
                checks.true("DEBUG DIGEST", wait_until(
                    lambda: again.ask("DEBUG", "DIGEST") == primary.ask("DEBUG", "DIGEST"), 10))
                checks.equal("and takes writes", again.ask("SET", "k", "v"), b"OK")


def rewritten(host):
    seen = host.figures("persistence")
    return seen["aof_rewrite_in_progress"] == seen["aof_rewrite_scheduled"] == "0" \
        and seen["aof_last_bgrewrite_status"] == "ok"


def said_of_itself(checks):
    """ROLE and INFO, before, while and after."""
    with primary_and((OURS, ["--replica-priority", "7"], 2)) as (primary, replica):
        with Proxy(primary) as cable:
            cable.refuses = True
            replica.follow(cable)
            role = replica.ask("ROLE")
            checks.equal("ROLE", role[:3], [b"slave", HOST.encode(), cable.address[1]])
            checks.true("state", role[3] in (b"connect", b"connecting"), role)
            seen = replica.figures()
            checks.equal("INFO", [seen[name] for name in ("role", "master_host", "master_port", "master_link_status",
                                                          "master_last_io_seconds_ago", "slave_priority",
                                                          "slave_read_only", "replica_announced")],
                         ["slave", HOST, str(cable.address[1]), "down", "-1", "7", "1", "1"])
            checks.true("since when", "master_link_down_since_seconds" in seen, seen)
            cable.refuses = False
            is_up(checks, "then", replica)
            primary.ask("SET", "k", "v")
            checks.true("in step", in_step(primary, replica))
            seen = replica.figures()
            checks.equal("the same place", place(replica), place(primary))
            checks.equal("all that was read", seen["slave_read_repl_offset"], seen["slave_repl_offset"])
            checks.equal("nothing is loaded", seen["master_sync_in_progress"], "0")
            checks.true("heard of", 0 <= int(seen["master_last_io_seconds_ago"]) < 30)
            checks.equal("ROLE", replica.ask("ROLE")[3:], [b"connected", int(seen["slave_repl_offset"])])
            listed = replica.ask("CLIENT", "LIST", "TYPE", "master").decode()
            checks.contains("CLIENT LIST", listed, " flags=M ")
            checks.equal("one line", listed.count("\n"), 1)
            partial = number(primary, "stats", "sync_partial_ok")
            checks.equal("CLIENT KILL", replica.ask("CLIENT", "KILL", "TYPE", "master"), 1)
            checks.true("it comes again", wait_until(
                lambda: number(primary, "stats", "sync_partial_ok") == partial + 1))
            listed = primary.ask("CLIENT", "LIST", "TYPE", "replica").decode()
            checks.equal("one line there", listed.count("\n"), 1)
            checks.contains("its port", primary.figures()["slave0"], f"port={replica.port},")


if __name__ == "__main__":
    print(f"SEED={SEED}", flush=True)
    if REFERENCE is None:
        sys.exit("this test needs redis-server")
    sys.exit(run_parts([same_data_in_the_end, cut_again_and_again, read_only, stale_data, loading, readers, expiry,
                        by_config, passwords, other_primary, killed_replica, restarted_replica, restarted_primary,
                        append_only, said_of_itself]))
