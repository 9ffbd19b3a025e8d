#!/usr/bin/python3
"""Users and their rights beside stock redis-server: the same sessions, the same replies, word for word.

Which rights a session has from one moment to the next is in access_rights.py; files, secrets and changes under load are
in access_files.py; random users are in access_random.py.

    access.py [PART]              repeats a part
"""

import pathlib
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from checks import run_parts  # noqa: E402
from replicating import OURS, THEIRS, Host  # noqa: E402
from side_by_side import compare, flat_pairs  # noqa: E402

# What one of them has and the other has not, on purpose: {name: why}.
OTHER_CATEGORIES = {}


def facts_of(host):
    """{command: (flags, categories)}, subcommands as well, under their full names."""
    found = {}

    def take(info):
        found[info[0].decode()] = (sorted(info[2]), sorted(info[6]))
        for inner in info[9]:
            take(inner)

    for info in host.ask("COMMAND"):
        take(info)
    return found


def categories(checks):
    """Flags and categories of every command that both have."""
    with Host(OURS, compat="7.0") as server, Host(THEIRS) as stock:
        ours, theirs = facts_of(server), facts_of(stock)
        both = sorted(ours.keys() & theirs.keys())
        checks.equal("commands that only stock redis-server has", theirs.keys() - ours.keys(), set())
        for name in both:
            for what, our, their in zip(("flags", "categories"), ours[name], theirs[name]):
                if (name, what) in OTHER_CATEGORIES:
                    checks.true(f"{what} of {name} differ", our != their, "not any more: take it off the list")
                else:
                    checks.equal(f"{what} of {name}", our, their)
        names = server.ask("ACL", "CAT")
        checks.equal("ACL CAT", names, stock.ask("ACL", "CAT"))
        for name in names:
            ours_in, theirs_in = (set(host.ask("ACL", "CAT", name)) for host in (server, stock))
            known = {one.encode() for one in both}
            checks.equal(f"ACL CAT {name.decode()}", sorted(ours_in & known), sorted(theirs_in & known))
            filtered = [set(host.ask("COMMAND", "LIST", "FILTERBY", "ACLCAT", name)) & known for host in (server, stock)]
            checks.equal(f"COMMAND LIST FILTERBY ACLCAT {name.decode()}", *map(sorted, filtered))
            listed = {one for one, (_, groups) in ours.items() if b"@" + name in groups}
            checks.equal(f"COMMAND INFO and ACL CAT {name.decode()}", {one.decode() for one in ours_in}, listed)


RULES = r"""
a ACL SETUSER u
a ACL GETUSER u
a3 ACL GETUSER u
a ACL SETUSER u on >one >two <one ~k* %R~r* %W~w* %RW~b* &news.* +@read -get +set +config|get +client|id
a ACL GETUSER u
a3 ACL GETUSER u
a ACL LIST
a ACL SETUSER u (+get ~a) (%R~b* &c +@string -append resetchannels) +select|0
a3 ACL GETUSER u
a ACL GETUSER u
a ACL LIST
a ACL SETUSER u clearselectors resetkeys resetchannels resetpass
a ACL GETUSER u
a ACL SETUSER u nopass allkeys allchannels allcommands
a ACL GETUSER u
a ACL SETUSER u nocommands off
a ACL GETUSER u
a ACL SETUSER u #2bd806c97f0e00af1a1fc3328fa763a9269723c8db8fac4f93af71db186d6e90
a ACL SETUSER u skip-sanitize-payload
a ACL GETUSER u
a ACL SETUSER u sanitize-payload !2bd806c97f0e00af1a1fc3328fa763a9269723c8db8fac4f93af71db186d6e90
a ACL GETUSER u
a ACL SETUSER u reset
a ACL GETUSER u
a ACL GETUSER nobody
a ACL SETUSER u +@all -@dangerous +@admin -config +config|get
a ACL GETUSER u
a ACL SETUSER u -@all +@all -@write +set -client|kill
a ACL GETUSER u
a ACL SETUSER u -@all +config|get|port +memory|doctor
a ACL SETUSER u -@all +memory|doctor +memory
a ACL GETUSER u
a ACL SETUSER u -memory|usage
a ACL GETUSER u
a ACL SETUSER u +GET +Config|Get +@SET
a ACL GETUSER u
"""

