"""Writes the seed corpus of restore_payload_fuzz: tests/fuzz_corpus/restore_payload_fuzz.

Values of every type and encoding as stock redis-server dumps them, and the forms that it no longer writes. A seed is
one byte that chooses the limits, then the payload without its footer. Needs redis-server.
"""

import hashlib
import pathlib
import shutil
import sys

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "lib"))

from rdb_payloads import bad_payloads, new_payloads, old_payloads, sample_commands  # noqa: E402
from server_process import Server  # noqa: E402

TARGET = ROOT / "tests" / "fuzz_corpus" / "restore_payload_fuzz"
FOOTER_BYTES = 10
SEED_BYTES_MAX = 6000  # larger ones make the fuzzer slow


def dumps():
    with Server(options=["--save", ""], path=shutil.which("redis-server")) as server, server.client() as client:
        for _, commands in sample_commands():
            client.call("FLUSHALL")
            for command in commands:
                client.call(*command)
            yield client.call("DUMP", "k")


def main():
    TARGET.mkdir(parents=True, exist_ok=True)
    for old in TARGET.iterdir():
        old.unlink()
    payloads = list(dumps())
    payloads += [one[1] for one in (*old_payloads(), *new_payloads(), *bad_payloads())]
    for data in payloads:
        body = data[:-FOOTER_BYTES]
        if len(body) <= SEED_BYTES_MAX:
            (TARGET / hashlib.sha1(body).hexdigest()[:16]).write_bytes(b"\4" + body)
    print(f"{len(list(TARGET.iterdir()))} seeds in {TARGET.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
