#!/usr/bin/env python3
"""What TLS costs: ours and redis-server in turn, one thread each, with the same certificates.

requests    GET and SET of 64 bytes over TLS by redis-benchmark, 50 connections, without a pipeline and at pipeline 16: CPU
            time of the server per operation
handshakes  500 connections that begin their handshakes at once: how long a client waits that is connected already (one
            request at a time, without pause), and how long it takes until all are connected

    bench/tls.py [--only requests,handshakes] [--reps 5] [--scale 1.0] [--server PATH]
"""

import contextlib
import multiprocessing
import os
import pathlib
import socket
import ssl
import subprocess
import sys
import tempfile
import time

from servers import CLIENT_CPU, HOST, Server, arguments, checked, in_turn, median, request, running, table

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "lib"))
from tls_files import TlsFiles  # noqa: E402

KEYS, VALUE_BYTES, CONNECTIONS = 100_000, 64, 50
CELLS = {"P1": (1, 300_000), "P16": (16, 2_000_000)}
CROWD = 500
PING, PONG = request("PING"), b"+PONG\r\n"


class TlsServer(Server):
    def __init__(self, name, path, files):
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            self.tls_port = probe.getsockname()[1]
        super().__init__(name, path, options=[
            "--tls-port", str(self.tls_port), "--tls-cert-file", files.path("server.crt"), "--tls-key-file",
            files.path("server.key"), "--tls-ca-cert-file", files.path("ca.crt"), "--tls-auth-clients", "no"])


# ---- requests --------------------------------------------------------------------------------------------------------


def benchmark(server, files, test, pipeline, count):
    """CPU nanoseconds of the server per operation."""
    command = ["taskset", "-c", CLIENT_CPU, "redis-benchmark", "-h", HOST, "-p", str(server.tls_port), "--tls", "--cacert",
               files.path("ca.crt"), "-c", str(CONNECTIONS), "-P", str(pipeline), "-n", str(count), "-t", test, "-d",
               str(VALUE_BYTES), "-r", str(KEYS), "-q"]
    cpu = server.cpu_nanos()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return (server.cpu_nanos() - cpu) / count


def requests(options, files):
    samples = {}
    with running(TlsServer("ours", options.server, files), TlsServer("redis", options.redis, files)) as servers:
        for server in servers:
            benchmark(server, files, "set", 16, 500_000)
        for repetition in range(options.reps):
            for cell, (pipeline, count) in CELLS.items():
                for test in ("get", "set"):
                    for server in in_turn(servers, repetition):
                        nanos = benchmark(server, files, test, pipeline, int(count * options.scale))
                        samples.setdefault((cell, test, server.name), []).append(nanos)
    print(f"## CPU time of the server per operation over TLS: {CONNECTIONS} connections, medians of {options.reps}\n")
    rows = []
    for cell in CELLS:
        for test in ("get", "set"):
            ours, redis = samples[cell, test, "ours"], samples[cell, test, "redis"]
            ratios = [one / other for one, other in zip(ours, redis)]
            rows.append([cell, test, f"{median(ours):,.0f}", f"{median(redis):,.0f}", f"**{median(ratios):.2f}**",
                         f"{min(ratios):.2f}–{max(ratios):.2f}"])
    table(["pipeline", "test", "ours ns", "redis ns", "ratio", "spread"], rows)


# ---- handshakes ------------------------------------------------------------------------------------------------------


def context_for(files):
    context = ssl.create_default_context(cafile=files.path("ca.crt"))
    context.check_hostname = False
    return context


def crowd(port, context, go, done):
    """In a process of its own: connects all, waits for the word, and shakes hands with all."""
    os.sched_setaffinity(0, {int(CLIENT_CPU)})
    waiting = []
    for _ in range(CROWD):
        plain = socket.create_connection((HOST, port), 60)
        plain.setblocking(False)
        waiting.append(context.wrap_socket(plain, do_handshake_on_connect=False))
    go.wait()
    left = list(waiting)
    while left:
        for one in list(left):
            with contextlib.suppress(ssl.SSLWantReadError):
                one.do_handshake()
                left.remove(one)
    done.set()


def waits(server, files):
    """(the waits in seconds of a client that was there before, how long the crowd took)"""
    context = context_for(files)
    go, done = multiprocessing.Event(), multiprocessing.Event()
    with context.wrap_socket(socket.create_connection((HOST, server.tls_port), 60)) as early:
        early.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        others = multiprocessing.Process(target=crowd, args=(server.tls_port, context, go, done))
        others.start()
        for _ in range(200):  # also until all of them have connected
            early.sendall(PING)
            early.recv(100)
            time.sleep(0.005)
        go.set()
        began, taken = time.monotonic(), []
        while not done.is_set():
            asked = time.monotonic()
            early.sendall(PING)
            if early.recv(100) != PONG:
                raise RuntimeError(f"{server.name} does not answer")
            taken.append(time.monotonic() - asked)
        took = time.monotonic() - began
        others.join()
    return taken, took


def handshakes(options, files):
    samples = {}
    with running(TlsServer("ours", options.server, files), TlsServer("redis", options.redis, files)) as servers:
        for repetition in range(options.reps):
            for server in in_turn(servers, repetition):
                samples.setdefault(server.name, []).append(waits(server, files))
    print(f"## A connected client while {CROWD} others shake hands, medians of {options.reps}\n")
    rows = []
    for name, runs in samples.items():
        p99 = [sorted(taken)[int(len(taken) * 0.99)] * 1e3 for taken, _ in runs]
        rows.append([name, f"**{median(p99):.2f}**", f"{median([max(taken) for taken, _ in runs]) * 1e3:.2f}",
                     f"{median([took for _, took in runs]):.2f}", f"{median([len(taken) for taken, _ in runs]):,.0f}"])
    table(["server", "p99 ms", "longest ms", "all connected after s", "requests meanwhile"], rows)


def main():
    options = checked(arguments(__doc__, only="requests,handshakes", reps=5, scale=1.0).parse_args())
    with tempfile.TemporaryDirectory() as folder:
        files = TlsFiles(folder)
        files.authority()
        files.issue("server")
        for name, experiment in (("requests", requests), ("handshakes", handshakes)):
            if name in options.only.split(","):
                experiment(options, files)
    return 0


if __name__ == "__main__":
    sys.exit(main())
