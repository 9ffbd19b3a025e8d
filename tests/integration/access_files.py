#!/usr/bin/python3
"""Users in files, passwords that nobody may see, and users that change under load; beside stock redis-server.

    access_files.py [PART]        repeats a part; SEED=n access_files.py busy repeats that one
"""

import contextlib
import os
import pathlib
import random
import re
import resource
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from checks import run_parts  # noqa: E402
from replicating import GONE, OURS, REFERENCE, SEED, THEIRS, Host, is_up, ours_is_tested  # noqa: E402
from resp_client import ErrorReply, encode  # noqa: E402
from sanitized import SANITIZED  # noqa: E402
from server_process import HOST, ROOT, SECONDS_MAX, free_port, program, wait_until  # noqa: E402
from side_by_side import Side, judge, parts_in_order  # noqa: E402

HASH = "2bd806c97f0e00af1a1fc3328fa763a9269723c8db8fac4f93af71db186d6e90"
ALL_RIGHTS = "user default on nopass ~* &* +@all\n"
GOOD = ALL_RIGHTS + f"user alice on >secret ~a* +@read\nuser bob off #{HASH} ~b* &news (%R~a* +get)\n"
TEXTS = {
    "empty": "",
    "blank lines": "\n\n  \nuser alice on\n\n\t\n",
    "a comment": "# users\nuser alice on\n",
    "no newline at the end": "user alice on ~a*",
    "carriage returns": "user alice on\r\nuser bob on\r\n",
    "spaces around": "  user alice on  ~a*   +get  \n",
    "tabs": "user\talice\ton\n",
    "no user": "alice on\n",
    "the word alone": "user\n",
    "a name alone": "user alice\n",
    "capitals": "USER alice ON\n",
    "a wrong rule": "user alice on\nuser bob on nonsense\nuser carol on +nosuch\n",
    "a wrong hash": "user alice on #zz\n",
    "a removed password": "user alice on <nosuch\n",
    "twice": "user alice on\nuser alice off\n",
    "quotes": "user \"alice\" on\nuser bob \">pass\"\n",
    "selectors": "user alice on (+get ~a) ( +set ~b )\nuser bob on (%RW~x -@all +@write)\n",
    "the default user": "user default on >secret ~* +@all\n",
    "the default user off": "user default off ~* +@all\nuser alice on nopass +@all\n",
    "zero byte": "user alice on\0\n",
    "long": "user alice on " + " ".join(f"~key:{number}:*" for number in range(2000)) + "\n",
    "many": "".join(f"user u{number} on >p{number} ~u{number}:* +@all\n" for number in range(500)),
    "good": GOOD,
}


def path_of(make):
    return program() if make == OURS else REFERENCE


def both(checks, play, allowed=()):
    """`play(make, folder, note)` with each server in a folder of its own; what is noted is compared."""
    found = []
    for make in (OURS, THEIRS):
        with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder:
            record = []
            play(make, folder, lambda title, seen, record=record,
                folder=folder: record.append((title, placed(seen, folder))))
            found.append(record)
    judge(checks, *found, dict(allowed))


def placed(seen, folder):
    """Without the name of the folder."""
    if isinstance(seen, bytes):
        return type(seen).__name__, seen.replace(folder.encode(), b"FOLDER")
    return seen.replace(folder, "FOLDER") if isinstance(seen, str) else seen


def listed(host):
    reply = host.ask("ACL", "LIST")
    return reply if isinstance(reply, ErrorReply) else [parts_in_order(line) for line in reply]


def users_in(path):
    """The lines of users in a file, in an order that does not matter."""
    # A selector with spaces is one word in a config file; quotes around it change nothing.
    lines = re.sub(rb'"(\([^"]*\))"', rb"\1", pathlib.Path(path).read_bytes()).splitlines()
    return sorted(parts_in_order(line) for line in lines if line.startswith(b"user "))


