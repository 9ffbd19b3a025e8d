#!/usr/bin/python3
"""Bad input: the exact Redis error or a clear message, and the server alive or a clean exit 1 at start-up."""

import os
import pathlib
import random
import socket
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from checks import run_parts  # noqa: E402
from resp_client import Disconnected, encode  # noqa: E402
from server_process import HOST, Server, run_to_exit, wait_until  # noqa: E402


def malformed_requests(checks):
    """Each ends the connection after one error."""
    cases = {
        b"*3000000000\r\n": b"invalid multibulk length",
        b"*blub\r\n": b"invalid multibulk length",
        b"*3\r\n$3\r\nSET\r\n$1\r\nx\r\nfooz\r\n": b"expected '$', got 'f'",
        b"*1\r\n:5\r\n": b"expected '$', got ':'",
        b"*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$2000000000\r\n": b"invalid bulk length",
        b"*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$blabla\r\n": b"invalid bulk length",
        b"*1\r\n$-5\r\n": b"invalid bulk length",
        b"*" + b"1" * 70000: b"too big mbulk count string",
        b"*1\r\n$" + b"1" * 70000: b"too big bulk count string",
        b"x" * 70000: b"too big inline request",
        b"SET k \"half\r\n": b"unbalanced quotes in request",
        b"SET k 'a'b\r\n": b"unbalanced quotes in request",
    }
    with Server(threads=2) as server:
        for request, text in cases.items():
            with server.client() as client:
                client.send_raw(request)
                checks.equal(f"{request[:40]!r}", client.read_until_closed(), b"-ERR Protocol error: " + text + b"\r\n")
        with server.client() as client:
            client.send_raw(encode(["SET", "k", "v"]) + encode(["PING"]) + b"*x\r\n" + encode(["SET", "k", "w"]))
            checks.equal("requests before the bad one are answered, those behind it are not", client.read_until_closed(),
                         b"+OK\r\n+PONG\r\n-ERR Protocol error: invalid multibulk length\r\n")
        with server.client() as client:
            checks.equal("and not executed", client.call("GET", "k"), b"v")
        checks.true("alive", server.alive())


