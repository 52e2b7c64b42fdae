import type { KafkaClient } from '../../../internal/clients/kafka/client.ts';
import { assignmentOf, describedGroup, noSuchGroup } from '../../../internal/clients/kafka/groups.ts';
import { jsonLine } from '../../../internal/lib/printable.ts';
import { note } from '../report.ts';
import { tableText } from '../table.ts';

/**
 * The members of a group and what each of them reads.
 *
 * @throws KafkaRefusal
 */
export async function membersReport(client: KafkaClient, groupId: string, isJson: boolean): Promise<string> {
  const group = await describedGroup(client, groupId);
  if (group === undefined) throw noSuchGroup(groupId);
  if (group.members.length === 0) note(`Group '${groupId}' has no active members.`);
  const members = group.members.map((member) => {
    const partitions = assignmentOf(group, member);
    const assignment = Map.groupBy(partitions, ({ topic }) => topic);
    return { member, count: partitions.length, assignment };
  });
  if (isJson) {
    const lines = members.map(({ member, assignment }) =>
      jsonLine({
        group: groupId,
        consumerId: member.memberId,
        groupInstanceId: member.groupInstanceId,
        host: member.clientHost,
        clientId: member.clientId,
        assignment: [...assignment].flatMap(([, partitions]) => partitions),
      }),
    );
    return lines.join('');
  }
  return tableText(
    [
      { title: 'GROUP' },
      { title: 'CONSUMER-ID' },
      { title: 'HOST' },
      { title: 'CLIENT-ID' },
      { title: '#PARTITIONS' },
      { title: 'CURRENT-ASSIGNMENT' },
    ],
    members.map(({ member, count, assignment }) => [
      groupId,
      member.memberId,
      member.clientHost,
      member.clientId,
      count,
      count === 0
        ? undefined
        : [...assignment]
            .map(
              ([topic, partitions]) => `${topic}:${partitions.map(({ partition }) => partition).join(',')}`,
            )
            .join(' '),
    ]),
  );
}
