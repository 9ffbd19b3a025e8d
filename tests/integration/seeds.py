#!/usr/bin/python3
"""What articles on Redis print, works as printed: config files, command lines, redis-cli, a monitoring script.

`seed_texts/` holds the texts to the letter, comments included. Two things are replaced before use: the folders /data
and /var/lib/redis by a temporary one, and the script's port by the server's. The options --port, --bind and --dir of
`Server` come after the file and win; the file's own lines are read all the same.
"""

import pathlib
import re
import resource
import shlex
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from checks import run_parts  # noqa: E402
from sentinels import Watch  # noqa: E402
from server_process import HOST, SECONDS_MAX, Server, free_port, is_ours, program, run_to_exit, wait_until  # noqa: E402

TEXTS = pathlib.Path(__file__).resolve().parent / "seed_texts"
FOLDERS = re.compile(r"^(dir) (/data|/var/lib/redis)$", re.MULTILINE)
OURS = is_ours(program())
PYTHON = "/usr/bin/python3"  # Debian's, which has python3-redis

THREE_SAVES = "900 1 300 10 60 10000"
CLUSTER = {"cluster-enabled": "yes", "cluster-node-timeout": "5000", "appendonly": "yes", "appendfsync": "everysec"}

# Per file: what CONFIG GET answers, and which directives the log says are not acted on yet.
FILES = {
    "docker_production": (
        {"requirepass": "your-secure-password-here", "maxmemory": str(1 << 30), "maxmemory-policy": "allkeys-lru",
         "save": THREE_SAVES, "stop-writes-on-bgsave-error": "yes", "rdbcompression": "yes", "rdbchecksum": "yes",
         "dbfilename": "dump.rdb", "appendonly": "yes", "appendfsync": "everysec", "no-appendfsync-on-rewrite": "no",
         "auto-aof-rewrite-percentage": "100", "auto-aof-rewrite-min-size": str(64 << 20), "loglevel": "notice",
         "logfile": "", "timeout": "0", "tcp-keepalive": "300", "maxclients": "10000"},
        set()),
    "eviction": ({"maxmemory": str(4 << 30), "maxmemory-policy": "allkeys-lru"}, set()),
    "cluster_primary_1": (CLUSTER | {"cluster-config-file": "nodes-7001.conf", "save": "900 1 300 10"}, set()),
    "cluster_primary_2": (CLUSTER | {"cluster-config-file": "nodes-7002.conf"}, set()),
    "cluster_primary_3": (CLUSTER | {"cluster-config-file": "nodes-7003.conf"}, set()),
    "production_persistence": (
        {"save": THREE_SAVES, "dbfilename": "dump.rdb", "appendonly": "yes", "appendfilename": "appendonly.aof",
         "appendfsync": "everysec", "no-appendfsync-on-rewrite": "yes", "auto-aof-rewrite-percentage": "100",
         "auto-aof-rewrite-min-size": str(64 << 20), "maxmemory": str(3 << 30), "maxmemory-policy": "allkeys-lru",
         "slowlog-log-slower-than": "10000", "slowlog-max-len": "1000"},
        set()),
    "snapshots": ({"save": "3600 1 300 100 60 10000", "dbfilename": "dump.rdb", "rdbcompression": "yes",
                   "rdbchecksum": "yes"}, set()),
    "stop_writes": ({"stop-writes-on-bgsave-error": "yes"}, set()),
    "append_only": ({"appendonly": "yes", "appendfilename": "appendonly.aof", "appendfsync": "everysec"},
                    set()),
    "append_only_rewrite": ({"auto-aof-rewrite-percentage": "100", "auto-aof-rewrite-min-size": str(64 << 20)}, set()),
    "append_only_no_fsync": ({"no-appendfsync-on-rewrite": "yes"}, set()),
    "append_only_short": ({"appendonly": "yes", "appendfsync": "everysec"}, set()),
    "hybrid": ({"appendonly": "yes", "aof-use-rdb-preamble": "yes"}, set()),
    "preamble": ({"aof-use-rdb-preamble": "yes"}, set()),
    "aligned_comments": ({"save": THREE_SAVES}, set()),
    "memory": ({"maxmemory": str(2 << 30), "maxmemory-policy": "allkeys-lru"}, set()),
}
REFUSED_BY_REDIS = {"eviction", "production_persistence", "snapshots", "aligned_comments"}  # comments behind directives

