"""redis-benchmark in its usual forms. Speed is not looked at; that every request is answered is."""

import csv
import io
import re

from harness import run

BENCHMARK = "/usr/bin/redis-benchmark"


def benchmark_session(checks, server, locked):
    base = [BENCHMARK, "-p", str(server.port)]
    tests = "set,get,incr,mset,ping_inline,ping_mbulk"
    forms = [
        ("plain", ["-n", "2000", "-c", "20"]), ("pipeline", ["-n", "20000", "-c", "20", "-P", "16"]),
        ("random keys", ["-n", "20000", "-c", "50", "-P", "16", "-r", "10000", "-d", "64"]),
        ("two threads", ["-n", "20000", "-c", "20", "-P", "8", "--threads", "2"]),
        ("RESP3", ["-n", "5000", "-c", "10", "-P", "4", "-3"]), ("no keepalive", ["-n", "500", "-c", "5", "-k", "0"]),
        ("large values", ["-n", "2000", "-c", "10", "-d", "20000"]), ("database 3", ["-n", "2000", "--dbnum", "3"]),
    ]
    for name, options in forms:
        with checks.part(f"redis-benchmark {name}"):
            status, out, errors = run([*base, "-q", "-t", tests, *options])
            finished = re.findall(r"^(.+): [\d.]+ requests per second", out.replace("\r", "\n"), re.M)
            checks.equal("exit status", status, 0)
            checks.equal("every test finished", len(set(finished)), 6)
            # A server without CONFIG would only be warned about; an error reply ends a run.
            checks.true("no error reply", "rror" not in out + errors, (out + errors)[-300:])
    _collections(checks, base)
    with checks.part("redis-benchmark --csv"):
        status, out, _ = run([*base, "--csv", "-n", "2000", "-t", tests])
        rows = list(csv.reader(io.StringIO(out)))
        checks.equal("heading", rows[0][:2], ["test", "rps"])
        checks.equal("rows", len(rows), 7)
    with checks.part("redis-benchmark others"):
        out = run([BENCHMARK, "-s", server.socket, "-q", "-n", "2000", "-t", "set,get"])[1]
        checks.contains("over the socket", out, "GET: ")
        out = run([BENCHMARK, "-p", str(locked.port), "-a", locked.password, "-q", "-n", "2000", "-t", "set"])[1]
        checks.contains("with a password", out, "SET: ")
        out = run([*base, "-q", "-n", "2000", "-r", "100", "set", "my:__rand_int__", "value"])[1]
        checks.contains("own command", out, "requests per second")
        checks.equal("server alive", run(["/usr/bin/redis-cli", "-p", str(server.port), "ping"])[1], "PONG\n")


def _collections(checks, base):
    """LRANGE fills a list before; SPOP and ZPOPMIN run into empty keys."""
    tests = "lpush,rpush,lpop,rpop,sadd,hset,spop,zadd,zpopmin,lrange_100,lrange_300,lrange_500,lrange_600"
    forms = [
        ("plain", ["-n", "1000", "-c", "20"]), ("pipeline", ["-n", "8000", "-c", "20", "-P", "16"]),
        ("random keys", ["-n", "8000", "-c", "50", "-P", "16", "-r", "1000"]), ("RESP3", ["-n", "2000", "-c", "10", "-P", "4", "-3"]),
        ("large values", ["-n", "500", "-c", "10", "-d", "4000"]),
    ]
    for name, options in forms:
        with checks.part(f"redis-benchmark collections {name}"):
            run(["/usr/bin/redis-cli", *base[1:], "flushall"])
            status, out, errors = run([*base, "-q", "-t", tests, *options])
            finished = re.findall(r"^(.+): [\d.]+ requests per second", out.replace("\r", "\n"), re.M)
            checks.equal("exit status", status, 0)
            checks.equal("every test finished", sorted({name.split()[0] for name in finished}), sorted(tests.upper().split(",")))
            checks.true("no error reply", "rror" not in out + errors, (out + errors)[-300:])
    with checks.part("redis-benchmark with the default tests"):
        status, out, errors = run([*base, "-q", "-n", "500", "-c", "10"])
        checks.equal("exit status", status, 0)
        checks.true("no error reply", "rror" not in out + errors, (out + errors)[-300:])
        checks.contains("to the last of its list", out, "MSET (10 keys): ")