WRONG_RULES = [
    "nonsense", "+nosuch", "-nosuch", "+@nosuch", "-@nosuch", "+config|nosuch", "-config|nosuch", "+get|a|b",
    "-get|a", "+config|get|a", "+", "-", "+@", "+|", "+get|", "-select|0", "<nopassword", "#short", "#" + "g" * 64,
    "#" + "A" * 64, "#" + "a" * 65, "!" + "0" * 64, "!short", "~a b", "~ a", "&a b", "~a\tb", "%~a", "%X~a", "%R",
    "%", "%R~", "%RW", "%RWR~a", "%rw~a", "%R~a b", "%WR~x", "(", ")", "()", "(+get", "+get)", "(+nosuch ~a)", "(on)",
    "(>p)", "(~* ~a)", "(%X~a)", "((+get))", "(allkeys ~a)", "(reset)", "( +get )", "~", "&", "ON", "Off", "NOPASS",
    "AllKeys", "ALLCOMMANDS", "%RW~*", "%R~*", "%W~*", "on off", "", " ", ">", "<", "#", "!", "reset",
    "clearselectors", "\\", '"', "+select|0", "+select|1", "+Select|ABC", "+get|Key"]


def setuser_getuser(checks):
    def play(side):
        side.play(RULES)
        for number, rule in enumerate(WRONG_RULES):
            side.tell("a", "ACL", "SETUSER", f"w{number}", rule)
            side.tell("a", "ACL", "GETUSER", f"w{number}")
            side.tell("a", "ACL", "SETUSER", "kept", "~*", rule, "+get")
            side.tell("a", "ACL", "GETUSER", "kept")
        # One pattern behind another that has them all; a wrong one leaves everything as it was.
        for words in (["~*", "~a"], ["allkeys", "%R~a"], ["%R~*", "~*"], ["&*", "&a"], ["allchannels", "&a"],
            ["~a", "~*"], ["~a", "~a"], ["&a", "&a", "%R~a", "%W~a"], ["~a", "~*", "~b"], [">x", "nosuch"],
            ["on", "+get", "+nosuch"], ["(~a", "+get)", "~b"], ["(~a", "+get"], ["(~a)", "(~b)", "nosuch"],
            ["(~*", "+@all", "-set)"]):
            side.tell("a", "ACL", "SETUSER", "patterns", "reset", *words)
            side.tell("a", "ACL", "GETUSER", "patterns")
        for name in ("", "a b", "a\tb", "a\0b", "ü", "x" * 1000, "DEFAULT", "a-b.c:d", "(", "+get"):
            side.tell("a", "ACL", "SETUSER", name, "on")
        side.tell("a", "ACL", "USERS")

    compare(checks, play)


COMMANDS = r"""
a ACL
a ACL NOSUCH
a ACL HELP
a ACL HELP x
a ACL WHOAMI
a ACL WHOAMI x
a ACL USERS
a ACL USERS x
a ACL LIST
a ACL LIST x
a ACL CAT x y
a ACL CAT nosuch
a ACL CAT
a ACL GETUSER
a ACL GETUSER default x
a ACL SETUSER
a ACL SETUSER alice
a ACL SETUSER bob on
a ACL SETUSER alice on
a ACL USERS
a ACL DELUSER
a ACL DELUSER default
a ACL DELUSER alice default
a ACL USERS
a ACL DELUSER alice alice nobody bob
a ACL USERS
a ACL LOAD
a ACL SAVE
a ACL LOAD x
a ACL SAVE x
a ACL GENPASS x
a ACL GENPASS 0
a ACL GENPASS -1
a ACL GENPASS 4097
a ACL GENPASS 1.5
a ACL GENPASS 1 2
a ACL GETUSER default
a3 ACL CAT
a3 ACL USERS
a3 ACL HELP
a3 ACL WHOAMI
"""

