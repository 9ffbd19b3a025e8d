#!/usr/bin/python3
"""Sentinel beside stock redis-sentinel: the same questions in the same situation, the same answers. What changes by itself
(times, ids, ports) is masked.

    sentinel_commands.py [PART]              repeats a part
"""

import os
import pathlib
import re
import shlex
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from checks import run_parts  # noqa: E402
from replicating import GONE, OURS, THEIRS, Host, ours_is_tested  # noqa: E402
from resp_client import ErrorReply, Map  # noqa: E402
from sentinels import NAME, Group, Watch, ends, go_on, lines_about, same_for_both, script, stop  # noqa: E402
from server_process import HOST, run_to_exit, wait_until  # noqa: E402

# What only we have.
OURS_ALONE = {"sentinel|failovers", "client|setinfo", "client|no-touch"} if ours_is_tested() else set()
# Known since 7.2 to take fewer arguments.
AS_IN_7_2 = {"command|getkeys", "command|getkeysandflags"}
HELP_OF_OURS_ALONE = ["FAILOVERS <master-name>", "    Tell what was decided in the last failovers of a master, and why."]


def both(checks, play, **more):
    """`play(group, tell)` in a group of each make; tell(title, reply) notes an answer. The notes are compared."""
    notes = {}
    for make in (OURS, THEIRS):
        with Group(make, **more) as group:
            said = notes[make] = []
            names = group.names()
            play(group, lambda title, reply, said=said, names=names: said.append((title, same_for_both(reply, names))))
    compare(checks, notes[OURS], notes[THEIRS])


def compare(checks, ours, theirs):
    checks.equal("the same number of answers", len(ours), len(theirs))
    for (title, our), (_, their) in zip(ours, theirs):
        checks.true(title, our == their, f"\n    ours  {our!r:.1200}\n    redis {their!r:.1200}")


# ---- which commands there are ----

def facts_of(host):
    found = {}

    def take(info):
        found[info[0].decode()] = (info[1], sorted(info[2]), info[3:6], sorted(info[6]), sorted(info[7]))
        for inner in info[9]:
            take(inner)

    for info in host.ask("COMMAND"):
        take(info)
    return found


def documented(docs):
    """COMMAND DOCS without the summaries, which are in our own words, and what is ours alone."""
    facts = {}
    for name, pairs in docs:
        seen = dict(pairs)
        facts[name.decode()] = {key: value for key, value in seen.items() if key not in (b"summary", b"subcommands")}
        facts |= documented(seen.get(b"subcommands", []))
    return {name: value for name, value in facts.items() if name not in OURS_ALONE}


def commands(checks):
    with Watch(OURS) as ours, Watch(THEIRS) as theirs:
        our, their = facts_of(ours), facts_of(theirs)
        checks.equal("commands that only one of them has", set(our) ^ set(their), OURS_ALONE)
        for name in sorted((set(our) & set(their)) - AS_IN_7_2):
            checks.equal(f"facts of {name}", our[name], their[name])
        docs = [documented(host.ask("COMMAND", "DOCS", "sentinel", resp=3)) for host in (ours, theirs)]
        for name in sorted(docs[1]):
            checks.equal(f"COMMAND DOCS {name}", docs[0].get(name), docs[1][name])
        counts = [host.ask("COMMAND", "COUNT") for host in (ours, theirs)]
        checks.equal("COMMAND COUNT", *counts)
        for words in ("GET a", "SET a b", "QUIT", "CONFIG GET *", "MULTI", "MONITOR", "SELECT 1", "PUBSUB CHANNELS",
                      "ACL DRYRUN default get a", "ACL SETUSER bob +get", "ACL CAT", "COMMAND INFO get"):
            checks.equal(words, *[sorted_list(host.ask(*words.split())) for host in (ours, theirs)])
    with Host(OURS) as server, Host(THEIRS) as stock:
        for words in ("SENTINEL MASTERS", "COMMAND INFO sentinel", "COMMAND DOCS sentinel", "ACL SETUSER bob +sentinel"):
            checks.equal(f"{words} elsewhere", *[host.ask(*words.split()) for host in (server, stock)])


def sorted_list(reply):
    return sorted(reply) if isinstance(reply, list) and all(isinstance(one, bytes) for one in reply) else reply


