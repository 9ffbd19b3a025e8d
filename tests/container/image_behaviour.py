"""How the image behaves: its entry point, ends good and bad, and containers with few rights."""

import os
import pathlib
import re
import signal
import socket

import data
from resp_client import Client
from server_process import HOST, free_port, wait_until

IMAGE = "cinnabar:latest"
CONFIG = "appendonly yes\nmaxmemory 100mb\nprotected-mode yes\n"


def once(podman, *words, options=()):
    """A command in a container of its own."""
    return podman.try_podman("run", "--rm", *options, IMAGE, *words)


def serve(podman, *words, options=()):
    """A server in the background, on a free port."""
    port = free_port()
    podman.podman("run", "--detach", "--name", "server", "--publish", f"{port}:6379", *options, IMAGE, *words)
    return port


def contents(checks, podman):
    checks.equal("names", once(podman, "sh", "-c", "cd /usr/local/bin; ls -d redis-* cinnabar-*").output.split(),
                 ["cinnabar-server", "redis-check-aof", "redis-check-rdb", "redis-sentinel", "redis-server"])
    checks.contains("redis-server", once(podman, "redis-server", "--version").output, "build=cinnabar-")
    checks.contains("redis-cli", once(podman, "redis-cli", "--version").output, "redis-cli ")
    checks.contains("redis-check-rdb", once(podman, "redis-check-rdb").errors, "redis-check-rdb <rdb-file-name>")
    checks.contains("redis-check-aof", once(podman, "redis-check-aof").errors, "redis-check-aof")
    checks.contains("redis-sentinel", once(podman, "redis-sentinel").output, "Sentinel needs config file on disk")
    facts = podman.podman("image", "inspect", "--format", "{{.Config.Volumes}} {{.Config.WorkingDir}} {{.Config.ExposedPorts}} "
                          "{{.Config.Cmd}}", IMAGE)
    checks.equal("volume, folder, port, command", facts, "map[/data:{}] /data map[6379/tcp:{}] [redis-server]")
    checks.equal("user redis", once(podman, "id", "redis").output, "uid=999(redis) gid=999(redis) groups=999(redis)")


def entry_point(checks, podman):
    checks.contains("an option starts the server", once(podman, "--version").output, "build=cinnabar-")
    conf = pathlib.Path(podman.folder, "wrong.conf")
    conf.write_text("port twelve\n")
    mounted = ("--volume", f"{conf}:/etc/my.conf:ro")
    checks.contains("a config file starts the server", once(podman, "/etc/my.conf", options=mounted).errors, "FATAL CONFIG FILE")
    checks.equal("other commands are left alone", once(podman, "sh", "-c", "id -u; umask; pwd").output.split(),
                 ["0", "0077", "/data"])
    checks.equal("a mask of one's own", once(podman, "-c", "umask 027; docker-entrypoint.sh sh -c umask",
                                             options=("--entrypoint", "/bin/sh")).output, "0027")
    checks.equal("no such command", once(podman, "no-such-command").code, 127)


def rights(checks, podman):
    """The server is no root and its files are nobody else's; what is in the folder becomes its own, links are not followed."""
    folder = pathlib.Path(podman.folder, "owned-by-root")
    (folder / "old").mkdir(parents=True)
    (folder / "old" / "file").write_text("x")
    (folder / "link").symlink_to("/etc/passwd")
    port = serve(podman, "--appendonly", "yes", options=("--volume", f"{folder}:/data"))
    data.write(port)
    with data.connect(port) as client:
        client.call("SAVE")
    status = podman.podman("exec", "server", "cat", "/proc/1/status")
    checks.equal("user, group", re.findall(r"^[UG]id:\s+(\d+)", status, re.MULTILINE), ["999", "999"])
    checks.equal("capabilities", re.search(r"^CapEff:\s+(\w+)", status, re.MULTILINE).group(1), "0" * 16)
    for path in [folder, *folder.rglob("*")]:
        checks.equal(f"owner of {path.name}", path.lstat().st_uid, 999)
    for path in [folder / "dump.rdb", *(folder / "appendonlydir").iterdir()]:
        checks.equal(f"mode of {path.name}", oct(path.stat().st_mode & 0o777), oct(0o600))
    checks.equal("/etc/passwd", podman.podman("exec", "server", "stat", "-c", "%u", "/etc/passwd"), "0")
    podman.podman("restart", "server")
    checks.equal("missing", data.missing(port), [])


def restarts(checks, podman):
    """kill -9 of the process, and a crash of the server as process 1: the container comes up again by itself."""
    port = serve(podman, "--appendonly", "yes", "--appendfsync", "always", "--enable-debug-command", "yes",
                 options=("--restart", "always", "--volume", "kept:/data"))
    data.write(port)
    pid = podman.pid("server")
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: podman.pid("server") not in (0, pid))
    checks.equal("missing after kill -9", data.missing(port), [])
    for number, crash in enumerate(("SEGFAULT", "PANIC"), 2):
        pid = podman.pid("server")
        podman.try_podman("exec", "server", "redis-cli", "DEBUG", crash)
        checks.true(f"{crash}: another process", wait_until(lambda: podman.pid("server") not in (0, pid)), "it is the same")
        checks.equal(f"missing after {crash}", data.missing(port), [])
        checks.equal("restarts", podman.podman("inspect", "--format", "{{.RestartCount}}", "server"), str(number))
    podman.podman("rm", "--force", "server")
    port = serve(podman, "--appendonly", "yes", options=("--volume", "kept:/data"))
    checks.equal("missing in a new container", data.missing(port), [])


