'use strict';
// Job queues as their users run them: BullMQ and Bee-Queue, each with a producer and workers of its own connections. Their
// scripts build the names of keys, take jobs from blocking lists and announce what happens in streams and channels. The
// argument is a JSON object as for ioredis_session.js.

const Bee = require('bee-queue');
const {FlowProducer, Queue, QueueEvents, Worker} = require('bullmq');
const {equal, isTrue, rejects, runParts, waitFor} = require('./checks.js');
const {connect, disconnectAll, facts} = require('./ioredis_connect.js');

const times = (count, make) => Array.from({length: count}, (_, i) => make(i));
const where = facts.transport === 'tcp' ? {host: '127.0.0.1', port: facts.port} : {path: facts.path};
const connection = {...where, protocol: facts.protocol, maxRetriesPerRequest: null};
const r = connect();
const closing = [];

/** What is made here is closed at the end of its part, whatever happens in between. */
function open(thing) {
  thing.on('error', () => {});
  closing.push(thing);
  return thing;
}

const part = (run) => async () => {
  await r.flushall();
  try {
    await run();
  } finally {
    for (const thing of closing.splice(0).reverse()) await thing.close();
  }
};

const queueOf = (name, options = {}) => open(new Queue(name, {connection, ...options}));
const workerOf = (name, work, options = {}) => open(new Worker(name, work, {connection, ...options}));

async function eventsOf(name) {
  const events = open(new QueueEvents(name, {connection}));
  await events.waitUntilReady();
  return events;
}

async function jobs() {
  const queue = queueOf('mail'), events = await eventsOf('mail');
  const seen = [];
  workerOf('mail', async (job) => {
    await job.updateProgress(50);
    await job.log(`to ${job.data.to}`);
    seen.push(job.data.to);
    return {sent: job.data.to};
  }, {concurrency: 4});
  const added = await queue.addBulk(times(60, (i) => ({name: 'send', data: {to: `user-${i}`, text: 'ä'.repeat(i)}})));
  const results = await Promise.all(added.map((job) => job.waitUntilFinished(events, 10000)));
  equal('every job once', seen.sort(), times(60, (i) => `user-${i}`).sort());
  equal('results', results.map(({sent}) => sent), times(60, (i) => `user-${i}`));
  const job = await queue.getJob(added[7].id);
  equal('what is known of one', [await job.getState(), job.returnvalue, job.progress, (await queue.getJobLogs(job.id)).logs], ['completed', {sent: 'user-7'}, 50, ['to user-7']]);
  equal('counts', await queue.getJobCounts('wait', 'active', 'completed', 'failed', 'delayed'), {wait: 0, active: 0, completed: 60, failed: 0, delayed: 0});
  equal('cleaned', (await queue.clean(0, 50, 'completed')).length, 50);
  await queue.obliterate({force: true});
  equal('nothing is left', await r.keys('bull:mail:*'), []);
}

async function failures() {
  const queue = queueOf('fragile'), events = await eventsOf('fragile');
  const tries = {};
  workerOf('fragile', async (job) => {
    tries[job.name] = (tries[job.name] ?? 0) + 1;
    if (job.name === 'never' || tries[job.name] < 3) throw new Error(`try ${tries[job.name]}`);
    return tries[job.name];
  });
  const third = await queue.add('third', {}, {attempts: 5, backoff: {type: 'exponential', delay: 2}});
  const never = await queue.add('never', {}, {attempts: 2});
  equal('the third try succeeds', await third.waitUntilFinished(events, 10000), 3);
  await rejects('the last one fails', 'try 2', never.waitUntilFinished(events, 10000));
  const failed = await queue.getJob(never.id);
  equal('what is known of it', [await failed.getState(), failed.failedReason, failed.attemptsMade], ['failed', 'try 2', 2]);
  tries.never = -5;
  await rejects('again by hand', 'try -4', failed.retry().then(() => failed.waitUntilFinished(events, 10000)));
  equal('failed ones', (await queue.getFailed()).map((job) => job.name), ['never']);
}

async function delayed() {
  const queue = queueOf('later'), events = await eventsOf('later');
  const order = [];
  const added = [await queue.add('third', {}, {delay: 120}), await queue.add('second', {}, {delay: 60}), await queue.add('first', {}), await queue.add('far', {}, {delay: 3600000})];
  equal('they wait', await queue.getJobCounts('delayed', 'wait'), {delayed: 3, wait: 1});
  workerOf('later', async (job) => order.push(job.name));
  await Promise.all(added.slice(0, 3).map((job) => job.waitUntilFinished(events, 10000)));
  equal('in their time', order, ['first', 'second', 'third']);
  const far = await queue.getJob(added[3].id);
  equal('the far one', [await far.getState(), await queue.getDelayedCount()], ['delayed', 1]);
  await far.promote();
  await far.waitUntilFinished(events, 10000);
  equal('promoted', order[3], 'far');
}

