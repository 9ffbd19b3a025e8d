#!/usr/bin/python3
"""Scripts that want the server's time, memory, stack or inside: each ends with an error or a result, the next request is
answered, and memory is back where it was.

    hostile_scripts.py [PART]                   repeats a part
    SEED=n hostile_scripts.py                   repeats its choices (and with CINNABAR_PRESET=tsan those of a sanitizer)
    BOMBS=all hostile_scripts.py memory_bombs   plays all of them
"""

import os
import pathlib
import random
import struct
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from checks import Skipped, run_parts  # noqa: E402
from rdb_payloads import crc64  # noqa: E402
from replicating import OURS, SEED, Host, figures, ours_is_tested, pipelined  # noqa: E402
from resp_client import ErrorReply, RawClient  # noqa: E402
from sanitized import PRESET, share  # noqa: E402
from script_cases import functions, hostile, sandbox  # noqa: E402
from server_process import wait_until  # noqa: E402

MEGABYTE = 1 << 20
RETURNED_BYTES = 8 * MEGABYTE   # what a bomb may leave behind, once scripts are flushed
PEAK_BYTES = 4096 * MEGABYTE    # what it may take meanwhile
KILLED = b"ERR Error running script"

LOOPS = [
    "while true do end", "repeat until false", "for i = 1, math.huge do end", "local i = 0 while true do i = i + 1 end",
    "local function f() return f() end f()", "for _ in function() return 1 end do end",
    "while true do pcall(error) end", "while true do pcall(error, {}) end",
    "pcall(function() while true do end end) while true do end", "while true do pcall(function() while true do end end) end",
    "local function f() while true do pcall(f) end end f()", "coroutine.wrap(function() while true do end end)()",
    "local c = coroutine.wrap(function() while true do coroutine.yield() end end) while true do c() end",
    "while true do redis.call('PING') end", "while true do redis.pcall('nosuch') end",
    "while true do pcall(redis.call, 'nosuch') end", "while true do redis.pcall('GET', 'k') redis.call('EXISTS', 'k') end",
    "while true do string.gsub(('x'):rep(100), '.', function() end) end",
    "string.gsub('x', '.', function() while true do end end)",
    "while true do table.sort({3, 2, 1}, function(a, b) return a < b end) end",
    "table.sort({3, 2, 1}, function() while true do end end)",
    "local t = setmetatable({}, {__index = function() while true do end end}) return t.x",
    "tostring(setmetatable({}, {__tostring = function() while true do end end}))",
    "local t = setmetatable({}, {__eq = function() while true do end end}) return t == setmetatable({}, getmetatable(t))",
    "while true do load(function() while true do end end) end", "while true do loadstring('return 1')() end",
    "while true do cjson.decode(cjson.encode({1, {2}})) end", "while true do cmsgpack.unpack(cmsgpack.pack({1, {2}})) end",
    "while true do local t = {} for i = 1, 100 do t[i] = {} end end",
    "while true do local s = ('x'):rep(1000) .. math.random() end",
    "while true do collectgarbage() end", "while true do redis.sha1hex('x') end",
    "while true do setmetatable({}, {__index = {}}) end", "for k in pairs(setmetatable({1}, {})) do while true do end end",
    "while true do redis.log(redis.LOG_DEBUG, 'x') end",
    "while true do string.find(('a'):rep(20), 'a*a*b') end", "while true do select('#', unpack({}, 1, 1000)) end",
    "local f = coroutine.wrap(function() error('x') end) while true do pcall(f) end", "while true do math.randomseed(1) end",
]
# Stock 7.0 cannot end these.
LOOPS_THAT_CATCH = [
    "while true do xpcall(function() while true do end end, function() while true do end end) end",
    "xpcall(error, function() while true do end end)",
    "while true do pcall(coroutine.wrap(function() while true do end end)) end",
    "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
    "while true do local c = coroutine.create(function() pcall(function() while true do end end) end) coroutine.resume(c) coroutine.resume(c) end",
    "string.find(('a'):rep(1000), ('a*'):rep(20) .. 'b')",
    "while true do pcall(string.find, ('a'):rep(1000), ('.-'):rep(20) .. 'b') end", "string.match(('('):rep(10000000), '%b()')",
    "while true do pcall(load, function() return ' ' end) end", "local function f() while true do xpcall(f, f) end end f()",
    "local t = {1} for i = 1, 60 do t = {t, t} end return cjson.encode(t)",
    "local t = {1} for i = 1, 60 do t = {a = t, b = t} end while true do pcall(cjson.encode, t) end",
    "local s = '[' .. ('[],'):rep(1e6) .. '0]' while true do pcall(cjson.decode, s) end",
    "while true do pcall(pcall, pcall, coroutine.wrap(function() while true do pcall(error) end end)) end",
]