DRY_RUNS = r"""
a ACL DRYRUN
a ACL DRYRUN default
a ACL DRYRUN nobody get k
a ACL DRYRUN default nosuch
a ACL DRYRUN default get
a ACL DRYRUN default get k
a ACL DRYRUN default config
a ACL DRYRUN default config nosuch
a ACL DRYRUN default config get
a ACL DRYRUN default config get x
a ACL SETUSER d +get +@write ~a* %R~r* %W~w* &c* -config +config|get (+hget ~h*)
a ACL DRYRUN d GET abc
a ACL DRYRUN d get b
a ACL DRYRUN d get r1
a ACL DRYRUN d get w1
a ACL DRYRUN d set w1 x
a ACL DRYRUN d set w1 x GET
a ACL DRYRUN d set r1 x
a ACL DRYRUN d mget a
a ACL DRYRUN d config set a b
a ACL DRYRUN d CONFIG GET a
a ACL DRYRUN d hget h1 f
a ACL DRYRUN d hget a1 f
a ACL DRYRUN d publish c x
a ACL DRYRUN d eval x 0
a ACL DRYRUN d rename a1 b1
a ACL DRYRUN d copy r1 w1
a ACL DRYRUN d auth x
a ACL DRYRUN d quit
a ACL SETUSER d +publish +subscribe +psubscribe +spublish +ssubscribe +unsubscribe +punsubscribe
a ACL DRYRUN d publish c x
a ACL DRYRUN d publish d x
a ACL DRYRUN d subscribe c1 c2
a ACL DRYRUN d subscribe c1 d2
a ACL DRYRUN d psubscribe c*
a ACL DRYRUN d psubscribe c1*
a ACL DRYRUN d ssubscribe d
a ACL DRYRUN d spublish d x
a ACL DRYRUN d unsubscribe d
a ACL DRYRUN d punsubscribe d*
a3 ACL DRYRUN d publish d x
a EXISTS a b
"""


def administration(checks):
    def play(side):
        side.play(COMMANDS)
        for bits in ([], [1], [4], [5], [64], [255], [256], [257], [4096]):
            password = side.ask("a", "ACL", "GENPASS", *bits)
            side.note(f"GENPASS {bits}", (len(password), set(password) <= set(b"0123456789abcdef")))
        side.note("another one each time", len({side.ask("a", "ACL", "GENPASS") for _ in range(100)}))
        side.play(DRY_RUNS)

    compare(checks, play)


AUTH_FORMS = r"""
a AUTH
a AUTH x
a AUTH default x
a AUTH a b c
a AUTH nobody x
a ACL SETUSER alice on >secret >second +@all ~*
a AUTH alice wrong
a ACL WHOAMI
a AUTH alice secret
a ACL WHOAMI
a AUTH alice second
a AUTH Alice secret
a ACL WHOAMI
a RESET
a ACL WHOAMI
a HELLO 2 AUTH alice wrong
a HELLO 2 AUTH alice
a HELLO 2 AUTH alice secret SETNAME one
a CLIENT GETNAME
a ACL WHOAMI
a HELLO 3 AUTH default x SETNAME two
a ACL WHOAMI
a HELLO 3 AUTH alice wrong SETNAME three
a CLIENT GETNAME
a HELLO 3 SETNAME four AUTH alice secret
a CLIENT GETNAME
a HELLO 4 AUTH default x
a ACL WHOAMI
a HELLO x AUTH default x
a CLIENT INFO
a RESET
a CLIENT INFO
a MULTI
a AUTH alice secret
a ACL WHOAMI
a AUTH alice wrong
a ACL WHOAMI
a EXEC
a ACL WHOAMI
a MULTI
a HELLO 3 AUTH default x
a ACL WHOAMI
a EXEC
a ACL WHOAMI
admin ACL SETUSER alice off
a ACL WHOAMI
a PING
b AUTH alice secret
b HELLO 3 AUTH alice secret
b PING
admin ACL SETUSER bob on nopass +ping
b AUTH bob anything
b PING
b ACL WHOAMI
b AUTH ""
b AUTH bob ""
b RESET
b ACL WHOAMI
admin ACL SETUSER nul on ">" +@all
b AUTH nul ""
b AUTH nul x
admin ACL GETUSER nul
admin ACL LOG
"""


