'use strict';
// Lists, hashes, sets, sorted sets, streams, geo, SORT and DUMP with node-redis. The argument is a JSON object as for
// redis_session.js.

const {RESP_TYPES} = require('redis');
const {equal, isTrue, rejects, runParts, waitFor, everyByte} = require('./checks.js');
const {connect, disconnectAll, facts} = require('./redis_connect.js');

const kWrongType = 'WRONGTYPE Operation against a key holding the wrong kind of value';
let r;
let raw;  // The same client with Buffers for bulk strings.

const plain = (value) => JSON.parse(JSON.stringify(value));  // Objects without a prototype become ordinary ones.
const yes = (value) => Number(value);  // Some answers are booleans for one protocol of this client, numbers for the other.

async function lists() {
  r = await connect();
  raw = r.withTypeMapping({[RESP_TYPES.BLOB_STRING]: Buffer});
  await r.flushAll();
  equal('push', [await r.rPush('l', ['b', 'c']), await r.lPush('l', 'a'), await r.rPushX('l', 'd'), await r.lPushX('none', 'x')], [2, 3, 4, 0]);
  equal('read', [await r.lRange('l', 0, -1), await r.lIndex('l', -1), await r.lIndex('l', 9), await r.lLen('l')], [['a', 'b', 'c', 'd'], 'd', null, 4]);
  equal('lInsert lSet lRem', [await r.lInsert('l', 'BEFORE', 'b', 'x'), await r.lSet('l', 0, 'x'), await r.lRem('l', 0, 'x'), await r.lRange('l', 0, -1)],
      [5, 'OK', 2, ['b', 'c', 'd']]);
  equal('pop', [await r.lPop('l'), await r.rPopCount('l', 5), await r.lPop('l'), await r.lPopCount('l', 5), await r.exists('l')], ['b', ['d', 'c'], null, null, 0]);
  await r.rPush('p', [...'abcabc']);
  equal('lPos', [await r.lPos('p', 'b', {RANK: -1}), await r.lPosCount('p', 'b', 0), await r.lPos('p', 'z')], [4, [1, 4], null]);
  equal('move', [await r.lMove('p', 'q', 'LEFT', 'RIGHT'), await r.rPopLPush('p', 'q'), await r.lTrim('p', 1, 1), await r.lRange('p', 0, -1)], ['a', 'c', 'OK', ['c']]);
  equal('lmPop', [plain(await r.lmPop(['none', 'q'], 'LEFT', {COUNT: 5})), await r.lmPop('none', 'LEFT')], [['q', ['c', 'a']], null]);
  const many = Array.from({length: 10000}, (_, i) => `element:${i}`);
  equal('10,000 elements', [await r.rPush('large', many), await r.lRange('large', 0, -1)], [10000, many]);
  equal('every byte', [await r.rPush('bin', everyByte), await raw.lRange('bin', 0, -1)], [1, [everyByte]]);
  await r.set('word', 'x');
  await rejects('of a word', kWrongType, r.lPush('word', '1'));
}

async function hashes() {
  await r.flushAll();
  equal('hSet', [await r.hSet('h', 'a', '1'), await r.hSet('h', {a: '2', b: '3'}), yes(await r.hSetNX('h', 'a', '9'))], [1, 1, 0]);
  equal('read', [await r.hGet('h', 'a'), await r.hGet('h', 'z'), await r.hmGet('h', ['a', 'z']), plain(await r.hGetAll('h')), plain(await r.hGetAll('none'))],
      ['2', null, ['2', null], {a: '2', b: '3'}, {}]);
  equal('others', [await r.hKeys('h'), await r.hVals('h'), await r.hLen('h'), yes(await r.hExists('h', 'a')), await r.hStrLen('h', 'a')], [['a', 'b'], ['2', '3'], 2, 1, 1]);
  equal('increments', [await r.hIncrBy('h', 'n', -3), await r.hIncrByFloat('h', 'n', 0.5), await r.hDel('h', ['n', 'z'])], [-3, '-2.5', 1]);
  equal('hRandField', [(await r.hRandFieldCount('h', 10)).sort(), plain(await r.hRandFieldCountWithValues('h', 10)).map((each) => each.value).sort()], [['a', 'b'], ['2', '3']]);
  const fields = Object.fromEntries(Array.from({length: 3000}, (_, i) => [`field:${i}`, String(i)]));
  await r.hSet('large', fields);
  equal('3,000 fields', plain(await r.hGetAll('large')), fields);
  const seen = {};
  for await (const batch of r.hScanIterator('large')) for (const {field, value} of batch) seen[field] = value;
  isTrue('hScanIterator', Object.keys(seen).length === 3000 && Object.entries(seen).every(([field, value]) => fields[field] === value));
  if (facts.ours) {
    equal('times of fields', [await r.hExpire('h', ['a', 'z'], 100), await r.hTTL('h', ['a', 'b']), await r.hPersist('h', 'a'), await r.hGetDel('h', 'a')],
        [[1, -2], [100, -1], [1], ['2']]);
  }
  await rejects('not a number', 'ERR hash value is not an integer', r.hSet('h', 'w', 'x').then(() => r.hIncrBy('h', 'w', 1)));
}

