import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { records } from '../../internal/batch/read.ts';
import { parseBatchHeader } from '../../internal/batch/record-batch.ts';
import { DOORS } from '../../internal/doors/all.ts';
import { type RunningBroker, startWithDoors } from '../../internal/server/start-broker.ts';
import { kcat } from '../interop/support/toolchains.ts';
import { eventually } from '../support/eventually.ts';
import { SharedStore } from '../support/shared-store.ts';

const withKcat = kcat();

let shared: SharedStore;
let brokers: RunningBroker[];
let clients: ChildProcess[];

beforeEach(async () => {
  clients = [];
  brokers = [];
  shared = await new SharedStore().open(2);
  for (const member of shared.members) {
    brokers.push(await startWithDoors(DOORS, { kafka: { listen: ['tcp://127.0.0.1:0'] } }, member));
  }
});

afterEach(async () => {
  for (const client of clients) client.kill('SIGKILL');
  await Promise.all(brokers.map((broker) => broker.close()));
});

const addressOf = ({ url }: RunningBroker) => new URL(url).host;

const MESSAGE_BYTES = 2_048;
/** kcat reads its input in pieces of 64 KiB: so many messages may not be on their way yet. */
const HELD = (64 * 1024) / MESSAGE_BYTES;

/** Starts kcat; its lines gather in `lines`. */
function startKcat(args: readonly string[]) {
  const client = spawn('kcat', args, { stdio: ['pipe', 'pipe', 'pipe'] });
  clients.push(client);
  const lines: string[] = [];
  let rest = '';
  client.stdout.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop()!;
    lines.push(...parts);
  });
  let errors = '';
  client.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  return { client, lines, errors: () => errors };
}

/** The texts in a partition, in the order of their offsets. */
async function textsOf(partitionId: number): Promise<string[]> {
  const batches = await shared.store.read(partitionId, 0, 1e9);
  return batches.flatMap(({ bytes }) =>
    Array.from(records(bytes, parseBatchHeader(bytes, 0), 1e9), ({ value }) =>
      Buffer.from(value!).toString(),
    ),
  );
}

describe('clients of librdkafka', { timeout: 180_000 }, () => {
  if ('missing' in withKcat) {
    it(withKcat.missing, ({ skip }) => skip());
    return;
  }

  it('go on when another broker leads: what is produced is there once, and the group reads all', async () => {
    const all = brokers.map(addressOf).join(',');
    const topic = ['-X', 'topic.metadata.refresh.interval.ms=500'];
    const producer = startKcat([
      '-P',
      '-b',
      addressOf(brokers[1]!),
      '-t',
      't',
      '-X',
      'enable.idempotence=true',
      ...topic,
    ]);
    const group = ['-X', 'auto.offset.reset=earliest', '-X', 'auto.commit.interval.ms=100', ...topic];
    const consumer = startKcat(['-b', all, '-q', '-u', ...group, '-G', 'g', 't']);
    const sent: string[] = [];
    const produce = (count: number) => {
      for (let index = 0; index < count; index++)
        sent.push(`message ${sent.length} `.padEnd(MESSAGE_BYTES, '.'));
      producer.client.stdin!.write(`${sent.slice(-count).join('\n')}\n`);
    };
    const untilRead = (count: number) =>
      eventually(() => new Set(consumer.lines).size >= count, `${count} messages: ${consumer.errors()}`);
    produce(200);
    await untilRead(200 - HELD);
    for (const leader of [1, 0, 1]) {
      produce(200);
      const moving = shared.move(shared.members[leader]!, 300);
      produce(200);
      await moving;
      await untilRead(sent.length - HELD);
    }
    producer.client.stdin!.end();
    const [code] = await once(producer.client, 'exit');
    expect(code, producer.errors()).toBe(0);
    const { topics, groups } = await shared.store.open();
    expect(await textsOf(topics[0]!.partitions[0]!.id)).toEqual(sent);
    await untilRead(sent.length);
    expect(new Set(consumer.lines)).toEqual(new Set(sent));
    await eventually(
      async () => {
        const [offset] = (await shared.store.open()).groups.get('g') ?? [];
        return offset?.offset === sent.length;
      },
      `the last commit, after ${JSON.stringify([...groups])}`,
    );
  });
});
