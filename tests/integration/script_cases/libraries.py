"""cjson, cmsgpack, struct and bit: what they make of values, and what they refuse."""

import random

from script_cases.case import SHOW, cases, scripted, together

HEX = "local function hex(s) return (s:gsub('.', function(c) return ('%02x'):format(c:byte()) end)) end "
UNHEX = "local function unhex(s) return (s:gsub('%x%x', function(c) return string.char(tonumber(c, 16)) end)) end "

ENCODED = [
    "nil", "true", "0", "-0", "1", "1.5", "0.1", "1/3", "1e15", "2^53", "2^63", "1e100", "1e-10", "123456789012345678", "''",
    "'text'", "'a\"b\\\\c/d'", "'\\0\\1\\31\\127\\255'", "'\\n\\r\\t\\b\\f'",
    "'äöü€'", "{}", "{1,2,3}", "{1,nil,3}", "{nil,nil,3}", "{[1]=1,[3]=3}", "{[1]=1,[100]=2}", "{[5]=1}", "{[11]=1}",
    "{[1]=1,[2]=2,[40]=3}", "{a=1}", "{a=1,2}", "{[1.5]='x'}", "{[-1]='x'}", "{[0]='x'}",
    "{[true]=1}", "{[{}]=1}", "{{}}", "{{},{}}", "{a={b={c={}}}}", "cjson.null", "{cjson.null}", "{a=cjson.null}", "print",
    "{print}", "{a=print}", "coroutine.create(print)", "1/0", "-1/0", "0/0",
    "{1/0}", "{['\\0']=1}", "{['a\"']=1}", "{[2^53]='x'}", "setmetatable({1}, {__index={2}})", "('x'):rep(5000)",
    "{1,2,{3,{4,{5}}}}", "{true,false}", "{[2^31]='x'}", "{[2^31]='x',[1]='y'}", "{[2^31]='x',[1]='y',[7]=5}", "{[2^31-1]='x'}",
    "{[1/0]='x'}", "{[-1/0]='x'}", "{[1e300]='x'}", "{[10]=1}", "{[0.1]=0}", "{['']=1}", "'/\\127\\128'", "('\"'):rep(2000)",
    "('x'):rep(1021) .. '\\1'", "('x'):rep(100000)", "99999999999999", "-99999999999999", "1e14", "5e-324", "-2.5e-7",
]
DECODED = [
    "", " ", "null", "true", "false", "nul", "tru", "True", "0", "-0", "1", "-1", "1.5", "1e3", "1E+3", "-1.5e-3", "01", "1.",
    ".5", "+1", "--1", "1e", "0x10", "0xff", "-0x1", "NaN", "nan", "-nan", "Infinity",
    "inf", "-inf", "infinity", "1e400", "12345678901234567890", "0.1", '""', '"text"', '"a\\\\nb"', '"\\\\u0041"', '"\\\\u00e4"',
    '"\\\\u20ac"', '"\\\\ud83d\\\\ude00"', '"\\\\ud83d"', '"\\\\ude00"',
    '"\\\\ud83d\\\\u0041"', '"\\\\u00"', '"\\\\u0000"', '"\\\\x41"', '"\\\\"', '"', '"abc', '"a\\nb"', '"a\\tb"', "\\'x\\'", "[]",
    "[ ]", "[1]", "[1,2,3]", "[1,]", "[,1]", "[1 2]", "[", "]", "[[]", "[[[]]]",
    "[null]", "[1,null,3]", "[null,null]", "{}", "{ }", '{"a":1}', '{"a":1,}', '{"a"}', '{"a":}', '{a:1}',
    '{"a" : 1 , "b" : [ ] }', '{1:2}', '{"1":2}', '{"":0}', '{"a":1,"a":2}', '{"a":null}', "{", "}",
    '{"a":{"b":{"c":[1,{"d":2}]}}}', "1 2", "1,2", "[1] x", "null null", "/* c */ 1", "// c", "\\0", "1\\0", '"\\0"',
    "\\239\\187\\1911", "[1,2", '{"a":1', '{"a":1 "b":2}', "tru e", "[true,false,null]",
    "-", "e1", "1e1e1", "1.2.3", "\\255", '"\\255"', "[" + "1," * 300 + "1]", " \\t\\r\\n 1 \\n", "[1e1,1E1,1e+1,1e-1]",
    '"\\\\/\\\\b\\\\f\\\\r"', "12a", "[12a]", '{"a":12a}', "truex", "[nullx]", "-x", "-+1", "+.5", "+x", "1.e2", "0XfF", "0x", "0x1p4", "-.5", "nan(12)",
    "nanny", "info", "iNF", "-1e400", "1e-400", "123456789012345", "1234567890123456", "9007199254740993", "1" * 400,
    "0." + "3" * 400, '"\\\\ud83d\\\\xde00"', '"\\\\ud83d\\\\ude0"', '"\\\\ud83d\\\\ud83d"', '"\\\\U0041"', '"\\\\u00g0"', '"\\\\uffff\\\\u07ff\\\\u0800\\\\u007f"',
    '"\\\\uDBFF\\\\uDFFF"', '"' + "x\\\\n" * 2000 + '"', '"' + "\\\\ud83d\\\\ude00" * 400 + '"', '[1 "a"]', '[1 "a\\\\x"]', '[1 "a]', "[1 {]", "[1 []]",
    "[1 null]", "[1 true]", "[1 :]", "[1 }", "[1 -]", "[1 nan]", "[1 x]", '{"a":1]', '{"a" 1}', "{,}", '{"a\\\\x":1}', "{null:1}",
    "{[]:1}", '{"a":1,null}', "12\\0 1", "[1\\0]", '"a\\0b"', '"ab\\0cd"', "\\0 1", "1\\0 1", "\\v1",
]
NUMBER_TEXTS = ["0.1", "1e21", "1e20", "123456789012345", "1234567890123456", "0.30000000000000004", "5e-324",
    "1.7976931348623157e308", "100", "1e2", "-1e-7", "9007199254740993"]


