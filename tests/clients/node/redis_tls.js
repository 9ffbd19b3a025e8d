'use strict';
// A session with node-redis over TLS, as a user with few rights.

const {facts, sockets, resuming, tlsOptions, url, oneMegabyte, isCutOff} = require('./tls_sockets.js');
const {equal, isTrue, rejects, runParts, waitFor} = require('./checks.js');
const {createClient, RESP_TYPES} = require('redis');

const open = [];

async function keep(client) {
  client.on('error', () => {});  // Errors that a check waits for arrive through its promise.
  open.push(client);
  await client.connect();
  return client;
}

function connect(options = {}) {
  const socket = {host: '127.0.0.1', port: facts.tlsPort, tls: true, ...tlsOptions(), ...options.socket};
  return keep(createClient({username: facts.user, password: facts.userPassword, RESP: facts.protocol, ...options, socket}));
}

const withBuffers = (client) => client.withTypeMapping({[RESP_TYPES.BLOB_STRING]: Buffer});
let control;
let r;

async function values() {
  control = await keep(createClient({socket: {host: '127.0.0.1', port: facts.port}, password: facts.password, RESP: 2}));
  r = await connect();
  equal('set get', [await r.set('shop:k', 'v'), await r.get('shop:k'), await r.get('shop:none')], ['OK', 'v', null]);
  equal('who it is', await r.aclWhoAmI(), facts.user);
  equal('version', sockets[0].getProtocol(), facts.version);
  await r.set('shop:large', oneMegabyte);
  isTrue('1 MB arrived', oneMegabyte.equals(await withBuffers(control).get('shop:large')));
  isTrue('1 MB back', oneMegabyte.equals(await withBuffers(r).get('shop:large')));
  const byUrl = await keep(createClient({url, socket: {tls: true, ...tlsOptions()}, RESP: facts.protocol}));
  equal('rediss://', await byUrl.aclWhoAmI(), facts.user);
}

async function pipelines() {
  const results = await Promise.all([...Array.from({length: 2000}, (_, i) =>
    i % 2 ? r.get(`shop:${i >> 1}`) : r.set(`shop:${i >> 1}`, String(i >> 1))), withBuffers(r).get('shop:large')]);
  isTrue('a large reply behind them', oneMegabyte.equals(results.pop()));
  isTrue('2,000 replies in order', results.every((value, i) => value === (i % 2 ? String(i >> 1) : 'OK')));
  equal('multi', await r.multi().set('shop:n', '1').incr('shop:n').exec(), ['OK', 2]);
}

async function waiting() {
  const listener = await connect();
  let arrived;
  const message = new Promise((resolve) => { arrived = resolve; });
  await listener.subscribe('shop:news', (text, channel) => arrived([channel, text]));
  equal('publish', await r.publish('shop:news', 'it is here'), 1);
  equal('message', await message, ['shop:news', 'it is here']);
  const taken = (await connect()).blPop('shop:queue', 0);
  await waitFor(async () => /blocked_clients:1\r/.test(await control.info('clients')));
  await control.rPush('shop:queue', 'job');
  equal('a pop that waited', {...await taken}, {key: 'shop:queue', element: 'job'});
}

async function rights() {
  await rejects('another\'s key', 'NOPERM', r.get('other'));
  await rejects('another\'s channel', 'NOPERM', r.publish('news', 'x'));
  await rejects('a dangerous command', 'NOPERM', r.flushAll());
  const mixed = await Promise.allSettled([r.set('shop:a', '1'), r.get('other'), r.get('shop:a')]);
  equal('denied in a pipeline', mixed.map((m) => m.value ?? m.reason.message.split(' ')[0]), ['OK', 'NOPERM', '1']);
  await rejects('wrong password', 'WRONGPASS', connect({password: 'wrong', socket: {reconnectStrategy: false}}));
}

async function strangers() {
  const socket = {host: '127.0.0.1', port: facts.tlsPort, tls: true, reconnectStrategy: false};
  const ping = (options) => keep(createClient({username: facts.user, password: facts.userPassword, RESP: facts.protocol,
    socket: {...socket, ...options}})).then((client) => client.ping());
  await isCutOff('no certificate', ping(tlsOptions(null)));
  await isCutOff('a stranger\'s certificate', ping(tlsOptions('stranger')));
  await rejects('a server of another authority', 'certificate', ping(tlsOptions('client', 'other')));
}

async function reconnect() {
  const victim = await connect({name: 'victim'});
  const id = await victim.clientId();
  const before = sockets.at(-1);
  isTrue('the first handshake is a full one', !before.isSessionReused());
  resuming.on = true;
  const ready = new Promise((resolve) => victim.once('ready', resolve));
  equal('client kill', await control.clientKill({filter: 'ID', id}), 1);
  await ready;
  equal('comes back with its name and user', [await victim.clientGetName(), await victim.aclWhoAmI()], ['victim', facts.user]);
  isTrue('over a new connection', sockets.at(-1) !== before && (await victim.clientId()) > id);
  isTrue('that resumes its session', sockets.at(-1).isSessionReused());
  resuming.on = false;
}

runParts({values, pipelines, waiting, rights, strangers, reconnect})
    .finally(() => open.forEach((client) => client.isOpen && client.destroy()));
