"""Numbers, strings, tables, patterns and random numbers: small scripts by the hundred."""

import random
import re

from script_cases.case import SHOW, cases, together

NUMBERS = ["0", "1", "-1", "2", "0.5", "-0.5", "3.7", "-3.7", "10", "255", "256", "65536", "2^31", "-2^31", "2^32", "2^53",
    "2^53+1", "2^63", "-2^63", "2^64", "1e15",
           "1e16", "1e100", "-1e100", "1e308", "1/0", "-1/0", "0/0", "5e-324", "0.1", "1/3", "123456.789"]
UNARY = ["tostring({0})", "string.format('%.17g', {0})", "string.format('%d', {0})", "string.format('%i', {0})",
    "string.format('%x', {0})", "string.format('%5.2f', {0})",
         "string.format('%e', {0})", "string.format('%g', {0})", "string.format('%s', {0})", "string.format('%o', {0})",
         "string.format('%X', {0})", "string.format('%u', {0})",
         "{0} .. ''", "math.floor({0})", "math.ceil({0})", "math.abs({0})", "string.format('%.14g', math.sqrt({0}))",
         "{{math.modf({0})}}", "{{math.frexp({0})}}", "tostring(-({0}))",
         "{0} == {0}", "{0}", "{{{0}}}", "tostring({0} % 3)", "tostring({0} % -3)", "tostring(math.fmod({0}, 7))",
         "tostring({0} / 7)", "string.format('%.17g', {0} * 3)",
         "#tostring({0})", "tostring({0}):reverse()", "({0}) < 5", "tostring(tonumber(tostring({0})))",
         "tostring(math.max({0}, 2))", "tostring(math.min({0}, 2))"]
ARITHMETIC = together("arithmetic", [f"return {form.format('(' + number + ')')}" for number in NUMBERS for form in UNARY])

TEXTS = ["", " ", "0", "1", " 1 ", "1x", "x1", "0x10", "0X1f", "-0x10", "1e3", "1E-2", "1e", ".5", "5.", "..", "inf", "nan",
    "infinity", "1 2", "+1", "-1", "- 1", "1_000", "1,5", "010",
         "9223372036854775807", "9223372036854775808", "1e400", "-1e400", "1\\0", "\\t1\\n", "0b1", "z", "ff", "zz", "7fffffff",
         "1.5", "0x1p4", "0x.8"]
TO_NUMBER = together("tonumber",
    [f"return tostring(tonumber('{text}'))" for text in TEXTS] + [f"return tostring(tonumber('{text}', {base}))" for text in TEXTS for base in (2,
    8, 10, 16, 36)] + [
    f"return tostring(tonumber({words}))" for words in ("1", "1, 10", "1.5, 10", "'1', 1", "'1', 37", "'1', 'x'", "nil", "{}",
    "true", "'10', 2.5", "print")] + [
    f"return tostring('{text}' + 1)" for text in TEXTS] + [f"return '{text}' == 1" for text in TEXTS])

SUBJECTS = ["", "a", "abc", "hello world", "a.b.c", "key:123:name", "  trimmed  ", "x=1, y=2", "\\0a\\0", "aXbXc", "((a)(b))",
    "THE (quick) fox", "%d", "line1\\nline2", "äöü"]
PATTERNS = ["", ".", "a", "%a+", "%d+", "^%s*(.-)%s*$", "(%w+)=(%w+)", "[^:]+", "%b()", "x*", "x-", ".-", "^a", "c$", "[a-c]",
    "[^a-c]", "%.", "()", "(a)(b)(c)", "%f[%w]%w+", "[%a_][%w_]*", "%S+",
            "(.)%1", "%z", "[]]", "[^]]", "[%]]", ".+$", "^$", "a?b", "(%s*)$", "[a-", "[", "%", "(", ")", "(()", "%b", "%bx",
            "%f", "%f[", "a**", "%1", "(%1)", "[%", "[a-%a]", "^^", "$$", "%g"]
