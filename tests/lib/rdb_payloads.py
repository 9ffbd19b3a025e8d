"""Payloads for RESTORE in forms that current servers read but no longer write, and values of every form.

Layouts: ziplist, zipmap, and the value types of RDB files of Redis 2.x to 7.4. The checksum is CRC-64/Jones.
"""

import struct

VERSION = 10  # of RDB, which Redis 7.0 reads
TYPES = {"string": 0, "list": 1, "set": 2, "zset": 3, "hash": 4, "zset2": 5, "module": 7, "zipmap": 9,
         "list_ziplist": 10, "intset": 11, "zset_ziplist": 12, "hash_ziplist": 13, "quicklist": 14, "stream": 15,
         "hash_listpack": 16, "zset_listpack": 17, "quicklist2": 18, "stream2": 19, "set_listpack": 20, "stream3": 21,
         "hash_metadata_pre_ga": 22, "hash_listpack_ex_pre_ga": 23, "hash_metadata": 24, "hash_listpack_ex": 25}

_POLYNOMIAL = 0x95AC9329AC4BC9B5  # reflected 0xAD93D23594C935A9


def _table():
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ (_POLYNOMIAL if crc & 1 else 0)
        table.append(crc)
    return table


_TABLE = _table()


def crc64(data):
    crc = 0
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc


def payload(kind, body, version=VERSION):
    """What RESTORE takes: `kind` is a key of TYPES, or a number."""
    data = bytes([TYPES.get(kind, kind)]) + body + struct.pack("<H", version)
    return data + struct.pack("<Q", crc64(data))


def length(number):
    if number < 1 << 6:
        return bytes([number])
    if number < 1 << 14:
        return struct.pack(">H", 0x4000 | number)
    if number < 1 << 32:
        return b"\x80" + struct.pack(">I", number)
    return b"\x81" + struct.pack(">Q", number)


def string(data):
    data = data if isinstance(data, bytes) else str(data).encode()
    return length(len(data)) + data


def strings(*parts):
    return length(len(parts)) + b"".join(string(part) for part in parts)


def score_text(score):
    """A score as type 3 has it."""
    if score == float("inf"):
        return b"\xfe"
    if score == float("-inf"):
        return b"\xff"
    text = repr(score).encode()
    return bytes([len(text)]) + text


def _ziplist_body(element):
    if isinstance(element, int):
        if 0 <= element <= 12:
            return bytes([0xF1 + element])
        for code, form, bits in ((0xFE, "<b", 8), (0xC0, "<h", 16), (0xF0, None, 24), (0xD0, "<i", 32), (0xE0, "<q", 64)):
            if -(1 << bits - 1) <= element < 1 << bits - 1:
                data = struct.pack("<i", element)[:3] if form is None else struct.pack(form, element)
                return bytes([code]) + data
    if len(element) < 64:
        return bytes([len(element)]) + element
    if len(element) < 1 << 14:
        return struct.pack(">H", 0x4000 | len(element)) + element
    return b"\x80" + struct.pack(">I", len(element)) + element


def ziplist(*elements):
    """Integers become integers, bytes become strings."""
    body, previous, last = b"", 0, 10
    for element in elements:
        back = bytes([previous]) if previous < 254 else b"\xfe" + struct.pack("<I", previous)
        entry = back + _ziplist_body(element)
        last, previous = 10 + len(body), len(entry)
        body += entry
    return struct.pack("<IIH", 11 + len(body), last, len(elements)) + body + b"\xff"


def zipmap(*pairs):
    def size(data):
        return bytes([len(data)]) if len(data) < 254 else b"\xfe" + struct.pack("<I", len(data))

    body = b""
    for index, (field, value) in enumerate(pairs):
        unused = index % 3
        body += size(field) + field + size(value) + bytes([unused]) + value + b"?" * unused
    return bytes([min(len(pairs), 254)]) + body + b"\xff"


