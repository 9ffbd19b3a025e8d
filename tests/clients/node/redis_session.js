'use strict';
// A session with node-redis: strings, keys, transactions, connections and the server.

const {createClientPool, RESP_TYPES, WatchError} = require('redis');
const {equal, isTrue, rejects, runParts, everyByte, fiveMegabytes} = require('./checks.js');
const {connect, disconnectAll, settings, facts} = require('./redis_connect.js');

let r;
let raw;  // The same client with Buffers for bulk strings.

async function strings() {
  r = await connect();
  raw = r.withTypeMapping({[RESP_TYPES.BLOB_STRING]: Buffer});
  await r.flushAll();
  equal('set get', [await r.set('k', 'v'), await r.get('k'), await r.get('none')], ['OK', 'v', null]);
  equal('set options', [
    await r.set('k', 'w', {condition: 'NX'}), await r.set('k', 'w', {condition: 'XX', expiration: {type: 'EX', value: 100}}),
    await r.set('k', 'x', {expiration: 'KEEPTTL', GET: true}), await r.ttl('k'),
  ], [null, 'OK', 'w', 100]);
  equal('getEx getDel', [await r.getEx('k', {type: 'PERSIST'}), await r.ttl('k'), await r.getDel('k')], ['x', -1, 'x']);
  equal('counters', [await r.incr('n'), await r.incrBy('n', 9), await r.decr('n'), await r.decrBy('n', 4),
    await r.incrByFloat('n', 0.5)], [1, 10, 9, 5, '5.5']);
  equal('append setRange', [await r.append('s', 'Hello'), await r.setRange('s', 5, ' you'), await r.getRange('s', 6, -1),
    await r.strLen('s')], [5, 9, 'you', 9]);
  equal('mSet mGet', [await r.mSet({a: '1', b: '2'}), await r.mGet(['a', 'none', 'b'])], ['OK', ['1', null, '2']]);
  equal('mSetNX', [await r.mSetNX([['a', '1'], ['z', '1']]), await r.exists('z')], [0, 0]);
  equal('setEx pSetEx setNX getSet', [await r.setEx('e', 10, 'v'), await r.pSetEx('e', 9000, 'v'),
    await r.setNX('e', '1'), await r.getSet('e', 'w')], ['OK', 'OK', 0, 'v']);
  await r.mSet({l1: 'ohmytext', l2: 'mynewtext'});
  equal('lcs', [await r.lcs('l1', 'l2'), await r.lcsLen('l1', 'l2')], ['mytext', 6]);
  const idx = await r.lcsIdxWithMatchLen('l1', 'l2');
  equal('lcsIdx', [idx.len, idx.matches], [6, [[[4, 7], [5, 8], 4], [[2, 3], [0, 1], 2]]]);
}

async function bits() {
  equal('setBit getBit', [await r.setBit('b', 7, 1), await r.getBit('b', 7), await r.getBit('b', 99)], [0, 1, 0]);
  await r.set('b', Buffer.from([0xff, 0xf0, 0]));
  equal('bitCount bitPos', [await r.bitCount('b'), await r.bitCount('b', {start: 5, end: 11, mode: 'BIT'}),
    await r.bitPos('b', 0)], [12, 7, 12]);
  equal('bitOp', [await r.bitOp('NOT', 'd', 'b'), await raw.get('d')], [3, Buffer.from([0, 0x0f, 0xff])]);
  equal('bitField', await r.bitField('f', [
    {operation: 'SET', encoding: 'u8', offset: 0, value: 200}, {operation: 'OVERFLOW', behavior: 'FAIL'},
    {operation: 'INCRBY', encoding: 'u8', offset: 0, increment: 100}, {operation: 'GET', encoding: 'i4', offset: 4},
  ]), [0, null, -8]);
  equal('bitFieldRo', await r.bitFieldRo('f', [{encoding: 'u8', offset: 0}]), [200]);
  equal('hyperloglog', [await r.pfAdd('h', ['a', 'b', 'c']), await r.pfAdd('h', 'a'), await r.pfCount('h'),
    await r.pfAdd('h2', ['c', 'd']), await r.pfCount(['h', 'h2']), await r.pfMerge('h3', ['h', 'h2']), await r.pfCount('h3')],
  [1, 0, 3, 1, 4, 'OK', 4]);
}