def authentication(checks):
    compare(checks, AUTH_FORMS)


STRANGER = r"""
admin CONFIG SET requirepass first
admin ACL GETUSER default
admin CONFIG GET requirepass
admin PING
s PING
s GET k
s NOSUCH
s GET
s HELLO
s HELLO 3
s HELLO 2 AUTH default wrong
s HELLO 2 SETNAME x
s ACL WHOAMI
s CLIENT ID
s MULTI
s EXEC
s SUBSCRIBE c
s COMMAND COUNT
s RESET
s PING
s AUTH wrong
s AUTH default wrong
s AUTH first
s PING
s RESET
s PING
s HELLO 3 AUTH default first
s PING
s QUIT
s
+ s
s QUIT
s
admin ACL SETUSER default >second
admin CONFIG GET requirepass
admin ACL GETUSER default
+ s
s AUTH second
+ s
s AUTH first
admin CONFIG SET requirepass third
admin ACL GETUSER default
+ s
s AUTH second
s AUTH third
admin ACL SETUSER default nopass
admin CONFIG GET requirepass
+ s
s PING
s AUTH whatever
s AUTH default whatever
admin ACL SETUSER default resetpass
+ s
s PING
s AUTH third
admin CONFIG SET requirepass ""
admin ACL GETUSER default
+ s
s PING
admin ACL SETUSER default off
s PING
+ t
t PING
t AUTH x
t AUTH default x
t HELLO 3 AUTH default x
admin ACL SETUSER other on >p +@all
t AUTH other p
t PING
t RESET
t PING
s RESET
s PING
admin ACL SETUSER default on
s PING
t PING
+ t
t PING
admin ACL SETUSER default on nopass -@all +ping ~*
t GET k
t PING
t RESET
t GET k
admin ACL WHOAMI
"""


def stranger(checks):
    """What can be done before it is known who is there, and how the default user's password is set in two ways."""
    compare(checks, STRANGER)


def long_requests_of_strangers(checks):
    """Nobody needs long requests to say a password."""
    def play(side):
        side.tell("a", "CONFIG", "SET", "requirepass", "secret")
        for data in (b"*10\r\n" + 10 * b"$4\r\nPING\r\n", b"*11\r\n", b"*2\r\n$4\r\nAUTH\r\n$16384\r\n" + b"x" * 16384 + b"\r\n",
                     b"*2\r\n$4\r\nAUTH\r\n$16385\r\n", b"AUTH secret\r\n*11\r\n" + 11 * b"$4\r\nPING\r\n",
                     b"*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n*2\r\n$4\r\nPING\r\n$16385\r\n" + b"x" * 16385 + b"\r\n"):
            side.open("s")
            side.connection("s").send_raw(data)
            side.more("s")
            side.state("s")

    compare(checks, play)


