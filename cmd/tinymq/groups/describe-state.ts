import { jsonLine } from '../../shared/printable.ts';
import type { KafkaClient } from '../kafka-client/client.ts';
import { describedGroup, noSuchGroup } from '../kafka-client/groups.ts';
import { nameOf } from '../kafka-client/socket.ts';
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
