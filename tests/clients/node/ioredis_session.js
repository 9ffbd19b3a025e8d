'use strict';
// A session with ioredis: strings, keys, transactions, connections and the server.

const {once} = require('node:events');
const {equal, isTrue, rejects, runParts, everyByte, fiveMegabytes} = require('./checks.js');
const {connect, disconnectAll, facts, open} = require('./ioredis_connect.js');

const locked = (options) => connect(
    {...(facts.transport === 'tcp' ? {port: facts.lockedPort} : {path: facts.lockedPath}), ...options});

const r = connect();

async function strings() {
  await r.flushall();
  equal('set get', [await r.set('k', 'v'), await r.get('k'), await r.get('none')], ['OK', 'v', null]);
  equal('set options', [
    await r.set('k', 'w', 'NX'), await r.set('k', 'w', 'EX', 100, 'XX'), await r.set('k', 'x', 'KEEPTTL', 'GET'),
    await r.ttl('k'),
  ], [null, 'OK', 'w', 100]);
  equal('getex getdel', [await r.getex('k', 'PERSIST'), await r.ttl('k'), await r.getdel('k')], ['x', -1, 'x']);
  equal('counters', [await r.incr('n'), await r.incrby('n', 9), await r.decr('n'), await r.decrby('n', 4),
    await r.incrbyfloat('n', 0.5)], [1, 10, 9, 5, '5.5']);
  equal('append setrange', [await r.append('s', 'Hello'), await r.setrange('s', 5, ' you'), await r.getrange('s', 6, -1),
    await r.strlen('s')], [5, 9, 'you', 9]);
  equal('mset object', [await r.mset({a: 1, b: 2}), await r.mget('a', 'none', 'b')], ['OK', ['1', null, '2']]);
  equal('mset map', [await r.mset(new Map([['a', '3']])), await r.get('a')], ['OK', '3']);
  equal('msetnx', [await r.msetnx('a', 1, 'z', 1), await r.exists('z')], [0, 0]);
  equal('setex psetex setnx getset', [await r.setex('e', 10, 'v'), await r.psetex('e', 9000, 'v'),
    await r.setnx('e', 1), await r.getset('e', 'w')], ['OK', 'OK', 0, 'v']);
  await r.mset('l1', 'ohmytext', 'l2', 'mynewtext');
  equal('lcs', [await r.lcs('l1', 'l2'), await r.lcs('l1', 'l2', 'LEN')], ['mytext', 6]);
  equal('a number beyond 2^53 stays exact', [await r.set('n', '9007199254740993'), await r.get('n')],
      ['OK', '9007199254740993']);
}

async function bits() {
  equal('setbit getbit', [await r.setbit('b', 7, 1), await r.getbit('b', 7), await r.getbit('b', 99)], [0, 1, 0]);
  await r.set('b', Buffer.from([0xff, 0xf0, 0]));
  equal('bitcount bitpos', [await r.bitcount('b'), await r.bitcount('b', 5, 11, 'BIT'), await r.bitpos('b', 0)], [12, 7, 12]);
  equal('bitop', [await r.bitop('NOT', 'd', 'b'), await r.getBuffer('d')], [3, Buffer.from([0, 0x0f, 0xff])]);
  equal('bitfield', await r.bitfield('f', 'SET', 'u8', 0, 200, 'OVERFLOW', 'FAIL', 'INCRBY', 'u8', 0, 100, 'GET', 'i4', 4),
      [0, null, -8]);
  equal('bitfield_ro', await r.bitfield_ro('f', 'GET', 'u8', 0), [200]);
  equal('hyperloglog', [await r.pfadd('h', 'a', 'b', 'c'), await r.pfadd('h', 'a'), await r.pfcount('h'),
    await r.pfadd('h2', 'c', 'd'), await r.pfcount('h', 'h2'), await r.pfmerge('h3', 'h', 'h2'), await r.pfcount('h3')],
  [1, 0, 3, 1, 4, 'OK', 4]);
}

