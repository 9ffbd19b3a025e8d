#!/usr/bin/python3
"""Replicas of this server: stock redis-server, this server itself, and chains of both. Whatever happens to links and
whoever writes, everybody has the same data in the end, and nobody is sent all of it more often than need be.

    SEED=n replicas.py [PART]     repeats a run
"""

import contextlib
import pathlib
import random
import re
import signal
import sys
import tempfile
import threading
from time import monotonic

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from checks import Skipped, run_parts  # noqa: E402
from replicating import (OURS, REFERENCE, SEED, THEIRS, Crew, Host, Proxy, figures, fill,  # noqa: E402
                         in_step, is_up, number, ours_is_tested, place, same_data, wait_until, went_well)
from resp_client import ErrorReply  # noqa: E402
from server_process import HOST, SECONDS_MAX  # noqa: E402
from storm_writes import Storm  # noqa: E402

CUTS = 6
NO_REPLICAS = b"NOREPLICAS Not enough good replicas to write."
DISK, DISKLESS = ["--repl-diskless-sync", "no"], ["--repl-diskless-sync", "yes"]


@contextlib.contextmanager
def hosts(*arguments):
    """Servers: each (make, options...) or (make, options, threads)."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Host(*one)) for one in arguments]


# ---- full synchronisation ---------------------------------------------------------------------------------------


def full_syncs(checks):
    """From disk and diskless, with one core and with four, while clients write."""
    for title, options, threads, load in (("disk", DISK, 1, "disabled"), ("disk", DISK, 4, "swapdb"),
                                          ("diskless", DISKLESS, 1, "swapdb"), ("diskless", DISKLESS, 4, "disabled")):
        loading = ["--repl-diskless-load", load]
        with checks.part(f"{title}, {threads} threads, load {load}"), hosts(
                (OURS, options, threads), (THEIRS, loading), (OURS, loading, 5 - threads)) as (primary, *replicas):
            fill(primary)
            with Storm(primary, f"full {title} {threads}") as storm:
                storm.busy()
                for replica in replicas:
                    replica.ask("SET", "of the replica", "goes")
                    checks.equal("REPLICAOF", replica.follow(primary), b"OK")
                    storm.busy(2)
                for replica in replicas:
                    is_up(checks, replica.make, replica)
                storm.busy()
            went_well(checks, "writers", storm)
            same_data(checks, "afterwards", primary, *replicas)
            checks.equal("full ones", number(primary, "stats", "sync_full"), len(replicas))


def one_snapshot_for_many(checks):
    """Diskless: who comes within the delay shares it. From disk: who comes while it is written joins."""
    kinds = (("diskless", [*DISKLESS, "--repl-diskless-sync-delay", "300", "--repl-diskless-sync-max-replicas", "3"]),
             ("disk", DISK))
    for title, options in kinds:
        with checks.part(title), hosts((OURS, options, 2), (THEIRS,), (OURS,), (THEIRS,)) as (primary, *replicas):
            fill(primary, 500)
            if title == "disk":
                primary.ask("CONFIG", "SET", "rdb-key-save-delay", "5000")
            with Storm(primary, f"many {title}", writers=2) as storm:
                for replica in replicas:
                    replica.follow(primary)
                waiting = ("wait_bgsave", "send_bulk", "online")
                checks.true("all ask", wait_until(lambda: sum(
                    state_of(line) in waiting for line in slave_lines(primary)) == 3), primary.figures())
                storm.busy(2)
                primary.ask("CONFIG", "SET", "rdb-key-save-delay", "0")
                for replica in replicas:
                    is_up(checks, replica.make, replica)
            went_well(checks, "writers", storm)
            same_data(checks, "afterwards", primary, *replicas)
            children = number(primary, "stats", "total_forks")
            few = children == 1 if title == "diskless" else children < len(replicas)
            checks.true("fewer children than replicas", few, children)


def slave_lines(primary):
    return [value for name, value in primary.figures().items() if re.fullmatch(r"slave\d+", name)]


def state_of(line):
    return dict(part.split("=") for part in line.split(","))["state"]


# ---- links that are cut -----------------------------------------------------------------------------------------


def cut_links(checks):
    """Cut at a random byte, whatever it belongs to: what is missing is sent, and no more than that."""
    with checks.part(f"SEED={SEED}"), hosts((OURS, DISKLESS, 4), (THEIRS,), (OURS, [], 4)) as (primary, *replicas):
        chance = random.Random(f"{SEED} cuts")
        fill(primary, 300)
        with contextlib.ExitStack() as stack, Storm(primary, "cuts", lull=0.002) as storm:
            cables = [stack.enter_context(Proxy(primary)) for _ in replicas]
            for replica, cable in zip(replicas, cables):
                replica.follow(cable)
                is_up(checks, replica.make, replica)
            refused = number(primary, "stats", "sync_partial_err")
            for time in range(1, CUTS + 1):
                for cable in cables:
                    cable.cut_within(chance.randrange(1, 30000))
                checks.true("they are cut", wait_until(lambda: all(cable.cuts == time for cable in cables)))
                again = wait_until(lambda: number(primary, "stats", "sync_partial_ok") == time * len(cables))
                checks.true(f"both continue, cut {time}", again, primary.figures("stats"))
                for replica in replicas:
                    is_up(checks, replica.make, replica)
            storm.stop()
            went_well(checks, "writers", storm)
            same_data(checks, "afterwards", primary, *replicas)
            checks.equal("full ones", number(primary, "stats", "sync_full"), len(replicas))
            checks.equal("refused", number(primary, "stats", "sync_partial_err"), refused)


def cut_payloads(checks):
    """Cut in the middle of a snapshot: the next one is whole."""
    for title, options in (("disk", DISK), ("diskless", DISKLESS)):
        with checks.part(f"{title}, SEED={SEED}"), hosts(
                (OURS, options, 2), (THEIRS,), (OURS,)) as (primary, *replicas):
            chance = random.Random(f"{SEED} payloads {title}")
            fill(primary, 500, 5000)
            with contextlib.ExitStack() as stack, Storm(primary, "payloads", writers=2) as storm:
                for replica in replicas:
                    cable = stack.enter_context(Proxy(primary))
                    cable.cut_within(chance.randrange(200, 200000))
                    replica.follow(cable)
                    # Of a small payload it may be the stream behind it.
                    checks.true("it is cut", wait_until(lambda: cable.cuts == 1))
                    is_up(checks, replica.make, replica)
                storm.stop()
                went_well(checks, "writers", storm)
                same_data(checks, "afterwards", primary, *replicas)


def good_when_online(checks):
    """Whoever sees a replica online may count on it: min-replicas-to-write does from that moment."""
    for title, options in (("disk", DISK), ("diskless", DISKLESS)):
        options = [*options, "--min-replicas-to-write", "1", "--min-replicas-max-lag", "3"]
        with hosts((OURS, options, 2)) as (primary,), primary.client() as client:
            for _ in range(5):
                checks.true(f"{title}: without one", isinstance(client.call("SET", "k", "v"), ErrorReply))
                with hosts((OURS,)) as (replica,):
                    replica.follow(primary)
                    limit = monotonic() + SECONDS_MAX
                    while b"state=online" not in client.call("INFO", "replication") and monotonic() < limit:
                        pass  # without a pause, which would give the primary time
                    checks.equal(f"{title}: with one", client.call("SET", "k", "v"), b"OK")
                gone = wait_until(lambda: b"connected_slaves:0" in client.call("INFO", "replication"))
                checks.true(f"{title}: it is gone", gone)


def too_late(checks):
    """What was missed has left the backlog: all of it again, and the same data."""
    options = [*DISKLESS, "--repl-backlog-size", "100kb"]
    with hosts((OURS, options, 2), (THEIRS,), (OURS,)) as (primary, *replicas):
        with Proxy(primary) as cable:
            for replica in replicas:
                replica.follow(cable)
                is_up(checks, replica.make, replica)
            refused = number(primary, "stats", "sync_partial_err")
            cable.refuses = True
            cable.cut()
            with primary.client() as client:
                for index in range(300):
                    client.call("SET", f"missed:{index}", "v" * 5000)
            checks.true("the link is down", wait_until(
                lambda: all(one.figures()["master_link_status"] == "down" for one in replicas)))
            cable.refuses = False
            for replica in replicas:
                is_up(checks, f"{replica.make} again", replica)
            same_data(checks, "afterwards", primary, *replicas)
            checks.equal("full ones", number(primary, "stats", "sync_full"), 4)
            checks.equal("refused", number(primary, "stats", "sync_partial_err"), refused + 2)


# ---- chains and promotions --------------------------------------------------------------------------------------


def chains(checks):
    """A replica's replicas get the same bytes; the link above may be cut without their noticing."""
    for makers, newer in (((THEIRS, OURS, THEIRS), False), ((OURS, THEIRS, OURS), False), ((OURS, OURS, OURS), True)):
        newer = newer and ours_is_tested()
        compat = None if newer else "7.0"
        with checks.part(" -> ".join(makers)), hosts(
                *[(make, [], 2, compat) for make in makers]) as (top, middle, last):
            fill(top, 300)
            with Proxy(top) as cable, Storm(top, f"chain {makers}", newer=newer) as storm:
                last.follow(middle)  # before the middle itself has anything
                middle.follow(cable)
                is_up(checks, "middle", middle)
                is_up(checks, "last", last)
                full = number(middle, "stats", "sync_full")
                cable.cut_within(20000)
                checks.true("cut", wait_until(lambda: cable.cuts == 1))
                checks.true("continues", wait_until(lambda: number(top, "stats", "sync_partial_ok") == 1))
                is_up(checks, "middle again", middle)
                storm.busy()
                storm.stop()
                went_well(checks, "writers", storm)
                same_data(checks, "afterwards", top, middle, last)
                checks.equal("the last one got all of it no more", number(middle, "stats", "sync_full"), full)


