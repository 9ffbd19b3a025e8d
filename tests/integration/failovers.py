#!/usr/bin/python3
"""Failovers for real: three machines with a server and a sentinel each, on a network whose lines can be cut, and clients that
write while the primary's machine dies, freezes, or is cut off.

A round is one fault, drawn from the seed. Writers ask the sentinels where the primary is, as Sentinel-aware clients do:
three on a host of their own, and two beside the old primary, which may be cut off with it. One of each count what WAIT
confirms. In three modes:

    asynchronous   the primary answers at once, WAIT asks for both replicas. What was answered and is gone is counted, and
                   nothing that WAIT has confirmed may be gone
    one            min-replicas-to-acknowledge 1, WAIT asks for one, and the fault ends when the other replica follows the
                   new primary (until then it may acknowledge to the old one): nothing that was answered may be gone
    all            min-replicas-to-acknowledge 2, and the fault ends at any moment: nothing that was answered may be gone.
                   There is no first write before the fault ends

Needs root, `ip` and `nft`, else it counts as skipped.

    SEED=n failovers.py                     repeats a run's choices
    ROUNDS=54 failovers.py rounds           more of it: a table of all modes and faults. DOWN_AFTER=5000 for another time
"""

import collections
import contextlib
import os
import pathlib
import random
import re
import statistics
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from acknowledged import Asked  # noqa: E402
from checks import run_parts  # noqa: E402
from network_of_hosts import Network  # noqa: E402
from numbered_writers import Writer  # noqa: E402
from replicating import OURS, SEED, number, ours_is_tested  # noqa: E402
from sanitized import SANITIZED  # noqa: E402
from sentinel_deployment import FAULTS, LIMIT_SECONDS, OPEN, SERVER_PORT, Deployment, PlacedServer  # noqa: E402
from server_process import wait_until  # noqa: E402

ROUNDS = int(os.environ.get("ROUNDS", "2" if SANITIZED else "3"))
# A sentinel gives an old primary four periods of hello before it tells it to follow. Without ROUNDS there is no time for that.
PERIODS = () if "ROUNDS" in os.environ else ("INFO-PERIOD", 2000, "PUBLISH-PERIOD", 1000)
DOWN_AFTER = int(os.environ.get("DOWN_AFTER", "2000"))  # milliseconds
MODES = {"asynchronous": 0, "one": 1, "all": 2}         # and how many replicas have to acknowledge
FEW = 40                                                # acknowledged numbers that show that a writer gets on


