import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { topicTableBytes, topicTableEntries } from '../../limits/broker.ts';
import { TopicEntry, TopicTable } from './topic-table.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

describe('TopicTable', () => {
  it('finds the entry of exactly these bytes, wherever in a chunk they lie', () => {
    // Few letters and many lengths: names that share their beginning, their end, or all but one byte.
    const anyName = fc.array(fc.constantFrom(0x61, 0x62, 0x2f), { minLength: 1, maxLength: 13 });
    const property = fc.property(fc.array(fc.tuple(anyName, fc.nat(9)), { maxLength: 200 }), (lookups) => {
      const table = newTable();
      const seen = new Map<string, TopicEntry>();
      for (const [name, offset] of lookups) {
        const text = Buffer.from(name).toString();
        const entry = find(table, text, offset);
        expect(entry.topic).toBe(text);
        expect(Buffer.from(entry.bytes).toString()).toBe(text);
        expect(entry).toBe(seen.get(text) ?? entry);
        seen.set(text, entry);
      }
      expect(table.size).toBe(seen.size);
    });
    fc.assert(property);
  });

  it('keeps no reference to the chunk in which it saw a topic first', () => {
    const table = newTable();
    const chunk = Buffer.from('xsensors/tempx');
    const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.length);
    const entry = table.find(view, 1, 13);
    chunk.fill(0);
    expect(Buffer.from(entry.bytes).toString()).toBe('sensors/temp');
    expect(find(table, 'sensors/temp')).toBe(entry);
  });

  it('remembers nearly every topic while it grows', () => {
    const table = newTable();
    const entries = Array.from({ length: 20_000 }, (_, index) => find(table, `topic/${index}`));
    // Where sixteen neighbours are taken, one is pushed out: a few in ten thousand.
    expect(table.size).toBeGreaterThan(19_900);
    const kept = entries.filter((entry) => find(table, entry.topic) === entry);
    expect(kept.length).toBeGreaterThan(19_900);
  });

  it('stays right when it begins anew, by the number of topics', () => {
    const table = newTable();
    for (let index = 0; index < topicTableEntries + 1000; index++) {
      expect(find(table, `t/${index}`).topic).toBe(`t/${index}`);
      expect(table.size).toBeLessThanOrEqual(topicTableEntries);
    }
    expect(table.size).toBeLessThan(topicTableEntries);
  });

  it('stays right when it begins anew, by the bytes of their names', () => {
    const table = newTable();
    const long = 'x'.repeat(65_000);
    const count = Math.ceil(topicTableBytes / long.length) + 5;
    for (let index = 0; index < count; index++) expect(find(table, long + index).topic).toBe(long + index);
    expect(table.size).toBeLessThan(count);
  });

  it('stays right, and bounded, where all topics collide', () => {
    vi.spyOn(Math, 'imul').mockReturnValue(1);
    const table = newTable();
    for (let round = 0; round < 3; round++) {
      // The longer ones first: those that come later are their beginnings.
      for (let index = 99; index >= 0; index--) expect(find(table, `t/${index}`).topic).toBe(`t/${index}`);
    }
    expect(table.size).toBe(16);
  });

  it('takes a name of any length', () => {
    const table = newTable();
    for (const length of [1, 2, 3, 4, 5, 7, 8, 9, 65_535]) {
      const name = 'n'.repeat(length);
      const entry = find(table, name);
      expect(entry.topic).toBe(name);
      expect(find(table, name, 3)).toBe(entry);
    }
  });

  it('throws what the maker of names throws, and remembers nothing of that', () => {
    const table = new TopicTable(() => {
      throw new Error('no such topic');
    });
    expect(() => find(table, 'bad')).toThrow('no such topic');
    expect(() => find(table, 'bad')).toThrow('no such topic');
    expect(table.size).toBe(0);
  });
});

describe('the messages of a topic', () => {
  const entryAt = (nowS: number) => new TopicEntry('t', Buffer.from('t'), nowS);

  it('are counted, with the second of the last one', () => {
    const entry = entryAt(3);
    entry.count(2, 3);
    entry.count(5, 70);
    expect([entry.published, entry.publishedAtS]).toEqual([7, 70]);
  });

  it('have the rate at which they came of late, from the first second on', () => {
    const entry = entryAt(100);
    for (let nowS = 100; nowS < 140; nowS++) {
      for (let n = 0; n < 10; n++) entry.count(1, nowS);
      // What comes in the second in hand is not all there.
      if (nowS > 100) expect(entry.perSecond(nowS + 1)).toBeCloseTo(10, 5);
    }
    expect(entry.perSecond(142)).toBeGreaterThan(5);
    expect(entry.perSecond(150)).toBe(0);
    entry.count(1, 1_000);
    expect(entry.perSecond(1_001)).toBeLessThan(1);
  });
});

function newTable(): TopicTable {
  return new TopicTable((bytes) => Buffer.from(bytes).toString());
}

/** Looks a topic up that lies `offset` bytes behind the beginning of a chunk. */
function find(table: TopicTable, topic: string, offset = 0): TopicEntry {
  const chunk = Buffer.from(`${'?'.repeat(offset)}${topic}?`);
  const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.length);
  return table.find(view, offset, chunk.length - 1);
}
