"""A client that keeps the types of replies apart, as conformance tests need it.

Replies become Python values: bytes (bulk), int, float (RESP3 double), bool, None (any null), list (array), and the
classes below for everything else.
"""

import socket


class Simple(bytes):
    """+OK"""


class ErrorReply(bytes):
    """-ERR text, or a blob error"""


class Verbatim(bytes):
    """=15 txt:text, without the format"""


class BigNumber(bytes):
    """(123"""


class Map(list):
    """%: a list of pairs"""


class Set(list):
    """~"""


class Push(list):
    """>: out of band"""


class ProtocolError(Exception):
    pass


class Disconnected(Exception):
    pass


def encode(words):
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        data = word if isinstance(word, bytes) else str(word).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(parts)


class Client:
    """One connection: to ("host", port), or to the path of a Unix socket."""

    def __init__(self, address, resp=2, timeout=30):
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.socket = socket.socket(family)
        self.socket.settimeout(timeout)
        self.socket.connect(address)
        self.buffer = b""
        if resp == 3:
            self.call("HELLO", "3")

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send_raw(self, data):
        self.socket.sendall(data)

    def send(self, *words):
        self.send_raw(encode(words))

    def call(self, *words):
        self.send(*words)
        return self.read()

    def read_until_closed(self):
        """Everything until the server closes the connection."""
        data, self.buffer = self.buffer, b""
        while True:
            try:
                piece = self.socket.recv(65536)
            except ConnectionResetError:
                return data
            if not piece:
                return data
            data += piece

    def read(self):
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind == b"*":
            return None if rest == b"-1" else self._several(int(rest))
        if kind == b"%":
            flat = self._several(2 * int(rest))
            return Map(zip(flat[::2], flat[1::2]))
        if kind == b"~":
            return Set(self._several(int(rest)))
        if kind == b">":
            return Push(self._several(int(rest)))
        if kind == b"|":  # attributes come before the reply they belong to
            self._several(2 * int(rest))
            return self.read()
        return self._scalar(kind, rest)

    def _scalar(self, kind, rest):
        if kind == b"$":
            return None if rest == b"-1" else self._block(int(rest))
        if kind == b"=":
            return Verbatim(self._block(int(rest))[4:])
        if kind == b"!":
            return ErrorReply(self._block(int(rest)))
        if kind == b"#":
            return {b"t": True, b"f": False}[rest]
        if kind == b"_":
            return None
        types = {b"+": Simple, b"-": ErrorReply, b":": int, b",": float, b"(": BigNumber}
        if kind not in types:
            raise ProtocolError(f"a reply starts with {kind + rest!r}")
        return types[kind](rest)

    def _several(self, count):
        return [self.read() for _ in range(count)]

    def _more(self):
        piece = self.socket.recv(1 << 16)
        if not piece:
            raise Disconnected("the server closed the connection")
        self.buffer += piece

    def _line(self):
        while (end := self.buffer.find(b"\r\n")) < 0:
            self._more()
        line, self.buffer = self.buffer[:end], self.buffer[end + 2:]
        return line

    def _block(self, size):
        while len(self.buffer) < size + 2:
            self._more()
        data, tail, self.buffer = self.buffer[:size], self.buffer[size:size + 2], self.buffer[size + 2:]
        if tail != b"\r\n":
            raise ProtocolError(f"a string of {size} bytes ends with {tail!r}")
        return data


class RawClient(Client):
    """Gives replies as they were on the wire."""

    def __init__(self, address, resp=2, timeout=30):
        self.seen = []
        super().__init__(address, resp, timeout)

    def exchange(self, *words):
        self.send(*words)
        self.seen = []
        missing = 1
        while missing:  # replies may be nested deeper than Python calls
            missing += self._part() - 1
        return b"".join(self.seen)

    def _part(self):
        """Reads one line and the string behind it, if there is one. How many replies belong to it."""
        line = self._line()
        kind, size = line[:1], line[1:]
        if kind in b"*~>%|":
            return max(0, int(size)) * (2 if kind in b"%|" else 1) + (kind == b"|")
        if kind in b"$=!" and size != b"-1":
            self._block(int(size))
        return 0

    def _line(self):
        line = super()._line()
        self.seen.append(line + b"\r\n")
        return line

    def _block(self, size):
        data = super()._block(size)
        self.seen.append(data + b"\r\n")
        return data


class Received(RawClient):
    """Bytes that are there already."""

    def __init__(self, data):
        self.seen = []
        self.buffer = data

    def _more(self):
        raise ProtocolError("the reply ends too early")


def parsed(data):
    """One reply, as Client.read would have given it."""
    return Received(data).read()
