import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { type Ended, type ProgramName, program, start } from '../support/broker-process.ts';
import { eventually } from '../support/eventually.ts';

/*
 * The jobs of docs/mosquitto-tools.md, typed as they stand there: what mosquitto's tool and ours print, or publish, is the same.
 */

const page = readFileSync(new URL('../../docs/mosquitto-tools.md', import.meta.url), 'utf8');
const JOBS = [
  ...page.matchAll(/^\| (.+?) \| `(mosquitto_(?:pub|sub) [^|]*)` \| `((?:publisher|subscriber) [^|]*)` \|/gm),
].map(([, job, theirs, ours]) => ({ job: job!, theirs: theirs!, ours: ours! }));

let broker: RunningBroker;
let port: string;

beforeAll(async () => {
  broker = await startBroker({ listen: ['tcp://localhost:0'], memory: true, record: true, sysIntervalMs: 0 });
  port = new URL(broker.url.replace('tcp', 'http')).port;
});
afterAll(() => broker.close());

it('are twenty', () => {
  expect(JOBS.length).toBeGreaterThanOrEqual(20);
});

// It is Debian's package mosquitto-clients.
const hasMosquitto = spawnSync('mosquitto_sub', ['--help']).error === undefined;

describe.skipIf(!hasMosquitto).each(JOBS)('$job (make test-setup installs mosquitto)', ({ theirs, ours }) => {
  it('is done in the same way', async () => {
    const done = await outcome(theirs);
    expect(await outcome(ours)).toEqual(done);
  });
});

/** What a command line prints, publishes and ends with. */
async function outcome(line: string) {
  // The one before may still be on its way out, and would count as the one that is awaited.
  await eventually(() => broker.stats().clients === 0, 'the end of the client before');
  await forgetRetained();
  await broker.publish('kept/a', 'old', { retain: true });
  broker.clearReceived();
  const before = broker.stats().subscriptions!;
  const program = shell(`${line} -p ${port}`);
  const isSubscriber = /^(mosquitto_sub|subscriber) /.test(line);
  if (isSubscriber && !/ -E\b/.test(line)) {
    let hasEnded = false;
    void program.then(() => (hasEnded = true));
    await eventually(() => hasEnded || broker.stats().subscriptions! > before, 'the subscription');
    for (const [topic, payload] of MESSAGES) await broker.publish(topic, payload, { qos: 1 });
  }
  const { code, stdout } = await program;
  const published = broker
    .received('#')
    .filter(({ clientId }) => clientId !== '')
    .map(({ topic, qos, retain, headers, contentType, ...message }) => {
      return { topic, text: message.text(), qos, retain, headers, contentType };
    });
  const isQuiet = !isSubscriber;
  return {
    code,
    printed: isQuiet ? '' : timeless(stdout),
    published: isSubscriber && !/remove/.test(line) ? [] : published,
  };
}

const MESSAGES = [
  ['sensors/hall/temp', '22.5'],
  ['sensors/hall/hum', '40'],
  ['alarms/door', '{"open":true}'],
  ['sensors/attic/temp', '19'],
] as const;

async function forgetRetained(): Promise<void> {
  for (const topic of ['kept/a', 'kept/b', 'sensors/hall/temp'])
    await broker.publish(topic, '', { retain: true });
}

/** Times differ, and what is said of them does not. */
function timeless(text: string): string {
  return text
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z?[+-]\d{4}/g, 'TIME')
    .replace(/\d{10}\.\d{9}/g, 'UNIX')
    .replace(/\b\d\d:\d\d:\d\d\b/g, 'CLOCK');
}

/** As a person types it. */
function shell(line: string): Promise<Ended> {
  const typed = line.replace(/\b(publisher|subscriber)\b/, (name) => program(name as ProgramName));
  return start('sh', ['-c', typed]).ended;
}