def intset(*numbers):
    numbers = sorted(numbers)
    width, form = 2, "<h"
    if any(not -(1 << 15) <= n < 1 << 15 for n in numbers):
        width, form = 4, "<i"
    if any(not -(1 << 31) <= n < 1 << 31 for n in numbers):
        width, form = 8, "<q"
    return struct.pack("<II", width, len(numbers)) + b"".join(struct.pack(form, n) for n in numbers)


def _back(size):
    if size <= 127:
        return bytes([size])
    parts = [size & 127 | 128]
    size >>= 7
    while size > 127:
        parts.append(size & 127 | 128)
        size >>= 7
    parts.append(size)
    return bytes(reversed(parts))


def listpack(*elements):
    """Integers become integers, bytes become strings, even if they are digits."""
    body = b""
    for element in elements:
        if isinstance(element, int):
            data = bytes([element]) if 0 <= element < 128 else b"\xf4" + struct.pack("<q", element)
        elif len(element) < 64:
            data = bytes([0x80 | len(element)]) + element
        elif len(element) < 4096:
            data = struct.pack(">H", 0xE000 | len(element)) + element
        else:
            data = b"\xf0" + struct.pack("<I", len(element)) + element
        body += data + _back(len(data))
    return struct.pack("<IH", 7 + len(body), min(len(elements), 65535)) + body + b"\xff"


def raw_id(millis, sequence):
    return struct.pack(">QQ", millis, sequence)


def stream_node(first, entries, fields=(b"f",)):
    """`entries` are (millis, sequence, values), with the fields of the node; `first` is (millis, sequence)."""
    elements = [len(entries), 0, len(fields), *fields, 0]
    for millis, sequence, values in entries:
        elements += [2, millis - first[0], sequence - first[1], *values, len(values) + 3]
    return string(raw_id(*first)) + string(listpack(*elements))


def stream(form, nodes, count, last, groups=b"\x00", added=None, deleted=(0, 0), first=None):
    """`form` is 1, 2 or 3; `groups` is what group() makes, with the count in front."""
    body = length(len(nodes)) + b"".join(nodes) + length(count) + length(last[0]) + length(last[1])
    if form > 1:
        for number in (*(first or last), *deleted):
            body += length(number)
        body += length(count if added is None else added)
    return body + groups


def group(form, name, last, pending, consumers, read=0):
    """`pending` are (millis, sequence, moment, deliveries); `consumers` are (name, seen, [(millis, sequence)])."""
    body = string(name) + length(last[0]) + length(last[1])
    if form > 1:
        body += length(read)
    body += length(len(pending))
    for millis, sequence, moment, deliveries in pending:
        body += raw_id(millis, sequence) + struct.pack("<q", moment) + length(deliveries)
    body += length(len(consumers))
    for consumer, seen, ids in consumers:
        body += string(consumer) + struct.pack("<q", seen)
        if form > 2:
            body += struct.pack("<q", seen + 1)
        body += length(len(ids)) + b"".join(raw_id(*one) for one in ids)
    return body


def moment(millis):
    return struct.pack("<q", millis)


_LONG = b"x" * 300
_LONGER = b"y" * 20000
_NUMBERS = [0, 12, 13, -1, 127, -128, 128, 32767, -32768, 32768, 8388607, -8388608, 8388608, 2147483647, -2147483648,
            2147483648, 9223372036854775807, -9223372036854775808]


