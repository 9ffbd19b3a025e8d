'use strict';
// Lists, hashes, sets, sorted sets, streams, geo, SORT and DUMP with ioredis. The argument is a JSON object as for
// ioredis_session.js.

const {equal, isTrue, rejects, runParts, waitFor, everyByte} = require('./checks.js');
const {connect, disconnectAll, facts} = require('./ioredis_connect.js');

const r = connect();
const kWrongType = 'WRONGTYPE Operation against a key holding the wrong kind of value';

async function lists() {
  await r.flushall();
  equal('push', [await r.rpush('l', 'b', 'c'), await r.lpush('l', ['a']), await r.rpushx('l', 'd'), await r.lpushx('none', 'x')], [2, 3, 4, 0]);
  equal('read', [await r.lrange('l', 0, -1), await r.lindex('l', -1), await r.lindex('l', 9), await r.llen('l')],
      [['a', 'b', 'c', 'd'], 'd', null, 4]);
  equal('linsert lset lrem', [await r.linsert('l', 'BEFORE', 'b', 'x'), await r.linsert('l', 'AFTER', 'no', 'x'), await r.lset('l', 0, 'x'),
    await r.lrem('l', 0, 'x'), await r.lrange('l', 0, -1)], [5, -1, 'OK', 2, ['b', 'c', 'd']]);
  equal('pop', [await r.lpop('l'), await r.rpop('l', 5), await r.lpop('l'), await r.lpop('l', 5), await r.exists('l')], ['b', ['d', 'c'], null, null, 0]);
  await r.rpush('p', ...'abcabc');
  equal('lpos', [await r.lpos('p', 'b', 'RANK', -1), await r.lpos('p', 'b', 'COUNT', 0), await r.lpos('p', 'z')], [4, [1, 4], null]);
  equal('move', [await r.lmove('p', 'q', 'LEFT', 'RIGHT'), await r.rpoplpush('p', 'q'), await r.lrange('q', 0, -1), await r.ltrim('p', 1, 1),
    await r.lrange('p', 0, -1)], ['a', 'c', ['c', 'a'], 'OK', ['c']]);
  equal('lmpop', [await r.lmpop(2, 'none', 'q', 'LEFT', 'COUNT', 5), await r.lmpop(1, 'none', 'LEFT')], [['q', ['c', 'a']], null]);
  const many = Array.from({length: 10000}, (_, i) => `element:${i}`);
  equal('10,000 elements', [await r.rpush('large', ...many), await r.lrange('large', 0, -1), await r.lindex('large', 6789)], [10000, many, many[6789]]);
  equal('every byte', [await r.rpush('bin', everyByte, ''), await r.lrangeBuffer('bin', 0, -1)], [2, [everyByte, Buffer.alloc(0)]]);
  await r.set('word', 'x');
  await rejects('of a word', kWrongType, r.lpush('word', 1));
}

async function hashes() {
  await r.flushall();
  equal('hset', [await r.hset('h', 'a', 1), await r.hset('h', {a: 2, b: 3}), await r.hset('h', new Map([['c', 4]])), await r.hsetnx('h', 'a', 9),
    await r.hmset('h', {d: 5})], [1, 1, 1, 0, 'OK']);
  equal('read', [await r.hget('h', 'a'), await r.hget('h', 'z'), await r.hmget('h', 'a', 'z'), await r.hgetall('h'), await r.hgetall('none')],
      ['2', null, ['2', null], {a: '2', b: '3', c: '4', d: '5'}, {}]);
  equal('others', [await r.hkeys('h'), await r.hvals('h'), await r.hlen('h'), await r.hexists('h', 'a'), await r.hstrlen('h', 'a')],
      [['a', 'b', 'c', 'd'], ['2', '3', '4', '5'], 4, 1, 1]);
  equal('increments', [await r.hincrby('h', 'n', -3), await r.hincrbyfloat('h', 'n', 0.5), await r.hdel('h', 'n', 'z', 'd')], [-3, '-2.5', 2]);
  equal('hrandfield', [(await r.hrandfield('h', 10)).sort(), (await r.hrandfield('h', -10)).length], [['a', 'b', 'c'], 10]);
  const fields = Object.fromEntries(Array.from({length: 3000}, (_, i) => [`field:${i}`, String(i)]));
  await r.hset('large', fields);
  equal('3,000 fields', await r.hgetall('large'), fields);
  const seen = {};
  for await (const batch of r.hscanStream('large', {count: 100})) for (let i = 0; i < batch.length; i += 2) seen[batch[i]] = batch[i + 1];
  isTrue('hscanStream', Object.keys(seen).length === 3000 && Object.entries(seen).every(([field, value]) => fields[field] === value));
  if (facts.ours) {
    equal('times of fields', [await r.hexpire('h', 100, 'FIELDS', 2, 'a', 'z'), await r.httl('h', 'FIELDS', 2, 'a', 'b'),
      await r.hpersist('h', 'FIELDS', 1, 'a')], [[1, -2], [100, -1], [1]]);
  }
  await rejects('not a number', 'ERR hash value is not an integer', r.hset('h', 'w', 'x').then(() => r.hincrby('h', 'w', 1)));
}

