#!/usr/bin/python3
"""What a session may do at this moment, beside stock redis-server: users that change and go, transactions, scripts, SORT,
channels.

    access_rights.py [PART]       repeats a part
"""

import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from checks import run_parts  # noqa: E402
from replicating import OURS, Host, ours_is_tested  # noqa: E402
from resp_client import encode  # noqa: E402
from server_process import wait_until  # noqa: E402
from side_by_side import compare  # noqa: E402

SESSIONS = r"""
a ACL SETUSER alice on >p +@all ~* &*
one AUTH alice p
two3 AUTH alice p
one SET k v
a ACL SETUSER alice -set
one SET k w
two3 SET k w
a ACL SETUSER alice resetkeys ~a*
one GET k
two3 GET abc
a ACL SETUSER alice off
one GET abc
two3 ?
a ACL SETUSER alice >q resetpass
one GET abc
a ACL SETUSER alice reset
one GET abc
one PING
one ACL WHOAMI
a ACL SETUSER alice on nopass +@all
one ACL WHOAMI
one GET abc
a ACL DELUSER alice
one ?
two3 ?
a ACL SETUSER alice on >p +@all ~* &*
+ one
+ two3
one AUTH alice p
two3 AUTH alice p
one ACL DELUSER alice
one
two3 ?
a ACL USERS
a ACL SETUSER alice on >p +@all ~* &*
+ one
one AUTH alice p
one MULTI
one PING
one ACL DELUSER alice
one PING
one EXEC
one
a ACL SETUSER alice on >p +@all ~* &*
+ one
one AUTH alice p
one < BLPOP list 0
= 1
a ACL DELUSER alice
one
a RPUSH list x
a ACL SETUSER alice on >p +@all ~* &*
+ one
one AUTH alice p
one < BLPOP list2 0
= 1
a ACL SETUSER alice reset on
a RPUSH list2 x
one
one GET k
+ one
one AUTH alice p
a ACL SETUSER alice on >p +@all ~* &*
one AUTH alice p
one ACL SETUSER alice -@all
one ACL WHOAMI
one PING
one RESET
one ACL WHOAMI
"""


# Where this server answers otherwise on purpose.
OTHER_SESSIONS = {"one EXEC": "a transaction in which its user deletes itself is answered"}


def sessions(checks):
    """Who is connected while a user changes or goes."""
    compare(checks, SESSIONS, allowed=OTHER_SESSIONS)


def listeners(checks):
    """Who listens to what was taken away is closed; who listens to what is left stays."""
    def play(side):
        side.play("""
            a ACL SETUSER alice on >p +@all ~* allchannels
        """)
        changes = [("resetchannels", "&news"), ("resetchannels", "&new*"), ("resetchannels",),
            ("resetchannels", "&n*", "&news*"), ("&news",), ("resetchannels", "&*"), ("allchannels",),
            ("resetchannels", "(&news", "+@all)"), ("-subscribe",), ("off",), ("reset",),
            ("resetchannels", "&news", "(&n*", "-@all)"), ("resetkeys",), ("clearselectors",)]
        for number, change in enumerate(changes):
            for name, request in (("plain", ("SUBSCRIBE", "news")), ("plain3", ("SUBSCRIBE", "news")),
                ("glob", ("PSUBSCRIBE", "n*")), ("long", ("PSUBSCRIBE", "news*")), ("shard", ("SSUBSCRIBE", "news")),
                ("idle", ("PING",)), ("both", ("SUBSCRIBE", "news"))):
                side.open(name)
                side.tell(name, "AUTH", "alice", "p")
                side.tell(name, *request)
            side.tell("both", "PSUBSCRIBE", "[n]ews")
            side.tell("a", "ACL", "SETUSER", "alice", *change)
            side.tell("a", "PUBSUB", "CHANNELS")
            for name in ("plain", "plain3", "glob", "long", "shard", "idle", "both"):
                side.state(name)
            side.tell("a", "ACL", "SETUSER", "alice", "reset", "on", ">p", "+@all", "~*",
                      *[("allchannels",), ("&news", "&n*", "&news*", "&[n]ews")][number % 2])
        side.play("""
            a ACL SETUSER bob on >p +@all ~* allchannels
            + plain
            plain AUTH bob p
            plain SUBSCRIBE news
            plain < UNSUBSCRIBE news
            plain
            a ACL SETUSER bob resetchannels
            plain ?
            + plain
            plain AUTH bob p
            a ACL SETUSER bob allchannels
            plain SUBSCRIBE news
            a ACL DELUSER bob
            plain
            a PUBLISH news x
        """)

    compare(checks, play)
    if not ours_is_tested():
        return
    # Redis 7.0 crashes here.
    with Host(OURS) as server, server.client(3) as client:
        server.ask("ACL", "SETUSER", "self", "on", ">p", "+@all", "allchannels")
        for request in (("AUTH", "self", "p"), ("SUBSCRIBE", "news")):
            client.call(*request)
        checks.equal("who takes the channel from itself is told", client.call("ACL", "SETUSER", "self",
            "resetchannels"), b"OK")
        checks.equal("and closed", client.read_until_closed(), b"")
        checks.true("the server lives", server.alive())