# ---- words ----

WORDS = """
SENTINEL
SENTINEL foo
SENTINEL HELP
SENTINEL MASTERS
SENTINEL masters x
SENTINEL MASTER
SENTINEL MASTER no
SENTINEL MASTER mymaster
SENTINEL MASTER MyMaster
SENTINEL REPLICAS no
SENTINEL REPLICAS mymaster
SENTINEL SLAVES no
SENTINEL SLAVES mymaster
SENTINEL SENTINELS no
SENTINEL SENTINELS mymaster
SENTINEL GET-MASTER-ADDR-BY-NAME no
SENTINEL GET-MASTER-ADDR-BY-NAME mymaster
SENTINEL GET-MASTER-ADDR-BY-NAME
SENTINEL MYID
SENTINEL MYID x
SENTINEL CKQUORUM no
SENTINEL CKQUORUM mymaster
SENTINEL CKQUORUM
SENTINEL FAILOVER no
SENTINEL FAILOVER
SENTINEL REMOVE no
SENTINEL RESET zz*
SENTINEL RESET
SENTINEL FLUSHCONFIG
SENTINEL FLUSHCONFIG x
SENTINEL PENDING-SCRIPTS
SENTINEL PENDING-SCRIPTS x
SENTINEL INFO-CACHE
SENTINEL INFO-CACHE no
SENTINEL SET no quorum 2
SENTINEL SET mymaster
SENTINEL SET mymaster quorum
SENTINEL SET mymaster foo 1
SENTINEL SET mymaster quorum 2 foo
SENTINEL SET mymaster quorum 2 foo 3
SENTINEL SET mymaster quorum x
SENTINEL SET mymaster quorum 0
SENTINEL SET mymaster quorum -1
SENTINEL SET mymaster QUORUM 2
SENTINEL SET mymaster quorum 2 quorum 2
SENTINEL SET mymaster down-after-milliseconds 0
SENTINEL SET mymaster down-after-milliseconds 99999999999999999999
SENTINEL SET mymaster failover-timeout x
SENTINEL SET mymaster failover-timeout 0
SENTINEL SET mymaster parallel-syncs 0
SENTINEL SET mymaster parallel-syncs -1
SENTINEL SET mymaster parallel-syncs 3
SENTINEL SET mymaster master-reboot-down-after-period -1
SENTINEL SET mymaster master-reboot-down-after-period 0
SENTINEL SET mymaster rename-command a
SENTINEL SET mymaster rename-command a b c
SENTINEL SET mymaster rename-command "" b
SENTINEL SET mymaster rename-command a ""
SENTINEL SET mymaster rename-command a b
SENTINEL SET mymaster rename-command a a
SENTINEL SET mymaster notification-script /bin/true
SENTINEL SET mymaster client-reconfig-script /bin/true
SENTINEL SET mymaster quorum 2 notification-script /bin/true
SENTINEL MASTER mymaster
SENTINEL SET mymaster parallel-syncs 1
SENTINEL IS-MASTER-DOWN-BY-ADDR
SENTINEL IS-MASTER-DOWN-BY-ADDR 127.0.0.1 PORT 0 *
SENTINEL IS-MASTER-DOWN-BY-ADDR 127.0.0.1 x 0 *
SENTINEL IS-MASTER-DOWN-BY-ADDR 127.0.0.1 PORT x *
SENTINEL IS-MASTER-DOWN-BY-ADDR bad PORT 0 *
SENTINEL IS-MASTER-DOWN-BY-ADDR 127.0.0.1 99999999 0 *
SENTINEL IS-MASTER-DOWN-BY-ADDR 127.0.0.1 -5 0 *
SENTINEL IS-MASTER-DOWN-BY-ADDR 127.0.0.1 1 9 candidate
SENTINEL MONITOR
SENTINEL MONITOR a b c d
SENTINEL MONITOR a 1.2.3.4 c d
SENTINEL MONITOR a 1.2.3.4 c 1
SENTINEL MONITOR a 1.2.3.4 "" 1
SENTINEL MONITOR a 1.2.3.4 1 0
SENTINEL MONITOR a 1.2.3.4 1 -1
SENTINEL MONITOR a 1.2.3.4 70000 1
SENTINEL MONITOR a 1.2.3.4 -1 1
SENTINEL MONITOR a 1.2.3.4 70000 0
SENTINEL MONITOR a host 700 1
SENTINEL MONITOR a "" 700 1
SENTINEL MONITOR mymaster 127.0.0.1 700 1
SENTINEL MONITOR mymaster host 700 1
SENTINEL MONITOR dead 127.0.0.1 9 1
SENTINEL MASTER dead
SENTINEL REPLICAS dead
SENTINEL SENTINELS dead
SENTINEL INFO-CACHE dead
SENTINEL INFO-CACHE dead dead no
SENTINEL CKQUORUM dead
SENTINEL FAILOVER dead
SENTINEL GET-MASTER-ADDR-BY-NAME dead
SENTINEL RESET dead
SENTINEL RESET d?ad
SENTINEL RESET DEAD
SENTINEL REMOVE dead
SENTINEL REMOVE dead
SENTINEL CONFIG
SENTINEL CONFIG GET
SENTINEL CONFIG GET *
SENTINEL CONFIG GET announce-ip
SENTINEL CONFIG GET ANNOUNCE-IP
SENTINEL CONFIG GET *-ip
SENTINEL CONFIG GET foo
SENTINEL CONFIG GET announce-ip announce-port
SENTINEL CONFIG SET
SENTINEL CONFIG SET foo
SENTINEL CONFIG SET foo bar
SENTINEL CONFIG SET announce-port x
SENTINEL CONFIG SET announce-port -1
SENTINEL CONFIG SET announce-port 70000
SENTINEL CONFIG SET announce-port 1 2
SENTINEL CONFIG SET announce-port 1 announce-ip 1.2.3.4
SENTINEL CONFIG SET resolve-hostnames maybe
SENTINEL CONFIG SET announce-hostnames maybe
SENTINEL CONFIG SET announce-hostnames YES
SENTINEL CONFIG SET resolve-hostnames yes
SENTINEL CONFIG SET sentinel-user bob
SENTINEL CONFIG SET sentinel-pass "a b"
SENTINEL CONFIG SET announce-ip 1.2.3.4
SENTINEL CONFIG SET announce-port 7
SENTINEL CONFIG GET *
SENTINEL CONFIG SET announce-hostnames no
SENTINEL CONFIG SET resolve-hostnames no
SENTINEL CONFIG SET sentinel-user ""
SENTINEL CONFIG SET sentinel-pass ""
SENTINEL CONFIG SET announce-ip ""
SENTINEL CONFIG SET announce-port 0
SENTINEL CONFIG foo bar
SENTINEL CONFIG foo bar baz
SENTINEL SIMULATE-FAILURE
SENTINEL SIMULATE-FAILURE foo
SENTINEL SIMULATE-FAILURE help
SENTINEL SIMULATE-FAILURE crash-after-election
INFO sentinel
SENTINEL SIMULATE-FAILURE crash-after-promotion foo
INFO sentinel
SENTINEL SIMULATE-FAILURE CRASH-AFTER-ELECTION crash-after-promotion
INFO sentinel
SENTINEL SIMULATE-FAILURE help crash-after-election
INFO sentinel
SENTINEL DEBUG
SENTINEL DEBUG info-period
SENTINEL DEBUG info-period 0
SENTINEL DEBUG info-period -1
SENTINEL DEBUG info-period x
SENTINEL DEBUG foo 1
SENTINEL DEBUG info-period 10000 ping-period
SENTINEL DEBUG info-period 10001 ping-period 1001 foo 1
SENTINEL DEBUG
SENTINEL DEBUG info-period 10000 ping-period 1000
SENTINEL DEBUG info-period 1 2 3
SENTINEL DEBUG info-period 10000
PUBLISH a b
PUBLISH __sentinel__:hello foo
PUBLISH __sentinel__:hello 1,2,3
PUBLISH a
ROLE
ROLE x
HELLO
HELLO 2
INFO nothing
INFO sentinel extra
AUTH a
AUTH a b
PING
PING a
SUBSCRIBE
ACL WHOAMI
ACL LIST
CLIENT GETNAME
CLIENT SETNAME me
CLIENT NO-EVICT on
COMMAND GETKEYS get a
"""


