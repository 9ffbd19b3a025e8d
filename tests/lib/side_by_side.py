"""The same session with this server and with stock redis-server, written as lines; what they answer is compared.

    admin ACL SETUSER alice on >secret +get ~a*    the connection `admin` sends it and reads the reply; words are quoted
    alice3 AUTH alice secret                        as in a shell. A name that ends in 3 speaks RESP3
    alice3                                          reads one more reply: a push, or one of a command behind `<`
    alice < SUBSCRIBE a b                           only sends
    alice ?                                         whether it is still connected: PING, or that it is closed
    + alice                                         a new connection of that name, in place of an old one
    - alice                                         closes it
    = 1                                             waits until so many clients are blocked
"""

import re
import shlex

from replicating import GONE, OURS, THEIRS, Host, number, ours_is_tested
from resp_client import Client, ErrorReply
from server_process import wait_until

CLOSED = "the connection is closed"
# What two servers need not agree on in the line that describes a client.
CLIENT_FIELDS = {"name", "db", "sub", "psub", "multi", "cmd", "user", "resp"}


def in_order(rules):
    """Rules of commands as a set where their order means nothing: single commands behind the categories."""
    words = rules.split(b" ")
    singles = [word for word in words if word[:1] in b"+-" and b"@" not in word]
    return b" ".join([word for word in words if word not in singles] + sorted(singles))


def parts_in_order(line):
    """The same for a whole line of ACL LIST: the part outside of the selectors, and each selector."""
    outside = re.sub(rb" ?\([^)]*\)", b"", line)
    inside = re.findall(rb"\(([^)]*)\)", line)
    return b" ".join([in_order(outside), *[b"(" + in_order(one) + b")" for one in inside]])


def flat_pairs(reply):
    return dict(reply if reply and isinstance(reply[0], tuple) else zip(reply[::2], reply[1::2]))


def user_in_order(reply):
    if not isinstance(reply, list):
        return reply
    kind, pairs = type(reply).__name__, flat_pairs(reply)
    pairs[b"commands"] = in_order(pairs[b"commands"])
    selectors = [(type(one).__name__, flat_pairs(one)) for one in pairs[b"selectors"]]
    pairs[b"selectors"] = [(one, {**facts, b"commands": in_order(facts[b"commands"])}) for one, facts in selectors]
    return kind, list(pairs.items())


def client_fields(line):
    pairs = dict(word.split("=", 1) for word in line.decode().split() if "=" in word)
    return {name: value for name, value in pairs.items() if name in CLIENT_FIELDS}


def log_entries(reply):
    """Without times and addresses."""
    if not isinstance(reply, list):
        return reply
    entries = []
    for entry in reply:
        pairs = flat_pairs(entry)
        age = pairs.pop(b"age-seconds", None)
        pairs[b"client-info"] = client_fields(pairs[b"client-info"])
        entries.append((type(entry).__name__, type(age).__name__, list(pairs.items())))
    return entries


def without_ids(reply):
    """Replies to HELLO are among those of a transaction."""
    if not isinstance(reply, list):
        return reply
    if reply and reply[0] in (b"server", (b"server", b"redis")):
        return {name: value for name, value in flat_pairs(reply).items() if name in (b"proto", b"role", b"mode")}
    return [without_ids(one) for one in reply]


def settled(words, reply):
    """A reply without what is another one each time."""
    head = [word.upper() for word in words[:2]]
    if head == ["ACL", "GETUSER"]:
        return user_in_order(reply)
    if head == ["ACL", "LIST"] and isinstance(reply, list):
        return [parts_in_order(line) for line in reply]
    if head == ["ACL", "LOG"]:
        return log_entries(reply)
    if head in (["CLIENT", "INFO"], ["CLIENT", "LIST"]) and not type(reply).__name__.startswith("Error"):
        return sorted((client_fields(line) for line in reply.splitlines()), key=lambda one: sorted(one.items()))
    if head[:1] in (["HELLO"], ["EXEC"]):
        return type(reply).__name__, without_ids(reply)
    if head in (["PUBSUB", "CHANNELS"], ["PUBSUB", "SHARDCHANNELS"]) and isinstance(reply, list):
        return sorted(reply)
    return type(reply).__name__, reply


class Side:
    """One of the two servers and the connections to it. `record` is what was said: [(line, reply)]."""

    def __init__(self, server):
        self.server = server
        self.connections = {}
        self.record = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for client in self.connections.values():
            client.close()

    def connection(self, name):
        if name not in self.connections:
            self.open(name)
        return self.connections[name]

    def open(self, name):
        self.close(name)
        self.connections[name] = Client(self.server.address, 3 if name.endswith("3") else 2, timeout=60)

    def close(self, name):
        if name in self.connections:
            self.connections.pop(name).close()

    def note(self, title, seen):
        self.record.append((title, seen))
        return seen

    def ask(self, name, *words):
        """A reply that is not compared."""
        return self.connection(name).call(*words)

    def tell(self, name, *words):
        try:
            reply = self.ask(name, *words)
        except GONE:
            return self.note(f"{name} {' '.join(words)}", CLOSED)
        self.note(f"{name} {' '.join(words)}", settled(words, reply))
        return reply

    def more(self, name):
        try:
            return self.note(f"{name} reads", self.connection(name).read())
        except GONE:
            return self.note(f"{name} reads", CLOSED)

    def state(self, name):
        """Replies and pushes that are still on their way do not count."""
        try:
            client = self.connection(name)
            client.send("PING", "still there")
            while (reply := client.read()) not in (b"still there", [b"pong", b"still there"]):
                if isinstance(reply, ErrorReply) and reply[:4] in (b"NOPE", b"NOAU"):
                    break
            return self.note(f"{name} ?", "connected")
        except GONE:
            return self.note(f"{name} ?", CLOSED)

    def play(self, text):
        for line in filter(None, (line.strip() for line in text.splitlines())):
            name, *words = shlex.split(line)
            if name == "+":
                self.open(words[0])
            elif name == "-":
                self.close(words[0])
            elif name == "=":
                wait_until(lambda count=int(words[0]): number(self.server, "clients", "blocked_clients") == count)
            elif not words:
                self.more(name)
            elif words == ["?"]:
                self.state(name)
            elif words[0] == "<":
                self.connection(name).send(*words[1:])
            else:
                self.tell(name, *words)


def records(make, play, options, more):
    with Host(make, options, **more) as server, Side(server) as side:
        play(side)
        return side.record


def compare(checks, play, options=(), allowed=(), **more):
    """Both are told what `play` (a function that takes a Side, or lines) says. `allowed`: {beginning of a line: why this
    server answers otherwise}; what is allowed and does not happen is a failed check, too."""
    steps = play if callable(play) else lambda side: side.play(play)
    ours, theirs = (records(make, steps, options, more) for make in (OURS, THEIRS))
    judge(checks, ours, theirs, dict(allowed))


def judge(checks, ours, theirs, allowed):
    checks.equal("the same number of answers", len(ours), len(theirs))
    for place, ((line, our), (their_line, their)) in enumerate(zip(ours, theirs), 1):
        title = f"{place}. {line}"
        reason = next((why for start, why in allowed.items() if line.startswith(start)), None)
        if reason and ours_is_tested():
            checks.true(f"{title} differs, as {reason}", our != their, "not any more: take it off the list")
        elif line != their_line:
            checks.true(title, False, f"the other one is at {their_line!r}")
            return
        else:
            checks.true(title, our == their, f"\n    ours  {our!r:.900}\n    redis {their!r:.900}")