def old_payloads():
    """(name, payload) in every form that Redis 7.0 reads and does not write."""
    node = stream_node((5, 0), [(5, 0, [b"a"]), (6, 1, [b"b"]), (9, 0, [77])])
    members = [b"a", 1, b"b", 2, b"x" * 60, b"3.25", 17, 100000]
    groups = length(1) + group(1, b"g", (6, 1), [(5, 0, 1000, 1), (6, 1, 2000, 3)],
                               [(b"alice", 5000, [(6, 1)]), (b"bob", 6000, [(5, 0)])])
    return [
        ("list of elements", payload("list", strings(b"a", b"12", _LONG, b""))),
        ("long list of elements", payload("list", strings(*[b"element:%d" % i for i in range(3000)]))),
        ("set of members", payload("set", strings(b"a", b"7", _LONG))),
        ("set of numbers", payload("set", strings(*range(-300, 300)))),
        ("sorted set with text", payload("zset", length(4) + b"".join(
            string(m) + score_text(s) for m, s in
            [(b"a", 1.5), (b"top", float("inf")), (b"low", float("-inf")), (b"7", -3.0)]))),
        ("large sorted set with text", payload("zset", length(400) + b"".join(
            string(b"m%d" % i) + score_text(i * 7 % 400 / 8) for i in range(400)))),
        ("hash of fields", payload("hash", length(2) + string(b"f") + string(b"1") + string(_LONG) + string(b"v"))),
        ("zipmap", payload("zipmap", string(zipmap((b"f", b"v"), (b"", b"12"), (b"n", _LONG))))),
        ("zipmap of many", payload("zipmap", string(zipmap(*[(b"f%d" % i, b"v%d" % i) for i in range(300)])))),
        ("list ziplist", payload("list_ziplist", string(ziplist(b"a", *_NUMBERS, _LONG, b"", b"z", _LONGER, b"end")))),
        ("sorted set ziplist", payload("zset_ziplist", string(ziplist(*members[:2], *members[2:4], *members[4:])))),
        ("hash ziplist", payload("hash_ziplist", string(ziplist(*members)))),
        ("large hash ziplist", payload("hash_ziplist", string(ziplist(
            *[part for i in range(1000) for part in (b"field:%d" % i, i)])))),
        ("quicklist of one", payload("quicklist", length(1) + string(ziplist(b"a", 1, b"c")))),
        ("quicklist", payload("quicklist", length(3) + string(ziplist(b"a", 1)) + string(ziplist(*_NUMBERS)) +
                              string(ziplist(_LONGER)))),
        ("stream", payload("stream", stream(1, [node], 3, (9, 0), groups))),
        ("intset", payload("intset", string(intset(-70000, 3, 5)))),
        ("listpack with numbers as text", payload("hash_listpack", string(listpack(b"12", b"13", b"f", b"-7")))),
    ]


def new_payloads():
    """(name, payload, commands and replies) in forms that Redis 7.0 does not read, or reads otherwise."""
    node = stream_node((5, 0), [(5, 0, [b"a"])])
    groups = length(1) + group(3, b"g", (5, 0), [(5, 0, 1000, 1)], [(b"alice", 5000, [(5, 0)])], read=1)
    far = 4102444800000
    fields = length(2) + length(0) + string(b"f") + string(b"v") + length(7) + string(b"g") + string(b"w")
    full = length(2) + length(0) + string(b"f") + string(b"v") + length(far + 6) + string(b"g") + string(b"w")
    pack = listpack(b"g", b"w", far + 6, b"f", b"v", 0)
    timed = [(("HGET", "k", "f"), b"v"), (("HGET", "k", "g"), b"w"),
             (("HPEXPIRETIME", "k", "FIELDS", "2", "f", "g"), [-1, far + 6])]
    return [
        ("set listpack", payload("set_listpack", string(listpack(b"a", 12)), 11),
         [(("SMISMEMBER", "k", "a", "12", "b"), [1, 1, 0])]),
        ("stream 3", payload("stream3", stream(3, [node], 1, (5, 0), groups), 11),
         [(("XLEN", "k"), 1), (("XPENDING", "k", "g"), [1, b"5-0", b"5-0", [[b"alice", b"1"]]])]),
        # Old as it is: Redis 7.0 makes up a first id for it.
        ("stream without entries", payload("stream", stream(1, [], 0, (9, 3))),
         [(("XLEN", "k"), 0), (("XADD", "k", "9-3", "f", "v"),
                               b"ERR The ID specified in XADD is equal or smaller than the target stream top item")]),
        ("fields that expire", payload("hash_metadata", moment(far) + fields, 12), timed),
        ("fields that expire, before the release", payload("hash_metadata_pre_ga", full, 12), timed),
        ("few fields that expire", payload("hash_listpack_ex", moment(far + 6) + string(pack), 12), timed),
        ("few fields that expire, before the release", payload("hash_listpack_ex_pre_ga", string(pack), 12), timed),
    ]


