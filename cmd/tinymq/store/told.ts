import { Failure } from '../../../internal/lib/failure.ts';
import { systemReason } from '../../../internal/lib/system-reason.ts';

/**
 * Runs work on the files of a store.
 *
 * @throws Failure with one line for what the system or SQLite says; the reason of `stop` where that ended it.
 */
export async function toldByStore<T>(stop: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (stop.aborted) throw stop.reason;
    const { code, path } = error as NodeJS.ErrnoException;
    if (typeof code === 'string' && /^E[A-Z]+$/.test(code)) {
      throw new Failure(`${path === undefined ? '' : `${path}: `}${systemReason(error)}`);
    }
    throw error;
  }
}
