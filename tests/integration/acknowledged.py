#!/usr/bin/python3
"""min-replicas-to-acknowledge: a reply waits until replicas have what it tells of. What was acknowledged survives the
loss of the primary, whenever and however it comes.

    SEED=n acknowledged.py [PART]     repeats a run
    ROUNDS=100 acknowledged.py killed_under_writers
"""

import contextlib
import os
import pathlib
import random
import signal
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from checks import run_parts  # noqa: E402
from replicating import (OURS, SEED, THEIRS, Host, in_step, is_up, ours_is_tested, number, same_data,  # noqa: E402
                         wait_until)
from resp_client import Disconnected  # noqa: E402

ROUNDS = int(os.environ.get("ROUNDS", "5"))
WAITS = ["--min-replicas-to-acknowledge", "1", "--min-replicas-acknowledge-timeout", "0"]
ANSWER_SECONDS = 0.3  # long enough for an answer that does not wait
UNCERTAIN = b"NOREPLICAS Not enough replicas have acknowledged in time."


@contextlib.contextmanager
def pair(make=OURS, options=(), threads=2):
    """A primary that waits, and its replica, in step."""
    with Host(OURS, [*WAITS, *options], threads) as primary, Host(make) as replica:
        replica.follow(primary)
        wait_until(lambda: number(primary, "replication", "connected_slaves") == 1 and in_step(primary, replica))
        yield primary, replica


class Asked:
    """A request whose answer is read by a thread of its own."""

    def __init__(self, host, *words):
        self.client = host.client()
        self.answer = None
        self.thread = threading.Thread(target=self._ask, args=words, daemon=True)
        self.thread.start()

    def _ask(self, *words):
        self.answer = self.client.call(*words)

    def answered(self, seconds=30.0):
        self.thread.join(seconds)
        return not self.thread.is_alive()


def waits_for_a_replica(checks):
    """A write and who reads it wait; others do not."""
    for make in (OURS, THEIRS):
        with checks.part(make), pair(make) as (primary, replica):
            checks.equal("with a replica", primary.ask("SET", "k", "1"), b"OK")
            checks.equal("who has it", replica.ask("GET", "k"), b"1")
            replica.process.send_signal(signal.SIGSTOP)
            write = Asked(primary, "SET", "k", "2")
            checks.true("the write waits", not write.answered(ANSWER_SECONDS))
            read = Asked(primary, "GET", "k")
            checks.true("a reader of it waits", not read.answered(ANSWER_SECONDS))
            other = Asked(primary, "GET", "nobody wrote this")
            checks.true("others do not wait", other.answered())
            replica.process.send_signal(signal.SIGCONT)
            checks.true("the answer comes", write.answered() and read.answered())
            checks.equal("both", (write.answer, read.answer), (b"OK", b"2"))


def without_replicas(checks):
    """Nobody follows: the answer waits for the first who does, or for the end of the time."""
    with Host(OURS, WAITS) as primary, Host(OURS) as replica:
        write = Asked(primary, "SET", "k", "1")
        checks.true("nobody is there", not write.answered(ANSWER_SECONDS))
        replica.follow(primary)
        is_up(checks, "a replica comes", replica)
        checks.true("and has it", write.answered())
        checks.equal("the answer", write.answer, b"OK")
        replica.kill()
        primary.ask("CONFIG", "SET", "min-replicas-acknowledge-timeout", "300")
        with primary.client() as client:
            answer = client.call("INCR", "n")
            checks.true("the time is over", bytes(answer).startswith(UNCERTAIN), answer)
            checks.equal("the connection is closed", client.read_until_closed(), b"")
        primary.ask("CONFIG", "SET", "min-replicas-to-acknowledge", "0")
        checks.equal("what it did is there", primary.ask("GET", "n"), b"1")


