#!/usr/bin/python3
"""TLS: settings, certificates, reloads, replication, stock and hostile clients; beside stock redis-server where both do the
same.

    SEED=n tls.py [PART]     repeats a run
"""

import contextlib
import pathlib
import random
import shutil
import socket
import ssl
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from checks import Skipped, run_parts  # noqa: E402
from replicating import OURS, SEED, THEIRS, Crew, fill, is_up, linked, same_data, went_well  # noqa: E402
from resp_client import encode  # noqa: E402
from sanitized import SANITIZED  # noqa: E402
from server_process import HOST, free_port, program, run_to_exit, wait_until  # noqa: E402
from tls_peers import Files, SlowlyCutClient, TlsClient, TlsHost, own_address, served, stock_client  # noqa: E402

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
REFUSED = b"ERR CONFIG SET failed (possibly related to argument '%s') - Unable to update TLS configuration. Check server logs."
HOSTILE = 1000
BAD = (ssl.SSLError, ConnectionError, OSError)


def on_both(checks, play):
    """The same answers from this server and from stock redis-server."""
    with Files() as files:
        answers = {}
        for make in (OURS, THEIRS):
            with TlsHost(files, make) as host:
                answers[make] = play(files, host)
        for name, answer in answers[THEIRS].items():
            checks.equal(name, answers[OURS].get(name), answer)
        checks.true("something was asked", answers[THEIRS])


# ---- settings -------------------------------------------------------------------------------------------------------


def settings_that_cannot_be(checks):
    """Nothing changes, the reply says what it is about, and clients come as before."""
    def play(files, host):
        answers = {}
        pathlib.Path(files.path("nonsense")).write_text("no certificate", encoding="ascii")
        with host.tls() as early:
            for name, value in (("tls-cert-file", files.path("none")), ("tls-cert-file", files.path("nonsense")),
                                ("tls-key-file", files.path("none")), ("tls-key-file", files.path("client.key")),
                                ("tls-ca-cert-file", files.path("none")), ("tls-protocols", "SSLv3"),
                                ("tls-ciphers", "nonsense"), ("tls-ciphersuites", "nonsense"),
                                ("tls-client-cert-file", files.path("none")), ("tls-port", "65536"),
                                ("tls-auth-clients", "perhaps"), ("tls-session-cache-size", "-1")):
                case = f"{name} {value}"
                before = host.ask("CONFIG", "GET", name)
                answers[case] = host.set(name, value)
                answers[f"{case}: the setting"] = host.ask("CONFIG", "GET", name) == before
                answers[f"{case}: a new client"] = served(host, files.context())
            answers["a connection from before"] = early.call("PING")
        answers["two at once"] = host.set("maxmemory-samples", "7", "tls-key-file", files.path("none"))
        answers["neither is set"] = host.ask("CONFIG", "GET", "maxmemory-samples")
        return answers

    on_both(checks, play)


def start_with_what_cannot_be(checks):
    """The log names the file and the reason, and the program ends with code 1."""
    with Files() as files:
        files.issue("expired", days=-1)
        files.issue("locked", password="sesame")
        good = files.options()
        for name, change, text in (
                ("no certificate", ["--tls-cert-file", ""], "No tls-cert-file configured!"),
                ("no key", ["--tls-key-file", ""], "No tls-key-file configured!"),
                ("a certificate that is not there", ["--tls-cert-file", files.path("none")],
                 f"Failed to load certificate: {files.path('none')}: error:80000002:system library::No such file"),
                ("a key that is not there", ["--tls-key-file", files.path("none")], "Failed to load private key: "),
                ("a key of another certificate", ["--tls-key-file", files.path("client.key")], "key values mismatch"),
                ("an expired certificate", files.options("expired"), "expired.crt: it has expired"),
                ("a locked key", files.options("locked"), "Failed to load private key: "),
                ("a wrong password", [*files.options("locked"), "--tls-key-file-pass", "wrong"],
                 "Failed to load private key: "),
                ("no authority", ["--tls-ca-cert-file", ""],
                 "Either tls-ca-cert-file or tls-ca-cert-dir must be specified"),
                ("an unknown protocol", ["--tls-protocols", "TLSv1.9"], "Invalid tls-protocols specified.")):
            code, text_seen = run_to_exit(["--port", "0", "--tls-port", str(free_port()), "--dir", files.folder, *good,
                                           *change])
            checks.equal(f"{name}: the exit code", code, 1)
            checks.contains(name, text_seen, text)
            checks.contains(f"{name}: the last word", text_seen, "Failed to configure TLS. Check logs for more info.")
        with TlsHost(files, options=[*files.options("locked"), "--tls-key-file-pass", "sesame"]) as host:
            checks.true("with its password the key is good", served(host, files.context()))
            checks.true("the password is in no log", "sesame" not in host.log_text())


