import { joinGroup } from '../../../protocol/kafka/apis/11-join-group.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import { defineHandler } from '../handler.ts';

/** Lets a member into a group. The answer waits until the group has settled who is in it. */
export const joinGroupHandler = defineHandler(
  joinGroup,
  async (request, context) => {
    const { version, clientId, client, parts } = context;
    const { error, protocolName, ...joined } = await parts.groups.join(
      {
        ...request,
        clientId,
        // The first version has only one timeout.
        rebalanceTimeoutMs: version === 0 ? request.sessionTimeoutMs : request.rebalanceTimeoutMs,
        needsKnownMemberId: version >= 4,
        canSkipAssignment: version >= 9,
      },
      client,
    );
    return {
      ...joined,
      errorCode: KafkaErrorCode[error],
      protocolName: protocolName ?? noProtocol(version),
    };
  },
  {
    first: {
      need: 'read group',
      nameOf: ({ groupId }) => groupId,
      refused: ({ errorCode }, { memberId }, version) => ({
        errorCode,
        generationId: -1,
        protocolName: noProtocol(version),
        leader: '',
        memberId,
        members: [],
      }),
    },
  },
);

function noProtocol(version: number): string | null {
  return version < FIRST_VERSION_WITHOUT_PROTOCOL ? '' : null;
}

/** From here on no protocol is null, before it is an empty name. */
const FIRST_VERSION_WITHOUT_PROTOCOL = 7;