def refusal(make, folder, *options, config=None):
    """(exit code, what is said about it) of a server that does not want to start."""
    arguments = [*options, "--port", "0", "--unixsocket", f"{folder}/socket", "--dir", folder, "--save", ""]
    if config is not None:
        pathlib.Path(folder, "refused.conf").write_text(config)
        arguments.insert(0, f"{folder}/refused.conf")
    done = subprocess.run([path_of(make), *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, cwd=folder, timeout=SECONDS_MAX, check=False)
    return done.returncode, done.stdout.decode("utf-8", "replace").replace(folder, "FOLDER")


def said(output, *words):
    """The lines with one of these words, without process, moment and level."""
    lines = [re.sub(r"^\d+:\w \d+ \w+ \d+ [\d:.]+ \S ", "", line) for line in output.splitlines()]
    return [line for line in lines if any(word in line for word in words)]


def load_and_save(checks):
    """ACL LOAD takes a file as a whole or not at all, ACL SAVE leaves the old one when it fails."""
    def play(make, folder, note):
        path = pathlib.Path(folder, "users.acl")
        path.write_text(GOOD)
        with Host(make, ["--aclfile", str(path)], folder=folder) as host:
            note("at the start", listed(host))
            for title, text in TEXTS.items():
                path.write_text(text)
                with host.client() as admin:  # The file may take the default user's rights.
                    note(f"{title}: ACL LOAD", admin.call("ACL", "LOAD"))
                    note(f"{title}: ACL LIST", [parts_in_order(line) for line in admin.call("ACL", "LIST")])
                    note(f"{title}: ACL SAVE", admin.call("ACL", "SAVE"))
                    note(f"{title}: the file", users_in(path))
                    path.write_text(GOOD)
                    admin.call("ACL", "LOAD")
            before = path.read_bytes()
            host.ask("ACL", "SETUSER", "carol", "on", ">secret", "+@all", "~*")
            path.unlink()
            note("no file: ACL LOAD", host.ask("ACL", "LOAD"))
            note("no file: ACL LIST", listed(host))
            note("no file: ACL SAVE", host.ask("ACL", "SAVE"))
            note("no file: the new one", users_in(path))
            path.write_bytes(before)
            os.rename(folder, folder + ".away")
            try:
                note("no folder: ACL SAVE", host.ask("ACL", "SAVE"))
                note("no folder: ACL LOAD", host.ask("ACL", "LOAD"))
            finally:
                os.rename(folder + ".away", folder)
            note("the old file is there", path.read_bytes() == before)
            note("nothing else is there", sorted(one for one in os.listdir(folder) if one != "server.sock"))
            note("and then: ACL SAVE", host.ask("ACL", "SAVE"))
            note("the file", users_in(path))
            note("CONFIG SET aclfile", host.ask("CONFIG", "SET", "aclfile", "other"))
            note("CONFIG GET aclfile", host.ask("CONFIG", "GET", "aclfile")[1])
        with Host(make, ["--aclfile", str(path)], folder=folder) as host:
            note("after a restart", listed(host))

    refused = "rules with zero bytes are refused"
    both(checks, play, {f"zero byte: {what}": refused for what in ("ACL LOAD", "ACL LIST", "the file")})


def full_disk(checks):
    """A file that is half written does not take the place of the old one."""
    if not ours_is_tested():
        return
    with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder:
        path = pathlib.Path(folder, "users.acl")
        path.write_text(GOOD)
        with Host(OURS, ["--aclfile", str(path)], folder=folder) as host, host.client() as admin:
            admin.call("ACL", "SETUSER", "carol", *[f"~key:{number}" for number in range(1000)])
            pid = host.process.pid
            hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (1000, hard))
            reply = admin.call("ACL", "SAVE")
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, hard))
            checks.true("ACL SAVE says so", isinstance(reply, ErrorReply), reply)
            checks.equal("the old file", path.read_text(), GOOD)
            checks.equal("nothing is left over", sorted(set(os.listdir(folder)) - {"server.sock"}), ["users.acl"])
            checks.equal("ACL SAVE", admin.call("ACL", "SAVE"), b"OK")
            checks.contains("the file", path.read_text(), "~key:999")


