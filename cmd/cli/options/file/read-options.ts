import { dirname, extname, resolve } from 'node:path';
import { quoted } from '../../../../internal/errors.ts';
import { nearest } from '../../../../internal/lib/nearest.ts';
import { maxOptionsFileProblems } from '../../../../internal/limits/server.ts';
import type { Option, OptionTable } from '../option.ts';
import { type Given, type Program, UsageErrors } from '../program.ts';
import { dashed, flatKeys, optionOfFlatKey, type Place, placesOf, shownPlace } from './keys.ts';
import { readTextFile } from './read-file.ts';
import { type Entry, type Fault, readTree, type Spot, type Value } from './tree.ts';

/**
 * What a file of options says, YAML or JSON. Relative paths in it are paths from its folder. Every value is checked, also one that a flag
 * or a variable replaces.
 *
 * @throws UsageErrors with all faults, each with its line and column; UsageError where the file cannot be read.
 */
export function readOptionsFile(program: Program<OptionTable>, file: string): Map<string, Given> {
  return readOptions(program, file, readTextFile(file));
}

/** The same of a text that is to stand in a file. @throws UsageErrors. */
export function readOptions(program: Program<OptionTable>, file: string, text: string): Map<string, Given> {
  const { entries, faults } = readTree(text, extname(file).toLowerCase() === '.json');
  const reader = new OptionsReader(program, file);
  reader.read(entries);
  const all = [...faults, ...reader.faults].sort((a, b) => a.line - b.line || a.column - b.column);
  if (all.length > 0) throw new UsageErrors(shownFaults(file, all));
  return reader.given;
}

/** The key of an editor's schema, which says nothing to the program. */
const SCHEMA_KEY = '$schema';

class OptionsReader {
  readonly given = new Map<string, Given>();
  readonly faults: Fault[] = [];
  readonly #program: Program<OptionTable>;
  readonly #file: string;
  readonly #places: readonly Place[];
  readonly #lines = new Map<string, { line: number; key: string }>();

  constructor(program: Program<OptionTable>, file: string) {
    this.#program = program;
    this.#file = file;
    this.#places = placesOf(program);
  }