async function sets() {
  await r.flushAll();
  const sorted = async (reply) => [...await reply].sort();
  equal('sAdd', [await r.sAdd('s', ['a', 'b', 'c', 'a']), await r.sAdd('s', 'a'), await r.sCard('s'), await sorted(r.sMembers('s'))], [3, 0, 3, ['a', 'b', 'c']]);
  equal('members', [yes(await r.sIsMember('s', 'a')), (await r.smIsMember('s', ['a', 'z'])).map(yes), await r.sRem('s', ['a', 'z']), yes(await r.sMove('s', 't', 'b'))], [1, [1, 0], 1, 1]);
  equal('sPop', [await r.sPop('s'), await r.sPop('s'), await sorted(r.sPopCount('t', 3)), await r.exists('t')], ['c', null, ['b'], 0]);
  await r.sAdd('x', ['1', '2', '3']);
  await r.sAdd('y', ['2', '3', '4']);
  equal('algebra', [await sorted(r.sInter(['x', 'y'])), await sorted(r.sUnion(['x', 'y'])), await sorted(r.sDiff(['x', 'y'])), await r.sUnionStore('d', ['x', 'y']),
    await r.sInterCard(['x', 'y'], 1)], [['2', '3'], ['1', '2', '3', '4'], ['1'], 4, 1]);
  equal('sRandMember', [await sorted(r.sRandMemberCount('x', 9)), await r.sRandMember('none')], [['1', '2', '3'], null]);
  await r.sAdd('large', Array.from({length: 3000}, (_, i) => `m${i}`));
  const seen = new Set();
  for await (const batch of r.sScanIterator('large')) batch.forEach((member) => seen.add(member));
  equal('sScanIterator', seen.size, 3000);
  await rejects('of a word', kWrongType, r.set('word', '1').then(() => r.sAdd('word', '1')));
}

async function sortedSets() {
  await r.flushAll();
  const members = (text) => [...text].map((value, i) => ({value, score: i + 1}));
  equal('zAdd', [await r.zAdd('z', members('abc')), await r.zAdd('z', {value: 'a', score: 9}, {condition: 'NX'}), await r.zAdd('z', {value: 'a', score: 2.5}, {condition: 'XX', CH: true}),
    await r.zAddIncr('z', {value: 'a', score: -1.5})], [3, 0, 1, 1]);
  equal('scores', [await r.zScore('z', 'b'), await r.zScore('z', 'x'), await r.zmScore('z', ['a', 'x']), await r.zIncrBy('z', 1.5, 'b'), await r.zCard('z')], [2, null, [1, null], 3.5, 3]);
  equal('ranges', [await r.zRange('z', 0, -1), await r.zRange('z', 0, 0, {REV: true}), await r.zRange('z', '(1', '+inf', {BY: 'SCORE'}), await r.zRank('z', 'b'), await r.zRevRank('z', 'x'),
    await r.zCount('z', '-inf', 3)], [['a', 'c', 'b'], ['b'], ['c', 'b'], 2, null, 2]);
  equal('with scores', [plain(await r.zRangeWithScores('z', 0, 1)), plain(await r.zPopMin('z')), plain(await r.zPopMaxCount('z', 2))],
      [[{value: 'a', score: 1}, {value: 'c', score: 3}], {value: 'a', score: 1}, [{value: 'b', score: 3.5}, {value: 'c', score: 3}]]);
  await r.zAdd('lex', [...'abcde'].map((value) => ({value, score: 0})));
  equal('by name', [await r.zRangeByLex('lex', '[b', '(d'), await r.zLexCount('lex', '-', '+'), await r.zRemRangeByLex('lex', '[e', '+')], [['b', 'c'], 5, 1]);
  await r.zAdd('x', members('ab'));
  await r.zAdd('y', members('bc'));
  equal('algebra', [plain(await r.zUnionWithScores(['x', 'y'])), await r.zInter(['x', 'y']), plain(await r.zDiffWithScores(['x', 'y'])), await r.zUnionStore('d', ['x', 'y']), await r.zInterCard(['x', 'y'])],
      [[{value: 'a', score: 1}, {value: 'c', score: 2}, {value: 'b', score: 3}], ['b'], [{value: 'a', score: 1}], 3, 1]);
  equal('zRangeStore zmPop', [await r.zRangeStore('e', 'd', 0, 1), plain(await r.zmPop('e', 'MIN', {COUNT: 2})), await r.exists('e')],
      [2, {key: 'e', members: [{value: 'a', score: 1}, {value: 'c', score: 2}]}, 0]);
  equal('infinity', [await r.zAdd('i', [{value: 'lo', score: -Infinity}, {value: 'hi', score: Infinity}]), await r.zScore('i', 'lo'), await r.zScore('i', 'hi')], [2, -Infinity, Infinity]);
  await r.zAdd('large', Array.from({length: 3000}, (_, i) => ({value: `m${i}`, score: i})));
  const seen = new Set();
  for await (const batch of r.zScanIterator('large')) batch.forEach(({value, score}) => value === `m${score}` && seen.add(value));
  equal('zScanIterator', seen.size, 3000);
  equal('zRandMember', [(await r.zRandMemberCount('large', 5)).length, plain(await r.zRandMemberCountWithScores('x', 9)).length], [5, 2]);
  await rejects('of a word', kWrongType, r.set('word', '1').then(() => r.zAdd('word', members('a'))));
}