def promotion(checks):
    """The first replica becomes the primary; the others, and the former primary, go on from where they are."""
    for makers in ((OURS, OURS, THEIRS), (OURS, THEIRS, OURS), (THEIRS, OURS, THEIRS)):
        with checks.part(", ".join(makers)), hosts(*[(make, [], 4) for make in makers]) as (former, chosen, other):
            fill(former, 300)
            with Storm(former, f"promotion {makers}") as storm:
                for replica in (chosen, other):
                    replica.follow(former)
                    is_up(checks, replica.make, replica)
                storm.busy()
            went_well(checks, "writers", storm)
            former.ask("DEBUG", "SET-ACTIVE-EXPIRE", 0)  # or it would go on by itself
            checks.true("all are in step", in_step(former, chosen, other))
            history = place(former)
            checks.equal("REPLICAOF NO ONE", chosen.follow(None), b"OK")
            seen = chosen.figures()
            checks.equal("role", seen["role"], "master")
            checks.equal("the id before", (seen["master_replid2"], int(seen["second_repl_offset"])),
                         (history[0], history[1] + 1))
            checks.true("a new id", seen["master_replid"] != history[0])
            with Storm(chosen, f"promoted {makers}") as storm:
                storm.busy()
                other.follow(chosen)
                former.follow(chosen)
                for replica in (other, former):
                    is_up(checks, f"{replica.make} behind the new one", replica)
                storm.busy()
            went_well(checks, "writers", storm)
            same_data(checks, "afterwards", chosen, other, former)
            checks.equal("nobody gets all of it", number(chosen, "stats", "sync_full"), 0)
            checks.equal("both continue", number(chosen, "stats", "sync_partial_ok"), 2)


