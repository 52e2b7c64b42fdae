import { quoted } from '../../../internal/errors.ts';
import { parseCommandLine } from './command-line.ts';
import { readEnvironment } from './environment.ts';
import type { OptionTable, Values } from './option.ts';
import { fileFlagOf, type Given, type Origin, type Program, UsageError, UsageErrors } from './program.ts';

/** What a command line says. */
export interface Parsed<Table extends OptionTable> {
  values: Values<Table>;
  /** The options that somebody gave, by flag, environment or file; the others have their defaults. */
  given: ReadonlySet<string>;
  /** Their texts, as they were written; paths of a file are whole ones. */
  texts: ReadonlyMap<string, readonly string[]>;
  /** Where each of them comes from. */
  origins: ReadonlyMap<string, Origin>;
  /** The values without a flag, in their order. */
  operands: readonly string[];
}

/**
 * Reads a command line, the environment (`TINYMQ_ADDRESS`) and the file that `-config` names. Flags win over the
 * environment, the environment over the file, the file over defaults.
 *
 * @throws UsageError, InformationRequested.
 */
export async function parseProgram<Table extends OptionTable>(
  program: Program<Table>,
  argv: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  version: string,
): Promise<Parsed<Table>> {
  const { flags, operands } = parseCommandLine(program, argv, version);
  const variables = readEnvironment(program, environment);
  const fileFlag = fileFlagOf(program);
  const file = (flags.get(fileFlag) ?? variables.get(fileFlag))?.texts.at(-1);
  const keys = file === undefined ? new Map<string, Given>() : await fromFile(program, file);
  return { ...valuesOf(program, new Map([...keys, ...variables, ...flags])), operands };
}

/**
 * The same without the file: what holds of the flags where that cannot be used.
 *
 * @throws UsageError, InformationRequested.
 */
export function parseWithoutFile<Table extends OptionTable>(
  program: Program<Table>,
  argv: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  version: string,
): Parsed<Table> {
  const { flags, operands } = parseCommandLine(program, argv, version);
  return { ...valuesOf(program, new Map([...readEnvironment(program, environment), ...flags])), operands };
}

/** Loaded where a file is named only: reading YAML takes a third of the time in which a program starts. */
async function fromFile(program: Program<OptionTable>, file: string): Promise<Map<string, Given>> {
  const { readOptionsFile } = await import('./file/read-options.ts');
  return readOptionsFile(program, file);
}

/** @throws UsageError, or UsageErrors where several are wrong. */
function valuesOf<Table extends OptionTable>(
  program: Program<Table>,
  found: ReadonlyMap<string, Given>,
): Omit<Parsed<Table>, 'operands'> {
  const values: Record<string, unknown> = {};
  const problems: string[] = [];
  for (const [name, option] of Object.entries(program.options)) {
    const given = found.get(name);
    try {
      values[name] = option.parse(given?.texts ?? []);
    } catch (error) {
      problems.push(`${given?.where} ${(error as Error).message}, not ${quoted(given?.texts.at(-1) ?? '')}`);
    }
  }
  if (problems.length === 1) throw new UsageError(problems[0]);
  if (problems.length > 1) throw new UsageErrors(problems);
  const given = Object.keys(program.options).filter((name) => found.has(name));
  return {
    values: values as Values<Table>,
    given: new Set(given),
    texts: new Map(given.map((name) => [name, found.get(name)!.texts])),
    origins: new Map(given.map((name) => [name, found.get(name)!.from])),
  };
}
