"""Clients that ask sentinels where the primary is, write numbers there, and remember which of them were acknowledged."""

import collections
import contextlib
import threading
import time

from resp_client import Client, Disconnected, ErrorReply, ProtocolError
from sentinels import NAME

BATCH = 8                # numbers that are sent without waiting in between
PAUSE_SECONDS = 0.002    # between two batches
ASK_SECONDS = 0.5        # for a sentinel's answer
LOOK_SECONDS = 0.1       # of silence, after which it asks whether the primary has moved


class Left(Exception):
    """There is no answer, and the sentinels name another primary, or the writer was told to stop."""


class Refused(Exception):
    """An error reply. Its first word is what counts."""


class Writer:
    """A thread. `place`: the host where it is. `sentinels`: addresses, the first to be asked first. `waits_for`: it counts a
    batch as acknowledged when WAIT says that so many replicas have it; 0: each number when it is answered."""

    def __init__(self, place, key, sentinels, waits_for=0):
        self.place, self.key, self.sentinels, self.waits_for = place, key, list(sentinels), waits_for
        self.number = 0
        self.acknowledged = []      # (number, address of the server)
        self.first_at = {}          # address: when it first acknowledged something
        self.saw = collections.Counter()
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join(30)

    def connect(self, address, seconds):
        with self.place.inside():
            return Client(address, timeout=seconds)

    def primary(self):
        """What the first sentinel that answers says; None: nobody does."""
        for address in list(self.sentinels):
            with contextlib.suppress(OSError, Disconnected, ProtocolError), self.connect(address, ASK_SECONDS) as client:
                reply = client.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)
                if isinstance(reply, list):
                    return reply[0].decode(), int(reply[1])
            self.sentinels.remove(address)  # the next time others are asked first
            self.sentinels.append(address)
        return None

    def _run(self):
        while not self.stopping.is_set():
            address = self.primary()
            if address is None:
                self.saw["no sentinel"] += 1
            else:
                self._serve(address)
            self.stopping.wait(0.02)

    def _serve(self, address):
        """Writes to this server for as long as it can."""
        try:
            with self.connect(address, LOOK_SECONDS) as client:
                while not self.stopping.wait(PAUSE_SECONDS):
                    self._write(client, address)
        except Refused as refused:
            self.saw[str(refused)] += 1
        except Left:
            self.saw["silence"] += not self.stopping.is_set()
        except TimeoutError:
            self.saw["no connection in time"] += 1
        except (OSError, Disconnected) as trouble:
            self.saw["closed" if isinstance(trouble, Disconnected) else type(trouble).__name__] += 1

    def _write(self, client, address):
        numbers = range(self.number, self.number + BATCH)
        self.number += BATCH
        for number in numbers:
            client.send("SADD", self.key, number)
        if self.waits_for:
            client.send("WAIT", self.waits_for, 1000)
        for number in numbers:
            self._answer(client, address)
            if not self.waits_for:
                self._note([number], address)
        if self.waits_for and self._answer(client, address) >= self.waits_for:
            self._note(numbers, address)

    def _answer(self, client, address):
        while True:
            try:
                reply = client.read()
            except TimeoutError:
                if self.stopping.is_set() or self.primary() not in (None, address):
                    raise Left from None
                continue
            if isinstance(reply, ErrorReply):
                raise Refused(reply.split()[0].decode())
            return reply

    def _note(self, numbers, address):
        self.first_at.setdefault(address, time.monotonic())
        self.acknowledged += [(number, address) for number in numbers]
