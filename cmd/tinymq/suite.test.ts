import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { withFlagsTables } from '../cli/options/flags-table.ts';
import type { OptionTable } from '../cli/options/option.ts';
import type { Program } from '../cli/options/program.ts';
import { withCommandsTable } from '../cli/options/suite.ts';
import { kafkaOptions } from './kafka-flags.ts';
import { brokerOptions } from './reach/flags.ts';
import { smqOptions } from './smq/flags.ts';
import { tinymqSuite } from './suite.ts';

const programs = tinymqSuite.groups.flatMap(({ commands }) => commands.map(({ program }) => program));

describe('docs/tinymq.md', () => {
  it('has every command with its flags (npx vitest -u writes them anew)', async () => {
    const page = readFileSync(new URL('../../docs/tinymq.md', import.meta.url), 'utf8');
    const connection = { name: 'tinymq', summary: '', options: kafkaOptions, examples: [] };
    const smqConnection = { name: 'tinymq smq', summary: '', options: smqOptions, examples: [] };
    const broker = { name: 'tinymq broker', summary: '', options: brokerOptions, examples: [] };
    const written = withFlagsTables(withCommandsTable(page, tinymqSuite), [
      broker,
      connection,
      smqConnection,
      ...programs.map(withoutConnection),
    ]);
    await expect(written).toMatchFileSnapshot('../../docs/tinymq.md');
  });
});

it('has the code of each command beside its flags', async () => {
  for (const { program, load } of tinymqSuite.groups.flatMap(({ commands }) => commands)) {
    expect((await load()).program, program.name).toBe(program);
  }
});

it('has each command once, and no command that hides a longer one', () => {
  const names = programs.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) {
    expect(names.filter((other) => other.startsWith(`${name} `))).toEqual([]);
  }
});

/** A command with the flags that are its own. */
function withoutConnection(program: Program<OptionTable>): Program<OptionTable> {
  const connection = connectionOf(program);
  // Another flag may have the same name, as the password that `users add` gives.
  const own = Object.entries(program.options).filter(([name, option]) => connection[name] !== option);
  return { ...program, options: Object.fromEntries(own) };
}

function connectionOf({ name, options }: Program<OptionTable>): OptionTable {
  if (options.url === brokerOptions.url) return { ...brokerOptions, options: kafkaOptions.options };
  return name.startsWith('tinymq smq ') ? smqOptions : kafkaOptions;
}
