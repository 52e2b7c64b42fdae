import { StoreError, StoreUnavailableError } from '../../log/logs.ts';
import { KafkaErrorCode } from '../../protocol/kafka/error-codes.ts';

/** The answer for an error: Kafka's code, and a text for people. */
export interface KafkaError {
  readonly errorCode: KafkaErrorCode;
  readonly errorMessage: string | null;
}

export const NO_ERROR: KafkaError = { errorCode: KafkaErrorCode.none, errorMessage: null };

export function kafkaError(errorCode: KafkaErrorCode, errorMessage: string | null = null): KafkaError {
  return { errorCode, errorMessage };
}

/**
 * Kafka's error for an error of a store.
 *
 * @param undecided the code where too few servers answered, and what was asked for may be done all the same. Each request has its
 * own: clients take one that they do not expect there for the end.
 * @throws the error itself where it is none of a store: a bug.
 */
export function storeError(error: unknown, undecided: KafkaErrorCode = CODES.unavailable): KafkaError {
  if (!(error instanceof StoreError)) throw error;
  const isUndecided = error instanceof StoreUnavailableError && error.reason === 'no-majority';
  return { errorCode: isUndecided ? undecided : CODES[error.code], errorMessage: error.message };
}

/** The same for what administrators ask for. */
export function changeError(error: unknown): KafkaError {
  return storeError(error, KafkaErrorCode.requestTimedOut);
}

const CODES = {
  invalid: KafkaErrorCode.invalidRequest,
  exists: KafkaErrorCode.topicAlreadyExists,
  'not-found': KafkaErrorCode.unknownTopicOrPartition,
  conflict: KafkaErrorCode.kafkaStorageError,
  // Clients try again after this one, by themselves.
  unavailable: KafkaErrorCode.kafkaStorageError,
  corrupt: KafkaErrorCode.corruptMessage,
  locked: KafkaErrorCode.kafkaStorageError,
  unsupported: KafkaErrorCode.policyViolation,
  'not-leader': KafkaErrorCode.notLeaderOrFollower,
  'batch-too-large': KafkaErrorCode.messageTooLarge,
} as const;
