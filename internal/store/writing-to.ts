import { StoreUnavailableError, unavailableReason } from './store-error.ts';

/**
 * Runs work that writes a copy of a store.
 *
 * @param path of the copy: what the system and SQLite say of a full disk names the source, or nothing.
 * @throws StoreUnavailableError `disk-full` with the path; what the work throws.
 */
export async function writingTo<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (unavailableReason(error) !== 'disk-full') throw error;
    throw new StoreUnavailableError('disk-full', `cannot write ${path}: the disk is full`, { cause: error });
  }
}
