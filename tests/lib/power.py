"""A disk whose power can be cut: ext4 on a file, which ends as if nobody would write to it any more.

EXT4_IOC_SHUTDOWN without a flush of the journal: what was synced is there at the next mount, what only the page cache
knew is gone, and every write in between fails. `noauto_da_alloc` takes away the syncs that ext4 adds on its own when a
file is replaced by rename. File and mounts live in a mount namespace of the test (`in_own_namespace`), so that nothing
is left of them whatever ends the test. The file is in memory: a sync takes no time, and who forgets it is found out all
the same.
"""

import fcntl
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from checks import Skipped
from server_process import wait_until

EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = (2).to_bytes(4, sys.byteorder)
MEGABYTES = 512
NAMESPACE = "CINNABAR_TEST_NAMESPACE"


def in_own_namespace():
    """Starts this program anew in a mount namespace of its own, if that is allowed."""
    if NAMESPACE in os.environ or os.geteuid() != 0 or shutil.which("unshare") is None:
        return
    if subprocess.run(["unshare", "--mount", "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0:
        os.environ[NAMESPACE] = "1"
        os.execvp("unshare", ["unshare", "--mount", sys.executable, *sys.argv])


def run(*words):
    done = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise Skipped(f"no disk to cut the power of: {' '.join(done.args)}: {done.stdout.strip()}")


class Disk:
    """`folder` is where it is mounted. Skipped, where that is not possible."""

    def __enter__(self):
        if NAMESPACE not in os.environ:
            raise Skipped("no disk to cut the power of: no mount namespace of one's own")
        self.top = tempfile.mkdtemp(prefix="cinnabar-disk-")
        run("mount", "-t", "tmpfs", "-o", f"size={MEGABYTES + 8}m", "none", self.top)
        self.image = pathlib.Path(self.top, "image")
        self.folder = os.path.join(self.top, "disk")
        os.mkdir(self.folder)
        with open(self.image, "wb") as image:
            image.truncate(MEGABYTES << 20)
        run("mkfs.ext4", "-q", "-F", self.image)
        self.mount()
        return self

    def mount(self):
        run("mount", "-t", "ext4", "-o", "loop,noauto_da_alloc", self.image, self.folder)

    def cut(self):
        """From now on nothing reaches the disk."""
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, EXT4_IOC_SHUTDOWN, NO_LOG_FLUSH)
        finally:
            os.close(handle)

    def restore(self):
        """After a cut. REQUIRES: whoever used the disk has ended, or is about to."""
        if not wait_until(self.unmounted):
            raise RuntimeError(f"somebody still uses {self.folder}")
        self.mount()

    def unmounted(self):
        return subprocess.run(["umount", self.folder], stderr=subprocess.DEVNULL, check=False).returncode == 0

    def __exit__(self, *_):
        wait_until(self.unmounted, 10)
        subprocess.run(["umount", "--lazy", self.top], stderr=subprocess.DEVNULL, check=False)
        shutil.rmtree(self.top, ignore_errors=True)
