/**
 * One option of a program. From a table of them come the flags, the environment, the keys of a file, the help, the
 * tables of docs/flags.md and the type of the result.
 */
export interface Option<T> {
  /** What stands behind the flag in the help; empty for a switch. */
  readonly placeholder: string;
  /** One line. */
  readonly help: string;
  readonly group: string;
  /** The default as a user would write it; undefined where there is none. */
  readonly defaultText: string | undefined;
  /** Whether the flag may be given several times. */
  readonly isList: boolean;
  /** Whether the flag needs no value. */
  readonly isSwitch: boolean;
  /**
   * Further names of the flag: letters that users know from another program, or a whole word that was its name before. A
   * word names the variable and the key of a file as well; a letter is only a flag.
   */
  readonly aliases: readonly string[];
  /** Words that users know from another program; they are only flags, as letters are. */
  readonly borrowed: readonly string[];
  /** The environment variable where it is not the one that the names of program and flag make. */
  readonly variable: string | undefined;
  /** Whether a program that runs takes another value when it reads its file again. */
  readonly isLive: boolean;
  /** What a value is in a file, as a JSON Schema; of a list, what each of its items is. */
  readonly schema: ValueSchema;
  /**
   * The value of a text, or of several for a list.
   *
   * @throws Error whose message says what is allowed.
   */
  parse(texts: readonly string[]): T;
}

/** A part of a JSON Schema (draft 2020-12). */
export type ValueSchema = Readonly<Record<string, unknown>>;

/** Options by the name of their flag. */
export type OptionTable = Record<string, Option<unknown>>;

/** The option that a flag names by its own name or by another. */
export function findOption(
  table: OptionTable,
  written: string,
): { name: string; option: Option<unknown> } | undefined {
  if (Object.hasOwn(table, written)) return { name: written, option: table[written] };
  const found = Object.entries(table).find(([, option]) => otherNamesOf(option).includes(written));
  return found && { name: found[0], option: found[1] };
}

/** What else its flag may be called. */
export function otherNamesOf({ aliases, borrowed }: Option<unknown>): readonly string[] {
  return [...aliases, ...borrowed];
}

/** The names of an option that are words: what a variable or a key of a file may be called. */
export function wordsFor(name: string, option: Option<unknown>): string[] {
  return [name, ...option.aliases.filter((alias) => alias.length > 1)];
}

/** The values of a table of options. */
export type Values<Table extends OptionTable> = {
  [Name in keyof Table]: Table[Name] extends Option<infer T> ? T : never;
};

interface Description<Default> {
  help: string;
  group: string;
  placeholder?: string;
  default?: Default;
  aliases?: readonly string[];
  borrowed?: readonly string[];
  variable?: string;
  isLive?: true;
}

type Optional<T, D> = D extends { default: string } ? T : T | undefined;

/** Any text. */
export function text<D extends Description<string>>(description: D): Option<Optional<string, D>> {
  return single(description, 'TEXT', ANY_TEXT, (value) => value);
}

/** A text that may be given several times; in the environment separated by commas. */
export function list(description: Description<never>): Option<string[]> {
  return {
    ...common(description, 'TEXT', ANY_TEXT),
    isList: true,
    parse: (texts) => [...texts],
  };
}

/** True or false; false unless said. */
export function toggle(description: Description<'true'>): Option<boolean> {
  return {
    ...common(description, '', SWITCH),
    isSwitch: true,
    parse(texts) {
      const value = texts.at(-1) ?? description.default;
      if (value === undefined) return false;
      if (/^(1|t|true|yes|on)$/i.test(value)) return true;
      if (/^(0|f|false|no|off)$/i.test(value)) return false;
      throw new Error('is true or false');
    },
  };
}

/** One of a few words. */
export function choice<const Words extends readonly string[], D extends Description<Words[number]>>(
  words: Words,
  description: D,
): Option<Optional<Words[number], D>> {
  return single(description, words.join('|'), { enum: words }, (value) => {
    if (!words.includes(value)) throw new Error(`is one of ${words.join(', ')}`);
    return value as Words[number];
  });
}

/** A whole number. */
export function integer<D extends Description<string>>(
  bounds: Bounds,
  description: D,
): Option<Optional<number, D>> {
  const digits = bounds.min < 0 ? /^-?\d{1,15}$/ : /^\d{1,15}$/;
  return single(description, 'N', numberOrText('integer', bounds, digits), (value) => {
    const number = digits.test(value) ? Number(value) : Number.NaN;
    return within(number, bounds, 'is a whole number', String);
  });
}

