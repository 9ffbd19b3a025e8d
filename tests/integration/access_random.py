#!/usr/bin/python3
"""Random users and random commands, beside stock redis-server: who may do what is the same, in the same words.

Each user gets random rules. Then commands of all kinds are tried: really, as this user; in a transaction that begins
before the user gets its rules; and with ACL DRYRUN. Their arguments come from the key specifications of COMMAND INFO,
from forms of commands that hide their keys elsewhere, and sometimes from nowhere.

    SEED=n access_random.py       repeats a run; USERS=2000 for more of it
"""

import functools
import itertools
import os
import pathlib
import random
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from checks import run_parts  # noqa: E402
from replicating import GONE, OURS, SEED, THEIRS, Host, pipelined  # noqa: E402
from resp_client import ErrorReply  # noqa: E402
from sanitized import SANITIZED  # noqa: E402
from side_by_side import flat_pairs, in_order  # noqa: E402

USERS = int(os.environ.get("USERS", "80" if SANITIZED else "500"))
ATTEMPTS = 60  # for each of them
KEYS = ["a", "b", "ab", "ba", "abc", "{a}b", "c*", "x"]
PATTERNS = ["*", "a", "a*", "b*", "?b", "[ab]*", "*c", "{a}*", "c\\*", "**", "[^a]*", "x"]
CHANNELS = ["news", "n", "other", "news.a", "n*", "news*", "a?b"]
CHANNEL_PATTERNS = ["*", "n", "n*", "news*", "news.?", "o*", "[no]*", "a?b", "news.a"]
FIRST_ARGUMENTS = ["select|0", "select|1", "get|a", "set|b", "publish|news", "eval|x", "auth|x", "debug|object",
    "memory|1", "SORT|a"]
WORDS = ["0", "1", "2", "a", "b", "WITHSCORES", "LIMIT", "COUNT", "*", "x", "GET", "STORE", "KEYS", "STREAMS", "-1",
    "100"]
# Safe to be carried out, as they only work on the keys.
SAFE_CATEGORIES = {b"@read", b"@write"}
UNSAFE = {"migrate", "flushall", "flushdb", "swapdb", "move", "wait", "blpop", "brpop", "blmove", "brpoplpush",
    "blmpop", "bzpopmin", "bzpopmax", "bzmpop", "xread", "xreadgroup", "restore-asking", "sort", "restore"}
# Commands whose keys no specification tells of, or whose options change what is done to them.
FORMS = """
    sort K BY K* GET K* STORE K|sort K STORE K|sort K|sort_ro K BY K|georadius K 0 0 1 m STORE K
    georadius K 0 0 1 m|georadiusbymember K a 1 m STOREDIST K|georadius_ro K 0 0 1 m
    xread COUNT 1 STREAMS K K 0 0|xread STREAMS K 0|xread STREAMS K K 0|xreadgroup GROUP g c STREAMS K >
    xreadgroup GROUP g c COUNT 1 NOACK STREAMS K K > >|eval x 2 K K a|eval x 0|eval x -1 K|eval x 3 K
    evalsha x 1 K|eval_ro x 1 K|fcall f 2 K K|fcall_ro f 1 K|zunionstore K 2 K K|zunion 2 K K|zinter 1 K
    zdiff 2 K K WITHSCORES|zinterstore K 3 K K|zintercard 2 K K LIMIT 1|sintercard 2 K K|lmpop 2 K K LEFT
    blmpop 0 1 K LEFT|zmpop 1 K MIN|bzmpop 0 2 K K MAX|migrate h 1 K 0 10|migrate h 1 "" 0 10 KEYS K K
    migrate h 1 "" 0 10 COPY KEYS K|migrate h 1 "" 0 10 AUTH KEYS KEYS K
    migrate h 1 "" 0 10 AUTH2 u KEYS KEYS K K|migrate h 1 K 0 10 COPY REPLACE AUTH KEYS|set K v|set K v GET
    set K v NX GET EX 10|get K|bitfield K GET u8 0|bitfield K SET u8 0 1|bitfield K GET u8 0 GET u8 1
    bitfield K INCRBY u8 0 1|bitfield_ro K GET u8 0|mset K 1 K 2|msetnx K 1 K 2 K|mget K K K|del K K|copy K K
    rename K K|object encoding K|object freq K|memory usage K|xgroup create K g $|xinfo stream K
    xautoclaim K g c 0 0|pfcount K K|pfmerge K K|lmove K K LEFT RIGHT|smove K K a|bitop AND K K K|debug object K
    spublish C x|publish C x|subscribe C C|psubscribe C|psubscribe C C|ssubscribe C C|unsubscribe C
    punsubscribe C|sunsubscribe C|select 0|select 1|select 9|config get port|config set timeout 0|config nosuch
    client id|client kill ID 1|acl whoami|acl setuser x|acl list|command count|command getkeys get K
    command docs|script load x|script exists x|function list|xsetid K 1-1|object help|ping|echo a|auth x
    auth x y|hello|hello 2|reset|quit|watch K K|multi|exec|discard|info|touch K|exists K K|wait 0 0
    cluster keyslot K|pubsub channels|latency doctor|slowlog get|module list|replicaof no one|monitor|sync
    psync a 1|randomkey|keys *|scan 0|zrangestore K K 0 1|geosearchstore K K FROMLONLAT 0 0 BYRADIUS 1 m
    sunionstore K K K|getex K|getdel K|append K v|nosuch K
"""