def client_certificates(checks):
    def play(files, host):
        answers = {}
        for mode in ("yes", "optional", "no"):
            answers[mode] = host.set("tls-auth-clients", mode)
            for shown in ("client", "stranger", None):
                for version in (V12, V13):
                    answers[f"{mode}, {shown}, {version.name}"] = served(host, files.context(shown, version=version))
        return answers

    on_both(checks, play)


def protocols_and_ciphers(checks):
    def play(files, host):
        answers = {}

        def chosen(**context):
            try:
                with host.tls(files.context(**context)) as client:
                    client.call("PING")
                    return client.socket.version(), client.socket.cipher()[0]
            except BAD:
                return None

        for protocols in ("TLSv1.2", "TLSv1.3", "TLSv1.2 TLSv1.3", ""):
            answers[f"set {protocols}"] = host.set("tls-protocols", protocols)
            for version in (V12, V13):
                seen = chosen(version=version)
                answers[f"{protocols}, {version.name}"] = seen and seen[0]
        host.set("tls-protocols", "TLSv1.2")
        one, other = "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"
        host.set("tls-ciphers", f"{one}:{other}")
        answers["the client's order"] = chosen(version=V12, ciphers=f"{other}:{one}")
        host.set("tls-prefer-server-ciphers", "yes")
        answers["the server's order"] = chosen(version=V12, ciphers=f"{other}:{one}")
        host.set("tls-ciphers", one)
        answers["none in common"] = chosen(version=V12, ciphers=other)
        host.set("tls-protocols", "")
        host.set("tls-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256")
        answers["a suite of 1.3"] = chosen(version=V13)
        return answers

    on_both(checks, play)


def reloads(checks):
    """CONFIG SET of the same path reads the file again; who is connected stays."""
    def play(files, host):
        answers = {}

        def shown():
            with host.tls() as client:
                return client.socket.getpeercert(binary_form=True)

        files.issue("now")
        first_cert, first_key = files.path("now.crt"), files.path("now.key")
        with host.tls() as early:
            answers["another certificate"] = host.set("tls-cert-file", first_cert, "tls-key-file", first_key)
            first = shown()
            answers["an old connection"] = early.call("PING")
            files.issue("now")  # new files under the same names
            answers["not before it is told"] = shown() == first
            answers["the same names"] = host.set("tls-cert-file", first_cert, "tls-key-file", first_key)
            second = shown()
            answers["the new one is shown"] = second != first
            pathlib.Path(first_cert).write_text("broken", encoding="ascii")
            answers["a broken one"] = host.set("tls-cert-file", first_cert)
            answers["the last good one is shown"] = shown() == second
            answers["the old connection still"] = early.call("PING")
        files.authority("ca2")
        files.issue("client2", "ca2")
        answers["another authority"] = host.set("tls-ca-cert-file", files.path("ca2.crt"))
        answers["its clients come"] = served(host, files.context("client2"))
        answers["those of the first do not"] = served(host, files.context())
        return answers

    on_both(checks, play)


def ports(checks):
    """Beside the plain port, alone, exchanged with it; with an error nothing moves."""
    def play(files, host):
        answers = {}
        with host.client(unix=True) as control:
            plain, tls, third = host.port, host.tls_port, free_port()

            def sides():
                seen = []
                for port in (plain, tls, third):
                    # Plain first: a plain port says nothing to a handshake.
                    seen.append("tcp" if over_tcp(port) else "tls" if over_tls(files, port) else "closed")
                return seen

            answers["at first"] = sides()
            answers["only tls"] = control.call("CONFIG", "SET", "port", 0), sides()
            answers["both again"] = control.call("CONFIG", "SET", "port", plain), sides()
            answers["another tls-port"] = control.call("CONFIG", "SET", "tls-port", third), sides()
            answers["back"] = control.call("CONFIG", "SET", "tls-port", tls), sides()
            answers["only tcp"] = control.call("CONFIG", "SET", "tls-port", 0), sides()
            answers["tls again"] = control.call("CONFIG", "SET", "tls-port", tls), sides()
            with socket.create_server((HOST, third)):
                answers["taken by another"] = control.call("CONFIG", "SET", "tls-port", third)
            answers["as before"] = sides()
        return answers

    on_both(checks, play)


