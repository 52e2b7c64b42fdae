import assert from 'node:assert/strict';
import { startBroker } from 'tinymq';
import { connect } from 'tinymq/client';

const broker = await startBroker({
  listen: ['tcp://localhost:0'],
  memory: true,
  logs: [{ filter: 'sensors/#' }],
});
const client = await connect(broker.url);
await client.publish('sensors/temp', '22.5');
await client.ping();
const printed = [];
console.log = (...words) => printed.push(words);

// the example

await client.publish('sensors/temp', '23');
while (printed.length < 2) await new Promise((resolve) => setTimeout(resolve, 10));
assert.deepEqual(
  printed.map(([log, partition, offset, publishedAt, text]) => [
    log,
    partition,
    offset,
    publishedAt instanceof Date,
    text,
  ]),
  [
    ['sensors.temp', 0, 0, true, '22.5'],
    ['sensors.temp', 0, 1, true, '23'],
  ],
);
await client.close();
await broker.close();
