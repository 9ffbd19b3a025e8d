#!/usr/bin/python3
"""DUMP and RESTORE between this server and stock redis-server, both ways, for every type and encoding.

What one dumps the other takes; then both hold the same data in the same encoding. Payloads of older versions, which
nobody writes any more, are given to both, too. Payloads that are no values are refused, and leave nothing behind.
"""

import pathlib
import shutil
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from checks import run_parts  # noqa: E402
from key_content import content, without_times  # noqa: E402
from rdb_payloads import bad_payloads, contradicting_streams, new_payloads, old_payloads, payload, sample_commands, string  # noqa: E402
from resp_client import ErrorReply  # noqa: E402
from server_process import Server  # noqa: E402

REFERENCE = shutil.which("redis-server")
REFERENCE_OPTIONS = ["--save", "", "--sanitize-dump-payload", "yes"]
OUR_OPTIONS = ["--save", "", "--compat-version", "7.0"]


def make(client, commands):
    client.call("FLUSHALL")
    for command in commands:
        reply = client.call(*command)
        if isinstance(reply, ErrorReply):
            raise AssertionError(f"{command[:3]}: {reply!r}")


def compare(checks, name, source, target, data):
    """`data` was dumped by `source`, which still holds the value."""
    target.call("FLUSHALL")
    if checks.equal(f"{name}: RESTORE", target.call("RESTORE", "k", 0, data), b"OK"):
        checks.equal(f"{name}: content", content(target), content(source))


def exchange(checks, options=(), reference_options=()):
    with Server(options=[*OUR_OPTIONS, *options]) as ours, \
            Server(options=[*REFERENCE_OPTIONS, *reference_options], path=REFERENCE) as theirs, \
            ours.client() as our, theirs.client() as their:
        for name, commands in sample_commands():
            with checks.part(f"{checks.section}: {name}"):
                make(our, commands)
                make(their, commands)
                checks.equal("same commands, same content", without_times(content(our)), without_times(content(their)))
                checks.equal("dump by ours changes nothing", our.call("DUMP", "k"), our.call("DUMP", "k"))
                compare(checks, "ours to theirs", our, their, our.call("DUMP", "k"))
                make(their, commands)
                compare(checks, "theirs to ours", their, our, their.call("DUMP", "k"))
                digest = our.call("DEBUG", "DIGEST-VALUE", "k")
                make(our, commands)
                checks.equal("digest", our.call("DEBUG", "DIGEST-VALUE", "k"), digest)
                checks.equal("copy", our.call("COPY", "k", "copy"), 1)
                checks.equal("digest of the copy", our.call("DEBUG", "DIGEST-VALUE", "copy"), digest)
                checks.equal("content of the copy", content(our, "copy"), content(our))
                checks.true("memory of it", our.call("MEMORY", "USAGE", "k") > 0)
                checks.contains("debug object", our.call("DEBUG", "OBJECT", "k"), b"serializedlength:")


def every_encoding(checks):
    exchange(checks)


def not_compressed(checks):
    exchange(checks, ["--rdbcompression", "no"], ["--rdbcompression", "no"])


def compressed_lists(checks):
    options = ["--list-compress-depth", "1", "--list-max-listpack-size", "10"]
    exchange(checks, options, options)


def other_limits(checks):
    """The receiver's own limits decide about the encoding."""
    few = [word for limit in ("hash-max-listpack-entries", "zset-max-listpack-entries", "set-max-intset-entries")
           for word in (f"--{limit}", "2")]
    with Server(options=OUR_OPTIONS) as wide, Server(options=[*OUR_OPTIONS, *few]) as narrow, \
            wide.client() as one, narrow.client() as other:
        for name, commands in sample_commands():
            with checks.part(f"other_limits: {name}"):
                make(one, commands)
                make(other, commands)
                want = content(other)
                other.call("FLUSHALL")
                checks.equal("RESTORE", other.call("RESTORE", "k", 0, one.call("DUMP", "k")), b"OK")
                checks.equal("content and encoding", without_times(content(other)), without_times(want))
                checks.equal("digest", other.call("DEBUG", "DIGEST-VALUE", "k"), one.call("DEBUG", "DIGEST-VALUE", "k"))


def old_forms(checks):
    with Server(options=OUR_OPTIONS) as ours, Server(options=REFERENCE_OPTIONS, path=REFERENCE) as theirs, \
            ours.client() as our, theirs.client() as their:
        for name, data in old_payloads():
            with checks.part(f"old_forms: {name}"):
                our.call("FLUSHALL")
                their.call("FLUSHALL")
                checks.equal("reference takes it", their.call("RESTORE", "k", 0, data), b"OK")
                checks.equal("we take it", our.call("RESTORE", "k", 0, data), b"OK")
                checks.equal("content", content(our), content(their))
                compare(checks, "ours to theirs", our, their, our.call("DUMP", "k"))


def new_forms(checks):
    with Server(options=["--save", ""]) as ours, ours.client() as our:
        for name, data, questions in new_payloads() + contradicting_streams():
            with checks.part(f"new_forms: {name}"):
                our.call("FLUSHALL")
                checks.equal("RESTORE", our.call("RESTORE", "k", 0, data), b"OK")
                for command, reply in questions:
                    checks.equal(" ".join(command), our.call(*command), reply)
                again = our.call("DUMP", "k")
                encoding = our.call("OBJECT", "ENCODING", "k")
                checks.equal("our own payload", our.call("RESTORE", "k", 0, again, "REPLACE"), b"OK")
                checks.equal("encoding", our.call("OBJECT", "ENCODING", "k"), encoding)
                for command, reply in questions:
                    checks.equal(" ".join(command), our.call(*command), reply)


def bad_forms(checks):
    with Server(options=OUR_OPTIONS) as ours, ours.client() as our:
        for name, data in bad_payloads():
            checks.equal(name, our.call("RESTORE", "k", 0, data), b"ERR Bad data format")
            checks.equal(f"{name}: nothing is left", our.call("EXISTS", "k"), 0)
        whole = payload("string", string(b"a"))
        for name, data in [("a later version", payload("string", string(b"a"), 200)), ("a wrong byte", b"\1" + whole[1:]),
                           ("no footer", b"abc"), ("nothing", b""), ("a cut footer", whole[:-1])]:
            checks.equal(name, our.call("RESTORE", "k", 0, data), b"ERR DUMP payload version or checksum are wrong")


def damaged_payloads(checks):
    """Every byte of every dump, changed: refused, or another value, but never the end of the server."""
    from rdb_payloads import crc64
    import struct
    with Server(options=OUR_OPTIONS) as ours, ours.client() as our:
        for name, commands in sample_commands():
            make(our, commands)
            data = our.call("DUMP", "k")[:-8]
            step = max(1, (len(data) - 2) // 100)
            for at in range(0, len(data) - 2, step):
                broken = data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1:]
                reply = our.call("RESTORE", "other", 0, broken + struct.pack("<Q", crc64(broken)), "REPLACE")
                if reply == b"OK":
                    content(our, "other")
                else:
                    checks.equal(f"{name}, byte {at}", reply, b"ERR Bad data format")
        checks.true("the server lives", ours.alive())


if __name__ == "__main__":
    sys.exit(run_parts([every_encoding, not_compressed, compressed_lists, other_limits, old_forms, new_forms, bad_forms,
                        damaged_payloads]))
