import { note } from '../report.ts';
import type { Progress } from './progress.ts';

/**
 * Copies until all is there or the user stops it, and closes in any case: a copy whose stores are closed ends at its next
 * step, and what is there by then stays.
 *
 * @param close may be called more than once.
 * @throws what the copy throws; the reason of `stop` where that ended it
 */
export async function stoppableCopy<Result>(
  stop: AbortSignal,
  progress: Progress,
  close: () => Promise<unknown>,
  copy: () => Promise<Result>,
): Promise<Result> {
  const end = () => void close().catch(() => {});
  stop.addEventListener('abort', end);
  if (stop.aborted) end();
  let result: Result;
  try {
    result = await copy();
  } catch (error) {
    progress.end();
    if (!stop.aborted) throw error;
    note('Stopped; the same command goes on where it was.');
    throw stop.reason;
  } finally {
    stop.removeEventListener('abort', end);
    await close();
  }
  progress.end();
  return result;
}