# The Kubernetes manifest's `command` array, and the command lines of the others.
KUBERNETES = ["redis-server", "--appendonly", "yes", "--appendfsync", "everysec", "--save", "900", "1",
              "--save", "300", "10"]
AOF = {"appendonly": "yes", "appendfsync": "everysec"}
COMMAND_LINES = {
    "redis-server --appendonly yes": (AOF, set()),
    "redis-server --save 60 1 --save 300 10 --save 900 100": ({"save": "60 1 300 10 900 100"}, set()),
    "redis-server --appendonly yes --appendfsync everysec": (AOF, set()),
    "redis-server --appendonly yes --appendfsync everysec --save 900 1 --save 300 10 --save 60 10000":
        (AOF | {"save": THREE_SAVES}, set()),
    shlex.join(KUBERNETES): (AOF | {"save": "900 1 300 10"}, set()),
    "redis-server --cluster-enabled yes --cluster-config-file nodes.conf --cluster-node-timeout 5000 --appendonly yes":
        (CLUSTER | {"cluster-config-file": "nodes.conf"}, set()),
}


def text_of(name, folder="/nowhere"):
    return FOLDERS.sub(rf"\1 {folder}", (TEXTS / f"{name}.conf").read_text())


def login(server, expected):
    client = server.client()
    if "requirepass" in expected:
        client.call("AUTH", expected["requirepass"])
    return client


def check_server(checks, server, expected, warnings):
    with login(server, expected) as client:
        checks.equal("PING", client.call("PING"), b"PONG")
        for name, value in expected.items():
            if name == "maxclients" and resource.getrlimit(resource.RLIMIT_NOFILE)[1] < int(value) + 100:
                continue  # Redis lowers it to what the system allows, and so do we.
            checks.equal(f"CONFIG GET {name}", client.call("CONFIG", "GET", name), [name.encode(), value.encode()])
        if OURS:
            info = client.call("INFO", "everything").decode()
            cluster = "cluster-enabled" in expected
            checks.contains("INFO", info, f"\r\ncluster_enabled:{cluster:d}\r\n")
            checks.contains("INFO", info, f"\r\nredis_mode:{'cluster' if cluster else 'standalone'}\r\n")
            enabled = 1 if expected.get("appendonly") == "yes" else 0
            checks.contains("INFO", info, f"\r\naof_enabled:{enabled}\r\n")
    if OURS:
        warned = re.findall(r"# WARNING: '([^']+)' in the configuration is accepted, but", server.log_text())
        checks.equal("one warning for each directive without effect", sorted(warned), sorted(warnings))


def config_files(checks):
    printed = {path.stem for path in TEXTS.glob("*.conf")} - {"sentinel"}
    checks.equal("every text has its expectations", printed, set(FILES))
    with tempfile.TemporaryDirectory() as folder:
        for name, (expected, warnings) in FILES.items():
            with checks.part(f"{checks.section} {name}"):
                text = text_of(name, folder)
                if not OURS and name in REFUSED_BY_REDIS:
                    path = pathlib.Path(folder) / "refused.conf"
                    path.write_text(text)
                    checks.equal("Redis refuses it", run_to_exit([str(path)], cwd=folder)[0], 1)
                    continue
                with Server(bus_port_for(expected), text) as server:
                    check_server(checks, server, expected, warnings)


def bus_port_for(expected):
    """The printed port is not the one that tests use; 10000 above that one there may be nothing."""
    return ["--cluster-port", free_port()] if "cluster-enabled" in expected else []


def command_lines(checks):
    for line, (expected, warnings) in COMMAND_LINES.items():
        options = [*shlex.split(line)[1:], *bus_port_for(expected)]
        with checks.part(f"{checks.section} {line}"), Server(options) as server:
            check_server(checks, server, expected, warnings)