def decoding(text):
    return f"{SHOW} return show(cjson.decode('{text}'))"


CJSON = cases("cjson", [f"return cjson.encode({value})" for value in ENCODED] + [decoding(text) for text in DECODED] + [
    f"return cjson.encode(cjson.decode('[{text}]'))" for text in NUMBER_TEXTS] + [
    f"{SHOW} local r = cjson.decode('[{text}]') return show(r[1])" for text in NUMBER_TEXTS] + [
    "return cjson.encode()", "return cjson.encode(1, 2)", "return cjson.decode()", "return cjson.decode(nil)",
    "return cjson.decode(1)", "return cjson.decode({})", "return cjson.decode('1', '2')",
    "return tostring(cjson.null)", "return type(cjson.null)", "return cjson.null", "return {cjson.null, 1}",
    "return cjson.decode('null') == cjson.null", "return tostring(cjson.decode('null') == nil)",
    "return cjson.decode('[null]')[1] == cjson.null", "return redis.call('SET', 'k', cjson.null)", "return cjson._NAME",
    "return cjson._VERSION", "return type(cjson.new)", "return type(cjson.safe)",
    "return cjson.encode(KEYS)", "return cjson.encode(ARGV)",
    "local r = {} for k, v in pairs(cjson.decode('{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5}')) do r[#r + 1] = k end return r",
    [("SET", "j", '{"user":{"id":7,"tags":["a","b"]},"n":1.5}'),
    scripted("local j = cjson.decode(redis.call('GET', KEYS[1])) j.user.id = j.user.id + 1 return {j.user.id, j.user.tags[2], tostring(j.n)}",
    ["j"])],
    [("HSET", "h", "f", "v"), scripted("return cjson.encode(redis.call('HGETALL', 'h'))"),
    scripted("redis.setresp(3) return cjson.encode(redis.call('HGETALL', 'h'))")],
])

