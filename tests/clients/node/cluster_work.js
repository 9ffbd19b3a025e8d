'use strict';
// What the sessions with a cluster share. Work is done again and again, on each hash tag in turn, and what was acknowledged is
// noted: {key: [[number, milliseconds], ...]}. The test tells the program line by line what it wants to hear of:
//
//   lap    "lap", once every kind of work has succeeded again with each tag; "lap", and what is lacking, when that takes too long
//   stop   the work ends; "books {...}"
//   after  the last part begins

const readline = require('node:readline');
const {setTimeout: pause} = require('node:timers/promises');

const kLapMillisMax = 60_000;
const kPauseMillis = 1;  // behind each piece of work: others want the machine, too
const kPairScript =
    "redis.call('SADD', KEYS[1], ARGV[1]) redis.call('HSET', KEYS[2], ARGV[1], ARGV[1]) return ARGV[1]";

class Work {
  /** `kinds`: {name: async (tag, otherTag, number) => keys that have the number now}. One that does not find what it has just
   *  written notes it in `missed`. */
  constructor(tags, kinds) {
    this.tags = tags;
    this.kinds = kinds;
    this.noted = {};
    this.missed = [];
    this.saw = {};
    this.sent = 0;
    this.lacking = null;  // what has not succeeded since "lap" was heard
    this.stopped = false;
    this.after = new Promise((resolve) => {
      this.#hear(resolve);
    });
  }

  #hear(resolve) {
    const lines = readline.createInterface({input: process.stdin});
    lines.on('line', (line) => {
      if (line === 'lap') {
        this.lacking = new Set(this.tags.flatMap((tag) => Object.keys(this.kinds).map((kind) => `${kind} ${tag}`)));
        this.late = setTimeout(() => {
          this.#lapEnds(` without ${[...this.lacking].slice(0, 5)}: ${JSON.stringify(this.saw)}`);
        }, kLapMillisMax);
      } else if (line === 'stop') {
        this.stopped = true;
      } else if (line === 'after') {
        lines.close();
        resolve();
      }
    });
  }

  async run() {
    while (!this.stopped) {
      for (const [index, tag] of this.tags.entries()) {
        for (const kind of Object.keys(this.kinds)) {
          if (!this.stopped) await this.#once(kind, tag, this.tags.at(index - 1));
        }
      }
    }
    const {noted, missed, sent, saw} = this;
    process.stdout.write(`books ${JSON.stringify({noted, missed, sent, saw})}\n`);
    await this.after;
  }

  async #once(kind, tag, other) {
    const number = ++this.sent;
    try {
      const keys = await this.kinds[kind](tag, other, number);
      for (const key of keys) (this.noted[key] ??= []).push([number, Date.now()]);
    } catch (error) {
      const text = `${kind}: ${error.name}: ${error.message}`.replace(/\d+/g, 'N').slice(0, 100);
      this.saw[text] = (this.saw[text] ?? 0) + 1;
      await pause(10);  // It may have failed at once, and nothing else runs before this lets go.
      return;
    }
    if (this.lacking?.delete(`${kind} ${tag}`) && this.lacking.size === 0) this.#lapEnds('');
    await pause(kPauseMillis);
  }

  #lapEnds(text) {
    clearTimeout(this.late);
    this.lacking = null;
    process.stdout.write(`lap${text}\n`);
  }
}

module.exports = {Work, kPairScript};
