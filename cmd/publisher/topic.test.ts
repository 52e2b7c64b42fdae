import { expect, it } from 'vitest';
import { UsageError } from '../cli/options/program.ts';
import { topicOf } from './topic.ts';

it('a topic to publish to is given, well formed, without wildcards and not the broker’s', () => {
  expect(topicOf('sensors/temp')).toBe('sensors/temp');
  expect(() => topicOf(undefined)).toThrow(new UsageError('-topic is missing: where to publish'));
  expect(() => topicOf('')).toThrow('-topic: a topic has at least one byte');
  expect(() => topicOf('sensors/#')).toThrow('-topic: + and # belong in filters');
  expect(() => topicOf('$SYS/a')).toThrow('-topic: $SYS and what is below it belong to the broker');
  expect(topicOf('$aws/things/pump')).toBe('$aws/things/pump');
});
