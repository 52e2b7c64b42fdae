import { fstatSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';

/** Whether an open file still has a name. What is written into one that was removed is gone when it is closed. */
export function isNamed({ fd }: FileHandle): boolean {
  return fstatSync(fd).nlink > 0;
}

/** @throws Error where somebody removed the file */
export function demandNamed(handle: FileHandle, path: string): void {
  if (!isNamed(handle)) throw new Error(`${path} was removed while the broker had it open`);
}
