import { quoted } from '../../../internal/errors.ts';
import { findOption, type Option, type OptionTable } from './option.ts';
import { type Program, UsageError } from './program.ts';

/**
 * Brings `-topic a`, `--topic a`, `-topic=a` and `-quiet` into the one form `--topic=a`, `--quiet=true`. So a value
 * may begin with a dash, and commander sees no short flags.
 *
 * @returns also the flag that stands right before each word that is no value of a flag, and how each flag was last written.
 */
export function joinValues(
  program: Program<OptionTable>,
  argv: readonly string[],
): { joined: string[]; before: (string | undefined)[]; written: Map<string, string> } {
  const joined: string[] = [];
  const names = new Map<string, string>();
  const before: (string | undefined)[] = [];
  let last: string | undefined;
  for (let index = 0; index < argv.length; index++) {
    if (argv[index] === '--') {
      return { joined: [...joined, ...argv.slice(index)], before, written: names };
    }
    const { name: written, value } = flagOf(argv[index]) ?? {};
    if (written === undefined) {
      joined.push(argv[index]);
      before.push(last);
      last = undefined;
      continue;
    }
    const { name, option } = findOption(program.options, written) ?? { name: written };
    last = name;
    names.set(name, written);
    if (option === undefined || isCallForHelp(written, value, argv[index + 1])) {
      joined.push(written === 'h' ? '-h' : `--${name}`);
    } else if (value !== undefined) joined.push(`--${name}${value}`);
    else if (option.isSwitch) joined.push(`--${name}=true`);
    else joined.push(`--${name}=${followingValue(program, name, option, argv[++index])}`);
  }
  return { joined, before, written: names };
}

/** A letter of programs that users know from elsewhere asks for a host there, and for help here if nothing follows. */
function isCallForHelp(written: string, value: string | undefined, next: string | undefined): boolean {
  return written === 'h' && value === undefined && (next === undefined || flagOf(next) !== undefined);
}

/** `-topic=a` as `topic` and `=a`; undefined where an argument has not the form of a flag. */
function flagOf(argument: string): { name: string; value: string | undefined } | undefined {
  const parts = /^--?([a-zA-Z][\w-]*)(=.*)?$/s.exec(argument);
  return parts === null ? undefined : { name: parts[1], value: parts[2] };
}

/** A value may begin with a dash, but one of the program's own flags means that the value was forgotten. */
function followingValue(
  program: Program<OptionTable>,
  name: string,
  option: Option<unknown>,
  next: string | undefined,
): string {
  if (next === undefined) throw new UsageError(`-${name} needs a value: ${option.placeholder}`);
  const flag = flagOf(next)?.name;
  if (flag !== undefined && findOption(program.options, flag) !== undefined) {
    throw new UsageError(
      `-${name} needs a value: ${option.placeholder}; if ${quoted(next)} is meant: -${name}=${next}`,
    );
  }
  return next;
}
