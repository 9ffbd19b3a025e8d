"""redis.call, redis.pcall, errors of all kinds, and what else is in the table `redis`."""

from script_cases.case import SHOW, cases, scripted

DATA = [("SET", "text", "value"), ("RPUSH", "list", "a", "b")]

# What may stand between the brackets of redis.call. Texts of HELP are our own.
ARGUMENTS = [
    "", "nil", "{}", "true", "print", "1", "'nosuch'", "'nosuch','a','b'", "'GET'", "'GET','a','b'", "'get','text'",
    "'GeT','text'", "'GET',nil", "'GET',{}",
    "'GET',true", "'SET','k'", "'SET','k',1", "'SET','k',1.5", "'SET','k','v','NOPE'", "'SET','k','v','EX',0",
    "'SET','k','v','EX','x'",
    "'SET','k','v','EX',10,'PX',10", "'INCR','text'", "'LPUSH','text','x'", "'GET','list'", "'GET ','text'", "' GET','text'",
    "'GET\\0','text'", "''", "'','x'",
    "'OBJECT'", "'OBJECT','nosuch'", "'OBJECT','ENCODING'", "'object','encoding','text'", "'CONFIG','GET','save'", "'CONFIG'",
    "'CONFIG','x'",
    "'CLIENT','ID'", "'CLIENT'", "'MULTI'", "'EXEC'", "'WATCH','k'", "'SUBSCRIBE','c'", "'PSUBSCRIBE','c'", "'UNSUBSCRIBE'",
    "'MONITOR'", "'AUTH','x'",
    "'HELLO'", "'HELLO',3", "'RESET'", "'QUIT'", "'SHUTDOWN'", "'SAVE'", "'BGSAVE'", "'BGREWRITEAOF'", "'DEBUG','SLEEP',0",
    "'DEBUG','OBJECT','text'",
    "'EVAL','return 1',0", "'EVALSHA','x',0", "'EVAL_RO','return 1',0", "'SCRIPT','FLUSH'", "'SCRIPT','LOAD','return 1'",
    "'FUNCTION','LIST'", "'FCALL','f',0",
    "'FUNCTION','FLUSH'", "'REPLICAOF','NO','ONE'", "'PSYNC','?',-1", "'SLOWLOG','GET'", "'LATENCY','LATEST'", "'MODULE','LIST'", 
    "'CLUSTER','INFO'", "'WAIT',0,0", "'ROLE'", "'FAILOVER'", "'SPUBLISH','c','m'", "'SSUBSCRIBE','c'",
    "'READONLY'", "'READWRITE'", "'ASKING'", "'DISCARD'", "'UNWATCH'", "'KEYS','t*'", "'GETRANGE','text',0,'x'",
    "'EXPIRE','text','x'", "'EXPIRE','text',1,'NX','XX'",
    "'ZADD','z','x','m'", "'ZADD','z','nan','m'", "'SETRANGE','text',-1,'x'", "'LSET','list',9,'x'", "'LSET','absent',0,'x'",
    "'HINCRBY','h','f','x'",
    "'XADD','s','0-0','f','v'", "'XADD','s','*','f'", "'BITFIELD','text','GET','u99',0", "'RENAME','absent','b'",
    "'RESTORE','k',0,'junk'", "'SORT','text'",
    "'GEOADD','g',999,0,'m'", "'PFADD','text','x'", "'PFCOUNT','text'", "'MSET','a'", "'MSETNX','a','b','c'",
    "'LINSERT','list','NOWHERE','a','x'", "'SELECT',-1",
    "'EVAL'", "'OBJECT','FREQ','text'", "'SINTERCARD',0,'k'", "'LMPOP',0,'k','LEFT'", "'COPY','text','text'",
    "'DECRBY','text',-9223372036854775808",
    "unpack({'MGET','text','absent'})", "unpack(KEYS)", "'PING',1,2,3", "('x'):rep(200)", "'GET',('k'):rep(300)",
    "'NOSUCH',('a'):rep(300),('b'):rep(300)",
    "'SET','a\\r\\nb','x\\r\\ny'", "'a\\r\\nb'", "'nosuch','a\\r\\nb'",
]

