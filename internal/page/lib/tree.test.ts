import { describe, expect, it } from 'vitest';
import type { TopicFacts } from '../api/types.ts';
import { type Level, rowsOf, withNewer } from './tree.ts';

const topic = (name: string, hasChildren = false): TopicFacts => ({
  name: name.split('/').at(-1)!,
  topic: name,
  hasChildren,
  retained: false,
});
const levels = (entries: Record<string, Level>) => new Map(Object.entries(entries));

describe('the rows of a tree', () => {
  it('are those of the levels that are open', () => {
    const tree = levels({
      '': { children: [topic('a', true), topic('b', true)] },
      'a/': { children: [topic('a/x')], next: 'x' },
    });
    const rows = rowsOf(tree, new Set(['a/', 'b/']));
    expect(rows.map(({ kind, depth }) => `${kind} ${depth}`)).toEqual([
      'topic 1',
      'topic 2',
      'more 2',
      'topic 1',
      'loading 2',
    ]);
    expect(new Set(rows.map(({ key }) => key)).size).toBe(rows.length);
  });

  it('say their place only where their level is whole', () => {
    const whole = rowsOf(levels({ '': { children: [topic('a'), topic('b')] } }), new Set());
    expect(whole.map((row) => row.kind === 'topic' && [row.position, row.size])).toEqual([
      [1, 2],
      [2, 2],
    ]);
    const part = rowsOf(levels({ '': { children: [topic('a')], next: 'a' } }), new Set());
    expect(part[0]).toMatchObject({ position: 1, size: -1 });
  });

  it('keep the empty levels of topics apart', () => {
    const tree = levels({ '': { children: [topic('', true)] }, '/': { children: [topic('/', true)] } });
    expect(rowsOf(tree, new Set(['/', '//'])).map(({ kind }) => kind)).toEqual(['topic', 'topic', 'loading']);
  });
});

it('what the broker publishes itself is the last', () => {
  const rows = rowsOf(levels({ '': { children: [topic('$SYS', true), topic('a')] } }), new Set());
  expect(rows.map((row) => row.kind === 'topic' && row.topic.name)).toEqual(['a', '$SYS']);
});

it('newer facts of a level are put in their places', () => {
  const level = { children: [topic('a'), topic('c')] };
  const newer = withNewer(level, [{ ...topic('a'), retained: true }, topic('b')]);
  expect(newer.children.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
  expect(newer.children[0]?.retained).toBe(true);
});