# ---- WAIT and what depends on replicas --------------------------------------------------------------------------


def wait_of_many(checks):
    """What WAIT says is on the replicas is there."""
    with hosts((OURS, [], 4), (THEIRS,), (OURS, [], 2)) as (primary, *replicas):
        for replica in replicas:
            replica.follow(primary)
            is_up(checks, replica.make, replica)
        missing = []

        def work(index):
            with primary.client() as client, contextlib.ExitStack() as stack:
                readers = [stack.enter_context(replica.client()) for replica in replicas]
                for value in range(1, 26):
                    client.call("SET", f"waited:{index}", value)
                    told = client.call("WAIT", 2, 0)
                    found = [int(reader.call("GET", f"waited:{index}") or 0) for reader in readers]
                    if told != 2 or found != [value, value]:
                        missing.append((index, value, told, found))

        threads = [threading.Thread(target=work, args=(index,)) for index in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        checks.equal("missing", missing, [])
        with primary.client() as client:
            for words in (("MULTI",), ("INCR", "n"), ("WAIT", 3, 0)):
                client.call(*words)
            reply = client.call("EXEC")
            checks.true("does not wait in a transaction", reply[0] == 1 and reply[1] in (0, 1, 2), reply)
            checks.equal("more than there are", [client.call("INCR", "n"), client.call("WAIT", 3, 50)], [2, 2])
            replicas[0].process.send_signal(signal.SIGSTOP)
            checks.equal("one is frozen", [client.call("INCR", "n"), client.call("WAIT", 2, 200)], [3, 1])
            client.send("WAIT", 2, 0)
            replicas[0].process.send_signal(signal.SIGCONT)
            checks.equal("it goes on", client.read(), 2)
            checks.contains("on a replica", replicas[1].ask("WAIT", 1, 0),
                            b"ERR WAIT cannot be used with replica instances.")


def wait_for_disks(checks):
    """WAITAOF with replicas (7.2): on whose disk it is, is there after the end of all."""
    if not ours_is_tested():
        raise Skipped("7.2 and later")
    logging = ["--appendonly", "yes", "--appendfsync", "everysec"]
    with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder, contextlib.ExitStack() as stack:
        primary = stack.enter_context(Host(OURS, logging, 4, None))
        replica = stack.enter_context(Host(OURS, logging, 4, None, folder=folder))
        without = stack.enter_context(Host(OURS, [], 2, None))
        for one in (replica, without):
            one.follow(primary)
            is_up(checks, "replica", one)
        told = [0] * 6

        def work(index):
            with primary.client() as client:
                for value in range(1, 4):
                    client.call("SET", f"kept:{index}", value)
                    if client.call("WAITAOF", 1, 1, 0) == [1, 1]:
                        told[index] = value

        threads = [threading.Thread(target=work, args=(index,)) for index in range(len(told))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        checks.equal("all were told", told, [3] * len(told))
        with primary.client() as client:
            client.call("SET", "k", "v")
            checks.equal("one of the two has no file", client.call("WAITAOF", 1, 2, 1500), [1, 1])
            checks.equal("replicas alone", client.call("WAITAOF", 0, 1, 0), [1, 1])
        replica.kill()
        with Host(OURS, logging, 2, None, folder=folder) as again, again.client() as client:
            found = [int(client.call("GET", f"kept:{index}") or 0) for index in range(len(told))]
            checks.equal("all is there", found, told)


def enough_replicas(checks):
    """min-replicas-to-write."""
    options = ["--min-replicas-to-write", "1", "--min-replicas-max-lag", "2"]
    with hosts((OURS, options, 4), (THEIRS,)) as (primary, replica):
        with primary.client() as client:
            checks.equal("nobody follows", client.call("SET", "k", "v"), NO_REPLICAS)
            checks.equal("reading", client.call("GET", "k"), None)
            client.call("MULTI")
            checks.equal("in a transaction", client.call("SET", "k", "v"), NO_REPLICAS)
            checks.contains("EXEC", client.call("EXEC"), b"EXECABORT")
            replica.follow(primary)
            is_up(checks, "the replica", replica)
            checks.true("somebody follows", wait_until(lambda: client.call("SET", "k", "v") == b"OK"))
            checks.equal("good ones", number(primary, "replication", "min_slaves_good_slaves"), 1)
            client.call("CONFIG", "SET", "min-replicas-to-write", 2)
            checks.equal("one is not enough", client.call("SET", "k", "v"), NO_REPLICAS)
            client.call("CONFIG", "SET", "min-replicas-to-write", 1)
            replica.process.send_signal(signal.SIGSTOP)
            checks.true("who is silent for long counts no more", wait_until(
                lambda: client.call("SET", "k", "v") == NO_REPLICAS))
            replica.process.send_signal(signal.SIGCONT)
            checks.true("until it speaks", wait_until(lambda: client.call("SET", "k", "v") == b"OK"))
            replica.kill()
            checks.true("who is gone does not count", wait_until(lambda: client.call("SET", "k", "v") == NO_REPLICAS))
            client.call("CONFIG", "SET", "min-replicas-to-write", 0)
            checks.equal("switched off", client.call("SET", "k", "v"), b"OK")


# ---- what is said about it --------------------------------------------------------------------------------------


def roles(checks):
    """ROLE, INFO and CLIENT LIST of both ends."""
    announcing = ["--replica-announce-ip", "10.1.2.3", "--replica-announce-port", "77"]
    with hosts((OURS, [], 2), (THEIRS,), (OURS, announcing)) as (primary, first, second):
        checks.equal("alone", primary.ask("ROLE"), [b"master", 0, []])
        before = primary.figures()
        checks.equal("INFO alone", {name: before[name] for name in ("role", "connected_slaves", "master_failover_state",
                                                                    "master_repl_offset", "second_repl_offset",
                                                                    "repl_backlog_active")},
                     {"role": "master", "connected_slaves": "0", "master_failover_state": "no-failover",
                      "master_repl_offset": "0", "second_repl_offset": "-1", "repl_backlog_active": "0"})
        checks.equal("no former id", before["master_replid2"], "0" * 40)
        for replica in (first, second):
            replica.follow(primary)
            is_up(checks, replica.make, replica)
        primary.ask("SET", "k", "v")
        checks.true("in step", in_step(primary, first, second))
        seen = primary.figures()
        offset = int(seen["master_repl_offset"])
        checks.equal("connected_slaves", seen["connected_slaves"], "2")
        checks.equal("repl_backlog_active", seen["repl_backlog_active"], "1")
        checks.true("repl_backlog_histlen", 0 < int(seen["repl_backlog_histlen"]) <= offset, seen)
        addresses = [(HOST, first.port), ("10.1.2.3", 77)]
        for index, (address, port) in enumerate(addresses):
            wanted = rf"ip={address},port={port},state=online,offset={offset},lag=[01]"
            checks.true(f"slave{index}", wait_until(lambda index=index, wanted=wanted: re.fullmatch(
                wanted, primary.figures()[f"slave{index}"])), primary.figures())
        role = primary.ask("ROLE")
        checks.equal("ROLE", [role[0], role[1], sorted(role[2])], [b"master", offset, sorted(
            [address.encode(), str(port).encode(), str(offset).encode()] for address, port in addresses)])
        for replica in (first, second):
            checks.equal(f"ROLE of {replica.make}", replica.ask("ROLE"),
                         [b"slave", HOST.encode(), primary.port, b"connected", offset])
            checks.equal("one id", replica.figures()["master_replid"], seen["master_replid"])
        listed = primary.ask("CLIENT", "LIST", "TYPE", "replica").decode()
        checks.equal("CLIENT LIST", re.findall(r" flags=(\w+) ", listed), ["S", "S"])
        checks.contains("clients do not count them", primary.ask("INFO", "clients"), b"connected_clients:1\r\n")
        full = number(primary, "stats", "sync_full")
        checks.equal("CLIENT KILL", primary.ask("CLIENT", "KILL", "TYPE", "replica"), 2)
        checks.true("they come again", wait_until(lambda: number(primary, "stats", "sync_partial_ok") == 2))
        checks.equal("and continue", number(primary, "stats", "sync_full"), full)
        same_data(checks, "afterwards", primary, first, second)


def many_come_and_go(checks):
    """Replicas attach and leave while clients write, wait and look."""
    with hosts((OURS, DISKLESS, 4), (THEIRS,), (OURS, [], 2)) as (primary, *replicas):
        asked = []

        def look():
            with primary.client() as client:
                asked.append(figures(client.call("INFO", "replication"))["role"])
                client.call("ROLE")
                client.call("INCR", "looked")
                client.call("WAIT", 1, 5)

        with Storm(primary, "come and go") as storm, Crew(look, look) as lookers:
            for _ in range(4):
                for replica in replicas:
                    replica.follow(primary)
                is_up(checks, replicas[0].make, replicas[0])
                storm.busy(1)
                for replica in replicas:
                    replica.follow(None)
            for replica in replicas:
                replica.follow(primary)
                is_up(checks, replica.make, replica)
        went_well(checks, "writers", storm)
        went_well(checks, "lookers", lookers)
        checks.equal("role", set(asked), {"master"})
        same_data(checks, "afterwards", primary, *replicas)


if __name__ == "__main__":
    print(f"SEED={SEED}", flush=True)
    if REFERENCE is None:
        sys.exit("this test needs redis-server")
    sys.exit(run_parts([full_syncs, one_snapshot_for_many, cut_links, cut_payloads, good_when_online, too_late, chains, promotion,
                        wait_of_many, wait_for_disks, enough_replicas, roles, many_come_and_go]))
