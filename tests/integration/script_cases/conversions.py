"""Lua values that become replies, and replies that become Lua values."""

from script_cases.case import SHOW, cases, scripted

VALUES = [
    "nil", "true", "false", "0", "1", "-1", "3.99", "-3.99", "0.1", "1e15", "2^31", "-2^31", "2^53", "2^53+1", "2^62",
    "2^63-1024", "-2^63", "''", "'text'", "'a\\r\\nb'", "'\\0\\1\\255'", "'+OK'", "string.rep('x', 3000)", "{}", "{1,2,3}",
    "{1,nil,3}", "{nil}", "{nil,2}", "{false}", "{true}", "{1,'a',true,false,{2,{3.7}}}", "{{{{}}}}", "{a=1}", "{1,2,a=3}",
    "{[1]='a',[2]='b',[4]='d'}", "{[0]='zero','one'}", "{1.5,2.5,-0.5}", "{{},{},{{}}}",
    "{ok='fine'}", "{ok=''}", "{ok='a\\r\\nb'}", "{ok=1}", "{ok=1.5}", "{ok={}}", "{ok=true}", "{ok='x',err='y'}", "{1,2,ok='x'}",
    "{err='Some text'}", "{err='ERR text'}", "{err='a\\r\\nb'}", "{err='word'}", "{err=''}", "{err='-WITH minus'}", "{err=1}",
    "{err={}}",
    "{err=true}", "{1,err='x'}", "{{err='inner'},{ok='inner'}}", "{err='lower case'}", "{err='X y',source='s',line=3}",
    "{double=3.5}", "{double=3}", "{double='3.5'}", "{double=1/0}", "{double=-1/0}", "{double=0/0}", "{double=-0.0}",
    "{double=1e100}",
    "{double={}}", "{double=1e-7}", "{double=0.1}", "{double=123456789012345678}",
    "{map={}}", "{map={a=1}}", "{map={1,2}}", "{map={[1.5]='x'}}", "{map={[true]=false}}", "{map=1}", "{map={a={map={b={1,2}}}}}",
    "{set={}}", "{set={a=true}}", "{set={a=1}}", "{set={['b']={}}}", "{set={7,7}}", "{set='x'}", "{set={[{1,2}]=true}}",
    "{big_number='123'}", "{big_number='-12345678901234567890'}", "{big_number='1\\r\\n2'}", "{big_number=12}", "{big_number=''}",
    "{verbatim_string={format='txt',string='hello'}}", "{verbatim_string={format='markdown',string='x'}}",
    "{verbatim_string={format='t',string='x'}}", "{verbatim_string={string='x'}}", "{verbatim_string={format='txt'}}",
    "{verbatim_string='x'}", "{verbatim_string={}}", "{verbatim_string={format='txt',string=''}}",
    "{verbatim_string={format=1,string=2}}",
    "{double=1,map={}}", "{map={},set={}}", "{ok='x',double=1}", "{err='x',map={}}",
    "{{map={a=1}},{set={b=true}},{double=2.5},true,false}",
    "print", "function() end", "coroutine.create(function() end)", "redis", "redis.call", "{redis.call, 1}", "{1, print, 2}",
    "_VERSION",
    "setmetatable({}, {__index={1,2,3}})", "setmetatable({}, {__index=function(t, i) if i < 4 then return i end end})",
    "setmetatable({ok='own'}, {__index={err='other'}})", "setmetatable({}, {__index={ok='inherited'}})",
    "setmetatable({}, {__tostring=function() return 'x' end})", "{1,2,setmetatable({}, {__len=function() return 9 end})}",
    "#KEYS", "KEYS", "ARGV", "{KEYS, ARGV}", "redis.status_reply('fine')", "redis.error_reply('Bad thing')",
]

RETURNS = cases("returns", [f"return {value}" for value in VALUES] + [
    "return", "", " ", "-- nothing", "return 1,2,3", "local x = 5", "return (function(...) return ... end)(7, 8)",
    "return return",
    "return 1;", "return 1; return 2", "do return 3 end", "return 'a' .. 1 .. 2.5", "return -(-0)", "return tostring(-0)",
    "local t = {} for i = 1, 300 do t[i] = i * 1.5 end return t",
    "local t = {} for i = 1, 50 do t = {t} end return t",
    "local t = {} for i = 1, 10 do t[i] = {ok = 'n' .. i} end return t",
    "return {map={a={double=1.25}}}",
])

