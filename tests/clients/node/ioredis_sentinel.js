'use strict';
// A session with ioredis in Sentinel mode. The argument of the program is a JSON object: the sentinels' ports, the name that
// they watch, the password, the port of the first primary. When it prints "ready" that server is killed.

const {setTimeout: pause} = require('node:timers/promises');
const {equal, isTrue, rejects, runParts, waitFor} = require('./checks.js');
const Redis = require('ioredis');

const facts = JSON.parse(process.argv[2]);
const kEnough = 20;
const open = [];
const saw = {};

function connect(options = {}) {
  const client = new Redis({
    sentinels: facts.ports.map((port) => ({host: '127.0.0.1', port})), name: facts.name,
    password: facts.password ?? undefined, sentinelPassword: facts.password ?? undefined,
    sentinelRetryStrategy: () => 50, retryStrategy: () => 50, ...options});
  client.on('error', () => {});  // Errors that a check waits for arrive through its promise.
  open.push(client);
  return client;
}

const primary = connect();
const replica = connect({role: 'slave'});
// It listens to the sentinels, too. When they tell of the new primary while it asks for it, ioredis 6.0.0 gives up for good,
// and the application has to connect again.
const listener = connect({failoverDetector: true});
listener.on('end', () => listener.connect().catch(() => {}));
const acknowledged = new Map();  // port: numbers
let number = 0;

const portOf = async (client) => Number((await client.config('GET', 'port'))[1]);
const counted = (port) => (acknowledged.get(port) ?? []).length;

async function before() {
  equal('the primary', [await portOf(primary), (await primary.role())[0]], [facts.primary, 'master']);
  equal('the listener', await portOf(listener), facts.primary);
  equal('a replica', (await replica.role())[0], 'slave');
  equal('a write, and both replicas have it', [await primary.set('welcome', 'hello'), await primary.wait(2, 10000)], ['OK', 2]);
  equal('a replica is read', await replica.get('welcome'), 'hello');
  await rejects('and takes no writes', 'READONLY', replica.set('welcome', 'x'));
  await rejects('another name', 'All sentinels are unreachable', connect({
    name: 'other', lazyConnect: true, sentinelRetryStrategy: null, retryStrategy: null}).connect());
}

// One number, and what WAIT says about it. Whoever answers says who it is.
async function write() {
  number++;
  const steps = await primary.pipeline().sadd('ioredis', number).wait(1, 1000).config('GET', 'port').exec();
  const failed = steps.find(([error]) => error);
  if (failed) throw failed[0];
  const [, [, copies], [, [, port]]] = steps;
  if (copies < 1) return;
  acknowledged.set(Number(port), [...acknowledged.get(Number(port)) ?? [], number]);
}

async function writeUntil(done) {
  while (!done()) {
    try {
      await write();
    } catch (error) {
      const text = `${error.name}: ${error.message}`.slice(0, 80);
      saw[text] = (saw[text] ?? 0) + 1;
      await pause(10);  // It may have failed at once, and nothing else runs before this lets go.
    }
  }
}

const others = () => [...acknowledged.keys()].filter((port) => port !== facts.primary);

async function failover() {
  await writeUntil(() => counted(facts.primary) >= kEnough);
  process.stdout.write('ready\n');
  await writeUntil(() => others().some((port) => counted(port) >= kEnough));
  equal('one other server took writes', others().length, 1);
  equal('it is what it is connected to', await portOf(primary), others()[0]);
  const kept = new Set((await primary.smembers('ioredis')).map(Number));
  equal('confirmed and gone', [...acknowledged.values()].flat().filter((one) => !kept.has(one)), []);
}

async function after() {
  const counts = Object.fromEntries(others().map((port) => [port, counted(port)]));
  process.stdout.write(`ioredis saw ${JSON.stringify(saw)}, state ${primary.status}, sent ${number}, confirmed ${JSON.stringify(counts)}\n`);
  equal('a write, and the other replica has it', [await primary.set('welcome', 'again'), await primary.wait(1, 10000)], ['OK', 1]);
  await waitFor(async () => (await replica.role())[0] === 'slave' && (await replica.get('welcome')) === 'again');
  await waitFor(async () => (await portOf(listener)) === others()[0]);
  isTrue('a replica is read that is none of the two', ![facts.primary, others()[0]].includes(await portOf(replica)));
}

runParts({before, failover, after}).finally(() => {
  listener.removeAllListeners('end');
  open.forEach((client) => client.disconnect());
});