def without_attempts(reply):
    """Where nobody listens each attempt to connect ends after a moment, in which the node is not "disconnected"."""
    if isinstance(reply, tuple):
        return tuple(without_attempts(one) for one in reply)
    if isinstance(reply, list):
        return type(reply)(without_attempts(one) for one in reply)
    return reply.replace(b"master,disconnected", b"master") if type(reply) is bytes else reply


def settled(words, reply):
    """INFO and HELLO hold what need not be the same; help texts of ours stand among Redis's."""
    if words[0] == "HELLO" and isinstance(reply, list):
        pairs = reply if isinstance(reply, Map) else zip(reply[::2], reply[1::2])
        return type(reply).__name__, [(name, None if name == b"id" else value) for name, value in pairs]
    if words[:2] == ["SENTINEL", "HELP"] and isinstance(reply, list):
        return [line for line in (one.decode() for one in reply) if line not in HELP_OF_OURS_ALONE]
    if words[0] == "ACL" and isinstance(reply, list):
        return sorted(reply)
    if words[0] == "SENTINEL" and isinstance(reply, list):
        return without_attempts(reply)
    return reply


def words(checks):
    """Right and wrong arguments, over both versions of the protocol."""
    def play(group, tell):
        for resp in (2, 3):
            with group.watch.client(resp) as client:
                for line in filter(None, WORDS.splitlines()):
                    asked = [str(group.primary.port) if word == "PORT" else word for word in shlex.split(line)]
                    tell(f"{line} (RESP{resp})", settled(asked, client.call(*asked)))
    both(checks, play)


