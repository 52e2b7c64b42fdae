import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { brokerProgram } from '../../broker/flags.ts';
import { publisherProgram } from '../../publisher/flags.ts';
import { subscriberProgram } from '../../subscriber/flags.ts';
import * as tinymqGroups from '../../tinymq/groups/flags.ts';
import * as tinymqImport from '../../tinymq/import/flags.ts';
import * as tinymqRecords from '../../tinymq/records/flags.ts';
import * as tinymqTopics from '../../tinymq/topics/flags.ts';
import { placesOf } from './file/keys.ts';
import { choice, duration, integer, list, type Option, type OptionTable, text, toggle } from './option.ts';
import { parseProgram } from './parse-program.ts';
import { InformationRequested, type Program, UsageError, variableOf } from './program.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

const group = 'Test';
const program = {
  name: 'kettle',
  summary: 'Boils water.',
  options: {
    topic: list({ group, help: 'what about' }),
    message: text({ group, help: 'what to say' }),
    network: choice(['tcp', 'unix'], { group, help: 'how', default: 'tcp' }),
    count: integer({ min: 1, max: 10 }, { group, help: 'how often' }),
    'connect-timeout': duration({ min: 1, max: 60_000 }, { group, help: 'how long', default: '10' }),
    quiet: toggle({ group, help: 'say nothing' }),
    config: text({ group, help: 'a file' }),
  },
  examples: ['kettle -count 2'],
};

function parse(argv: string[], environment: Record<string, string> = {}) {
  return parseProgram(program, argv, environment, '1.2.3');
}

function yamlFile(content: string): string {
  return configFile(content, 'yaml');
}

function configFile(content: string, ending = 'json'): string {
  const file = join(folder, `${Math.random()}.${ending}`);
  writeFileSync(file, content);
  return file;
}

describe('flags', () => {
  it.each([
    ['one dash', ['-message', 'hot']],
    ['two dashes', ['--message', 'hot']],
    ['one dash and =', ['-message=hot']],
    ['two dashes and =', ['--message=hot']],
  ])('with %s', async (_, argv) => {
    expect((await parse(argv)).values.message).toBe('hot');
  });

  it('take values that begin with a dash, are empty, or hold anything', async () => {
    expect((await parse(['-message', '-5'])).values.message).toBe('-5');
    expect((await parse(['-message', '--'])).values.message).toBe('--');
    expect((await parse(['-message', '-'])).values.message).toBe('-');
    expect((await parse(['-message', '--unknown'])).values.message).toBe('--unknown');
    expect((await parse(['-message', ''])).values.message).toBe('');
    expect((await parse(['-message='])).values.message).toBe('');
    expect((await parse(['-message=-topic'])).values.message).toBe('-topic');
    expect((await parse(['-message', 'a=b\nc'])).values.message).toBe('a=b\nc');
  });

  it('keep any value as it is', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), fc.boolean(), async (value, isJoined) => {
        if (!isJoined && /^--?(topic|message|network|count|connect-timeout|quiet|config)(=|$)/.test(value))
          return;
        const argv = isJoined ? [`-message=${value}`] : ['-message', value];
        expect((await parse(argv)).values.message).toBe(value);
      }),
    );
  });

  it('are switches where they take no value', async () => {
    expect((await parse(['-quiet', '-count', '2'])).values).toMatchObject({ quiet: true, count: 2 });
    expect((await parse(['-quiet=false'])).values.quiet).toBe(false);
    expect((await parse([])).values.quiet).toBe(false);
  });

  it('may be repeated: a list takes all, anything else the last', async () => {
    expect((await parse(['-topic', 'a,b', '--topic=c', '-count', '1', '-count', '2'])).values).toMatchObject({
      topic: ['a,b', 'c'],
      count: 2,
    });
  });

  it.each<[string, string[], string]>([
    ['unknown', ['-pressure', '1'], "unknown flag '-pressure'"],
    ['misspelt', ['-mesage', 'a'], "unknown flag '-mesage'; did you mean -message?"],
    ['misspelt with a value', ['--cuont=1'], "unknown flag '-cuont'; did you mean -count?"],
    ['named like a member of every object', ['-constructor', 'a'], "unknown flag '-constructor'"],
    ['without their value', ['-message'], '-message needs a value: TEXT'],
    [
      'followed by a flag instead of a value',
      ['-message', '-topic', 'a'],
      "-message needs a value: TEXT; if '-topic' is meant: -message=-topic",
    ],
    ['with a bad value', ['-count', 'x'], "-count is a whole number, not 'x'"],
    ['out of bounds', ['-count', '11'], "-count is at most 10, not '11'"],
    ['negative', ['-count', '-5'], "-count is a whole number, not '-5'"],
    ['of another word', ['-network', 'udp'], "-network is one of tcp, unix, not 'udp'"],
    ['without a dash', ['mesage'], "unexpected argument 'mesage'; did you mean -message?"],
    ['of no flag', ['steam'], "unexpected argument 'steam': every value stands behind its flag"],
    ['behind --', ['--', '-count', '1'], "unexpected argument '-count'; did you mean -count?"],
    [
      'the value of a switch',
      ['-quiet', 'false'],
      "unexpected argument 'false': the value of a switch has = before it, as in -quiet=false",
    ],
    [
      'the second of a list',
      ['-topic', 'steam', 'whistle'],
      "unexpected argument 'whistle': each value has its flag before it, as in -topic A -topic B",
    ],
    ['with control characters', ['-count', '\u001b[31m'], "-count is a whole number, not '\\x1b[31m'"],
  ])('that are %s are refused in one line', async (_, argv, message) => {
    await expect(parse(argv)).rejects.toThrow(new UsageError(message));
  });
});