def pipelines(checks):
    """Requests that arrive together, between two of which rights change."""
    def play(side):
        side.play("""
            a ACL SETUSER alice on >p +@all ~* &*
            a ACL SETUSER bob on >q -@all +get +auth +reset ~a*
        """)
        together = [
            ["SET k 1", "ACL SETUSER alice -set", "SET k 2", "GET k", "ACL SETUSER alice +set", "SET k 3", "GET k"],
            ["GET k", "AUTH bob q", "GET k", "GET a", "AUTH alice p", "GET k", "RESET", "ACL WHOAMI", "GET k"],
            ["MULTI", "SET k 4", "ACL SETUSER alice resetkeys ~a*", "GET k", "EXEC", "GET k", "SET a 1"],
            ["ACL SETUSER alice allkeys", "GET k", "ACL SETUSER alice off", "GET k", "ACL SETUSER alice on", "GET k"],
            ["EVAL return(redis.call('GET','k')) 0", "ACL SETUSER alice -eval", "EVAL return(1) 0", "PING"],
            ["HELLO 3 AUTH bob q", "GET a", "GET k", "HELLO 2 AUTH alice p", "ACL WHOAMI", "DEL k", "PING"],
            ["GET k", "ACL DELUSER alice", "SET k after", "PING"]]
        for number, lines in enumerate(together):
            side.open("p")
            side.tell("p", "AUTH", "alice", "p")
            side.connection("p").send_raw(b"".join(encode(line.split()) for line in lines))
            for line in lines:
                if line.startswith("HELLO"):
                    side.note(f"pipeline {number}: {line}", type(side.connection("p").read()).__name__)
                else:
                    side.more("p")
        side.tell("a", "GET", "k")
        side.tell("a", "ACL", "USERS")

    compare(checks, play)


def renamed(checks):
    """Rules know commands by their own names, requests by those that the config file gave."""
    config = 'rename-command GET FETCH\nrename-command CONFIG SETTINGS\nrename-command DEL ""\n'
    compare(checks, """
        a ACL SETUSER u on nopass +get ~a*
        a ACL SETUSER v on nopass +fetch ~a*
        a ACL SETUSER w on nopass +settings|get
        a ACL SETUSER w on nopass +config|get
        a ACL SETUSER x on nopass +del
        a ACL LIST
        a ACL DRYRUN u get a
        a ACL DRYRUN u fetch a
        a ACL DRYRUN u fetch b
        t AUTH u x
        t FETCH a
        t FETCH b
        t GET a
        t SET a x
        t AUTH w x
        t SETTINGS GET databases
        t SETTINGS SET timeout 0
        t FETCH a
        a ACL LOG 1
    """, config=config)