def flagged_node(first, counts, entries):
    """`counts` are what the node says of live and deleted entries; `entries` are (flags, millis, sequence)."""
    elements = [*counts, 1, b"f", 0]
    for flags, millis, sequence in entries:
        elements += [flags, millis - first[0], sequence - first[1], b"v", 4]
    return string(raw_id(*first)) + string(listpack(*elements))


def contradicting_streams():
    """(name, payload, commands and replies): Redis writes or has written such streams, and reads them."""
    live, gone = 2, 3
    one = flagged_node((5, 0), (1, 0), [(live, 5, 0)])
    empty = flagged_node((5, 0), (0, 2), [(gone, 5, 0), (gone, 6, 0)])
    after = flagged_node((7, 0), (1, 1), [(gone, 7, 0), (live, 8, 0)])
    back = flagged_node((5, 0), (2, 1), [(live, 5, 0), (gone, 9, 0), (live, 6, 0)])
    ends_above = flagged_node((5, 0), (1, 1), [(live, 5, 0), (gone, 9, 0)])
    pair = [b"f", b"v"]
    return [
        ("a length that is too great", payload("stream2", stream(2, [one], 7, (5, 0))), [(("XLEN", "k"), 1)]),
        ("a length that is too small", payload("stream2", stream(2, [one, after], 1, (8, 0))), [(("XLEN", "k"), 2)]),
        ("a length that is too great, old", payload("stream", stream(1, [one], 7, (5, 0))), [(("XLEN", "k"), 1)]),
        ("fewer were added than there are", payload("stream2", stream(2, [one], 1, (5, 0), added=0)),
         [(("XLEN", "k"), 1)]),
        ("a node without live entries", payload("stream2", stream(2, [empty], 0, (6, 0), added=2)),
         [(("XLEN", "k"), 0), (("XRANGE", "k", "-", "+"), []), (("XREVRANGE", "k", "+", "-"), [])]),
        ("a node without live entries, and another", payload("stream2", stream(2, [empty, after], 3, (8, 0), added=4)),
         [(("XLEN", "k"), 1), (("XRANGE", "k", "-", "+"), [[b"8-0", pair]])]),
        ("ids that went back behind a deleted entry", payload("stream2", stream(2, [back], 2, (6, 0), added=3)),
         [(("XRANGE", "k", "6", "6"), [[b"6-0", pair]]), (("XREVRANGE", "k", "6", "-"), [[b"6-0", pair], [b"5-0", pair]])]),
        ("ids that went back in the next node", payload("stream2", stream(2, [ends_above, after], 2, (8, 0), added=4)),
         [(("XRANGE", "k", "8", "8"), [[b"8-0", pair]]), (("XRANGE", "k", "6", "8"), [[b"8-0", pair]])]),
        ("a last id that went back", payload("stream2", stream(2, [ends_above], 1, (5, 0), added=2)),
         [(("XRANGE", "k", "-", "+"), [[b"5-0", pair]])]),
    ]