FINDS = together("patterns",
    [f"return {{string.{name}('{subject}', '{pattern}')}}" for subject in SUBJECTS for pattern in PATTERNS for name in ("find",
    "match")] + [
    f"return {{string.gsub('{subject}', '{pattern}', '<%0>')}}" for subject in SUBJECTS for pattern in PATTERNS] + [
    f"local r = {{}} for a, b in string.gmatch('{subject}', '{pattern}') do r[#r + 1] = tostring(a) .. '/' .. tostring(b) if #r > 50 then break end end return r"
    for subject in SUBJECTS for pattern in PATTERNS])

CALLS = [
    "string.rep('ab', 3)", "string.rep('ab', 0)", "string.rep('ab', -1)", "string.rep('ab', '2')", "string.rep('', 1e9)",
    "string.rep('x')", "string.rep()", "string.rep('ab', 2.7)",
    "string.sub('hello', 2, 3)", "string.sub('hello', -3)", "string.sub('hello', 0)", "string.sub('hello', 4, 2)",
    "string.sub('hello', -100, 100)", "string.sub('hello', 2.9)", "string.sub('hello')",
    "{string.byte('abc', 1, -1)}", "{string.byte('abc', 10)}", "{string.byte('')}", "string.byte('a')", "string.char()",
    "string.char(65, 66)", "string.char(256)", "string.char(-1)", "string.char('65')",
    "string.len('a\\0b')", "string.upper('aäb')", "string.lower('AÄB')", "string.reverse('abc')", "('x'):rep(3, ',')",
    "('%d'):format(3.7)", "('%d'):format('10')", "('%d'):format('x')", "('%d'):format()",
    "('%s'):format(nil)", "('%s'):format({1} ~= nil)", "('%s %s'):format(1)", "('%y'):format(1)", "('%'):format()",
    "('%%'):format()", "('%5s|%-5s|'):format('a', 'b')", "('%.2s'):format('abc')",
    "('%q'):format('a\"b\\n\\0\\r\\\\')", "('%c'):format(65)", "('%c'):format(0)", "('%+d % d %05d'):format(1, 2, 3)",
    "('%#x %#o'):format(255, 8)", "('%a'):format(1)", "('%99d'):format(1)", "('%100d'):format(1)",
    "('%.99f'):format(1/3)", "('%.100f'):format(1)", "('%123s'):format(1)", "('%10.123f'):format(1)",
    "('%s'):format(('x'):rep(600))", "('%5.1f'):format(1e300)", "('%.20s'):format(('y'):rep(100))",
    "string.format()", "string.format(1)", "string.format('%d', 2^63)", "string.format('%d', -2^63)", "string.format('%x', -1)",
    "string.format('%x', 2^63)", "string.format('%u', -1)", "string.format('%5%')",
    "string.find('a+b', '+', 1, true)", "{string.find('abc', 'b', -1)}", "{string.find('abc', 'b', 10)}",
    "{string.find('abc', '', 10)}", "{string.find('abc', '', 4)}", "{string.find('a.b', '.', 2, true)}", "string.find('a')",
    "string.gsub('abc', 'b', '%')", "string.gsub('abc', 'b', '%2')", "string.gsub('abc', 'b', '%%')",
    "{string.gsub('abc', '%w', '%0%0', 2)}", "{string.gsub('abc', '%w', {a='1', b=true, c=false})}",
    "{string.gsub('abc', '%w', function(c) if c == 'b' then return nil end return c .. c end)}",
    "string.gsub('abc', '%w', function() return {} end)", "string.gsub('abc', 'b', nil)", "string.gsub('abc', 'b')",
    "string.gsub('abc', 'b', true)", "string.gsub('abc', 'b', 1)", "{string.gsub('hello world', 'o', '0', 1)}",
    "{string.gsub('abc', '', '-')}", "{string.gsub('abc', 'b', '%1')}", "string.gsub('abc', '(b', 'x')",
    "string.gmatch('a')", "type(string.gmatch('a', 'b'))", "type(string.gfind)", "type(string.dump)",
    "string.match('key=val', '(%w+)=(%w+)')", "{string.match('2024-01-02', '(%d+)-(%d+)-(%d+)')}",
    "{string.match('abc', '()b()')}",
    "table.concat({})", "table.concat({1,2,3})", "table.concat({1,2,3}, ', ')", "table.concat({1,2,3}, ', ', 2)",
    "table.concat({1,2,3}, ', ', 2, 2)", "table.concat({1,2,3}, ', ', 3, 2)", "table.concat({1,2}, ',', 1, 5)",
    "table.concat({'a', true})", "table.concat({1.5, 'x', 2^53})", "table.concat(1)", "table.maxn({1,2,[10]=3})",
    "table.maxn({})", "table.getn({1,2})", "table.setn({}, 1)", "type(table.unpack)", "type(table.pack)", "type(table.move)",
    "table.insert({}, 1, 2, 3)", "table.insert({})", "table.insert(1, 1)", "table.remove({})", "table.remove({1,2,3})",
    "table.remove({1,2,3}, 1)", "table.remove({1,2,3}, 7)", "table.foreach({1}, print)",
    "table.foreachi({5}, function(i, v) return v end)",
    "(function() local t = {} table.insert(t, 1, 'a') table.insert(t, 5, 'b') return #t end)()",
    "(function() local t = {3,1,2} table.sort(t) return t end)()",
    "(function() local t = {3,1,2} table.sort(t, function(a, b) return a > b end) return t end)()",
    "table.sort({1,'x'})", "table.sort({3,1,2,5,4,7,6,9,8,10}, function(a, b) return true end)", "table.sort({1,2,3}, 1)",
    "table.sort({{},{}})", "(function() local t = {'b','a','B','A','10','9','ä',''} table.sort(t) return t end)()",
    "next({})", "{next({10})}", "next({}, 1)", "type(next)", "rawequal('a', 'a')", "rawequal({}, {})", "rawget({5}, 1)", "rawlen",
    "{select(2, 'a', 'b', 'c')}", "{select(-1, 'a', 'b')}", "select('#', nil, nil)", "{unpack({1,2,3})}",
    "{unpack({1,nil,3}, 1, 3)}", "type(unpack)", "{pcall(function() return 1, 2 end)}", "{pcall(error)}", "tostring(nil)",
    "tostring(true)", "type(nil)", "type()", "math.pi", "tostring(math.pi)", "tostring(math.huge)", "math.pow(2, 10)",
    "tostring(math.log(10))", "tostring(math.log(8, 2))", "math.log10(1000)", "tostring(math.exp(1))", "tostring(math.sin(1))",
    "tostring(math.cos(1))", "tostring(math.tan(1))", "tostring(math.asin(2))", "tostring(math.atan2(1, -1))",
    "math.ldexp(1, 10)",
    "tostring(math.deg(math.pi))", "tostring(math.rad(180))", "math.mod(5, 3)", "math.fmod(5, 0)", "5 % 0", "tostring(5 % 0)",
    "tostring(5 % (1/0))", "tostring(-5 % (1/0))", "math.max()", "math.max(1, 'x')", "math.max(1, '5')", "math.floor('3.7')",
    "math.floor('x')",
    "math.floor()", "math.abs(nil)", "math.type", "math.tointeger", "tostring(math.cosh(1))", "tostring(2^0.5)", "1 == 1.0",
    "'1' == 1", "'10' + 5", "'0x10' + 0", "'abc' + 1", "10 .. 20", "-'2'", "'a' < 'b'", "'Z' < 'a'", "'a' < 'ä'", "'' < 'a'",
    "'a\\0b' < 'a\\0c'",
    "#'abc'", "#{1,2,3,nil,5}", "#{n=1}", "not 0", "nil == false", "1 and 2", "nil and 2", "false or 'x'", "nil or false", "2^-1",
    "-2^2", "2^3^2", "1 .. ''", "1e15 .. ''", "1e14 .. ''", "123456789012345 .. ''", "0.1 + 0.2", "tostring(0.1 + 0.2)",
    "tostring(100000000000000)",
    "tostring(1e15)", "tostring(123456789012.5)", "7 % -3", "-7 % 3", "7.5 % 2", "tostring(-0)", "tostring(0/-1)", "gcinfo",
    "type(gcinfo())", "type(collectgarbage('count'))", "collectgarbage()", "collectgarbage('step')", "collectgarbage('nosuch')",
    "collectgarbage('collect')",
    "coroutine.wrap(function() return 5 end)()",
    "{coroutine.resume(coroutine.create(function(a) local b = coroutine.yield(a + 1) return b * 2 end), 1)}",
    "coroutine.running()", "coroutine.yield(1)", "{coroutine.resume(coroutine.create(error), 'x')}",
    "coroutine.status(coroutine.create(print))",
    "coroutine.status(coroutine.create(type))", "coroutine.create(1)", "coroutine.wrap(function() error('in it') end)()",
    "coroutine.wrap(function() return redis.call('PING') end)()", "coroutine.wrap(function() return redis.call('nosuch') end)()",
    "{coroutine.resume(coroutine.create(function() redis.call('nosuch') end))}",
    "coroutine.wrap(function() return KEYS end)()", "{pcall(coroutine.wrap(function() return redis.pcall('GET') end))}",
    "(function() local c = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end) return {c(), c(), c()} end)()",
    "loadstring('return 1 + 1')()", "(select(2, loadstring('return +')))", "loadstring('x = 1')()", "loadstring('return x')()",
    "loadstring('return KEYS')()", "loadstring('error(\"x\")')()", "loadstring('error(\"x\")', 'name')()",
    "loadstring('error(\"x\")', '@name')()", "loadstring('error(\"x\")', '=name')()",
    "loadstring()", "loadstring(1)", "loadstring({})", "load(function() return nil end)", "load('return 1')",
    "(function() local n = 0 return load(function() n = n + 1 return n == 1 and 'return ' or (n == 2 and '7' or nil) end)() end)()",
    "load()", "load(1)",
]
LIBRARY = together("library", [f"return {call}" for call in CALLS], size=10)

