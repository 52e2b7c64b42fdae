import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { metadata } from '../../internal/protocol/kafka/apis/03-metadata.ts';
import { offsetCommit } from '../../internal/protocol/kafka/apis/08-offset-commit.ts';
import { joinGroup } from '../../internal/protocol/kafka/apis/11-join-group.ts';
import { heartbeat } from '../../internal/protocol/kafka/apis/12-heartbeat.ts';
import { leaveGroup } from '../../internal/protocol/kafka/apis/13-leave-group.ts';
import { syncGroup } from '../../internal/protocol/kafka/apis/14-sync-group.ts';
import { describeGroups } from '../../internal/protocol/kafka/apis/15-describe-groups.ts';
import { listGroups } from '../../internal/protocol/kafka/apis/16-list-groups.ts';
import { encodeSubscription } from '../../internal/protocol/kafka/consumer-protocol.ts';
import { KafkaErrorCode } from '../../internal/protocol/kafka/error-codes.ts';
import { type BrokerProcess, startBrokerProcess } from '../support/broker-process.ts';
import { writeKafkaDirectory } from '../support/kafka-directory.ts';
import { KafkaWire } from '../support/kafka-wire.ts';
import { rounds } from '../support/torture.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-groups-'));
afterAll(() => rmSync(folder, { recursive: true }));

const TOPIC = { name: 't', topicId: 'BzUAAqDLTE-zXqn1RRyfbA', partitionCount: 1 };
const kafkaDirectory = join(folder, 'kafka');
writeKafkaDirectory(kafkaDirectory, [TOPIC]);

const stores = [
  { name: 'SQLite', flags: ['-data-dir', join(folder, 'sqlite')] },
  { name: "a Kafka's directory", flags: ['-kafka-log-dir', kafkaDirectory] },
];

/** A member as its client sees it. */
interface Joined {
  memberId: string;
  generationId: number;
  assignment: string;
}

function kafkaUrl(broker: BrokerProcess): string {
  return (JSON.parse(broker.stdout()) as { kafka: string[] }).kafka[0];
}

/** The only member of a group, which has its work. */
async function joined(
  wire: KafkaWire,
  groupId: string,
  groupInstanceId: string | null = null,
): Promise<Joined> {
  const request = {
    groupId,
    sessionTimeoutMs: 45_000,
    rebalanceTimeoutMs: 60_000,
    groupInstanceId,
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: encodeSubscription(1, { topics: ['t'] }) }],
  };
  let memberId = '';
  if (groupInstanceId === null) ({ memberId } = await wire.ask(joinGroup, 9, { ...request, memberId }));
  const answer = await wire.ask(joinGroup, 9, { ...request, memberId });
  expect(answer.errorCode).toBe(0);
  const member = { groupId, memberId: answer.memberId, generationId: answer.generationId, groupInstanceId };
  const assignments = answer.skipAssignment
    ? []
    : [{ memberId: answer.memberId, assignment: Buffer.from(`work of ${groupId}`) }];
  const synced = await wire.ask(syncGroup, 5, {
    ...member,
    protocolType: 'consumer',
    protocolName: 'range',
    assignments,
  });
  expect(synced.errorCode).toBe(0);
  return {
    memberId: answer.memberId,
    generationId: answer.generationId,
    assignment: Buffer.from(synced.assignment).toString(),
  };
}

describe.each(stores)('groups in $name', ({ flags }) => {
  it('are as they were after kill -9, again and again: members, generation, work, static ids', async () => {
    const all = ['-kafka', '127.0.0.1:0', ...flags];
    let member: Joined | undefined;
    for (let round = 0; round < rounds(3); round++) {
      await using broker = await startBrokerProcess(all);
      const wire = await KafkaWire.open(kafkaUrl(broker));
      await wire.ask(metadata, 9, { topics: [{ name: 't' }] });
      member ??= await joined(wire, 'g');
      const { memberId, generationId } = member;
      const beat = (change: object) =>
        wire.ask(heartbeat, 4, { groupId: 'g', memberId, generationId, ...change });
      expect((await beat({})).errorCode).toBe(0);
      expect((await beat({ generationId: 0 })).errorCode).toBe(KafkaErrorCode.illegalGeneration);
      expect((await beat({ memberId: 'x' })).errorCode).toBe(KafkaErrorCode.unknownMemberId);
      const { topics } = await wire.ask(offsetCommit, 8, {
        groupId: 'g',
        generationIdOrMemberEpoch: generationId,
        memberId,
        topics: [
          { name: 't', partitions: [{ partitionIndex: 0, committedOffset: 7, committedMetadata: '' }] },
        ],
      });
      expect(topics[0].partitions[0].errorCode).toBe(0);
      const { groups } = await wire.ask(describeGroups, 5, { groups: ['g'] });
      expect(groups).toMatchObject([
        {
          groupState: 'Stable',
          protocolData: 'range',
          members: [{ memberId, clientId: 'wire', clientHost: '/127.0.0.1' }],
        },
      ]);
      expect(Buffer.from(groups[0].members[0].memberAssignment).toString()).toBe('work of g');

      // A static member that comes back under a new id has its place and its work, and the one before is fenced.
      const before = round === 0 ? undefined : await joined(wire, 's', 'i');
      const fixed = await joined(wire, 's', 'i');
      expect(fixed).toMatchObject({ generationId: 1, assignment: 'work of s' });
      if (before !== undefined) {
        const { errorCode } = await wire.ask(heartbeat, 4, { ...before, groupId: 's', groupInstanceId: 'i' });
        expect(errorCode).toBe(KafkaErrorCode.fencedInstanceId);
      }
      await broker.stop('SIGKILL');
    }

    // Who left is gone, also if the broker is killed right after.
    {
      await using broker = await startBrokerProcess(all);
      const wire = await KafkaWire.open(kafkaUrl(broker));
      const { memberId } = member!;
      await wire.ask(leaveGroup, 5, { groupId: 'g', members: [{ memberId }] });
      await broker.stop('SIGKILL');
    }
    await using broker = await startBrokerProcess(all);
    const wire = await KafkaWire.open(kafkaUrl(broker));
    const { groups } = await wire.ask(listGroups, 5, {});
    expect(groups.map(({ groupId, groupState }) => `${groupId} ${groupState}`).sort()).toEqual([
      'g Empty',
      's Stable',
    ]);
    await broker.stop();
  });
});
