'use strict';
// Small applications with ioredis: what articles on Redis describe without printing a program. The argument is a JSON
// object as for ioredis_session.js.

const {equal, isTrue, runParts, waitFor} = require('./checks.js');
const {connect, disconnectAll, facts} = require('./ioredis_connect.js');

const r = connect();
const times = (count, make) => Array.from({length: count}, (_, i) => make(i));

/** Players with points: a sorted set holds the order, a hash what is known of each. */
class Leaderboard {
  constructor(client, name) {
    this.client = client;
    this.key = `board:${name}`;
  }

  async add(player, points) {
    const [[, score], [, place]] = await this.client.multi().zincrby(this.key, points, player).zrevrank(this.key, player)
        .hincrby(`player:${player}`, 'games', 1).exec();
    return {score: Number(score), place: place + 1};
  }

  async top(count) {
    const flat = (await this.client.zrevrange(this.key, 0, count - 1, 'WITHSCORES')).flat();
    return times(flat.length / 2, (i) => [flat[2 * i], Number(flat[2 * i + 1])]);
  }

  async around(player, reach) {
    const place = await this.client.zrevrank(this.key, player);
    return this.client.zrevrange(this.key, Math.max(0, place - reach), place + reach);
  }
}

async function leaderboard() {
  await r.flushall();
  const board = new Leaderboard(r, 'today');
  await Promise.all(times(500, (i) => board.add(`player-${i % 50}`, i)));
  const total = (player) => times(10, (i) => player + 50 * i).reduce((a, b) => a + b);
  equal('top three', await board.top(3), [[`player-49`, total(49)], ['player-48', total(48)], ['player-47', total(47)]]);
  equal('neighbours', await board.around('player-10', 1), ['player-11', 'player-10', 'player-9']);
  equal('a jump to the top', await board.add('player-0', 1000000), {score: 1000000 + total(0), place: 1});
  equal('games counted', await r.hget('player:player-0', 'games'), '11');
  equal('between two scores', await r.zcount(board.key, total(10), `(${total(20)}`), 10);
  await new Leaderboard(r, 'yesterday').add('player-1', 5000000);
  equal('two days together', [await r.zunionstore('board:both', 2, 'board:today', 'board:yesterday', 'AGGREGATE', 'MAX'), (await new Leaderboard(r, 'both').top(1))[0]],
      [50, ['player-1', 5000000]]);
  equal('only the best ten stay', [await r.zremrangebyrank(board.key, 0, -11), await r.zcard(board.key)], [40, 10]);
}

/** A queue whose jobs survive a worker: each is moved to a list of the worker while that works on it. */
async function reliableQueue() {
  await r.flushall();
  const done = [];
  const worker = async (name, job) => {
    const client = connect();
    for (let taken; (taken = await client.brpoplpush('jobs', `working:${name}`, 0)) !== 'stop';) {
      await job(taken);
      await r.lrem(`working:${name}`, 1, taken);
    }
    await r.del(`working:${name}`);
  };
  const workers = times(3, (i) => worker(i, async (taken) => done.push(taken)));
  for (let i = 0; i < 300; i++) await r.lpush('jobs', `job-${i}`);
  const crashing = connect();  // Takes two jobs and is never heard of again.
  await r.lpush('jobs', ...times(3, () => 'stop'));
  await Promise.all(workers);
  equal('every job once', done.sort(), times(300, (i) => `job-${i}`).sort());
  equal('nothing is left', await r.dbsize(), 0);
  await r.lpush('jobs', 'lost-1', 'lost-2', 'lost-3');
  equal('taken', [await crashing.brpoplpush('jobs', 'working:x', 0), await crashing.blmove('jobs', 'working:x', 'RIGHT', 'LEFT', 0)], ['lost-1', 'lost-2']);
  crashing.disconnect();
  equal('put back by another', [await r.lmove('working:x', 'jobs', 'LEFT', 'RIGHT'), await r.lmove('working:x', 'jobs', 'LEFT', 'RIGHT'), await r.lmove('working:x', 'jobs', 'LEFT', 'RIGHT')],
      ['lost-2', 'lost-1', null]);
  equal('in the old order', await r.lrange('jobs', 0, -1), ['lost-3', 'lost-2', 'lost-1']);
}

