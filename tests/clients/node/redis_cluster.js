'use strict';
// A session with createCluster of node-redis, in RESP3. The argument of the program is a JSON object: the ports of the nodes, and
// hash tags to work with. cluster_work.js says how the test talks to it.

const {equal, isTrue, rejects, runParts, waitFor} = require('./checks.js');
const {Work, kPairScript} = require('./cluster_work.js');
const {createCluster, defineScript} = require('redis');

const facts = JSON.parse(process.argv[2]);
const kStormMillisMax = 300_000;
const open = [];
const pair = defineScript({
  SCRIPT: kPairScript, NUMBER_OF_KEYS: 2,
  parseCommand: (parser, keys, number) => {
    parser.pushKeys(keys);
    parser.push(String(number));
  },
  transformReply: (reply) => reply,
});

async function connect(options = {}) {
  const client = createCluster({
    rootNodes: facts.ports.map((port) => ({url: `redis://127.0.0.1:${port}`})), RESP: 3, scripts: {pair},
    // What waits for a node that is gone would wait for it to come back.
    defaults: {disableOfflineQueue: true, socket: {reconnectStrategy: () => 100}}, ...options});
  client.on('error', () => {});  // Errors that a check waits for arrive through its promise.
  await client.connect();
  open.push(client);
  return client;
}

let cluster;
let listener;
const heard = [];
// In slots of each primary that may move, and in others.
const shardChannels = facts.tags.slice(0, 6).map((tag) => `{${tag}}:redis:channel`);

const work = new Work(facts.tags, {
  plain: async (tag, _, number) => {
    const key = `{${tag}}:redis:plain:set`;
    await cluster.sAdd(key, String(number));
    if (!await cluster.sIsMember(key, String(number))) work.missed.push([key, Date.now()]);
    return [key];
  },
  // Of two slots, at once.
  pipeline: async (tag, other, number) => {
    const keys = [`{${tag}}:redis:pipeline:hash`, `{${other}}:redis:pipelined:hash`];
    const done = await Promise.allSettled(keys.map((key) => cluster.hSet(key, String(number), String(number))));
    for (const {reason} of done) if (reason) throw reason;
    return keys;
  },
  transaction: async (tag, _, number) => {
    const keys = [`{${tag}}:redis:transaction:set`, `{${tag}}:redis:transaction:hash`];
    await cluster.multi(keys[0]).sAdd(keys[0], String(number)).hSet(keys[1], String(number), String(number)).exec();
    return keys;
  },
  script: async (tag, _, number) => {
    const keys = [`{${tag}}:redis:script:set`, `{${tag}}:redis:script:hash`];
    await cluster.pair(keys, number);
    return keys;
  },
  queue: async (tag, _, number) => {
    const key = `{${tag}}:redis:queue:${number}`;
    await cluster.rPush(key, String(number));
    if (await cluster.blPop(key, 1) === null) work.missed.push([key, Date.now()]);
    return [];
  },
});

const names = (first, past) => Array.from({length: past - first}, (_, i) => `{n${first + i}}:redis:number`);

async function scanned(client, match) {
  const found = new Set();
  for (const node of client.masters) {
    const connection = await client.nodeClient(node);
    for await (const keys of connection.scanIterator({MATCH: match, COUNT: 50})) keys.forEach((key) => found.add(key));
  }
  return [...found].sort();
}

async function before() {
  cluster = await connect();
  equal('every key at its place', await Promise.all(names(0, 200).map((key, i) => cluster.set(key, String(i)))), Array(200).fill('OK'));
  equal('and back', await Promise.all(names(0, 200).map((key) => cluster.get(key))), names(0, 200).map((_, i) => String(i)));
  equal('primaries', cluster.masters.length, 3);
  equal('SCAN of all', await scanned(cluster, '*:redis:number'), names(0, 200).sort());
  equal('HSET, HGETALL', [await cluster.hSet('profile:node', {name: 'Ada', age: 36}), {...await cluster.hGetAll('profile:node')}],
    [2, {name: 'Ada', age: '36'}]);
  equal('MSET with a tag', await cluster.mSet({'{user:node}:name': 'Ada', '{user:node}:age': '36'}), 'OK');
  equal('MGET with a tag', await cluster.mGet(['{user:node}:name', '{user:node}:age', '{user:node}:none']), ['Ada', '36', null]);
  equal('MGET of two slots is taken apart by the client', await cluster.mGet(names(0, 2)), ['0', '1']);
  await rejects('and refused by a server', 'CROSSSLOT', (await cluster.nodeClient(cluster.masters[0])).mGet(names(0, 2)));
  equal('a transaction', await cluster.multi().incr('{user:node}:visits').rPush('{user:node}:log', 'in').exec(), [1, 1]);
  equal('a script', [await cluster.pair(['{user:node}:set', '{user:node}:hash'], 5), [...await cluster.sMembers('{user:node}:set')]],
    ['5', ['5']]);
  const other = await connect();
  const popped = other.blPop('{jobs:node}:new', 10);
  await cluster.rPush('{jobs:node}:new', 'a');
  equal('BLPOP', {...await popped}, {key: '{jobs:node}:new', element: 'a'});
  const replicas = await connect({useReplicas: true});
  equal('replicas', replicas.replicas.length, 3);
  await waitFor(async () => await replicas.get(names(7, 8)[0]) === '7');
  isTrue('a replica is read', true);
  listener = await connect();
  await listener.subscribe('redis:news', (message, channel) => heard.push([channel, message]));
  for (const one of shardChannels) await listener.sSubscribe(one, (message, channel) => heard.push([channel, message]));
  await messages('before');
}

// Published until heard: while connections are made anew, nobody listens for a moment.
async function messages(text) {
  for (const [channel, publish] of [['redis:news', 'publish'], ...shardChannels.map((channel) => [channel, 'sPublish'])]) {
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
  for (const [title, client] of [['the old client', cluster], ['a new one', await connect()]]) {
    equal(`${title}: every key`, await Promise.all(names(0, 100).map((key) => client.get(key))), names(0, 100).map((_, i) => String(i)));
    const found = new Set(await scanned(client, '*:redis:*:set'));
    equal(`${title}: not found by SCAN`, keys.filter((key) => !found.has(key)), []);
  }
}

const messagesAfter = () => messages('after');

runParts({before, storm, after, messagesAfter}, kStormMillisMax).finally(() => open.forEach((client) => client.destroy()));