QUEUED = r"""
a ACL SETUSER alice on >p -@all +@transaction +get +set +ping +incr ~a* &c*
t AUTH alice p
t MULTI
t GET a1
t GET b1
t SET a1 x
t EXEC
a GET a1
t MULTI
t DEL a1
t EXEC
t MULTI
t NOSUCH
t EXEC
t MULTI
t SET a1 x
t SET a2 y
t GET a1
t INCR a3
a ACL SETUSER alice -set
t EXEC
a MGET a1 a2 a3
t MULTI
t GET a1
t GET a2
a ACL SETUSER alice resetkeys ~a2
t EXEC
t MULTI
t PING
a ACL SETUSER alice +publish resetkeys ~*
t PUBLISH c1 x
a ACL SETUSER alice resetchannels
t EXEC
t MULTI
t GET a1
a ACL SETUSER alice -exec
t EXEC
t DISCARD
a ACL SETUSER alice +exec -discard
t DISCARD
t EXEC
a ACL SETUSER alice -multi
t MULTI
a ACL SETUSER alice +multi -watch
t WATCH a1
a ACL SETUSER alice +watch resetkeys ~a2
t WATCH a1
t WATCH a2
t UNWATCH
t MULTI
t GET a2
a ACL SETUSER alice off
t EXEC
a ACL SETUSER alice on +config|get
t MULTI
t CONFIG GET port
t CONFIG SET timeout 0
t EXEC
t MULTI
t CONFIG GET maxclients
a ACL SETUSER alice -config|get
t EXEC
a ACL SETUSER alice +select|0
t MULTI
t SELECT 0
t SELECT 1
t EXEC
a ACL LOG
"""


def queued(checks):
    compare(checks, QUEUED)


def half_found_keys(checks):
    """PFMERGE with one key has sources whose place cannot be found; the one it writes to counts all the same. Redis 7.0
    minds no key then."""
    if not ours_is_tested():
        return
    with Host(OURS) as server, server.client() as admin, server.client() as client:
        admin.call("ACL", "SETUSER", "u", "on", "nopass", "+@all", "~b*")
        client.call("AUTH", "u", "x")
        denied = "NOPERM this user has no permissions to access one of the keys used as arguments"
        checks.equal("PFMERGE", client.call("PFMERGE", "a"), denied.encode())
        checks.equal("ACL DRYRUN", admin.call("ACL", "DRYRUN", "u", "PFMERGE", "a"),
                     b"This user has no permissions to access the 'a' key")
        script = client.call("EVAL", "return redis.call('PFMERGE', 'a')", "0")
        checks.true("in a script", script.startswith(b"ERR The user executing the script can't access"), script)
        checks.equal("acl_check_cmd", client.call("EVAL", "return redis.acl_check_cmd('PFMERGE', 'a')", "0"), None)
        client.call("MULTI")
        admin.call("ACL", "SETUSER", "u", "allkeys")
        checks.equal("queued", client.call("PFMERGE", "a"), b"QUEUED")
        admin.call("ACL", "SETUSER", "u", "resetkeys", "~b*")
        checks.true("EXEC", client.call("EXEC")[0].startswith(b"NOPERM ACLs rules changed"), "it ran")
        checks.equal("nothing was written", admin.call("EXISTS", "a"), 0)
        checks.equal("what it may", client.call("PFMERGE", "b"), b"OK")


LIBRARY = """#!lua name=lib
redis.register_function('reads', function(keys, args) return redis.call('GET', keys[1]) end)
redis.register_function('writes', function(keys, args) return redis.call('SET', keys[1], args[1]) end)
redis.register_function{function_name='quiet', flags={'no-writes'},
  callback=function(keys, args) return redis.pcall('SET', keys[1], 'x')['err'] end}
redis.register_function{function_name='none', callback=function() return 'nothing' end, flags={'no-writes'}}
"""

ACL_CHECKS = ["'GET', 'a1'", "'GET', 'b1'", "'SET', 'a1', 'x'", "'SET', 'b1', 'x'", "'DEL', 'a1'", "'NOSUCH'",
    "'GET'", "", "'PUBLISH', 'c1', 'x'", "'PUBLISH', 'd1', 'x'", "'CONFIG', 'GET', 'x'", "'CONFIG', 'SET', 'x', 'y'",
    "'CONFIG'", "'config|get'", "'MULTI'", "'AUTH', 'x'", "12", "'GET', {}", "'SELECT', 0", "'SELECT', '1'",
    "'get', 'a1', 'a2', 'a3'"]


