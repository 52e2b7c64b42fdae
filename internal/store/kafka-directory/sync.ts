import type { FileHandle } from 'node:fs/promises';
import type { FsyncPolicy } from '../log-store.ts';
import type { Measure } from '../write-times.ts';

/** Resolves when what was written to a file lasts, as the store promises it. */
export type Sync = (handle: FileHandle) => Promise<void>;

/** @param took is told how long the disk took, in seconds. */
export function syncBy(fsync: FsyncPolicy, took: Measure | undefined): Sync {
  if (fsync === 'os') return async () => {};
  return async (handle) => {
    const beganMs = performance.now();
    await handle.datasync();
    took?.observe((performance.now() - beganMs) / 1_000);
  };
}
