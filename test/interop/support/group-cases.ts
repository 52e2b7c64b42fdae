import { expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { admin, type ConsumedRecord, consume, ProgramRun, produce } from './client-program.ts';
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
      await members[0]!.end();
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
}