def open_selector(checks):
    """Redis 7.0 crashes when it reads such a file."""
    if not ours_is_tested():
        return
    with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder:
        path = pathlib.Path(folder, "users.acl")
        path.write_text(GOOD)
        with Host(OURS, ["--aclfile", str(path)], folder=folder) as host:
            before = listed(host)
            path.write_text("user alice on (+get ~a\n")
            reply = host.ask("ACL", "LOAD")
            checks.true("ACL LOAD refuses it", isinstance(reply, ErrorReply) and b"users.acl:1: " in reply, reply)
            checks.equal("nothing changed", listed(host), before)
        checks.equal("no start with it", refusal(OURS, folder, "--aclfile", str(path))[0], 1)


def loaded_anew(checks):
    """Who is connected when ACL LOAD brings other users."""
    def play(make, folder, note):
        path = pathlib.Path(folder, "users.acl")
        names = ("same", "changed", "gone", "password", "off", "channel")
        first = "".join(f"user {name} on >p ~* &news +@all\n" for name in names)
        second = ("user same on >p ~* &news +@all\nuser changed on >p ~a* &news +@all\n"
                  "user password on >q ~* &news +@all\nuser off off >p ~* &news +@all\n"
                  "user channel on >p ~* &other +@all\n")
        path.write_text(ALL_RIGHTS + first)
        with Host(make, ["--aclfile", str(path)], folder=folder) as host, Side(host) as side:
            for name in names:
                side.tell(name, "AUTH", name, "p")
                side.tell(f"{name}_listens", "AUTH", name, "p")
                side.tell(f"{name}_listens", "SUBSCRIBE", "news")
            side.tell("plain", "PING")
            for text in (ALL_RIGHTS + "user wrong\nnonsense\n", ALL_RIGHTS + second):
                path.write_text(text)
                side.ask("admin", "ACL", "LOAD")
                for name in (*names, "plain"):
                    side.state(name)
                for name in names:
                    side.state(f"{name}_listens")
            # The default user's own sessions.
            side.tell("listens", "SUBSCRIBE", "news")
            path.write_text("user default on >p ~* &* +@all\n")
            side.ask("admin", "ACL", "LOAD")
            for name in ("plain", "listens", "admin"):
                side.state(name)
            path.write_text("user default on >p ~* resetchannels +@all\n")
            side.ask("admin", "ACL", "LOAD")
            for name in ("plain", "admin"):
                side.state(name)
            for title, seen in side.record:
                note(title, seen)
            side.state("listens")
            note("who listens to a channel that the default user has lost", side.record[-1][1])

    both(checks, play, {"who listens": "who may not listen any more does not"})


def refused_starts(checks):
    def play(make, folder, note):
        acl = pathlib.Path(folder, "users.acl")
        for title in ("no user", "the word alone", "a wrong rule", "twice", "capitals", "a comment",
            "a wrong hash"):
            acl.write_text(TEXTS[title])
            code, output = refusal(make, folder, "--aclfile", str(acl))
            note(f"{title}: exit code", code)
            note(f"{title}: why", said(output, "users.acl", "Duplicate"))
        acl.unlink()
        code, output = refusal(make, folder, "--aclfile", str(acl))
        note("no file: exit code", code)
        note("no file: why", said(output, "users.acl", "No such"))
        acl.write_text(GOOD)
        code, output = refusal(make, folder, config=f"aclfile {acl}\nuser alice on +@all\n")
        note("both: exit code", code)
        note("both: why", said(output, "ACL file", "aclfile"))
        for title, line in {"nonsense": "user alice on nonsense", "a command": "user alice on +nosuch", "no name": "user",
                            "twice": "user alice on\nuser alice on", "a space": "user \"a b\" on",
                            "second": "port 0\nuser alice on\nuser bob on ~a nonsense"}.items():
            code, output = refusal(make, folder, config=line + "\n")
            note(f"directive, {title}: exit code", code)
            note(f"directive, {title}: why", said(output, ">>>", "ACL", "user", "line"))

    where, which = "the line is named", "the rule that is wrong is named, not another word"
    both(checks, play, {"directive, nonsense: why": which, "directive, second: why": which,
                        "directive, a command: why": where, "directive, a space: why": where})


