"""Certificates and keys for tests, made with the `openssl` program in a folder of the caller's."""

import os
import subprocess

# What a certificate may be used for, in the old extension that the Redis suite's own certificates have; and the names of
# this machine, for clients that look at names.
EXTENSIONS = """[server]
keyUsage = digitalSignature, keyEncipherment
nsCertType = server
[client]
keyUsage = digitalSignature, keyEncipherment
nsCertType = client
[local]
subjectAltName = IP:127.0.0.1, DNS:localhost
[ca]
basicConstraints = critical, CA:TRUE
"""


class TlsFiles:
    """`kind` of key: "ec" is made in a moment; "rsa" is what some ciphers want."""

    def __init__(self, folder, kind="ec"):
        self.folder = folder
        self.kind = kind
        os.makedirs(folder, exist_ok=True)
        with open(self.path("extensions.cnf"), "w", encoding="ascii") as out:
            out.write(EXTENSIONS)

    def path(self, name):
        return os.path.join(self.folder, name)

    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], check=True, cwd=self.folder, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def key(self, name, password=None):
        """Makes NAME.key; with a password it is encrypted."""
        option = ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"] if self.kind == "ec" else ["RSA"]
        lock = [] if password is None else ["-aes256", "-pass", f"pass:{password}"]
        self.openssl("genpkey", "-algorithm", *option, *lock, "-out", f"{name}.key")

    def authority(self, name="ca"):
        """Makes NAME.key and NAME.crt, which signs itself; returns the certificate's path."""
        self.key(name)
        self.openssl("req", "-new", "-key", f"{name}.key", "-subj", f"/O=Test/CN=Authority {name}", "-out", f"{name}.csr")
        self.openssl("x509", "-req", "-in", f"{name}.csr", "-signkey", f"{name}.key", "-days", "3650",
                     "-extfile", "extensions.cnf", "-extensions", "ca", "-out", f"{name}.crt")
        return self.path(f"{name}.crt")

    def issue(self, name, authority="ca", subject=None, days=365, use=None, password=None):
        """Makes NAME.key and NAME.crt, signed by the authority; returns both paths. `days` < 0: it has expired.
        `use`: "server" or "client" limits what it is good for, "local" names this machine."""
        self.key(name, password)
        lock = [] if password is None else ["-passin", f"pass:{password}"]
        self.openssl("req", "-new", "-key", f"{name}.key", *lock, "-subj", subject or f"/O=Test/CN={name}",
                     "-out", f"{name}.csr")
        limits = [] if use is None else ["-extfile", "extensions.cnf", "-extensions", use]
        self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.crt", "-CAkey", f"{authority}.key",
                     "-CAcreateserial", "-days", str(days), *limits, "-out", f"{name}.crt")
        return self.path(f"{name}.crt"), self.path(f"{name}.key")

    def dh_parameters(self, name="dh.pem"):
        self.openssl("genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "group:ffdhe2048", "-out", name)
        return self.path(name)


def make_suite_files(folder):
    """The files that the Redis suite expects in tests/tls of its tree."""
    files = TlsFiles(folder, kind="rsa")
    files.authority("ca")
    files.issue("server", use="server")
    files.issue("client", use="client")
    files.issue("redis")
    files.dh_parameters("redis.dh")
