import { accessSync, constants, existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { systemReason } from '../lib/system-reason.ts';
import { makeDirectory } from '../store/make-directory.ts';
import { STORE_FILE } from '../store/sqlite/store-file.ts';
import { StoreError } from '../store/store-error.ts';

/** Only the broker's user reads what clients said. */
const FOLDER_MODE = 0o700;

/**
 * Sees to it that a folder can be used before anybody relies on it.
 *
 * @param isMade whether to make it where it is missing; otherwise it is enough that it could be made.
 * @throws StoreError `unsupported`
 */
export function checkDataFolder(folder: string, isMade: boolean): void {
  try {
    if (isMade) makeDirectory(folder, FOLDER_MODE);
    accessSync(nearestExisting(folder), constants.R_OK | constants.W_OK | constants.X_OK);
    const file = join(folder, STORE_FILE);
    if (existsSync(file)) accessSync(file, constants.R_OK | constants.W_OK);
  } catch (error) {
    const reason = `the data folder ${folder} cannot be used: ${systemReason(error)}`;
    throw new StoreError('unsupported', reason, { cause: error });
  }
}

function nearestExisting(path: string): string {
  const parent = dirname(path);
  return existsSync(path) || parent === path ? path : nearestExisting(parent);
}
