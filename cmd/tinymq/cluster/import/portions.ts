import { maxImportedMessages } from '../../../../internal/limits/admin.ts';
import { REQUEST_CHARACTERS } from '../../broker/json-lines.ts';

/** As many of them at a time as one request takes, and at least one. @param charactersOf about what one takes there */
export function* portionsOf<T>(all: readonly T[], charactersOf: (one: T) => number): Generator<readonly T[]> {
  let portion: T[] = [];
  let characters = 0;
  for (const one of all) {
    const size = charactersOf(one);
    const isFull = portion.length >= maxImportedMessages || characters + size > REQUEST_CHARACTERS;
    if (isFull && portion.length > 0) {
      yield portion;
      portion = [];
      characters = 0;
    }
    portion.push(one);
    characters += size;
  }
  if (portion.length > 0) yield portion;
}