/** A size in bytes: `500`, `64k`, `16MiB`, `1GB`. Powers of 1024, whichever way they are written. */
export function bytes<D extends Description<string>>(
  bounds: Bounds,
  description: D,
): Option<Optional<number, D>> {
  return single(description, 'SIZE', numberOrText('integer', bounds, SIZE), (value) => {
    const parts = SIZE.exec(value);
    const factor = 1024 ** ' kmgt'.indexOf(parts?.[2]?.toLowerCase() || ' ');
    const size = parts === null ? Number.NaN : Math.floor(Number(parts[1]) * factor);
    return within(size, bounds, 'is a size such as 512k, 16MiB or 1GiB', sizeText);
  });
}

/** A time, in milliseconds: seconds as `2` or `0.5`, or with a unit: `500ms`, `10s`, `2m`, `1h`, `7d`. */
export function duration<D extends Description<string>>(
  bounds: Bounds,
  description: D,
): Option<Optional<number, D>> {
  const seconds = { min: bounds.min / 1000, max: bounds.max / 1000 };
  return single(description, 'SECONDS', numberOrText('number', seconds, TIME), (value) => {
    const parts = TIME.exec(value);
    const milliseconds =
      parts === null ? Number.NaN : roundMicroseconds(Number(parts[1]) * UNIT_MS[parts[2] ?? 's']);
    return within(milliseconds, bounds, 'is a time such as 2, 0.5, 500ms or 2m', (ms) => `${ms / 1000}`);
  });
}

/** The mode of a file, in octal. */
export function fileMode<D extends Description<string>>(description: D): Option<Optional<number, D>> {
  return single(description, 'MODE', numberOrText('integer', { min: 0, max: 777 }, MODE), (value) => {
    if (!MODE.test(value)) throw new Error('is a mode in octal such as 0660');
    return Number.parseInt(value, 8);
  });
}

/** A name of digits is a name all the same. */
const ANY_TEXT: ValueSchema = { type: ['string', 'number'] };
const SWITCH: ValueSchema = {
  type: ['boolean', 'string', 'integer'],
  pattern: '^([01TtFf]|[Tt]rue|TRUE|[Ff]alse|FALSE|[Yy]es|YES|[Nn]o|NO|[Oo]n|ON|[Oo]ff|OFF)$',
  minimum: 0,
  maximum: 1,
};
const SIZE = /^(\d+(?:\.\d+)?)\s*([kKmMgGtT]?)(?:[iI]?[bB])?$/;
const TIME = /^(\d+(?:\.\d*)?|\.\d+)(ms|s|m|h|d)?$/;
const MODE = /^0?[0-7]{3}$/;

/** A number within bounds, or a text that may have a unit. */
function numberOrText(type: 'integer' | 'number', { min, max }: Bounds, text: RegExp): ValueSchema {
  return { type: [type, 'string'], minimum: min, maximum: max, pattern: text.source };
}

interface Bounds {
  min: number;
  max: number;
}

const UNIT_MS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** 4.1 seconds are 4100 milliseconds, not 4099.999…. */
function roundMicroseconds(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000;
}

function single<T, D extends Description<string>>(
  description: D,
  placeholder: string,
  schema: ValueSchema,
  parse: (value: string) => T,
): Option<Optional<T, D>> {
  return {
    ...common(description, placeholder, schema),
    parse(texts) {
      const value = texts.at(-1) ?? description.default;
      return (value === undefined ? undefined : parse(value)) as Optional<T, D>;
    },
  };
}

function common(description: Description<string>, placeholder: string, schema: ValueSchema) {
  return {
    placeholder: description.placeholder ?? placeholder,
    help: description.help,
    group: description.group,
    defaultText: description.default,
    isList: false,
    isSwitch: false,
    aliases: description.aliases ?? [],
    borrowed: description.borrowed ?? [],
    variable: description.variable,
    isLive: description.isLive ?? false,
    schema,
  };
}

function within(value: number, { min, max }: Bounds, rule: string, show: (value: number) => string): number {
  if (Number.isNaN(value)) throw new Error(rule);
  if (value < min) throw new Error(`is at least ${show(min)}`);
  if (value > max) throw new Error(`is at most ${show(max)}`);
  return value;
}

function sizeText(size: number): string {
  for (const [unit, factor] of [
    ['GiB', 1024 ** 3],
    ['MiB', 1024 ** 2],
    ['KiB', 1024],
  ] as const) {
    if (size >= factor && size % factor === 0) return `${size / factor}${unit}`;
  }
  return String(size);
}