describe('values without a flag', () => {
  const command = {
    ...program,
    name: 'kettle boil',
    operands: { usage: 'WATER [TEA...]', help: 'what to boil', min: 1, max: 3 },
  };

  it('stand anywhere among the flags, and anything stands behind --', async () => {
    const { operands, values } = await parseProgram(
      command,
      ['tap', '-count', '2', 'green', '--', '-x'],
      {},
      '1',
    );
    expect(operands).toEqual(['tap', 'green', '-x']);
    expect(values.count).toBe(2);
  });

  it('are refused where there are too few or too many', async () => {
    await expect(parseProgram(command, [], {}, '1')).rejects.toThrow(
      new UsageError('WATER [TEA...] is missing: what to boil'),
    );
    await expect(parseProgram(command, ['a', 'b', 'c', 'd'], {}, '1')).rejects.toThrow(
      new UsageError("unexpected argument 'd' after WATER [TEA...]"),
    );
  });

  it('are in the help', async () => {
    const { message } = await thrown(() => parseProgram(command, ['-help'], {}, '1'), InformationRequested);
    expect(message).toContain('Usage: kettle boil WATER [TEA...] [flags]');
  });
});

describe('a command of a program', () => {
  const command = {
    ...program,
    name: 'kettle pour-out',
    options: {
      count: integer({ min: 1, max: 10 }, { group, help: 'how often', aliases: ['c', 'times'] }),
      secure: text({ group, help: 'how', variable: 'TINYMQ_SECURE' }),
      config: list({ group, help: 'what' }),
      options: text({ group, help: 'a file' }),
    },
    fileFlag: 'options',
  };

  it('has its own variables, and those that it shares', async () => {
    const environment = { TINYMQ_COUNT: '1', TINYMQ_POUR_OUT_COUNT: '2', TINYMQ_SECURE: 'yes' };
    expect((await parseProgram(command, [], environment, '1')).values).toMatchObject({
      count: 2,
      secure: 'yes',
    });
  });

  it('may name its file of options by another flag than -config', async () => {
    const file = configFile('{"config": ["a=b"], "count": 4}');
    expect((await parseProgram(command, ['-options', file], {}, '1')).values).toMatchObject({
      config: ['a=b'],
      count: 4,
    });
  });

  // A flag that got another name: scripts, units and files that have the former one go on as they are.
  it('may be set by a former name in the environment and in the file too, but not by both names', async () => {
    expect((await parseProgram(command, [], { TINYMQ_POUR_OUT_TIMES: '3' }, '1')).values.count).toBe(3);
    const file = configFile('{"times": 4}');
    expect((await parseProgram(command, ['-options', file], {}, '1')).values.count).toBe(4);
    const both = { TINYMQ_POUR_OUT_TIMES: '3', TINYMQ_POUR_OUT_COUNT: '3' };
    await expect(parseProgram(command, [], both, '1')).rejects.toThrow(
      new UsageError('TINYMQ_POUR_OUT_COUNT and TINYMQ_POUR_OUT_TIMES are names of the same option'),
    );
    const twice = configFile('{"times": 4, "count": 4}');
    await expect(parseProgram(command, ['-options', twice], {}, '1')).rejects.toThrow(
      "'count' and 'times' in line 1 are names of the same option",
    );
  });

  it('has letters only as flags', async () => {
    expect((await parseProgram(command, [], { TINYMQ_POUR_OUT_C: '3' }, '1')).values.count).toBeUndefined();
    const file = configFile('{"c": 4}');
    await expect(parseProgram(command, ['-options', file], {}, '1')).rejects.toThrow("'c' is not an option");
  });

  it('is given by several names on one line as if by one: the last counts', async () => {
    expect(
      (await parseProgram(command, ['-count', '1', '-times', '2', '-c', '3'], {}, '1')).values.count,
    ).toBe(3);
    expect((await parseProgram(command, ['-c', '1', '-count', '2'], {}, '1')).values.count).toBe(2);
  });

  it('names a wrong flag as it was written', async () => {
    await expect(parseProgram(command, ['-times', '0'], {}, '1')).rejects.toThrow(
      "-times is at least 1, not '0'",
    );
  });

  it.each([['-c'], ['--c'], ['-times']])('takes %s for its flag', async (alias) => {
    expect((await parseProgram(command, [alias, '3'], {}, '1')).values.count).toBe(3);
    expect((await parseProgram(command, [`${alias}=3`], {}, '1')).values.count).toBe(3);
    await expect(parseProgram(command, ['-secure', alias], {}, '1')).rejects.toThrow('-secure needs a value');
  });

  it('shows its aliases in the help', async () => {
    const { message } = await thrown(() => parseProgram(command, ['-help'], {}, '1'), InformationRequested);
    expect(message).toContain('how often; also -c, -times');
  });
});