async function streams() {
  await r.flushAll();
  equal('xAdd', [await r.xAdd('x', '1-1', {a: '1', b: '2'}), await r.xAdd('x', '1-*', {a: '3'}), await r.xAdd('x', '2-0', {a: '4'}, {TRIM: {strategy: 'MAXLEN', strategyModifier: '~', threshold: 1000}}),
    await r.xLen('x')], ['1-1', '1-2', '2-0', 3]);
  equal('xRange', plain([await r.xRange('x', '-', '+', {COUNT: 1}), await r.xRevRange('x', '2', '(1-1')]),
      [[{id: '1-1', message: {a: '1', b: '2'}}], [{id: '2-0', message: {a: '4'}}, {id: '1-2', message: {a: '3'}}]]);
  equal('xRead', plain([await r.xRead([{key: 'x', id: '1-1'}, {key: 'none', id: '0'}], {COUNT: 1}), await r.xRead({key: 'x', id: '$'})]), [[{name: 'x', messages: [{id: '1-2', message: {a: '3'}}]}], null]);
  equal('xGroup', [await r.xGroupCreate('x', 'g', '0'), yes(await r.xGroupCreateConsumer('x', 'g', 'early')), await r.xGroupCreate('new', 'g', '$', {MKSTREAM: true})], ['OK', 1, 'OK']);
  equal('xReadGroup', plain(await r.xReadGroup('g', 'a', {key: 'x', id: '>'}, {COUNT: 2})).map((each) => each.messages.map(({id}) => id)), [['1-1', '1-2']]);
  equal('xPending', plain([await r.xPending('x', 'g'), (await r.xPendingRange('x', 'g', '-', '+', 1)).map((each) => [each.id, each.consumer, each.deliveriesCounter])]),
      [{pending: 2, firstId: '1-1', lastId: '1-2', consumers: [{name: 'a', deliveriesCounter: 2}]}, [['1-1', 'a', 1]]]);
  const claimed = plain(await r.xAutoClaim('x', 'g', 'c', 0, '0', {COUNT: 1}));
  equal('claims', [await r.xClaimJustId('x', 'g', 'b', 0, '1-1'), claimed.nextId, claimed.messages[0].id, await r.xAck('x', 'g', ['1-1', '1-2'])], [['1-1'], '1-2', '1-1', 2]);
  equal('delete and trim', [await r.xDel('x', '1-1'), await r.xTrim('x', 'MAXLEN', 1), await r.xLen('x')], [1, 1, 1]);
  const [info, groups, consumers] = plain([await r.xInfoStream('x'), await r.xInfoGroups('x'), await r.xInfoConsumers('x', 'g')]);
  equal('xInfo', [info.length, info.groups, groups[0].name, groups[0].pending, consumers.map(({name}) => name)], [1, 1, 'g', 0, ['a', 'b', 'c', 'early']]);
  equal('end of a group', [await r.xGroupDelConsumer('x', 'g', 'a'), yes(await r.xGroupDestroy('x', 'g'))], [0, 1]);
  await rejects('no group', 'NOGROUP', r.xReadGroup('g', 'a', {key: 'x', id: '>'}));
}