SETTINGS = [
    ("encode_sparse_array", ["", "true", "false", "true, 2", "true, 2, 3", "false, 0", "true, 0, 0", "true, -1", "'x'",
    "true, 1.5", "true, 1, 2, 3", "nil", "1", "'on', 3, 4", "'off'", "'null'", "true, 1, -1", "nil, 5", "true, 2^31", "{}"],
     ["{1,nil,3}", "{[1]=1,[5]=5}", "{[20]=1}", "{[1]=1,[100]=2}", "{nil,2}"]),
    ("encode_max_depth", ["", "1", "2", "0", "-1", "5", "'x'", "1000", "1.5", "1, 2", "'3'", "2^31"], ["{}", "{{}}", "{{{}}}", "{{{{{{}}}}}}"]),
    ("encode_number_precision", ["", "1", "3", "14", "16", "17", "0", "-1", "'x'", "20", "1.5"],
    ["0.1", "1/3", "123456.789", "1e15", "2^53", "999", "1000", "-0.00012345"]),
    ("encode_keep_buffer", ["", "true", "false", "1", "'x'", "nil", "'on'"], ["{1}", "'abc'"]),
    ("encode_invalid_numbers", ["", "true", "false", "'null'", "'x'", "nil", "1", "'on'", "'off'"],
    ["1/0", "-1/0", "0/0", "{1/0, 0/0}", "{[1/0] = 1}"]),
]
DECODE_SETTINGS = [
    ("decode_max_depth", ["", "1", "2", "0", "-1", "5", "'x'", "1000", "1.5"],
    ["[]", "[[]]", "[[[]]]", '{"a":{"b":{}}}', "[[[[[[]]]]]]"]),
    ("decode_invalid_numbers", ["", "true", "false", "'null'", "'x'", "nil", "1", "'on'", "'off'"],
    ["nan", "inf", "-inf", "0x10", "[NaN]", "Infinity", "01", "-01", "00", "-0.5", "-.5", "+1", "-", "i", "[1 nan]", "[1 01]"]),
    ("decode_array_with_array_mt", ["", "true", "false"], ["[]"]),
    ("encode_empty_table_as_object", ["", "true", "false"], ["[]"]),
    ("encode_escape_forward_slash", ["", "true", "false"], ["[]"]),
]
# Each within one script: stock keeps what a script sets for all that follow, here it ends with the script.
FORGET = ("SCRIPT", "FLUSH", "SYNC")


def setting(name, value, function, uses):
    return [scripted(f"return {{tostring((cjson.{name}({value})))}}"), FORGET,
            scripted(f"{SHOW} local r = {{}} cjson.{name}({value}) for i, v in ipairs{{{', '.join(uses)}}} do local ok, e = pcall(cjson.{function}, v) "
                     f"r[i] = tostring(ok) .. ' ' .. show(e) end r[#r + 1] = show({{cjson.{name}()}}) return r"), FORGET]


NEW = ["local n = cjson.new(1, 2, 3) n.encode_max_depth(1) return {cjson.encode_max_depth(), n.encode_max_depth(), n.new().encode_max_depth()}",
    "local names = {} for name in pairs(cjson.new()) do names[#names + 1] = name end return names",
    "local n = cjson.new() n.encode_number_precision(3) return {n.encode(1/3), cjson.encode(1/3)}",
    "local n = cjson.new() n.decode_max_depth(1) return {pcall(n.decode, '[[]]')}",
    "return {pcall(cjson.encode_max_depth, 0)}", "return {pcall(cjson.encode)}"]
CJSON_SETTINGS = cases("cjson setting", NEW + [setting(name, value, "encode", uses) for name, values,
    uses in SETTINGS for value in values] + [
    setting(name, value, "decode", [f"'{use}'" for use in uses]) for name, values, uses in DECODE_SETTINGS for value in values])


def nested(open_, close, depth):
    return f"('{open_}'):rep({depth}) .. ('{close}'):rep({depth})"


DEPTHS = cases("depth", [
    *[f"return #cjson.encode((function() local t = {{}} for i = 1, {depth} do t = {{t}} end return t end)())" for depth in (10,
    998, 999, 1000, 1001, 5000)],
    *[f"return type(cjson.decode({nested('[', ']', depth)}))" for depth in (10, 999, 1000, 1001, 5000)],
    *[f"return type(cjson.decode({nested('{' + chr(34) + 'a' + chr(34) + ':', '}', depth)}))" for depth in (10, 1001)],
    "local t = {} t[1] = t return cjson.encode(t)", "local t = {} t.x = t return cjson.encode(t)",
    "local t = {} t[1] = t return #cmsgpack.pack(t)",
    *[f"return #cmsgpack.pack((function() local t = {{}} for i = 1, {depth} do t = {{t}} end return t end)())" for depth in (3,
    14, 15, 16, 17, 100)],
    *[f"{SHOW} return show(cmsgpack.unpack(('\\145'):rep({depth}) .. '\\1'))" for depth in (3, 6, 7, 8, 100, 1000)],
    *[f"local t = {{}} for i = 1, {depth} do t = {{t}} end return t" for depth in (10, 50, 100)],
])