DIRECTIVES = f"""# users of this machine
user alice on >secret ~a* &news +@read (+set %W~w*)
user bob off #{HASH} -@all +config|get '~quo"te'
user carol on ">pass word" allkeys allcommands
maxmemory 100mb
"""


def directives(checks):
    """`user` lines of the config file, and what CONFIG REWRITE makes of them."""
    def play(make, folder, note):
        config = DIRECTIVES
        for round_number in (1, 2, 3):
            with Host(make, config=config, folder=folder) as host, Side(host) as side:
                note(f"{round_number}: ACL LIST", listed(host))
                for name, password in (("alice", "secret"), ("carol", "pass word"), ("bob", "hello"), ("dora", "new")):
                    side.tell(name, "AUTH", name, password)
                if round_number == 1:
                    side.play("""
                        a ACL LOAD
                        a ACL SAVE
                        a ACL SETUSER dora on >new ~d*
                        a ACL SETUSER alice -set
                        a ACL DELUSER bob
                    """)
                if round_number == 2:
                    side.play("""
                        a CONFIG SET requirepass "a secret"
                        a ACL SETUSER dora reset
                    """)
                if round_number == 3:
                    side.play("""
                        a PING
                        a AUTH "a secret"
                        a CONFIG GET requirepass
                        a ACL LIST
                    """)
                side.tell("a", "CONFIG", "REWRITE")
                note(f"{round_number}: the users in the file", users_in(host.config_path))
                config = pathlib.Path(host.config_path).read_text()
                kept = [line for line in config.splitlines() if line.startswith(("requirepass", "maxmemory ", "# users"))]
                note(f"{round_number}: the rest of the file", kept)
                for title, seen in side.record:
                    note(f"{round_number}: {title}", seen)

    both(checks, play)


def rewritten_with_a_file(checks):
    """With an ACL file CONFIG REWRITE leaves the users to it. A password in one file, a default user in the other."""
    def play(make, folder, note):
        acl = pathlib.Path(folder, "users.acl")
        for title, text in (("no default user", "user alice on >secret +@all\n"), ("a default user", GOOD),
                            ("a default user with a password", "user default on >other ~* &* +@all\n")):
            acl.write_text(text)
            with Host(make, config=f"aclfile {acl}\nrequirepass first\n", folder=folder) as host, Side(host) as side:
                for password in ("first", "other", "secret"):
                    side.open("a")
                    side.tell("a", "AUTH", password)
                    side.tell("a", "ACL", "LIST")
                    side.tell("a", "CONFIG", "GET", "requirepass")
                side.ask("a", "AUTH", "default", "first")
                side.ask("a", "AUTH", "default", "other")
                side.tell("a", "CONFIG", "REWRITE")
                note(f"{title}: users in the config file", users_in(host.config_path))
                side.tell("a", "ACL", "LOAD")
                side.tell("a", "ACL", "LIST")
                for line, seen in side.record:
                    note(f"{title}: {line}", seen)

    both(checks, play)


# ---- what docs/security.md prints --------------------------------------------------------------------------------

MANUAL = ROOT / "docs" / "security.md"


def blocks(text):
    """(language, lines) of what is printed under the heading."""
    section = text.split("\n## Users and rights\n", 1)[1].split("\n## ", 1)[0]
    return [(language, body.splitlines()) for language, body in re.findall(r"^```(\S*)\n(.*?)^```$", section, re.M | re.S)]


