import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import {
  type Acknowledged,
  admin,
  type ClientProgram,
  consume,
  type InteropRecord,
  ProgramRun,
  produce,
} from './client-program.ts';
import { content, numbered, record, valuesByPartition } from './records.ts';
import type { Trial } from './trial.ts';

/** Kafka's `max.message.bytes`, of which a batch of one record needs less than 100 for itself. */
const NEAR_THE_MAXIMUM = 1_048_588 - 100;

/** What goes in comes out. */
export function recordCases(client: ClientProgram, trial: () => Trial): void {
  it('produces to a topic that is not there yet and reads it, without any setting', async () => {
    const { peer, unique } = trial();
    const topic = unique('new');
    const sent = [record({ value: 'first' }), record({ value: 'second' })];
    const acknowledged = await produce(client, peer.bootstrap, { topic }, sent);
    expect(acknowledged).toEqual([
      { partition: 0, offset: 0 },
      { partition: 0, offset: 1 },
    ]);
    const read = await consume(client, peer.bootstrap, { topic, count: 2 });
    expect(read).toMatchObject(sent.map((each, offset) => ({ ...content(each), partition: 0, offset })));
    for (const { timestamp } of read) expect(Math.abs(Date.now() - timestamp)).toBeLessThan(600_000);
  });

  it('keeps 1,000 keyed records with headers in order in each of 4 partitions', async () => {
    const { peer, unique } = trial();
    const topic = unique('keyed');
    await admin(client, peer.bootstrap, { op: 'createTopic', topic, partitions: 4 });
    const sent = numbered(1_000);
    const acknowledged = await produce(client, peer.bootstrap, { topic }, sent);
    const read = await consume(client, peer.bootstrap, { topic, group: unique('readers'), count: 1_000 });

    expect(new Set(acknowledged.map(({ partition }) => partition))).toEqual(new Set([0, 1, 2, 3]));
    const place = ({ partition, offset }: { partition: number; offset: number }) => `${partition}/${offset}`;
    const readAt = new Map(read.map((each) => [place(each), each]));
    expect(readAt.size).toBe(1_000);
    for (const [index, each] of sent.entries()) {
      expect(content(readAt.get(place(acknowledged[index]))!)).toEqual(content(each));
    }
    // A key has one partition, and there its records are in the order in which they were sent.
    for (const values of valuesByPartition(read).values()) {
      const numbers = values.map((value) => Number(value.slice('value-'.length)));
      expect(numbers).toEqual(numbers.toSorted((one, other) => one - other));
    }
  });

  it.each(client.compressions)('produces and reads %s', async (compression) => {
    const { peer, unique } = trial();
    const topic = unique(compression);
    const sent = numbered(300, 1);
    await produce(client, peer.bootstrap, { topic, compression }, sent);
    const read = await consume(client, peer.bootstrap, { topic, count: sent.length });
    expect(read.map(content)).toEqual(sent.map(content));
  });

  it('carries records of 1 MB and records of nearly the maximum', async () => {
    const { peer, unique } = trial();
    const topic = unique('large');
    const values = [1_000_000, 10, NEAR_THE_MAXIMUM, 1_000_000].map((bytes) =>
      randomBytes(bytes).toString('base64'),
    );
    const sent = values.map((value) => ({ key: null, value, headers: [] }));
    const options = { topic, maxBytes: 4_000_000 };
    await using producer = new ProgramRun<Acknowledged>(client, peer.bootstrap, 'produce', options);
    // Some clients would put all that is sent together into one batch, for which there is the same limit.
    for (const each of sent) {
      producer.send(each);
      producer.flush();
    }
    expect(await producer.end()).toHaveLength(sent.length);
    const read = await consume(client, peer.bootstrap, { ...options, count: sent.length });
    // Not the records themselves, which nobody wants to see in a report.
    expect(read.map(({ value }) => value?.length)).toEqual(values.map(({ length }) => length));
    expect(read.every(({ value }, index) => value === values[index])).toBe(true);
  });

  it('keeps null and empty apart in keys and values', async () => {
    const { peer, unique } = trial();
    const topic = unique('nothing');
    const sent = [
      record({ key: null, value: 'no key' }),
      record({ key: 'no value', value: null }),
      record({ key: '', value: 'empty key' }),
      record({ key: 'empty value', value: '' }),
      record({ key: 'empty header', value: 'x', headers: { empty: '' } }),
      record({ key: 'ä', value: '\u0000\u{1f600}', headers: { ü: 'ö' } }),
    ];
    await produce(client, peer.bootstrap, { topic }, sent);
    const read = await consume(client, peer.bootstrap, { topic, count: sent.length });
    const wanted = client.readsEmptyAsNull ? sent.map(withoutEmpty) : sent;
    expect(read.map(content)).toEqual(wanted.map(content));
  });

  it.runIf(client.canBeIdempotent)('produces with an idempotent producer', async () => {
    const { peer, unique } = trial();
    const topic = unique('idempotent');
    const sent = numbered(500, 1);
    await produce(client, peer.bootstrap, { topic, idempotent: true }, sent);
    // The next producer has another id and begins with sequence 0 again.
    await produce(client, peer.bootstrap, { topic, idempotent: true }, sent);
    const read = await consume(client, peer.bootstrap, { topic, count: 1_000 });
    expect(read.map(content)).toEqual([...sent, ...sent].map(content));
  });
}

function withoutEmpty({ key, value, headers, ...rest }: InteropRecord): InteropRecord {
  const some = (bytes: string | null) => (bytes === '' ? null : bytes);
  const list = headers.map(([name, each]): [string, string | null] => [name, some(each)]);
  return { ...rest, key: some(key), value: some(value), headers: list };
}