def stop_with_grace(checks, podman):
    """A snapshot that takes two seconds: a long grace period lets it end, a short one leaves the old snapshot whole."""
    port = serve(podman, "--rdb-key-save-delay", "10000", options=("--volume", "kept:/data"))
    data.write(port)
    podman.podman("stop", "--time", 30, "server")
    checks.equal("exit code", podman.state("server")["ExitCode"], 0)
    podman.podman("start", "server")
    checks.equal("missing", data.missing(port), [])
    with data.connect(port) as client:
        client.call("SET", "string:7", "too late")
    podman.podman("stop", "--time", 1, "server")
    checks.equal("exit code of one that took too long", podman.state("server")["ExitCode"], 137)
    podman.podman("start", "server")
    checks.equal("missing from the old snapshot", data.missing(port), [])


def locked_down(checks, podman):
    """No capabilities, nothing writable but the volume."""
    few = ("--read-only", "--cap-drop=all", "--security-opt", "no-new-privileges", "--volume", "kept:/data")
    port = serve(podman, "--appendonly", "yes", options=(*few, "--user", "redis"))
    data.write(port)
    with data.connect(port) as client:
        client.call("BGREWRITEAOF")
        checks.equal("SAVE", client.call("SAVE"), b"OK")
    podman.podman("restart", "server")
    checks.equal("missing", data.missing(port), [])
    checks.equal("health", podman.try_podman("healthcheck", "run", "server").code, 0)
    refused = once(podman, options=("--cap-drop=all",))
    checks.equal("root that may not become redis: exit code", refused.code, 1)
    checks.contains("and its reason", refused.errors, "start the container with --user redis")


def other_user(checks, podman):
    """Any number as user, in a folder of its own."""
    folder = pathlib.Path(podman.folder, "of-1234")
    folder.mkdir()
    os.chown(folder, 1234, 1234)
    port = serve(podman, options=("--user", "1234:1234", "--volume", f"{folder}:/data"))
    data.write(port)
    podman.podman("restart", "server")
    checks.equal("missing", data.missing(port), [])
    checks.equal("owner", (folder / "dump.rdb").stat().st_uid, 1234)


def address_of_this_machine():
    """As others see it; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return probe.getsockname()[0]


def mounted_config(checks, podman):
    """The image is open by default, as the official one is; a file that says otherwise is obeyed."""
    port = serve(podman)
    with data.connect(port, host=address_of_this_machine()) as client:
        checks.equal("from outside", client.call("PING"), b"PONG")
    podman.clean()
    conf = pathlib.Path(podman.folder, "redis.conf")
    conf.write_text(CONFIG)
    port = serve(podman, "redis-server", "/usr/local/etc/redis/redis.conf",
                 options=("--volume", f"{conf}:/usr/local/etc/redis/redis.conf:ro", "--volume", "kept:/data"))
    checks.equal("inside", wait_until(lambda: podman.try_podman("exec", "server", "redis-cli", "ping").output), "PONG")
    checks.contains("from outside", Client((HOST, port)).read(), b"DENIED")
    podman.cli("server", "CONFIG", "SET", "protected-mode", "no")
    data.write(port)
    podman.podman("rm", "--force", "server")
    conf.write_text(CONFIG.replace("protected-mode yes\n", ""))
    port = serve(podman, "redis-server", "/usr/local/etc/redis/redis.conf",
                 options=("--volume", f"{conf}:/usr/local/etc/redis/redis.conf:ro", "--volume", "kept:/data"))
    checks.equal("missing", data.missing(port), [])
    checks.equal("the file is read", podman.cli("server", "CONFIG", "GET", "maxmemory").split(), ["maxmemory", "104857600"])


def limits(checks, podman):
    """One thread for one CPU, however many the machine has. Too much memory ends the container, not what it has kept."""
    port = serve(podman, "--appendonly", "yes", options=("--cpus", "1", "--memory", "96m", "--volume", "kept:/data"))
    data.write(port)
    checks.equal("threads", re.search(r"^threads:(\d+)", podman.cli("server", "INFO", "server"), re.MULTILINE).group(1), "1")
    try:
        with data.connect(port) as client:
            for i in range(40):
                client.call("SET", f"filler:{i}", "x" * 10_000_000, "PX", 1)
                client.call("SETRANGE", f"block:{i}", 10_000_000, "x")
    except data.GONE:
        pass
    checks.true("the container ended", wait_until(lambda: podman.state("server")["Status"] == "exited", 20), podman.state("server"))
    checks.equal("exit code", podman.state("server")["ExitCode"], 137)
    podman.podman("rm", "server")
    port = serve(podman, "--appendonly", "yes", options=("--volume", "kept:/data"))
    checks.equal("missing", [words for words in data.missing(port) if words != ("DBSIZE",)], [])


def health(checks, podman):
    port = serve(podman, "--requirepass", "secret")
    data.connect(port, "secret").close()
    checks.equal("wants a password: healthy", podman.try_podman("healthcheck", "run", "server").code, 0)
    podman.clean()
    podman.podman("run", "--detach", "--name", "server", IMAGE, "sleep", "1000")
    checks.equal("no server: unhealthy", podman.try_podman("healthcheck", "run", "server").code, 1)


PARTS = [contents, entry_point, rights, restarts, stop_with_grace, locked_down, other_user, mounted_config, limits, health]
