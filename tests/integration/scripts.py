#!/usr/bin/python3
"""Scripts and functions beside stock redis-server: the same requests, and replies that are the same byte for byte.

script_cases/ holds the requests, thousands of them; nobody wrote down what is right. Both servers are asked over RESP2
and RESP3, ours with one core and with four. Under a sanitizer a share of them is asked once.

    scripts.py [PART]             repeats a part
    SEED=n scripts.py made        repeats the scripts that are made at random
    CASE="call 12" scripts.py     plays one case
"""

import os
import pathlib
import random
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from checks import run_parts  # noqa: E402
from replicating import GONE, OURS, SEED, THEIRS, Host, ours_is_tested  # noqa: E402
from resp_client import RawClient, parsed  # noqa: E402
from sanitized import SANITIZED, share  # noqa: E402
from script_cases import calls, commands, conversions, functions, hostile, libraries, lua_values, sandbox  # noqa: E402

VARIANTS = [(threads, resp) for threads in (1, 4) for resp in (2, 3)]
FRESH = [("FLUSHALL",), ("FUNCTION", "FLUSH", "SYNC"), ("SCRIPT", "FLUSH", "SYNC")]

# Case -> why this server answers otherwise. What is here and is answered alike is a failed check, too.
ALLOWED = {
    "error 182": "pcall without a function is an error here, as in Lua",
    "debugger 0": "scripts have no debugger here",
    "order of long keys 0": "Debian's Lua hashes long strings in another way; nobody promises an order of pairs()",
}


def answers(checks, make, threads, resp, cases):
    """{title: the replies as they were on the wire}; each case on a connection of its own, before an empty server. A new
    server takes the place of one that died."""
    found, left = {}, list(cases)
    while left:
        with Host(make, ["--slowlog-log-slower-than", "-1"], threads=threads) as server:
            try:
                while left:
                    case = left.pop(0)
                    found[case.title] = replies(server, resp, case)
                checks.true(f"{make} lives", server.alive())
            except GONE as trouble:
                checks.true(f"{make}, RESP{resp}, {threads} threads, CASE={case.title!r} is answered", False, f"{trouble!r}")
    return found


def replies(server, resp, case):
    with RawClient(server.address, resp, timeout=60) as client:
        for request in FRESH:
            client.exchange(*request)
        return [client.exchange(*request) for request in case.requests]


def plain(reply):
    """Without the order of what is in it."""
    return sorted((plain(one) for one in reply), key=repr) if isinstance(reply, (list, tuple)) else reply


def same(case, ours, theirs):
    if ours == theirs or not case.any_order:
        return ours == theirs
    return [plain(parsed(reply)) for reply in ours] == [plain(parsed(reply)) for reply in theirs]


def first_difference(case, ours, theirs):
    index = next(i for i, (our, their) in enumerate(zip(ours, theirs)) if our != their)
    words = " ".join(shown(word) for word in case.requests[index])
    return f"request {index}: {words[-900:]}\n    ours  {ours[index][:700]!r}\n    redis {theirs[index][:700]!r}"


def shown(word):
    return repr(word) if isinstance(word, bytes) or not str(word).isprintable() or " " in str(word) else str(word)


def compare(checks, families):
    wanted = os.environ.get("CASE")
    cases = [case for family in families for case in family if wanted in (None, case.title)]
    checks.true("no title twice", len({case.title for case in cases}) == len(cases))
    variants = VARIANTS if ours_is_tested() else VARIANTS[:2]
    if SANITIZED and wanted is None:
        cases, variants = share(cases, SEED), [random.Random(SEED).choice(variants)]
    expected = {resp: answers(checks, THEIRS, 1, resp, cases) for resp in {resp for _, resp in variants}}
    for threads, resp in variants:
        got = answers(checks, OURS, threads, resp, cases)
        for case in cases:
            if case.title in got and case.title in expected[resp]:
                judge(checks, f"RESP{resp}, {threads} threads", case, got[case.title], expected[resp][case.title])


def judge(checks, variant, case, ours, theirs):
    alike = same(case, ours, theirs)
    if case.title in ALLOWED and ours_is_tested():
        checks.true(f"{variant}, CASE={case.title!r} is a difference", not alike, "not any more: take it off the list")
    else:
        checks.true(f"{variant}, CASE={case.title!r}", alike, "" if alike else first_difference(case, ours, theirs))


def conversion(checks):
    compare(checks, conversions.FAMILIES)


def called(checks):
    compare(checks, calls.FAMILIES)


def values(checks):
    compare(checks, lua_values.FAMILIES)


def library(checks):
    compare(checks, libraries.FAMILIES)


def sandboxed(checks):
    compare(checks, sandbox.FAMILIES)


def deep(checks):
    compare(checks, hostile.FAMILIES)


def evals(checks):
    compare(checks, commands.FAMILIES)


def function(checks):
    compare(checks, functions.FAMILIES)


LIBRARIES = [functions.PLAIN, functions.WRITER, functions.READER, functions.TWO]


def restored(client, before, payload, policy):
    """What RESTORE answers where there is something already, and what is there then. Which of several collisions it names
    depends on the order in a table."""
    client.call("FUNCTION", "FLUSH")
    for text in before:
        client.call("FUNCTION", "LOAD", text)
    reply = re.sub(rb"(Library|Function) \S+ already", rb"\1 ... already", client.call("FUNCTION", "RESTORE", payload, *policy))
    return reply, plain(client.call("FUNCTION", "LIST", "WITHCODE")), client.call("FCALL", "up", 0), client.call("FCALL", "look",
        1, "k")


def function_payloads(checks):
    """FUNCTION DUMP of either is RESTOREd by both, beside what is there or in place of it."""
    changed = [text.replace("'look'", "'other'") for text in LIBRARIES] + [functions.PLAIN.replace("'f'", "'look'")]
    with Host(OURS) as server, Host(THEIRS) as stock, server.client() as our, stock.client() as their:
        for title, libraries in (("nothing", []), ("one", LIBRARIES[2:3]), ("all", LIBRARIES),
                ("large", [functions.TWO + "\n--" + "x y z" * 20000])):
            for maker, name in ((our, "ours"), (their, "theirs")):
                restored(maker, libraries, b"", [])
                payload = maker.call("FUNCTION", "DUMP")
                for number, before in enumerate([[], LIBRARIES[2:3], LIBRARIES, changed, changed[-1:],
                        [functions.TWO.replace("'up'", "'look'")]]):
                    for policy in ([], ["APPEND"], ["REPLACE"], ["FLUSH"], ["flush"], ["nosuch"]):
                        checks.equal(f"{title} of {name}, beside set {number}, {policy}", restored(our, before, payload, policy),
                                     restored(their, before, payload, policy))


def made(checks):
    print(f"    repeat with SEED={SEED} scripts.py made")
    compare(checks, [lua_values.made(SEED), libraries.made_json(SEED), libraries.made_values(SEED), libraries.made_msgpack(SEED), libraries.made_struct(SEED)])


def every_command(checks):
    """Whatever stock Redis has, called from a script with too little and with nonsense."""
    with Host(THEIRS) as stock:
        names = {name.decode() for name in stock.ask("COMMAND", "LIST")}
        containers = {name.split("|")[0] for name in names if "|" in name}
    compare(checks, [commands.every_command({name for name in names if "|" not in name} - containers,
        {name for name in names if "|" in name})])


if __name__ == "__main__":
    sys.exit(run_parts([conversion, called, values, library, sandboxed, deep, evals, function, function_payloads, made,
        every_command]))