PACKED = ["nil", "true", "false", "0", "1", "127", "128", "255", "256", "65535", "65536", "2^31", "2^32-1", "2^32", "2^53",
    "2^62", "2^63", "2^64", "-1", "-32", "-33", "-128", "-129", "-32768", "-32769", "-2^31", "-2^31-1", "-2^53",
          "-2^63", "0.5", "-0.5", "0.1", "1/3", "1e100", "1/0", "-1/0", "0/0", "-0", "3.0", "''", "'a'", "('x'):rep(31)",
          "('x'):rep(32)", "('x'):rep(255)", "('x'):rep(256)", "'\\0\\255'", "{}", "{1,2,3}", "{1,nil,3}", "{[2]=1}",
          "{a=1}", "{a=1,2}", "{{},{}}", "{a={b={}}}", "{1.5,'x',true}", "print", "{print}", "coroutine.create(print)",
          "cjson.null", "{[1.5]=1}", "{[true]=false}", "{[0]=0}", "{[-1]=1}",
          "(function() local t = {} for i = 1, 15 do t[i] = i end return t end)()",
          "(function() local t = {} for i = 1, 16 do t[i] = i end return t end)()",
          "(function() local t = {} for i = 1, 70000 do t[i] = 1 end return t end)()"]
UNPACKED = ["", "00", "7f", "80", "8f", "90", "91", "9101", "92", "9201", "a0", "a161", "a1", "bf", "c0", "c1", "c2", "c3", "c4",
    "c40161", "c501", "c7", "c80001", "ca", "ca3fc00000", "cb3ff8000000000000", "cb", "cc", "ccff", "cdffff", "ceffffffff",
    "cfffffffffffffffff", "d0", "d080", "d18000", "d280000000",
            "d38000000000000000", "d401", "d9", "d90161", "d9ff", "da", "da000161", "db", "db0000000161", "dbffffffff", "dc",
            "dc000101", "dcffff", "dd0000000101", "ddffffffff", "de", "de00010102", "deffff", "df000000010102", "dfffffffff",
            "e0", "ff", "810102", "8101", "81a161c0", "81c001", "81cb7ff8000000000000c3", "82010203",
            "0102", "010203", "c2c3c0", "9391c09190", "93010203a3616263", "c0c0", "a161a162", "ffffffff"]
CMSGPACK = cases("cmsgpack",
    [f"{HEX} local s = cmsgpack.pack({value}) return #s > 2000 and #s or hex(s)" for value in PACKED] + [f"{SHOW} return show(cmsgpack.unpack(cmsgpack.pack({value})))" for value in PACKED[:-1]] + [
    f"{SHOW}{UNHEX} return show({{cmsgpack.unpack(unhex('{text}'))}})" for text in UNPACKED] + [f"{SHOW}{UNHEX} return show({{cmsgpack.unpack_one(unhex('{text}'))}})" for text in UNPACKED] + [
    f"{SHOW}{UNHEX} return show({{cmsgpack.unpack_limit(unhex('{text}'), {words})}})" for text in ("010203", "0102", "", "91",
    "c2c3c0") for words in ("0", "1", "2", "3", "9", "-1", "1, 1", "2, 1", "1, 9", "1, -1", "'x'", "1, 'x'", "nil", "1.5")] + [
    f"{SHOW}{UNHEX} return show({{cmsgpack.unpack_one(unhex('010203'), {words})}})" for words in ("0", "1", "2", "3", "4", "-1",
    "'x'", "nil", "1.5")] + [
    f"{HEX} return hex(cmsgpack.pack({words}))" for words in ("", "1, 2", "1, nil, 2", "{}, {}, 'x'", "nil", "nil, nil")] + [
    f"{SHOW} return show({{cmsgpack.unpack({words})}})" for words in ("", "nil", "1", "{}", "true", "'\\1', 2", "print")] + [
    f"return cmsgpack.{name}" for name in ("_NAME", "_VERSION", "_COPYRIGHT", "_DESCRIPTION",
    "nosuch")] + ["return type(cmsgpack.safe)", "return cmsgpack.unpack_limit()", "return cmsgpack.unpack_one()"])

FORMATS = ["b", "B", "h", "H", "i", "I", "l", "L", "f", "d", "s", "T", "x", ">h", "<h", "=h", "!i", "!4i", "i1", "i2", "i3", "i4",
    "i7", "i8", "i9", "i16", "i32", "i33", "I1", "I3", "I8", "I0", "i0", "c1", "c5", "c0", "c", "bB", ">I2<I2", "xxb", "!8bd",
    "!4bd", "!bd", "!1bd",
           "!3i", "!16d", "!32b", "z", " b b ", "b,b", "", "bc0", "Bc0", "ii", "ss", "iS", "n", "j", "a", ">!4b i", "hxh",
           "i2147483648", "c99999999999", "!99999999999b"]
