import type { GroupDescription } from '../../../log/groups/group-types.ts';
import { describeGroups } from '../../../protocol/kafka/apis/15-describe-groups.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import { defineHandler } from '../handler.ts';

/** A group that is asked for again and again is told once: its members may take megabytes. */
export const describeGroupsHandler = defineHandler(describeGroups, (request, { version, parts }) => ({
  groups: Array.from(new Set(request.groups), (groupId) => {
    const group = parts.groups.describe(groupId) ?? DEAD;
    if (group === DEAD && version >= FIRST_VERSION_WITH_NOT_FOUND) return notFound(groupId);
    return {
      errorCode: KafkaErrorCode.none,
      groupId,
      groupState: group.state,
      protocolType: group.protocolType,
      protocolData: group.protocolName,
      members: group.members.map(({ metadata, assignment, clientHost, ...member }) => ({
        ...member,
        clientHost: `/${clientHost}`,
        memberMetadata: metadata,
        memberAssignment: assignment,
      })),
      authorizedOperations: request.includeAuthorizedOperations ? ALL_GROUP_OPERATIONS : NOT_ASKED,
    };
  }),
}));

/** Read, delete, describe, describe configs and alter configs, as bits by Kafka's numbers of operations. */
const ALL_GROUP_OPERATIONS = (1 << 3) | (1 << 6) | (1 << 8) | (1 << 10) | (1 << 11);
const NOT_ASKED = -0x8000_0000;

const FIRST_VERSION_WITH_NOT_FOUND = 6;

/** What a group that is not there looked like before. */
const DEAD: GroupDescription = { state: 'Dead', protocolType: '', protocolName: '', members: [] };

function notFound(groupId: string) {
  return {
    errorCode: KafkaErrorCode.groupIdNotFound,
    errorMessage: `Group ${groupId} not found.`,
    groupId,
    groupState: 'Dead',
    protocolType: '',
    protocolData: '',
    members: [],
  };
}