async function geo() {
  await r.flushAll();
  equal('geoAdd', await r.geoAdd('g', [{longitude: 13.361389, latitude: 38.115556, member: 'Palermo'}, {longitude: 15.087269, latitude: 37.502669, member: 'Catania'}]), 2);
  equal('geoDist geoHash', [await r.geoDist('g', 'Palermo', 'Catania', 'km'), await r.geoHash('g', 'Palermo')], [166.2742, ['sqc8b49rny0']]);
  const from = {longitude: 15, latitude: 37};
  equal('geoSearch', [await r.geoSearch('g', from, {radius: 200, unit: 'km'}, {SORT: 'ASC'}), await r.geoSearch('g', 'Palermo', {width: 10, height: 10, unit: 'km'}),
    await r.geoSearchStore('d', 'g', from, {radius: 100, unit: 'km'})], [['Catania', 'Palermo'], ['Palermo'], 1]);
  const [nearest] = plain(await r.geoSearchWith('g', from, {radius: 200, unit: 'km'}, ['WITHDIST', 'WITHCOORD'], {SORT: 'ASC', COUNT: 1}));
  equal('geoSearchWith', [nearest.member, Number(nearest.distance), Number(nearest.coordinates.longitude).toFixed(4)], ['Catania', 56.4413, '15.0873']);
  const [place, none] = await r.geoPos('g', ['Catania', 'none']);
  equal('geoPos', [Number(place.latitude).toFixed(5), none], ['37.50267', null]);
}

async function sortAndDump() {
  await r.flushAll();
  await r.rPush('l', ['3', '10', '1']);
  await r.mSet({'w:3': '1', 'w:10': '2', 'w:1': '3', 'n:3': 'three'});
  equal('sort', [await r.sort('l'), await r.sort('l', {ALPHA: true, DIRECTION: 'DESC'}), await r.sort('l', {BY: 'w:*', LIMIT: {offset: 0, count: 1}, GET: ['#', 'n:*']}), await r.sortStore('l', 'd'),
    await r.sortRo('d', {BY: 'nosort'})], [['1', '3', '10'], ['3', '10', '1'], ['3', 'three'], 3, ['1', '3', '10']]);
  await r.hSet('h', {a: '1', b: 'x'.repeat(100)});
  await r.zAdd('z', [{value: 'a', score: 1.5}, {value: 'b', score: -2}]);
  for (const key of ['l', 'h', 'z', 'w:1']) {
    const payload = await raw.dump(key);
    equal(`restore ${key}`, [await r.restore('copy', 0, payload, {REPLACE: true}), await r.type('copy'), payload.equals(await raw.dump('copy'))], ['OK', await r.type(key), true]);
  }
  await rejects('busy', 'BUSYKEY Target key name already exists', r.restore('copy', 0, await raw.dump('l')));
}

/** Starts a command that waits, and goes on once the server has blocked its client. */
async function blocked(count, run) {
  const answer = run(await connect());
  await waitFor(async () => Number(/blocked_clients:(\d+)/.exec(await r.info('clients'))[1]) >= count);
  return {answer};  // In an object, for `await` would wait for the answer as well.
}

async function blocking() {
  await r.flushAll();
  const pop = await blocked(1, (client) => client.blPop(['none', 'q'], 0));
  const min = await blocked(2, (client) => client.bzPopMin('z', 0));
  const move = await blocked(3, (client) => client.blMove('q', 'done', 'LEFT', 'RIGHT', 0));
  const read = await blocked(4, (client) => client.xRead({key: 'x', id: '$'}, {BLOCK: 0}));
  await r.rPush('q', ['first', 'second']);
  await r.zAdd('z', {value: 'low', score: 1.5});
  await r.xAdd('x', '7-0', {a: '1'});
  equal('served in order', plain([await pop.answer, await move.answer, await r.lRange('done', 0, -1)]), [{key: 'q', element: 'first'}, 'second', ['second']]);
  equal('bzPopMin xRead', plain([await min.answer, await read.answer]), [{key: 'z', value: 'low', score: 1.5}, [{name: 'x', messages: [{id: '7-0', message: {a: '1'}}]}]]);
  const waiter = await connect();
  equal('time is over', [await waiter.brPop('none', 0.05), await waiter.blmPop(0.05, 'none', 'LEFT'), await waiter.bzmPop(0.05, 'none', 'MIN'), await waiter.brPopLPush('none', 'x', 0.05)],
      [null, null, null, null]);
  equal('in a transaction', plain(await r.multi().blPop('none', 0).rPush('t', '1').blPop('t', 0).exec()), [null, 1, {key: 't', element: '1'}]);
}

runParts({lists, hashes, sets, sortedSets, streams, geo, sortAndDump, blocking}).finally(disconnectAll);
