import { type AccessStore, keepsNothing } from '../access/access-store.ts';
import { AccessDirectory } from '../access/directory.ts';
import { AccessEntries } from '../persistence/access-entries.ts';
import { checkNotMarked, MarkedAccess } from './has-users.ts';
import { isEntryStore, type OpenEntries } from './session-store.ts';
import type { LogsOptions, OpenLogs } from './storage.ts';

/** What tells where users and rules lie. */
export interface AccessParts {
  options: LogsOptions;
  kept: OpenLogs | undefined;
  /** Undefined where sessions are kept in memory. */
  entries: OpenEntries | undefined;
}

/**
 * Reads users and rules.
 *
 * @throws Error where they cannot be read: a broker that has users never opens without them.
 */
export function openAccess(parts: AccessParts): Promise<AccessDirectory> {
  return AccessDirectory.open(storeOf(parts));
}

function storeOf({ options, kept, entries }: AccessParts): AccessStore {
  const { memory, kafkaLogDirs, dataDir } = options;
  if (memory) return keepsNothing;
  if (kafkaLogDirs !== undefined && kept !== undefined && isEntryStore(kept.store))
    return new MarkedAccess(new AccessEntries(kept.store), kafkaLogDirs.directories[0]!);
  if (dataDir === undefined) return keepsNothing;
  if (entries === undefined || !entries.hasEntries) checkNotMarked(dataDir, 'its store cannot be read');
  if (entries === undefined) return keepsNothing;
  const kind = new MarkedAccess(new AccessEntries(entries.store), dataDir);
  return entries.hasEntries ? kind : { ...keepsNothing, write: (...changes) => kind.write(...changes) };
}