def over_tls(files, port):
    try:
        with TlsClient((HOST, port), files.context()) as client:
            return client.call("PING") == b"PONG"
    except BAD:
        return False


def over_tcp(port):
    try:
        with socket.create_connection((HOST, port), 10) as client:
            client.sendall(b"PING\r\n")
            return client.recv(100) == b"+PONG\r\n"
    except OSError:
        return False


def exchanged_ports(checks):
    """One CONFIG SET exchanges the two ports, which stock Redis cannot do; a failure beside it changes nothing."""
    with Files() as files, TlsHost(files) as host, host.client(unix=True) as control:
        plain, tls = host.port, host.tls_port
        with host.tls() as early, socket.create_server((HOST, 0)) as other:
            taken = other.getsockname()[1]
            reply = control.call("CONFIG", "SET", "port", tls, "tls-port", taken)
            checks.contains("a taken port", reply, b"Unable to listen on this port. Check server logs.")
            checks.true("nothing has moved", over_tls(files, tls) and over_tcp(plain))
            reply = control.call("CONFIG", "SET", "port", tls, "tls-port", plain, "tls-cert-file", files.path("none"))
            checks.equal("a bad certificate beside it", reply, REFUSED % b"tls-cert-file")
            checks.true("nothing has moved then", over_tls(files, tls) and over_tcp(plain))
            checks.equal("exchanged", control.call("CONFIG", "SET", "port", tls, "tls-port", plain), b"OK")
            checks.true("both answer", over_tls(files, plain) and over_tcp(tls))
            checks.equal("who was connected stays", early.call("PING"), b"PONG")
        info = control.call("INFO", "server").decode()
        for line in (f"name=tcp,bind={HOST},port={tls}", f"name=tls,bind={HOST},port={plain}"):
            checks.contains("INFO", info, line)
        checks.contains("the same port twice", control.call("CONFIG", "SET", "port", plain), b"Unable to listen")
        checks.contains("the log", host.log_text(), "Ready to accept connections tls")


def sessions(checks):
    """A session is resumed while caching is on and the settings stand."""
    with Files() as files, TlsHost(files) as host:
        for version in (V12, V13):
            context = files.context(version=version)

            def connect(session=None):
                with host.tls(context, session) as client:
                    client.call("PING")
                    return client.socket.session, client.socket.session_reused

            def resumed():
                return connect(connect()[0])[1]

            checks.true(f"{version.name}: resumed", resumed())
            session = connect()[0]
            host.set("tls-cert-file", files.path("server.crt"))
            checks.true(f"{version.name}: not after a reload", not connect(session)[1])
            host.set("tls-session-caching", "no")
            checks.true(f"{version.name}: not without caching", not resumed())
            host.set("tls-session-caching", "yes")
            checks.true(f"{version.name}: with caching again", resumed())


# ---- what it carries ------------------------------------------------------------------------------------------------


def large_and_small(checks):
    """Large values, pipelines, messages and tracking, as over a plain connection."""
    chance = random.Random(SEED)
    with Files() as files, TlsHost(files, threads=2) as host, host.tls() as client:
        values = {f"large:{index}": chance.randbytes(16 << 20) for index in range(4)}
        checks.equal("MSET of 64 MB", client.call("MSET", *[word for pair in values.items() for word in pair]), b"OK")
        checks.true("MGET of 64 MB", client.call("MGET", *values) == list(values.values()))
        client.send_raw(b"".join(encode(("INCR", "counter")) for _ in range(20_000)))
        checks.equal("a pipeline", [client.read() for _ in range(20_000)], list(range(1, 20_001)))
        with host.tls() as listener:
            listener.call("SUBSCRIBE", "news")
            client.send_raw(b"".join(encode(("PUBLISH", "news", "x" * 100)) for _ in range(1000)))
            checks.equal("who got them", {client.read() for _ in range(1000)}, {1})
            checks.equal("messages", {tuple(listener.read()) for _ in range(1000)}, {(b"message", b"news", b"x" * 100)})
        with host.tls() as reader:
            reader.call("HELLO", "3")
            reader.call("CLIENT", "TRACKING", "ON")
            reader.call("GET", "counter")
            client.call("SET", "counter", "0")
            checks.equal("an invalidation", reader.read(), [b"invalidate", [b"counter"]])
        line = client.call("CLIENT", "LIST").decode().splitlines()[0]
        checks.contains("CLIENT LIST", line, f"laddr={HOST}:{host.tls_port}")
        checks.equal("who does not read is closed", host.set("client-output-buffer-limit", "normal 1mb 0 0"), b"OK")
        with host.tls() as lazy:
            lazy.send_raw(encode(("GET", "large:0")) * 20)
            gone = wait_until(lambda: b"omem" in client.call("CLIENT", "LIST")
                              and client.call("CLIENT", "LIST").count(b"\n") == 1)
            checks.true("it is gone", gone, client.call("CLIENT", "LIST"))


