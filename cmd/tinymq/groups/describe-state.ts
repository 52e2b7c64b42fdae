import type { KafkaClient } from '../../../internal/clients/kafka/client.ts';
import { describedGroup, noSuchGroup } from '../../../internal/clients/kafka/groups.ts';
import { nameOf } from '../../../internal/clients/socket.ts';
import { jsonLine } from '../../../internal/lib/printable.ts';
import { tableText } from '../table.ts';

/**
 * The state of a group and who keeps it.
 *
 * @throws KafkaRefusal
 */
export async function stateReport(client: KafkaClient, groupId: string, isJson: boolean): Promise<string> {
  const group = await describedGroup(client, groupId);
  if (group === undefined) throw noSuchGroup(groupId);
  const coordinator = await client.coordinatorOf(groupId);
  const { groupState, protocolData, protocolType, members } = group;
  if (isJson) {
    return jsonLine({
      group: groupId,
      coordinator: nameOf(coordinator),
      coordinatorId: coordinator.nodeId,
      assignmentStrategy: protocolData,
      protocolType,
      state: groupState,
      members: members.length,
    });
  }
  return tableText(
    [
      { title: 'GROUP' },
      { title: 'COORDINATOR (ID)', minWidth: 25 },
      { title: 'ASSIGNMENT-STRATEGY', minWidth: 20 },
      { title: 'STATE' },
      { title: '#MEMBERS' },
    ],
    [
      [
        groupId,
        `${nameOf(coordinator)} (${coordinator.nodeId})`,
        protocolData || undefined,
        groupState,
        members.length,
      ],
    ],
  );
}
