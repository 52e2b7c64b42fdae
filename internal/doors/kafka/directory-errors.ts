import { AccessError } from '../../access/access-error.ts';
import type { AccessDirectory } from '../../access/directory.ts';
import { KafkaErrorCode } from '../../protocol/kafka/error-codes.ts';
import { changeError, type KafkaError, kafkaError } from './errors.ts';

/**
 * The directory for clients that look after users, rules and limits. The first user closes a broker to everybody else, so
 * that one is for its owner: where there is none, clients hear what Kafka says without an authorizer.
 */
export function directoryForClients(directory: AccessDirectory | undefined): AccessDirectory | KafkaError {
  if (directory === undefined) return NO_DIRECTORY;
  return directory.current.isProtected ? directory : NO_USERS;
}

/** What they hear where there is no directory. */
export const NO_DIRECTORY: KafkaError = kafkaError(
  KafkaErrorCode.securityDisabled,
  'The program around this broker decides who may do what.',
);
const NO_USERS: KafkaError = kafkaError(
  KafkaErrorCode.securityDisabled,
  'This broker has no users, and everybody may do everything. Its owner makes the first one: tinymq users add NAME.',
);

/**
 * Why the directory of users, rules and limits was not changed.
 *
 * @param invalid the code for what cannot be.
 * @throws the error itself where it is a bug.
 */
export function directoryError(error: unknown, invalid: KafkaErrorCode): KafkaError {
  if (!(error instanceof AccessError)) return changeError(error);
  const codes = {
    invalid,
    exists: KafkaErrorCode.duplicateResource,
    'not-found': KafkaErrorCode.resourceNotFound,
    declared: KafkaErrorCode.policyViolation,
  };
  return kafkaError(codes[error.code], error.message);
}
