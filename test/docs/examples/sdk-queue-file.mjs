import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { startBroker } from 'tinymq';
import { Client } from 'tinymq/client';

// A port where there is no broker yet.
const server = createServer().listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address();
server.close();
await once(server, 'close');
const url = `tcp://127.0.0.1:${port}`;
const order = 'a pan';
console.error = () => {};

// the example

await client.close();
const broker = await startBroker({ listen: [url], record: true });
const next = new Client({ url, clientId: 'kitchen', queue: { file: 'kitchen.queue' } });
await next.connect();
await broker.untilReceived('orders/new');
await next.close();
assert.deepEqual(
  broker.received('orders/new').map((message) => message.text()),
  [order],
);
await broker.close();