# The same in a script that asked for RESP3, which is about what it reads and not about what it returns.
RETURNS_AFTER_SETRESP = cases("returns after setresp", [f"redis.setresp({version}) return {value}" for version in (2,
    3) for value in VALUES])

# Commands and data for them; what they reply is looked at inside the script.
DATA = [
    ("SET", "text", "value"), ("SET", "number", "17"), ("RPUSH", "list", "a", "b", "c"), ("HSET", "hash", "f", "v"),
    ("HSET", "hash2", "f", "v", "g", "w"), ("SADD", "set", "only"), ("SADD", "numbers", "1", "2", "3"),
    ("ZADD", "zset", "1.5", "a", "2", "b"),
    ("ZADD", "endless", "inf", "a", "-inf", "b"), ("XADD", "stream", "1-1", "f", "v"), ("XADD", "stream", "2-1", "f", "w"),
    ("XGROUP", "CREATE", "stream", "group", "0"), ("GEOADD", "geo", "13.361389", "38.115556", "place"),
    ("SET", "blob", b"\0\1\r\n\xff"),
    ("SET", "empty", ""), ("PFADD", "log", "a", "b"),
]

READS = [
    "'PING'", "'PING','text'", "'ECHO','x'", "'GET','text'", "'GET','absent'", "'GET','blob'", "'GET','empty'", "'STRLEN','text'",
    "'EXISTS','text'",
    "'MGET','text','absent','number'", "'LRANGE','list',0,-1", "'LRANGE','absent',0,-1", "'LPOP','absent'", "'LPOP','absent',2",
    "'LPOS','list','z'",
    "'LPOS','list','b','COUNT',0", "'HGETALL','hash'", "'HGETALL','hash2'", "'HGETALL','absent'", "'HGET','hash','z'",
    "'HMGET','hash','f','z'",
    "'HRANDFIELD','hash',1,'WITHVALUES'", "'HRANDFIELD','absent'", "'HKEYS','hash2'", "'HVALS','hash2'", "'HSTRLEN','hash','f'",
    "'SMEMBERS','set'", "'SMEMBERS','numbers'", "'SMEMBERS','absent'", "'SISMEMBER','set','only'",
    "'SMISMEMBER','set','only','z'",
    "'SPOP','absent'", "'SPOP','absent',1", "'SINTER','set','absent'", "'SUNION','numbers'", "'SRANDMEMBER','set',1",
    "'ZSCORE','zset','a'", "'ZSCORE','zset','b'", "'ZSCORE','endless','a'", "'ZSCORE','endless','b'", "'ZSCORE','zset','z'",
    "'ZMSCORE','zset','a','z'",
    "'ZRANGE','zset',0,-1", "'ZRANGE','zset',0,-1,'WITHSCORES'", "'ZRANK','zset','z'", "'ZRANK','zset','b'", "'ZPOPMIN','absent'",
    "'ZPOPMIN','zset'",
    "'ZPOPMAX','zset',2", "'ZADD','zset','INCR',1,'a'", "'ZADD','zset','XX','INCR',1,'z'", "'ZADD','zset',3,'c'",
    "'ZINCRBY','zset',0.5,'a'",
    "'ZRANDMEMBER','zset',0,'WITHSCORES'", "'ZUNION',1,'zset','WITHSCORES'", "'ZDIFF',1,'zset'", "'ZMPOP',1,'zset','MIN'",
    "'ZMPOP',1,'absent','MIN'",
    "'LMPOP',1,'list','LEFT'", "'LMPOP',1,'absent','LEFT'", "'XRANGE','stream','-','+'", "'XREAD','STREAMS','stream','0'",
    "'XREAD','STREAMS','stream','9'",
    "'XREAD','COUNT',1,'STREAMS','stream','absent','0','0'", "'XINFO','STREAM','stream'", "'XINFO','GROUPS','stream'",
    "'XLEN','stream'",
    "'XPENDING','stream','group'", "'XREADGROUP','GROUP','group','c','COUNT',1,'STREAMS','stream','>'", "'XADD','stream','*'",
    "'XADD','stream','3-1','f','v'",
    "'GEOPOS','geo','place','z'", "'GEODIST','geo','place','z'", "'GEODIST','geo','place','place'", "'GEOHASH','geo','place','z'",
    "'GEOSEARCH','geo','FROMMEMBER','place','BYRADIUS',1,'km','WITHCOORD','WITHDIST','WITHHASH'", "'LCS','text','text','IDX'",
    "'LCS','text','number'",
    "'OBJECT','ENCODING','text'", "'OBJECT','ENCODING','absent'", "'TYPE','text'", "'TYPE','absent'", "'TTL','text'",
    "'PTTL','absent'", "'EXPIRETIME','text'",
    "'SET','text','new'", "'SET','text','new','NX'", "'SET','text','new','GET'", "'SET','absent','new','GET'",
    "'SET','absent','x','XX'", "'SETNX','text','x'",
    "'INCR','number'", "'INCR','text'", "'INCRBYFLOAT','number',0.5", "'APPEND','text','x'", "'GETSET','text','x'",
    "'GETDEL','absent'",
    "'BITCOUNT','text'", "'BITFIELD','text','GET','u8',0,'OVERFLOW','FAIL','INCRBY','u2',0,4", "'BITPOS','text',1",
    "'PFCOUNT','log'", "'SCAN',0,'COUNT',0",
    "'SSCAN','set',0", "'HSCAN','hash',0", "'ZSCAN','zset',0", "'SORT','numbers','GET','#','GET','absent*'",
    "'SORT','numbers','DESC'", "'DBSIZE'",
    "'COMMAND','COUNT','x'", "'COMMAND','GETKEYS','GET','k'", "'COMMAND','INFO','nosuch'", "'PUBLISH','c','m'",
    "'PUBSUB','NUMSUB','a'", "'PUBSUB','CHANNELS'",
    "'BLPOP','list',0", "'BLPOP','absent',0", "'BRPOPLPUSH','absent','x',0", "'BLMOVE','list','x','LEFT','LEFT',0",
    "'BZPOPMIN','absent',0",
    "'BZPOPMIN','zset',0", "'BLMPOP',0,1,'absent','LEFT'", "'BZMPOP',0,1,'zset','MIN'",
    "'XREAD','BLOCK',0,'STREAMS','stream','$'", "'WAIT',0,0",
    "'MEMORY','USAGE','absent'", "'DUMP','absent'", "'RANDOMKEY','x'", "'COPY','text','copy'", "'RENAME','absent','x'",
    "'LASTSAVE','x'",
    "'FLUSHALL'", "'FLUSHDB','ASYNC'", "'SWAPDB',0,1", "'MOVE','text',1", "'SELECT',1", "'SELECT',99", "'SELECT','x'",
]

