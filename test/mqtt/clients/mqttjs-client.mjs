// Publishes and receives with MQTT.js: folder of its package, URL, version, count. Prints what came, one line each.
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [folder, url, version, count] = process.argv.slice(2);
const { connectAsync } = createRequire(join(folder, 'index.js'))('mqtt');
const protocolVersion = Number(version);
const topic = `js/${new URL(url).protocol}/${version}`;
const client = await connectAsync(url, {
  protocolVersion,
  protocolId: protocolVersion === 3 ? 'MQIsdp' : 'MQTT',
  clientId: `${topic}-client`,
  properties: protocolVersion === 5 ? { topicAliasMaximum: 10, receiveMaximum: 5 } : undefined,
  autoAssignTopicAlias: protocolVersion === 5,
});
const lines = [];
const done = new Promise((resolve) => {
  client.on('message', (name, payload, { qos }) => {
    lines.push(`${name} ${payload} ${qos}`);
    if (lines.length === Number(count)) resolve();
  });
});
await client.subscribeAsync(`${topic}/#`, { qos: 2 });
for (let index = 0; index < Number(count); index++) {
  await client.publishAsync(`${topic}/${index % 3}`, String(index), { qos: index % 3 });
}
await done;
await client.endAsync();
console.log(lines.join('\n'));