BOMBS = [
    "local s = 'x' while true do s = s .. s end", "local t = {} for i = 1, math.huge do t[i] = i end",
    "local t = {} for i = 1, math.huge do t['key' .. i] = i end",
    "local t = {} for i = 1, math.huge do t[i] = redis.sha1hex(i):rep(25) end",
    "local t = {} for i = 1, math.huge do t[i] = {} end",
    "local t = {} while true do t = {t, t} local u = {} for i = 1, 1000 do u[i] = t end t = u end",
    "local s = ('x'):rep(1e6) local t = {} for i = 1, math.huge do t[i] = s .. i end",
    "local t = {} for i = 1, math.huge do t[i] = coroutine.create(function() coroutine.yield() end) coroutine.resume(t[i]) end",
    "local t = {} for i = 1, math.huge do t[i] = function() return i end end", "return string.rep('x', 2^40)",
    "return string.rep('x', 1e18)",
    "return #string.rep('x', 2^33)", "return #string.rep(string.rep('x', 1e6), 1e6)",
    "local t = {} for i = 1, 200 do t[i] = ('x'):rep(1e6) end return #table.concat(t, ('y'):rep(1e8))",
    "return #string.gsub(('x'):rep(1e7), '.', ('y'):rep(1e6))",
    "return #string.gsub(('x'):rep(1e5), '.', function() return ('y'):rep(1e6) end)",
    "return #string.format(('%s'):rep(200), unpack((function() local t = {} for i = 1, 200 do t[i] = ('x'):rep(1e7) end return t end)()))",
    "local t = {} for i = 1, math.huge do t[i] = loadstring('return ' .. i) end",
    "local s = '[1' for i = 1, 26 do s = s .. ',' .. s:sub(2) end return #cjson.decode(s .. ']')",
    "local t = {('x'):rep(1e6)} for i = 1, 30 do t = {t, t} end return #cjson.encode(t)",
    "local t = {('x'):rep(1e6)} for i = 1, 12 do t = {t, t} end return #cmsgpack.pack(t)",
    "local t = {} for i = 1, 60 do t = {t, t} end return #cjson.encode(t)",
    "local t = {('\\0'):rep(1e5)} for i = 1, 30 do t = {a = t, b = t} end return #cjson.encode(t)",
    "cjson.encode_sparse_array(true, 0) return #cjson.encode({[2^31-1] = 1})",
    "return #cjson.decode('[' .. ('{},'):rep(1e7) .. '1]')",
    "local t = {} for i = 1, 1e6 do t[i] = '\"k' .. i .. '\":[[]]' end local s = '{' .. table.concat(t, ',') .. '}' t = {} for i = 1, math.huge do t[i] = cjson.decode(s) end",
    "return #struct.pack(('x'):rep(1e6):rep(1e4))",
    "while true do local ok, e = pcall(function() local s = 'x' while true do s = s .. s end end) if not ok then return e end end",
    "local ok, e = pcall(function() local t = {} for i = 1, math.huge do t[i] = {i} end end) return {tostring(ok), tostring(e)}",
    "local c = coroutine.wrap(function() local t = {} for i = 1, math.huge do t[i] = {i} end end) c()",
    "local t = {} for i = 1, math.huge do t[i] = redis.call('ECHO', redis.sha1hex(i):rep(2500)) end",
    "local t = {} for i = 1, math.huge do t[#t + 1] = redis.pcall('nosuch' .. i) end",
    "load(function() return ('x'):rep(1e6) end)", "return loadstring('return ' .. ('{'):rep(1e8))",
    "local s = 'return {' .. ('1,'):rep(1e8) .. '}' return #loadstring(s)()", "return redis.sha1hex(('x'):rep(2^34))",
    "return redis.call('ECHO', ('x'):rep(2^33))",
    "redis.call('SET', 'k', ('x'):rep(600 * 1024 * 1024))",
]
# Too deep for the C stack of an interpreter that does not count; uncaught errors without a text.
OURS_ONLY = [
    "return {pcall(string.find, ('a'):rep(500000), ('a?'):rep(500000) .. 'b')}",
    "return {pcall(string.match, ('a'):rep(1000000), ('a-'):rep(200000) .. '$')}",
    "return {pcall(string.find, ('('):rep(300000), ('%('):rep(300000))}",
    "return {pcall(string.gsub, ('a'):rep(400000), ('a?'):rep(400000), 'x')}", "error({})", "error({1, 2})", "error({ok = 'x'})",
    "error({code = 1})", "error({err = {}})", "error({err = true})",
    "error(setmetatable({}, {__tostring = function() return 'shown' end}))",
    "error(setmetatable({}, {__index = {err = 'inherited'}}))", "error(redis.status_reply('fine'))",
    "error(setmetatable({}, {__index = function() error('again') end}))",
    "return setmetatable({}, {__index = function() error('while it is turned into a reply') end})",
    "return setmetatable({}, {__index = function() while true do return 1 end end})",
    "local t = setmetatable({}, {__index = function(t, k) return t end}) return t",
]
REPLIES = [
    ("local t = {} for i = 1, 200000 do t[i] = i end return t", 200000),
    ("local t = {} for i = 1, 50000 do t[i] = 'value ' .. i end return t", 50000), ("return ('x'):rep(10 * 1024 * 1024)", 1),
    ("local t = {} for i = 1, 100 do local u = {} for j = 1, 1000 do u[j] = j end t[i] = u end return t", 100100),
    ("local s = ('y'):rep(100000) local t = {} for i = 1, 100 do t[i] = s end return t", 100),
    ("local t = {} for i = 1, 18 do t = {t, t} end return t", 2 ** 19 - 2),
    ("return redis.call('LRANGE', 'list', 0, -1)", 200000),
    ("local t = {} for i = 1, 30000 do t[i] = {ok = 'fine'} end return t", 30000),
    ("local t = {} for i = 1, 30000 do t[i] = {err = 'Bad one'} end return t", 30000),
    ("local m = {} for i = 1, 200000 do m[i] = i end return {map = m}", 400000), ("return {err = ('e'):rep(1000000)}", 1),
    ("return {ok = ('o'):rep(1000000)}", 1),
]
SANITY = ("local r = {} for _, part in ipairs({{'string', ('ab'):rep(2)}, {'format', ('%d'):format(3)}, {'json', cjson.encode({1, {a = 2}})}, {'call', redis.call('ECHO', 'x')}, {'pcall', type(redis.pcall('nosuch'))}, "
          "{'sort', (function() local t = {2, 1} table.sort(t) return t[1] end)()}, {'sub', (('x'):gsub('x', 'y'))}, {'none', tostring(rawget(_G, 'a'))}, {'bit', bit.band(7, 5)}, {'struct', #struct.pack('i', 1)}, "
          "{'pack', cmsgpack.unpack(cmsgpack.pack(5))}}) do r[#r + 1] = part[1] .. '=' .. tostring(part[2]) end return table.concat(r, ' ')")