STRUCT = together("struct",
    [f"return struct.size('{form}')" for form in FORMATS] + [f"{HEX} return hex(struct.pack('{form}', {words}))" for form in FORMATS for words in ("1",
    "-1, 2", "255.9, 3", "'abc', 'de'", "3, 'abc'", "2^40, 2^40", "nil", "'5'", "1e300", "0/0, 1/0", "1.5, 2.5", "'a\\0b'")] + [
    f"{SHOW}{UNHEX} return show({{struct.unpack('{form}', unhex('{text}'))}})" for form in FORMATS for text in ("", "01",
    "ffffffffffffffff", "0102030405060708090a0b0c0d0e0f10", "0361626300", "616263006400")] + [
    f"{SHOW} return show({{struct.unpack('bb', 'abcdef', {words})}})" for words in ("1", "2", "5", "6", "7", "0", "-1", "'x'",
    "nil", "1.5", "2^31", "2^53")] + [
    f"return struct.{call}" for call in ("pack()", "pack(1)", "pack({})", "unpack()", "unpack('b')", "unpack('b', 1)",
    "unpack('b', {})", "size()", "size(1)", "size({})", "nosuch", "nosuch()", "pack('b')", "unpack('s', 'abc')",
    "unpack('c0', 'abc')", "size('s')", "size('c0')", "unpack('>I4', '\\0\\0\\1\\0')", "unpack('<d', struct.pack('<d', 0.1))")])

WORDS = ["0", "1", "-1", "255", "2^31", "2^32", "2^32-1", "-2^31", "2^33+5", "0x7fffffff", "0xffffffff", "1.5", "2.5", "-1.5",
    "1e15", "2^53", "1e20", "1/0", "0/0", "'7'", "'0xff'"]
BIT = together("bit", [f"return bit.{name}({word})" for name in ("tobit", "bnot", "bswap",
    "tohex") for word in WORDS] + [f"return bit.{name}({one}, {other})" for name in ("band", "bor",
    "bxor") for one in WORDS for other in ("0", "-1", "0xff00ff")] + [
    f"return bit.{name}({one}, {other})" for name in ("lshift", "rshift", "arshift", "rol", "ror") for one in ("1", "-1",
    "0x12345678", "2^31") for other in ("0", "1", "31", "32", "33", "-1", "1.5", "255")] + [
    f"return bit.tohex({one}, {other})" for one in ("1", "-1", "0xabcdef") for other in ("1", "4", "8", "9", "0", "-4", "-8",
    "100", "'x'")] + [
    f"return bit.{call}" for call in ("band()", "bor()", "bxor()", "bnot()", "tobit()", "tohex()", "bswap()", "lshift(1)",
    "lshift()", "band('x')", "band({})", "band(nil)", "bor(1,2,4,8)", "band(7,6,4)", "bxor(1,1,1)", "nosuch", "nosuch(1)",
    "tobit(true)", "rol('x', 1)", "band(1, nil)")])


def made_json(seed, count=600):
    """JSON texts at random, good ones and damaged ones, through cjson and back."""
    choose = random.Random(f"{seed} json")
    return together("made json",
        [f"{SHOW} local ok, v = pcall(cjson.decode, '{damaged(json_text(choose), choose)}') return {{show(v), ok and cjson.encode(v) or 'no'}}" for _ in range(count)])


def made_values(seed, count=600):
    """Lua values at random, with settings at random, through cjson and back."""
    choose = random.Random(f"{seed} values")
    settings = ["encode_sparse_array(true, 2, 3)", "encode_sparse_array(false, 1, 0)", "encode_number_precision(5)",
        "encode_invalid_numbers('null')", "encode_invalid_numbers(true)", "decode_invalid_numbers(false)", "encode_max_depth(3)",
        "decode_max_depth(3)", "encode_keep_buffer(false)"]
    return together("made values", [
        f"{SHOW} local n = cjson.new() n.{choose.choice(settings)} n.{choose.choice(settings)} local ok, text = pcall(n.encode, {value_text(choose)}) "
        "return {text, ok and show({pcall(n.decode, text)}) or 'no'}" for _ in range(count)])


