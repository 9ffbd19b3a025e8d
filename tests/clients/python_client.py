"""python3-redis over RESP2 and RESP3, on TCP and on a Unix socket.

The packaged client speaks RESP2 only. For RESP3 its connection says HELLO 3, and a reply parser of ours turns the
new reply types into the shapes this client knows (a map into a flat list); all else is the client's own code.
"""

import redis
from redis.connection import PythonParser

from harness import HOST


class Resp3Parser(PythonParser):
    """RESP3 replies in the shapes of RESP2. Counts the types seen, so that a test can prove RESP3 was spoken."""

    seen = set()

    def read_response(self, disable_decoding=False):
        raw = self._buffer.readline()
        if not raw:
            raise redis.ConnectionError("Connection closed by server.")
        kind, rest = raw[:1], raw[1:]
        Resp3Parser.seen.add(kind)
        if kind in b"*~>%":
            count = int(rest) * (2 if kind == b"%" else 1)
            return None if count < 0 else [self.read_response(disable_decoding) for _ in range(count)]
        if kind == b"-":
            error = self.parse_error(rest.decode("utf-8", "replace"))
            if isinstance(error, redis.ConnectionError):
                raise error
            return error
        if kind == b"_":
            return None
        if kind == b"#":
            return int(rest == b"t")
        if kind in b":(":
            return int(rest)
        if kind in b"$=":
            if int(rest) < 0:
                return None
            rest = self._buffer.read(int(rest))[4 if kind == b"=" else 0:]
        elif kind not in b"+,":
            raise redis.InvalidResponse(f"Protocol Error: {raw!r}")
        return rest if disable_decoding else self.encoder.decode(rest)


class Resp3Mixin:
    """Says HELLO 3 (with AUTH and SETNAME inside) instead of AUTH and CLIENT SETNAME."""

    def on_connect(self):
        self._parser.on_connect(self)
        hello = ["HELLO", "3"]
        if self.password:
            hello += ["AUTH", self.username or "default", self.password]
        if self.client_name:
            hello += ["SETNAME", self.client_name]
        self.send_command(*hello, check_health=False)
        if isinstance(answer := self.read_response(), Exception):
            raise answer
        if self.db:
            self.send_command("SELECT", self.db)
            self.read_response()


class TcpResp3(Resp3Mixin, redis.Connection):
    pass


class UnixResp3(Resp3Mixin, redis.UnixDomainSocketConnection):
    pass


def python_client(server, protocol, transport, pooled=None, **options):
    where = {"host": HOST, "port": server.port} if transport == "tcp" else {"path": server.socket}
    kinds = {("tcp", 2): redis.Connection, ("unix", 2): redis.UnixDomainSocketConnection,
             ("tcp", 3): TcpResp3, ("unix", 3): UnixResp3}
    options.setdefault("decode_responses", True)
    options.setdefault("socket_timeout", 30)
    options.setdefault("password", server.password)
    if protocol == 3:
        options["parser_class"] = Resp3Parser
    pool = (pooled or redis.ConnectionPool)(connection_class=kinds[transport, protocol], **where, **options)
    client = redis.Redis(connection_pool=pool)
    if protocol == 3:
        for command, shape in RESHAPED.items():
            client.set_response_callback(command, _reshaped(shape, client.response_callbacks.get(command)))
    return client


def _flat(reply):
    """[[member, score], ...] as [member, score, ...]."""
    nested = isinstance(reply, list) and reply and isinstance(reply[0], list)
    return [part for pair in reply for part in pair] if nested else reply


def _paired(reply):
    """The flattened map of XREAD as [[key, entries], ...]."""
    return reply and [[reply[i], reply[i + 1]] for i in range(0, len(reply), 2)]


# Replies that have another nesting in RESP3: command, how RESP2 nests them.
RESHAPED = {
    **{command: _flat for command in (
        "ZRANGE", "ZREVRANGE", "ZRANGEBYSCORE", "ZREVRANGEBYSCORE", "ZPOPMIN", "ZPOPMAX", "ZDIFF", "ZINTER", "ZUNION",
        "ZRANDMEMBER", "HRANDFIELD")},
    "XREAD": _paired, "XREADGROUP": _paired,
}


def _reshaped(shape, then):
    def callback(reply, **options):
        reply = shape(reply)
        return then(reply, **options) if then else reply
    return callback