describe('help and version', () => {
  it.each(['-h', '-help', '--help'])('%s shows every option, its default and the examples', async (flag) => {
    const { message } = await thrown(() => parse([flag]), InformationRequested);
    for (const name of Object.keys(program.options))
      expect(message).toMatch(new RegExp(`^ {2}-${name} `, 'm'));
    expect(message).toContain('how long (default 10)');
    expect(message).toContain('Boils water.');
    expect(message).toContain('kettle -count 2');
    expect(message).not.toMatch(/ --[a-z]/);
  });

  it.each(['-version', '--version'])('%s', async (flag) => {
    expect((await thrown(() => parse([flag]), InformationRequested)).message).toBe('kettle 1.2.3\n');
  });
});

describe('the environment', () => {
  it('has a variable for every flag', async () => {
    const environment = {
      TINYMQ_TOPIC: 'a, b,',
      TINYMQ_COUNT: '3',
      TINYMQ_QUIET: '1',
      TINYMQ_CONNECT_TIMEOUT: '500ms',
    };
    expect((await parse([], environment)).values).toMatchObject({
      topic: ['a', 'b'],
      count: 3,
      quiet: true,
      'connect-timeout': 500,
    });
  });

  it('counts as not given where a variable is empty', async () => {
    expect((await parse([], { TINYMQ_COUNT: '' })).given.size).toBe(0);
  });

  it('is named in errors', async () => {
    await expect(parse([], { TINYMQ_COUNT: 'x' })).rejects.toThrow(
      new UsageError("TINYMQ_COUNT is a whole number, not 'x'"),
    );
  });
});

