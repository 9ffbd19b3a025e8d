#!/usr/bin/python3
"""How the server ends, and what it leaves: signals, pid file, daemon, log file."""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from checks import run_parts  # noqa: E402
from resp_client import Client  # noqa: E402
from server_process import HOST, SECONDS_MAX, Server, free_port, program, wait_until  # noqa: E402


def ends_in_order(checks, number, name):
    with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder:
        pid_file = os.path.join(folder, "server.pid")
        with Server(["--pidfile", pid_file], threads=4) as server:
            clients = [server.client(unix=bool(i % 2)) for i in range(8)]
            for client in clients:
                client.call("SET", "k", "v")
            checks.equal("pid file", pathlib.Path(pid_file).read_text().strip(), str(server.process.pid))
            checks.true("Unix socket", os.path.exists(server.socket))
            server.process.send_signal(number)
            checks.equal("exit code", server.wait_exit(), 0)
            for client in clients:
                checks.equal("the connection is closed", client.read_until_closed(), b"")
            checks.contains("log", server.log_text(), f"Received {name} scheduling shutdown...")
            checks.contains("log", server.log_text(), "bye bye...")
            checks.true("the pid file is gone", not os.path.exists(pid_file))
            checks.true("the Unix socket is gone", not os.path.exists(server.socket))


def sigterm(checks):
    ends_in_order(checks, signal.SIGTERM, "SIGTERM")


def sigint(checks):
    ends_in_order(checks, signal.SIGINT, "SIGINT")


def sighup_is_ignored(checks):
    with Server() as server:
        server.process.send_signal(signal.SIGHUP)
        server.process.send_signal(signal.SIGPIPE)
        checks.true("alive", server.alive())


def shutdown_command(checks):
    with Server(threads=2) as server:
        with server.client() as client:
            client.send("SHUTDOWN", "NOSAVE")
            checks.equal("no reply", client.read_until_closed(), b"")
        checks.equal("exit code", server.wait_exit(), 0)


def log_file(checks):
    with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder:
        path = os.path.join(folder, "server.log")
        port = free_port()
        process = subprocess.Popen([program(), "--port", str(port), "--bind", HOST, "--dir", folder, "--logfile", path],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            ready = wait_until(lambda: os.path.exists(path) and "eady to accept" in pathlib.Path(path).read_text())
            checks.true("the file says that it is ready", ready)
        finally:
            process.terminate()
            output = process.communicate(timeout=SECONDS_MAX)[0]
        checks.equal("nothing on the terminal", output, b"")
        text = pathlib.Path(path).read_text()
        checks.contains("the end is in the file", text, "bye bye...")
        checks.true("lines begin as Redis's do", all(line.startswith(f"{process.pid}:") for line in text.splitlines()), text)


def is_running(pid):
    """Not a zombie either: in some containers nobody waits for orphans."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def daemon(checks):
    with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder:
        pid_file, log = os.path.join(folder, "server.pid"), os.path.join(folder, "server.log")
        port = free_port()
        started = subprocess.run([program(), "--daemonize", "yes", "--port", str(port), "--bind", HOST, "--dir", folder,
                                  "--pidfile", pid_file, "--logfile", log, "--threads", "2"], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS_MAX, check=False)
        checks.equal("the foreground ends at once", started.returncode, 0)
        pid = wait_until(lambda: os.path.exists(pid_file) and pathlib.Path(pid_file).read_text().strip())
        if not checks.true("a pid file", pid):
            return
        try:
            ready = wait_until(lambda: os.path.exists(log) and "eady to accept" in pathlib.Path(log).read_text())
            checks.true("ready", ready)
            with Client((HOST, port)) as client:
                checks.equal("it answers", client.call("PING"), b"PONG")
            checks.true("in a session of its own", os.getsid(int(pid)) != os.getsid(0))
        finally:
            os.kill(int(pid), signal.SIGTERM)
        checks.true("it ends", wait_until(lambda: not is_running(pid)))
        checks.true("the pid file is gone", not os.path.exists(pid_file))


if __name__ == "__main__":
    sys.exit(run_parts([sigterm, sigint, sighup_is_ignored, shutdown_command, log_file, daemon]))
