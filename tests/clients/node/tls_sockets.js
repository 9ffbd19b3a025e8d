'use strict';
// The TLS sockets of a client library. Loaded before it, so that the sockets can be asked what they are, and so that a
// reconnecting client offers its session again: tls.connect leaves that to its caller, and the libraries do not do it.

const fs = require('node:fs');
const tls = require('node:tls');
const {isTrue} = require('./checks.js');

const facts = JSON.parse(process.argv[2]);
const sockets = [];
const resuming = {on: false, session: undefined};

const connect = tls.connect;
tls.connect = (options, ...rest) => {
  const socket = connect(resuming.on ? {...options, session: resuming.session} : options, ...rest);
  socket.on('session', (session) => { resuming.session = session; });
  sockets.push(socket);
  return socket;
};

const read = (name) => fs.readFileSync(`${facts.folder}/${name}`);

/** What tls.connect is to be given: whose certificate is shown, who is believed. */
function tlsOptions(certificate = 'client', authority = 'ca') {
  const own = certificate ? {cert: read(`${certificate}.crt`), key: read(`${certificate}.key`)} : {};
  return {...own, ca: read(`${authority}.crt`), minVersion: facts.version, maxVersion: facts.version};
}

const url = `rediss://${facts.user}:${encodeURIComponent(facts.userPassword)}@127.0.0.1:${facts.tlsPort}`;
const oneMegabyte = Buffer.alloc(1 << 20, Buffer.from(Array.from({length: 251}, (_, i) => i)));

/** Nothing was answered, no error either: TLS or the connection ended. */
async function isCutOff(name, promise) {
  const outcome = await promise.catch((error) => error);
  isTrue(name, outcome instanceof Error && /alert|ECONNRESET|closed/i.test(outcome.message), String(outcome));
}

module.exports = {facts, sockets, resuming, tlsOptions, url, oneMegabyte, isCutOff};
