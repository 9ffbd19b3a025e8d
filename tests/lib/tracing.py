"""System calls of a running server that fail or take long: strace, where it is there and allowed."""

import shutil
import signal
import subprocess


def traced(server, call, effect):
    """strace on the server, once it has begun: `call` has `effect` from now on ("error=EIO", "delay_enter=5000" in
    microseconds). None where that is not possible."""
    if shutil.which("strace") is None:
        print("    (no strace: left out)")
        return None
    tracer = subprocess.Popen(
        ["strace", "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:{effect}", "-p",
         str(server.process.pid)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if b"attached" in tracer.stderr.readline():
        return tracer
    print("    (strace may not attach: left out)")
    detach(tracer)
    return None


def detach(tracer):
    """The server goes on as usual, if it still runs."""
    if tracer.poll() is None:
        tracer.send_signal(signal.SIGINT)
    tracer.wait()
    tracer.stderr.close()