class Round:
    """What one fault did."""

    def __init__(self, deployment, index, mode, fault):
        self.deployment, self.mode, self.fault = deployment, mode, fault
        self.title = f"round {index + 1} of {ROUNDS}: {fault}, {mode}"
        self.choose = random.Random(f"{SEED} round {index}")
        self.seconds = None     # from the fault to the first answer of another primary to a client outside
        self.gone = {}          # writer: acknowledged numbers that nobody has in the end

    def begin(self):
        """Everybody in the mode of this round, nothing in the data, writers at work on `self.old`."""
        self.old = self.deployment.settle()
        if not self.old:
            raise RuntimeError(f"the deployment does not settle\n{self.deployment.last_words()}")
        for machine in self.deployment.machines:
            machine.ask(machine.server, "CONFIG", "SET", "min-replicas-to-acknowledge", MODES[self.mode])
        self.old.ask(self.old.server, "FLUSHALL")
        sentinels = self.deployment.sentinels
        beside = [(self.old.host.ip, port) for _, port in sentinels[:1]] + sentinels
        waits_for = MODES[self.mode] or 2
        self.outside = [Writer(self.deployment.outside, f"outside:{index}", self.choose.sample(sentinels, 3), waits)
                        for index, waits in enumerate((0, 0, waits_for))]
        self.beside = [Writer(self.old.host, f"beside:{index}", beside, waits) for index, waits in enumerate((0, waits_for))]

    @property
    def writers(self):
        return self.outside + self.beside

    def busy(self):
        """Waits until those outside get on with whoever is the primary."""
        before = [len(writer.acknowledged) for writer in self.outside]
        return wait_until(lambda: all(len(writer.acknowledged) >= then + FEW
                                      for writer, then in zip(self.outside, before)), LIMIT_SECONDS)

    def others_follow(self):
        others = [machine for machine in self.deployment.machines if machine is not self.old]
        return wait_until(lambda: self.deployment.followed(self.new, others), LIMIT_SECONDS)

    def first_elsewhere(self):
        """When one outside was first answered by another primary than the old one."""
        moments = [when for writer in self.outside for address, when in dict(writer.first_at).items()
                   if address != self.old.address]
        return min(moments, default=None)

    def play(self, checks):
        """Strikes, looks, heals. False: this deployment is of no use any more."""
        fault = FAULTS[self.fault](self.deployment, self.old)
        if not checks.true(f"{self.title}: writers begin", self.busy()):
            return False
        threading.Event().wait(self.choose.uniform(0, 0.5))
        self.meant = self.deployment.named_by_majority() is self.old
        fault.strike()
        began = time.monotonic()
        self.new = wait_until(lambda: (named := self.deployment.named_by_majority()) is not self.old and named,
                              LIMIT_SECONDS)
        if not checks.true(f"{self.title}: a majority names another primary", self.new):
            return False
        if self.mode == "one":
            checks.true(f"{self.title}: the others follow it", self.others_follow())
        threading.Event().wait(self.choose.uniform(0, 1))
        fault.heal()
        get_on = wait_until(self.first_elsewhere, LIMIT_SECONDS) and self.busy()
        if not checks.true(f"{self.title}: writers get on with it", get_on):
            return False
        self.seconds = self.first_elsewhere() - began
        self.last = self.deployment.settle()
        return checks.true(f"{self.title}: all agree and follow", self.last)

    def judge(self, checks):
        """Once nobody writes."""
        same = checks.true(f"{self.title}: all have the same data", self.deployment.in_step(self.last))
        for writer in self.writers:
            kept = {int(one) for one in self.last.ask(self.last.server, "SMEMBERS", writer.key)}
            self.gone[writer] = [one for one in writer.acknowledged if one[0] not in kept]
            # Another failover beside it, on a machine that is too busy, is one of a primary that lives.
            meant = self.meant and self.last is self.new
            if (meant or self.mode != "one") and (writer.waits_for or self.mode != "asynchronous"):
                checks.equal(f"{self.title}: lost of {writer.key}", self.gone[writer][:20], [])
        return same

    def report(self):
        return (f"    {self.title}: first write after {self.seconds:.2f} s, "
                + ", ".join(f"{name} {len_of(writers)} acknowledged, {sum(len(self.gone[one]) for one in writers)} lost"
                            for name, writers in (("outside", self.outside), ("beside it", self.beside))))


def len_of(writers):
    return sum(len(writer.acknowledged) for writer in writers)


def drawn_rounds():
    """[(mode, fault)]: every fault in every mode comes once before one comes again."""
    choose, drawn = random.Random(f"{SEED} rounds"), []
    while len(drawn) < ROUNDS:
        modes = {fault: choose.sample(list(MODES), len(MODES)) for fault in FAULTS}
        for turn in range(len(MODES)):
            drawn += [(modes[fault][turn], fault) for fault in choose.sample(list(FAULTS), len(FAULTS))]
    return drawn[:ROUNDS]


def rounds(checks):
    done = []
    with Deployment(down_after=DOWN_AFTER, options=["--min-replicas-acknowledge-timeout", "2000"],
                    periods=PERIODS) as deployment:
        for index, (mode, fault) in enumerate(drawn_rounds()):
            one = Round(deployment, index, mode, fault)
            one.begin()
            with contextlib.ExitStack() as at_work:
                for writer in one.writers:
                    at_work.enter_context(writer)
                well = one.play(checks)
            if not well or not one.judge(checks):
                print(deployment.last_words(), flush=True)
                break
            done.append(one)
            print(one.report(), flush=True)
    tell(done)