def printed_session(checks, make, host, lines):
    """Commands behind `> `, and what redis-cli shows of their replies."""
    commands = [line[2:] for line in lines if line.startswith("> ")]
    done = subprocess.run(["redis-cli", "--no-raw", "-p", str(host.port)], input="\n".join(commands) + "\n", text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS_MAX, check=False)
    shown = [line for line in done.stdout.splitlines() if line.strip()]
    checks.equal(f"{make}: {commands[0]} ...", shown, [line for line in lines if not line.startswith("> ")])


def manual(checks):
    """Each example is played as it is printed; a config file or an ACL file is for the sessions below it."""
    found = blocks(MANUAL.read_text())
    checks.equal("languages", {language for language, _ in found}, {"conf", "acl", "redis-cli"})
    for make in (OURS, THEIRS):
        with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder, contextlib.ExitStack() as running:
            host = running.enter_context(Host(make))
            for language, lines in found:
                text = "\n".join(lines) + "\n"
                if language == "redis-cli":
                    printed_session(checks, make, host, lines)
                    continue
                running.close()
                if language == "acl":
                    file = pathlib.Path(folder, "users.acl")
                    file.write_text(text)
                    text = f"aclfile {file}\n"
                host = running.enter_context(Host(make, config=text))


def replica_user(checks):
    """The rights that the manual gives to a replica are enough, and only with the right password."""
    users = next(lines for language, lines in blocks(MANUAL.read_text()) if language == "acl")
    line = next(line for line in users if line.startswith("user replica "))
    for primary_make, replica_make in ((OURS, THEIRS), (THEIRS, OURS), (OURS, OURS)):
        title = f"{replica_make} behind {primary_make}"
        with Host(primary_make) as primary, Host(replica_make) as replica:
            primary.ask("SET", "k", "v")
            primary.ask("ACL", "SETUSER", *line.split()[1:])
            primary.ask("CONFIG", "SET", "requirepass", "something else")
            primary.password = "something else"
            replica.ask("CONFIG", "SET", "masteruser", "replica", "masterauth", "another-password")
            replica.follow(primary)
            if is_up(checks, title, replica):
                checks.equal(f"{title}: the data", replica.ask("GET", "k"), b"v")
                primary.ask("SET", "k", "w")
                checks.equal(f"{title}: a write", wait_until(lambda replica=replica: replica.ask("GET", "k") == b"w"), True)
                # Nobody asks what the stream may do.
                with replica.client() as reader:
                    replica.ask("ACL", "SETUSER", "reader", "on", "nopass", "+get", "~*")
                    reader.call("AUTH", "reader", "x")
                    replica.ask("ACL", "SETUSER", "default", "off", "-@all", "resetkeys")
                    primary.ask("SET", "k", "x")
                    checks.true(f"{title}: a write that the default user may not do",
                                wait_until(lambda reader=reader: reader.call("GET", "k") == b"x"))


def replayed(checks):
    """Data are loaded whoever may write them. Redis 7.0 forgets the transactions in the file here."""
    with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder:
        options = ["--appendonly", "yes", "--aclfile", f"{folder}/users.acl"]
        pathlib.Path(folder, "users.acl").write_text(ALL_RIGHTS)
        with Host(OURS, options, folder=folder) as host, host.client() as client:
            client.call("SET", "k", "v")
            for words in (("MULTI",), ("INCR", "n"), ("EVAL", "return redis.call('INCR', 'n')", "0"), ("EXEC",)):
                client.call(*words)
        pathlib.Path(folder, "users.acl").write_text("user default off\nuser reader on nopass +mget ~*\n")
        with Host(OURS, options, folder=folder) as host, host.client() as client:
            checks.equal("the default user", client.call("MGET", "k"), b"NOAUTH Authentication required.")
            client.call("AUTH", "reader", "x")
            kept = b"2" if ours_is_tested() else None
            checks.equal("the data", client.call("MGET", "k", "n"), [b"v", kept])


