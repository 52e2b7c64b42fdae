/** Command lines as programs in Go read them with their standard library: what users of such a program have in scripts. */

/** A flag and the environment variable that stands in for it. */
export interface GoFlag {
  kind: 'text' | 'boolean';
  variable?: string;
  /** What the variable means where the flag would say it otherwise. */
  fromVariable?: (value: string) => string;
  default: string;
  help: string;
}

/** A command line that cannot be understood; the message is Go's own. */
export class GoFlagError extends Error {
  override readonly name = 'GoFlagError';
}

export interface GoCommandLine {
  values: Record<string, string>;
  /** The flags that somebody gave, by the command line or the environment. */
  given: Set<string>;
  isHelp: boolean;
  /** Flags of others, each as it was written. */
  others: string[];
  /** What stands behind the flags. */
  rest: string[];
}

/**
 * Reads `-flag value`, `--flag=value` and `-switch`, until the first argument that is no flag. The command line wins over
 * the environment, where a variable that is set to nothing counts as set.
 *
 * @param takeOther says how many arguments a flag takes that is not in the table; undefined where nobody knows it.
 * @throws GoFlagError.
 */
export function readGoFlags(
  flags: Readonly<Record<string, GoFlag>>,
  argv: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  takeOther: (name: string) => 0 | 1 | undefined = () => undefined,
): GoCommandLine {
  const found: GoCommandLine = { values: {}, given: new Set(), isHelp: false, others: [], rest: [] };
  for (const [name, flag] of Object.entries(flags)) {
    const value = flag.variable === undefined ? undefined : environment[flag.variable];
    if (value !== undefined) found.given.add(name);
    found.values[name] = value === undefined ? flag.default : (flag.fromVariable?.(value) ?? value);
  }
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index];
    if (argument === '--') {
      found.rest = argv.slice(index + 1);
      break;
    }
    const parts = /^--?([^=-][^=]*)(?:=(.*))?$/s.exec(argument);
    if (parts === null) {
      if (/^--?[=-]/.test(argument)) throw new GoFlagError(`bad flag syntax: ${argument}`);
      found.rest = argv.slice(index);
      break;
    }
    const name = parts[1];
    const flag = Object.hasOwn(flags, name) ? flags[name] : undefined;
    if (flag === undefined) {
      if (name === 'help' || name === 'h') return { ...found, isHelp: true };
      const takes = takeOther(name);
      if (takes === undefined) throw new GoFlagError(`flag provided but not defined: -${name}`);
      found.others.push(argument);
      if (takes === 1 && parts[2] === undefined) found.others.push(following(argv, ++index, name));
      continue;
    }
    found.given.add(name);
    if (flag.kind === 'boolean') found.values[name] = String(booleanOf(name, parts[2] ?? 'true'));
    else found.values[name] = parts[2] ?? following(argv, ++index, name);
  }
  return found;
}

function following(argv: readonly string[], index: number, name: string): string {
  const value = argv[index];
  if (value === undefined) throw new GoFlagError(`flag needs an argument: -${name}`);
  return value;
}

function booleanOf(name: string, value: string): boolean {
  if (/^(1|t|T|TRUE|true|True)$/.test(value)) return true;
  if (/^(0|f|F|FALSE|false|False)$/.test(value)) return false;
  throw new GoFlagError(`invalid boolean value "${value}" for -${name}: parse error`);
}

/** What such a program says of its flags. */
export function goUsage(name: string, flags: Readonly<Record<string, GoFlag>>): string {
  const lines = Object.entries(flags)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([flag, { kind, help, default: value, variable }]) => {
      const shown =
        value === '' || value === 'false' ? '' : ` (default ${kind === 'text' ? `"${value}"` : value})`;
      const from = variable === undefined ? '' : ` [${variable}]`;
      return `  -${flag}${kind === 'text' ? ' string' : ''}\n    \t${help}${shown}${from}\n`;
    });
  return `Usage of ${name}:\n${lines.join('')}`;
}
