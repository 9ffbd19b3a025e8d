"""What a script finds, and what it may not touch."""

from script_cases.case import SHOW, cases, scripted

TABLES = ["_G", "redis", "string", "table", "math", "coroutine", "bit", "cjson", "cmsgpack", "struct", "io", "debug", "package"]
SORTED = "local function names(t) local r = {} for k, v in pairs(t) do if k ~= 'os' then r[#r + 1] = tostring(k) .. ' ' .. type(v) end end table.sort(r) return r end "
CONTENTS = cases("contents",
    [f"{SORTED} return names({table})" for table in TABLES] + [f"return {{type(rawget(_G, '{table}')), #{table}}}" for table in TABLES] + [
    f"{SORTED} local m = getmetatable({thing}) return m and names(m) or {{'none'}}" for thing in ("''", "_G", "redis", "string",
    "cjson", "1", "nil", "print", "KEYS", "cjson.null")] + [
    f"return type({name})" for name in (
        "print", "dofile", "loadfile", "load", "loadstring", "require", "module", "newproxy", "getfenv", "setfenv", "debug", "io",
        "package", "collectgarbage", "gcinfo", "unpack", "xpcall", "rawlen", "goto", "arg", "_ENV", "utf8", "bit32",
        "jit", "ffi", "server", "redis", "SERVER_NAME", "KEYS", "ARGV", "_VERSION", "__redis__err__handler",
        "__redis__compare_helper", "string.gfind", "string.dump", "math.mod")])

TOUCHED = [
    "a = 1", "a = nil", "return a", "return a.b", "function f() end", "local function f() g = 1 end f()", "rawset(_G, 'a', 1)",
    "rawset(_G, 'a', 1) return a", "_G.a = 1", "_G['a'] = 1", "return _G.a", "return rawget(_G, 'a')",
    "return rawequal(_G, _G._G)", "setmetatable(_G, nil)", "setmetatable(_G, {})", "return getmetatable(_G).__index",
    "getmetatable(_G).__index = nil", "getmetatable(_G).__newindex = nil", "getmetatable(_G).__metatable = 1",
    "for k in pairs(_G) do _G[k] = nil end", "_G = nil", "_G._G = nil", "_VERSION = 1", "KEYS = {}", "ARGV = nil",
    "KEYS[1] = 'x' return KEYS", "ARGV[5] = 'x' return ARGV", "KEYS = nil return KEYS", "redis = nil", "redis = {}",
    "string = nil", "print = 1", "tostring = nil", "pcall = nil", "redis.call = nil", "redis.x = 1",
    "redis.call = function() return 'mine' end", "rawset(redis, 'x', 1)", "setmetatable(redis, nil)", "setmetatable(redis, {})",
    "getmetatable(redis).__newindex = nil", "getmetatable(redis).__index = nil", "for k in pairs(redis) do redis[k] = nil end",
    "string.rep = nil", "string.x = 1", "rawset(string, 'x', 1)",
    "string.format = function() return 'mine' end return ('x'):format()", "getmetatable('').__index = nil",
    "getmetatable('').__index = {}", "getmetatable('').__add = function() return 'sum' end return 'a' + 'b'",
    "setmetatable(string, {})", "getmetatable('').__newindex = 1", "getmetatable('').__call = function() end", "('x').y = 1",
    "table.insert = nil", "table.x = 1", "table.insert(table, 1)", "table.insert(redis, 1)", "table.insert(_G, 1)",
    "table.insert(string, 'x')", "table.remove(redis)", "table.sort(_G)", "table.sort(redis)", "table.setn(redis, 1)",
    "math.x = 1", "math.random = function() return 4 end", "math.pi = 3", "rawset(math, 'pi', 3)", "coroutine.x = 1", "bit.x = 1",
    "bit.band = nil", "cjson.x = 1", "cjson.encode = nil", "cjson.null = 1", "rawset(cjson, 'encode', nil)", "cjson.new().x = 1",
    "cmsgpack.x = 1", "cmsgpack.pack = nil", "struct.x = 1", "struct.pack = nil", "__redis__err__handler = nil",
    "return pcall(__redis__err__handler, 'x')", "__redis__compare_helper = nil", "local t = _G t.a = 1",
    "local t = _G rawset(t, 'b', 2) return b", "setmetatable(KEYS, {__index={'x'}}) return KEYS[1]",
    "setmetatable(ARGV, {__newindex=function() end}) ARGV[1] = 2 return ARGV[1]", "return setmetatable({}, _G).x",
    "return setmetatable({}, {__index=_G}).redis == redis", "local t = setmetatable({}, {__index=_G}) return t.nosuch",
    "return next(_G) ~= nil", "local f = loadstring('a = 1') f()", "local f = loadstring('return a') return f()",
    "setfenv(1, {})", "setfenv(0, {})", "setfenv(function() end, {})", "return getfenv(1)", "return getfenv(0).redis ~= nil",
    "return getfenv(redis.call)", "return getfenv()", "debug.getinfo(1)", "debug.sethook()", "return io.open('/etc/passwd')",
    "return io.read()", "return require('os')", "return package.path", "dofile('/etc/passwd')", "loadfile('/etc/passwd')",
    "return dofile", "return loadfile", "print('x')", "return print", "return newproxy(true)", "return newproxy",
    "return module('x')", "return string.dump(function() end)", "return loadstring(string.dump(function() return 1 end))()",
    "return loadstring('\\27Lua')", "return (select(2, loadstring('\\27LuaQ\\0\\1\\4\\8\\4\\8\\0')))",
    "return (select(2, loadstring('\\27')))", "return {load(function() return nil end)}",
    "return {pcall(load, function() return '\\27Lua' end)}", "return type(collectgarbage('setpause', 100))",
    "return type(collectgarbage('setstepmul', 200))", "return type(collectgarbage('stop'))",
    "return type(collectgarbage('restart'))", "return {collectgarbage('count') > 0}",
    "return getmetatable(setmetatable({}, {__metatable='locked'}))",
    "return setmetatable(setmetatable({}, {__metatable='locked'}), {})", "return setmetatable({}, {__gc=function() end}) ~= nil",
    "return #setmetatable({}, {__mode='k'})", "local t = {} t.__index = t return setmetatable({}, t).x",
    "return setmetatable({}, {__call=function(self, a) return a end})(5)",
    "return setmetatable({}, {__concat=function(a, b) return 'joined' end}) .. 'x'",
    "return setmetatable({}, {__eq=function() return true end}) == setmetatable({}, {})",
    "return setmetatable({}, {__lt=function() return true end}) < 1", "return -setmetatable({}, {__unm=function() return 7 end})",
    "return tostring(setmetatable({}, {__tostring=function() return 1 end}))",
    "return tostring(setmetatable({}, {__tostring=function() return 'shown' end}))",
    "return (tostring(print):gsub('0x%x+', 'ADDRESS'))", "return (tostring({}):gsub('0x%x+', 'ADDRESS'))",
    "return (tostring(redis.call):gsub('0x%x+', 'ADDRESS'))",
    "return (tostring(coroutine.create(print)):gsub('0x%x+', 'ADDRESS'))",
    "redis.call('SET', 'k', tostring(1)) return redis.call('GET', 'k')",
]
# Debian's redis-server leaves out `os`, which has `clock` in other builds of Redis and here.
OF_OS = [
    "os.x = 1", "os.clock = nil", "return os.time()", "return os.getenv('HOME')", "os.execute('true')", "os.exit()",
    "return type(os.clock())", "return os.clock() >= 0", "return os.date()", "return os.clock('x')",
]
# Each alone, and again inside pcall; behind it, whether all is at its place.
AFTER = scripted("return {type(redis.call), type(string.rep), ('x'):rep(2), type(cjson.encode), tostring(rawget(_G, 'a')), tostring(rawget(_G, 'b')), tostring(rawget(redis, 'x')), "
                 "tostring(rawget(string, 'x')), tostring(rawget(math, 'pi')), type(table.insert), type(pcall), type(KEYS), tostring(getmetatable('') == nil)}")