# ---- secrets -----------------------------------------------------------------------------------------------------


def secret_requests(port):
    """Requests in which a word that begins with SECRET is nobody's business."""
    there = (HOST, str(port))
    lines = [("AUTH", "SECRET-1"), ("AUTH", "default", "SECRET-2"), ("AUTH", "alice", "SECRET-3"),
        ("AUTH", "a", "b", "SECRET-4"), ("HELLO", "3", "AUTH", "default", "SECRET-5"),
        ("HELLO", "2", "AUTH", "alice", "SECRET-6", "SETNAME", "me"),
        ("HELLO", "2", "SETNAME", "me", "AUTH", "nobody", "SECRET-7"), ("HELLO", "9", "AUTH", "default", "SECRET-8"),
        ("ACL", "SETUSER", "alice", "on", ">SECRET-9", "+@all", "~*", "&*"),
        ("ACL", "SETUSER", "alice", ">SECRET-10", "nonsense"), ("ACL", "SETUSER", "alice", "<SECRET-9"),
        ("ACL", "SETUSER", "alice", "<SECRET-11"), ("acl", "setuser", "bob", ">SECRET-12"),
        ("CONFIG", "SET", "masterauth", "SECRET-13"), ("CONFIG", "SET", "requirepass", "SECRET-14"),
        ("CONFIG", "SET", "maxmemory", "0", "requirepass", "SECRET-15"),
        ("CONFIG", "SET", "masterauth", "SECRET-16", "nosuch", "1"), ("config", "set", "REQUIREPASS", "SECRET-17"),
        ("SET", "k", "v"), ("MIGRATE", *there, "k", "0", "100", "AUTH", "SECRET-18"),
        ("MIGRATE", *there, "k", "0", "100", "COPY", "AUTH2", "me", "SECRET-19"),
        ("MIGRATE", *there, "", "0", "100", "AUTH", "SECRET-20", "KEYS", "k"),
        ("MIGRATE", *there, "absent", "0", "100", "AUTH", "SECRET-21"), ("AUTH", "SECRET-17"),
        ("AUTH", "default", "SECRET-17")]
    in_transaction = [("MULTI",), ("ACL", "SETUSER", "bob", ">SECRET-22"), ("CONFIG", "SET", "masterauth", "SECRET-23"),
        ("AUTH", "default", "SECRET-24"), ("MIGRATE", *there, "k", "0", "100", "AUTH", "SECRET-25"), ("EXEC",)]
    return lines + in_transaction + [("CONFIG", "SET", "requirepass", "")]


def places(make):
    """{place: all that can be read there} after the requests, and how the requests were answered."""
    with Host(make, ["--loglevel", "debug", "--slowlog-log-slower-than", "0", "--slowlog-max-len", "1000",
                     "--latency-monitor-threshold", "1", "--crash-log-enabled", "no"]) as host:
        with host.client() as client, host.client() as watcher:
            watcher.call("MONITOR")
            replies = []
            for words in secret_requests(free_port()):
                replies.append(client.call(*words))
                client.call("CLIENT", "LIST")
            lists = client.call("CLIENT", "LIST")
            client.call("REPLICAOF", HOST, free_port())
            client.call("REPLICAOF", "NO", "ONE")
            client.call("ECHO", "the end")
            seen = b""
            while b"the end" not in seen:
                seen += watcher.socket.recv(1 << 16)
            found = {"MONITOR": seen, "SLOWLOG": repr(client.call("SLOWLOG", "GET", "-1")).encode(),
                "CLIENT LIST": lists, "INFO": client.call("INFO", "everything"),
                "LATENCY": repr(client.call("LATENCY", "LATEST")).encode(),
                "LATENCY DOCTOR": repr(client.call("LATENCY", "DOCTOR")).encode(),
                "ACL LOG": repr(client.call("ACL", "LOG", "1000")).encode(),
                "ACL LIST": repr(client.call("ACL", "LIST")).encode(),
                "COMMAND": repr(client.call("MEMORY", "STATS")).encode()}
        found["the log"] = host.log_text().encode()
        return found, replies