SANE = b'string=abab format=3 json=[1,{"a":2}] call=x pcall=table sort=1 sub=y none=nil bit=5 struct=4 pack=5'


def sane(checks, name, client):
    """Whether scripts work as on the first day."""
    return checks.equal(f"{name}: afterwards", client.call("EVAL", SANITY, 0), SANE)


def used(client):
    """What is in use once nothing is kept for scripts."""
    for request in (("FLUSHALL", "SYNC"), ("SCRIPT", "FLUSH", "SYNC"), ("FUNCTION", "FLUSH", "SYNC"), ("MEMORY", "PURGE")):
        client.call(*request)
    return int(figures(client.call("INFO", "memory"))["used_memory"])


def given_back(checks, name, client, before):
    back = wait_until(lambda: used(client) <= before + RETURNED_BYTES, 20)
    checks.true(f"{name}: memory is given back", back, f"{used(client):,} bytes in use, {before:,} before")


def peak_bytes(server):
    """The greatest RSS since the last time this was asked."""
    with open(f"/proc/{server.process.pid}/status") as file:
        peak = next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))
    with open(f"/proc/{server.process.pid}/clear_refs", "w") as file:
        file.write("5")
    return peak


def endless_loops(checks):
    """Each can be killed; its client learns it, and goes on."""
    with Host(OURS, ["--busy-reply-threshold", "1"]) as server, server.client() as one, server.client() as other:
        before = used(other)
        for text in share(LOOPS + (LOOPS_THAT_CATCH if ours_is_tested() else []), SEED):
            one.send("EVAL", text, 0)
            killed = wait_until(lambda: other.call("SCRIPT", "KILL") == b"OK", 30)
            if not checks.true(f"{text}: can be killed", killed, other.call("SCRIPT", "KILL")):
                return
            reply = one.read()
            checks.true(f"{text}: its client learns it", isinstance(reply, ErrorReply) and b"Script killed by user" in reply,
                reply)
            checks.equal(f"{text}: its client goes on", one.call("PING"), b"PONG")
        sane(checks, "loops", one)
        given_back(checks, "loops", other, before)