TOUCH = cases("touch", [[scripted(text, ["k1"], ["a1"]), AFTER] for text in TOUCHED])
TOUCH_INSIDE_PCALL = cases("touch inside pcall",
    [[scripted(f"{SHOW} local ok, e = pcall(function() {text} end) return {{tostring(ok), type(e) == 'string' and e or (type(e) == 'table' and e.err) or type(e)}}",
    ["k1"], ["a1"]), AFTER]
                                                  for text in TOUCHED])
TOUCH_IN_LOADED = cases("touch in a library", [[("FUNCTION", "LOAD",
    f"#!lua name=l\nredis.register_function('f', function(KEYS, ARGV) {text} end)\n"), ("FCALL", "f", 1, "k1", "a1"),
    AFTER] for text in TOUCHED] + [
    [("FUNCTION", "LOAD", f"#!lua name=l\n{text}\n"), ("FUNCTION", "LIST"),
    AFTER] for text in TOUCHED if not text.startswith("return") and "'\\27" not in text])

LEFT_BEHIND = cases("left behind", [
    [scripted("local secret = 1 return 1"), scripted("return tostring(rawget(_G, 'secret'))")],
    [scripted("return KEYS", ["a", "b"]), scripted("return KEYS"), scripted("return ARGV", [], ["x"]), scripted("return ARGV")],
    [scripted("redis.setresp(3)"), ("HSET", "h", "f", "v"), scripted("return redis.call('HGETALL', 'h')")], 
    [scripted("collectgarbage('stop')"), scripted("return 1")],
    [("SELECT", 3), scripted("redis.call('SELECT', 5) redis.call('SET', 'here', 1)"), ("GET", "here"), ("SELECT", 5),
    ("GET", "here"), ("CLIENT", "GETNAME")],
    [scripted("local t = {} for i = 1, 100 do t[i] = i end return #t"), scripted("return collectgarbage('count') < 100000")],
])

FAMILIES = [CONTENTS, TOUCH, TOUCH_INSIDE_PCALL, TOUCH_IN_LOADED, LEFT_BEHIND]