def replication(checks):
    """Every pairing of makes, full synchronisations of each kind, under writes."""
    with Files() as files:
        for above, below, diskless in ((OURS, OURS, "yes"), (OURS, THEIRS, "no"), (OURS, THEIRS, "yes"),
                                       (THEIRS, OURS, "no"), (THEIRS, OURS, "yes")):
            name = f"{below} below {above}, diskless {diskless}"
            secret = ["--tls-replication", "yes", "--repl-diskless-sync", diskless]
            with checks.part(name), TlsHost(files, above, secret) as primary, TlsHost(files, below, secret) as replica:
                fill(primary, 3000)
                with primary.client() as writer, Crew(lambda: writer.call("INCR", "counter")) as crew:
                    crew.busy(5)
                    replica.follow_over_tls(primary)
                    is_up(checks, "first", replica)
                    crew.busy(100)
                    crew.stop()
                    went_well(checks, "the writer", crew)
                same_data(checks, "afterwards", primary, replica)
                checks.contains("the port that it tells", primary.ask("INFO", "replication"),
                                b"port=%d" % replica.tls_port)
                replica.ask("CLIENT", "KILL", "TYPE", "MASTER")
                primary.ask("SET", "after", "the cut")
                checks.true("again", wait_until(lambda: replica.ask("GET", "after") == b"the cut"), replica.figures())


def peak_bytes(host):
    with open(f"/proc/{host.process.pid}/status", encoding="utf-8") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))


def loaded_while_it_comes(checks):
    """A payload without a file: nothing stays behind in the layer, and it takes no more memory than the data set."""
    with Files() as files:
        for above, diskless in ((OURS, "yes"), (OURS, "no"), (THEIRS, "yes")):
            secret = ["--tls-replication", "yes", "--repl-diskless-sync", diskless, "--repl-diskless-sync-delay", "0",
                      "--rdbcompression", "no", "--enable-debug-command", "yes"]
            with checks.part(f"below {above}, diskless {diskless}"), TlsHost(files, above, secret) as primary, \
                    TlsHost(files, OURS, [*secret, "--repl-diskless-load", "swapdb"]) as replica:
                primary.ask("DEBUG", "POPULATE", 10_000, "k", 4000)
                before = peak_bytes(replica)
                for attempt in range(3):
                    replica.follow_over_tls(primary)
                    is_up(checks, f"attempt {attempt}", replica)
                    same_data(checks, f"attempt {attempt}", primary, replica)
                    if attempt == 0 and not SANITIZED:
                        checks.true("one data set in memory", peak_bytes(replica) - before < 1.4 * peak_bytes(primary),
                                    (before, peak_bytes(replica), peak_bytes(primary)))
                    replica.ask("REPLICAOF", "NO", "ONE")
                    replica.ask("SET", "another", "history")


