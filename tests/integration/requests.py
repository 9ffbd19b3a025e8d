#!/usr/bin/python3
"""Large requests: they are read in large steps, on every connection, and who is idle gives the room back."""

import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from checks import run_parts  # noqa: E402
from resp_client import encode  # noqa: E402
from server_process import Server, wait_until  # noqa: E402


def section(client, name):
    return dict(line.split(":", 1) for line in client.call("INFO", name).decode().splitlines() if ":" in line)


def reads(client):
    return int(section(client, "stats")["total_reads_processed"])


def facts(client, name):
    for line in client.call("CLIENT", "LIST").decode().splitlines():
        fact = dict(word.split("=", 1) for word in line.split(" "))
        if fact["name"] == name:
            return fact
    return {}


def room(client, name):
    fact = facts(client, name)
    return int(fact["qbuf"]) + int(fact["qbuf-free"])


def few_reads(checks):
    """However many arguments a request has, what the socket holds is taken at once. The bounds leave a read for every 4 kB,
    where the client's bytes arrive slowly; a read for each argument would be ten times as many."""
    large = {
        "SADD of 50,000 members": ["SADD", "set", *[f"member:{i}" for i in range(50_000)]],
        "MSET of 61 kB": ["MSET", *[word for i in range(1000) for word in (f"key:{i:06d}", b"v" * 20)]],
        "SET of 8 MB": ["SET", "large", b"v" * (8 << 20)],
        "MSET of 100 values of 40 kB": ["MSET", *[word for i in range(100) for word in (f"k{i}", b"v" * 40_000)]],
    }
    with Server() as server, server.client() as control:
        for name, words in large.items():
            request = encode(words)
            with server.client() as client:
                for state in ("fresh", "warm", "idle"):
                    if state == "idle":
                        client.call("CLIENT", "SETNAME", "idle")
                        gone = wait_until(lambda: room(control, "idle") <= 16 * 1024, 20)
                        checks.true(f"{name}: a small request leaves no room behind", gone, f"{facts(control, 'idle')}")
                    before = reads(control)
                    client.send_raw(request)
                    client.read()
                    took = reads(control) - before
                    checks.true(f"{name}, {state} connection", took <= 4 + len(request) // 4096,
                                f"{took} reads for {len(request)} bytes")


def pipelines_are_not_gathered(checks):
    """A client that sends without end is read as fast as its requests are executed."""
    with Server() as server, server.client() as control, server.client() as client:
        client.call("CLIENT", "SETNAME", "pipeline")
        client.send_raw(encode(["SET", "k", b"v" * 4_000_000]))  # leaves a large buffer behind
        client.read()
        most = 0
        for _ in range(20):
            client.send_raw(encode(["PING"]) * 20_000)
            most = max(most, room(control, "pipeline"))
            for _ in range(20_000):
                client.read()
        checks.true("the query buffer stays as it was", most <= 12_000_000, f"{most} bytes")


def large_values_keep_their_bytes(checks):
    """A large value stays where the network has put it, together with what else was sent: whatever follows it in the same
    pipeline or changes it later, it is what was set, also after a reload and a replay."""
    for threads in (1, 4):
        with Server(["--appendonly", "yes", "--save", ""], threads=threads) as server, server.client() as client:
            for size in (130_000, 1_000_003, 5_000_000):
                value, other = bytes(range(250)) * (size // 250 + 1), b"other" * (size // 5)
                value = value[:size]
                pipeline = [["SET", "k", value], ["STRLEN", "k"], ["COPY", "k", "copy", "REPLACE"], ["APPEND", "k", "end"],
                            ["SET", "twin", value], ["SET", "twin", "small"], ["SETRANGE", "copy", "0", "X"],
                            ["SETEX", "timed", "1000", other], ["SET", "got", other], ["SET", "got", value, "GET"],
                            ["MULTI"], ["SET", "queued", value], ["EXEC"], ["GETRANGE", "k", str(size - 3), "-1"]]
                client.send_raw(b"".join(encode(words) for words in pipeline))
                replies = [client.read() for _ in pipeline]
                checks.equal(f"threads {threads}, {size} bytes: STRLEN", replies[1], size)
                checks.equal("APPEND", replies[3], size + 3)
                checks.equal("SET GET", replies[9], other)
                checks.equal("GETRANGE", replies[13], value[-3:] + b"end")
                expected = {"k": value + b"end", "copy": b"X" + value[1:], "twin": b"small", "timed": other, "got": value,
                            "queued": value}
                for when in ("at once", "after a reload", "after a replay"):
                    if when == "after a reload":
                        client.call("DEBUG", "RELOAD")
                    if when == "after a replay":
                        client.call("DEBUG", "LOADAOF")
                    for key, wanted in expected.items():
                        checks.true(f"{key} {when}", client.call("GET", key) == wanted, "other bytes")


def idle_in_the_middle(checks):
    """Two seconds later the room that a request was promised is given back, and the rest of it is taken all the same."""
    with Server() as server, server.client() as control, server.client() as client:
        client.call("CLIENT", "SETNAME", "slow")
        value = b"v" * 3_000_000
        request = encode(["SET", "k", value])
        client.send_raw(request[:1000])
        checks.true("room for all of it", wait_until(lambda: room(control, "slow") >= 3_000_000, 20), f"{facts(control, 'slow')}")
        checks.true("less room", wait_until(lambda: room(control, "slow") < 10_000, 20), f"{facts(control, 'slow')}")
        checks.true("not at once", int(facts(control, "slow")["idle"]) >= 2, f"{facts(control, 'slow')}")
        client.send_raw(request[1000:])
        checks.equal("it is executed", client.read(), b"OK")
        checks.true("and whole", client.call("GET", "k") == value, "it is not")


if __name__ == "__main__":
    sys.exit(run_parts([few_reads, large_values_keep_their_bytes, pipelines_are_not_gathered, idle_in_the_middle]))