# ---- states ----

def flags_of(group, what):
    return [one["flags"] for one in group.watch.about(what, *([NAME] if what != "MASTERS" else []))]


def look(group, tell, title):
    for what in ("MASTERS", "REPLICAS", "SENTINELS"):
        asked = ["SENTINEL", what] + ([NAME] if what != "MASTERS" else [])
        for resp in (2, 3):
            tell(f"{title}: {' '.join(asked)} (RESP{resp})", group.watch.ask(*asked, resp=resp))
    tell(f"{title}: MASTER", group.watch.ask("SENTINEL", "MASTER", NAME))
    tell(f"{title}: CKQUORUM", group.watch.ask("SENTINEL", "CKQUORUM", NAME))
    tell(f"{title}: address", group.watch.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME))
    tell(f"{title}: INFO", group.watch.ask("INFO", "sentinel"))
    tell(f"{title}: ROLE", group.watch.ask("ROLE"))
    cache = group.watch.ask("SENTINEL", "INFO-CACHE", NAME, NAME)
    tell(f"{title}: INFO-CACHE", [cache[0], [(type(age).__name__, type(info).__name__) for age, info in cache[1]]])


def states(checks):
    """Nodes that go and come back."""
    def play(group, tell):
        look(group, tell, "all is well")
        stop(group.replicas[0])
        wait_until(lambda: "s_down,slave" in flags_of(group, "REPLICAS"))
        look(group, tell, "a replica that is stopped")
        go_on(group.replicas[0])
        wait_until(lambda: flags_of(group, "REPLICAS") == ["slave"])
        group.replicas[0].kill()
        wait_until(lambda: "s_down,slave,disconnected" in flags_of(group, "REPLICAS"))
        look(group, tell, "a replica that is gone")
        tell("FAILOVER without a replica", group.watch.ask("SENTINEL", "FAILOVER", NAME))
        stop(group.other)
        wait_until(lambda: "s_down,sentinel" in flags_of(group, "SENTINELS"))
        look(group, tell, "the other sentinel is stopped")
        for quorum in (1, 2, 3):
            group.watch.ask("SENTINEL", "SET", NAME, "quorum", quorum)
            tell(f"CKQUORUM for {quorum}", group.watch.ask("SENTINEL", "CKQUORUM", NAME))
        group.primary.kill()
        wait_until(lambda: "s_down,master,disconnected" in flags_of(group, "MASTERS"))
        look(group, tell, "the primary is gone")
        asked = ("SENTINEL", "IS-MASTER-DOWN-BY-ADDR", HOST, group.primary.port, 0, "*")
        tell("IS-MASTER-DOWN-BY-ADDR", group.watch.ask(*asked))
    both(checks, play, quorum=3)