async function priorities() {
  const queue = queueOf('ranked'), events = await eventsOf('ranked');
  const added = [];
  for (const [name, priority] of [['low', 100], ['high', 1], ['middle', 50], ['high again', 1], ['unranked', 0]]) added.push(await queue.add(name, {}, {priority}));
  await queue.pause();
  const order = [];
  workerOf('ranked', async (job) => order.push(job.name));
  equal('paused', [await queue.isPaused(), order], [true, []]);
  await queue.resume();
  await Promise.all(added.map((job) => job.waitUntilFinished(events, 10000)));
  equal('the unranked first, then by rank', order, ['unranked', 'high', 'high again', 'middle', 'low']);
}

async function repeated() {
  const queue = queueOf('again');
  let count = 0;
  workerOf('again', async () => count++);
  await queue.upsertJobScheduler('tick', {every: 30}, {name: 'tick', data: {}});
  await waitFor(() => count >= 3);
  equal('known', (await queue.getJobSchedulers()).map(({key, every}) => [key, Number(every)]), [['tick', 30]]);
  isTrue('removed', await queue.removeJobScheduler('tick'));
  equal('no longer known', await queue.getJobSchedulers(), []);
}

async function flows() {
  const flow = open(new FlowProducer({connection})), events = await eventsOf('album');
  workerOf('photo', async (job) => job.data.size * 2);
  workerOf('album', async (job) => Object.values(await job.getChildrenValues()).reduce((a, b) => a + b, 0));
  const tree = await flow.add({name: 'make', queueName: 'album', data: {}, children: times(10, (i) => ({name: `photo-${i}`, queueName: 'photo', data: {size: i}}))});
  equal('the parent has what its children made', await tree.job.waitUntilFinished(events, 10000), 90);
  const {processed} = await tree.job.getDependencies();
  equal('children', Object.keys(processed ?? {}).length, 10);
}

async function limited() {
  const queue = queueOf('slow'), events = await eventsOf('slow');
  const added = await queue.addBulk(times(9, (i) => ({name: 'n', data: {i}})));
  let most = 0, at = 0;
  workerOf('slow', async () => {
    most = Math.max(most, ++at);
    await new Promise(setImmediate);
    at--;
  }, {limiter: {max: 3, duration: 40}, concurrency: 2});
  await Promise.all(added.map((job) => job.waitUntilFinished(events, 10000)));
  isTrue('never more than two at once', most <= 2, most);
  const dedup = times(5, () => queue.add('once', {}, {deduplication: {id: 'same', ttl: 60000}}));
  equal('the same job once', new Set((await Promise.all(dedup)).map((job) => job.id)).size, 1);
}

/** A worker that dies with a job: another one notices that its lock has run out, and does it. */
async function stalled() {
  const queue = queueOf('lost'), events = await eventsOf('lost');
  const dying = new Worker('lost', () => new Promise(() => {}), {connection, lockDuration: 60, skipStalledCheck: true, skipLockRenewal: true});
  dying.on('error', () => {});
  const job = await queue.add('precious', {});
  await waitFor(async () => await queue.getActiveCount() === 1);
  await dying.close(true);
  workerOf('lost', async () => 'saved', {stalledInterval: 40, lockDuration: 5000});
  equal('done by another one', await job.waitUntilFinished(events, 12000), 'saved');
}

async function beeJobs() {
  const options = {redis: facts.transport === 'tcp' ? {host: '127.0.0.1', port: facts.port} : {path: facts.path}, activateDelayedJobs: true, stallInterval: 5000};
  const producer = open(new Bee('bees', {...options, isWorker: false})), worker = open(new Bee('bees', options));
  const done = [];
  worker.process(3, async (job) => {
    job.reportProgress({half: true});
    if (job.data.fails > 0 && job.options.retries > 0) throw new Error('again');
    done.push(job.data.n);
    return job.data.n * 2;
  });
  const results = await Promise.all(times(40, async (n) => {
    const job = await producer.createJob({n}).save();
    return new Promise((resolve, reject) => job.on('succeeded', resolve).on('failed', reject));
  }));
  equal('results', results, times(40, (n) => n * 2));
  equal('every job once', done.sort((a, b) => a - b), times(40, (n) => n));
  const retried = await producer.createJob({n: 1, fails: 1}).retries(2).backoff('immediate').save();
  equal('at last', await new Promise((resolve) => retried.on('succeeded', resolve)), 2);
  const later = await producer.createJob({n: 5}).delayUntil(Date.now() + 60).save();
  equal('delayed', await new Promise((resolve) => later.on('succeeded', resolve)), 10);
  const health = await producer.checkHealth();
  equal('health', [health.waiting, health.active, health.succeeded, health.failed], [0, 0, 42, 0]);
  await producer.destroy();
  equal('nothing is left', await r.keys('bq:bees:*'), []);
}

const parts = {jobs, failures, delayed, priorities, repeated, flows, limited, stalled, beeJobs};
runParts(Object.fromEntries(Object.entries(parts).map(([name, run]) => [name, part(run)]))).finally(disconnectAll);