describe('the file', () => {
  it('has keys in either spelling', async () => {
    const file = configFile('{"topic": ["a", "b"], "connectTimeout": 2, "quiet": true}');
    expect((await parse(['-config', file])).values).toMatchObject({
      topic: ['a', 'b'],
      'connect-timeout': 2000,
      quiet: true,
    });
    expect(
      await parse([], { TINYMQ_CONFIG: configFile('{"connect-timeout": "0.5m", "topic": "a"}') }),
    ).toMatchObject({
      values: { topic: ['a'] },
      given: new Set(['connect-timeout', 'topic', 'config']),
    });
  });

  it.each<[string, string, string]>([
    ['an unknown key', '{"pressure": 1}', "'pressure' is not an option of kettle"],
    ['a misspelt key', '{"connectTimeuot": 1}', 'option of kettle; did you mean connect-timeout?'],
    ['a member of every object as key', '{"constructor": 1}', "'constructor' is not an option of kettle"],
    ['another file', '{"config": "x.json"}', "'config' is not an option of kettle"],
    ['a bad value', '{"count": "x"}', "'count' is a whole number, not 'x'"],
    ['a list where one value belongs', '{"count": [1, 2]}', "'count' is one value, not a list"],
    ['an object as value', '{"count": {}}', "'count' is a text, a number, true or false"],
    ['null as value', '{"count": null}', "'count' has no value"],
    ['a list', '[]', ':1:1: a file of options is a group of keys'],
    ['no JSON', '{', ':1:2: not JSON: a key in quotation marks, or } is missing'],
  ])('with %s is refused and named', async (_, content, message) => {
    const file = configFile(content);
    const error = await thrown(() => parse(['-config', file]), UsageError);
    expect(error.message).toContain(file);
    expect(error.message).toContain(message);
    expect(error.message).not.toContain('\n');
  });

  it('may begin with a mark of the byte order', async () => {
    expect((await parse(['-config', configFile('\ufeff{"count": 3}')])).values.count).toBe(3);
  });

  it('that is missing is named', async () => {
    await expect(parse(['-config', '/nowhere/x.json'])).rejects.toThrow(
      new UsageError('cannot read /nowhere/x.json: no such file or folder'),
    );
  });
});

describe('precedence', () => {
  it('flags win over the environment, that over the file, that over defaults', async () => {
    const file = configFile('{"count": 3, "message": "file", "network": "unix"}');
    const { values, given } = await parse(['-count', '1', '-config', file], {
      TINYMQ_COUNT: '2',
      TINYMQ_MESSAGE: 'variable',
    });
    expect(values).toMatchObject({
      count: 1,
      message: 'variable',
      network: 'unix',
      'connect-timeout': 10_000,
    });
    expect(given).toEqual(new Set(['count', 'message', 'network', 'config']));
  });
});

const commands: Program<OptionTable>[] = [
  ...Object.values(tinymqTopics),
  ...Object.values(tinymqGroups),
  ...Object.values(tinymqRecords),
  ...Object.values(tinymqImport),
];