async function keys() {
  await r.flushAll();
  await r.mSet(Object.fromEntries(Array.from({length: 10}, (_, i) => [`key:${i}`, String(i)])));
  equal('keys', (await r.keys('key:[0-2]')).sort(), ['key:0', 'key:1', 'key:2']);
  equal('exists touch type', [await r.exists(['key:0', 'key:0', 'none']), await r.touch(['key:0', 'none']),
    await r.type('key:0'), await r.type('none')], [2, 1, 'string', 'none']);
  equal('expire family', [await r.expire('key:0', 100), await r.expire('key:0', 10, 'GT'), await r.ttl('key:0'),
    await r.pExpireAt('key:1', 4102444800123), await r.pExpireTime('key:1'), await r.expireTime('key:1'),
    await r.persist('key:1'), await r.pTTL('none')], [1, 0, 100, 1, 4102444800123, 4102444800, 1, -2]);
  equal('rename copy move', [await r.rename('key:2', 'new'), await r.renameNX('new', 'key:3'), await r.copy('new', 'copy'),
    await r.move('copy', 5), await r.exists('copy')], ['OK', 0, 1, 1, 0]);
  equal('del unlink dbSize', [await r.del(['key:4', 'none']), await r.unlink(['key:5', 'key:6']), await r.dbSize()], [1, 2, 7]);
  equal('object', [await r.objectEncoding('key:3'), await r.objectRefCount('key:3')], ['int', await r.objectRefCount('key:3')]);
  isTrue('randomKey', (await r.keys('*')).includes(await r.randomKey()));
  equal('swapDb flushDb', [await r.swapDb(0, 5), await r.dbSize(), await r.flushDb('ASYNC'), await r.swapDb(0, 5),
    await r.dbSize()], ['OK', 1, 'OK', 'OK', 7]);
}

async function scans() {
  await r.flushAll();
  await Promise.all(Array.from({length: 3000}, (_, i) => r.set(`scan:${i}`, String(i))));
  const seen = new Set();
  for await (const batch of r.scanIterator({MATCH: 'scan:*', COUNT: 100})) {
    batch.forEach((key) => seen.add(key));
    await r.set(`extra:${seen.size}`, '1');
  }
  equal('scanIterator meets every key', seen.size, 3000);
  const got = await r.scan('0', {MATCH: 'scan:7', COUNT: 100000, TYPE: 'string'});
  equal('scan with everything', [got.cursor, got.keys], ['0', ['scan:7']]);
}

async function transactions() {
  await r.set('t', '1');
  equal('multi', await r.multi().incr('t').get('t').mGet(['t', 'none']).exec(), [2, '2', ['2', null]]);
  const own = await connect();
  await own.watch('t');
  await r.incr('t');
  await own.multi().set('t', '100').exec().then(() => isTrue('watch sees a change', false),
      (error) => isTrue('watch sees a change', error instanceof WatchError, error));
  await own.watch('t');
  await own.unwatch();
  await r.incr('t');
  equal('unwatch', await own.multi().get('t').exec(), ['4']);
  await r.set('word', 'abc');
  try {
    await r.multi().incr('word').set('after', '1').exec();
    isTrue('an error inside', false);
  } catch (error) {
    equal('an error inside', [error.replies[0].message, error.replies[1]],
        ['ERR value is not an integer or out of range', 'OK']);
  }
  await rejects('execabort', '', r.multi().addCommand(['SET', 't']).set('t', '9').exec());
  equal('nothing was run', await r.get('t'), '4');
  await rejects('exec alone', 'EXEC without MULTI', own.sendCommand(['EXEC']));
}

async function pipelines() {
  const results = await Promise.all(Array.from({length: 10000}, (_, i) => i % 2 ? r.get(`p:${i >> 1}`) : r.set(`p:${i >> 1}`, String(i >> 1))));
  isTrue('10,000 commands in order', results.every((value, i) => value === (i % 2 ? String(i >> 1) : 'OK')));
  const mixed = await Promise.allSettled([r.set('w', 'x'), r.incr('w'), r.ping()]);
  equal('an error keeps its place', mixed.map((m) => m.value ?? m.reason.message),
      ['OK', 'ERR value is not an integer or out of range', 'PONG']);
  equal('execAsPipeline', await r.multi().set('w', '1').incr('w').execAsPipeline(), ['OK', 2]);
  const pool = createClientPool(settings(false, {}), {minimum: 2, maximum: 8});
  pool.on('error', () => {});
  await pool.connect();
  await pool.del('pooled');
  await Promise.all(Array.from({length: 1000}, () => pool.incr('pooled')));
  equal('a pool of connections', await pool.get('pooled'), '1000');
  await pool.close();
}

async function connection() {
  const named = await connect({name: 'the-session', database: 3});
  const info = await named.clientInfo();
  equal('clientInfo', [info.name, info.db, info.cmd], ['the-session', 3, 'client|info']);
  isTrue('clientList', (await r.clientList()).some((client) => client.name === 'the-session'));
  equal('setName id echo ping', [await named.clientSetName('other'), await named.clientGetName(),
    (await named.clientId()) === info.id, await named.echo('x'), await named.ping('hi')], ['OK', 'other', true, 'x', 'hi']);
  await rejects('bad name', 'Client names cannot contain spaces', named.clientSetName('a b'));
  equal('select', [await named.select(4), await named.set('in4', '1'), await named.select(3), await named.exists('in4')],
      [undefined, 'OK', undefined, 0]);
  const hello = await named.hello();
  equal('hello', [hello.server, hello.proto, hello.mode, hello.role], ['redis', facts.protocol, 'standalone', 'master']);
  equal('pause', [await named.clientPause(60000, 'WRITE'), await named.get('none'), await named.clientUnpause()], ['OK', null, 'OK']);
  const watcher = await connect();
  const lines = [];
  let done;
  const arrived = new Promise((resolve) => { done = resolve; });
  await watcher.monitor((line) => { lines.push(line); if (String(line).includes('seen-by')) done(); });
  await r.set('seen-by', 'monitor');
  await arrived;
  isTrue('monitor', /^\d+\.\d{6} \[0 .*\] "SET" "seen-by" "monitor"$/.test(lines.at(-1)), lines);
  equal('reset ends monitoring', [String(await watcher.reset()), await watcher.ping()], [String(undefined), 'PONG']);
}

