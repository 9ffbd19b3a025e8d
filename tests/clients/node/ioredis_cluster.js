'use strict';
// A session with Cluster of ioredis. The argument of the program is a JSON object: the ports of the nodes, and hash tags to work
// with. cluster_work.js says how the test talks to it.

const {equal, isTrue, rejects, runParts, waitFor} = require('./checks.js');
const {Work, kPairScript} = require('./cluster_work.js');
const {Cluster} = require('ioredis');

const facts = JSON.parse(process.argv[2]);
const kStormMillisMax = 300_000;
const open = [];

function connect(options = {}) {
  const client = new Cluster(facts.ports.map((port) => ({host: '127.0.0.1', port})), {
    clusterRetryStrategy: () => 100, slotsRefreshInterval: 1000, scripts: {pair: {lua: kPairScript, numberOfKeys: 2}},
    ...options});
  client.on('error', () => {});  // Errors that a check waits for arrive through its promise.
  client.on('node error', () => {});
  open.push(client);
  return client;
}

const cluster = connect();
const listener = connect();
const shardListener = connect({shardedSubscribers: true});
const heard = [];
listener.on('message', (channel, message) => heard.push([channel, message]));
shardListener.on('smessage', (channel, message) => heard.push([channel, message]));
// In slots of each primary that may move, and in others.
const shardChannels = facts.tags.slice(0, 6).map((tag) => `{${tag}}:ioredis:channel`);

const work = new Work(facts.tags, {
  plain: async (tag, _, number) => {
    const key = `{${tag}}:ioredis:plain:set`;
    await cluster.sadd(key, number);
    if (!await cluster.sismember(key, number)) work.missed.push([key, Date.now()]);
    return [key];
  },
  // Of one slot: for more ioredis wants one pipeline each.
  pipeline: async (tag, _, number) => {
    const keys = [`{${tag}}:ioredis:pipeline:hash`, `{${tag}}:ioredis:pipelined:set`];
    const steps = await cluster.pipeline().hset(keys[0], number, number).sadd(keys[1], number).exec();
    for (const [error] of steps) if (error) throw error;
    return keys;
  },
  transaction: async (tag, _, number) => {
    const keys = [`{${tag}}:ioredis:transaction:set`, `{${tag}}:ioredis:transaction:hash`];
    const steps = await cluster.multi().sadd(keys[0], number).hset(keys[1], number, number).exec();
    for (const [error] of steps) if (error) throw error;
    return keys;
  },
  script: async (tag, _, number) => {
    const keys = [`{${tag}}:ioredis:script:set`, `{${tag}}:ioredis:script:hash`];
    await cluster.pair(...keys, number);
    return keys;
  },
  queue: async (tag, _, number) => {
    const key = `{${tag}}:ioredis:queue:${number}`;
    await cluster.rpush(key, number);
    if (await cluster.blpop(key, 1) === null) work.missed.push([key, Date.now()]);
    return [];
  },
});

const names = (first, past) => Array.from({length: past - first}, (_, i) => `{n${first + i}}:ioredis:number`);

async function scanned(client, match) {
  const found = new Set();
  for (const node of client.nodes('master')) {
    for await (const keys of node.scanStream({match, count: 50})) keys.forEach((key) => found.add(key));
  }
  return [...found].sort();
}

async function before() {
  equal('every key at its place', await Promise.all(names(0, 200).map((key, i) => cluster.set(key, i))), Array(200).fill('OK'));
  equal('and back', await Promise.all(names(0, 200).map((key) => cluster.get(key))), names(0, 200).map((_, i) => String(i)));
  equal('primaries and replicas', [cluster.nodes('master').length, cluster.nodes('slave').length], [3, 3]);
  equal('SCAN of all', await scanned(cluster, '*:ioredis:number'), names(0, 200).sort());
  equal('HSET, HGETALL', [await cluster.hset('profile:io', {name: 'Ada', age: 36}), await cluster.hgetall('profile:io')],
    [2, {name: 'Ada', age: '36'}]);
  equal('MSET with a tag', await cluster.mset('{user:io}:name', 'Ada', '{user:io}:age', 36), 'OK');
  equal('MGET with a tag', await cluster.mget('{user:io}:name', '{user:io}:age', '{user:io}:none'), ['Ada', '36', null]);
  await rejects('MGET of two slots', 'CROSSSLOT', cluster.mget(...names(0, 2)));
  await rejects('a transaction of two slots', '', cluster.multi().get(names(0, 1)[0]).get(names(1, 2)[0]).exec());
  equal('a transaction', await cluster.multi().incr('{user:io}:visits').rpush('{user:io}:log', 'in').exec(), [[null, 1], [null, 1]]);
  equal('a script', [await cluster.pair('{user:io}:set', '{user:io}:hash', 5), await cluster.smembers('{user:io}:set')], ['5', ['5']]);
  const other = connect();
  const popped = other.blpop('{jobs:io}:new', 10);
  await other.get('{jobs:elsewhere}');
  await cluster.rpush('{jobs:io}:new', 'a');
  equal('BLPOP', await popped, ['{jobs:io}:new', 'a']);
  const replicas = connect({scaleReads: 'slave'});
  await waitFor(async () => await replicas.get(names(7, 8)[0]) === '7');
  isTrue('a replica is read', true);
  await listener.subscribe('ioredis:news');
  for (const channel of shardChannels) await shardListener.ssubscribe(channel);
  await messages('before');
}

// Published until heard: while connections are made anew, nobody listens for a moment.
async function messages(text) {
  for (const [channel, publish] of [['ioredis:news', 'publish'], ...shardChannels.map((channel) => [channel, 'spublish'])]) {
    await waitFor(async () => {
      await cluster[publish](channel, text);
      return heard.some(([from, said]) => from === channel && said === text);
    });
    isTrue(`${publish} ${channel} is heard`, true);
  }
}

async function storm() {
  process.stdout.write('ready\n');
  await work.run();
}

async function after() {
  const keys = Object.keys(work.noted).filter((key) => key.endsWith(':set'));
  for (const [title, client] of [['the old client', cluster], ['a new one', connect()]]) {
    equal(`${title}: every key`, await Promise.all(names(0, 100).map((key) => client.get(key))), names(0, 100).map((_, i) => String(i)));
    await waitFor(() => client.nodes('master').length === 3 && client.nodes('slave').length === 3);
    const found = new Set(await scanned(client, '*:ioredis:*:set'));
    equal(`${title}: not found by SCAN`, keys.filter((key) => !found.has(key)), []);
  }
}

const messagesAfter = () => messages('after');

runParts({before, storm, after, messagesAfter}, kStormMillisMax).finally(() => open.forEach((client) => client.disconnect()));
