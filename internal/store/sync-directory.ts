import { closeSync, fsyncSync, openSync } from 'node:fs';

/** Makes new, renamed and removed names last. */
export function syncDirectory(directory: string): void {
  const fd = openSync(directory, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
