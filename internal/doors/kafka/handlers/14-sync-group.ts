import { NO_BYTES } from '../../../groups/group-types.ts';
import { syncGroup } from '../../../protocol/kafka/apis/14-sync-group.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import { defineHandler } from '../handler.ts';

/** Gives a member its assignment. The answer waits until the leader has brought it. */
export const syncGroupHandler = defineHandler(
  syncGroup,
  async (request, { version, client, parts }) => {
    const { protocolType, protocolName } = request;
    if (version >= FIRST_VERSION_WITH_PROTOCOL && (protocolType === null || protocolName === null)) {
      return { errorCode: KafkaErrorCode.inconsistentGroupProtocol, assignment: NO_BYTES };
    }
    const { error, ...synced } = await parts.groups.sync(request, client);
    return { ...synced, errorCode: KafkaErrorCode[error] };
  },
  {
    first: {
      need: 'read group',
      nameOf: ({ groupId }) => groupId,
      refused: ({ errorCode }) => ({ errorCode, assignment: NO_BYTES }),
    },
  },
);

/** From here on a member has to say which protocol it knows to be chosen. */
const FIRST_VERSION_WITH_PROTOCOL = 5;
