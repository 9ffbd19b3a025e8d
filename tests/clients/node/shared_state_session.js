'use strict';
// Locks, rate limiters, caches and sessions from npm, as web applications use them: redlock, rate-limiter-flexible,
// connect-redis with express-session, Keyv. The argument is a JSON object as for ioredis_session.js.

const http = require('node:http');
const KeyvRedis = require('@keyv/redis').default;
const session = require('express-session');
const {Keyv} = require('keyv');
const {RateLimiterRedis, BurstyRateLimiter, RateLimiterUnion} = require('rate-limiter-flexible');
const {RedisStore} = require('connect-redis');
const {createClient} = require('redis');
const Redlock = require('redlock');
const {equal, isTrue, rejects, runParts, waitFor} = require('./checks.js');
const {connect, disconnectAll, facts} = require('./ioredis_connect.js');

const times = (count, make) => Array.from({length: count}, (_, i) => make(i));
const r = connect();
const others = [];

async function nodeRedis() {
  const client = createClient({RESP: facts.protocol, socket: facts.transport === 'tcp' ? {host: '127.0.0.1', port: facts.port} : {path: facts.path}});
  client.on('error', () => {});
  others.push(client);
  return client.connect();
}

async function locks() {
  await r.flushall();
  const redlock = new Redlock([r], {retryCount: 0}), patient = new Redlock([connect()], {retryCount: 500, retryDelay: 2, retryJitter: 2});
  redlock.on('clientError', () => {});
  const lock = await redlock.lock('locks:one', 60000);
  isTrue('it has a value of its own', (await r.get('locks:one')) === lock.value);
  isTrue('for a minute', await r.pttl('locks:one') > 50000);
  await rejects('nobody else', 'attempts to lock', redlock.lock('locks:one', 1000));
  const longer = await lock.extend(120000);
  isTrue('extended', await r.pttl('locks:one') > 110000);
  await longer.unlock();
  equal('free', await r.exists('locks:one'), 0);
  await r.set('locks:one', 'of somebody else');
  await rejects('not given back by others', 'attempts to lock', redlock.lock('locks:one', 1000));
  await r.del('locks:one');
  const several = await redlock.lock(['locks:a', 'locks:b', 'locks:c'], 60000);
  equal('several at once', await r.exists('locks:a', 'locks:b', 'locks:c'), 3);
  await rejects('none of them', 'attempts to lock', redlock.lock(['locks:c', 'locks:d'], 1000));
  equal('nothing is half locked', await r.exists('locks:d'), 0);
  await several.unlock();
  let inside = 0, most = 0, counter = 0;
  await Promise.all(times(12, async () => {
    const mine = await patient.lock('locks:counter', 10000);
    most = Math.max(most, ++inside);
    const seen = counter;
    await r.ping();
    counter = seen + 1;
    inside--;
    await mine.unlock();
  }));
  equal('one after the other', [most, counter], [1, 12]);
}

const refused = (promise) => promise.then((answer) => ['allowed', answer.remainingPoints], (answer) => answer instanceof Error ? Promise.reject(answer) : ['refused', answer.consumedPoints]);

async function limits() {
  await r.flushall();
  for (const [name, client, more] of [['ioredis', r, {}], ['node-redis', await nodeRedis(), {useRedisPackage: true}]]) {
    const limiter = new RateLimiterRedis({storeClient: client, points: 5, duration: 60, keyPrefix: `limit-${name}`, ...more});
    const answers = [];
    for (let i = 0; i < 7; i++) answers.push(await refused(limiter.consume('user')));
    equal(`${name}: five a minute`, answers, [...times(5, (i) => ['allowed', 4 - i]), ['refused', 6], ['refused', 7]]);
    const known = await limiter.get('user');
    isTrue(`${name}: when it is over`, known.consumedPoints === 7 && known.msBeforeNext > 50000, known);
    await limiter.reward('user', 4);
    equal(`${name}: rewarded`, (await limiter.get('user')).consumedPoints, 3);
    await limiter.penalty('user', 2);
    equal(`${name}: and punished`, await refused(limiter.consume('user')), ['refused', 6]);
    await limiter.block('user', 100);
    isTrue(`${name}: blocked`, (await limiter.get('user')).msBeforeNext > 90000);
    equal(`${name}: forgotten`, [await limiter.delete('user'), await limiter.get('user')], [true, null]);
    const many = await Promise.all(times(50, () => refused(limiter.consume('crowd'))));
    equal(`${name}: fifty at once`, many.filter(([word]) => word === 'allowed').length, 5);
    const blocking = new RateLimiterRedis({storeClient: client, points: 1, duration: 60, blockDuration: 600, keyPrefix: `block-${name}`, ...more});
    await refused(blocking.consume('x'));
    equal(`${name}: over the limit`, await refused(blocking.consume('x')), ['refused', 2]);
    isTrue(`${name}: for ten minutes`, (await blocking.get('x')).msBeforeNext > 500000);
    const short = new RateLimiterRedis({storeClient: client, points: 1, duration: 1, keyPrefix: `short-${name}`, ...more});
    await short.consume('y');
    await waitFor(async () => await r.exists(`short-${name}:y`) === 0);
    equal(`${name}: the window is over`, await refused(short.consume('y')), ['allowed', 0]);
  }
  const slow = new RateLimiterRedis({storeClient: r, points: 2, duration: 60, keyPrefix: 'slow'}), burst = new RateLimiterRedis({storeClient: r, points: 3, duration: 60, keyPrefix: 'burst'});
  const bursty = new BurstyRateLimiter(slow, burst);
  equal('a burst', (await Promise.all(times(7, () => refused(bursty.consume('z'))))).filter(([word]) => word === 'allowed').length, 5);
  await rejects('both of two', '', new RateLimiterUnion(slow, burst).consume('z').catch((answer) => Promise.reject(new Error(JSON.stringify(answer)))));
}