async function keys() {
  await r.flushall();
  await r.mset(Object.fromEntries(Array.from({length: 10}, (_, i) => [`key:${i}`, i])));
  equal('keys', (await r.keys('key:[0-2]')).sort(), ['key:0', 'key:1', 'key:2']);
  equal('exists touch type', [await r.exists('key:0', 'key:0', 'none'), await r.touch('key:0', 'none'),
    await r.type('key:0'), await r.type('none')], [2, 1, 'string', 'none']);
  equal('expire family', [await r.expire('key:0', 100), await r.expire('key:0', 10, 'GT'), await r.ttl('key:0'),
    await r.pexpireat('key:1', 4102444800123), await r.pexpiretime('key:1'), await r.expiretime('key:1'),
    await r.persist('key:1'), await r.pttl('none')], [1, 0, 100, 1, 4102444800123, 4102444800, 1, -2]);
  equal('rename copy move', [await r.rename('key:2', 'new'), await r.renamenx('new', 'key:3'), await r.copy('new', 'copy'),
    await r.move('copy', 5), await r.exists('copy')], ['OK', 0, 1, 1, 0]);
  equal('del unlink dbsize', [await r.del('key:4', 'none'), await r.unlink('key:5', 'key:6'), await r.dbsize()], [1, 2, 7]);
  equal('object', [await r.object('ENCODING', 'key:3'), await r.object('REFCOUNT', 'none')], ['int', null]);
  isTrue('randomkey', (await r.keys('*')).includes(await r.randomkey()));
  equal('swapdb flushdb', [await r.swapdb(0, 5), await r.dbsize(), await r.flushdb('ASYNC'), await r.swapdb(0, 5),
    await r.dbsize()], ['OK', 1, 'OK', 'OK', 7]);
}

async function scans() {
  await r.flushall();
  const pipeline = r.pipeline();
  for (let i = 0; i < 3000; i++) pipeline.set(`scan:${i}`, i);
  await pipeline.exec();
  const seen = new Set();
  for await (const batch of r.scanStream({match: 'scan:*', count: 100})) {
    batch.forEach((key) => seen.add(key));
    await r.set(`extra:${seen.size}`, 1);
  }
  equal('scanStream meets every key', seen.size, 3000);
  const [cursor, found] = await r.scan(0, 'MATCH', 'scan:7', 'COUNT', 100000, 'TYPE', 'string');
  equal('scan with everything', [cursor, found], ['0', ['scan:7']]);
}

async function transactions() {
  await r.set('t', 1);
  equal('multi', await r.multi().incr('t').get('t').mget('t', 'none').exec(),
      [[null, 2], [null, '2'], [null, ['2', null]]]);
  const own = connect();
  await own.watch('t');
  await r.incr('t');
  equal('watch sees a change', await own.multi().set('t', 100).exec(), null);
  await own.watch('t');
  await own.unwatch();
  await r.incr('t');
  equal('unwatch', await own.multi().get('t').exec(), [[null, '4']]);
  await r.set('word', 'abc');
  const results = await r.multi().incr('word').set('after', 1).exec();
  equal('an error inside', [results[0][0].message, results[1]],
      ['ERR value is not an integer or out of range', [null, 'OK']]);
  await rejects('execabort', 'EXECABORT Transaction discarded because of previous errors.',
      r.multi().set('t').set('t', 9).exec());
  equal('nothing was run', await r.get('t'), '4');
  await own.multi({pipeline: false});
  equal('queued one by one', [await own.incr('t'), await own.discard(), await own.get('t')], ['QUEUED', 'OK', '4']);
  await rejects('exec alone', 'EXEC without MULTI', own.call('EXEC'));
}

async function pipelines() {
  const pipeline = r.pipeline();
  for (let i = 0; i < 5000; i++) pipeline.set(`p:${i}`, i).get(`p:${i}`);
  const results = await pipeline.exec();
  isTrue('10,000 commands in order', results.every(([error, value], i) => !error && value === (i % 2 ? String(i >> 1) : 'OK')));
  const mixed = await r.pipeline().set('w', 'x').incr('w').ping().exec();
  equal('an error keeps its place', mixed.map(([error, value]) => error ? 'error' : value), ['OK', 'error', 'PONG']);
  const auto = connect({enableAutoPipelining: true});
  const values = await Promise.all(Array.from({length: 1000}, (_, i) => auto.set(`a:${i}`, i).then(() => auto.get(`a:${i}`))));
  isTrue('automatic pipelines', values.every((value, i) => value === String(i)));
}

async function connection() {
  const named = connect({connectionName: 'the-session', db: 3});
  equal('name and database', [await named.client('GETNAME'), /db=3 /.test(await named.client('INFO'))], ['the-session', true]);
  equal('resp version', / resp=(\d)/.exec(await named.client('INFO'))?.[1], String(facts.protocol));
  isTrue('client list', (await r.client('LIST')).includes('name=the-session'));
  equal('setname id echo ping', [await named.client('SETNAME', 'other'), await named.client('GETNAME'),
    (await named.client('ID')) > 0, await named.echo('x'), await named.ping('hi')], ['OK', 'other', true, 'x', 'hi']);
  await rejects('bad name', 'Client names cannot contain spaces', named.client('SETNAME', 'a b'));
  equal('select', [await named.select(4), await named.set('in4', 1), await named.select(3), await named.exists('in4')],
      ['OK', 'OK', 'OK', 0]);
  const hello = await named.call('HELLO');
  const map = Object.fromEntries(Array.from({length: hello.length / 2}, (_, i) => [hello[2 * i], hello[2 * i + 1]]));
  equal('hello', [map.server, map.proto, map.mode, map.role], ['redis', facts.protocol, 'standalone', 'master']);
  const monitor = await r.monitor();
  open.push(monitor);
  const line = once(monitor, 'monitor');
  await r.set('seen-by', 'monitor');
  equal('monitor', (await line)[1], ['set', 'seen-by', 'monitor']);
}

