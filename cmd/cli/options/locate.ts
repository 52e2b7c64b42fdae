import { type Origin, UsageError, UsageErrors } from './program.ts';

/**
 * Does something with options. A fault that it finds in them begins with file, line and column where the option that the
 * message names comes from a file.
 *
 * @throws UsageError.
 */
export function locatingFaults<T>(origins: ReadonlyMap<string, Origin>, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const flags = [...error.message.matchAll(/(?<![\w-])-([a-z][a-z-]*)/g)].map((match) => match[1]);
    const named = [error.option ?? '', ...flags].find((name) => origins.has(name));
    const origin = named === undefined ? undefined : origins.get(named);
    if (origin?.kind !== 'file') throw error;
    throw new UsageErrors([`${origin.at}: ${error.message}`]);
  }
}
