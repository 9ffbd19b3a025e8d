'use strict';
// Leads the host that printed programs connect to ("redis", port 6379) to REDIS_AT=host:port. `node -r` loads it first.

const net = require('node:net');

const [host, port] = process.env.REDIS_AT.split(':');
const create = net.createConnection;
net.connect = net.createConnection = (options, ...more) =>
    create(options.host === 'redis' && options.port === 6379 ? {...options, host, port: Number(port)} : options, ...more);
