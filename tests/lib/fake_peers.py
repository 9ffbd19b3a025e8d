"""A primary and a replica that are only as true to the protocol as a test wants them to be.

What is said: https://redis.io/docs/latest/operate/oss_and_stack/management/replication/; the rest was seen on the wire.
"""

import contextlib
import socket
import threading

from replicating import close_both, reset
from resp_client import Client, encode
from server_process import HOST


class Peer:
    """The server at the other end of a connection that it has opened to a FakePrimary."""

    def __init__(self, connection):
        self.socket = connection
        self.buffer = b""

    def line(self):
        """None at the end of the connection."""
        while b"\n" not in self.buffer:
            piece = self.socket.recv(1 << 16)
            if not piece:
                return None
            self.buffer += piece
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.rstrip(b"\r")

    def request(self):
        """The next one as a list of words; None at the end."""
        while (line := self.line()) == b"":
            pass
        if line is None:
            return None
        if not line.startswith(b"*"):
            return line.split()
        words = []
        for _ in range(int(line[1:])):
            size = int(self.line()[1:])
            while len(self.buffer) < size + 2:
                piece = self.socket.recv(1 << 16)
                if not piece:
                    return None
                self.buffer += piece
            words.append(self.buffer[:size])
            self.buffer = self.buffer[size + 2:]
        return words

    def say(self, data):
        self.socket.sendall(data)

    def until_psync(self):
        """Answers what comes before it as a primary does. Its words, or None."""
        while (request := self.request()) is not None:
            name = request[0].upper()
            if name in (b"PSYNC", b"SYNC"):
                return request
            self.say(b"+PONG\r\n" if name == b"PING" else b"+OK\r\n")
        return None

    def until_gone(self, answer=None):
        """Reads on until the other side leaves, or `answer(request)` is true."""
        while (request := self.request()) is not None:
            if answer is not None and answer(request):
                return True
        return False


class FakePrimary:
    """`scripts`: what happens on the first connection, the second, and so on; the last one happens again and again.
    Each takes a Peer, and the connection is closed behind it."""

    def __init__(self, *scripts):
        self.scripts = scripts
        self.attempts = 0
        self.ended = 0
        self.troubles = []
        self.lock = threading.Lock()
        self.open = set()
        self.threads = []
        self.listener = socket.create_server((HOST, 0))
        self.address = self.listener.getsockname()

    def __enter__(self):
        self.acceptor = threading.Thread(target=self._accept, daemon=True)
        self.acceptor.start()
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.acceptor.join(20)
        with self.lock:
            close_both(self.open)
        for thread in self.threads:
            thread.join(20)

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.settimeout(60)
            script = self.scripts[min(self.attempts, len(self.scripts) - 1)]
            with self.lock:
                self.open.add(connection)
            thread = threading.Thread(target=self._play, args=(script, connection), daemon=True)
            self.threads.append(thread)
            self.attempts += 1
            thread.start()

    def _play(self, script, connection):
        try:
            script(Peer(connection))
        except OSError:
            pass  # the other side is tired of it
        except Exception as trouble:  # an error of the script
            self.troubles.append(f"{type(trouble).__name__}: {trouble}")
        with self.lock:
            self.open.discard(connection)
            self.ended += 1
        connection.close()


def full_sync(payload, history, offset=0):
    """What a primary answers to PSYNC, with the payload."""
    return b"+FULLRESYNC %b %d\r\n$%d\r\n%b" % (history, offset, len(payload), payload)


class FakeReplica:
    """Says what a replica says, one step at a time. `receive_bytes`: what the kernel may keep for it unread."""

    def __init__(self, primary, receive_bytes=None):
        self.client = Client(primary.address, timeout=60)
        if receive_bytes is not None:
            self.client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)

    def introduce(self, diskless=False):
        replies = [self.client.call("PING"), self.client.call("REPLCONF", "listening-port", 1)]
        capabilities = ["capa", "psync2"] + (["capa", "eof"] if diskless else [])
        return [*replies, self.client.call("REPLCONF", *capabilities)]

    def ask(self, history="?", offset=-1):
        self.client.send("PSYNC", history, offset)

    def line(self):
        """Without the newlines that are only a sign of life."""
        while True:
            line = self._until_newline()
            if line:
                return line

    def _until_newline(self):
        while b"\n" not in self.client.buffer:
            self.more()
        line, self.client.buffer = self.client.buffer.split(b"\n", 1)
        return line.rstrip(b"\r")

    def more(self):
        piece = self.client.socket.recv(1 << 16)
        if not piece:
            raise ConnectionError("closed")
        self.client.buffer += piece

    def payload_begins(self):
        """The line that says how long it is, or how it ends."""
        return self.line()

    def payload(self, header):
        """All of it, when the header is known."""
        mark = header[5:] if header.startswith(b"$EOF:") else None
        data = bytearray(self.client.buffer)
        end = -1 if mark else int(header[1:])
        while (end := data.find(mark, max(0, len(data) - (1 << 17)))) < 0 if mark else len(data) < end:
            piece = self.client.socket.recv(1 << 16)
            if not piece:
                raise ConnectionError("closed")
            data += piece
        self.client.buffer = bytes(data[end + len(mark or b""):])
        return bytes(data[:end])

    def acknowledge(self, offset):
        self.client.send_raw(encode(["REPLCONF", "ACK", offset]))

    def die(self):
        reset(self.client.socket)