def scripts(checks):
    def play(side):
        side.play("""
            a ACL SETUSER alice on >p -@all +@scripting +get +set +publish +config|get +sort +select|0
            a ACL SETUSER alice ~a* %R~r* &c* (+hset ~h*)
            t AUTH alice p
        """)
        bodies = ["redis.call('GET', KEYS[1])", "redis.pcall('GET', KEYS[1])", "redis.call('SET', KEYS[1], 'x')",
            "redis.pcall('SET', KEYS[1], 'x')", "redis.pcall('SET', KEYS[1], 'x')['err']",
            "redis.call('DEL', KEYS[1])", "redis.pcall('DEL', KEYS[1])['err']",
            "redis.call('HSET', KEYS[1], 'f', 'v')", "redis.call('PUBLISH', KEYS[1], 'x')",
            "redis.call('CONFIG', 'GET', 'port')[1]", "redis.call('CONFIG', 'SET', 'timeout', '0')",
            "redis.call('SORT', KEYS[1])", "redis.call('SORT', KEYS[1], 'BY', 'w*')", "redis.call('SELECT', 0)",
            "redis.call('SELECT', 1)"]
        for body in bodies:
            for key in ("a1", "b1", "r1", "h1", "c1"):  # not declared, so that nobody looks at it before the script runs
                side.tell("t", "EVAL", f"return {body}".replace("KEYS", "ARGV"), "0", key)
            side.tell("t", "EVAL", f"return {body}", "1", "a2")
            side.tell("t", "EVAL", f"return {body}", "1", "b2")
        for key in ("a1", "b1", "r1"):
            side.tell("t", "EVAL_RO", "return redis.call('GET', KEYS[1])", "1", key)
            # Keys that nobody declared.
            side.tell("t", "EVAL", f"return redis.call('GET', '{key}')", "0")
            side.tell("t", "EVAL", f"return redis.call('SET', '{key}', 'y')", "0")
        for words in ACL_CHECKS:
            side.tell("t", "EVAL", f"return redis.acl_check_cmd({words})", "0")
        side.tell("t", "EVAL", "return {redis.acl_check_cmd('GET','a1'), redis.acl_check_cmd('GET','x'), 7}", "0")
        side.tell("a", "FUNCTION", "LOAD", LIBRARY)
        for call in ("reads 1 a1", "reads 1 b1", "writes 1 a1 x", "writes 1 r1 x", "quiet 1 r1", "quiet 1 a1",
            "none 0", "none 1 b1"):
            side.tell("t", "FCALL", *call.split())
            side.tell("t", "FCALL_RO", *call.split())
        sha = side.ask("a", "SCRIPT", "LOAD", "return redis.call('GET', 'b1')")
        side.tell("t", "EVALSHA", sha.decode(), "0")
        side.play("""
            a ACL LOG
            a ACL SETUSER alice -eval -fcall
            t EVAL "return 1" 0
            t FCALL none 0
            t EVAL_RO "return 1" 0
            a ACL SETUSER alice +@all -set
            t MULTI
            t EVAL "return redis.call('SET', 'a1', 'x')" 0
            t EVAL "return redis.call('GET', 'b1')" 0
            t EXEC
            a ACL LOG 2
            a ACL SETUSER alice reset on
            t EVAL "return 1" 0
            a EVAL "return redis.call('ACL', 'WHOAMI')" 0
            a EVAL "return redis.call('ACL', 'LIST')" 0
            a EVAL "return redis.call('ACL', 'SETUSER', 'x')" 0
            a EVAL "return redis.call('AUTH', 'x')" 0
            a INFO nosuchsection
        """)

    compare(checks, play)


