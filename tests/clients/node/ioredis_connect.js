'use strict';
// Connections of the ioredis sessions. The argument of the program is a JSON object: protocol, transport, ports, paths,
// password, and whether the server is ours.

const Redis = require('ioredis');

const facts = JSON.parse(process.argv[2]);
const open = [];

function connect(options = {}) {
  const where = facts.transport === 'tcp' ? {host: '127.0.0.1', port: facts.port} : {path: facts.path};
  const client = new Redis({...where, protocol: facts.protocol, ...options});
  client.on('error', () => {});  // Errors that a check waits for arrive through its promise.
  open.push(client);
  return client;
}

const disconnectAll = () => open.forEach((client) => client.disconnect());

module.exports = {connect, disconnectAll, facts, open};
