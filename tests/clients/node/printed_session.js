'use strict';
// Drives the TypeScript programs that an article prints (../printed/*.ts), letter by letter: a rate limiter and a lock, both
// with scripts. The argument is a JSON object as for ioredis_session.js; REDIS_AT says where the host "redis" is.

const fs = require('node:fs');
const Module = require('node:module');
const path = require('node:path');
const typescript = require('typescript');
const {equal, isTrue, rejects, runParts} = require('./checks.js');
const {connect, disconnectAll, open} = require('./ioredis_connect.js');

const times = (count, make) => Array.from({length: count}, (_, i) => make(i));
const r = connect();

/** Clients that a printed program makes are disconnected at the end as well. */
function watched(ioredis) {
  return class extends ioredis {
    constructor(...options) {
      super(...options);
      open.push(this);
    }
  };
}

/** The printed program as a module; what it does not export is handed out all the same. */
function printed(name, ...inside) {
  const file = path.join(__dirname, '..', 'printed', name);
  const options = {module: typescript.ModuleKind.CommonJS, target: typescript.ScriptTarget.ES2022, esModuleInterop: true};
  const {outputText} = typescript.transpileModule(fs.readFileSync(file, 'utf8'), {compilerOptions: options});
  const module = {exports: {}};
  const load = (wanted) => wanted === 'ioredis' ? {__esModule: true, default: watched(require('ioredis'))} : Module.createRequire(__filename)(wanted);
  new Function('require', 'module', 'exports', `${outputText}\nObject.assign(exports, {${inside.join()}});`)(load, module, module.exports);
  return module.exports;
}

const {checkRateLimit, rateLimitMiddleware} = printed('rate_limiter.ts');
const {acquireLock, processOrder} = printed('distributed_lock.ts', 'processOrder');

async function rateLimiter() {
  await r.flushall();
  const answers = await Promise.all(times(30, () => checkRateLimit('1.2.3.4', 10, 60000)));
  equal('ten of thirty at once', answers.map(({allowed}) => allowed), times(30, (i) => i < 10));
  equal('what remains', answers.map(({remaining}) => remaining), times(30, (i) => Math.max(0, 9 - i)));
  isTrue('when it is over', answers.every(({resetAt}) => resetAt > Date.now() + 50000 && resetAt <= Date.now() + 60000), answers[29]);
  equal('kept as members of a sorted set', [await r.zcard('ratelimit:1.2.3.4'), await r.type('ratelimit:1.2.3.4')], [10, 'zset']);
  isTrue('for a minute', await r.ttl('ratelimit:1.2.3.4') > 55);
  const oldest = Number((await r.zrange('ratelimit:1.2.3.4', 0, 0, 'WITHSCORES')).flat()[1]);
  equal('the oldest of them decides', answers[29].resetAt, oldest + 60000);
  isTrue('somebody else', (await checkRateLimit('5.6.7.8', 10, 60000)).allowed);
  for (const [member, score] of times(10, (i) => [`old-${i}`, Date.now() - 70000])) await r.zadd('ratelimit:9', score, member);
  equal('what is older than the window is gone', [(await checkRateLimit('9', 10, 60000)).remaining, await r.zcard('ratelimit:9')], [9, 1]);
  await r.set('ratelimit:bad', 'text');
  await rejects('a key of another type', 'WRONGTYPE', checkRateLimit('bad', 10, 60000));
  const crowd = (await Promise.all(times(300, (i) => checkRateLimit(`user-${i % 20}`, 5, 60000)))).filter(({allowed}) => allowed).length;
  equal('twenty users at once', crowd, 100);
}

async function middleware() {
  await r.flushall();
  const handle = rateLimitMiddleware(3, 60000);
  const visit = async () => {
    const seen = {headers: {}, status: 200};
    const answer = {setHeader: (name, value) => (seen.headers[name] = value), status: (code) => ((seen.status = code), {json: (body) => (seen.body = body)})};
    await handle({ip: '10.0.0.1'}, answer, () => (seen.body = 'served'));
    return seen;
  };
  const visits = [];
  for (let i = 0; i < 5; i++) visits.push(await visit());
  equal('three are served', visits.map(({status}) => status), [200, 200, 200, 429, 429]);
  equal('bodies', visits.map(({body}) => body), ['served', 'served', 'served', {error: 'Too Many Requests'}, {error: 'Too Many Requests'}]);
  equal('headers', visits.map(({headers}) => [headers['X-RateLimit-Limit'], headers['X-RateLimit-Remaining']]), [[3, 2], [3, 1], [3, 0], [3, 0], [3, 0]]);
  isTrue('the time', visits.every(({headers}) => headers['X-RateLimit-Reset'] > Date.now() / 1000 + 50), visits[4].headers);
}

async function lock() {
  await r.flushall();
  const mine = await acquireLock('report', 30000);
  equal('it is mine', [mine.key, await r.get('lock:report')], ['lock:report', mine.token]);
  isTrue('for half a minute', await r.pttl('lock:report') > 25000);
  equal('nobody else', await acquireLock('report', 30000), null);
  equal('given back once', [await mine.release(), await mine.release(), await r.exists('lock:report')], [true, false, 0]);
  const late = await acquireLock('report', 30000);
  await r.set('lock:report', 'the token of another one');
  equal('not of another one', [await late.release(), await r.get('lock:report')], [false, 'the token of another one']);
  const winners = (await Promise.all(times(50, () => acquireLock('race', 30000)))).filter((one) => one !== null);
  equal('one of fifty', winners.length, 1);
  equal('the next one', [await winners[0].release(), (await acquireLock('race', 30000)) !== null], [true, true]);
}

async function orders() {
  await r.flushall();
  const said = [], log = console.log;
  console.log = (line) => said.push(line);
  try {
    const first = processOrder('42');
    await rejects('it is being processed', 'Order 42 is already being processed', processOrder('42').then(() => 'twice'));
    const other = processOrder('43');
    await Promise.all([first, other]);
    await processOrder('42');
  } finally {
    console.log = log;
  }
  equal('what it says', said, ['Processing order 42', 'Processing order 43', 'Processing order 42']);
  equal('no lock is left', await r.keys('lock:*'), []);
}

runParts({rateLimiter, middleware, lock, orders}).finally(disconnectAll);