def replication_that_fails(checks):
    """A client certificate of its own; a refused one, a plain primary and a wrong authority keep the link down."""
    with Files() as files, TlsHost(files) as primary:
        good = ["--tls-replication", "yes"]
        own = [*good, "--tls-client-cert-file", files.path("client.crt"), "--tls-client-key-file",
               files.path("client.key")]
        bad = [*good, "--tls-client-cert-file", files.path("stranger.crt"), "--tls-client-key-file",
               files.path("stranger.key")]
        with TlsHost(files, options=own) as replica:
            replica.follow_over_tls(primary)
            is_up(checks, "its own certificate", replica)
        with TlsHost(files, options=bad) as replica:
            replica.follow_over_tls(primary)
            told = wait_until(lambda: "Error accepting a client connection: error:" in primary.log_text())
            checks.true("a stranger: the primary tells", told, primary.log_text()[-1000:])
            told = wait_until(lambda: "alert unknown ca" in replica.log_text())
            checks.true("a stranger: the replica tells", told, replica.log_text()[-1000:])
            checks.true("a stranger is not linked", not linked(replica))
            checks.equal("with a good one", replica.set("tls-client-cert-file", files.path("client.crt"),
                                                        "tls-client-key-file", files.path("client.key")), b"OK")
            is_up(checks, "then", replica)
        with TlsHost(files, options=good) as replica:
            replica.follow(primary)
            # A plain port says nothing to a handshake.
            told = wait_until(lambda: "Unable to connect to MASTER: no answer" in replica.log_text())
            checks.true("a plain port: the replica tells", told, replica.log_text()[-1000:])
            replica.set("tls-ca-cert-file", files.path("other.crt"))
            replica.follow_over_tls(primary)
            told = wait_until(lambda: "certificate verify failed" in replica.log_text())
            checks.true("another authority: the replica tells", told, replica.log_text()[-1000:])
            checks.true("it answers its clients", replica.alive())


def stock_clients(checks):
    with Files() as files, TlsHost(files) as host:
        command = [stock_client(), "-p", str(host.tls_port), "--tls", "--cacert", files.path("ca.crt")]
        shown = ["--cert", files.path("client.crt"), "--key", files.path("client.key")]

        def cli(*words, certificate=True):
            done = subprocess.run([*command, *(shown if certificate else []), *words], stdin=subprocess.DEVNULL,
                                  capture_output=True, timeout=60, check=False)
            return done.stdout.decode().strip(), done.returncode

        checks.equal("redis-cli", cli("SET", "key", "value"), ("OK", 0))
        checks.true("redis-cli without a certificate", cli("GET", "key", certificate=False)[0] != "value")
        host.set("tls-auth-clients", "no")
        checks.equal("redis-cli without one, when none is wanted", cli("GET", "key", certificate=False), ("value", 0))
        host.set("tls-auth-clients", "yes")
        try:
            import redis
        except ImportError:
            raise Skipped("python3-redis is not there") from None
        client = redis.Redis(port=host.tls_port, ssl=True, ssl_ca_certs=files.path("ca.crt"), ssl_check_hostname=False,
                             ssl_certfile=files.path("client.crt"), ssl_keyfile=files.path("client.key"))
        checks.equal("python3-redis", client.get("key"), b"value")
        with client.pipeline() as pipe:
            for index in range(1000):
                pipe.set(f"key:{index}", "x" * index)
            checks.equal("its pipeline", pipe.execute(), [True] * 1000)
        client.close()


# ---- refusals and hostility -----------------------------------------------------------------------------------------


def refusals(checks):
    with Files() as files:
        for make in (OURS, THEIRS):
            with checks.part(make), TlsHost(files, make) as host, host.client(unix=True) as control:
                control.call("CONFIG", "SET", "maxclients", 1)
                checks.true("no room: no handshake", not served(host, files.context()))
                control.call("CONFIG", "SET", "maxclients", 100)
                checks.true("room again", served(host, files.context()))
        address = own_address()
        if address is None:
            raise Skipped("this machine has no address but the loopback's")
        with TlsHost(files, options=["--bind", f"{HOST} {address}"]) as host:
            with TlsClient((address, host.tls_port), files.context()) as stranger:
                checks.contains("protected mode", stranger.read_until_closed(), b"-DENIED The server is running in")
            checks.true("who is local is served", served(host, files.context()))
            host.set("protected-mode", "no")
            checks.true("without it", over_address(files, address, host.tls_port))


def over_address(files, address, port):
    with TlsClient((address, port), files.context()) as client:
        return client.call("PING") == b"PONG"


def cut_anywhere(checks):
    """Records that come in pieces of a few bytes, in both versions; and what the log says of those that lie."""
    chance = random.Random(SEED)
    with Files() as files, TlsHost(files) as host:
        for version in (V12, V13):
            context = files.context(version=version)
            for piece_max in (1, 7, 300):
                seed = chance.randrange(1 << 32)
                with SlowlyCutClient(host.tls_address, context, seed, piece_max) as client:
                    value = chance.randbytes(3000)
                    reply = client.exchange(encode(("SET", "cut", value)) + encode(("GET", "cut")), 5 + 7 + 3000 + 2)
                    checks.equal(f"{version.name}, {piece_max}, seed {seed}", reply, b"+OK\r\n$3000\r\n%b\r\n" % value)
        with socket.create_connection(host.tls_address, 30) as plain:
            plain.sendall(b"PING\r\n")
            answer = plain.recv(1000)
            checks.true("plain text is not answered", b"PONG" not in answer, answer)
        wanted = "Error accepting a client connection: error:0A00010B:SSL routines::wrong version number (addr="
        checks.true("the log", wait_until(lambda: wanted in host.log_text()), host.log_text()[-1000:])