def agreement(checks):
    """Both sentinels see that the primary is gone, and nobody can take over."""
    def play(group, tell):
        group.replicas[0].ask("CONFIG", "SET", "replica-priority", 0)
        wait_until(lambda: [one["slave-priority"] for one in group.watch.about("REPLICAS", NAME)] == ["0"])
        tell("FAILOVER", group.watch.ask("SENTINEL", "FAILOVER", NAME))
        group.primary.kill()
        wait_until(lambda: "s_down,o_down,master,disconnected" in flags_of(group, "MASTERS"))
        seen = group.watch.primary()
        tell("fields of a primary that is objectively down", [list(seen), seen["flags"]])
        tell("INFO", group.watch.ask("INFO", "sentinel"))
    both(checks, play)


def unannounced(checks):
    """A replica that does not want to be known to clients."""
    def play(group, tell):
        group.replicas[0].ask("CONFIG", "SET", "replica-announced", "no")
        group.watch.ask("SENTINEL", "DEBUG", "info-period", 200)
        wait_until(lambda: not group.watch.about("REPLICAS", NAME))
        look(group, tell, "nobody is announced")
    both(checks, play)


FAILOVER_FLAGS = {"master", "master,failover_in_progress,force_failover", "master,disconnected",
                  "master,disconnected,failover_in_progress,force_failover"}
FAILOVER_STATES = {"wait_start", "select_slave", "send_slaveof_noone", "wait_promotion", "reconf_slaves", "update_config"}


def failover(checks):
    """A failover that somebody asks for, in each of its steps."""
    def play(group, tell):
        before = list(group.watch.primary())
        tell("FAILOVER", group.watch.ask("SENTINEL", "FAILOVER", NAME))
        tell("another one", group.watch.ask("SENTINEL", "FAILOVER", NAME))
        seen = []
        wait_until(lambda: (one := group.watch.primary()) and (seen.append(one) or "failover_in_progress" not in one["flags"])
                   and group.watch.address_of() != group.primary.port, 30)
        place = before.index("last-ping-sent")
        with_state = [*before[:place], "failover-state", *before[place:]]
        fields = {tuple(one) for one in seen}
        tell("fields", fields <= {tuple(before), tuple(with_state)} or sorted(fields))
        flags = {one["flags"] for one in seen}
        tell("flags", flags <= FAILOVER_FLAGS or sorted(flags))
        names = {one["failover-state"] for one in seen if "failover-state" in one}
        # One that is over between two looks shows none.
        tell("states", names <= FAILOVER_STATES or sorted(names))
        wait_until(lambda: flags_of(group, "REPLICAS") == ["slave", "slave"] and flags_of(group, "MASTERS") == ["master"])
        tell("config-epoch", group.watch.primary()["config-epoch"])
    both(checks, play, replicas=2)
    if not ours_is_tested():
        return
    with Group(OURS) as group:
        checks.equal("no failover yet", group.watch.ask("SENTINEL", "FAILOVERS", NAME), [])
        group.watch.ask("SENTINEL", "FAILOVER", NAME)
        wait_until(lambda: group.watch.address_of() == group.replicas[0].port)
        wait_until(lambda: group.watch.ask("SENTINEL", "FAILOVERS", NAME, resp=3)[0][3][1] != b"in progress")
        record = dict(group.watch.ask("SENTINEL", "FAILOVERS", NAME, resp=3)[0])
        checks.equal("what a failover tells of", list(record), [b"time", b"epoch", b"forced", b"outcome", b"notes"])
        checks.equal("it was forced", record[b"forced"], 1)
        checks.true("it says why", record[b"notes"] and str(group.replicas[0].port) in repr(record[b"notes"]), record)
        checks.equal("FAILOVERS no", group.watch.ask("SENTINEL", "FAILOVERS", "no"), b"ERR No such master with that name")


# ---- INFO, clients, users ----

