"""Servers that speak TLS, of either make, and clients for them."""

import os
import random
import shutil
import socket
import ssl
import tempfile

from replicating import OURS, Host
from resp_client import Client
from server_process import HOST, free_port
from tls_files import TlsFiles


class Files(TlsFiles):
    """What most tests want: an authority, another one, and certificates of both; all goes in the end."""

    def __init__(self):
        super().__init__(tempfile.mkdtemp(prefix="cinnabar-tls-"))

    def __enter__(self):
        for authority in ("ca", "other"):
            self.authority(authority)
        for name, authority in (("server", "ca"), ("client", "ca"), ("stranger", "other")):
            self.issue(name, authority)
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)

    def options(self, name="server"):
        return ["--tls-cert-file", self.path(f"{name}.crt"), "--tls-key-file", self.path(f"{name}.key"),
                "--tls-ca-cert-file", self.path("ca.crt")]

    def context(self, name="client", authority="ca", version=None, ciphers=None):
        """A client's side; without a name it shows no certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(self.path(f"{authority}.crt"))
        if name is not None:
            context.load_cert_chain(self.path(f"{name}.crt"), self.path(f"{name}.key"))
        if version is not None:
            context.minimum_version = context.maximum_version = version
        if ciphers is not None:
            context.set_ciphers(ciphers)
        return context


class TlsPort:
    """For a kind of Server: a TLS port beside the plain one. `own_options` stand behind those that this adds."""

    def __init__(self, files, *arguments, own_options=(), **more):
        self.files = files
        self.own_options = list(own_options)
        super().__init__(*arguments, **more)
        self.plain_options = list(self.options)

    def launch(self):
        self.tls_port = free_port()
        self.options = [*self.plain_options, "--tls-port", str(self.tls_port), *self.files.options(), *self.own_options]
        super().launch()

    @property
    def tls_address(self):
        return (HOST, self.tls_port)

    def tls(self, context=None, session=None):
        return TlsClient(self.tls_address, context or self.files.context(), session)


class TlsHost(TlsPort, Host):
    """A server that keeps data."""

    def __init__(self, files, make=OURS, options=(), **more):
        super().__init__(files, make, own_options=options, **more)

    def set(self, *words):
        return self.ask("CONFIG", "SET", *words)

    def follow_over_tls(self, target):
        return self.follow_address(*target.tls_address)


class TlsClient(Client):
    """One connection over TLS. Only one thread may use it."""

    def __init__(self, address, context, session=None, timeout=30, resp=2):
        plain = socket.create_connection(address, timeout)
        try:
            self.socket = context.wrap_socket(plain, session=session)
        except (OSError, ValueError):
            plain.close()
            raise
        self.buffer = b""
        if resp == 3:
            self.call("HELLO", "3")


def served(host, context):
    """Whether a client with this context is answered. With TLS 1.3 a refusal shows behind the handshake only."""
    try:
        with host.tls(context) as client:
            return client.call("PING") == b"PONG"
    except Exception as error:  # a refused client is told in many ways
        if isinstance(error, (ssl.SSLError, ConnectionError)) or type(error).__name__ == "Disconnected":
            return False
        raise


class SlowlyCutClient:
    """A TLS client whose bytes reach the server in pieces of random size, down to one byte."""

    def __init__(self, address, context, seed, piece_max=40):
        self.random = random.Random(seed)
        self.piece_max = piece_max
        self.socket = socket.create_connection(address, 30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing)
        self._until_done(self.tls.do_handshake)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def _send(self):
        data = self.outgoing.read()
        while data:
            size = self.random.randint(1, self.piece_max)
            self.socket.sendall(data[:size])
            data = data[size:]

    def _until_done(self, step):
        while True:
            try:
                result = step()
                self._send()
                return result
            except ssl.SSLWantReadError:
                self._send()
                piece = self.socket.recv(65536)
                if not piece:
                    raise ConnectionError("closed") from None
                self.incoming.write(piece)

    def exchange(self, data, size):
        """Sends, and reads until so many bytes have come."""
        self._until_done(lambda: self.tls.write(data))
        reply = b""
        while len(reply) < size:
            reply += self._until_done(lambda: self.tls.read(65536))
        return reply


def own_address():
    """An address of this machine that is not the loopback's, or None."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent
            address = probe.getsockname()[0]
        except OSError:
            return None
    return None if address.startswith("127.") else address


def stock_client():
    return shutil.which("redis-cli") or os.devnull
