import { quoted } from '../../../internal/errors.ts';
import { parseCommandLine } from './command-line.ts';
import type { OptionTable, Values } from './option.ts';
import { fileFlagOf, type Given, type Program, UsageError } from './program.ts';
import { readEnvironment, readOptionsFile } from './sources.ts';

/** What a command line says. */
export interface Parsed<Table extends OptionTable> {
  values: Values<Table>;
  /** The options that somebody gave, by flag, environment or file; the others have their defaults. */
  given: ReadonlySet<string>;
  /** Their texts, as they were written. */
  texts: ReadonlyMap<string, readonly string[]>;
  /** The values without a flag, in their order. */
  operands: readonly string[];
}

/**
 * Reads a command line, the environment (`TINYMQ_ADDRESS`) and the file that `-config` names. Flags win over the
 * environment, the environment over the file, the file over defaults.
 *
 * @throws UsageError, InformationRequested.
 */
export function parseProgram<Table extends OptionTable>(
  program: Program<Table>,
  argv: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  version: string,
): Parsed<Table> {
  const { flags, operands } = parseCommandLine(program, argv, version);
  const variables = readEnvironment(program, environment);
  const fileFlag = fileFlagOf(program);
  const configFile = (flags.get(fileFlag) ?? variables.get(fileFlag))?.texts.at(-1);
  const keys = configFile === undefined ? new Map<string, Given>() : readOptionsFile(program, configFile);
  const values: Record<string, unknown> = {};
  const texts = new Map<string, readonly string[]>();
  for (const [name, option] of Object.entries(program.options)) {
    const found = flags.get(name) ?? variables.get(name) ?? keys.get(name);
    if (found !== undefined) texts.set(name, found.texts);
    try {
      values[name] = option.parse(found?.texts ?? []);
    } catch (error) {
      const value = quoted(found?.texts.at(-1) ?? '');
      throw new UsageError(`${found?.where} ${(error as Error).message}, not ${value}`);
    }
  }
  return { values: values as Values<Table>, given: new Set(texts.keys()), texts, operands };
}