/** A small web shop that counts the visits of a session. */
function shop(handle) {
  const server = http.createServer((request, response) => handle(request, response, (error) => {
    if (error) {
      response.statusCode = 500;
      return response.end(String(error));
    }
    request.session.visits = (request.session.visits ?? 0) + 1;
    response.end(String(request.session.visits));
  }));
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

async function visit(server, cookie) {
  const answer = await fetch(`http://127.0.0.1:${server.address().port}/`, {headers: cookie ? {cookie} : {}});
  return {visits: await answer.text(), cookie: answer.headers.get('set-cookie')?.split(';')[0] ?? cookie};
}

async function sessions() {
  await r.flushall();
  const store = new RedisStore({client: await nodeRedis(), prefix: 'shop:', ttl: 600});
  const server = await shop(session({store, secret: 'secret', resave: false, saveUninitialized: false, rolling: true}));
  const first = await visit(server);
  const second = await visit(server, first.cookie);
  equal('visits', [first.visits, second.visits], ['1', '2']);
  const [key] = await r.keys('shop:*');
  equal('one key', [JSON.parse(await r.get(key)).visits, await store.length()], [2, 1]);
  isTrue('with a time', await r.ttl(key) > 500);
  await visit(server);
  equal('another visitor', [(await store.ids()).length, (await store.all()).length], [2, 2]);
  await store.destroy(key.slice('shop:'.length));
  equal('signed out', (await visit(server, first.cookie)).visits, '1');
  await store.touch(key.slice('shop:'.length), {cookie: {originalMaxAge: 1000}});
  await store.clear();
  equal('cleared', await r.keys('shop:*'), []);
  server.closeAllConnections();
  server.close();
}

async function cache() {
  await r.flushall();
  const address = facts.transport === 'tcp' ? {socket: {host: '127.0.0.1', port: facts.port}} : {socket: {path: facts.path}};
  const adapter = new KeyvRedis({...address, RESP: facts.protocol}), keyv = new Keyv({store: adapter, namespace: 'cache'});
  const errors = [];
  keyv.on('error', (error) => errors.push(error));
  equal('set', await keyv.set('a', {deep: [1, {x: 'ä'}], none: null}), true);
  equal('get', [await keyv.get('a'), await keyv.get('absent')], [{deep: [1, {x: 'ä'}], none: null}, undefined]);
  await keyv.set('b', 'short', 60000);
  const [short] = await r.keys('*b');
  isTrue('with a time', await r.pttl(short) > 50000, short);
  equal('several', [await keyv.get(['a', 'b', 'absent']), await keyv.has('a'), await keyv.has('absent')], [[{deep: [1, {x: 'ä'}], none: null}, 'short', undefined], true, false]);
  await keyv.set('gone', 1, 1);
  await waitFor(async () => await keyv.get('gone') === undefined);
  const seen = [];
  for await (const [key] of keyv.iterator('cache')) seen.push(key);
  equal('walked through', seen.sort(), ['a', 'b']);
  equal('deleted', [await keyv.delete('a'), await keyv.delete('a')], [true, false]);
  await r.set('of somebody else', 1);
  await keyv.set('c', 1);
  await keyv.clear();
  equal('only the namespace is cleared', await r.keys('*'), ['of somebody else']);
  equal('nothing went wrong', errors, []);
  await keyv.disconnect();
}

runParts({locks, limits, sessions, cache}).finally(() => {
  disconnectAll();
  others.forEach((client) => client.destroy());
});
