import { expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import {
  admin,
  type ConsumedRecord,
  consume,
  type InteropRecord,
  ProgramRun,
  produce,
} from './client-program.ts';
import { startPeer } from './peer.ts';
import { content, numbered, record } from './records.ts';
import type { Trial } from './trial.ts';

const PARTITIONS = [0, 1, 2, 3];

/** Consumers that share the work. */
export function groupCases(trial: () => Trial): void {
  it('shares partitions with a member that joins, and takes them over when it leaves', async () => {
    const { client, peer, unique } = trial();
    const topic = unique('shared');
    const group = unique('sharing');
    await admin(client, peer.bootstrap, { op: 'createTopic', topic, partitions: PARTITIONS.length });
    await using producer = new ProgramRun<object>(client, peer.bootstrap, 'produce', { topic });
    const member = () => new ProgramRun<ConsumedRecord>(client, peer.bootstrap, 'consume', { topic, group });
    const members = [member()];
    let round = 0;

    /** Sends a record to each partition and waits until all came; says which member got which partitions. */
    async function sendRound(): Promise<number[][]> {
      const value = `round-${++round}`;
      producer.send(...PARTITIONS.map((partition) => record({ value, partition })));
      producer.flush();
      const wanted = Buffer.from(value).toString('base64');
      const partitionsOf = ({ lines }: ProgramRun<ConsumedRecord>) =>
        // A record may come twice to whoever was told to join again before it committed.
        [...new Set(lines.filter((line) => line.value === wanted).map(({ partition }) => partition))];
      const reached = () => new Set(members.flatMap(partitionsOf)).size === PARTITIONS.length;
      const what = `${value} in every partition, at one member or another,`;
      await Promise.race([producer, ...members].map((each) => each.until(reached, what)));
      return members.map((each) => partitionsOf(each).toSorted());
    }

    try {
      expect(await sendRound()).toEqual([PARTITIONS]);

      members.push(member());
      const shares = await eventually(async () => {
        const now = await sendRound();
        return now.every(({ length }) => length === PARTITIONS.length / 2) && now;
      }, 'a share for each member');
      expect(shares.flat().toSorted()).toEqual(PARTITIONS);

      await members.pop()!.end();
      expect(await sendRound()).toEqual([PARTITIONS]);
      await members[0].end();
    } finally {
      for (const each of members) await each.kill();
    }
  });

  it('goes on after what it committed, also after the broker was restarted', async () => {
    const { client, unique } = trial();
    // The others go on meanwhile with the broker that they have.
    await using peer = await startPeer();
    const topic = unique('resumed');
    const group = unique('resuming');
    const sent = numbered(100, 1);
    await produce(client, peer.bootstrap, { topic }, sent);
    const first = await consume(client, peer.bootstrap, { topic, group, count: 40 });
    expect(first.map(content)).toEqual(sent.slice(0, 40).map(content));
    const second = await consume(client, peer.bootstrap, { topic, group, count: 20 });
    expect(second.map(({ offset }) => offset)).toEqual(Array.from({ length: 20 }, (_, index) => 40 + index));

    await peer.restart();
    const third = await consume(client, peer.bootstrap, { topic, group, count: 40 });
    expect(third.map(content)).toEqual(sent.slice(60).map(content));
  });

  it('goes on when the broker was killed and comes back', async () => {
    const { client, unique } = trial();
    await using peer = await startPeer({ keepsPort: true });
    const topic = unique('survived');
    const isIdempotent = client.canBeIdempotent && !client.losesSequences;
    const options = { topic, ...(isIdempotent ? { idempotent: true } : {}) };
    await using producer = new ProgramRun<object>(client, peer.bootstrap, 'produce', options);
    const sent = numbered(40, 1);

    async function send(from: number, to: number): Promise<void> {
      producer.send(...sent.slice(from, to));
      producer.flush();
      await producer.until(() => producer.lines.length === to, `the acknowledgement of ${to} records`);
    }

    await send(0, 20);
    const group = unique('surviving');
    await using consumer = new ProgramRun<ConsumedRecord>(client, peer.bootstrap, 'consume', {
      topic,
      group,
    });
    // What it had not committed yet comes once more.
    const offsets = () => new Set(consumer.lines.map(({ offset }) => offset)).size;
    await consumer.until(() => offsets() === 20, '20 records');
    await peer.crash();
    await send(20, 40);
    await consumer.until(() => offsets() === 40, 'the records after the crash');
    await producer.end();
    await consumer.end();
    const all = await consume(client, peer.bootstrap, { topic, count: 40 });
    // Only an idempotent producer keeps the order when it has to send again.
    const inOrder = isIdempotent ? all : all.toSorted((one, other) => numberOf(one) - numberOf(other));
    expect(inOrder.map(content)).toEqual(sent.map(content));
  });
}

/** The number in the value of a numbered record. */
function numberOf({ value }: InteropRecord): number {
  return Number(Buffer.from(value!, 'base64').toString().slice('value-'.length));
}