def memory_bombs(checks):
    """An error that says so, while others are answered; and not all memory of the machine."""
    if not ours_is_tested():
        raise Skipped("stock redis-server sets scripts no limit of memory")
    if PRESET == "tsan":
        raise Skipped("TSan takes several times the memory itself")
    # All of them take minutes; a few, drawn by the seed, are played each time.
    texts = BOMBS if os.environ.get("BOMBS") == "all" else random.Random(f"{SEED} bombs").sample(BOMBS, 3)
    print(f"    repeat with SEED={SEED} hostile_scripts.py memory_bombs")
    with Host(OURS, ["--busy-reply-threshold", "1"]) as server, server.client(timeout=300) as one, \
            server.client(timeout=300) as other:
        before = used(other)
        peak_bytes(server)
        for text in texts:
            name = text[:90]
            one.send("EVAL", text, 0)
            answer = other.call("ECHO", "x")
            checks.true(f"{name}: others are answered", answer == b"x" or answer.startswith(b"BUSY"), answer)
            reply = one.read()
            checks.true(f"{name}: an error of memory, or a result", not isinstance(reply, ErrorReply) or b"memory" in reply, reply)
            peak = peak_bytes(server)
            checks.true(f"{name}: memory has a limit", peak < PEAK_BYTES, f"{peak:,} bytes")
            sane(checks, name, one)
            given_back(checks, name, other, before)


def deep_ends(checks):
    """What is too deep for the interpreter, too hard to match, or no error at all."""
    texts = share(hostile.RECURSION + hostile.ENDLESS + hostile.PATTERNS + hostile.SORTS +
        (OURS_ONLY if ours_is_tested() else []), SEED)
    with Host(OURS) as server, server.client() as other:
        before = used(other)
        for text in texts:
            with RawClient(server.address, timeout=120) as client:
                reply = client.exchange("EVAL", text, 0)
                checks.true(f"{text[:90]}: is answered", reply != b"")
                checks.equal(f"{text[:90]}: goes on", client.exchange("ECHO", "x"), b"$1\r\nx\r\n")
        sane(checks, "depths", other)
        given_back(checks, "depths", other, before)


def huge_replies(checks):
    """They arrive whole, and whoever goes away in the middle leaves nothing."""
    for resp in (2, 3):
        with Host(OURS) as server, server.client() as other:
            before = used(other)
            for text, count in REPLIES:
                pipelined(other, [("RPUSH", "list", *[b"element"] * 1000)] * 200)
                with RawClient(server.address, resp, timeout=120) as client:
                    reply = client.exchange("EVAL", text, 0)
                    got = max(1, sum(reply.count(b"\r\n" + kind) for kind in (b":", b"$", b"*", b"+", b"-")))
                    checks.equal(f"RESP{resp}, {text[:60]}: parts of the reply", got, count)
                    checks.equal(f"{text[:60]}: goes on", client.exchange("ECHO", "x"), b"$1\r\nx\r\n")
                with server.client(resp) as client:
                    client.send("EVAL", text, 0)
                given_back(checks, text[:60], other, before)
            checks.true("only one client is left", wait_until(lambda: other.call("CLIENT", "LIST").count(b"\n") == 1))