class Maker:
    """Random rules and requests over the commands that both servers have with the same number of arguments."""

    def __init__(self, seed, facts, left_out):
        self.left_out = left_out
        self.random = random.Random(seed)
        self.facts = facts
        self.whole = sorted(name for name in facts if "|" not in name)
        self.inner = sorted(name for name in facts if "|" in name)
        self.containers = {name.split("|")[0] for name in self.inner}
        self.groups = sorted({group.decode() for info in facts.values() for group in info[6]})
        forms = [form.split() for line in FORMS.splitlines() for form in line.split("|") if form.strip()]
        self.forms = [form for form in forms if self.knows(form)]

    def knows(self, form):
        return form[0] == "nosuch" or (form[0] in self.facts and "|".join(form[:2]) not in self.left_out)

    def pick(self, *choices):
        return self.random.choice(choices)

    def command_rule(self):
        sign = self.pick("+", "+", "-")
        roll = self.random.random()
        if roll < 0.30:
            return sign + self.random.choice(self.groups)
        if roll < 0.60:
            return sign + self.spelled(self.random.choice(self.whole))
        if roll < 0.75:
            return sign + self.spelled(self.random.choice(self.inner))
        if roll < 0.85:
            return self.pick("+", "+", "+", "-") + self.random.choice(FIRST_ARGUMENTS)
        return self.pick("+@all", "-@all", "allcommands", "nocommands", "+@read", "+@write", "+@read -@write",
            "-@dangerous")

    def spelled(self, name):
        return name.upper() if self.random.random() < 0.1 else name

    def key_rule(self):
        if self.random.random() < 0.08:
            return self.pick("allkeys", "resetkeys")
        kind = self.pick("~", "~", "%R~", "%W~", "%RW~")
        return kind + self.random.choice(PATTERNS)

    def channel_rule(self):
        if self.random.random() < 0.15:
            return self.pick("allchannels", "resetchannels")
        return "&" + self.random.choice(CHANNEL_PATTERNS)

    def rules(self, most):
        found = []
        for _ in range(self.random.randrange(most)):
            make = self.random.choices([self.command_rule, self.key_rule, self.channel_rule], [5, 3, 2])[0]
            found += make().split()
        return found

    def user(self):
        found = self.rules(10)
        if self.random.random() < 0.5:
            found.insert(0, self.pick("+@all", "+@read", "+@write"))
        for _ in range(self.pick(0, 0, 0, 1, 1, 2, 3)):
            inside = [rule for rule in self.rules(7) if rule not in ("resetkeys", "resetchannels")]
            found.append("(" + " ".join(inside) + ")")
        if self.random.random() < 0.05:
            found.append("clearselectors")
        return ["reset", "on", "nopass", *found]

    def word(self):
        return self.pick(self.random.choice(KEYS), self.random.choice(KEYS), self.random.choice(WORDS),
            self.random.choice(CHANNELS))

    def request(self):
        roll = self.random.random()
        if roll < 0.5:
            return self.of_form(self.random.choice(self.forms))
        name = self.random.choice(self.whole if roll < 0.8 else self.inner)
        words = [self.spelled(word) for word in name.split("|")]
        if name in self.containers and self.random.random() < 0.5:
            inside = [inner for inner in self.inner if inner.startswith(name + "|")]
            words.append(self.random.choice(inside).split("|")[1])
        arity = self.facts[name][1]
        wanted = abs(arity) + (self.random.randrange(4) if arity < 0 else 0)
        if self.random.random() < 0.02:
            wanted += self.pick(-1, 1)
        words += [self.word() for _ in range(wanted - len(words))]
        if roll < 0.75:
            self.place_keys(words, self.facts[name])
        return words

    def of_form(self, form):
        words = [self.spelled(form[0])]
        for word in form[1:]:
            named = {"K": KEYS, "C": CHANNELS}.get(word)
            pattern = word.replace("K*", self.random.choice(KEYS) + "*").strip('"')
            words.append(self.random.choice(named) if named else pattern)
        if self.random.random() < 0.05:
            words[self.random.randrange(1, len(words) + 1):] = []
        return words

    def place_keys(self, words, info):
        """Makes numbers and keywords stand where the specifications look for them."""
        for spec in info[8]:
            facts = dict(zip(spec[::2], spec[1::2]))
            begin, find = (dict(zip(part[::2], part[1::2])) for part in (facts[b"begin_search"], facts[b"find_keys"]))
            where = dict(zip(begin[b"spec"][::2], begin[b"spec"][1::2]))
            if begin[b"type"] == b"keyword" and abs(where[b"startfrom"]) < len(words):
                words[max(where[b"startfrom"], len(words) // 2)] = where[b"keyword"].decode()
            elif begin[b"type"] == b"index" and find[b"type"] == b"keynum":
                number = where[b"index"] + dict(zip(find[b"spec"][::2], find[b"spec"][1::2]))[b"keynumidx"]
                if number < len(words):
                    words[number] = str(self.random.randrange(len(words) - number + 1))

    def safe(self, words):
        info = self.facts.get(words[0].lower())
        if words[0].lower() in ("publish", "spublish", "echo", "ping"):
            return True
        return (info is not None and words[0].lower() not in UNSAFE | self.containers and b"blocking" not in info[2]
                and bool(SAFE_CATEGORIES & set(info[6])) and b"@scripting" not in info[6])


def facts_of(host):
    """{full name: what COMMAND INFO says of it}"""
    found = {}
    for info in host.ask("COMMAND"):
        for one in itertools.chain([info], info[9]):
            found[one[0].decode()] = one
    return found


def verdict(reply):
    """What of a reply tells of rights."""
    if isinstance(reply, ErrorReply) and reply.startswith((b"NOPERM", b"NOAUTH")):
        return bytes(reply)
    return "allowed"


def played(admin, session, rules, requests, maker):
    """[what the server said of rights]: of the rules, in ACL DRYRUN, really, and in a transaction."""
    said = [admin.call("ACL", "SETUSER", "u", *rules)]
    said.append(admin.call("ACL", "GETUSER", "u"))
    session.call("AUTH", "u", "x")
    dry = [("ACL", "DRYRUN", "u", *words) for words in requests]
    said += pipelined(admin, dry)
    said += [verdict(reply) for reply in pipelined(session, [words for words in requests if maker.safe(words)])]
    admin.call("ACL", "SETUSER", "u", "+@all")
    said.append(session.call("MULTI"))
    admin.call("ACL", "SETUSER", "u", *rules)
    queued = [words for words in requests if words[0].lower() not in NOT_QUEUED]
    replies = pipelined(session, queued)
    said += [bytes(reply) if isinstance(reply, ErrorReply) else reply for reply in replies]
    admin.call("ACL", "SETUSER", "u", "+@all")
    said.append(session.call("DISCARD"))
    said.append(session.call("RESET"))
    return said


# These are carried out at once, or end what is going on.
NOT_QUEUED = {"exec", "discard", "multi", "watch", "quit", "reset", "nosuch"}


def titles(requests, maker):
    queued = [words for words in requests if words[0].lower() not in NOT_QUEUED]
    return ["ACL SETUSER", "ACL GETUSER", *[f"ACL DRYRUN u {' '.join(words)}" for words in requests],
            *[f"{' '.join(words)}" for words in requests if maker.safe(words)], "MULTI",
            *[f"in MULTI: {' '.join(words)}" for words in queued], "DISCARD", "RESET"]


def same_user(stock, our, their):
    """Rules of commands are printed in more than one way, all the more as this server has more commands: stock
    redis-server reads ours, and then prints them as its own."""
    ours, theirs = flat_pairs(our), flat_pairs(their)
    pairs = [(ours, theirs), *zip(map(flat_pairs, ours.pop(b"selectors")), map(flat_pairs, theirs.pop(b"selectors")))]
    return all(same_rights(stock, one, other) for one, other in pairs) and len(our) == len(their)


def same_rights(stock, our, their):
    for facts in (our, their):
        rules = [word for word in facts[b"commands"].split() if b"@" in word or stock_knows(stock, word)]
        stock.ask("ACL", "SETUSER", "printed", "reset", *rules)
        facts[b"commands"] = in_order(flat_pairs(stock.ask("ACL", "GETUSER", "printed"))[b"commands"])
        # Here `%RW~*` stands before the others, there `~*` in its place.
        facts[b"keys"] = sorted(facts[b"keys"].replace(b"%RW~*", b"~*").split())
    return our == their


@functools.cache
def stock_knows(stock, rule):
    return stock.ask("ACL", "SETUSER", "unknown", rule) == b"OK"


def stricter(stock, title, our, their):
    """Where not all keys of a request can be found, stock redis-server minds none of them. Such a request fails, but for
    PFMERGE with one key, which anybody may write there."""
    if not isinstance(our, bytes) or b" access " not in our or their not in (b"OK", "allowed", b"QUEUED"):
        return False
    words = title.removeprefix("ACL DRYRUN u ").removeprefix("in MULTI: ").split(" ")
    return isinstance(stock.ask("COMMAND", "GETKEYS", *words), ErrorReply)


def random_users(checks):
    print(f"    repeat with SEED={SEED} USERS={USERS} access_random.py", flush=True)
    with Host(OURS) as server, Host(THEIRS) as stock:
        ours, theirs = facts_of(server), facts_of(stock)
        # Later versions of a command may take more arguments.
        same = {name for name in ours.keys() & theirs.keys() if ours[name][1] == theirs[name][1]}
        left_out = (ours.keys() & theirs.keys()) - same
        maker = Maker(f"{SEED} users", {name: theirs[name] for name in same}, left_out)
        refused = denied = allowed = 0
        for number in range(USERS):
            rules, requests = maker.user(), [maker.request() for _ in range(ATTEMPTS)]
            said = []
            for host in (server, stock):
                try:
                    with host.client() as admin, host.client() as session:
                        said.append(played(admin, session, rules, requests, maker))
                except GONE as trouble:
                    checks.true(f"user {number}: {host.make} answers", False, f"{trouble!r}: {rules} {requests}")
                    return
            refused += said[1][0] != b"OK"
            for title, our, their in zip(titles(requests, maker), *said):
                denied += isinstance(their, bytes) and b"permissions" in their
                allowed += their in (b"OK", "allowed", b"QUEUED")
                same = our == their or (title == "ACL GETUSER" and same_user(stock, our, their))
                checks.true(f"user {number}, ACL SETUSER u {' '.join(rules)}: {title}",
                            same or stricter(stock, title, our, their),
                            f"\n    ours  {our!r:.600}\n    redis {their!r:.600}")
        print(f"    {refused} of {USERS} users refused; {denied} requests denied, {allowed} allowed")
        checks.true("all of it happens", allowed / 20 < denied < allowed * 20 and 0 < refused < USERS / 2)


if __name__ == "__main__":
    sys.exit(run_parts([random_users]))