def sorting(checks):
    """BY and GET reach keys that nobody can name beforehand."""
    def play(side):
        side.play("""
            a RPUSH a1 3 1 2
            a MSET w1 3 w2 2 w3 1
        """)
        users = ["~*", "%R~*", "%W~*", "~a*", "%R~a*", "~a* ~w*", "~a* %R~*", "~a* %W~*", "~a* (%R~* +@all)",
            "~a* (~* -@all)", "~a* (~* -@all +sort)", "~a* (~* -@all +sort_ro)", "-sort ~* (~a* +sort)",
            "-@all (~* +sort) (~* +sort_ro)", "~a* %R~b* %RW~*"]
        for rules in users:
            side.tell("a", "ACL", "SETUSER", "s", "reset", "on", "nopass", "+@all", *rules_of(rules))
            side.open("t")
            side.tell("t", "AUTH", "s", "x")
            for options in ("", "BY w*", "BY nosort", "BY w1", "GET w*", "GET #", "GET # GET w*", "BY w*->f",
                "GET nostar", "BY nosort GET #", "BY w* GET #", "by w* get w*", "STORE a2", "BY nosort STORE b2",
                "GET # STORE a2"):
                side.tell("t", "SORT", "a1", *options.split())
                side.tell("t", "SORT_RO", "a1", *options.split())
                side.tell("a", "ACL", "DRYRUN", "s", "SORT", "a1", *options.split())
                side.tell("t", "EVAL", "return redis.call('SORT', unpack(ARGV))", "0", "a1", *options.split())
        side.tell("a", "ACL", "LOG")

    compare(checks, play)


def rules_of(text):
    """Words of rules; a selector is one of them."""
    words, rest = [], text
    while rest:
        if rest.startswith("("):
            word, _, rest = rest.partition(")")
            words.append(word + ")")
            rest = rest.lstrip()
        else:
            word, _, rest = rest.partition(" ")
            words.append(word)
    return words


def nobody_listens(side):
    return [side.ask("a", "PUBSUB", *what) for what in (("CHANNELS",), ("SHARDCHANNELS",), ("NUMPAT",))] == [[], [], 0]


def pubsub_rights(checks):
    lines = """
        t AUTH p p
        t PUBLISH news x
        t PUBLISH other x
        t SPUBLISH news x
        t SPUBLISH other x
        t3 AUTH p p
        t3 SUBSCRIBE news
        t3 SUBSCRIBE other
        t3 SUBSCRIBE news.a other
        t3 ?
        t3 PSUBSCRIBE news
        t3 PSUBSCRIBE news*
        t3 PSUBSCRIBE n*
        t3 PSUBSCRIBE new[s]*
        t3 SSUBSCRIBE news
        t3 SSUBSCRIBE other
        t3 PUBSUB CHANNELS
        t3 ?
        a PUBSUB CHANNELS
        a PUBSUB NUMPAT
        a PUBSUB SHARDCHANNELS
    """

    def play(side):
        for default in ("resetchannels", "allchannels"):
            side.tell("a", "CONFIG", "SET", "acl-pubsub-default", default)
            for rules in ("", "&news", "&news*", "&n*", "allchannels", "&news (&other +@all)", "&* (+get)",
                "-@pubsub +publish &*", "resetchannels", "&new?", "&new[s]*", "&NEWS", "&news &news* &other",
                "(&news* +@pubsub)", "-publish &* (+publish &other)"):
                for name in ("t", "t3"):
                    side.close(name)
                wait_until(lambda: nobody_listens(side))
                side.tell("a", "ACL", "DELUSER", "p")
                side.tell("a", "ACL", "SETUSER", "p", "on", ">p", "+@all", *rules_of(rules))
                side.tell("a", "ACL", "GETUSER", "p")
                side.play(lines)
        side.play("""
            a CONFIG SET acl-pubsub-default nosuch
            a CONFIG GET acl-pubsub-default
            a ACL SETUSER p reset
            a ACL GETUSER p
            a ACL LOG 5
        """)

    compare(checks, play)
    compare(checks, "a ACL SETUSER x on\na ACL GETUSER x\na ACL LIST", ["--acl-pubsub-default", "allchannels"])


if __name__ == "__main__":
    sys.exit(run_parts([sessions, listeners, pipelines, renamed, queued, half_found_keys,
                        scripts, sorting, pubsub_rights]))