describe.each<[string, Program<OptionTable>]>([
  ['broker', brokerProgram],
  ['publisher', publisherProgram],
  ['subscriber', subscriberProgram],
  ...commands.map((command): [string, Program<OptionTable>] => [command.name, command]),
])('%s', (_, real) => {
  const fileFlag = real.fileFlag ?? 'config';
  const names = Object.keys(real.options).filter((name) => name !== fileFlag);
  const operands = Array<string>(real.operands?.min ?? 0).fill('operand');

  it.each(names)(
    '-%s can be given by flag, environment, YAML and JSON, wherever it stands in them',
    async (name) => {
      const { isList } = real.options[name];
      const sample = sampleOf(real.options[name]);
      const byFlag = await parseProgram(real, [...operands, `-${name}=${sample}`], {}, '1');
      const byVariable = await parseProgram(real, operands, { [variableOf(real, name)]: sample }, '1');
      expect(byFlag.given.has(name)).toBe(true);
      expect(byFlag.values[name]).toBeDefined();
      expect(byVariable.values[name]).toEqual(byFlag.values[name]);
      const { section, key } = placesOf(real).find((place) => place.name === name)!;
      const nested = (value: unknown) =>
        section === undefined ? { [key]: value } : { [section]: { [key]: value } };
      const camel = name.replace(/-(.)/g, (_dash, letter: string) => letter.toUpperCase());
      const contents = [
        { [name]: sample },
        { [camel]: sample },
        nested(sample),
        ...(isList ? [nested([sample])] : []),
      ];
      const files = contents.flatMap((content) => [
        configFile(JSON.stringify(content)),
        yamlFile(stringify(content)),
      ]);
      for (const file of files) {
        const byFile = await parseProgram(real, [...operands, `-${fileFlag}`, file], {}, '1');
        expect(byFile.values[name]).toEqual(byFlag.values[name]);
        expect(byFile.origins.get(name)).toEqual({ kind: 'file', at: expect.stringMatching(/:[12]:\d+$/) });
      }
    },
  );

  it('has defaults that are values of their options', async () => {
    const { values } = await parseProgram(real, operands, {}, '1');
    for (const name of names) {
      const { defaultText } = real.options[name];
      if (defaultText !== undefined) {
        const given = await parseProgram(real, [...operands, `-${name}=${defaultText}`], {}, '1');
        expect(given.values[name]).toEqual(values[name]);
      }
    }
  });

  it('has a help that fits 80 columns and names the variables', async () => {
    const { message } = await thrown(() => parseProgram(real, ['-help'], {}, '1'), InformationRequested);
    for (const line of message.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
    for (const name of Object.keys(real.options)) expect(message).toContain(`[${variableOf(real, name)}]`);
  });

  it('has a help with an example, and no name of a flag or of a variable twice', async () => {
    const { message } = await thrown(() => parseProgram(real, ['-help'], {}, '1'), InformationRequested);
    expect(message).toMatch(new RegExp(`^Examples:\\n.*${real.name}\\b`, 'm'));
    const written = Object.entries(real.options).flatMap(([name, { aliases }]) => [name, ...aliases]);
    const variables = Object.keys(real.options).map((name) => variableOf(real, name));
    for (const all of [written, variables]) expect(new Set(all).size).toBe(all.length);
  });
});

/** A value that is not the default. */
function sampleOf(option: Option<unknown>): string {
  if (option.isSwitch) return 'true';
  // A path that is a whole one means the same everywhere.
  const paths = /^(FILE|FOLDER|DIR)\b/.test(option.placeholder) ? ['/a/path'] : [];
  const candidates = [...paths, ...option.placeholder.split('|').reverse(), '0640', '7', '8s', '1'];
  const sample = candidates.find((candidate) => {
    try {
      option.parse([candidate]);
      return candidate !== option.defaultText;
    } catch {
      return false;
    }
  });
  if (sample === undefined) throw new Error(`no sample fits ${option.help}`);
  return sample;
}

async function thrown<E extends Error>(
  call: () => Promise<unknown>,
  type: new (message: string) => E,
): Promise<E> {
  try {
    await call();
  } catch (error) {
    expect(error).toBeInstanceOf(type);
    return error as E;
  }
  throw new Error('nothing was thrown');
}
