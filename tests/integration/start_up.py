#!/usr/bin/python3
"""What a start finds and decides: leftovers of killed servers, CPU lists, files of later versions, empty keys."""

import fcntl
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from checks import run_parts  # noqa: E402
from rdb_payloads import length, string  # noqa: E402
from server_process import Server, run_to_exit, wait_until  # noqa: E402

OLD = time.time() - 3600


def ended_process():
    """The number of a process that is no more."""
    with subprocess.Popen(["true"]) as process:
        return process.pid


def leftovers(checks):
    """Only what nobody will finish goes."""
    with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder:
        gone, alive = ended_process(), os.getpid()
        removed = [f"temp-{gone}.rdb", f"temp-rewriteaof-{gone}.aof", f"temp-rewriteaof-bg-{gone}.aof",
                   f"temp-rewriteaof-bg-{gone}.aof.part"]
        kept = [f"temp-{alive}.rdb", f"temp-rewriteaof-bg-{alive}.aof", "temp-.rdb", "temp-x.rdb", "temp-0.rdb",
                f"temp-{gone}.rdb.gz", "dump.rdb.bak", f"temp-{gone + 0}.txt"]
        for name in removed + kept:
            pathlib.Path(folder, name).write_bytes(b"half a snapshot")
            os.utime(pathlib.Path(folder, name), (OLD, OLD))
        young, locked = ended_process(), ended_process()
        pathlib.Path(folder, f"temp-{young}.rdb").write_bytes(b"somebody else's")
        pathlib.Path(folder, f"temp-{locked}.rdb").write_bytes(b"being written in another container")
        os.utime(pathlib.Path(folder, f"temp-{locked}.rdb"), (OLD, OLD))
        with open(pathlib.Path(folder, f"temp-{locked}.rdb"), "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            with Server(["--save", ""], folder=folder) as server:
                left = {path.name for path in pathlib.Path(folder).iterdir()}
                for name in removed:
                    checks.true(f"{name} goes", name not in left)
                    checks.contains("and the log says so", server.log_text(), f"Removing {name}, which process {gone}")
                for name in [*kept, f"temp-{young}.rdb", f"temp-{locked}.rdb"]:
                    checks.true(f"{name} stays", name in left)


def cpus_of(pid, task=None):
    where = f"/proc/{pid}/task/{task}" if task else f"/proc/{pid}"
    text = pathlib.Path(where, "status").read_text()
    return next(line.split()[1] for line in text.splitlines() if line.startswith("Cpus_allowed_list"))


def cpu_lists(checks):
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        print("    (one CPU: left out)")
        return
    first, last = str(cpus[0]), str(cpus[-1])
    options = ["--server-cpulist", first, "--bio-cpulist", last, "--bgsave-cpulist", last, "--aof_rewrite_cpulist", last,
               "--appendonly", "yes", "--save", ""]
    with Server(options, threads=2) as server, server.client() as client:
        pid = server.process.pid

        def places():
            """How many threads are bound to the first CPU, and to the last. Those of the allocator are to neither."""
            where = [cpus_of(pid, task) for task in os.listdir(f"/proc/{pid}/task")]
            return where.count(first), where.count(last)

        # Each thread binds itself, when it starts. Two cores; the worker and the two of the append log.
        wait_until(lambda: places() == (2, 3))
        checks.equal("threads", places(), (2, 3))
        checks.equal("the main thread is a core", cpus_of(pid, pid), first)
        client.call("MSET", *(word for i in range(200) for word in (f"k{i}", "v")))
        client.call("CONFIG", "SET", "rdb-key-save-delay", "10000")
        for command, title in (("BGSAVE", "redis-rdb-bgsave"), ("BGREWRITEAOF", "redis-aof-rewrite")):
            client.call(command)
            children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            checks.equal(f"{title}: one child", len(children), 1)
            checks.true(f"{title}: its CPUs", wait_until(lambda: cpus_of(children[0]) == last), cpus_of(children[0]))  # noqa: B023
            os.kill(int(children[0]), 9)
            wait_until(lambda: b"in_progress:1" not in client.call("INFO", "persistence").replace(b"async_loading:", b""))
    with Server(["--server-cpulist", "7-3", "--save", ""]) as server:
        complaint = "server-cpulist '7-3'"
        checks.true("a list that is none", wait_until(lambda: complaint in server.log_text()), server.log_text())


def refused(checks, folder, *options):
    """What a server prints that does not want to start."""
    code, output = run_to_exit(["--dir", folder, "--port", "0", "--unixsocket", f"{folder}/socket", *options], cwd=folder)
    checks.equal(f"refused {' '.join(options)}", code, 1)
    return output


def snapshot(version, *entries):
    return b"REDIS%04d" % version + b"".join(entries) + b"\xff" + bytes(8)


def later_versions(checks):
    with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder:
        path = pathlib.Path(folder, "dump.rdb")
        path.write_bytes(snapshot(99, b"\x00" + string(b"key") + string(b"value")))
        checks.contains("strict: why", refused(checks, folder), "Can't handle RDB format version")
        with Server(["--rdb-version-check", "relaxed", "--save", ""], folder=folder) as server, server.client() as client:
            checks.equal("relaxed: what is known is loaded", client.call("GET", "key"), b"value")
        path.write_bytes(snapshot(99, b"\xc7" + string(b"key") + string(b"value")))
        output = refused(checks, folder, "--rdb-version-check", "relaxed")
        checks.contains("relaxed: what is not known", output, "Invalid object type")


def empty_keys(checks):
    with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder:
        nothing = [bytes([kind]) + string(b"empty:%d" % kind) + length(0) for kind in (1, 2, 3, 4, 5)]
        path = pathlib.Path(folder, "dump.rdb")
        path.write_bytes(snapshot(10, b"\x00" + string(b"a") + string(b"1"), *nothing, b"\x00" + string(b"b") + string(b"2")))
        with Server(["--save", ""], folder=folder) as server, server.client() as client:
            checks.equal("the others are there", sorted(client.call("KEYS", "*")), [b"a", b"b"])
            checks.contains("the log", server.log_text(), "skipping empty key: empty:2")
            checks.contains("the log", server.log_text(), "keys loaded: 2, keys expired: 0, empty keys skipped: 5.")


def damaged_value(checks):
    with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder:
        path = pathlib.Path(folder, "dump.rdb")
        path.write_bytes(snapshot(10, b"\x10" + string(b"a key") + string(b"no listpack")))
        output = refused(checks, folder)
        checks.contains("which key", output, 'The value of key "a key" in DB 0: Hash listpack integrity check failed')
        checks.contains("the end", output, "Terminating server after rdb file reading failure.")


def directives_of_other_versions(checks):
    config = "gopher-enabled no\ncommandlog-request-larger-than 1048576\ncommandlog-execution-slower-than 77\nrdma-port 1\n"
    with Server(config=config) as server, server.client() as client:
        checks.equal("one under its name elsewhere", client.call("CONFIG", "GET", "slowlog-log-slower-than")[1], b"77")
        for name in ("gopher-enabled", "commandlog-request-larger-than", "rdma-port"):
            checks.contains("the log", server.log_text(), f"'{name}' in the configuration is accepted, but")
        checks.true("no word about what is acted on", "execution-slower" not in server.log_text())


def log_of_the_start(checks):
    """Harnesses wait for these lines."""
    with Server(["--save", ""]) as server, server.client() as client:
        lines = [line for line in server.log_text().splitlines() if "Server initialized" in line or "eady to accept" in line]
        checks.contains("before the data is loaded", lines[0], " * Server initialized")
        client.call("CONFIG", "RESETSTAT")
        client.call("PING")
        stats = dict(line.split(":", 1) for line in client.call("INFO", "stats", "debug").decode().splitlines() if ":" in line)
        checks.true("turns are counted", int(stats["eventloop_cycles"]) >= 1, stats)
        checks.equal("commands of one turn", stats["eventloop_cmd_per_cycle_max"], "1")


def oom_score(checks):
    with Server(["--save", ""]) as server, server.client() as client:
        reply = client.call("CONFIG", "SET", "oom-score-adj-values", "-1000 0 0", "oom-score-adj", "absolute")
        if reply == b"OK":
            print("    (privileged: left out)")
            return
        checks.contains("the reply", str(reply), "Failed to set current oom_score_adj. Check server logs.")
        checks.true("the log", wait_until(lambda: "# Unable to write oom_score_adj: Permission denied" in server.log_text()))


if __name__ == "__main__":
    sys.exit(run_parts([leftovers, cpu_lists, later_versions, empty_keys, damaged_value, directives_of_other_versions,
                        log_of_the_start, oom_score]))
