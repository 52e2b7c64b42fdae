import { describe, expect, it } from 'vitest';
import { text } from './option.ts';
import { InformationRequested, NoSuchCommand, type Program, UsageError } from './program.ts';
import { chooseCommand, commandsTable, type Suite, withCommandsTable } from './suite.ts';

const options = { to: text({ group: 'Test', help: 'where to' }) };

function named(name: string, usage?: string): { program: Program<typeof options> } {
  const operands = usage === undefined ? undefined : { usage, help: 'what', min: 1, max: 1 };
  return { program: { name, summary: `Does ${name}.`, options, examples: [`${name} -to x`], operands } };
}

const suite: Suite<{ program: Program<typeof options> }> = {
  name: 'kitchen',
  summary: 'Cooks.',
  groups: [
    { title: 'Pots', commands: [named('kitchen pots list'), named('kitchen pots fill', 'POT')] },
    { title: 'Food', commands: [named('kitchen eat', 'DISH')] },
  ],
};

/** A suite with a group within a group. */
const nested: typeof suite = {
  ...suite,
  groups: [
    {
      title: 'Oven',
      commands: ['door open', 'door close', 'heat'].map((name) => named(`kitchen oven ${name}`)),
    },
  ],
};

function choose(...argv: string[]) {
  const { command, argv: rest } = chooseCommand(suite, argv, '1.2.3');
  return [command.program.name, ...rest];
}

function information(...argv: string[]): string {
  try {
    choose(...argv);
  } catch (error) {
    expect(error).toBeInstanceOf(InformationRequested);
    return (error as Error).message;
  }
  throw new Error('nothing was thrown');
}

describe('a command', () => {
  it('is named by the first words; the rest is its own', () => {
    expect(choose('pots', 'fill', 'big', '-to', 'brim')).toEqual(['kitchen pots fill', 'big', '-to', 'brim']);
    expect(choose('eat')).toEqual(['kitchen eat']);
    expect(choose('-to', 'brim', 'pots', 'fill', 'big')).toEqual(['kitchen pots fill', '-to', 'brim', 'big']);
    expect(choose('--to=brim', 'eat')).toEqual(['kitchen eat', '--to=brim']);
    expect(choose('eat', '-help')).toEqual(['kitchen eat', '-help']);
  });

  it.each([['help'], ['-help'], ['--help'], ['-h']])('is explained by %s before it', (help) => {
    expect(choose(help, 'pots', 'fill')).toEqual(['kitchen pots fill', '-help']);
  });

  it.each<[string[], string]>([
    [['post'], "unknown command 'post'; did you mean pots?"],
    [['fill'], "unknown command 'fill'; did you mean pots fill?"],
    [['pots', 'lsit'], "unknown command 'pots lsit'; did you mean pots list?"],
    [['pots', 'wash'], "unknown command 'pots wash'; the commands are pots list, fill"],
    [['-for', 'x', 'eat'], "unknown flag '-for' before the command; flags of a command follow it"],
  ])('that is not there is refused in one line: %j', (argv, message) => {
    expect(() => choose(...argv)).toThrow(new UsageError(message));
  });

  it.each<[string[], string]>([
    [[], 'a command is missing'],
    [['drink'], "unknown command 'drink'"],
    [['constructor'], "unknown command 'constructor'"],
    [['\u001b[2J'], "unknown command '\\x1b[2J'"],
    [['help', 'drink'], "unknown command 'drink'"],
  ])('that is like none is refused with the names of all: %j', (argv, message) => {
    expect(() => choose(...argv)).toThrow(new NoSuchCommand(message, '  Pots: pots\n  Food: eat\n'));
  });

  it('of a group within a group is looked for there', () => {
    const chosen = (...argv: string[]) => chooseCommand(nested, argv, '1.2.3').command.program.name;
    expect(chosen('oven', 'door', 'open')).toBe('kitchen oven door open');
    expect(() => chosen('oven', 'door')).toThrow(InformationRequested);
    expect(() => chosen('oven', 'door')).toThrow(
      /^Usage: kitchen oven door COMMAND .*kitchen oven door close/s,
    );
    expect(() => chosen('oven', 'door', 'slam')).toThrow(
      "unknown command 'oven door slam'; the commands are oven door open, close",
    );
    expect(() => chosen('oven', 'cool')).toThrow(
      "unknown command 'oven cool'; the commands are oven door, heat",
    );
  });
});

describe('the list of commands', () => {
  it.each([[['-help']], [['help']], [['--help']], [['-h']]])('is shown for %j', (argv) => {
    expect(information(...argv)).toBe(`Usage: kitchen COMMAND [flags]

Cooks.

Pots:
  kitchen pots list      Does kitchen pots list.
  kitchen pots fill POT  Does kitchen pots fill.

Food:
  kitchen eat DISH       Does kitchen eat.

kitchen COMMAND -help shows the flags of a command, with examples.
`);
  });

  it.each([[['pots']], [['pots', '-help']], [['help', 'pots']]])('is that of one word for %j', (argv) => {
    const shown = information(...argv);
    expect(shown).toContain('Usage: kitchen pots COMMAND [flags]');
    expect(shown).toContain('kitchen pots fill POT');
    expect(shown).not.toContain('kitchen eat');
  });

  it('stands at its place in a page', () => {
    const page = 'a\n<!-- commands:kitchen -->\nold\n<!-- /commands -->\nb\n';
    const written = withCommandsTable(page, suite);
    expect(written).toBe(`a\n<!-- commands:kitchen -->\n${commandsTable(suite)}\n<!-- /commands -->\nb\n`);
    expect(withCommandsTable(written, suite)).toBe(written);
    expect(() => withCommandsTable('nothing', suite)).toThrow('lacks <!-- commands:kitchen -->');
  });

  it('is a table for the README', () => {
    expect(commandsTable(suite)).toBe(`| command | |
|---|---|
| \`kitchen pots list\` | Does kitchen pots list. |
| \`kitchen pots fill POT\` | Does kitchen pots fill. |
| \`kitchen eat DISH\` | Does kitchen eat. |`);
  });
});

it('has a version', () => {
  expect(information('-version')).toBe('kitchen 1.2.3\n');
  expect(information('--version')).toBe('kitchen 1.2.3\n');
});
