import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import type { LogStore } from '../../internal/store/log-store.ts';

/** New folders, and stores in them: after each test the stores are closed and the folders are gone. */
export function foldersOfStores(prefix: string) {
  const folders: string[] = [];
  const opened: LogStore[] = [];
  afterEach(async () => {
    for (const store of opened.splice(0)) await store.close();
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
  });
  const newFolder = (): string => {
    const folder = mkdtempSync(join(tmpdir(), prefix));
    folders.push(folder);
    return folder;
  };
  return { folders, opened, newFolder };
}
