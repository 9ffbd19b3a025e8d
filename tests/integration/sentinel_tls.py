#!/usr/bin/python3
"""Sentinels over TLS: two of ours and a stock one watch servers of both makes, and nothing but TLS goes between them. The
primary is killed; the one that takes over, the other replica and all sentinels are known by their TLS ports. And a sentinel
whose certificate another authority has signed is nobody's."""

import pathlib
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from checks import run_parts  # noqa: E402
from replicating import OURS, THEIRS, ours_is_tested  # noqa: E402
from sentinels import NAME, Watch, lines_about  # noqa: E402
from server_process import wait_until  # noqa: E402
from tls_peers import Files, TlsHost, TlsPort  # noqa: E402

SECRET = ["--tls-replication", "yes"]


class TlsWatch(TlsPort, Watch):
    """A sentinel of either make with a TLS port. `files` are its own certificates."""

    def __init__(self, files, make, primary):
        super().__init__(files, make, lines_about(primary.tls_port), own_options=SECRET)


class OthersFiles:
    """The certificate of somebody whom nobody here trusts."""

    def __init__(self, files):
        self.options = lambda: files.options("stranger")


def settled(watch, ports, peers):
    """It knows the servers at these ports, first the primary's, and the other sentinels, and all are well."""
    primary = watch.primary()
    replicas, others = watch.about("REPLICAS", NAME), watch.about("SENTINELS", NAME)
    return ((primary["port"], primary["flags"]) == (str(ports[0]), "master")
            and sorted(one["port"] for one in replicas) == sorted(map(str, ports[1:]))
            and all((one["flags"], one["master-link-status"]) == ("slave", "ok") for one in replicas)
            and sorted(one["port"] for one in others) == sorted(str(one.tls_port) for one in peers if one is not watch)
            and all(one["flags"] == "sentinel" for one in others))


def all_settle(checks, title, watches, ports):
    for index, watch in enumerate(watches):
        known = wait_until(lambda watch=watch: settled(watch, ports, watches))
        checks.true(f"{title}: sentinel {index} ({watch.make}) knows all", known,
                    [watch.primary(), watch.about("REPLICAS", NAME), watch.about("SENTINELS", NAME)])


def ports_of_sentinels(server):
    """At which of the server's ports sentinels have connected to it. Stock and ours name their connections alike."""
    rows = server.ask("CLIENT", "LIST").decode().splitlines()
    return {int(re.search(r" laddr=\S+:(\d+) ", row)[1]) for row in rows if " name=sentinel-" in row}


def failover(checks, first, second):
    """`first` and `second`: the makes of the two replicas."""
    with Files() as files, TlsHost(files, OURS, SECRET) as primary, TlsHost(files, first, SECRET) as one, \
            TlsHost(files, second, SECRET) as other:
        for replica in (one, other):
            replica.follow_over_tls(primary)
        with TlsWatch(files, OURS, primary) as a, TlsWatch(files, OURS, primary) as b, TlsWatch(files, THEIRS, primary) as c:
            watches = (a, b, c)
            all_settle(checks, "at first", watches, [primary.tls_port, one.tls_port, other.tls_port])
            for server in (primary, one, other):
                checks.equal("sentinels come over TLS", ports_of_sentinels(server), {server.tls_port})
            primary.ask("SET", "key", "value")
            checks.equal("both have it", primary.ask("WAIT", "2", "30000"), 2)
            primary.kill()
            checks.true("another port is named", wait_until(lambda: all(watch.address_of() != primary.tls_port for watch in watches)))
            new, rest = (one, other) if a.address_of() == one.tls_port else (other, one)
            checks.equal("all name the same one", {watch.address_of() for watch in watches}, {new.tls_port})
            checks.true("the other one follows it", wait_until(
                lambda: (rest.figures().get("master_port"), rest.figures().get("master_link_status")) == (str(new.tls_port), "up")),
                rest.figures())
            new.ask("SET", "key", "new value")
            checks.true("and has its data", wait_until(lambda: rest.ask("GET", "key") == b"new value"))


def ours_alone(checks):
    failover(checks, OURS, OURS)


def a_stock_replica(checks):
    failover(checks, THEIRS, OURS)


def strangers(checks):
    """It cannot ask the primary, and the primary and other sentinels never hear of it."""
    with Files() as files, TlsHost(files, OURS, SECRET) as primary, TlsWatch(files, OURS, primary) as good, \
            TlsWatch(OthersFiles(files), OURS, primary) as stranger:
        checks.true("the good one has asked", wait_until(lambda: good.primary()["runid"] != ""))
        checks.true("for the other one it is down", wait_until(lambda: "s_down" in stranger.primary()["flags"]), stranger.primary())
        checks.equal("nor does it know who it is", stranger.primary()["runid"], "")
        checks.equal("the good one knows of no other", good.about("SENTINELS", NAME), [])
        checks.equal("connections of sentinels", ports_of_sentinels(primary), {primary.tls_port})
        rows = primary.ask("CLIENT", "LIST").decode().splitlines()
        checks.equal("all are the good one's", sum(" name=sentinel-" in row for row in rows), 2)


if __name__ == "__main__":
    if not ours_is_tested():
        sys.exit("this is about our own sentinels")
    sys.exit(run_parts([ours_alone, a_stock_replica, strangers]))
