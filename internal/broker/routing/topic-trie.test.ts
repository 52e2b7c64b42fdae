import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyFilter, anyTopic } from '../../../test/support/arbitraries.ts';
import { matchesFilter } from '../../topic.ts';
import { TopicTrie } from './topic-trie.ts';

describe('TopicTrie', () => {
  it('finds what the rules of matching say, whatever was inserted and removed', () => {
    const steps = fc.array(fc.record({ filter: anyFilter, value: fc.nat(5), isInsert: fc.boolean() }), {
      maxLength: 60,
    });
    const property = fc.property(steps, fc.array(anyTopic, { maxLength: 20 }), (all, topics) => {
      const trie = new TopicTrie<number>();
      const registered = new Set<string>();
      for (const { filter, value, isInsert } of all) {
        const key = `${value} ${filter}`;
        if (isInsert) {
          expect(trie.insert(filter, value)).toBe(!registered.has(key));
          registered.add(key);
        } else {
          expect(trie.remove(filter, value)).toBe(registered.delete(key));
        }
      }
      for (const topic of topics) {
        const expected = [...registered]
          .filter((key) => matchesFilter(key.slice(2), topic))
          .map((key) => +key[0]);
        expect([...trie.match(topic)].sort()).toEqual([...new Set(expected)].sort());
      }
    });
    fc.assert(property, { numRuns: 500 });
  });

  it('is empty again after everything was removed, in any order', () => {
    const anyEntries = fc.array(fc.tuple(anyFilter, fc.nat(3)), { maxLength: 40 });
    const property = fc.property(anyEntries, fc.infiniteStream(fc.nat()), (entries, order) => {
      const trie = new TopicTrie<number>();
      for (const [filter, value] of entries) trie.insert(filter, value);
      expect(trie.isEmpty).toBe(entries.length === 0);
      const left = [...entries];
      while (left.length > 0) {
        const [[filter, value]] = left.splice(order.next().value % left.length, 1) as [[string, number]];
        trie.remove(filter, value);
      }
      expect(trie.isEmpty).toBe(true);
    });
    fc.assert(property, { numRuns: 500 });
  });

  it('survives topics and filters of 65,535 bytes with nothing but separators', () => {
    const trie = new TopicTrie<string>();
    const slashes = '/'.repeat(65_535);
    trie.insert(slashes, 'exact');
    trie.insert('#', 'all');
    trie.insert('/+/#', 'some');
    expect([...trie.match(slashes)].sort()).toEqual(['all', 'exact', 'some']);
    expect(trie.remove(slashes, 'exact')).toBe(true);
    expect([...trie.match(slashes)].sort()).toEqual(['all', 'some']);
  });
});