def information(checks):
    def play(group, tell):
        for asked in ("", "all", "everything", "default", "memory", "sentinel", "SERVER sentinel", "keyspace cpu", "all memory"):
            text = group.watch.ask("INFO", *asked.split()).decode()
            tell(f"sections of INFO {asked}", re.findall(r"^# \w+", text, re.M))
            tell(f"INFO {asked}: mode", re.findall(r"^redis_mode:.*", text, re.M))
        tell("RESP3 verbatim", type(group.watch.ask("INFO", "sentinel", resp=3)).__name__)
        with group.watch.client() as listener, group.watch.client(3) as newer:
            for client in (listener, newer):
                tell("SUBSCRIBE", client.call("SUBSCRIBE", "+monitor", "-monitor"))
                client.read()
                tell("PSUBSCRIBE", client.call("PSUBSCRIBE", "+se*"))
            group.watch.ask("SENTINEL", "MONITOR", "x", HOST, 9, 4)
            group.watch.ask("SENTINEL", "SET", "x", "auth-pass", "secret")
            group.watch.ask("SENTINEL", "REMOVE", "x")
            for client in (listener, newer):
                for _ in range(3):
                    tell("a message", client.read())
    both(checks, play)


def users(checks):
    """AUTH, ACL and SHUTDOWN."""
    notes = {}
    for make in (OURS, THEIRS):
        said = notes[make] = []
        with Watch(make, config="requirepass first\nuser bob on >second ~* &* +@all -sentinel|set\nuser eve on nopass +ping\n"
                                "save 60 1\nappendonly no\n") as watch:
            for resp in (2, 3):
                with watch.client() as client:
                    for line in ("PING", "SENTINEL MASTERS", "HELLO 3 AUTH default wrong", "AUTH wrong", "AUTH first", "PING",
                                 "AUTH bob second", "SENTINEL MASTERS", "SENTINEL SET a quorum 1", "AUTH eve x", "ACL WHOAMI",
                                 "SENTINEL MASTERS", "PING", "PUBLISH __sentinel__:hello a", "INFO"):
                        said.append((f"{line} ({resp})", client.call(*line.split())))
            with watch.client() as client:
                client.call("AUTH", "first")
                said.append(("ACL SETUSER", client.call("ACL", "SETUSER", "carl", "on", ">x", "+sentinel|masters", "+auth")))
                said.append(("SENTINEL FLUSHCONFIG", client.call("SENTINEL", "FLUSHCONFIG")))
                text = pathlib.Path(watch.config_path).read_text()
                said.append(("users in the file", sorted(re.findall(r"^user (\w+)", text, re.M))))
                for line in ("CLIENT LIST", "CLIENT INFO"):
                    said.append((line, re.findall(r"cmd=\S+", client.call(*line.split()).decode())))
                try:
                    client.send("SHUTDOWN", "SAVE")
                    said.append(("SHUTDOWN", client.read()))
                except GONE:
                    said.append(("SHUTDOWN", "the connection is closed"))
            said.append(("exit code", watch.process.wait(20)))
            said.append(("data files", sorted(name for name in os.listdir(watch.dir) if "rdb" in name or "aof" in name)))
    compare(checks, notes[OURS], notes[THEIRS])


def scripts(checks):
    """PENDING-SCRIPTS while some run and some are to run again."""
    with tempfile.TemporaryDirectory() as folder:
        begun = pathlib.Path(folder) / "begun"
        slow = script(folder, f"echo >> {begun}; while [ -e $0 ]; do sleep 0.1; done; exit 1")
        notes = {}
        for make in (OURS, THEIRS):
            said = notes[make] = []
            begun.unlink(missing_ok=True)
            with Watch(make, lines_about(9, quorum=5, down_after=60000), "sentinel deny-scripts-reconfig no\n") as watch:
                for line in ("SET mymaster notification-script /nowhere", "SET mymaster client-reconfig-script /nowhere",
                             f"SET mymaster notification-script {slow} client-reconfig-script {slow}",
                             "MASTER mymaster"):
                    said.append((line, same_for_both(watch.ask("SENTINEL", *line.split()), [])))
                wait_until(lambda: begun.exists() and len(begun.read_text()) == 2)
                for resp in (2, 3):
                    said.append(("running", same_for_both(watch.ask("SENTINEL", "PENDING-SCRIPTS", resp=resp), [])))
                said.append(("INFO", watch.ask("INFO", "sentinel")))
                os.rename(slow, slow + ".away")
                wait_until(lambda: all(dict(one)[b"flags"] == b"scheduled"
                                       for one in watch.ask("SENTINEL", "PENDING-SCRIPTS", resp=3)))
                said.append(("scheduled", same_for_both(watch.ask("SENTINEL", "PENDING-SCRIPTS", resp=3), [])))
                os.rename(slow + ".away", slow)
        compare(checks, notes[OURS], notes[THEIRS])