def secrets(checks):
    (ours, our_replies), (theirs, their_replies) = places(OURS), places(THEIRS)
    for words, our, their in zip(secret_requests(1), our_replies, their_replies):
        title = " ".join(words)
        if words[0] == "MIGRATE" or words[0] == "EXEC":  # It has the port of nobody in it.
            checks.equal(f"{title}: kind of reply", type(our), type(their))
        elif words[0] != "HELLO" or isinstance(their, ErrorReply):
            checks.equal(title, our, their)
    checks.true("MONITOR saw what is no secret", b'"k" "v"' in ours["MONITOR"], ours["MONITOR"][-500:])
    checks.true("SLOWLOG saw it", b"(redacted)" in ours["SLOWLOG"], ours["SLOWLOG"][-500:])
    for place, text in theirs.items():
        leaked = set(re.findall(rb"SECRET-\d+", text))
        if leaked:
            print(f"    (redis-server lets {sorted(leaked)} be seen in {place})")
    for place, text in ours.items():
        leaked = set(re.findall(rb"SECRET-\d+", text))
        if not ours_is_tested():
            leaked -= set(re.findall(rb"SECRET-\d+", theirs[place]))
        at = text.find(sorted(leaked)[0]) if leaked else 0
        checks.true(f"nothing in {place}", not leaked, f"{sorted(leaked)}: {text[max(0, at - 200):at + 100]!r}")
    shown = [(re.findall(rb"\(redacted\)", theirs[place]), place) for place in ("MONITOR", "SLOWLOG")]
    for words, place in shown:
        count = len(re.findall(rb"\(redacted\)", ours[place]))
        checks.true(f"words are taken out of {place}", count >= len(words), f"{count}, in redis-server {len(words)}")


# ---- under load --------------------------------------------------------------------------------------------------

CONNECTIONS = 200
ACCOUNTS = 8
PIPELINE = 20
ROUNDS = 6 if SANITIZED else 25
RULES = [("+get", "~a:*"), ("+get", "+set", "~b:*"), ("+@all", "~*"), ("+ping",), ("+@read", "(+set ~a:*)", "%R~*"),
    ("+@write", "%W~a:*", "%RW~b:*"), ("-@all",), ("+@all", "-get", "~a:*")]
TRIED = [("GET", "a:1"), ("GET", "b:1"), ("SET", "a:1", "x"), ("SET", "b:1", "x"), ("PING",), ("GETSET", "a:2", "x"),
    ("EXISTS", "a:1", "b:1")]


def may(admin, name):
    """[what ACL DRYRUN says of each of TRIED]"""
    return [admin.call("ACL", "DRYRUN", name, *words) == b"OK" for words in TRIED]


class Account:
    """A user, its connections, and what it may do before and after the next change."""

    def __init__(self, name, host, count):
        self.name = name
        self.clients = [host.client(timeout=120) for _ in range(count)]
        for client in self.clients:
            client.call("AUTH", name, "p")

    def close(self):
        for client in self.clients:
            client.close()


def denied(reply):
    return isinstance(reply, ErrorReply) and reply.startswith(b"NOPERM")


def answers_of(client, requests, before, after):
    """Why the replies to these requests are not those of the old rules and then, from some moment on, of the new ones."""
    possible = {"before", "after"}
    changed_at = None
    for place, number in enumerate(requests):
        reply = client.read()
        if isinstance(reply, ErrorReply) and not denied(reply):
            return f"reply {place} is {reply!r}"
        if before[number] == after[number]:
            if denied(reply) == after[number]:
                return f"{TRIED[number]} is answered {reply!r}, with both rules"
            continue
        by = "after" if denied(reply) != after[number] else "before"
        if by == "before" and changed_at is not None:
            return f"{TRIED[number]} at {place}: {reply!r}, though the new rules held at {changed_at}"
        if by not in possible:
            return f"{TRIED[number]}: {reply!r}"
        if by == "after" and changed_at is None:
            changed_at = place
    return None


