import { stringify } from 'yaml';
import type { OptionTable } from '../option.ts';
import type { Program } from '../program.ts';
import { placesOf } from './keys.ts';
import { SCHEMA_FILE } from './schema.ts';

/** An option that is to stand in a file. */
export interface WrittenOption {
  readonly texts: readonly string[];
  /** A comment above it. */
  readonly note?: string | undefined;
}

/**
 * A file of options in YAML, in the order of the table of them, with the sections that the program has.
 *
 * @param heading comments at its beginning.
 */
export function optionsText(
  program: Program<OptionTable>,
  options: ReadonlyMap<string, WrittenOption>,
  heading: readonly string[],
): string {
  const places = placesOf(program).filter(({ name }) => options.has(name));
  const lines = [`# yaml-language-server: $schema=${SCHEMA_FILE}`, ...heading.map(comment)];
  const sections = new Set<string>();
  for (const { section, name, key } of places) {
    if (section === undefined) lines.push('', ...linesOf(program, name, key, options.get(name)!));
    if (section === undefined || sections.has(section)) continue;
    sections.add(section);
    const parts = places.filter((place) => place.section === section);
    lines.push('', `${section}:`);
    for (const part of parts)
      lines.push(
        ...linesOf(program, part.name, part.key, options.get(part.name)!).map((line) => `  ${line}`),
      );
  }
  return `${lines.join('\n')}\n`;
}

function linesOf(
  program: Program<OptionTable>,
  name: string,
  key: string,
  { texts, note }: WrittenOption,
): string[] {
  const { isList, isSwitch } = program.options[name];
  const above = note === undefined || note === '' ? [] : [comment(note)];
  if (isList && texts.length > 1) return [...above, `${key}:`, ...texts.map((text) => `  - ${scalar(text)}`)];
  const text = texts.at(-1) ?? '';
  return [...above, `${key}: ${isSwitch ? text : scalar(text)}`];
}

/** A plain number stays one; all else is a text, in quotation marks where it would be something else. */
function scalar(text: string): string {
  if (/^(0|[1-9]\d{0,14})$/.test(text)) return text;
  return stringify(text, { lineWidth: 0, defaultStringType: 'PLAIN', blockQuote: false }).trimEnd();
}

/** What others wrote may have line breaks in it. */
function comment(text: string): string {
  return `# ${text.replace(/\s+/g, ' ')}`;
}
