import { leaveGroup } from '../../../protocol/kafka/apis/13-leave-group.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import { defineHandler } from '../handler.ts';

/** Takes members out of a group: one up to version 2, several from 3 on. */
export const leaveGroupHandler = defineHandler(
  leaveGroup,
  async (request, { version, parts }) => {
    const isSingle = version < FIRST_VERSION_WITH_SEVERAL;
    const leaving = isSingle ? [{ memberId: request.memberId, groupInstanceId: null }] : request.members;
    const outcomes = await parts.groups.leave(request.groupId, leaving);
    if (typeof outcomes === 'string') return { errorCode: KafkaErrorCode[outcomes] };
    if (isSingle) return { errorCode: KafkaErrorCode[outcomes[0]!] };
    return {
      errorCode: KafkaErrorCode.none,
      members: leaving.map(({ memberId, groupInstanceId }, index) => ({
        memberId,
        groupInstanceId,
        errorCode: KafkaErrorCode[outcomes[index]!],
      })),
    };
  },
  {
    first: {
      need: 'read group',
      nameOf: ({ groupId }) => groupId,
      refused: ({ errorCode }) => ({ errorCode }),
    },
  },
);

const FIRST_VERSION_WITH_SEVERAL = 3;
