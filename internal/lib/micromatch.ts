import { createRequire } from 'node:module';

type Micromatch = typeof import('micromatch');

let loaded: Micromatch | undefined;

/** The library for globs, loaded when the first one is tried: it takes some 15 ms of a start, and most brokers have none. */
export function micromatch(): Micromatch {
  loaded ??= createRequire(import.meta.url)('micromatch') as Micromatch;
  return loaded;
}