def requests_cut_off(checks):
    """Clients that go away in the middle, or promise much and send nothing."""
    with Server(threads=2) as server:
        for request in (b"*2147483647\r\n", b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\nabc", b"*1\r\n$4\r\nPI", b"PIN"):
            with server.client() as client:
                client.send_raw(request)
        with server.client() as client:
            client.send_raw(encode(["PING"]))
            client.socket.shutdown(socket.SHUT_WR)
            checks.equal("a request is answered although the client has closed its side", client.read_until_closed(),
                         b"+PONG\r\n")
        checks.true("alive", server.alive())


def empty_lines(checks):
    """Between requests they are nothing, wherever what the network delivers ends."""
    before, behind = encode(["SET", "k", "v"]) + b"\r\n", b"\r\n" + encode(["ECHO", "twenty random letters"])
    with Server(threads=1) as server, server.client() as client:
        for cut in range(len(behind) + 1):
            client.send_raw(before + behind[:cut])
            # So far it is read at once: the answer says that the server has seen where it ends.
            checks.equal(f"before the cut at {cut}", client.read(), b"OK")
            client.send_raw(behind[cut:] + b"\r\n\r\n" + encode(["PING"]))
            checks.equal(f"the request behind {cut} bytes of it", client.read(), b"twenty random letters")
            checks.equal(f"and the next, cut at {cut}", client.read(), b"PONG")


def cut_anywhere(checks):
    """Requests of all kinds and sizes in one stream, with empty lines between them: wherever it is cut, each is answered as
    soon as it is whole."""
    seed = int(os.environ.get("CINNABAR_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"    repeat with CINNABAR_SEED={seed}", flush=True)
    choose = random.Random(seed)
    for threads in (1, 4):
        with Server(threads=threads) as server:
            for number in range(60):
                stream, ends, answers = b"", [], []
                for i in range(choose.randint(1, 40)):
                    stream += b"\r\n" * choose.choice((0, 0, 1, 2))
                    inline = choose.random() < 0.3
                    size = choose.randint(1, 60) if inline else choose.choice((0, 5, 300, 20_000, 40_000, 200_000))
                    word = f"{i}:".encode() + b"x" * size
                    stream += b"ECHO " + word + b"\r\n" if inline else encode(["ECHO", word])
                    ends.append(len(stream))
                    answers.append(word)
                cuts = sorted({choose.choice((choose.randint(0, len(stream)), max(0, choose.choice(ends) + choose.randint(-8, 8))))
                               for _ in range(20)} | {len(stream)})
                with server.client() as client:
                    sent, got = 0, []
                    for cut in cuts:
                        client.send_raw(stream[sent:cut])
                        sent = cut
                        while len(got) < len(ends) and ends[len(got)] <= sent:
                            got.append(client.read())
                    checks.true(f"threads {threads}, stream {number}", got == answers, f"seed {seed}: other replies than asked for")


def random_bytes(checks):
    seed = int(os.environ.get("CINNABAR_SEED", random.SystemRandom().randrange(1 << 32)))
    source = random.Random(seed)
    parts = [b"*", b"$", b"\r\n", b"3", b"-1", b"GET", b"SET", b" ", b"\"", b"'", b"\0", b"99999999999", b"\n", b"PING"]
    with Server(threads=2) as server:
        for _ in range(200):
            data = b"".join(source.choice(parts) for _ in range(source.randrange(1, 30)))
            with server.client() as client:
                client.send_raw(data)
        checks.true("alive", server.alive(), f"repeat with CINNABAR_SEED={seed}")


def wrong_commands(checks):
    with Server() as server, server.client() as client:
        def error(*words):
            return client.call(*words).decode()
        checks.equal("unknown", error("nosuch", "a b", "c"),
                     "ERR unknown command 'nosuch', with args beginning with: 'a b' 'c' ")
        checks.equal("unknown, long", error("N" * 200, "a" * 200, "b"),
                     f"ERR unknown command '{'N' * 128}', with args beginning with: '{'a' * 128}' ")
        checks.equal("line breaks in the name", error("a\r\nb"),
                     "ERR unknown command 'a  b', with args beginning with: ")
        checks.equal("too few", error("GET"), "ERR wrong number of arguments for 'get' command")
        checks.equal("too many", error("get", "a", "b"), "ERR wrong number of arguments for 'get' command")
        checks.equal("container alone", error("CONFIG"), "ERR wrong number of arguments for 'config' command")
        checks.equal("subcommand, few", error("CONFIG", "GET"), "ERR wrong number of arguments for 'config|get' command")
        checks.equal("subcommand", error("CONFIG", "NOSUCH", "x"), "ERR unknown subcommand 'NOSUCH'. Try CONFIG HELP.")
        checks.equal("syntax", error("SET", "k", "v", "NOSUCH"), "ERR syntax error")
        checks.equal("empty name", error(""), "ERR unknown command '', with args beginning with: ")
        checks.equal("still served", client.call("PING"), b"PONG")


def other_protocols(checks):
    """A web page that makes a browser speak to the server changes nothing, and TLS on the plain port gets no reply."""
    with Server(threads=2) as server, server.client() as control:
        write = encode(["SET", "k", "v"])
        requests = {
            "a POST": b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\nSET k v\r\n",
            "a GET with its Host header": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\nSET k v\r\n",
            "as an array": encode(["pOsT"]) + write,
            "behind what is good": encode(["PING"]) + encode(["hOST:", "x"]) + write,
            "in a transaction": encode(["MULTI"]) + encode(["POST"]) + write + encode(["EXEC"]),
            "of a client without replies": encode(["CLIENT", "REPLY", "OFF"]) + encode(["POST"]) + write,
            "of a client that listens": encode(["SUBSCRIBE", "x"]) + encode(["POST"]) + write,
        }
        for name, request in requests.items():
            with server.client() as client:
                client.send_raw(request)
                try:
                    got = client.read_until_closed()
                except ConnectionError:  # what was not read ends the connection the hard way
                    got = b""
                checks.equal(f"{name}: closed without a word", got, b"")
            checks.equal(f"{name}: nothing behind it runs", control.call("EXISTS", "k"), 0)
        log = server.log_text()
        # Each of the two cores says it once, however often it happens.
        checks.true("log", 1 <= log.count("Possible SECURITY ATTACK") <= 2, log)
        checks.equal("other names are other commands", control.call("POSTS"),
                     b"ERR unknown command 'POSTS', with args beginning with: ")
        with server.client() as client:
            client.send_raw(encode(["PING"]) + b"\x16\x03\x01\0\xee\x01\0\0\xea\x03\x03\r\n\r\nPING\r\n" + b"x\n" * 100)
            client.socket.shutdown(socket.SHUT_WR)
            checks.equal("TLS behind a request", client.read_until_closed(), b"+PONG\r\n")
    with Server(["--requirepass", "secret"]) as server, server.client() as client:
        client.send_raw(encode(["POST"]))
        checks.equal("a stranger", client.read_until_closed(), b"")


def strangers(checks):
    """Before AUTH, little is accepted."""
    with Server(["--requirepass", "secret"]) as server:
        with server.client() as client:
            checks.equal("no command", client.call("GET", "k"), b"NOAUTH Authentication required.")
            client.send_raw(b"*11\r\n")
            checks.equal("arguments", client.read_until_closed(),
                         b"-ERR Protocol error: unauthenticated multibulk length\r\n")
        with server.client() as client:
            client.send_raw(b"*1\r\n$16385\r\n")
            checks.equal("length", client.read_until_closed(), b"-ERR Protocol error: unauthenticated bulk length\r\n")


def too_many_clients(checks):
    with Server(["--maxclients", "4"], threads=2) as server:
        clients = [server.client() for _ in range(4)]
        for client in clients:
            checks.equal("in", client.call("PING"), b"PONG")
        with server.client() as extra:
            checks.equal("out", extra.read_until_closed(), b"-ERR max number of clients reached\r\n")
        clients.pop().close()

        def room():
            with server.client() as client:
                try:
                    return client.call("PING") == b"PONG"
                except (Disconnected, OSError):
                    return False
        # The server hears of the close at its own time: whoever comes too early is turned away.
        checks.true("room again", any(room() for _ in range(1000)))
        for client in clients:
            client.close()


def query_buffer_limit(checks):
    with Server(["--client-query-buffer-limit", "1mb"]) as server:
        with server.client() as client:
            try:
                client.send_raw(b"*2\r\n$4\r\nPING\r\n$3000000\r\n" + b"x" * 3000000)
                got = client.read_until_closed()
            except OSError:
                got = b""
            checks.equal("closed without a word", got, b"")
        checks.true("alive", server.alive())
        complaint = "Closing client that reached max query buffer length"
        checks.true("log", wait_until(lambda: complaint in server.log_text()), server.log_text())


def bulk_limit(checks):
    with Server(["--proto-max-bulk-len", "1mb"]) as server:
        with server.client() as client:
            client.send_raw(b"*2\r\n$4\r\nPING\r\n$1048577\r\n")
            checks.equal("one byte more", client.read_until_closed(), b"-ERR Protocol error: invalid bulk length\r\n")
        with server.client() as client:
            checks.equal("exactly", client.call("PING", b"x" * 1048576), b"x" * 1048576)


def bad_configuration(checks):
    with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder:
        path = os.path.join(folder, "bad.conf")
        cases = {
            "port 0\nnosuch thing\n": ("at line 2", ">>> 'nosuch thing'", "Bad directive or wrong number of arguments"),
            "maxclients none\n": ("at line 1", ">>> 'maxclients none'", "argument couldn't be parsed into an integer"),
            "port 70000\n": ("at line 1", "argument must be between 0 and 65535 inclusive"),
            "appendonly maybe\n": ("at line 1", "argument must be 'yes' or 'no'"),
            "requirepass \"half\n": ("at line 1", "Unbalanced quotes in configuration line"),
        }
        for text, parts in cases.items():
            pathlib.Path(path).write_text(text)
            code, output = run_to_exit([path], cwd=folder)
            checks.equal(f"exit code of {text!r}", code, 1)
            for part in ("*** FATAL CONFIG FILE ERROR", "Reading the configuration file, ", *parts):
                checks.contains(text, output, part)
        code, output = run_to_exit(["--nosuch", "x"], cwd=folder)
        checks.equal("exit code of a bad option", code, 1)
        checks.contains("a bad option", output, "Bad directive or wrong number of arguments")
        for bad in (os.path.join(folder, "none.conf"), folder):
            code, output = run_to_exit([bad], cwd=folder)
            checks.equal(f"exit code of {bad}", code, 1)
            checks.contains(bad, output, "Fatal error, can't open config file")


def occupied_addresses(checks):
    with socket.socket() as taken, tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, output = run_to_exit(["--port", str(port), "--bind", HOST, "--dir", folder], cwd=folder)
        checks.equal("port in use: exit code", code, 1)
        checks.contains("port in use", output, f"Could not create server TCP listening socket {HOST}:{port}: ")
        checks.contains("port in use", output, "Address already in use")
        checks.contains("port in use", output.lower(), f"failed listening on port {port} (tcp), aborting.")

        long_path = os.path.join(folder, "x" * 200)
        code, output = run_to_exit(["--port", "0", "--unixsocket", long_path, "--dir", folder], cwd=folder)
        checks.equal("long socket path: exit code", code, 1)
        checks.contains("long socket path", output, "ailed opening Unix socket: ")
        code, output = run_to_exit(["--port", "0", "--dir", folder], cwd=folder)
        checks.equal("nothing to listen on: exit code", code, 1)
        checks.contains("nothing to listen on", output, "Configured to not listen anywhere, exiting.")
        code, output = run_to_exit(["--port", "0", "--dir", os.path.join(folder, "none")], cwd=folder)
        checks.equal("no such folder: exit code", code, 1)
        checks.contains("no such folder", output, "No such file or directory")


if __name__ == "__main__":
    sys.exit(run_parts([malformed_requests, requests_cut_off, empty_lines, cut_anywhere, random_bytes, wrong_commands, other_protocols, strangers,
                        too_many_clients, query_buffer_limit, bulk_limit, bad_configuration, occupied_addresses]))
