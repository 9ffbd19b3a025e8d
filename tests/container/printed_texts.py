"""What articles on Redis in containers print, run as printed (`printed/`), with our image under the printed names.

Replaced are the port of the host, the folder /var/lib/redis, and in volumes.sh `docker run` by `docker run --detach`
where the command would stay in front. Each text ends with its data still there.
"""

import pathlib

import data
from server_process import free_port, wait_until

HERE = pathlib.Path(__file__).resolve().parent
TEXTS = HERE / "printed"
CONFIG = HERE.parent / "integration" / "seed_texts" / "docker_production.conf"
PASSWORD = "your-secure-password-here"


def text_of(name, port=0):
    return (TEXTS / name).read_text().replace("6379:6379", f"{port}:6379")


def quick_start(checks, podman):
    output = podman.shell(text_of("quick_start.sh", free_port()))
    checks.equal("what the last command prints", output.splitlines()[-1], "hello")
    podman.podman("rm", "--force", "redis")
    podman.podman("run", "--detach", "--name", "redis", "--volume", "redis-data:/data", "redis:7-alpine",
                  "redis-server", "--appendonly", "yes")
    checks.equal("in a new container", wait_until(lambda: podman.try_podman("exec", "redis", "redis-cli", "GET", "mykey").output),
                 "hello")


def short_names(checks, podman):
    """`redis` alone, and a volume that is made by using it."""
    podman.shell(text_of("short_names.sh"))
    checks.equal("SET", wait_until(lambda: podman.try_podman("exec", "redis", "redis-cli", "SET", "k", "v").output), "OK")
    podman.podman("restart", "redis")
    checks.equal("GET", wait_until(lambda: podman.try_podman("exec", "redis", "redis-cli", "GET", "k").output), "v")


def persistence_modes(checks, podman):
    """Snapshots, the append-only file, both: after an orderly end, and what is appended also after a sudden one."""
    for name, container, survives_kill in (("snapshots.sh", "redis-rdb", False), ("append_only.sh", "redis-aof", True),
                                           ("combined.sh", "redis-production", True)):
        with checks.part(f"{checks.section} {name}"):
            port = free_port()
            podman.shell(text_of(name, port))
            data.write(port)
            if survives_kill:
                podman.podman("kill", container)
                podman.podman("start", container)
            else:
                podman.podman("restart", container)
            checks.equal("missing", data.missing(port), [])
            files = podman.podman("exec", container, "ls", "/data").split()
            checks.equal("files", files, (["appendonlydir"] if survives_kill else ["dump.rdb"]))
            podman.podman("stop", container)
            checks.equal("exit code", podman.state(container)["ExitCode"], 0)
            podman.clean()


def volumes(checks, podman):
    """Named volume, bind mount, tmpfs; backup of a volume and its restoration into an empty one."""
    folder = pathlib.Path(podman.folder, "lib-redis")
    text = (TEXTS / "volumes.sh").read_text().replace("/var/lib/redis", str(folder))
    start, backup = text.split("# Check volume details")
    backup, restore = backup.split("# Restore a volume")
    podman.shell(start.replace("docker run ", "docker run --detach --publish-all "))
    containers = {}
    for container in podman.podman("ps", "--quiet").split():
        kind = podman.podman("inspect", "--format", "{{range .Mounts}}{{.Type}}{{end}}", container) or "tmpfs"
        port = int(podman.podman("port", container, "6379/tcp").rsplit(":", 1)[1])
        containers[kind] = container
        data.write(port)
        podman.podman("restart", container)
        port = int(podman.podman("port", container, "6379/tcp").rsplit(":", 1)[1])
        if kind == "tmpfs":
            with data.connect(port) as client:
                checks.equal("tmpfs: empty after a restart", client.call("DBSIZE"), 0)
        else:
            checks.equal(f"{kind}: missing", data.missing(port), [])
    checks.equal("three kinds", sorted(containers), ["bind", "tmpfs", "volume"])
    checks.true("bind: the file is on the host", (folder / "dump.rdb").exists())
    podman.podman("stop", *containers.values())

    listed = podman.shell("# Check volume details" + backup)
    checks.contains("backup", listed, "data/dump.rdb")
    podman.podman("rm", "--all", "--force")
    podman.podman("volume", "rm", "redis-data")
    podman.shell("# Restore a volume" + restore)
    port = free_port()
    podman.podman("run", "--detach", "--publish", f"{port}:6379", "--volume", "redis-data:/data", "redis:7-alpine")
    checks.equal("after the restoration: missing", data.missing(port), [])