def escapes(checks):
    """Whatever is tried to reach others through what scripts share, from scripts and from functions."""
    with Host(OURS, threads=2) as server, server.client() as one, server.client() as other:
        touched = share(sandbox.TOUCHED + sandbox.OF_OS, SEED)
        for text in touched + [f"pcall(function() {text} end)" for text in touched]:
            one.call("EVAL", text, 1, "k", "v")
            one.call("FUNCTION", "LOAD", "REPLACE",
                f"#!lua name=l\nredis.register_function('f', function(KEYS, ARGV) {text} end)\n")
            one.call("FCALL", "f", 1, "k", "v")
            one.call("FUNCTION", "LOAD", "REPLACE", f"#!lua name=m\n{text}\n")
            sane(checks, text, one)
        sane(checks, "another client", other)
        checks.equal("functions", other.call("FUNCTION", "LOAD",
            f"#!lua name=n\nredis.register_function('sane', function() {SANITY} end)"), b"n")
        checks.equal("afterwards, in a function", other.call("FCALL", "sane", 0), SANE)


def bytecode(checks):
    """What string.dump makes is text to nobody: not whole, not damaged, by no way."""
    chance = random.Random(f"{SEED} bytecode")
    print(f"    repeat with SEED={SEED} hostile_scripts.py bytecode")
    with Host(OURS) as server, server.client() as client:
        code = client.call("EVAL", "return string.dump(function() return redis.call('PING') end)", 0)
        if isinstance(code, ErrorReply):
            code = b"\x1bLuaQ\0\1\4\x08\4\x08\0" + bytes(200)
        texts = [code, code[:12], b"\x1b", b"\x1bLua", *[damaged(code, chance) for _ in range(200)]]
        for text in [text for text in texts if text.startswith(b"\x1b")]:
            checks.true("EVAL", isinstance(client.call("EVAL", text, 0), ErrorReply), text)
            checks.true("SCRIPT LOAD", isinstance(client.call("SCRIPT", "LOAD", text), ErrorReply), text)
            checks.true("FUNCTION LOAD", isinstance(client.call("FUNCTION", "LOAD", b"#!lua name=x\n" + text), ErrorReply), text)
            checks.equal("loadstring", client.call("EVAL", "return type((loadstring(ARGV[1])))", 0, text), b"nil")
            checks.equal("load",
                client.call("EVAL", "local n = 0 return type((load(function() n = n + 1 return ARGV[1]:sub(n, n) end)))", 0,
                text), b"nil")
        sane(checks, "bytecode", client)


