import { KafkaErrorCode } from '../../protocol/kafka/error-codes.ts';
import { type KafkaError, kafkaError } from './errors.ts';

/** What Kafka says where no authorizer is configured, and what its clients know as "there are no ACLs". */
export const NO_ACLS: KafkaError = kafkaError(
  KafkaErrorCode.securityDisabled,
  'This broker has no ACLs: no authorizer is configured.',
);