async function reconnect() {
  const victim = connect({connectionName: 'victim'});
  const id = await victim.client('ID');
  const closed = once(victim, 'close');
  equal('client kill', await r.client('KILL', 'ID', id), 1);
  await closed;
  equal('reconnects with its name', [await victim.client('GETNAME'), (await victim.client('ID')) > id], ['victim', true]);
  const quitter = connect();
  const end = once(quitter, 'end');
  equal('quit', await quitter.quit(), 'OK');
  await end;
}

async function server() {
  const info = await r.info();
  isTrue('info', /redis_version:[78]\./.test(info) && /# Keyspace/.test(info));
  equal('config', [await r.config('SET', 'hz', 20, 'timeout', 0), await r.config('GET', 'hz')], ['OK', ['hz', '20']]);
  isTrue('command count', (await r.command('COUNT')) > 90);
  equal('command getkeys', await r.command('GETKEYS', 'MSET', 'a', 1, 'b', 2), ['a', 'b']);
  equal('time', (await r.time()).length, 2);
  equal('slowlog', [await r.slowlog('RESET'), await r.slowlog('LEN')], ['OK', 0]);
  isTrue('memory usage', (await r.memory('USAGE', 'seen-by')) > 20);
  if (facts.protocol === 3) {
    const modern = connect({replyMapping: 'resp3'});
    equal('a map is an object', await modern.config('GET', 'hz'), {hz: '20'});
    equal('HELLO is an object', (await modern.call('HELLO')).proto, 3);
    isTrue('MEMORY STATS is an object', (await modern.memory('STATS'))['keys.count'] > 0);
    isTrue('COMMAND DOCS is an object', (await modern.command('DOCS', 'get')).get.group === 'string');
  }
}

async function binary() {
  equal('every byte', [await r.set(everyByte, everyByte), await r.getBuffer(everyByte)], ['OK', everyByte]);
  equal('empty', [await r.set('', ''), await r.get('')], ['OK', '']);
  equal('text', [await r.set('ключ', '☃ 𝄞'), await r.get('ключ')], ['OK', '☃ 𝄞']);
  await r.set('large', fiveMegabytes);
  isTrue('5 MB value', fiveMegabytes.equals(await r.getBuffer('large')));
  const many = await r.pipeline().getBuffer('large').ping().getBuffer('large').exec();
  isTrue('10 MB of replies', many[1][1] === 'PONG' && fiveMegabytes.equals(many[2][1]));
}

async function errors() {
  await rejects('incr of a word', 'ERR value is not an integer or out of range', r.incr('word'));
  await rejects('unknown command', "ERR unknown command 'NOSUCH', with args beginning with: 'a'", r.call('NOSUCH', 'a'));
  await rejects('arity', "ERR wrong number of arguments for 'get' command", r.get());
  await rejects('syntax', 'ERR syntax error', r.set('a', 'b', 'EX', 1, 'PX', 1));
  await rejects('config', 'ERR Unknown option or number of arguments for CONFIG SET', r.config('SET', 'no-such', 1));
  await rejects('hll', 'WRONGTYPE Key is not a valid HyperLogLog string value', r.pfadd('word', 1));
  await rejects('database', 'ERR DB index is out of range', connect().select(99));
  equal('still connected', await r.ping(), 'PONG');
}

async function password() {
  const right = locked({password: facts.password});
  equal('right', [await right.set('k', 'v'), await right.get('k')], ['OK', 'v']);
  equal('with user name', await locked({username: 'default', password: facts.password}).ping(), 'PONG');
  const once1 = {retryStrategy: null, maxRetriesPerRequest: 0};
  await rejects('none', 'NOAUTH', locked(once1).get('k'));
  const wrong = locked({...once1, password: 'wrong', lazyConnect: true});
  const failure = once(wrong, 'error');
  wrong.connect().catch(() => {});
  isTrue('wrong', /WRONGPASS/.test((await failure)[0].message));
  equal('auth by hand', await right.auth(facts.password), 'OK');
}

runParts({strings, bits, keys, scans, transactions, pipelines, connection, reconnect, server, binary, errors, password})
    .finally(disconnectAll);
