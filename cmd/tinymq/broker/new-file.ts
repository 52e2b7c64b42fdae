import { type FileHandle, open, rm } from 'node:fs/promises';
import { Failure } from '../../../internal/lib/failure.ts';
import { systemReason } from '../../../internal/lib/system-reason.ts';

/** Messages may be secret: only the owner reads them. Nothing is left where it fails. @throws Failure where it cannot be written. */
export async function intoNewFile<T>(file: string, write: (handle: FileHandle) => Promise<T>): Promise<T> {
  const failed = (error: unknown): never => {
    throw new Failure(`cannot write ${file}: ${systemReason(error)}`);
  };
  const handle = await open(file, 'wx', 0o600).catch(failed);
  try {
    const result = await write(handle);
    await handle.sync();
    return result;
  } catch (error) {
    await rm(file, { force: true });
    if (['write', 'fsync'].includes((error as NodeJS.ErrnoException).syscall ?? '')) failed(error);
    throw error;
  } finally {
    await handle.close();
  }
}
