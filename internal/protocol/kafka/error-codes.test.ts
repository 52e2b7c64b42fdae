import { expect, it } from 'vitest';
import { isRetriable, KafkaErrorCode, kafkaErrorLabel, kafkaErrorName } from './error-codes.ts';

it('error codes are numbered without a gap, each once', () => {
  const codes = Object.values(KafkaErrorCode).sort((one, other) => one - other);
  expect(codes).toEqual(Array.from({ length: codes.length }, (_, index) => index - 1));
});

it.each([
  [0, 'none', 'NONE', false],
  [3, 'unknownTopicOrPartition', 'UNKNOWN_TOPIC_OR_PARTITION', true],
  [27, 'rebalanceInProgress', 'REBALANCE_IN_PROGRESS', false],
  [35, 'unsupportedVersion', 'UNSUPPORTED_VERSION', false],
  [100, 'unknownTopicId', 'UNKNOWN_TOPIC_ID', true],
])('%i is %s', (code, name, label, retriable) => {
  expect(kafkaErrorName(code)).toBe(name);
  expect(kafkaErrorLabel(code)).toBe(label);
  expect(isRetriable(code)).toBe(retriable);
});

it('a code that Kafka does not have has no name', () => {
  expect(kafkaErrorName(9999)).toBeUndefined();
  expect(kafkaErrorLabel(9999)).toBe('error 9999');
  expect(isRetriable(9999)).toBe(false);
});
