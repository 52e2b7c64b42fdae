import type { KafkaClient } from '../../../internal/clients/kafka/client.ts';
import {
  assignmentOf,
  type CommittedOffset,
  committedOffsets,
  describedGroup,
  type GroupMember,
  noSuchGroup,
} from '../../../internal/clients/kafka/groups.ts';
import { keyOf, LATEST, offsetsAt, type TopicPartition } from '../../../internal/clients/kafka/offsets.ts';
import { jsonLine } from '../../../internal/lib/printable.ts';
import { note } from '../report.ts';
import { tableText } from '../table.ts';

/** How far a group is in one partition, and who reads it. */
interface Row extends TopicPartition {
  currentOffset: number | undefined;
  logEndOffset: number | undefined;
  member: GroupMember | undefined;
}

/**
 * Offsets and lag of a group, as Kafka's own tool shows them.
 *
 * @throws KafkaRefusal
 */
export async function offsetsReport(client: KafkaClient, groupId: string, isJson: boolean): Promise<string> {
  const group = await describedGroup(client, groupId);
  const offsets = await committedOffsets(client, groupId);
  if (group === undefined && offsets.length === 0) throw noSuchGroup(groupId);
  const assigned = (group?.members ?? []).flatMap((member) =>
    assignmentOf(group!, member).map((partition) => ({ ...partition, member })),
  );
  if (group === undefined) note(`The members of group '${groupId}' are not shown: it is no classic group.`);
  else if (group.members.length === 0) note(`Group '${groupId}' has no active members.`);
  else if (group.groupState !== 'Stable') note(`Group '${groupId}' is settling who is in it.`);
  const rows = rowsOf(offsets, assigned, await offsetsAt(client, [...offsets, ...assigned], LATEST));
  return isJson ? rows.map((row) => asJson(groupId, row)).join('') : asTable(groupId, rows);
}

function rowsOf(
  offsets: readonly CommittedOffset[],
  assigned: readonly (TopicPartition & { member: GroupMember })[],
  ends: ReadonlyMap<string, number>,
): Row[] {
  const committed = new Map(offsets.map((offset) => [keyOf(offset), offset.offset]));
  const members = new Map(assigned.map((partition) => [keyOf(partition), partition.member]));
  const partitions = new Map([...offsets, ...assigned].map((partition) => [keyOf(partition), partition]));
  return [...partitions]
    .map(([key, { topic, partition }]) => ({
      topic,
      partition,
      currentOffset: committed.get(key),
      logEndOffset: ends.get(key),
      member: members.get(key),
    }))
    .sort((one, other) =>
      one.topic === other.topic ? one.partition - other.partition : one.topic < other.topic ? -1 : 1,
    );
}

function lagOf({ currentOffset, logEndOffset }: Row): number | undefined {
  return currentOffset === undefined || logEndOffset === undefined ? undefined : logEndOffset - currentOffset;
}

function asTable(groupId: string, rows: readonly Row[]): string {
  return tableText(
    [
      { title: 'GROUP' },
      { title: 'TOPIC' },
      { title: 'PARTITION', minWidth: 10 },
      { title: 'CURRENT-OFFSET' },
      { title: 'LOG-END-OFFSET' },
      { title: 'LAG' },
      { title: 'CONSUMER-ID' },
      { title: 'HOST' },
      { title: 'CLIENT-ID' },
    ],
    rows.map((row) => [
      groupId,
      row.topic,
      row.partition,
      row.currentOffset,
      row.logEndOffset,
      lagOf(row),
      row.member?.memberId,
      row.member?.clientHost,
      row.member?.clientId,
    ]),
  );
}

function asJson(groupId: string, row: Row): string {
  const { topic, partition, currentOffset, logEndOffset, member } = row;
  return jsonLine({
    group: groupId,
    topic,
    partition,
    currentOffset: currentOffset ?? null,
    logEndOffset: logEndOffset ?? null,
    lag: lagOf(row) ?? null,
    consumerId: member?.memberId ?? null,
    host: member?.clientHost ?? null,
    clientId: member?.clientId ?? null,
  });
}