CLIENTS = r"""
a ACL SETUSER alice on >a +@all ~*
a ACL SETUSER bob on >b +@all ~*
a1 AUTH alice a
a2 AUTH alice a
b1 AUTH bob b
b2 HELLO 3 AUTH bob b SETNAME twice
a CLIENT LIST
a1 CLIENT INFO
a CLIENT KILL USER nobody
a CLIENT KILL USER alice
a1 ?
a2 ?
b1 ?
b1 CLIENT KILL USER bob
b1 ?
b2 ?
b1 CLIENT KILL USER bob SKIPME no
b1 ?
a CLIENT LIST
a CLIENT KILL USER default
a CLIENT KILL USER default TYPE normal SKIPME yes
"""


def clients(checks):
    """Who is who in CLIENT LIST, and CLIENT KILL USER."""
    compare(checks, CLIENTS)


LOG = r"""
a ACL LOG
a ACL LOG x
a ACL LOG 1 2
a ACL LOG -1
a ACL SETUSER alice on >p -@all +get +set +multi +exec +eval +publish +subscribe +config|get +hello +client ~a* &c*
t AUTH alice p
t CLIENT SETNAME tester
t GET b1
t GET b1
t GET b2
t DEL a1
t DEL a1 a2
t CONFIG SET x y
t Config Get x
t HGET a f
t PUBLISH d x
t SUBSCRIBE c1 d2
t MGET b3
t MULTI
t GET b1
t EXEC
t MULTI
t SET b1 x
t SET a1 x
t EXEC
t EVAL "return redis.call('GET', 'b1')" 0
t EVAL "return redis.pcall('DEL', 'b1')" 0
t EVAL "return redis.call('PUBLISH', 'd', 'x')" 0
t AUTH alice wrong
t AUTH nobody wrong
t auth alice wrong
t AUTH wrong
t HELLO 3 AUTH alice wrong
t hello 2 auth nobody x
a3 ACL LOG
a ACL LOG 0
a ACL LOG 3
a ACL LOG 100
a ACL LOG reset
a ACL LOG
t SET b1 x
t EVAL "return redis.call('SET', 'b1', 'x')" 0
t SET b1 x
a ACL LOG
a CONFIG SET acllog-max-len 2
a ACL LOG
t GET x1
t GET x2
t GET x3
a ACL LOG
a CONFIG SET acllog-max-len 0
t GET x4
a ACL LOG
a CONFIG GET acllog-max-len
a CONFIG SET acllog-max-len 128
"""


def log(checks):
    def play(side):
        side.play(LOG)
        side.tell("a", "ACL", "LOG", "RESET")
        for number in range(140):
            side.ask("t", "GET", f"x{number}")
        side.note("how many are kept", len(side.ask("a", "ACL", "LOG", "1000")))
        side.note("how many are shown", len(side.ask("a", "ACL", "LOG")))
        for number in (139, 130, 129, 128):  # The last ten are looked at.
            side.ask("t", "GET", f"x{number}")
            side.tell("a", "ACL", "LOG", "2")
        entry = flat_pairs(side.ask("a", "ACL", "LOG", "1")[0])
        side.note("fields of the client", [word.split("=")[0] for word in entry[b"client-info"].decode().split()][:4])
        binary = b"b\x00\xff\r\n\"'"
        side.ask("t", "GET", binary)
        side.tell("a", "ACL", "LOG", "1")
        side.ask("t", "GET", "b" * 5000)
        side.tell("a", "ACL", "LOG", "1")
        denials = ("errorstat_NOPERM", "errorstat_WRONGPASS")
        info = side.ask("a", "INFO", "commandstats").decode()
        counts = re.findall(r"cmdstat_(get|set|del|auth|publish|eval):calls=(\d+),.*?,(rejected_calls=\d+,failed_calls=\d+)", info)
        side.note("commandstats", sorted(counts))
        info = side.ask("a", "INFO", "errorstats").decode()
        side.note("errorstats", sorted(line.strip() for line in info.splitlines() if line.startswith(denials)))

    compare(checks, play)


if __name__ == "__main__":
    sys.exit(run_parts([categories, setuser_getuser, administration, authentication, stranger,
                        long_requests_of_strangers, clients, log]))
