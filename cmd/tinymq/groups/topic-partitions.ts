import { quoted } from '../../../internal/errors.ts';
import { UsageError } from '../../cli/options/program.ts';

/** A topic, and which of its partitions; undefined for all. */
export interface TopicPartitions {
  topic: string;
  partitions: number[] | undefined;
}

/**
 * Reads `orders` or `orders:0,2`.
 *
 * @throws UsageError
 */
export function parseTopicPartitions(text: string): TopicPartitions {
  const parts = /^([^:]+)(?::(\d{1,9}(?:,\d{1,9})*))?$/.exec(text);
  if (parts === null) throw new UsageError(`-topic ${quoted(text)} is not TOPIC or TOPIC:0,1`);
  const partitions = parts[2] === undefined ? undefined : [...new Set(parts[2].split(',').map(Number))];
  return { topic: parts[1], partitions };
}
