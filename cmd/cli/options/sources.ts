import { readFileSync } from 'node:fs';
import { quoted } from '../../../internal/errors.ts';
import { suggestion } from '../../../internal/lib/nearest.ts';
import { systemReason } from '../../../internal/lib/system-reason.ts';
import { findOption, type OptionTable, wordsFor } from './option.ts';
import { fileFlagOf, type Given, type Program, UsageError, variablesOf } from './program.ts';

/** What the environment says. @throws UsageError. */
export function readEnvironment(
  program: Program<OptionTable>,
  environment: Readonly<Record<string, string | undefined>>,
): Map<string, Given> {
  const given = new Map<string, Given>();
  for (const [name, option] of Object.entries(program.options)) {
    const [where, other] = variablesOf(program, name).filter((variable) => environment[variable]);
    if (where === undefined) continue;
    if (other !== undefined) throw new UsageError(`${where} and ${other} are names of the same option`);
    const value = environment[where]!;
    given.set(name, { texts: option.isList ? itemsOf(value) : [value], where });
  }
  return given;
}

function itemsOf(value: string): string[] {
  return value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

/** What a file of options says. @throws UsageError. */
export function readOptionsFile(program: Program<OptionTable>, file: string): Map<string, Given> {
  const given = new Map<string, Given>();
  for (const [key, value] of Object.entries(readObject(file))) {
    const written = key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    const { name, option } = findKey(program, written) ?? {};
    if (name === undefined || option === undefined) {
      const known = Object.keys(program.options).filter((flag) => flag !== fileFlagOf(program));
      const hint = suggestion(written, known);
      throw new UsageError(`${file}: ${quoted(key)} is not an option of ${program.name}${hint}`);
    }
    if (Array.isArray(value) && !option.isList) {
      throw new UsageError(`${file}: '${key}' is one value, not a list`);
    }
    const values = Array.isArray(value) ? value : [value];
    if (values.some((item) => !['string', 'number', 'boolean'].includes(typeof item))) {
      throw new UsageError(`${file}: '${key}' is a text, a number, true or false, or a list of them`);
    }
    const other = given.get(name);
    if (other !== undefined) throw new UsageError(`${other.where} and '${key}' are names of the same option`);
    given.set(name, { texts: values.map(String), where: `${file}: '${key}'` });
  }
  return given;
}

/** The option that a key of a file names; a letter is no key, nor is the flag that names the file. */
function findKey(program: Program<OptionTable>, written: string): ReturnType<typeof findOption> {
  const found = findOption(program.options, written);
  if (found === undefined || found.name === fileFlagOf(program)) return undefined;
  return wordsFor(found.name, found.option).includes(written) ? found : undefined;
}

function readObject(file: string): object {
  let content: unknown;
  try {
    // Some editors begin every file with a mark of the byte order.
    content = JSON.parse(readFileSync(file, 'utf8').replace(/^\ufeff/, ''));
  } catch (error) {
    const why = error instanceof SyntaxError ? `it is not JSON: ${error.message}` : systemReason(error);
    throw new UsageError(`cannot read ${file}: ${why}`);
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new UsageError(`${file} is not a JSON object of options`);
  }
  return content;
}