def damaged(data, chance):
    data = bytearray(data)
    for _ in range(chance.randrange(1, 6)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(data)


DECODERS = [
    "return {pcall(cmsgpack.unpack, ARGV[1])}", "return {pcall(cmsgpack.unpack_limit, ARGV[1], 3, 1)}",
    "return {pcall(cjson.decode, ARGV[1])}", "return {pcall(struct.unpack, ARGV[1], ARGV[1])}",
    "return {pcall(struct.pack, ARGV[1], 1, 'x', 2.5, 'y')}",
    "return {pcall(struct.size, ARGV[1])}", "return {pcall(string.format, ARGV[1], 1, 'x', 2.5, 'y')}",
    "return {pcall(string.find, ARGV[1], ARGV[1]:sub(1, 20))}",
    "return {pcall(string.gsub, 'some text', ARGV[1]:sub(1, 20), ARGV[1])}", "return {pcall(loadstring, ARGV[1])} and 1",
    "return {pcall(cmsgpack.unpack, ARGV[1]:rep(1000))} and 1", "return {pcall(tonumber, ARGV[1])}",
    "return {pcall(bit.tohex, ARGV[1])}", "return {pcall(redis.call, ARGV[1], ARGV[1])}", "return redis.pcall('ECHO', ARGV[1])",
]
BLOBS = [b"[" * 100000, b"{\"a\":" * 100000, b"\x91" * 100000, b"\x81\x01" * 100000, b"\xdd\xff\xff\xff\xff",
    b"\xdf\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", b"\xdc\xff\xff" * 50, b"\xc9\xff\xff\xff\xff\1", b"c2147483647",
    b"c4294967296", b"i2147483648", b"x" * 100000,
         b"!9999999999b", b"s" * 5000, b"bc0" * 1000, b"%" * 1000, b"%999d", b"%.999f", b"\"\\u", b"\"" + b"\\ud800" * 1000,
         b"1" * 100000, b"-" * 1000, b"0x" + b"f" * 1000, b"1e" + b"9" * 100, b"\0" * 1000, b"" , b"(" * 500, b"[^]" * 100,
         b"%b" * 50]


def random_bytes(checks):
    """Bytes at random, and bytes with a purpose, to whatever decodes something."""
    chance = random.Random(f"{SEED} bytes")
    letters = [bytes(range(256)), b"bBhHiIlLfdsxc<>=!0123456789 ", b"[]{},:\"\\u0019eE+-.truefalsn ", b"%abcdsxq()[]^$*+-?.0159",
        bytes(range(0x80, 0xe0))]
    blobs = share(BLOBS + [bytes(chance.choice(alphabet) for _ in range(chance.randrange(40))) for alphabet in letters
        for _ in range(300)], SEED)
    with Host(OURS) as server, server.client(timeout=120) as client:
        before = used(client)
        print(f"    repeat with SEED={SEED} hostile_scripts.py random_bytes")
        for decoder in DECODERS:
            for first in range(0, len(blobs), 100):
                some = blobs[first:first + 100]
                replies = raw_replies(server, [("EVAL", decoder, 0, blob) for blob in some])
                checks.equal(f"{decoder}: all are answered", len(replies), len(some))
        sane(checks, "bytes", client)
        given_back(checks, "bytes", client, before)


def raw_replies(server, requests):
    with RawClient(server.address, timeout=120) as client:
        return [client.exchange(*request) for request in requests]


def damaged_libraries(checks):
    """FUNCTION RESTORE of a payload with damage behind a good checksum: refused as a whole, or taken as a whole."""
    chance = random.Random(f"{SEED} libraries")
    print(f"    repeat with SEED={SEED} hostile_scripts.py damaged_libraries")
    with Host(OURS) as server, server.client() as client:
        for text in (functions.PLAIN, functions.WRITER, functions.READER):
            client.call("FUNCTION", "LOAD", text)
        listed = sorted(client.call("FUNCTION", "LIST", "WITHCODE"), key=repr)
        body = client.call("FUNCTION", "DUMP")[:-8]
        for _ in range(1500):
            broken = damaged(body, chance) if chance.random() < 0.7 else body[:chance.randrange(len(body))]
            reply = client.call("FUNCTION", "RESTORE", broken + struct.pack("<Q", crc64(broken)), "FLUSH")
            if reply == b"OK":
                client.call("FUNCTION", "LIST", "WITHCODE")
                client.call("FUNCTION", "RESTORE", body + struct.pack("<Q", crc64(body)), "FLUSH")
            else:
                checks.true("an error", isinstance(reply, ErrorReply), reply)
                checks.equal("nothing has changed", sorted(client.call("FUNCTION", "LIST", "WITHCODE"), key=repr), listed)
        sane(checks, "libraries", client)


def many_scripts(checks):
    """Each text is new: all of them go with SCRIPT FLUSH. Libraries by the hundred, too."""
    with Host(OURS, threads=2) as server, server.client() as client:
        before = used(client)
        for first in range(0, 20000, 500):
            replies = pipelined(client, [("EVAL", f"return {number} -- {'x' * 500}", 0) for number in range(first, first + 500)])
            checks.equal("results", replies, list(range(first, first + 500)))
        given_back(checks, "texts", client, before)
        for number in range(300):
            client.call("FUNCTION", "LOAD",
                f"#!lua name=l{number}\nlocal t = {{}} for i = 1, 100 do t[i] = i end redis.register_function('f{number}', function() return t[#t] + {number} end)")
        checks.equal("the last function", client.call("FCALL", "f299", 0), 399)
        for _ in range(300):
            client.call("FUNCTION", "LOAD", "REPLACE",
                "#!lua name=l0\nredis.register_function('f0', function() return 'new' end)")
        checks.equal("the one that was replaced", client.call("FCALL", "f0", 0), b"new")
        given_back(checks, "libraries", client, before)


def gone_clients(checks):
    """Whoever sends a script and goes away: it runs to its end, and the next one is served."""
    with Host(OURS, threads=2) as server, server.client() as one:
        for number in range(300):
            with server.client() as client:
                client.send("EVAL", "for i = 1, 10000 do end return redis.call('INCR', KEYS[1])", 1, "n")
                if number % 3 == 0:
                    client.send("EVAL", "return ('x'):rep(1000000)", 0)
        checks.true("all have run", wait_until(lambda: one.call("GET", "n") == b"300"), one.call("GET", "n"))
        checks.true("nobody is left", wait_until(lambda: one.call("CLIENT", "LIST").count(b"\n") == 1))


if __name__ == "__main__":
    sys.exit(run_parts([endless_loops, memory_bombs, deep_ends, huge_replies, escapes, bytecode, random_bytes, damaged_libraries,
                        many_scripts, gone_clients]))