def folder_of_the_file(checks):
    """Where the printed folder does not exist, the server says so and ends, as Redis does."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "redis.conf"
        path.write_text((TEXTS / "append_only.conf").read_text().replace("/var/lib/redis", f"{folder}/none"))
        code, output = run_to_exit([str(path), "--port", "0"], cwd=folder)
        checks.equal("exit code", code, 1)
        checks.contains("output", output, f">>> 'dir {folder}/none'\nNo such file or directory")


def rewritten(checks):
    """CONFIG REWRITE of a file with comments behind directives: it starts the same server again, comments in place."""
    if not OURS:
        return
    expected = dict(FILES["production_persistence"][0])
    with tempfile.TemporaryDirectory() as folder:
        with Server(config=text_of("production_persistence", folder)) as server, server.client() as client:
            changes = {"no-appendfsync-on-rewrite": "no", "save": "100 5 300 10", "maxmemory": "1073741824"}
            words = [word for pair in changes.items() for word in pair]
            checks.equal("CONFIG SET", client.call("CONFIG", "SET", *words), b"OK")
            checks.equal("CONFIG REWRITE", client.call("CONFIG", "REWRITE"), b"OK")
            text = pathlib.Path(server.config_path).read_text()
            here = server.dir
        for line in ("save 100 5 # snapshot if >= 1 key changed in 900 seconds", "maxmemory 1gb",
                     "no-appendfsync-on-rewrite no # don't fsync during BGREWRITEAOF",
                     "appendfsync everysec # fsync every second — good balance",
                     "# appendfsync no # let OS flush — fast but can lose up to 30s of data"):
            checks.true(f"has the line {line!r}", line in text.splitlines(), text)
        text = text.replace(here, folder)
        with Server(config=text) as server:
            check_server(checks, server, expected | changes, set())


def sentinel(checks):
    """Only Sentinel takes Sentinel's lines; a server refuses them as Redis does."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "sentinel.conf"
        path.write_text(text_of("sentinel"))
        code, output = run_to_exit([str(path)], cwd=folder)
        checks.equal("server: exit code", code, 1)
        checks.contains("server", output, "sentinel directive while not in sentinel mode")
        if OURS:
            code, output = run_to_exit([str(path), "--sentinel"], cwd=folder)
            checks.equal("--sentinel, where the name means nothing: exit code", code, 1)
            checks.contains("--sentinel", output, "Can't resolve instance hostname.")
            with Watch(config=text_of("sentinel").replace("redis-master.internal", HOST)) as watch:
                primary = watch.primary()
                for name, value in (("quorum", "2"), ("down-after-milliseconds", "5000"), ("failover-timeout", "10000")):
                    checks.equal(name, primary[name], value)


def redis_cli(checks):
    """The redis-cli commands that the articles print."""
    with Server() as server:
        def shell(line):
            line = line.replace("redis-cli", f"redis-cli -h {HOST} -p {server.port}")
            done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=SECONDS_MAX, check=False)
            return (done.stdout + done.stderr).rstrip("\n")

        for line, answer in (("redis-cli ping", "PONG"), ('redis-cli SET mykey "hello"', "OK"),
                             ("redis-cli GET mykey", "hello"), ("redis-cli CONFIG GET dir", f"dir\n{server.dir}"),
                             ("redis-cli CONFIG GET dbfilename", "dbfilename\ndump.rdb"),
                             ("redis-cli CONFIG GET appendfilename", "appendfilename\nappendonly.aof"),
                             ("redis-cli CONFIG SET maxmemory-policy allkeys-lru", "OK"), ("redis-cli DBSIZE", "1"),
                             ("redis-cli INFO stats | grep keyspace", "keyspace_hits:1\nkeyspace_misses:0"),
                             ("redis-cli SLOWLOG RESET", "OK"), ("redis-cli SLOWLOG GET", ""),
                             ("redis-cli SET lock:1 token NX PX 30000", "OK"),
                             ("redis-cli SET lock:1 other NX PX 30000", ""), ("redis-cli GET lock:1", "token"),
                             ("redis-cli EXPIRE mykey 100", "1"), ("redis-cli TTL mykey", "100"),
                             ("redis-cli SETEX product:1 300 '{}'", "OK"), ("redis-cli DEL product:1", "1")):
            checks.equal(line, shell(line), answer)
        last_save = int(shell("redis-cli LASTSAVE"))
        checks.true("LASTSAVE is the moment of the start", abs(time.time() - last_save) < SECONDS_MAX, last_save)
        checks.contains("INFO stats", shell("redis-cli INFO stats"), "latest_fork_usec:")
        shell("redis-cli SHUTDOWN SAVE")
        checks.equal("SHUTDOWN SAVE ends the server", server.wait_exit(), 0)
        checks.contains("and saves before", server.log_text(), "DB saved on disk")
        checks.true("there is a snapshot", (pathlib.Path(server.dir) / "dump.rdb").exists())


