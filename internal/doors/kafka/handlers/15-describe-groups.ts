import type { GroupDescription } from '../../../groups/group-types.ts';
import { describeGroups } from '../../../protocol/kafka/apis/15-describe-groups.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import { type KafkaError, kafkaError } from '../errors.ts';
import { defineHandler } from '../handler.ts';

/** A group that is asked for again and again is told once: its members may take megabytes. */
export const describeGroupsHandler = defineHandler(
  describeGroups,
  (request, { version, parts, access }) => ({
    groups: Array.from(new Set(request.groups), (groupId) => {
      const denial = access.groupRefusal('describe', groupId);
      if (denial !== undefined) return refused(groupId, denial);
      const { absence } = parts.groups;
      if (absence !== undefined) return refused(groupId, kafkaError(KafkaErrorCode[absence]));
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
        authorizedOperations: request.includeAuthorizedOperations
          ? access.groupOperations(groupId)
          : NOT_ASKED,
      };
    }),
  }),
  { needs: ['describe group'] },
);

const NOT_ASKED = -0x8000_0000;

const FIRST_VERSION_WITH_NOT_FOUND = 6;

/** The description of a group that is not there, in older versions. */
const DEAD: GroupDescription = { state: 'Dead', protocolType: '', protocolName: '', members: [] };

function notFound(groupId: string) {
  return refused(groupId, kafkaError(KafkaErrorCode.groupIdNotFound, `Group ${groupId} not found.`));
}

function refused(groupId: string, error: KafkaError) {
  return {
    ...error,
    groupId,
    groupState: 'Dead',
    protocolType: '',
    protocolData: '',
    members: [],
  };
}