SEEN_INSIDE = cases("seen inside", [[*DATA, scripted(f"{SHOW} redis.setresp({version}) return show(redis.pcall({words}))")]
                                    for version in (2, 3) for words in READS])
PASSED_ON = cases("passed on", [[*DATA, scripted(f"redis.setresp({version}) return redis.pcall({words})")] for version in (2,
    3) for words in READS])
CALLED = cases("called", [[*DATA, scripted(f"return redis.call({words})")] for words in READS])

# DEBUG is not for scripts, unless it is told so. A push is no reply: stock shows the script what happens to be on its stack.
PROTOCOL = ["string", "integer", "double", "null", "array", "set", "map", "attrib", "verbatim", "true", "false", "bignum",
    "nosuch"]
ALLOWED = [("DEBUG", "SET-DISABLE-DENY-SCRIPTS", "1")]
FORBIDDEN = [("DEBUG", "SET-DISABLE-DENY-SCRIPTS", "0")]
EVERY_TYPE = cases("every type", [
    [*ALLOWED, *[scripted(f"{before}redis.setresp({version}) return {pattern % name}") for pattern in (
        "redis.call('DEBUG','PROTOCOL','%s')", "show(redis.pcall('DEBUG','PROTOCOL','%s'))",
        "{redis.call('DEBUG','PROTOCOL','%s'), 1}")
        for before in [SHOW]], *FORBIDDEN]
    for version in (2, 3) for name in PROTOCOL])

SETRESP = cases("setresp", [f"return {{redis.setresp({words})}}" for words in (
    "2", "3", "1", "4", "", "'3'", "'x'", "nil", "{}", "2.5", "2,3", "-1", "true")] + [
    "redis.setresp(3) return redis.setresp", [scripted("redis.setresp(3) return 1"), *DATA,
    scripted("return redis.call('HGETALL','hash')")],
    [*DATA,
    scripted("redis.setresp(3) local a = redis.call('HGETALL','hash') redis.setresp(2) local b = redis.call('HGETALL','hash') return {a, b}")],
    [*DATA, scripted("redis.setresp(3) error('x')"), scripted("return redis.call('HGETALL','hash')")],
])

FAMILIES = [RETURNS, RETURNS_AFTER_SETRESP, SEEN_INSIDE, PASSED_ON, CALLED, EVERY_TYPE, SETRESP]