# ---- starts and files ----

WRONG_LINES = ("sentinel foo", "sentinel monitor a 127.0.0.1 1", "sentinel monitor a 127.0.0.1 1 0",
               "sentinel monitor a 127.0.0.1 1 x", "sentinel monitor a 127.0.0.1 70000 1", "sentinel myid x",
               "sentinel monitor a nowhere.invalid 1 1", "sentinel down-after-milliseconds zz 1",
               "sentinel resolve-hostnames maybe",
               "sentinel monitor a 127.0.0.1 1 1\nsentinel monitor a 127.0.0.1 2 1",
               "sentinel monitor a 127.0.0.1 1 1\nsentinel down-after-milliseconds a 0",
               "sentinel monitor a 127.0.0.1 1 1\nsentinel notification-script a /nowhere",
               "sentinel monitor a 127.0.0.1 1 1\nsentinel rename-command a b c\nsentinel rename-command a b d",
               "rename-command GET x", "foo bar")
# Stock redis-sentinel goes on with the half of them that it understands.
WRONG_LINES_FOR_US = ("sentinel announce-port x", "sentinel monitor a 127.0.0.1 1 1\nsentinel parallel-syncs a -1",
                      "sentinel monitor a 127.0.0.1 1 1\nsentinel known-sentinel a 1.2.3.4 x")


