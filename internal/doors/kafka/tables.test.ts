import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ALL_APIS } from '../../protocol/kafka/apis/all.ts';
import { ALL_HANDLERS } from './handlers/all.ts';
import { withKafkaTables } from './tables.ts';

describe('the registry of handlers', () => {
  it('answers every API that has a schema, in the order of the keys', () => {
    expect(ALL_HANDLERS.map(({ api }) => api)).toEqual(ALL_APIS);
    const keys = ALL_HANDLERS.map(({ api }) => api.key);
    expect(keys).toEqual([...keys].sort((a, b) => a - b));
  });
});

describe('docs/kafka.md', () => {
  const page = readFileSync(new URL('../../../docs/kafka.md', import.meta.url), 'utf8');

  it('has the tables that the code has (npx vitest -u writes them anew)', async () => {
    await expect(withKafkaTables(page)).toMatchFileSnapshot('../../../docs/kafka.md');
  });

  it('has a place for each table, and no other', () => {
    expect(() => withKafkaTables('')).toThrow('the page lacks <!-- table:apis -->');
    expect(() => withKafkaTables('<!-- table:x --><!-- /table -->')).toThrow('table:x --> names no table');
  });
});