async function simpleQueue() {
  await r.flushall();
  const answers = times(4, async () => {
    const client = connect();
    const taken = [];
    for (let job; (job = (await client.blpop('high', 'low', 0))[1]) !== 'stop';) taken.push(job);
    return taken;
  });
  for (let i = 0; i < 100; i++) await Promise.all([r.rpush('low', `low-${i}`), r.rpush('high', `high-${i}`)]);
  await r.rpush('low', ...times(4, () => 'stop'));
  const taken = (await Promise.all(answers)).flat();
  equal('both lists', taken.sort(), [...times(100, (i) => `low-${i}`), ...times(100, (i) => `high-${i}`)].sort());
  await r.rpush('low', 'b');
  await r.rpush('high', 'a');
  equal('the first key goes first', [await r.blpop('high', 'low', 1), await r.blpop('high', 'low', 1)], [['high', 'a'], ['low', 'b']]);
  for (let i = 0; i < 50; i++) await r.multi().lpush('recent', i).ltrim('recent', 0, 9).exec();
  equal('the last ten', await r.lrange('recent', 0, -1), times(10, (i) => String(49 - i)));
}

async function sessions() {
  await r.flushall();
  const start = (id, user) => r.multi().hset(`session:${id}`, {user, visits: 0}).expire(`session:${id}`, 1800).sadd(`sessions:${user}`, id).exec();
  await Promise.all(times(20, (i) => start(`s${i}`, `user-${i % 4}`)));
  const visit = async (id) => (await r.multi().hincrby(`session:${id}`, 'visits', 1).expire(`session:${id}`, 1800, 'XX').hgetall(`session:${id}`).exec()).map(([, value]) => value);
  equal('a visit', await visit('s1'), [1, 1, {user: 'user-1', visits: '1'}]);
  isTrue('half an hour', await r.ttl('session:s1') > 1790);
  equal('fields keep the time', [await r.hset('session:s1', 'cart', 'lamp'), await r.ttl('session:s1') > 0], [1, true]);
  const all = await r.smembers('sessions:user-1');
  equal('sign out everywhere', [await r.del(...all.map((id) => `session:${id}`), 'sessions:user-1'), await r.exists('session:s1')], [6, 0]);
  await r.pexpire('session:s0', 1);
  await waitFor(async () => !await r.exists('session:s0'));
  equal('expired', [await r.hgetall('session:s0'), await r.ttl('session:s0')], [{}, -2]);
  if (facts.ours) {
    await r.hset('session:s2', 'token', 'secret');
    equal('a field with a time of its own', [await r.hpexpire('session:s2', 1, 'FIELDS', 1, 'token'), await r.hlen('session:s2') >= 2], [[1], true]);
    await waitFor(async () => !await r.hexists('session:s2', 'token'));
    equal('only the field expired', await r.hgetall('session:s2'), {user: 'user-2', visits: '0'});
  }
}

/** A window that slides, without a script: the members of a sorted set are the requests of the last second. */
async function slidingWindow() {
  await r.flushall();
  const allow = async (user, now, limit) => {
    const key = `limit:${user}`;
    const results = await r.multi().zremrangebyscore(key, '-inf', now - 1000).zadd(key, now, `${now}:${Math.random()}`).zcard(key).pexpire(key, 1000).exec();
    return results[2][1] <= limit;
  };
  const answers = [];
  for (let i = 0; i < 8; i++) answers.push(await allow('u', 10000 + i * 10, 5));
  equal('five in a second', answers, [true, true, true, true, true, false, false, false]);
  equal('later again', [await allow('u', 11025, 5), await r.zcard('limit:u')], [false, 6]);
  equal('and free', [await allow('u', 13000, 5), await r.zcard('limit:u')], [true, 1]);
}

