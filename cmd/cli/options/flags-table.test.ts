import { describe, expect, it } from 'vitest';
import { flagsTable, withFlagsTables } from './flags-table.ts';
import { choice, toggle } from './option.ts';

const program = {
  name: 'kettle',
  summary: 'Boils water.',
  options: {
    network: choice(['tcp', 'unix'], { group: 'Test', help: 'tcp | unix', default: 'tcp' }),
    quiet: toggle({ group: 'Test', help: 'say nothing' }),
  },
  examples: [],
};

const table = `| flag | environment | default | |
|---|---|---|---|
| \`-network tcp\\|unix\` | \`TINYMQ_NETWORK\` | \`tcp\` | tcp \\| unix |
| \`-quiet\` | \`TINYMQ_QUIET\` |  | say nothing |`;

describe('the table of flags', () => {
  it('has a row for every option', () => {
    expect(flagsTable(program)).toBe(table);
  });

  it('replaces what stands at its place in a page, and nothing else', () => {
    const page = 'before\n<!-- flags:kettle -->\nold\n<!-- /flags -->\nafter\n';
    const written = withFlagsTables(page, [program]);
    expect(written).toBe(`before\n<!-- flags:kettle -->\n${table}\n<!-- /flags -->\nafter\n`);
    expect(withFlagsTables(written, [program])).toBe(written);
  });

  it('has only the flags that the place names, in their order', () => {
    const page = '<!-- flags:kettle (quiet) -->\n<!-- /flags -->\n';
    const written = withFlagsTables(page, [program]);
    expect(written).toContain('`-quiet`');
    expect(written).not.toContain('`-network');
    expect(withFlagsTables(written, [program])).toBe(written);
    expect(() => withFlagsTables(page.replace('quiet', 'lid'), [program])).toThrow('kettle has no flag -lid');
  });

  it('is missed where a page has no place for it, or a place for a program that does not exist', () => {
    expect(() => withFlagsTables('nothing', [program])).toThrow('lacks <!-- flags:kettle -->');
    expect(() => withFlagsTables('<!-- flags:teapot --><!-- /flags -->', [program])).toThrow(
      'names no program',
    );
  });
});