def value_text(choose, depth=0):
    kind = choose.randrange(7 if depth < 4 else 4)
    if kind == 0:
        return choose.choice(["true", "false", "cjson.null", "1/0", "-1/0", "tostring" if choose.random() < 0.1 else "0/0"])
    if kind == 1:
        return choose.choice([str(choose.randrange(-10**6, 10**6)), repr(choose.uniform(-1, 1)), str(choose.randrange(2**64)),
            f"{choose.randrange(-99, 99)}e{choose.randrange(-30, 30)}"])
    if kind in (2, 3):
        return "'" + "".join(f"\\{choose.randrange(256):03}" for _ in range(choose.randrange(8))) + "'"
    if kind in (4, 5):
        return "{" + ", ".join(choose.choice(["nil", value_text(choose, depth + 1)]) for _ in range(choose.randrange(6))) + "}"
    keys = ["'a'", "'b'", "'key'", "1", "2", "3", "7", "20", "0", "-1", "1.5", "2^31", "1/0", "true"]
    return "{" + ", ".join(f"[{choose.choice(keys[:choose.choice([3, 8, 14])])}] = {value_text(choose, depth + 1)}" for _ in range(choose.randrange(5))) + "}"


def json_text(choose, depth=0):
    kind = choose.randrange(7 if depth < 4 else 4)
    blank = choose.choice(["", "", "", " ", "\\n"])
    if kind == 0:
        return blank + choose.choice(["null", "true", "false"])
    if kind == 1:
        return blank + choose.choice([str(choose.randrange(-10**6, 10**6)), repr(choose.uniform(-1, 1)),
            f"{choose.randrange(-99, 99)}e{choose.randrange(-30, 30)}", str(choose.randrange(2**64))])
    if kind in (2, 3):
        return blank + '"' + "".join(choose.choice(["a", "Z", "\\\\n", "\\\\u00e4", "\\\\ud83d\\\\ude00", "\\\\\\\\", " ", "7",
            "é", "/"]) for _ in range(choose.randrange(8))) + '"'
    if kind in (4, 5):
        return blank + "[" + ",".join(json_text(choose, depth + 1) for _ in range(choose.randrange(5))) + blank + "]"
    return blank + "{" + ",".join(f'"{choose.choice("abc")}{i}":{json_text(choose, depth + 1)}' for i in range(choose.randrange(3))) + "}"


def damaged(text, choose):
    if choose.random() < 0.6 or len(text) < 2:
        return text
    at = choose.randrange(len(text))
    if text[max(0, at - 12):at + 12].count("\\"):  # an escape that is cut would be an error of the Lua text
        return text
    return choose.choice([text[:at], text[:at] + text[at + 1:], text[:at] + choose.choice('[]{},:"x0-') + text[at:]])


def made_msgpack(seed, count=1500):
    """Bytes at random, most of which begin as MessagePack does."""
    choose = random.Random(f"{seed} msgpack")
    lead = [0x80, 0x81, 0x90, 0x91, 0x92, 0xa0, 0xa1, 0xa3, *range(0xc0, 0xe0), 0xff, 0x01, 0x7f]
    texts = ["".join(f"{choose.choice(lead) if choose.random() < 0.7 else choose.randrange(256):02x}" for _ in range(choose.randrange(1,
        12))) for _ in range(count)]
    return together("made msgpack", [f"{SHOW}{UNHEX} return show({{cmsgpack.unpack(unhex('{text}'))}})" for text in texts])


def made_struct(seed, count=800):
    choose = random.Random(f"{seed} struct")

    def form():
        return "".join(choose.choice(["b", "B", "h", "H", "i", "I", "l", "L", "f", "d", "s", "x", ">", "<", "=", "!", "!2", "!4",
            "i3", "I5", "c2", "c0", " ", "T"]) for _ in range(choose.randrange(1, 6)))

    def value():
        return choose.choice(["1", "-7", "300", "65537", "2^33", "0.5", "'ab'", "'x\\0y'", "3"])
    scripts = []
    for _ in range(count):
        if choose.random() < 0.5:
            scripts.append(f"{HEX} return hex(struct.pack('{form()}', {', '.join(value() for _ in range(choose.randrange(5)))}))")
        else:
            scripts.append(f"{SHOW}{UNHEX} return show({{struct.unpack('{form()}', unhex('{choose.randbytes(choose.randrange(20)).hex()}'))}})")
    return together("made struct", scripts)


FAMILIES = [CJSON, CJSON_SETTINGS, DEPTHS, CMSGPACK, STRUCT, BIT]
