'use strict';
// Prints one line per check for node_session.py to count: "ok NAME" or "fail NAME<tab>DETAIL".

const util = require('node:util');

const shorten = (value) => {
  const text = util.inspect(value, {breakLength: Infinity, depth: 6, maxStringLength: 200});
  return (text.length > 300 ? text.slice(0, 300) + '…' : text).replaceAll('\n', ' ');
};

let part = '';

function record(name, ok, detail = '') {
  const title = `${part}: ${name}`.replaceAll('\t', ' ').replaceAll('\n', ' ');
  process.stdout.write(ok ? `ok ${title}\n` : `fail ${title}\t${detail}\n`);
}

function equal(name, got, want) {
  record(name, util.isDeepStrictEqual(got, want), `got ${shorten(got)}, want ${shorten(want)}`);
}

function isTrue(name, condition, detail = 'is false') {
  record(name, Boolean(condition), typeof detail === 'string' ? detail : shorten(detail));
}

/** The promise must be rejected with `text` in its message. */
async function rejects(name, text, promise) {
  try {
    record(name, false, `answered ${shorten(await promise)}`);
  } catch (error) {
    record(name, String(error.message).includes(text), `message ${shorten(error.message)} lacks ${shorten(text)}`);
  }
}

const kPartMillisMax = 15000;

/** Runs the named parts one after the other; what escapes from one, or its not ending, is one failed check. */
async function runParts(parts, millisMax = kPartMillisMax) {
  for (const [name, run] of Object.entries(parts)) {
    part = name;
    let alarm;
    const late = new Promise((_, reject) => {
      alarm = setTimeout(() => reject(new Error('took too long')), millisMax);
    });
    try {
      await Promise.race([run(), late]);
    } catch (error) {
      record('runs to its end', false, shorten(String(error.stack)));
    } finally {
      clearTimeout(alarm);
    }
  }
  process.stdout.write('end\n');
}

/** For what sends no event: asks again until it is so. runParts ends a part that waits too long. */
async function waitFor(condition) {
  while (!await condition()) await new Promise(setImmediate);
}

const everyByte = Buffer.concat(Array.from({length: 4}, () => Buffer.from(Array.from({length: 256}, (_, i) => i))));
const fiveMegabytes = Buffer.alloc(5 * 1024 * 1024, Buffer.from(Array.from({length: 251}, (_, i) => i)));

module.exports = {equal, isTrue, rejects, runParts, waitFor, everyByte, fiveMegabytes};
