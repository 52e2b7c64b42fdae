import { initProducerId } from '../../../protocol/kafka/apis/22-init-producer-id.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import { storeError } from '../errors.ts';
import { defineHandler } from '../handler.ts';
import { NO_TRANSACTIONS } from '../transactions.ts';

/** A producer that is not transactional always gets a new id (KIP-360), whichever id and epoch it names. */
export const initProducerIdHandler = defineHandler(
  initProducerId,
  async (request, { parts, access }) => {
    if (request.transactionalId !== null) {
      const isEmpty = request.transactionalId === '';
      return refused(isEmpty ? KafkaErrorCode.invalidRequest : NO_TRANSACTIONS.errorCode);
    }
    // As in Kafka: the right is one on the cluster, or to write to any topic.
    const denial = access.mayAnyTopic('write') ? undefined : access.brokerRefusal('write');
    if (denial !== undefined) return refused(denial.errorCode);
    if (request.producerId < 0 !== request.producerEpoch < 0) return refused(KafkaErrorCode.invalidRequest);
    try {
      return { errorCode: KafkaErrorCode.none, producerId: await parts.producerIds.next(), producerEpoch: 0 };
    } catch (error) {
      return refused(storeError(error, KafkaErrorCode.coordinatorLoadInProgress).errorCode);
    }
  },
  { needs: ['write topic', 'write broker'] },
);

function refused(errorCode: KafkaErrorCode) {
  return { errorCode, producerId: -1, producerEpoch: -1 };
}
