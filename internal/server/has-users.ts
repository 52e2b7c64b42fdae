import { closeSync, fsyncSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { AccessStore, StoredAccess, StoredAccessChange } from '../access/access-store.ts';
import { systemReason } from '../lib/system-reason.ts';
import { StoreError } from '../store/store-error.ts';
import { syncDirectory } from '../store/sync-directory.ts';

/** Beside the store of a broker that has users or rules. */
export const HAS_USERS_FILE = 'tinymq.has-users';

const CONTENT =
  'The store in this folder has users or rules. Without them no broker starts here: see docs/security.md.\n';
const FILE_MODE = 0o600;

/**
 * The users and rules in a folder, with a file beside the store that says that there are some. A store that was damaged is
 * set aside and begins empty: without this file the broker would then be open to everybody.
 */
export class MarkedAccess implements AccessStore {
  readonly #entries: AccessStore;
  readonly #folder: string;

  constructor(entries: AccessStore, folder: string) {
    this.#entries = entries;
    this.#folder = folder;
  }

  async read(): Promise<StoredAccess> {
    const found = await this.#entries.read();
    const isEmpty = found.users.length + found.rules.length + found.limits.length === 0;
    if (isEmpty) checkNotMarked(this.#folder, 'its store has none: it was damaged, or replaced');
    else mark(this.#folder);
    return found;
  }

  /** The file goes before the last user and comes behind the first, so that it never says more than is there. */
  async write(changes: readonly StoredAccessChange[], isEmptyThen: boolean): Promise<void> {
    if (isEmptyThen) unmark(this.#folder);
    await this.#entries.write(changes, isEmptyThen);
    if (!isEmptyThen) mark(this.#folder);
  }
}

/** @throws StoreError `unsupported` where a folder had users, or nobody can say whether it had. */
export function checkNotMarked(folder: string, problem: string): void {
  const reason = markProblem(folder);
  if (reason === undefined) return;
  throw new StoreError(
    'unsupported',
    `${reason}, and ${problem}; the broker does not open to everybody instead. Restore the store, or name the users with -users FILE and remove ${join(folder, HAS_USERS_FILE)}`,
  );
}

/** Whether a folder says that its store has users; also where nobody can say. */
export function hasMark(folder: string): boolean {
  return markProblem(folder) !== undefined;
}

function markProblem(folder: string): string | undefined {
  try {
    statSync(join(folder, HAS_USERS_FILE));
    return `${folder} has users or rules`;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    return `${folder} may have users (${systemReason(error)})`;
  }
}

function mark(folder: string): void {
  const path = join(folder, HAS_USERS_FILE);
  if (statSync(path, { throwIfNoEntry: false }) !== undefined) return;
  const file = openSync(path, 'w', FILE_MODE);
  try {
    writeSync(file, CONTENT);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  syncDirectory(folder);
}

function unmark(folder: string): void {
  rmSync(join(folder, HAS_USERS_FILE), { force: true });
  syncDirectory(folder);
}