/** Tasks for later: the score is when they are due, ZPOPMIN in a transaction takes the ones whose time has come. */
async function schedule() {
  await r.flushall();
  for (let i = 0; i < 20; i++) await r.zadd('schedule', 1000 + i * 100, `task-${i}`);
  const due = async (client, now) => {
    const taken = [];
    for (;;) {
      await client.watch('schedule');
      const [first] = await client.zrangebyscore('schedule', '-inf', now, 'LIMIT', 0, 1);
      if (first === undefined) return client.unwatch().then(() => taken);
      if (await client.multi().zrem('schedule', first).exec() !== null) taken.push(first);
    }
  };
  const shares = await Promise.all(times(3, () => due(connect(), 1950)));
  equal('three workers share what is due', shares.flat().sort(), times(10, (i) => `task-${i}`).sort());
  equal('the rest waits', [await r.zcard('schedule'), (await r.bzpopmin('schedule', 1)).slice(1)], [10, ['task-10', '2000']]);
}

async function tags() {
  await r.flushall();
  for (let i = 0; i < 300; i++) await r.sadd(i % 2 ? 'tag:odd' : 'tag:even', i).then(() => i % 3 || r.sadd('tag:three', i));
  equal('both tags', [(await r.sinter('tag:odd', 'tag:three')).length, await r.sintercard(2, 'tag:even', 'tag:three')], [50, 50]);
  equal('visitors once', [await r.sadd('visitors', 'a', 'b', 'a'), await r.sadd('visitors', 'b'), await r.scard('visitors')], [2, 0, 2]);
  const winners = await r.srandmember('tag:odd', 5);
  isTrue('five different winners', new Set(winners).size === 5 && winners.every((id) => id % 2 === 1), winners.join());
}

/** Two workers in a group; the third died with messages in hand. */
async function streamConsumers() {
  await r.flushall();
  await r.xgroup('CREATE', 'events', 'workers', '$', 'MKSTREAM');
  const entries = (reply) => reply === null ? [] : Array.isArray(reply) ? (Array.isArray(reply[0]) ? reply[0][1] : reply[1]) : reply.events;
  const ids = [];
  for (let i = 0; i < 200; i++) ids.push(await r.xadd('events', 'MAXLEN', '~', 10000, '*', 'type', 'order', 'n', i));
  const lost = entries(await r.xreadgroup('GROUP', 'workers', 'dead', 'COUNT', 7, 'STREAMS', 'events', '>')).map(([id]) => id);
  equal('in hand of the dead', lost, ids.slice(0, 7));
  await r.xclaim('events', 'workers', 'dead', 0, ...lost, 'IDLE', 60000, 'JUSTID');
  const handled = [];
  const worker = async (name) => {
    const client = connect();
    const handle = async ([id]) => {
      handled.push(id);
      await client.xack('events', 'workers', id);
    };
    while (handled.length < 300) {
      const [, claimed] = await client.xautoclaim('events', 'workers', name, 30000, '0-0', 'COUNT', 3);
      for (const entry of claimed) await handle(entry);
      const fresh = await client.xreadgroup('GROUP', 'workers', name, 'COUNT', 4, 'BLOCK', 20, 'STREAMS', 'events', '>');
      for (const entry of entries(fresh)) await handle(entry);
    }
  };
  const workers = [worker('one'), worker('two')];
  for (let i = 0; i < 100; i++) ids.push(await r.xadd('events', '*', 'type', 'late', 'n', i));
  await Promise.all(workers);
  equal('each message once', handled.sort(), ids.sort());
  equal('nothing pends', (await r.xpending('events', 'workers'))[0], 0);
  const [group] = await r.xinfo('GROUPS', 'events');
  equal('no lag', [group[group.indexOf('lag') + 1], group[group.indexOf('entries-read') + 1]], [0, 300]);
}

runParts({leaderboard, reliableQueue, simpleQueue, sessions, slidingWindow, schedule, tags, streamConsumers}).finally(disconnectAll);
