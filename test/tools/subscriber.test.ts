import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Client, connect } from '../../pkg/client/index.ts';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { program, run } from '../support/broker-process.ts';

let folder: string;
let broker: RunningBroker;
let publisher: Client;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tinymq-subscriber-'));
  broker = await startBroker({ listen: ['tcp://127.0.0.1:0'], memory: true, sysIntervalMs: 0 });
  publisher = await connect(broker.url);
});

afterEach(async () => {
  await publisher.close();
  await broker.close();
  rmSync(folder, { recursive: true });
});

/** Runs `subscriber` to its end. */
function subscriber(...flags: string[]) {
  return run(program('subscriber'), ['-address', new URL(broker.url).host, ...flags]);
}

/** The flags of a client whose session is kept. */
const worker = ['-id', 'worker', '-session', '1h', '-topic', 'jobs/#', '-qos', '1'];

it('a command acknowledges a message when it ends with 0, and has it again otherwise', async () => {
  await subscriber(...worker, '-exit-when-subscribed');
  for (const job of ['good', 'bad']) await publisher.publish('jobs/a', job, { qos: 1 });
  const file = join(folder, 'runs');
  // The first run of the bad one fails.
  const command = `job=$(cat); echo $job >> ${file}; [ $job = good ] || [ $(grep -c bad ${file}) -gt 1 ]`;
  const ended = await subscriber(...worker, '-exec', command, '-exec-retry-after', '10ms', '-count', '2');
  expect(ended).toMatchObject({ code: 0 });
  expect(readFileSync(file, 'utf8')).toBe('good\nbad\nbad\n');
  // Both were acknowledged: nothing is left for the session.
  const left = await subscriber(...worker, '-stop-after', '1s', '-count', '1');
  expect(left).toMatchObject({ code: 27, stdout: '' });
});

it("mosquitto's -c and -x keep a session, whose messages wait", async () => {
  const letters = ['-i', 'kept', '-c', '-x', '3600', '-t', 'jobs/#', '-q', '1'];
  expect(await subscriber(...letters, '-E')).toMatchObject({ code: 0 });
  await publisher.publish('jobs/a', 'meanwhile', { qos: 1 });
  const ended = await subscriber(...letters, '-C', '1', '-F', '%p');
  expect(ended).toMatchObject({ code: 0, stdout: 'meanwhile\n' });
});

it('-retained-only prints what is retained, -remove-retained makes the broker forget it', async () => {
  for (const topic of ['rooms/a', 'rooms/b']) await publisher.publish(topic, topic, { qos: 1, retain: true });
  const only = await subscriber('-topic', 'rooms/#', '-retained-only', '-F', '%p', '-count', '2');
  expect(only).toMatchObject({ code: 0 });
  expect(only.stdout.trimEnd().split('\n').sort()).toEqual(['rooms/a', 'rooms/b']);
  expect(await subscriber('-topic', 'rooms/a', '-remove-retained', '-count', '1')).toMatchObject({ code: 0 });
  const left: string[] = [];
  await publisher.subscribe('rooms/#', ({ topic }) => left.push(topic));
  await publisher.ping();
  expect(left).toEqual(['rooms/b']);
});

it('the time that is over is exit code 27, as it is there', async () => {
  expect(await subscriber('-t', 'nothing', '-W', '1')).toMatchObject({ code: 27 });
});