def one_change(checks, chance, admin, accounts, number):
    """All send, one of them is changed meanwhile, and all send again when that has been answered."""
    account = chance.choice(accounts)
    rules = chance.choice(RULES)
    olds = {one.name: may(admin, one.name) for one in accounts}
    everyone = [(one, client) for one in accounts for client in one.clients]
    chance.shuffle(everyone)
    moment = chance.randrange(len(everyone))
    sent = {}
    for place, (one, client) in enumerate(everyone):
        if place == moment:
            admin.send("ACL", "SETUSER", account.name, "reset", "on", ">p", *rules)
        sent[client] = [chance.randrange(len(TRIED)) for _ in range(PIPELINE)]
        client.send_raw(b"".join(encode(TRIED[number]) for number in sent[client]))
    checks.equal(f"round {number}: ACL SETUSER {account.name} {' '.join(rules)}", admin.read(), b"OK")
    later = {}
    for _, client in everyone:
        later[client] = [chance.randrange(len(TRIED)) for _ in range(3)]
        client.send_raw(b"".join(encode(TRIED[number]) for number in later[client]))
    news = {**olds, account.name: may(admin, account.name)}
    wrong = []
    for one, client in everyone:
        for when, requests, before in (("at the same time", sent[client], olds), ("after it", later[client], news)):
            reason = answers_of(client, requests, before[one.name], news[one.name])
            if reason:
                wrong.append(f"{one.name} {when}: {reason}")
    checks.true(f"round {number}: as one of the two rules says", not wrong, wrong[:5])


def one_deletion(checks, chance, host, admin, accounts):
    """The connections of a user that is deleted end; the others do not notice."""
    account = chance.choice(accounts)
    for one in accounts:
        for client in one.clients:
            client.send_raw(b"".join(encode(("PING",)) for _ in range(PIPELINE)))
    checks.equal("ACL DELUSER", admin.call("ACL", "DELUSER", account.name), 1)
    for client in account.clients:
        try:
            client.send("PING")
            data = client.read_until_closed()
            *lines, rest = data.split(b"\r\n")
            checks.true("only whole replies", not rest and len(lines) <= PIPELINE and len(set(lines)) < 2, data[-100:])
        except GONE:
            checks.true("closed", True)
    for one in accounts:
        if one is not account:
            for client in one.clients:
                for _ in range(PIPELINE):
                    client.read()
    account.close()
    admin.call("ACL", "SETUSER", account.name, "reset", "on", ">p", "+@all", "~*")
    accounts[accounts.index(account)] = Account(account.name, host, len(account.clients))


def busy(checks):
    print(f"    repeat with SEED={SEED} access_files.py busy", flush=True)
    chance = random.Random(f"{SEED} busy")
    with Host(OURS, threads=4) as host, host.client(timeout=120) as admin:
        for number in range(ACCOUNTS):
            admin.call("ACL", "SETUSER", f"u{number}", "on", ">p", "+@all", "~*")
        accounts = [Account(f"u{number}", host, CONNECTIONS // ACCOUNTS) for number in range(ACCOUNTS)]
        try:
            for number in range(ROUNDS):
                one_change(checks, chance, admin, accounts, number)
                if number % 5 == 4:
                    one_deletion(checks, chance, host, admin, accounts)
        finally:
            for account in accounts:
                account.close()
        checks.true("the server lives", host.alive())


if __name__ == "__main__":
    sys.exit(run_parts([load_and_save, full_disk, open_selector, loaded_anew, refused_starts, directives,
                        rewritten_with_a_file, manual, replica_user, replayed, secrets, busy]))
