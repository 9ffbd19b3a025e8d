"""podman with a storage of its own, the base image, and the image of packaging/docker.

Names of containers, volumes and networks are those that articles print: the storage is ours alone, so they meet
nobody else's. One run at a time uses it (a lock); it is empty of containers and volumes when a run begins and ends.
What is worth keeping is in ~/.cache/cinnabar-container (CINNABAR_CONTAINER_CACHE): the base system as Debian's
debootstrap makes it, and podman's layers. Nothing is pulled from a registry.
"""

import fcntl
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CACHE = pathlib.Path(os.environ.get("CINNABAR_CONTAINER_CACHE", pathlib.Path.home() / ".cache" / "cinnabar-container"))
SECONDS_MAX = 120
LOCK_SECONDS_MAX = 900
BASE = "localhost/cinnabar-test-base"
OURS = "localhost/cinnabar:latest"
# What printed texts call the images, and which of ours takes their place.
STAND_INS = {"docker.io/library/debian:bookworm-slim": BASE, "docker.io/library/alpine:latest": BASE,
             "docker.io/library/redis:7-alpine": OURS, "docker.io/library/redis:latest": OURS}

# runc, because crun does not work with hybrid cgroups; limits that a root without CAP_SYS_RESOURCE can set.
CONTAINERS_CONF = """\
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_backend = "netavark"
network_config_dir = "{cache}/networks"
"""
STORAGE_CONF = """\
[storage]
driver = "{driver}"
graphroot = "{cache}/storage-{driver}"
runroot = "/run/cinnabar-container"
"""
# Short names mean one registry, and that one is not asked.
REGISTRIES_CONF = """\
unqualified-search-registries = ["docker.io"]
[[registry]]
location = "docker.io"
blocked = true
"""
# Release files of a mirror may be older than their own date allows.
APT_CONF = 'Acquire::Check-Valid-Until "false";\nAcquire::Check-Date "false";\n'


class Failed(Exception):
    """A command that had to succeed."""


class CannotRun(Exception):
    """podman itself does not work on this machine."""


class Done:
    """What a command did: exit code, and what it printed."""

    def __init__(self, code, output, errors):
        self.code, self.output, self.errors = code, output.strip(), errors.strip()

    def __repr__(self):
        return f"exit code {self.code}: {self.output} {self.errors}"[-1500:]


