/**
 * An app for queue-file.test.ts: publishes each line that it reads exactly once, with a queue in a file, and says of each what became of
 * it. Started with the broker's URL and the file.
 */
import { createInterface } from 'node:readline';
import { Client } from '../../pkg/client/index.ts';

const [url, file] = process.argv.slice(2);
const reconnect = { minDelayMs: 1, maxDelayMs: 20 };
const client = new Client({ url, clientId: 'app', queue: { file }, connectRetry: true, reconnect });
// It publishes whether there is a broker or not.
client.connect().catch((error) => process.stdout.write(`closed: ${error.message}\n`));
process.stdout.write('open\n');
for await (const text of createInterface(process.stdin)) {
  const answered = client.publish('kept/a', text, { qos: 2 });
  process.stdout.write(`published ${text}\n`);
  Promise.resolve(answered).then(() => process.stdout.write(`answered ${text}\n`));
}