# The pairs of a table come in an order that follows from keys and the way there.
ORDER = cases("order", [
    "local r = {} for k in pairs({a=1,b=2,c=3,d=4,e=5}) do r[#r + 1] = k end return r",
    "local t, r = {}, {} for i = 1, 40 do t['key' .. i] = i end for k in pairs(t) do r[#r + 1] = k end return r",
    "local t, r = {}, {} for i = 20, 1, -1 do t[i * 7] = i end for k in pairs(t) do r[#r + 1] = k end return r",
    "local t, r = {}, {} for i = 1, 30 do t[i / 4] = i end for k in pairs(t) do r[#r + 1] = tostring(k) end return r",
    "local t, r = {}, {} for i = 1, 31 do t[('x'):rep(i)] = i end for k in pairs(t) do r[#r + 1] = k end return r",
    "return cjson.encode({a=1,b=2,c={d=3,e=4},f='x',g=true})",
    "local t = {} for i = 1, 20 do t['f' .. i] = i end return cjson.encode(t)",
    "local t = {} for i = 1, 20 do t['f' .. i] = i end for i = 1, 15 do t['f' .. i] = nil end t.new = 1 return cjson.encode(t)",
    "return {map={a=1,b=2,c=3,d=4,e=5,f=6}}", "return {set={a=true,b=true,c=true,d=true,e=true}}",
    "local t, r = {[true]=1,[false]=2,x=3,[1.5]=4,[1]=5}, {} for k in pairs(t) do r[#r + 1] = tostring(k) end return r",
])