def tell(done):
    """Times beyond down-after, and what was lost."""
    print("    first accepted write, seconds beyond down-after: median, 90th percentile, greatest")
    for what, faults in [*((fault, [fault]) for fault in FAULTS), ("any", FAULTS)]:
        seconds = sorted(one.seconds - DOWN_AFTER / 1000 for one in done if one.fault in faults and one.mode != "all")
        if seconds:
            rank = min(len(seconds) - 1, round(0.9 * len(seconds)))
            figures = f"{statistics.median(seconds):7.2f} {seconds[rank]:7.2f} {seconds[-1]:7.2f}"
            print(f"    {what:13} {len(seconds):3} rounds {figures}")
    for mode in MODES:
        for place in ("outside", "beside"):
            for waits in (False, True):
                writers = [(writer, len(one.gone[writer])) for one in done if one.mode == mode
                           for writer in getattr(one, place) if bool(writer.waits_for) == waits]
                if writers:
                    print(f"    {mode:13} {place:8} {'WAIT' if waits else '':5} {len_of(writer for writer, _ in writers):9} "
                          f"acknowledged {sum(gone for _, gone in writers):7} lost")
    saw = sum((writer.saw for one in done for writer in one.outside), collections.Counter())
    print(f"    clients outside saw: {dict(saw.most_common())}", flush=True)


def links_of(primary):
    """[(state, offset)] of its replicas' connections, as far as it knows."""
    seen = primary.figures()
    rows = [dict(pair.split("=", 1) for pair in seen[name].split(","))
            for name in sorted(seen) if re.fullmatch(r"slave\d+", name)]
    return [(row["state"], int(row["offset"])) for row in rows]


def all_there(primary, count):
    """Whether so many connections of replicas are online, and the last one of them has everything."""
    links = links_of(primary)
    return len(links) == count and links[-1] == ("online", number(primary, "replication", "master_repl_offset"))


def a_silent_link_does_not_count_twice(checks):
    """The connection of a replica falls silent, and the primary does not learn of it. The replica comes back on another one."""
    patient = [*OPEN, "--repl-ping-replica-period", "1", "--repl-timeout", "3600", "--min-replicas-acknowledge-timeout", "0"]
    with Network(3) as network:
        home, away, elsewhere = network.hosts
        with PlacedServer(home, SERVER_PORT, OURS, patient) as primary, primary.client() as client, \
                PlacedServer(away, SERVER_PORT, OURS, [*OPEN, "--repl-timeout", "3"]) as replica:
            replica.follow(primary)
            checks.true("a replica follows", wait_until(lambda: all_there(primary, 1)))
            client.call("SET", "before", "1")
            checks.equal("WAIT, with one replica", client.call("WAIT", 1, 30000), 1)
            primary.ask("CONFIG", "SET", "min-replicas-to-acknowledge", "2")
            write = Asked(primary, "SET", "waits", "1")
            has_it = wait_until(lambda: replica.ask("EXISTS", "waits") and all_there(primary, 1))
            checks.true("the replica has what was written", has_it)
            network.silence(int(re.search(rb" addr=[\d.]+:(\d+)", primary.ask("CLIENT", "LIST", "TYPE", "replica"))[1]))
            checks.true("it comes back on another connection", wait_until(lambda: all_there(primary, 2)), links_of(primary))
            checks.equal("WAIT, with two connections of one replica", client.call("WAIT", 2, 300), 1)
            checks.true("a write that waits for two goes on waiting", not write.answered(0.3), write.answer)
            with PlacedServer(elsewhere, SERVER_PORT, OURS, OPEN) as second:
                second.follow(primary)
                checks.true("until a second one has it", write.answered() and write.answer == b"OK", write.answer)
                checks.equal("WAIT, with two replicas", client.call("WAIT", 2, 30000), 2)


if __name__ == "__main__":
    if not ours_is_tested():
        sys.exit("this is about directives of our own")
    print(f"    repeat with SEED={SEED}", flush=True)
    sys.exit(run_parts([a_silent_link_does_not_count_twice, rounds]))