CALLS = cases("call", [[*DATA, scripted(f"return redis.call({words})")] for words in ARGUMENTS])
PCALLS = cases("pcall", [[*DATA, scripted(f"{SHOW} return show(redis.pcall({words}))")] for words in ARGUMENTS])
LUA_PCALLS = cases("pcall of call",
    [[*DATA, scripted(f"{SHOW} local ok, e = pcall(redis.call{', ' if words else ''}{words}) return {{tostring(ok), show(e)}}")]
                                     for words in ARGUMENTS])
RETURNED_ERRORS = cases("returned error", [[*DATA, scripted(f"return {{1, redis.pcall({words}), 2}}")] for words in ARGUMENTS])

NUMBERS = ["0", "-0", "1", "-1", "3.0", "3.5", "0.1", "1/3", "1e14", "1e15", "1e16", "1e17", "1e20", "1e21", "1e100", "1e-5",
    "1e-300", "2^31", "2^53",
           "2^53+2", "2^63", "2^64", "-2^63", "123456789.123", "9007199254740993", "1/0", "-1/0", "0/0", "5e-324",
           "1.7976931348623157e308", "100", "1e2"]
NUMBERS_AS_WORDS = cases("number as a word", [f"return redis.call('ECHO', {number})" for number in NUMBERS] + [
    "redis.call('SET', 1.5, 2.5) return redis.call('KEYS', '*')", "return redis.call('ECHO', '1' + 1)",
    "return redis.call('ECHO', 10 / 2)",
    "return redis.call('SETEX', 'k', 10.0, 'v')", "return redis.pcall('SETEX', 'k', 10.5, 'v')",
    "return redis.call('EXPIRE', 'k', 1e3)",
    "return redis.pcall('EXPIRE', 'k', 1e17)", "return redis.pcall('INCRBY', 'k', 2^53)",
    "return redis.pcall('INCRBY', 'k', 2^63)",
    "return redis.call('ZADD', 'z', 0.1, 'm', 1/0, 'n')",
])

# Stock 7.0 does not survive an uncaught error that is a table without a text in `err`; hostile_scripts.py throws those.
THROWN = [
    "'text'", "'text', 0", "'text', 1", "'text', 2", "'text', 3", "", "nil", "1", "1.5", "true", "false", "{err='Some text'}",
    "{err='ERR x'}", "{err=''}",
    "{err=1}", "{err='x', source='here', line=7}", "{err='x', line='seven'}", "{err='x', ignore_error_stats_update=true}", 
    "{err='a\\r\\nb'}", "'a\\r\\nb'", "print", "redis.error_reply('Made so')",
    "redis.error_reply('ERR made')", "redis.pcall('nosuch')", "redis.pcall('GET')", "redis.pcall('LPUSH', 'text', 1)", "'-X y'",
    "'X y'",
    "('x'):rep(500)", "'\\0\\1'",
]
ODD = ["{}", "{1,2}", "{ok='x'}", "{code=1}", "{err={}}", "setmetatable({}, {__tostring=function() return 'shown' end})"]
ERRORS = cases("error", [[*DATA, scripted(f"error({words})")] for words in THROWN] + [[*DATA,
    scripted(f"\n\n  error({words})")] for words in THROWN] + [
    [*DATA,
    scripted(f"{SHOW} local ok, e = pcall(error{', ' if words else ''}{words}) return {{tostring(ok), show(e)}}")] for words in THROWN] + [
    [*DATA, scripted(f"local ok, e = pcall(error{', ' if words else ''}{words}) error(e)")] for words in THROWN] + [
    *[f"{SHOW} local ok, e = pcall(error, {words}) return {{tostring(ok), show(e)}}" for words in ODD],
    "assert(false)", "assert(nil, 'told')", "assert(false, {err='Told so'})", "assert(1 == 1, 'x') return 'passed'", "assert()",
    "return {assert(1, 2, 3)}",
    "assert(redis.pcall('nosuch'))", "assert(redis.pcall('GET').ok, 'no ok')",
    "local function f() error('deep') end f()", "local function f()\n error('deep', 2) end\nf()", "local x = nil + 1",
    "local x = {} .. 'a'", "local x = nil; x.y = 1",
    "local x = nil; return x.y.z", "return nosuch()", "local t = {} t.f()", "local t = {} return t:g()", "return ('x')()",
    "return #nil", "return -{}", "return 1 < 'x'",
    "return {} < {}", "return nil > 1", "for i = 1, 'x' do end", "for i = 'a', 2 do end", "for i = 1, 2, {} do end",
    "for k in nil do end", "for k in pairs(nil) do end",
    "for i in ipairs() do end", "local t = setmetatable({}, {__index=function(t, k) error('no ' .. k) end}) return t.field",
    "return next({}, 'x')",
    "return xpcall(function() error('inner') end, function(e) return 'handled ' .. e end)", "return select(0)",
    "return select(-5, 1)", "return {select('#')}",
    "return select('x', 1)", "return tostring()", "return tonumber()", "return setmetatable(1, {})", "return setmetatable({}, 1)",
    "t = {}", "return ipairs(1)",
    "local s = 'x' return s.y", "local s = 'x' s.y = 1", "return rawget(1, 2)", "return rawset({}, nil, 1)",
    "local t = {} t[nil] = 1", "local t = {} t[0/0] = 1",
    "return unpack({}, 1, 1e8)", "return unpack({1,2,3}, 2)", "return {unpack({1,2,3}, -1, 1)}", "return table.concat({1,{},3})",
    "return table.concat({1,nil,3}, ',')",
    "return (function() return redis.call('nosuch') end)()", "return pcall(redis.call)", "return {pcall(redis.call)}",
    "return pcall(pcall)", "return {pcall(pcall, error, 'x')}",
    "local e = redis.pcall('nosuch') return e", "local e = redis.pcall('nosuch') return e.err",
    "local e = redis.pcall('nosuch') e.err = 'Changed' return e",
    "local e = redis.pcall('GET') error(e.err)", "local e = redis.pcall('GET')\nerror(e)", "redis.call('nosuch')\nreturn 1",
    "local x = 1\nlocal y = 2\nredis.call('GET')",
    [*DATA, scripted("redis.call('SET', 'k', 'kept') redis.call('INCR', 'text')"), ("GET", "k")],
    [*DATA, scripted("redis.call('SET', 'k', 'kept') error('x')"), ("GET", "k")],
])