  read(entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (entry.key === SCHEMA_KEY && entry.value.kind === 'text') continue;
      const key = dashed(entry.key);
      const isSection = Object.hasOwn(this.#program.sections ?? {}, key);
      if (isSection && this.#takeSection(key, entry)) continue;
      const name = optionOfFlatKey(this.#program, key);
      if (name !== undefined) this.#take(name, entry.key, entry);
      else this.#tell(entry.spot, `${quoted(entry.key)} ${this.#whyUnknown(key, isSection)}`);
    }
  }

  /** @returns false where what stands there is the option that has the name of the section. */
  #takeSection(section: string, { key, value }: Entry): boolean {
    const isEmpty = value.kind === 'nothing' && this.#program.sections![section].own === undefined;
    if (value.kind !== 'group') return isEmpty || value.kind === 'unreadable';
    for (const entry of value.entries) {
      const written = dashed(entry.key);
      const place = this.#places.find((each) => each.section === section && each.key === written);
      const shown = `${key}.${entry.key}`;
      if (place !== undefined) this.#take(place.name, shown, entry);
      else this.#tell(entry.spot, `${quoted(shown)} is not an option${this.#hintWithin(section, written)}`);
    }
    return true;
  }

  #take(name: string, shown: string, { spot, value }: Entry): void {
    const earlier = this.#lines.get(name);
    if (earlier !== undefined) {
      const other = `${quoted(earlier.key)} in line ${earlier.line}`;
      this.#tell(spot, `${quoted(shown)} and ${other} are names of the same option`);
      return;
    }
    this.#lines.set(name, { line: spot.line, key: shown });
    const option = this.#program.options[name];
    const found = this.#textsOf(option, value, quoted(shown));
    if (found === undefined) return;
    const texts = found.map((text) => inFolder(option, text, dirname(resolve(this.#file))));
    try {
      option.parse(texts);
    } catch (error) {
      this.#tell(
        value.spot,
        `${quoted(shown)} ${(error as Error).message}, not ${quoted(texts.at(-1) ?? '')}`,
      );
      return;
    }
    const at = `${this.#file}:${spot.line}:${spot.column}`;
    this.given.set(name, { texts, where: `${at}: ${quoted(shown)}`, from: { kind: 'file', at } });
  }

  #textsOf(option: Option<unknown>, value: Value, shown: string): string[] | undefined {
    if (value.kind === 'list' && !option.isList) {
      this.#tell(value.spot, `${shown} is one value, not a list`);
      return undefined;
    }
    const texts = (value.kind === 'list' ? value.items : [value]).map((item) =>
      this.#textOf(option, item, shown),
    );
    return texts.every((text) => text !== undefined) ? texts : undefined;
  }

  #textOf(option: Option<unknown>, value: Value, shown: string): string | undefined {
    if (value.kind === 'text' && (option.isSwitch || !value.isBoolean)) return value.text;
    if (value.kind === 'text')
      this.#tell(
        value.spot,
        `${shown} is no switch: write the text in quotation marks if it is ${quoted(value.text)}`,
      );
    else if (value.kind === 'nothing')
      this.#tell(value.spot, `${shown} has no value; leave the key out for its default`);
    else if (value.kind !== 'unreadable')
      this.#tell(
        value.spot,
        `${shown} is a text, a number, true or false${option.isList ? ', or a list of them' : ''}`,
      );
    return undefined;
  }

  #whyUnknown(key: string, isSection: boolean): string {
    if (isSection) return `is a group of keys: ${this.#keysIn(key).join(', ')}`;
    return `is not an option of ${this.#program.name}${this.#hintAtTop(key)}`;
  }

  /** A key of a section may have been written without it. */
  #hintAtTop(key: string): string {
    const places = new Map(this.#places.map((place) => [place.name, shownPlace(place)]));
    const shown = new Map<string, string>();
    for (const place of this.#places)
      if (place.section !== undefined) shown.set(place.key, shownPlace(place));
    for (const flat of flatKeys(this.#program))
      shown.set(flat, places.get(optionOfFlatKey(this.#program, flat)!)!);
    for (const section of Object.keys(this.#program.sections ?? {})) shown.set(section, section);
    const near = nearest(key, shown.keys());
    return near === undefined ? '' : `; did you mean ${shown.get(near)}?`;
  }

  #hintWithin(section: string, key: string): string {
    const known = this.#keysIn(section);
    const near = nearest(key, known);
    if (near !== undefined) return `; did you mean ${section}.${near}?`;
    const elsewhere = optionOfFlatKey(this.#program, key);
    if (elsewhere !== undefined)
      return `; did you mean ${shownPlace(this.#places.find(({ name }) => name === elsewhere)!)}?`;
    return `; the keys of ${section} are ${known.join(', ')}`;
  }

  #keysIn(section: string): string[] {
    return this.#places.filter((place) => place.section === section).map(({ key }) => key);
  }

  #tell({ line, column }: Spot, problem: string): void {
    this.faults.push({ line, column, problem });
  }
}

/**
 * A path that is no whole one, seen from the folder of its file. Where something else may stand, as in `HOST:PORT|PATH|URL`, a
 * path begins with `./`, `../` or `/`.
 */
function inFolder({ placeholder }: Option<unknown>, text: string, folder: string): string {
  const kinds = placeholder.split('|');
  const isPath = kinds.some((kind) => ['FILE', 'FOLDER', 'DIR', 'PATH'].includes(kind));
  if (!isPath || text === '' || text === '-' || /^[a-z][a-z\d+.-]*:\/\//i.test(text)) return text;
  return kinds.includes('PATH') && !/^\.{0,2}\//.test(text) ? text : resolve(folder, text);
}

function shownFaults(file: string, faults: readonly Fault[]): string[] {
  const lines = faults.map(({ line, column, problem }) => `${file}:${line}:${column}: ${problem}`);
  const more = lines.length - maxOptionsFileProblems;
  return more > 0 ? [...lines.slice(0, maxOptionsFileProblems), `${file}: and ${more} more`] : lines;
}