def shutdown(checks, podman):
    """`stop` saves; `kill` does not, and takes what was not saved."""
    port = free_port()
    podman.podman("run", "--detach", "--name", "redis", "--publish", f"{port}:6379", "redis:7-alpine")
    data.write(port)
    stop, kill = text_of("shutdown.sh").split("# Force immediate stop")
    podman.shell(stop)
    checks.equal("exit code", podman.state("redis")["ExitCode"], 0)
    podman.podman("start", "redis")
    checks.equal("missing", data.missing(port), [])
    with data.connect(port) as client:
        client.call("SET", "unsaved", "1")
    podman.shell("# Force immediate stop" + kill)
    checks.equal("exit code of a killed one", podman.state("redis")["ExitCode"], 137)
    podman.podman("start", "redis")
    checks.equal("missing", data.missing(port), [])
    with data.connect(port) as client:
        checks.equal("what was not saved", client.call("EXISTS", "unsaved"), 0)


def compose(podman, folder, *words):
    done = podman.command(["podman-compose", *words], cwd=folder)
    if done.code:
        raise RuntimeError(f"podman-compose {' '.join(words)}: {done}")
    return done.output


def production_compose(checks, podman):
    folder = pathlib.Path(podman.folder, "production")
    folder.mkdir()
    port = free_port()
    (folder / "docker-compose.yml").write_text(text_of("docker-compose.yml", port))
    (folder / "redis.conf").write_text(CONFIG.read_text())
    compose(podman, folder, "up", "-d")
    data.write(port, PASSWORD)
    with data.connect(port, PASSWORD) as client:
        checks.equal("the file is read", client.call("CONFIG", "GET", "maxmemory")[1], b"1073741824")
    checks.equal("the printed health check", podman.try_podman("healthcheck", "run", "redis").code, 0)
    compose(podman, folder, "down")
    checks.equal("nothing runs", podman.podman("ps", "--all", "--quiet"), "")
    compose(podman, folder, "up", "-d")
    checks.equal("missing", data.missing(port, PASSWORD), [])
    podman.podman("stop", "--time", 30, "redis")
    podman.podman("start", "redis")
    checks.equal("missing after a stop with grace", data.missing(port, PASSWORD), [])


def custom_image(checks, podman):
    """The printed Dockerfile on top of our image."""
    folder = pathlib.Path(podman.folder, "custom")
    folder.mkdir()
    (folder / "Dockerfile").write_text(text_of("Dockerfile"))
    (folder / "redis.conf").write_text(CONFIG.read_text())
    podman.podman("build", "--pull=never", "--tag", "localhost/custom", folder)
    port = free_port()
    podman.podman("run", "--detach", "--name", "custom", "--publish", f"{port}:6379", "--volume", "custom:/data", "localhost/custom")
    data.write(port, PASSWORD)
    checks.equal("health", podman.try_podman("healthcheck", "run", "custom").code, 0)
    checks.equal("user", podman.podman("exec", "custom", "id", "-un"), "redis")
    podman.podman("restart", "custom")
    checks.equal("missing", data.missing(port, PASSWORD), [])
    podman.clean()
    podman.podman("image", "rm", "localhost/custom")


PARTS = [quick_start, short_names, persistence_modes, volumes, shutdown, production_compose, custom_image]