def starts(checks):
    """Configurations with which there is no start."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "a.conf"
        for lines in WRONG_LINES:
            path.write_text(f"port 0\n{lines}\n")
            checks.equal(lines, *[ends(make, [str(path), "--sentinel"], folder) for make in (OURS, THEIRS)])
        for lines in WRONG_LINES_FOR_US if ours_is_tested() else ():
            path.write_text(f"port 0\n{lines}\n")
            code, said = ends(OURS, [str(path), "--sentinel"], folder)
            checks.equal(f"{lines}: code and line", (code, said[2]), (1, f">>> '{lines.splitlines()[-1]}'"))
        path.write_text("user bob +get\n")
        checks.equal("a user with commands that a sentinel has not",
                     *[ends(make, [str(path), "--sentinel"], folder)[0] for make in (OURS, THEIRS)])
        for arguments in (["--sentinel"], ["--sentinel", "--port", "7"], ["--port", "7", "--sentinel", "monitor", "a"]):
            checks.equal(" ".join(arguments), *[ends(make, arguments, folder) for make in (OURS, THEIRS)])
        code, text = run_to_exit([f"{folder}/none.conf", "--sentinel"])
        checks.equal("a file that is not there", (code, "No such file" in text), (1, True))
        path.write_text("sentinel monitor a 127.0.0.1 1 1\n")
        code, text = run_to_exit([str(path)])
        checks.equal("a server with lines of a sentinel", (code, "sentinel directive while not in sentinel mode" in text),
                     (1, True))


def stored(watch):
    """What a sentinel knows for good."""
    primary, = watch.about("MASTERS")
    keep = ("name", "port", "down-after-milliseconds", "config-epoch", "num-slaves", "num-other-sentinels", "quorum",
            "failover-timeout", "parallel-syncs")
    return {name: primary[name] for name in keep}, watch.ask("SENTINEL", "MYID"), watch.ask("SENTINEL", "CONFIG", "GET", "*")


def files(checks):
    """A file is passed on from one make to the other and back."""
    text = ("# who watches\nport 0\n# the passwords of the office\nsentinel monitor mymaster 127.0.0.1 {} 2\n\n"
            "# not before five seconds\nsentinel down-after-milliseconds mymaster 1234\n# ends here\n")
    with Host(THEIRS) as primary, Host(THEIRS, ["--replicaof", f"{HOST} {primary.port}"]), \
            tempfile.TemporaryDirectory() as folder:
        config = text.format(primary.port)
        known = None
        for make in (THEIRS, OURS, THEIRS, OURS, OURS):
            with Watch(make, config=config, folder=folder, compat=None) as watch:
                wait_until(lambda watch=watch: watch.primary().get("num-slaves") == "1")
                if known is None:
                    watch.ask("SENTINEL", "SET", NAME, "auth-pass", "secret", "parallel-syncs", 3, "rename-command", "x", "y")
                    watch.ask("SENTINEL", "CONFIG", "SET", "announce-ip", "127.0.0.1")
                    watch.ask("ACL", "SETUSER", "bob", "on", ">x", "+ping")
                    known = stored(watch)
                checks.equal(f"{make} knows it", stored(watch), known)
                checks.equal(f"{make} knows the users", len(watch.ask("ACL", "LIST")), 2)
                watch.ask("SENTINEL", "FLUSHCONFIG")
            config = pathlib.Path(watch.config_path).read_text()
            for comment in re.findall("# .*", text):
                checks.contains(f"{make} leaves the comment", config, comment)
            if make == OURS and ours_is_tested():
                checks.contains("a comment stays above its line", config,
                                "# not before five seconds\nsentinel down-after-milliseconds mymaster 1234\n")


def rewritten(checks):
    """What we add to a file stands together, behind the lines that were there."""
    if not ours_is_tested():
        return
    text = f"maxclients 50\n# the office\nsentinel monitor m {HOST} 9 2\n# the rest\nmaxmemory 1mb\n"
    with Watch(OURS, config=text, compat=None) as watch:
        watch.ask("SENTINEL", "MONITOR", "n", HOST, 10, 1)
        watch.ask("SENTINEL", "SET", "m", "auth-pass", "a \"b\" # c", "quorum", 3)
        watch.ask("SENTINEL", "MONITOR", "o p", HOST, 11, 1)
        known, config = watch.about("MASTERS"), pathlib.Path(watch.config_path).read_text()
        lines = config.splitlines()
        checks.equal("above", lines[:3], ["maxclients 50", "# the office", f"sentinel monitor m {HOST} 9 3"])
        rest = lines.index("# the rest")
        checks.true("ours stand together", all(line.startswith("sentinel ") for line in lines[2:rest]), config)
        checks.equal("none elsewhere", [line for line in lines[rest:] if line.startswith("sentinel ")], [])
        kept = ("name", "port", "quorum")
        with Watch(OURS, config=config, compat=None) as again:
            checks.equal("the same again", [[one[name] for name in kept] for one in again.about("MASTERS")],
                         [[one[name] for name in kept] for one in known])
            again.ask("SENTINEL", "FLUSHCONFIG")
            mine = [line for line in lines if line.startswith("sentinel ")]
            checks.equal("the same lines", [line for line in pathlib.Path(again.config_path).read_text().splitlines()
                                            if line.startswith("sentinel ")], mine)


def senseless(checks):
    """Directives that mean nothing to a sentinel are accepted, and stay in its file."""
    lines = "appendonly yes\nreplicaof 127.0.0.1 9\nmaxmemory 100mb\ndatabases 3\nappendfsync always\n"
    ours_alone = "threads 3\nsave 60 1\nsentinel monitor m 127.0.0.1 9 2 # the office\n" if ours_is_tested() else ""
    with Watch(OURS, config=lines + ours_alone) as watch:
        watch.ask("SENTINEL", "FLUSHCONFIG")
        text = pathlib.Path(watch.config_path).read_text()
        for line in (lines + ours_alone).splitlines():
            checks.contains("the file", text, line)
        checks.equal("ROLE", watch.ask("ROLE"), [b"sentinel", [b"m"] if ours_is_tested() else []])
        checks.true("one thread", not ours_is_tested() or b"\r\nthreads:1\r\n" in watch.ask("INFO"), watch.ask("INFO"))
        title = pathlib.Path(f"/proc/{watch.process.pid}/cmdline").read_bytes()
        checks.contains("title", title, b"[sentinel]")
        checks.contains("log", watch.log_text(), f"Running mode=sentinel, port={watch.port}.")
        checks.true("role in the log", re.search(r"^\d+:X ", watch.log_text(), re.M) is not None, watch.log_text())
        checks.equal("data files", [name for name in os.listdir(watch.dir) if "rdb" in name or "aof" in name], [])


if __name__ == "__main__":
    sys.exit(run_parts([commands, words, states, agreement, unannounced, failover, information, users, scripts, starts, files,
                        rewritten, senseless]))