async function reconnect() {
  const victim = await connect({name: 'victim'});
  const id = await victim.clientId();
  const ready = new Promise((resolve) => victim.once('ready', resolve));
  equal('clientKill', await r.clientKill({filter: 'ID', id}), 1);
  await ready;
  equal('reconnects with its name', [await victim.clientGetName(), (await victim.clientId()) > id], ['victim', true]);
  await rejects('kill of nobody', 'No such client', r.clientKill({filter: 'ADDR', address: '1.2.3.4:5'}).then((n) => {
    throw new Error(n === 0 ? 'No such client' : `killed ${n}`);
  }));
  const quitter = await connect();
  equal('quit', await quitter.sendCommand(['QUIT']), 'OK');
}

async function server() {
  const info = await r.info();
  isTrue('info', /redis_version:[78]\./.test(info) && /# Keyspace/.test(info));
  equal('configSet configGet', [await r.configSet({hz: '20', timeout: '0'}), {...await r.configGet('hz')}], ['OK', {hz: '20'}]);
  isTrue('command', (await r.command()).some((command) => command.name === 'get' && command.arity === 2));
  isTrue('commandCount', (await r.commandCount()) > 90);
  equal('commandGetKeys', await r.commandGetKeys(['MSET', 'a', '1', 'b', '2']), ['a', 'b']);
  equal('commandInfo', (await r.commandInfo(['get']))[0].name, 'get');
  equal('time', (await r.time()).length, 2);
  isTrue('memoryUsage', (await r.memoryUsage('seen-by')) > 20);
  isTrue('memoryStats', (await r.memoryStats())['keys.count'] > 0);
  isTrue('memoryDoctor', (await r.memoryDoctor()).length > 20);
  isTrue('latencyHistogram', (await r.sendCommand(['LATENCY', 'HISTOGRAM', 'get'])) !== null);
  isTrue('lolwut', String(await r.sendCommand(['LOLWUT'])).includes('ver'));
}

async function binary() {
  equal('every byte', [await r.set(everyByte, everyByte), await raw.get(everyByte)], ['OK', everyByte]);
  equal('empty', [await r.set('', ''), await r.get('')], ['OK', '']);
  equal('text', [await r.set('ключ', '☃ 𝄞'), await r.get('ключ')], ['OK', '☃ 𝄞']);
  await r.set('large', fiveMegabytes);
  isTrue('5 MB value', fiveMegabytes.equals(await raw.get('large')));
  const many = await Promise.all([raw.get('large'), r.ping(), raw.get('large')]);
  isTrue('10 MB of replies', many[1] === 'PONG' && fiveMegabytes.equals(many[2]));
}

async function errors() {
  await rejects('incr of a word', 'ERR value is not an integer or out of range', r.incr('word'));
  await rejects('unknown command', "ERR unknown command 'NOSUCH', with args beginning with: 'a'", r.sendCommand(['NOSUCH', 'a']));
  await rejects('arity', "ERR wrong number of arguments for 'get' command", r.sendCommand(['GET']));
  await rejects('syntax', 'ERR syntax error', r.sendCommand(['SET', 'a', 'b', 'EX', '1', 'PX', '1']));
  await rejects('config', 'ERR Unknown option or number of arguments for CONFIG SET', r.configSet('no-such', '1'));
  await rejects('hll', 'WRONGTYPE Key is not a valid HyperLogLog string value', r.pfAdd('word', 'x'));
  await rejects('database', 'ERR DB index is out of range', r.sendCommand(['SELECT', '99']));
  equal('still connected', await r.ping(), 'PONG');
}

async function password() {
  const right = await connect({password: facts.password}, true);
  equal('right', [await right.set('k', 'v'), await right.get('k')], ['OK', 'v']);
  equal('with user name', await (await connect({username: 'default', password: facts.password}, true)).ping(), 'PONG');
  const socket = {reconnectStrategy: false};
  await rejects('none', facts.protocol === 3 ? '' : 'NOAUTH', connect({socket}, true).then((client) => client.get('k')));
  await rejects('wrong', 'WRONGPASS', connect({password: 'wrong', socket}, true));
  equal('auth by hand', await right.auth({password: facts.password}), 'OK');
}

runParts({strings, bits, keys, scans, transactions, pipelines, connection, reconnect, server, binary, errors, password})
    .finally(disconnectAll);
