// What the gateway's speed is compared with: the plain receiver that one would write in Node. One
// durable insert (WAL, synchronous FULL) for each request, before it is answered.
//
//   npm ci --prefix tests/peer && node tests/peer/server.js DATABASE
//
// Its port is the only line that it prints.
'use strict';
const http = require('node:http');
const { timingSafeEqual } = require('node:crypto');
const Database = require('better-sqlite3');

const db = new Database(process.argv[2]);
db.pragma('journal_mode = WAL');
db.pragma('synchronous = FULL');
db.exec('CREATE TABLE events (id INTEGER PRIMARY KEY, what TEXT UNIQUE, received TEXT, body TEXT)');
const insert = db.prepare('INSERT INTO events (what, received, body) VALUES (?, ?, ?)');
const secret = Buffer.from('azure-secret');

const server = http.createServer((request, response) => {
  const given = Buffer.from(request.headers['x-webhook-secret'] ?? '');
  if (given.length !== secret.length || !timingSafeEqual(given, secret)) {
    response.writeHead(401).end();
    return;
  }
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    const body = Buffer.concat(parts).toString();
    const { eventType, resource } = JSON.parse(body);
    insert.run(`${eventType}/${resource.id}`, new Date().toISOString(), body);
    response.writeHead(202, { 'content-type': 'application/json' }).end('{"ok":true}');
  });
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
