import { closeSync, fsyncSync, openSync } from 'node:fs';

/** Makes new, renamed and removed names last. */
export function syncDirectory(directory: string): void {
  sync(directory, 'r');
}

/** Makes what was written into a file last. */
export function syncFile(file: string): void {
  sync(file, 'r+');
}

function sync(path: string, flags: 'r' | 'r+'): void {
  const fd = openSync(path, flags);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
