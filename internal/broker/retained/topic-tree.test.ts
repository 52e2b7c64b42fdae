import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyFilter, anyTopic } from '../../../test/support/arbitraries.ts';
import { matchesFilter } from '../../topic.ts';
import { TopicTree } from './topic-tree.ts';

describe('a tree of topics', () => {
  it('has for each topic what it was given last', () => {
    const change = fc.record({ topic: anyTopic, value: fc.option(fc.nat()) });
    fc.assert(
      fc.property(fc.array(change), fc.array(anyTopic), (changes, others) => {
        const tree = new TopicTree<number>();
        const expected = new Map<string, number>();
        for (const { topic, value } of changes) {
          const before = value === null ? tree.delete(topic) : tree.set(topic, value);
          expect(before).toBe(expected.get(topic));
          if (value === null) expected.delete(topic);
          else expected.set(topic, value);
        }
        expect(tree.size).toBe(expected.size);
        for (const topic of [...expected.keys(), ...others])
          expect(tree.get(topic)).toBe(expected.get(topic));
      }),
      { numRuns: 500 },
    );
  });

  it('finds all that was there from the beginning of a search to its end, whatever comes and goes meanwhile', () => {
    const change = fc.record({ topic: anyTopic, isGone: fc.boolean(), after: fc.nat(5) });
    fc.assert(
      fc.property(fc.array(anyTopic), fc.array(change), anyFilter, (topics, changes, filter) => {
        const tree = new TopicTree<string>();
        for (const topic of topics) tree.set(topic, topic);
        const untouched = topics.filter((topic) => !changes.some((change) => change.topic === topic));
        const found: string[] = [];
        for (const topic of tree.find(filter)) {
          found.push(topic);
          for (const { topic, isGone, after } of changes) {
            if (after !== found.length) continue;
            if (isGone) tree.delete(topic);
            else tree.set(topic, topic);
          }
        }
        const expected = untouched.filter((topic) => matchesFilter(filter, topic));
        expect(found).toEqual(expect.arrayContaining(expected));
        expect(found.every((topic) => matchesFilter(filter, topic))).toBe(true);
        // One that goes and comes again is another one.
        const once = found.filter(
          (topic) => !changes.some((change) => change.topic === topic && !change.isGone),
        );
        expect(new Set(once).size).toBe(once.length);
      }),
      {
        numRuns: 500,
        examples: [[['b'], [true, false].map((isGone) => ({ topic: 'b', isGone, after: 1 })), '#']],
      },
    );
  });

  it('has below some levels exactly the topics that begin with them', () => {
    fc.assert(
      fc.property(fc.array(anyTopic), anyTopic, fc.array(anyTopic), (topics, levels, gone) => {
        const tree = new TopicTree<string>();
        for (const topic of [...topics, ...gone]) tree.set(topic, topic);
        for (const topic of gone) tree.delete(topic);
        const left = new Set(topics.filter((topic) => !gone.includes(topic)));
        for (const under of ['', `${levels}/`, ...topics.map((topic) => `${topic.split('/', 1)[0]}/`)]) {
          const expected = [...left].filter((topic) => topic.startsWith(under)).sort();
          expect([...tree.below(under)].sort()).toEqual(expected);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('needs one place for a topic of very many levels', () => {
    const tree = new TopicTree<number>();
    const topics = Array.from({ length: 1_000 }, (_, index) => `${'a/'.repeat(30_000)}${index}`);
    const before = process.memoryUsage().heapUsed;
    for (const topic of topics) tree.set(`b/${topic}`, 1);
    // Their names are 60 MB; a place for each level would be gigabytes.
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(300_000_000);
    expect(tree.size).toBe(1_000);
  });
});