SYNTAX = cases("syntax", ["return", "retur 1", "x =", "return 'unfinished", "return [[unfinished", "end", "if true then",
    "while true do", "for", "return 1 +", "local 1", "goto x",
                          "return 0x", "return 0xg", "return 0x1F", "return 1e", "return 1..2", "return 1 .. 2", "return '\\400'",
                          "return '\\65\\x41'", "break", "return ...", "return {...}",
                          "local function f(...) return arg.n end return f(1, 2)",
                          "local function f(...) return select('#', ...) end return f(1, nil)", "return ~1", "return 1 ~= 2",
                          "return 5 // 2", "return 5 % 3", "return 2 ^ 10", "return 1 & 2", "return not nil", "--[[ open",
                          "--[==[ x ]==] return 7", "return [==[a]]b]==]", "\n\n\nx y",
                          "return\n(1)", "local a <const> = 1", "return '\\z  x'", "f = function() end",
                          "local t = {1,2,3,} return t", "local t = {1;2;3} return t", "a.b:c = 1",
                          "#!", "# comment", "return 1 -- tail", "return \xff", b"return \xff\xfe", b"return '\xff\xfe'",
                          b"return '\0'", b"return 1\0 junk", b"\x1bLua", "\x1bLuaQ", "\ufeffreturn 1",
                          "local x = " + "(" * 250 + "1" + ")" * 250, "return " + "-" * 300 + "1",
                          "return " + " .. ".join(["'a'"] * 250), "local " + ", ".join(f"v{i}" for i in range(250)),
                          "return {" + ",".join(str(i) for i in range(1000)) + "}", "return " + "{" * 190 + "}" * 190,
                          "return " + "{" * 210 + "}" * 210,
                          "x" * 3000, "return '" + "y" * 100,
                          "local function " + "f" * 100 + "() error('x') end " + "f" * 100 + "()",
                          "\n".join(f"local function f{i}() return f{i - 1} end" for i in range(100)),
                          "do local a do local b do return 1 end end end"])