async function sets() {
  await r.flushall();
  equal('sadd', [await r.sadd('s', 'a', 'b', 'c', 'a'), await r.sadd('s', ['a']), await r.scard('s'), (await r.smembers('s')).sort()],
      [3, 0, 3, ['a', 'b', 'c']]);
  equal('members', [await r.sismember('s', 'a'), await r.smismember('s', 'a', 'z'), await r.srem('s', 'a', 'z'), await r.smove('s', 't', 'b')], [1, [1, 0], 1, 1]);
  equal('spop', [await r.spop('s'), await r.spop('s'), await r.spop('t', 3), await r.exists('t')], ['c', null, ['b'], 0]);
  await r.sadd('x', 1, 2, 3);
  await r.sadd('y', 2, 3, 4);
  equal('algebra', [(await r.sinter('x', 'y')).sort(), (await r.sunion('x', 'y')).sort(), await r.sdiff('x', 'y'), await r.sunionstore('d', 'x', 'y'),
    await r.sintercard(2, 'x', 'y', 'LIMIT', 1)], [['2', '3'], ['1', '2', '3', '4'], ['1'], 4, 1]);
  equal('srandmember', [(await r.srandmember('x', 9)).sort(), (await r.srandmember('x', -9)).length, await r.srandmember('none')], [['1', '2', '3'], 9, null]);
  await r.sadd('large', ...Array.from({length: 3000}, (_, i) => `m${i}`));
  const seen = new Set();
  for await (const batch of r.sscanStream('large')) batch.forEach((member) => seen.add(member));
  equal('sscanStream', seen.size, 3000);
  await rejects('of a word', kWrongType, r.set('word', 1).then(() => r.sadd('word', 1)));
}

async function sortedSets() {
  await r.flushall();
  equal('zadd', [await r.zadd('z', 1, 'a', 2.5, 'b', 3, 'c'), await r.zadd('z', 'NX', 9, 'a'), await r.zadd('z', 'XX', 'CH', 2, 'a'),
    await r.zadd('z', 'GT', 'CH', 1, 'a'), await r.zadd('z', 'INCR', -1, 'a')], [3, 0, 1, 0, '1']);
  equal('scores', [await r.zscore('z', 'b'), await r.zscore('z', 'x'), await r.zmscore('z', 'a', 'x'), await r.zincrby('z', 1, 'b'), await r.zcard('z')],
      ['2.5', null, ['1', null], '3.5', 3]);
  equal('ranges', [await r.zrange('z', 0, -1), await r.zrevrange('z', 0, 0), await r.zrangebyscore('z', '(1', '+inf'), await r.zrange('z', 5, 9),
    await r.zrank('z', 'b'), await r.zrevrank('z', 'b'), await r.zcount('z', '-inf', 3)], [['a', 'c', 'b'], ['b'], ['c', 'b'], [], 2, 0, 2]);
  equal('with scores', [(await r.zrange('z', 0, 1, 'WITHSCORES')).flat(), (await r.zpopmin('z', 2)).flat()], [['a', '1', 'c', '3'], ['a', '1', 'c', '3']]);
  await r.zadd('lex', ...[...'abcde'].flatMap((member) => [0, member]));
  equal('by name', [await r.zrangebylex('lex', '[b', '(d'), await r.zlexcount('lex', '-', '+'), await r.zrange('lex', '+', '-', 'BYLEX', 'REV', 'LIMIT', 0, 2)],
      [['b', 'c'], 5, ['e', 'd']]);
  equal('algebra', [await r.zunionstore('d', 2, 'z', 'lex', 'WEIGHTS', 2, 1), await r.zinter(2, 'd', 'lex'), await r.zdiff(2, 'd', 'z'), await r.zintercard(2, 'd', 'lex')],
      [5, ['a', 'c', 'd', 'e', 'b'], ['a', 'c', 'd', 'e'], 5]);
  equal('zrangestore zmpop', [await r.zrangestore('e', 'd', 0, 1), await r.zmpop(1, 'e', 'MIN', 'COUNT', 2), await r.exists('e')], [2, ['e', [['a', '0'], ['c', '0']]], 0]);
  equal('remove', [await r.zrem('lex', 'a', 'x'), await r.zremrangebyrank('lex', 0, 0), await r.zremrangebyscore('lex', 0, 0), await r.exists('lex')], [1, 1, 3, 0]);
  const many = Array.from({length: 3000}, (_, i) => [i, `m${i}`]);
  await r.zadd('large', ...many.flat());
  equal('3,000 in order', await r.zrange('large', 0, -1), many.map(([, member]) => member));
  let seen = 0;
  for await (const batch of r.zscanStream('large')) seen += batch.length / 2;
  isTrue('zscanStream', seen >= 3000, String(seen));
  if (facts.protocol === 3) {
    const modern = connect({replyMapping: 'resp3'});
    equal('scores are numbers', [await modern.zscore('large', 'm7'), await modern.zrange('large', 0, 0, 'WITHSCORES'), await modern.zadd('large', 'INCR', 1.5, 'm0')],
        [7, [['m0', 0]], 1.5]);
  }
  await rejects('of a word', kWrongType, r.set('word', 1).then(() => r.zadd('word', 1, 'a')));
  await rejects('not a float', 'ERR value is not a valid float', r.zadd('z', 'x', 'a'));
}