def bad_payloads():
    """(name, payload): intact, but no value."""
    node = stream_node((5, 0), [(5, 0, [b"a"])])
    second = stream_node((5, 0), [(5, 0, [b"a"])])
    stray = length(1) + group(2, b"g", (5, 0), [], [(b"c", 1, [(5, 0)])])
    lost = length(1) + group(2, b"g", (5, 0), [(5, 0, 1, 1)], [])
    nan = struct.pack("<d", float("nan"))
    twice = listpack(b"a", 1, b"a", 2)
    far = 4102444800000
    late_first = listpack(b"f", b"v", far + 1, b"g", b"w", far)
    untimed_first = listpack(b"f", b"v", 0, b"g", b"w", far)
    said_wrong = flagged_node((5, 0), (2, 0), [(2, 5, 0)])
    bodies = [
        ("a stream node with a wrong count", "stream2", stream(2, [said_wrong], 1, (5, 0))),
        ("a stream node whose ids go back", "stream2",
         stream(2, [flagged_node((5, 0), (2, 0), [(2, 6, 0), (2, 5, 0)])], 2, (6, 0))),
        ("a string cut short", "string", length(5) + b"abc"),
        ("a string with a huge length", "string", b"\x81" + b"\x7f" * 8),
        ("an unknown encoding", "string", b"\xc4aa"),
        ("compressed bytes that are none", "string", b"\xc3" + length(3) + length(100) + b"\xff\xff\xff"),
        ("compressed bytes that claim too much", "string", b"\xc3" + length(3) + b"\x80\x7f\xff\xff\xff" + b"abc"),
        ("bytes behind the value", "string", string(b"a") + b"b"),
        ("an empty list", "list", length(0)),
        ("more elements than bytes", "list", b"\x80\x7f\xff\xff\xff" + string(b"a")),
        ("a member twice", "set", strings(b"a", b"b", b"a")),
        ("an empty set", "set", length(0)),
        ("a score that is no number", "zset2", length(1) + string(b"a") + nan),
        ("a text score that is no number", "zset", length(1) + string(b"a") + b"\xfd"),
        ("a member with two scores", "zset2", length(2) + 2 * (string(b"a") + struct.pack("<d", 1))),
        ("a field twice", "hash", length(2) + 2 * (string(b"f") + string(b"v"))),
        ("fields out of the order in which they expire", "hash_listpack_ex", moment(far) + string(late_first)),
        ("a field that stays before one that expires", "hash_listpack_ex", moment(far) + string(untimed_first)),
        ("fields out of order, before the release", "hash_listpack_ex_pre_ga", string(late_first)),
        ("a field that stays first, before the release", "hash_listpack_ex_pre_ga", string(untimed_first)),
        ("a field without value", "hash_listpack", string(listpack(b"f", b"v", b"g"))),
        ("a packed field twice", "hash_listpack", string(twice)),
        ("a packed field twice, once as text", "hash_listpack", string(listpack(12, 1, b"12", 2))),
        ("a packed member twice", "zset_listpack", string(twice)),
        ("a packed score that is no number", "zset_listpack", string(listpack(b"a", b"nan"))),
        ("a packed score that is text", "zset_listpack", string(listpack(b"a", b"1x"))),
        ("an empty listpack", "hash_listpack", string(listpack())),
        ("a listpack with a wrong count", "hash_listpack", string(listpack(b"a", 1)[:4] + b"\x03\0" + listpack(b"a", 1)[6:])),
        ("a listpack cut short", "hash_listpack", string(listpack(b"a", 1)[:-1])),
        ("an intset out of order", "intset", string(struct.pack("<IIhh", 2, 2, 7, 3))),
        ("an intset with a wrong width", "intset", string(struct.pack("<IIhh", 3, 2, 3, 7))),
        ("an empty intset", "intset", string(struct.pack("<II", 2, 0))),
        ("a ziplist with a wrong end", "hash_ziplist", string(ziplist(b"a", 1)[:-1] + b"\xfe")),
        ("a ziplist whose back length lies", "hash_ziplist", string(ziplist(b"a", 1).replace(b"\x03\xf2", b"\x04\xf2"))),
        ("a ziplist with an odd count", "hash_ziplist", string(ziplist(b"a", 1, b"b"))),
        ("a zipmap cut short", "zipmap", string(zipmap((b"f", b"v"))[:-1])),
        ("a zipmap with a field twice", "zipmap", string(zipmap((b"f", b"v"), (b"f", b"w")))),
        ("a list node of an unknown form", "quicklist2", length(1) + length(3) + string(b"a")),
        ("a list of empty nodes", "quicklist2", length(1) + length(2) + string(listpack())),
        ("a stream with a length and no nodes", "stream2", stream(2, [], 2, (5, 0))),
        ("a stream whose last id is too small", "stream2", stream(2, [node], 1, (4, 0))),
        ("a stream with a node twice", "stream2", stream(2, [node, second], 2, (5, 0))),
        ("a consumer with what is not pending", "stream2", stream(2, [node], 1, (5, 0), stray)),
        ("a pending entry without consumer", "stream2", stream(2, [node], 1, (5, 0), lost)),
        ("a value of a module", "module", b"\x81" + b"\0" * 9),
        ("an unknown type", 99, string(b"a")),
        ("a type alone", "hash", b""),
    ]
    return [(name, payload(kind, body)) for name, kind, body in bodies]


