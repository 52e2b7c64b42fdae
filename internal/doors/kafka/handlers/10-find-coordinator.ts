import { findCoordinator } from '../../../protocol/kafka/apis/10-find-coordinator.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import { defineHandler, type RequestContext } from '../handler.ts';

/** This broker coordinates everything: groups, and transactions for clients that look for their coordinator. */
export const findCoordinatorHandler = defineHandler(findCoordinator, (request, context) => {
  const keys = context.version < FIRST_VERSION_WITH_SEVERAL ? [request.key] : request.coordinatorKeys;
  const found = keys.map((key) => ({ key, ...coordinatorFor(request.keyType, context) }));
  return context.version < FIRST_VERSION_WITH_SEVERAL ? found[0] : { coordinators: found };
});

const FIRST_VERSION_WITH_SEVERAL = 4;

/** Kafka's numbers for what is coordinated. */
const GROUP = 0;
const TRANSACTION = 1;

function coordinatorFor(keyType: number, { client, version, parts }: RequestContext) {
  if (keyType !== GROUP && keyType !== TRANSACTION) {
    return {
      nodeId: -1,
      host: '',
      port: -1,
      errorCode: KafkaErrorCode.invalidRequest,
      errorMessage: `There is no coordinator for keys of type ${keyType}.`,
    };
  }
  return {
    nodeId: parts.nodeId,
    ...client.advertised,
    errorCode: KafkaErrorCode.none,
    errorMessage: version < FIRST_VERSION_WITH_SEVERAL ? 'NONE' : '',
  };
}
