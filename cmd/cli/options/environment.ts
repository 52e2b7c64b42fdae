import type { OptionTable } from './option.ts';
import { type Given, type Program, UsageError, variablesOf } from './program.ts';

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
    const from = { kind: 'environment', at: where } as const;
    given.set(name, { texts: option.isList ? itemsOf(value) : [value], where, from });
  }
  return given;
}

function itemsOf(value: string): string[] {
  return value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}