REDIS_TABLE = cases("redis table", [
    *[f"return redis.{maker}({words})" for maker in ("error_reply", "status_reply") for words in (
        "'x'", "'X y'", "'ERR x y'", "'-X y'", "'-'", "''", "", "1", "1.5", "nil", "{}", "true", "'a','b'", "'a\\r\\nb'",
        "'a\\nb'", "' lead'", "'tail '", "'\\0'", "('z'):rep(300)")],
    *[f"{SHOW} return show(redis.{maker}({words}))" for maker in ("error_reply", "status_reply") for words in ("'x'", "'-X y'",
    "'-'", "''", "", "1", "'a','b'", "'a\\r\\nb'")],
    *[f"return redis.sha1hex({words})" for words in ("'x'", "''", "", "1", "1.5", "nil", "{}", "true", "'a','b'", "'\\0\\255'",
    "('z'):rep(300)", "redis.sha1hex('')")],
    *[f"return redis.log({words})" for words in ("redis.LOG_WARNING,'x'", "redis.LOG_DEBUG,'x'", "0,''", "3,'a','b'", "4,'x'",
    "-1,'x'", "", "1", "'x','y'", "'1','y'", "nil,'x'",
                                                 "redis.LOG_NOTICE,{}", "redis.LOG_NOTICE,nil", "redis.LOG_NOTICE,1,true",
                                                 "redis.LOG_NOTICE,'a\\0b'", "1.5,'x'")],
    "return {redis.LOG_DEBUG, redis.LOG_VERBOSE, redis.LOG_NOTICE, redis.LOG_WARNING}",
    "return {redis.REPL_ALL, redis.REPL_AOF, redis.REPL_NONE, redis.REPL_SLAVE, redis.REPL_REPLICA}",
    "return {type(redis.REDIS_VERSION), type(redis.REDIS_VERSION_NUM)}", "return redis.replicate_commands()",
    "return {redis.replicate_commands(1)}", "return redis.breakpoint()",
    "return redis.debug('x')", "return redis.debug()", "return redis.debug({1,2})",
    *[f"return redis.set_repl({words})" for words in ("redis.REPL_ALL", "redis.REPL_NONE", "redis.REPL_AOF", "redis.REPL_REPLICA",
    "0", "3", "4", "-1", "", "nil", "'x'", "'1'", "{}", "1,2", "2.5")],
    *[f"return redis.acl_check_cmd({words})" for words in ("'set','k','v'", "'SET'", "'nosuch'", "", "'get','k'", "nil", "{}",
    "'set',{}", "1", "'config','get'", "'config'", "'config','nosuch'",
                                                           "'subscribe','c'", "'eval','x',0", "'set',1,2.5")],
    "return redis.nosuch", "return redis.nosuch()", "redis.call = nil", "redis.new = 1", "return pairs(redis)",
    "return redis.register_function", "return redis.register_function('f', print)",
    "return redis.call == redis.call", "local call = redis.call return call('PING')", "return type(getmetatable(redis))",
    "return redis['call']('PING')", "return rawget(redis, 'nosuch')",
    "return #redis", "local n = 0 for k, v in pairs(redis) do n = n + 1 end return n", "return pcall(redis.nosuch)",
    "return redis.call.x", "redis.call.x = 1",
    "return {redis.pcall('PING'), redis.pcall('PING', 'x')}", "return redis.call(redis.call('ECHO', 'PING'))", "return server",
    "return server.call('PING')",
])

REPLICATION_CHOICE = cases("set_repl", [
    [scripted("redis.set_repl(redis.REPL_NONE) redis.call('SET', 'a', 1) redis.set_repl(redis.REPL_ALL) redis.call('SET', 'b', 2) return 'done'"),
    ("MGET", "a", "b")],
    [scripted("redis.call('INCR', 'n') redis.set_repl(redis.REPL_AOF) return redis.call('INCR', 'n')"),
    scripted("return redis.call('INCR', 'n')"), ("GET", "n")],
])

FAMILIES = [CALLS, PCALLS, LUA_PCALLS, RETURNED_ERRORS, NUMBERS_AS_WORDS, ERRORS, SYNTAX, REDIS_TABLE, REPLICATION_CHOICE]