async function streams() {
  await r.flushall();
  equal('xadd', [await r.xadd('x', '1-1', 'a', 1, 'b', 2), await r.xadd('x', '1-*', 'a', 3), await r.xadd('x', 'NOMKSTREAM', '2-0', 'a', 4), await r.xlen('x')],
      ['1-1', '1-2', '2-0', 3]);
  isTrue('an identity', /^\d{13}-\d+$/.test(await r.xadd('x', '*', 'a', 5)));
  equal('xrange', [await r.xrange('x', '-', '+', 'COUNT', 1), await r.xrevrange('x', '2', '(1-1')], [[['1-1', ['a', '1', 'b', '2']]], [['2-0', ['a', '4']], ['1-2', ['a', '3']]]]);
  equal('xread', entriesOf(await r.xread('COUNT', 1, 'STREAMS', 'x', 'none', '1-1', '0')), [['x', [['1-2', ['a', '3']]]]]);
  equal('nothing new', await r.xread('STREAMS', 'x', '$'), null);
  equal('xgroup', [await r.xgroup('CREATE', 'x', 'g', '0'), await r.xgroup('CREATECONSUMER', 'x', 'g', 'early')], ['OK', 1]);
  equal('xreadgroup', entriesOf(await r.xreadgroup('GROUP', 'g', 'a', 'COUNT', 2, 'STREAMS', 'x', '>')), [['x', [['1-1', ['a', '1', 'b', '2']], ['1-2', ['a', '3']]]]]);
  equal('xpending', [await r.xpending('x', 'g'), (await r.xpending('x', 'g', '-', '+', 1)).map((each) => [each[0], each[1], each[3]])],
      [[2, '1-1', '1-2', [['a', '2']]], [['1-1', 'a', 1]]]);
  equal('claims', [await r.xclaim('x', 'g', 'b', 0, '1-1', 'JUSTID'), await r.xautoclaim('x', 'g', 'c', 0, '0', 'COUNT', 1), await r.xack('x', 'g', '1-1', '1-2')],
      [['1-1'], ['1-2', [['1-1', ['a', '1', 'b', '2']]], []], 2]);
  equal('delete and trim', [await r.xdel('x', '1-1'), await r.xtrim('x', 'MAXLEN', 1), await r.xlen('x')], [1, 2, 1]);
  const info = await r.xinfo('STREAM', 'x');
  equal('xinfo', [info[info.indexOf('length') + 1], info[info.indexOf('groups') + 1]], [1, 1]);
  equal('end of a group', [await r.xgroup('DELCONSUMER', 'x', 'g', 'a'), await r.xgroup('DESTROY', 'x', 'g')], [0, 1]);
  await rejects('no group', 'NOGROUP', r.xreadgroup('GROUP', 'g', 'a', 'STREAMS', 'x', '>'));
  await rejects('not greater', 'ERR The ID specified in XADD is equal or smaller', r.xadd('x', '1-0', 'a', 1));
}

/** The reply of XREAD as a list of [key, entries]: a list of pairs in RESP2, in RESP3 a map that the client may flatten. */
function entriesOf(reply) {
  if (Array.isArray(reply)) return Array.isArray(reply[0]) ? reply : reply.flatMap((_, i) => i % 2 ? [] : [[reply[i], reply[i + 1]]]);
  return Object.entries(reply);
}