def with_a_file(checks):
    """Together with appendfsync always the slower of the two counts."""
    with pair(options=["--appendonly", "yes", "--appendfsync", "always"]) as (primary, replica):
        checks.equal("both are there", primary.ask("SET", "k", "1"), b"OK")
        replica.process.send_signal(signal.SIGSTOP)
        write = Asked(primary, "SET", "k", "2")
        checks.true("the disk alone is not enough", not write.answered(ANSWER_SECONDS))
        replica.process.send_signal(signal.SIGCONT)
        checks.true("the answer comes", write.answered())


def killed_under_writers(checks):
    """The primary is killed while many write; the replica becomes the primary, and has all that was acknowledged."""
    chance = random.Random(SEED)
    for turn in range(ROUNDS):
        with pair(threads=chance.choice((1, 2, 4))) as (primary, replica):
            acknowledged = [0] * 8
            stopping = threading.Event()

            def write(index):
                try:
                    with primary.client() as client:
                        while not stopping.is_set():
                            if client.call("INCR", f"of:{index}") != acknowledged[index] + 1:
                                return
                            acknowledged[index] += 1
                except (OSError, Disconnected):
                    pass  # it was killed

            writers = [threading.Thread(target=write, args=(index,), daemon=True) for index in range(8)]
            for writer in writers:
                writer.start()
            goal = chance.randrange(200, 2000)
            wait_until(lambda: sum(acknowledged) >= goal)
            primary.kill()
            stopping.set()
            for writer in writers:
                writer.join(30)
            replica.follow(None)
            held = [int(replica.ask("GET", f"of:{index}") or 0) for index in range(8)]
            lost = [(index, told, kept) for index, (told, kept) in enumerate(zip(acknowledged, held)) if kept < told]
            checks.equal(f"round {turn + 1} of {ROUNDS}: lost", lost, [])


def role_changes(checks):
    """A replica does not wait, whatever it is told to do as a primary; after a promotion it does."""
    with pair() as (primary, replica), Host(OURS) as third:
        replica.ask("CONFIG", "SET", "min-replicas-to-acknowledge", "1", "min-replicas-acknowledge-timeout", "0")
        primary.ask("SET", "k", "1")
        checks.equal("a replica answers", replica.ask("GET", "k"), b"1")
        replica.follow(None)
        write = Asked(replica, "SET", "k", "2")
        checks.true("a new primary waits", not write.answered(ANSWER_SECONDS))
        third.follow(replica)
        checks.true("until somebody follows it", write.answered())
        same_data(checks, "in the end", replica, third)


def nobody_waits_who_runs_it(checks):
    """A sentinel makes the replica a primary that nobody follows yet, and goes on asking: what it says tells of no data."""
    with pair() as (primary, replica):
        primary.ask("SET", "k", "1")
        checks.equal("the first setting", replica.ask("CONFIG", "SET", *[word.removeprefix("--") for word in WAITS]), b"OK")
        with replica.client(timeout=20) as sentinel:
            for words in ("MULTI", "REPLICAOF NO ONE", "CLIENT KILL TYPE pubsub"):
                sentinel.call(*words.split())
            checks.equal("the transaction", sentinel.call("EXEC"), [b"OK", 0])
            for _ in range(2):
                checks.equal("a hello", sentinel.call("PUBLISH", "__sentinel__:hello", "it is me"), 0)
                checks.contains("INFO", sentinel.call("INFO", "replication"), b"role:master")
            with replica.client() as writer:
                writer.send("SET", "k", "2")
                wait_until(lambda: b"cmd=set" in sentinel.call("CLIENT", "LIST"))
                checks.equal("another setting", sentinel.call("CONFIG", "SET", "maxmemory", "0"), b"OK")
                checks.equal("while a writer waits", sentinel.call("CONFIG", "SET", "min-replicas-to-acknowledge", "0"), b"OK")
                checks.equal("who waits no longer", writer.read(), b"OK")


if __name__ == "__main__":
    if not ours_is_tested():
        sys.exit("this is about a directive of our own")
    sys.exit(run_parts([waits_for_a_replica, without_replicas, with_a_file, killed_under_writers, role_changes,
                        nobody_waits_who_runs_it]))
