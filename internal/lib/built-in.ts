import { getRawAsset, isSea } from 'node:sea';

/**
 * A file of the package that the program has in itself, where it is built as a single file (cmd/single-file). Undefined
 * everywhere else.
 *
 * @param name as in `dist`, such as `page/index.html`.
 * @returns bytes that must not be changed: they are the program's own.
 */
export function builtIn(name: string): Buffer | undefined {
  if (!isSea()) return undefined;
  try {
    return Buffer.from(getRawAsset(`${BUILT_IN}${name}`));
  } catch {
    // An app that is a single file too has other files in it.
    return undefined;
  }
}

/** What the names of these files begin with in the single file. */
export const BUILT_IN = 'tinymq/';
