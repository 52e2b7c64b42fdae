import assert from 'node:assert/strict';
import { startBroker } from 'tinymq';
import { connect } from 'tinymq/client';

const guard = {
  mayConnect: () => undefined,
  mayPublish: (_, topic) => (topic.startsWith('alarms/') ? 'alarms are for others' : undefined),
  maySubscribe: () => undefined,
};
const broker = await startBroker({ listen: ['tcp://localhost:0'], guard });
const client = await connect(broker.url);
const printed = [];
console.error = (...words) => printed.push(words);

// the example

assert.deepEqual(printed, [['not-authorized', 'alarms/door']]);
await client.close();
await broker.close();
