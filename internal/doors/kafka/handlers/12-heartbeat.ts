import { heartbeat } from '../../../protocol/kafka/apis/12-heartbeat.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import { defineHandler } from '../handler.ts';

/** Keeps a member in its group and tells it when it has to join again. */
export const heartbeatHandler = defineHandler(
  heartbeat,
  (request, { client, parts }) => ({ errorCode: KafkaErrorCode[parts.groups.heartbeat(request, client)] }),
  {
    first: {
      need: 'read group',
      nameOf: ({ groupId }) => groupId,
      refused: ({ errorCode }) => ({ errorCode }),
    },
  },
);
