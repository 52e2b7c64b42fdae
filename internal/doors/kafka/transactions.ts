import { KafkaErrorCode } from '../../protocol/kafka/error-codes.ts';
import { type KafkaError, kafkaError } from './errors.ts';

/**
 * The answer to every request for a transaction. There are none, and of all errors this is the one that every client
 * takes as final: Java, librdkafka, franz-go, sarama, kafkajs and the Python clients give up at once and say so.
 * UNSUPPORTED_VERSION, which would say it better, is retried by librdkafka for ever.
 */
export const NO_TRANSACTIONS: KafkaError = kafkaError(
  KafkaErrorCode.transactionalIdAuthorizationFailed,
  'Transactions are not served by this broker.',
);