async function geo() {
  await r.flushall();
  equal('geoadd', await r.geoadd('g', 13.361389, 38.115556, 'Palermo', 15.087269, 37.502669, 'Catania'), 2);
  equal('geodist geohash', [await r.geodist('g', 'Palermo', 'Catania', 'km'), await r.geohash('g', 'Palermo')], ['166.2742', ['sqc8b49rny0']]);
  equal('geosearch', [await r.geosearch('g', 'FROMLONLAT', 15, 37, 'BYRADIUS', 200, 'km', 'ASC'), await r.geosearch('g', 'FROMMEMBER', 'Palermo', 'BYBOX', 10, 10, 'km', 'WITHDIST'),
    await r.geosearchstore('d', 'g', 'FROMLONLAT', 15, 37, 'BYRADIUS', 100, 'km')], [['Catania', 'Palermo'], [['Palermo', '0.0000']], 1]);
  const [[longitude, latitude], none] = await r.geopos('g', 'Catania', 'none');
  equal('geopos', [Number(longitude).toFixed(5), Number(latitude).toFixed(5), none], ['15.08727', '37.50267', null]);
  equal('georadius', await r.georadius('g', 15, 37, 100, 'km', 'WITHDIST'), [['Catania', '56.4413']]);
}

async function sortAndDump() {
  await r.flushall();
  await r.rpush('l', 3, 10, 1);
  await r.mset('w:3', 1, 'w:10', 2, 'w:1', 3, 'n:3', 'three');
  equal('sort', [await r.sort('l'), await r.sort('l', 'ALPHA', 'DESC'), await r.sort('l', 'BY', 'w:*', 'LIMIT', 0, 1, 'GET', '#', 'GET', 'n:*'), await r.sort('l', 'STORE', 'd'),
    await r.sort_ro('d', 'BY', 'nosort')], [['1', '3', '10'], ['3', '10', '1'], ['3', 'three'], 3, ['1', '3', '10']]);
  await r.hset('h', {a: 1, b: 'x'.repeat(100)});
  await r.zadd('z', 1.5, 'a', -2, 'b');
  for (const key of ['l', 'h', 'z', 'w:1']) {
    const payload = await r.dumpBuffer(key);
    equal(`restore ${key}`, [await r.restore('copy', 0, payload, 'REPLACE'), await r.type('copy'), payload.equals(await r.dumpBuffer('copy'))], ['OK', await r.type(key), true]);
  }
  await rejects('busy', 'BUSYKEY Target key name already exists', r.restore('copy', 0, await r.dumpBuffer('l')));
  await rejects('damaged', 'ERR DUMP payload version or checksum are wrong', r.restore('new', 0, Buffer.from('damaged payload')));
}

/** Starts a command that waits, and goes on once the server has blocked its client. */
async function blocked(count, run) {
  const answer = run(connect());
  await waitFor(async () => Number(/blocked_clients:(\d+)/.exec(await r.info('clients'))[1]) >= count);
  return {answer};  // In an object, for `await` would wait for the answer as well.
}

async function blocking() {
  await r.flushall();
  const pop = await blocked(1, (client) => client.blpop('none', 'q', 0));
  const min = await blocked(2, (client) => client.bzpopmin('z', 0));
  const move = await blocked(3, (client) => client.blmove('q', 'done', 'LEFT', 'RIGHT', 0));
  const read = await blocked(4, (client) => client.xread('BLOCK', 0, 'STREAMS', 'x', '$'));
  await r.rpush('q', 'first', 'second');
  await r.zadd('z', 1.5, 'low', 2, 'high');
  await r.xadd('x', '7-0', 'a', 1);
  equal('served in order', [await pop.answer, await move.answer, await r.lrange('done', 0, -1)], [['q', 'first'], 'second', ['second']]);
  equal('bzpopmin xread', [await min.answer, entriesOf(await read.answer)], [['z', 'low', '1.5'], [['x', [['7-0', ['a', '1']]]]]]);
  const waiter = connect();
  equal('time is over', [await waiter.brpop('none', 0.05), await waiter.blmpop(0.05, 1, 'none', 'LEFT'), await waiter.bzmpop(0.05, 1, 'none', 'MIN'),
    await waiter.brpoplpush('none', 'x', 0.05)], [null, null, null, null]);
  const gone = connect();
  gone.blpop('left', 0).catch(() => {});
  await waitFor(async () => /blocked_clients:1\r/.test(await r.info('clients')));
  gone.disconnect();
  await waitFor(async () => /blocked_clients:0\r/.test(await r.info('clients')));
  equal('one who left takes nothing', [await r.rpush('left', 'x'), await r.llen('left')], [1, 1]);
  equal('in a transaction', await r.multi().blpop('none', 0).rpush('t', 1).blpop('t', 0).exec(), [[null, null], [null, 1], [null, ['t', '1']]]);
}

runParts({lists, hashes, sets, sortedSets, streams, geo, sortAndDump, blocking}).finally(disconnectAll);