def sample_commands():
    """(name, commands that make the key "k") for every type and encoding that Redis 7.0 writes."""
    numbers = [str(i) for i in range(-200, 200)]
    many = [f"member:{i}" for i in range(700)]
    group = [("XGROUP", "CREATE", "k", "g", "0"), ("XGROUP", "CREATE", "k", "idle", "$"),
             ("XREADGROUP", "GROUP", "g", "alice", "COUNT", "20", "STREAMS", "k", ">"),
             ("XREADGROUP", "GROUP", "g", "bob", "COUNT", "5", "STREAMS", "k", ">"),
             ("XACK", "k", "g", "3-1", "4-1", "22-1"), ("XGROUP", "CREATECONSUMER", "k", "g", "carol")]
    entries = [("XADD", "k", f"{i}-1", "temperature", str(20 + i % 7), "place", f"room {i}") for i in range(1, 301)]
    mixed = [("XADD", "k", f"{i}-{i}", *[part for f in range(i % 4 + 1) for part in (f"f{f}", str(i * f))])
             for i in range(1, 60)]
    return [
        ("empty string", [("SET", "k", "")]),
        ("text", [("SET", "k", "hello world")]),
        ("long text", [("SET", "k", "abc" * 5000)]),
        ("text that does not compress", [("SET", "k", bytes(i * 197 % 251 for i in range(400)))]),
        ("binary text", [("SET", "k", bytes(range(256)) * 3)]),
        *[(f"number {n}", [("SET", "k", n)]) for n in ("0", "-1", "127", "-129", "32767", "65536", "2147483647",
                                                       "-2147483649", "9223372036854775807", "007", "1.5")],
        ("packed list", [("RPUSH", "k", "a", "12", "-70000", "x" * 200, "")]),
        ("list of nodes", [("RPUSH", "k", *[f"element:{i}" * 3 for i in range(2000)])]),
        ("list with huge elements", [("RPUSH", "k", "a", "b" * 100000, "c", "d" * 9000, "e")]),
        ("intset of 16 bits", [("SADD", "k", *range(-30, 30))]),
        ("intset of 32 bits", [("SADD", "k", "1", "100000", "-100000")]),
        ("intset of 64 bits", [("SADD", "k", *numbers, "9223372036854775807")]),
        ("many numbers", [("SADD", "k", *range(1000))]),
        ("small set", [("SADD", "k", "a", "b", "12", "-5", "")]),
        ("large set", [("SADD", "k", *many)]),
        ("set with long members", [("SADD", "k", "x" * 300, "y" * 100, "1")]),
        ("packed hash", [("HSET", "k", "f", "v", "12", "34", "", "x" * 60)]),
        ("large hash", [("HSET", "k", *[part for m in many for part in (m, "value of " + m)])]),
        ("hash with long values", [("HSET", "k", "f", "v" * 5000, "n", "1")]),
        ("packed sorted set", [("ZADD", "k", "1", "a", "-2.5", "b", "inf", "c", "-inf", "d", "0.1", "e", "3", "12")]),
        ("large sorted set", [("ZADD", "k", *[part for i, m in enumerate(many) for part in (i * 7 % 100 / 3, m)])]),
        ("sorted set with long members", [("ZADD", "k", "1e300", "x" * 100, "-1e-300", "y")]),
        ("equal scores", [("ZADD", "k", *[part for i in range(100) for part in ("0", f"m{i}")])]),
        ("stream", entries[:3]),
        ("stream of nodes", entries),
        ("stream of many shapes", mixed),
        ("stream with deleted entries", entries[:150] + [("XDEL", "k", "1-1", "7-1", "150-1"), ("XTRIM", "k", "MAXLEN", "120")]),
        ("stream with groups", entries[:40] + group),
        ("stream without entries", [("XADD", "k", "5-0", "f", "v"), ("XDEL", "k", "5-0"), ("XGROUP", "CREATE", "k", "g", "$")]),
    ]
