'use strict';
// A session with ioredis over TLS, as a user with few rights.

const {once} = require('node:events');
const {facts, sockets, resuming, tlsOptions, url, oneMegabyte, isCutOff} = require('./tls_sockets.js');
const {equal, isTrue, rejects, runParts, waitFor} = require('./checks.js');
const Redis = require('ioredis');

const open = [];

function keep(client) {
  client.on('error', () => {});  // Errors that a check waits for arrive through its promise.
  open.push(client);
  return client;
}

const connect = (options = {}) => keep(new Redis({
  host: '127.0.0.1', port: facts.tlsPort, username: facts.user, password: facts.userPassword, protocol: facts.protocol,
  tls: tlsOptions(), ...options}));
const control = keep(new Redis({port: facts.port, password: facts.password}));
const r = connect();

async function values() {
  equal('set get', [await r.set('shop:k', 'v'), await r.get('shop:k'), await r.get('shop:none')], ['OK', 'v', null]);
  equal('who it is', await r.acl('WHOAMI'), facts.user);
  equal('version', sockets[0].getProtocol(), facts.version);
  await r.set('shop:large', oneMegabyte);
  isTrue('1 MB arrived', oneMegabyte.equals(await control.getBuffer('shop:large')));
  isTrue('1 MB back', oneMegabyte.equals(await r.getBuffer('shop:large')));
  const byUrl = keep(new Redis(url, {tls: tlsOptions(), protocol: facts.protocol}));
  equal('rediss://', await byUrl.acl('WHOAMI'), facts.user);
}

async function pipelines() {
  const pipeline = r.pipeline();
  for (let i = 0; i < 1000; i++) pipeline.set(`shop:${i}`, i).get(`shop:${i}`);
  const results = await pipeline.getBuffer('shop:large').exec();
  const large = results.pop();
  isTrue('2,000 replies in order', results.every(([error, value], i) => !error && value === (i % 2 ? String(i >> 1) : 'OK')));
  isTrue('a large one behind them', oneMegabyte.equals(large[1]));
  equal('multi', await r.multi().set('shop:n', 1).incr('shop:n').exec(), [[null, 'OK'], [null, 2]]);
}

async function waiting() {
  const listener = connect();
  equal('subscribe', await listener.subscribe('shop:news'), 1);
  const message = once(listener, 'message');
  equal('publish', await r.publish('shop:news', 'it is here'), 1);
  equal('message', await message, ['shop:news', 'it is here']);
  const taken = connect().blpop('shop:queue', 0);
  await waitFor(async () => /blocked_clients:1\r/.test(await control.info('clients')));
  await control.rpush('shop:queue', 'job');
  equal('a pop that waited', await taken, ['shop:queue', 'job']);
}

async function rights() {
  await rejects('another\'s key', 'NOPERM', r.get('other'));
  await rejects('another\'s channel', 'NOPERM', r.publish('news', 'x'));
  await rejects('a dangerous command', 'NOPERM', r.flushall());
  const mixed = await r.pipeline().set('shop:a', 1).get('other').get('shop:a').exec();
  equal('denied in a pipeline', mixed.map(([error, value]) => error ? error.message.split(' ')[0] : value), ['OK', 'NOPERM', '1']);
  const wrong = connect({password: 'wrong', lazyConnect: true, retryStrategy: null});
  const failure = once(wrong, 'error');
  wrong.connect().catch(() => {});
  isTrue('wrong password', /WRONGPASS/.test((await failure)[0].message));
}

async function strangers() {
  const ping = (tls) => {
    const client = connect({retryStrategy: null, maxRetriesPerRequest: 0, tls});
    const failure = once(client, 'error').then(([error]) => { throw error; });
    return Promise.race([failure, client.ping().then(() => 'PONG', () => failure)]);
  };
  await isCutOff('no certificate', ping(tlsOptions(null)));
  await isCutOff('a stranger\'s certificate', ping(tlsOptions('stranger')));
  await rejects('a server of another authority', 'certificate', ping(tlsOptions('client', 'other')));
}

async function reconnect() {
  const victim = connect({connectionName: 'victim'});
  const id = await victim.client('ID');
  const before = sockets.at(-1);
  isTrue('the first handshake is a full one', !before.isSessionReused());
  resuming.on = true;
  const closed = once(victim, 'close');
  equal('client kill', await control.client('KILL', 'ID', id), 1);
  await closed;
  equal('comes back with its name and user', [await victim.client('GETNAME'), await victim.acl('WHOAMI')], ['victim', facts.user]);
  isTrue('over a new connection', sockets.at(-1) !== before && (await victim.client('ID')) > id);
  isTrue('that resumes its session', sockets.at(-1).isSessionReused());
  resuming.on = false;
}

runParts({values, pipelines, waiting, rights, strangers, reconnect}).finally(() => open.forEach((client) => client.disconnect()));
