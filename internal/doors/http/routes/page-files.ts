import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { builtIn } from '../../../lib/built-in.ts';

export const INDEX = 'index.html';

/** The files of the built page. */
export interface PageFiles {
  /** Undefined where the page has no such file. */
  read(name: string): Uint8Array | undefined;
}

/** Those in the single file, or those beside the built broker, or in `dist` where it runs from its source. */
export function findPageFiles(beside: string): PageFiles | undefined {
  if (builtIn(`page/${INDEX}`) !== undefined) return { read: (name) => builtIn(`page/${name}`) };
  const folder = ['./page/', '../../../../dist/page/']
    .map((path) => fileURLToPath(new URL(path, beside)))
    .find((path) => existsSync(`${path}${INDEX}`));
  return folder === undefined ? undefined : filesIn(folder);
}

/** They are few and small, and browsers keep them: each is read when it is asked for, as a build may have made others. */
function filesIn(folder: string): PageFiles {
  return {
    // A name is only ever one of those that are there, never a path.
    read: (name) => (readdirSync(folder).includes(name) ? readFileSync(`${folder}${name}`) : undefined),
  };
}