LONG_ORDER = cases("order of long keys",
    ["local t, r = {}, {} for i = 1, 30 do t[('x'):rep(i * 3)] = i end for k in pairs(t) do r[#r + 1] = k end return r"])

SEEDS = ["0", "1", "-1", "12345", "2^31", "2^32", "2^40", "1.9", "'7'", "1/0", "0/0", "", "{}", "1e300"]
BOUNDS = ["", "0", "-1", "1", "2, 1", "1, 1", "1.9", "1, 2, 3", "'x'", "'5'", "nil", "2^31", "2^32", "2^53", "-2^31, 2^31",
    "1e300", "0/0", "1/0", "0.5", "{}", "-5, 5", "100"]
RANDOM = cases("random",
    [f"math.randomseed({seed}) local r = {{}} for i = 1, 10 do r[i] = math.random(1000000) end return r" for seed in SEEDS] + [
    f"math.randomseed(5) local r = {{}} for i = 1, 30 do r[i] = tostring(math.random({words})) end return r" for words in BOUNDS] + [
    "math.randomseed(6) local t = {} for i = 1, 10 do t[i] = i end for i = 10, 2, -1 do local j = math.random(i) t[i], t[j] = t[j], t[i] end return t",
    "math.randomseed(7) local one = math.random() math.randomseed(7) return math.random() == one",
])


