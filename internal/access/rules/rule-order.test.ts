import { expect, it } from 'vitest';
import { parseRules } from './parse-rules.ts';
import { rulesInOrder } from './rule-order.ts';

it('rules are asked in the order of file, tools, Kafka, and of the last those that deny first', () => {
  const own = { users: ['a'], topics: ['a'] };
  const kafka = { users: ['a'], kafka: { resource: 'topic', name: 'a' } };
  const declared = parseRules([{ id: 'f1', allow: ['publish'], ...own }], 'file');
  const stored = parseRules(
    [
      { id: 'k1', allow: ['Read'], ...kafka },
      { id: 's1', allow: ['publish'], ...own },
      { id: 'k2', deny: ['Read'], ...kafka },
      { id: 's2', deny: ['publish'], ...own },
    ],
    'store',
  );
  expect(rulesInOrder(declared, stored).map(({ id }) => id)).toEqual(['f1', 's1', 's2', 'k2', 'k1']);
});