class Podman:
    def __enter__(self):
        CACHE.mkdir(parents=True, exist_ok=True)
        self.lock = open(CACHE / "lock", "w", encoding="ascii")
        self.wait_for_lock()
        self.folder = tempfile.mkdtemp(prefix="cinnabar-container-")
        self.environment = dict(os.environ, DISABLE_HC_SYSTEMD="true", BUILDAH_FORMAT="docker", **self.write_settings())
        self.environment["PATH"] = f"{self.folder}/bin:{os.environ['PATH']}"
        docker = pathlib.Path(self.folder, "bin", "docker")  # for printed texts
        docker.parent.mkdir()
        docker.write_text('#!/bin/sh\nexec podman "$@"\n')
        docker.chmod(0o755)
        return self

    def __exit__(self, *_):
        self.clean()
        self.try_podman("image", "prune", "--force")
        shutil.rmtree(self.folder, ignore_errors=True)
        self.lock.close()

    def wait_for_lock(self):
        limit = time.monotonic() + LOCK_SECONDS_MAX
        while True:
            try:
                return fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > limit:
                    raise Failed(f"another run holds {CACHE}/lock") from None
                time.sleep(0.5)

    def write_settings(self):
        kind = subprocess.run(["stat", "-f", "-c", "%T", CACHE], capture_output=True, text=True, check=True).stdout
        # Overlays do not lie on overlays.
        driver = "vfs" if "overlay" in kind else "overlay"
        names = {}
        for variable, text in (("CONTAINERS_CONF", CONTAINERS_CONF), ("CONTAINERS_STORAGE_CONF", STORAGE_CONF),
                               ("CONTAINERS_REGISTRIES_CONF", REGISTRIES_CONF)):
            path = CACHE / f"{variable.lower()}.conf"
            path.write_text(text.format(cache=CACHE, driver=driver))
            names[variable] = str(path)
        return names

    # ---- running ----

    def command(self, words, seconds=SECONDS_MAX, cwd=None):
        words = [str(word) for word in words]
        try:
            done = subprocess.run(words, env=self.environment, cwd=cwd or self.folder, stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, errors="replace", timeout=seconds, check=False)
        except subprocess.TimeoutExpired:
            return Done(124, "", f"not done after {seconds} seconds")
        except FileNotFoundError as error:
            return Done(127, "", str(error))
        return Done(done.returncode, done.stdout, done.stderr)

    def try_podman(self, *words, seconds=SECONDS_MAX):
        return self.command(["podman", *words], seconds)

    def podman(self, *words, seconds=SECONDS_MAX):
        """What it printed; Failed when it did not succeed."""
        done = self.try_podman(*words, seconds=seconds)
        if done.code:
            raise Failed(f"podman {' '.join(str(word) for word in words)}: {done}")
        return done.output

    def shell(self, script, cwd=None):
        """A printed text: every command of it has to succeed."""
        done = self.command(["bash", "-euo", "pipefail", "-c", script], cwd=cwd)
        if done.code:
            raise Failed(f"{script}\n{done}")
        return done.output

    def cli(self, container, *words):
        """The answer of redis-cli inside of a container."""
        return self.podman("exec", container, "redis-cli", *words)

    def state(self, container):
        return json.loads(self.podman("inspect", container))[0]["State"]

    def pid(self, container):
        return int(self.state(container)["Pid"])

    def clean(self):
        """No containers, pods, volumes and networks."""
        self.try_podman("pod", "rm", "--all", "--force", "--time", 0)
        self.try_podman("rm", "--all", "--force", "--time", 0)
        self.try_podman("volume", "rm", "--all", "--force")
        self.try_podman("network", "prune", "--force")

    # ---- images ----

    def prepare(self, program_folder):
        """The image, made by packaging/docker/Dockerfile; its build stage is the programs of `program_folder`."""
        if self.try_podman("image", "exists", BASE).code:
            if not (CACHE / "base.tar").exists():
                self.make_base()
            self.podman("import", CACHE / "base.tar", BASE)
        for name, image in STAND_INS.items():
            if image == BASE:
                self.podman("tag", BASE, name)
        self.probe()
        stage = pathlib.Path(self.folder, "build-stage")
        installed = self.command(["cmake", "--install", program_folder, "--prefix", stage / "image/usr/local"])
        if installed.code:
            raise Failed(f"cmake --install: {installed}")
        self.podman("build", "--pull=never", "--network", "host", "--build-context", f"build={stage}", "--file",
                    ROOT / "packaging/docker/Dockerfile", "--tag", OURS, ROOT, seconds=300)
        for name, image in STAND_INS.items():
            if image == OURS:
                self.podman("tag", OURS, name)

    def probe(self):
        done = self.try_podman("run", "--rm", "--publish", "127.0.0.1::80", BASE, "true")
        if done.code:
            raise CannotRun(str(done))

    def make_base(self):
        """A minimal Debian from the mirror that this machine uses."""
        form = ["--format", "$(REPO_URI) $(SUITE) $(RELEASE)", "Created-By: Packages"]
        for line in self.command(["apt-get", "indextargets", *form]).output.splitlines():
            mirror, _, release = line.split()
            if release == "bookworm":
                break
        else:
            raise Failed("apt-get knows no mirror of bookworm")
        tree = pathlib.Path(self.folder, "base")
        made = self.command(["debootstrap", "--variant=minbase", "bookworm", tree, mirror], 600)
        if made.code:
            raise Failed(f"debootstrap: {made.output[-1500:]} {made.errors[-500:]}")
        (tree / "etc/apt/apt.conf.d/90-old-mirror").write_text(APT_CONF)
        packed = self.command(["tar", "-C", tree, "--exclude=./var/cache/apt/archives/*.deb", "-cf", CACHE / "base.part", "."])
        if packed.code:
            raise Failed(f"tar: {packed}")
        os.rename(CACHE / "base.part", CACHE / "base.tar")
        shutil.rmtree(tree, ignore_errors=True)