def literal(choose, depth=0):
    """A Lua expression for some value."""
    kind = choose.randrange(9 if depth < 3 else 6)
    if kind == 0:
        return choose.choice(["nil", "true", "false"])
    if kind in (1, 2):
        return choose.choice([str(choose.randrange(-1000, 1000)), repr(choose.uniform(-1e6, 1e6)),
            str(choose.randrange(-2**60, 2**60)), f"{choose.randrange(1, 99)}e{choose.randrange(-20, 25)}"])
    if kind in (3, 4, 5):
        return "'" + "".join(choose.choice(["a", "Z", " ", "\\0", "\\n", "\\255", "\\\\", "\\'", "é", "7", "/", "\\\"",
            "\\127"]) for _ in range(choose.randrange(12))) + "'"
    if kind == 6:
        return "{" + ", ".join(literal(choose, depth + 1) for _ in range(choose.randrange(6))) + "}"
    if kind == 7:
        return "{" + ", ".join(f"['{choose.choice('abcdef')}{i}']={literal(choose, depth + 1)}" for i in range(choose.randrange(5))) + "}"
    return "{" + ", ".join([literal(choose,
        depth + 1) for _ in range(choose.randrange(3))] + [f"[{choose.randrange(1, 9)}]={literal(choose, depth + 1)}" for _ in range(choose.randrange(3))]) + "}"


USES = ["return VALUE", SHOW + "return show(VALUE)", "return cjson.encode(VALUE)", "return hex(cmsgpack.pack(VALUE))",
    SHOW + "return show(cjson.decode(cjson.encode(VALUE)))",
        SHOW + "return show(cmsgpack.unpack(cmsgpack.pack(VALUE)))", "return {VALUE, VALUE}",
        "redis.setresp(3) return {map={x=VALUE}}", "return tostring(#(VALUE))", "return {VALUE == VALUE}",
        "return pcall(error, VALUE)", "return redis.pcall('ECHO', VALUE)"]
HEX = "local function hex(s) return (s:gsub('.', function(c) return ('%02x'):format(c:byte()) end)) end "


def made(seed, count=1300):
    """Random values, and what becomes of each in a reply, as text, as JSON, as MessagePack and as an error."""
    choose = random.Random(f"{seed} values")
    return together("made", [re.sub("VALUE", lambda _: literal(choose), HEX + choose.choice(USES)) for _ in range(count)])


FAMILIES = [ARITHMETIC, TO_NUMBER, FINDS, LIBRARY, ORDER, LONG_ORDER, RANDOM]
