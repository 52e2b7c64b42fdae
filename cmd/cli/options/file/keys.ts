import { findOption, type OptionTable, wordsFor } from '../option.ts';
import { fileFlagOf, type Program } from '../program.ts';

/** Where an option stands in a file: `kafka.partitions` is the key `partitions` in the section `kafka`. */
export interface Place {
  /** The option. */
  readonly name: string;
  readonly section: string | undefined;
  readonly key: string;
}

/**
 * The places of all options, from the table of them alone: in the section with whose name the flag begins, else at the top.
 * The flag that names the file has none.
 */
export function placesOf(program: Program<OptionTable>): Place[] {
  const sections = Object.entries(program.sections ?? {});
  return Object.keys(program.options).flatMap((name): Place[] => {
    if (name === fileFlagOf(program)) return [];
    for (const [section, { own }] of sections) {
      if (name === section && own !== undefined) return [{ name, section, key: own }];
      if (name.startsWith(`${section}-`)) return [{ name, section, key: name.slice(section.length + 1) }];
    }
    return [{ name, section: undefined, key: name }];
  });
}

/** As people write of it: `kafka.partitions`. */
export function shownPlace({ section, key }: Place): string {
  return section === undefined ? key : `${section}.${key}`;
}

/** What the keys at the top of a file may be called beside the names of sections: each flag, and what it was called before. */
export function flatKeys(program: Program<OptionTable>): string[] {
  return Object.entries(program.options)
    .filter(([name]) => name !== fileFlagOf(program))
    .flatMap(([name, option]) => wordsFor(name, option));
}

/** The option of a key at the top of a file; a letter is no key, nor is the flag that names the file. */
export function optionOfFlatKey(program: Program<OptionTable>, key: string): string | undefined {
  const found = findOption(program.options, key);
  if (found === undefined || found.name === fileFlagOf(program)) return undefined;
  return wordsFor(found.name, found.option).includes(key) ? found.name : undefined;
}

/** `keepFor` and `keep-for` are the same key. */
export function dashed(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