def first_message(files):
    """What a client sends at first."""
    outgoing = ssl.MemoryBIO()
    tls = files.context().wrap_bio(ssl.MemoryBIO(), outgoing)
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


def connected(control):
    return control.call("CLIENT", "LIST").count(b"\n")


def crowd(checks):
    """1,000 connections that stop in the handshake, send garbage or plain text: others are served as ever, and nothing
    of them is left."""
    chance = random.Random(SEED)
    with Files() as files, TlsHost(files, threads=2) as host, host.tls() as client, host.client(unix=True) as control:
        hello = first_message(files)
        kinds = [lambda: hello[:len(hello) // 2], lambda: chance.randbytes(chance.randint(1, 2000)),
                 lambda: b"*1\r\n$4\r\nPING\r\n", lambda: b"", lambda: hello, lambda: hello + chance.randbytes(100)]
        before = connected(control)
        waiting = []
        for index in range(HOSTILE):
            one = socket.create_connection(host.tls_address, 30)
            waiting.append(one)
            with contextlib.suppress(OSError):
                one.sendall(kinds[index % len(kinds)]())
            client.call("PING")
        checks.true("a new client is served", served(host, files.context()))
        for one in waiting:
            one.close()
        checks.true("they are gone", wait_until(lambda: connected(control) == before), connected(control))
        checks.equal("the first client", client.call("PING"), b"PONG")


def names_and_renegotiation(checks):
    with Files() as files, TlsHost(files) as host:
        files.issue("long", subject="/O=Test" + "".join(f"/OU={index:060d}" for index in range(200)))
        checks.true("a certificate with a long name", served(host, files.context("long")))
        host.set("tls-protocols", "TLSv1.2")
        with subprocess.Popen(["openssl", "s_client", "-connect", f"{HOST}:{host.tls_port}", "-tls1_2", "-cert",
                               files.path("client.crt"), "-key", files.path("client.key"), "-quiet", "-no_ign_eof"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as asker:
            asker.stdin.write(b"PING\n")
            asker.stdin.flush()
            seen = b""
            while b"PONG" not in seen and (piece := asker.stdout.read1(1000)):
                seen += piece
            checks.contains("it is served before", seen, b"PONG")
            asker.stdin.write(b"R\n")
            asker.stdin.flush()
            asker.stdin.close()
            rest = asker.stdout.read()
            checks.contains("it is refused", rest, b"no renegotiation")
        checks.true("the server lives on", host.alive())


def handshakes_at_once(checks):
    """Hundreds that connect at once all get their turn, and who is connected already does not wait for them."""
    with Files() as files, TlsHost(files, threads=2) as host, host.tls() as client:
        context = files.context()
        opened = [socket.create_connection(host.tls_address, 60) for _ in range(300)]
        both = []
        for one in opened:
            tls = context.wrap_socket(one, do_handshake_on_connect=False)
            tls.setblocking(False)
            both.append(tls)
        left = list(both)
        limit = time.monotonic() + 60
        while left and time.monotonic() < limit:
            for one in list(left):
                with contextlib.suppress(ssl.SSLWantReadError):
                    one.do_handshake()
                    left.remove(one)
            client.call("PING")
        checks.equal("all handshakes are done", len(left), 0)
        for one in both:
            one.setblocking(True)
            one.sendall(b"PING\r\n")
        checks.equal("all are served", {one.recv(100) for one in both}, {b"+PONG\r\n"})
        for one in both:
            one.close()


if __name__ == "__main__":
    print(f"SEED={SEED}, {program()}", flush=True)
    if not shutil.which("openssl"):
        sys.exit("the program openssl is missing")
    sys.exit(run_parts([settings_that_cannot_be, start_with_what_cannot_be, client_certificates, protocols_and_ciphers,
                        reloads, ports, exchanged_ports, sessions, large_and_small, replication, loaded_while_it_comes,
                        replication_that_fails, stock_clients, refusals, cut_anywhere, crowd, names_and_renegotiation,
                        handshakes_at_once]))
