#!/usr/bin/env python3
"""Large requests and large replies, one at a time, on connections in three states:

fresh  the first request of a new connection
warm   the same connection, where the same request has just been answered
idle   the connection was silent for so long that both servers have given its buffers back (--idle seconds)

The figure is the time from the first byte of the request sent to the last byte of the reply read, ours against
redis-server: medians of --reps turns of both servers, side by side. The client is one blocking socket.

    bench/requests.py [--reps 9] [--idle 3] [--bytes-max 67108864] [--server PATH]
"""

import contextlib
import socket
import sys
import time

from servers import HOST, Server, arguments, checked, median, request, table

TARGET = 0.8
KILO = 1 << 10
SIZES = [KILO, 16 * KILO, 64 * KILO, KILO * KILO, 16 * KILO * KILO, 64 * KILO * KILO]
STATES = ("fresh", "warm", "idle")


def size_text(size):
    return f"{size // KILO} KB" if size < KILO * KILO else f"{size // (KILO * KILO)} MB"


def numbered(size, each):
    """So many words as take about `size` bytes with `each` bytes for a word."""
    return [b"m%0*d" % (each - 1, i) for i in range(max(1, size // (each + 10)))]


# Name, and what makes of a size: requests that prepare, the request that is measured.
KINDS = {
    "SET": lambda size: ([], request("SET", "key", b"v" * size)),
    "GET": lambda size: ([request("SET", "key", b"v" * size)], request("GET", "key")),
    "MSET, values of 20 bytes": lambda size: ([], request("MSET", *[word for key in numbered(size // 2, 20)
                                                                     for word in (key, b"v" * 20)])),
    "SADD, members of 10 bytes": lambda size: ([], request("SADD", "set", *numbered(size, 10))),
    "SMEMBERS of them": lambda size: ([request("SADD", "set", *numbered(size, 10))], request("SMEMBERS", "set")),
    "ECHO": lambda size: ([], request("ECHO", b"v" * size)),
}
LARGEST = {"MSET, values of 20 bytes": 16 << 20, "SADD, members of 10 bytes": 16 << 20, "SMEMBERS of them": 16 << 20}


class Connection:
    def __init__(self, server, buffer):
        self.socket = socket.create_connection((HOST, server.port), timeout=300)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = buffer

    def time(self, data, reply_bytes):
        """Seconds from the first byte sent to the last of `reply_bytes` read."""
        began = time.perf_counter()
        self.socket.sendall(data)
        received = 0
        while received < reply_bytes:
            got = self.socket.recv_into(self.buffer)
            if got == 0:
                raise RuntimeError("the server has closed the connection")
            received += got
        return time.perf_counter() - began

    def reply_bytes(self, data):
        """How long the reply is: a PING behind the request shows where it ends."""
        self.socket.sendall(data + b"*1\r\n$4\r\nPING\r\n")
        received, tail = 0, b""
        while not tail.endswith(b"+PONG\r\n"):
            got = self.socket.recv_into(self.buffer)
            received += got
            tail = (tail + bytes(self.buffer[max(0, got - 7):got]))[-7:]
        return received - 7

    def close(self):
        self.socket.close()


class Cell:
    """One kind and size on one server: its times by state."""

    def __init__(self, server, kind, size, buffer):
        self.server, self.buffer = server, buffer
        self.prepare, self.data = KINDS[kind](size)
        self.times = {state: [] for state in STATES}
        self.waiting = []

    def ready(self):
        connection = Connection(self.server, self.buffer)
        connection.reply_bytes(request("FLUSHALL"))
        for data in self.prepare:
            connection.reply_bytes(data)
        # What a request replies the second time (SADD adds nothing then) is as long as what it replies each time after.
        self._reply = (connection.reply_bytes(self.data), connection.reply_bytes(self.data))[1]
        connection.close()

    def turn(self):
        connection = Connection(self.server, self.buffer)
        self.times["fresh"].append(connection.time(self.data, self._reply))
        self.times["warm"].append(connection.time(self.data, self._reply))
        self.waiting.append(connection)

    def after_idle(self):
        for connection in self.waiting:
            self.times["idle"].append(connection.time(self.data, self._reply))
            connection.close()
        self.waiting = []


def measure(servers, kind, size, options, buffer):
    """For each server the median time by state."""
    cells = [Cell(server, kind, size, buffer) for server in servers]
    for cell in cells:
        cell.ready()
    for i in range(options.reps):
        for cell in cells if i % 2 == 0 else cells[::-1]:
            cell.turn()
    time.sleep(options.idle)
    for cell in cells:
        cell.after_idle()
    return [{state: median(cell.times[state]) for state in STATES} for cell in cells]


def main():
    parser = arguments(__doc__, reps=9, idle=3.0, bytes_max=64 << 20, only="")
    options = checked(parser.parse_args())
    buffer = bytearray(1 << 20)
    rows, missed = [], []
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(Server(name, path)) for name, path in
                   (("ours", options.server), ("redis", options.redis))]
        for kind in KINDS:
            for size in SIZES:
                if size > min(options.bytes_max, LARGEST.get(kind, size)) or options.only not in kind:
                    continue
                ours, redis = measure(servers, kind, size, options, buffer)
                row = [kind, size_text(size)]
                for state in STATES:
                    ratio = ours[state] / redis[state]
                    row += [f"{ours[state] * 1e3:,.3f} / {redis[state] * 1e3:,.3f}", f"**{ratio:.2f}**"]
                    if ratio > TARGET:
                        missed.append(f"{kind} {size_text(size)} {state} {ratio:.2f}")
                rows.append(row)
                print(" ".join(row), file=sys.stderr)
    print(f"## Time of one large request, ours / redis-server in ms (target: ratio ≤ {TARGET})\n")
    table(["request", "size", *[word for state in STATES for word in (f"{state} ms", "ratio")]], rows)
    print(f"\nabove the target: {'; '.join(missed) or 'none'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