def monitored(checks, server):
    """What the monitoring script prints about the server."""
    script = pathlib.Path(server.dir) / "check_persistence.py"
    script.write_text((TEXTS / "check_persistence.py").read_text().replace("port=6379", f"port={server.port}"))
    done = subprocess.run([PYTHON, script], capture_output=True, text=True, timeout=SECONDS_MAX, check=False)
    checks.equal("exit code, standard error", (done.returncode, done.stderr), (0, ""))
    return done.stdout


HEALTHY = "Persistence is healthy\n"
ISSUES = "Persistence issues detected:\n"


def monitoring_script(checks):
    """Its fields exist in INFO and say what is so."""
    text = (TEXTS / "check_persistence.py").read_text()
    with Server(options=["--maxmemory", "1gb"]) as server:
        checks.equal("output", monitored(checks, server), HEALTHY)
        with server.client() as client:
            client.call("SET", "key", "value")
            info = dict(line.split(":", 1) for line in client.call("INFO").decode().split("\r\n") if ":" in line)
            last_save = client.call("LASTSAVE")
        used = re.findall(r"info.get\('(\w+)'", text)
        checks.true("the script reads INFO", len(used) > 8, used)
        only_with_aof = {"aof_current_size", "aof_base_size", "aof_pending_rewrite"}
        checks.equal("fields that INFO lacks", set(used) - set(info) - only_with_aof, set())
        for field, value in {"rdb_bgsave_in_progress": "0", "rdb_changes_since_last_save": "1", "rdb_saves": "0",
                             "rdb_last_save_time": str(last_save), "rdb_last_bgsave_time_sec": "-1",
                             "rdb_current_bgsave_time_sec": "-1", "aof_enabled": "0", "aof_rewrites": "0",
                             "maxmemory_human": "1.00G"}.items():
            checks.equal(field, info.get(field), value)


def ended(client, what):
    """The background child has ended and INFO knows."""
    def figures():
        return dict(line.split(":", 1) for line in client.call("INFO", "persistence").decode().split("\r\n") if ":" in line)

    wait_until(lambda: figures()[what] == "0" and figures().get("aof_rewrite_scheduled", "0") == "0")


def monitoring_script_in_trouble(checks):
    """Saves and rewrites fail, because something is in the way; then they work again. The script says so each time."""
    failed_save, failed_rewrite = "  - RDB save failed: err\n", "  - AOF rewrite failed: err\n"
    options = ["--appendonly", "yes", "--auto-aof-rewrite-percentage", "0", "--save", "3600 1000000"]
    with Server(options=options) as server, server.client() as client:
        folder = pathlib.Path(server.dir)
        client.call("SET", "key", "value" * 1000)
        client.call("BGREWRITEAOF")
        ended(client, "aof_rewrite_in_progress")
        checks.equal("at first", monitored(checks, server), HEALTHY)

        (folder / "dump.rdb").mkdir()
        checks.equal("BGSAVE", client.call("BGSAVE"), b"Background saving started")
        ended(client, "rdb_bgsave_in_progress")
        checks.equal("after a failed save", monitored(checks, server), ISSUES + failed_save)
        checks.contains("writes are refused", client.call("SET", "a", "b"), b"MISCONF")
        base = max(folder.glob("appendonlydir/*.base.rdb")).name
        next_base = folder / "appendonlydir" / f"appendonly.aof.{int(base.split('.')[2]) + 1}.base.rdb"
        (next_base / "in the way").mkdir(parents=True)
        client.call("BGREWRITEAOF")
        ended(client, "aof_rewrite_in_progress")
        checks.equal("after a failed rewrite", monitored(checks, server), ISSUES + failed_save + failed_rewrite)

        (folder / "dump.rdb").rmdir()
        client.call("BGSAVE")
        ended(client, "rdb_bgsave_in_progress")
        checks.equal("after a good save", monitored(checks, server), ISSUES + failed_rewrite)
        checks.equal("writes are welcome", client.call("SET", "a", "b"), b"OK")
        (next_base / "in the way").rmdir()
        next_base.rmdir()
        client.call("BGREWRITEAOF")
        ended(client, "aof_rewrite_in_progress")
        checks.equal("after a good rewrite", monitored(checks, server), HEALTHY)
        client.call("SET", "key", "value" * 5000)
        wait_until(lambda: "AOF has grown" in monitored(checks, server))
        checks.contains("after growth", monitored(checks, server), ISSUES + "  - AOF has grown ")


if __name__ == "__main__":
    sys.exit(run_parts([config_files, command_lines, folder_of_the_file, rewritten, sentinel, redis_cli,
                        monitoring_script, monitoring_script_in_trouble]))
