'use strict';
// Connections of the node-redis sessions. The argument of the program is a JSON object: protocol, transport, ports,
// paths, password, and whether the server is ours.

const {createClient} = require('redis');

const facts = JSON.parse(process.argv[2]);
const open = [];

function settings(lockedServer, options) {
  const socket = facts.transport === 'tcp' ?
      {host: '127.0.0.1', port: lockedServer ? facts.lockedPort : facts.port} :
      {path: lockedServer ? facts.lockedPath : facts.path, tls: false};
  return {RESP: facts.protocol, ...options, socket: {...socket, ...options.socket}};
}

async function connect(options = {}, lockedServer = false) {
  const client = createClient(settings(lockedServer, options));
  client.on('error', () => {});  // Errors that a check waits for arrive through its promise.
  open.push(client);
  await client.connect();
  return client;
}

const disconnectAll = () => open.forEach((client) => client.disconnect());

module.exports = {connect, disconnectAll, settings, facts};
