import { findCoordinator } from '../../../protocol/kafka/apis/10-find-coordinator.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import { type KafkaError, kafkaError } from '../errors.ts';
import { defineHandler, type RequestContext } from '../handler.ts';
import { endpoints, idOf } from '../nodes.ts';
import { NO_TRANSACTIONS } from '../transactions.ts';

/** One broker coordinates every group. A transaction has no coordinator, which its producers hear here first. */
export const findCoordinatorHandler = defineHandler(
  findCoordinator,
  (request, context) => {
    const keys = context.version < FIRST_VERSION_WITH_SEVERAL ? [request.key] : request.coordinatorKeys;
    const found = keys.map((key) => ({ key, ...coordinatorFor(key, request.keyType, context) }));
    return context.version < FIRST_VERSION_WITH_SEVERAL ? found[0] : { coordinators: found };
  },
  { needs: ['describe group'] },
);

const FIRST_VERSION_WITH_SEVERAL = 4;

/** Kafka's numbers for what is coordinated. */
const GROUP = 0;
const TRANSACTION = 1;

function coordinatorFor(key: string, keyType: number, context: RequestContext) {
  const { version, parts, access } = context;
  if (keyType === TRANSACTION) return nobody(NO_TRANSACTIONS);
  if (keyType !== GROUP) {
    const message = `There is no coordinator for keys of type ${keyType}.`;
    return nobody(kafkaError(KafkaErrorCode.invalidRequest, message));
  }
  const denial = access.groupRefusal('describe', key);
  if (denial !== undefined) return nobody(denial);
  const id = idOf(parts.nodes.coordinator, parts.nodes);
  const coordinator = endpoints(context).find(({ nodeId }) => nodeId === id);
  if (coordinator === undefined) return nobody(NOT_AVAILABLE);
  return {
    ...coordinator,
    errorCode: KafkaErrorCode.none,
    errorMessage: version < FIRST_VERSION_WITH_SEVERAL ? 'NONE' : '',
  };
}

const NOT_AVAILABLE = kafkaError(
  KafkaErrorCode.coordinatorNotAvailable,
  'No broker coordinates groups at the moment.',
);

function nobody(error: KafkaError) {
  return { nodeId: -1, host: '', port: -1, ...error };
}
