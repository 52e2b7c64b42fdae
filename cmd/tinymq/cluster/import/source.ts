import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { AccessDirectory, type AccessSnapshot } from '../../../../internal/access/directory.ts';
import type { Message } from '../../../../internal/broker/delivery/publication.ts';
import * as grpcLimits from '../../../../internal/limits/grpc.ts';
import type { Logs } from '../../../../internal/log/logs.ts';
import { AccessEntries } from '../../../../internal/persistence/access-entries.ts';
import { KeyKind } from '../../../../internal/persistence/entry-keys.ts';
import { decodeRetained } from '../../../../internal/persistence/session-records.ts';
import { isEntryStore } from '../../../../internal/server/session-store.ts';
import { openStoredLogs } from '../../../../internal/server/stored-logs.ts';
import { type EntryStore, pagesOfEntries } from '../../../../internal/store/entry-store.ts';
import type { GroupOffset, LogStore } from '../../../../internal/store/log-store.ts';
import { STORE_FILE } from '../../../../internal/store/sqlite/store-file.ts';
import { UsageError } from '../../../cli/options/program.ts';

/** What the data folder of a broker that does not run has. */
export interface Source extends AsyncDisposable {
  readonly logs: Logs;
  readonly groups: ReadonlyMap<string, readonly GroupOffset[]>;
  /** Users, rules and limits of the store. */
  readonly access: AccessSnapshot;
  readonly retained: readonly Message[];
  /** How many sessions there are, which stay. */
  readonly sessions: number;
  /** Entries that cannot be read. */
  readonly damaged: number;
}

/**
 * @param say is told of what fails in the background.
 * @throws UsageError where there is no store; StoreError where it cannot be used, for example because a broker has it.
 */
export async function openSource(folder: string, say: (line: string) => void): Promise<Source> {
  if (!existsSync(join(folder, STORE_FILE)))
    throw new UsageError(`${folder} is no data folder of a broker: it has no ${STORE_FILE}`);
  const { logs, store, stored } = await openStoredLogs({
    place: folder,
    fsync: 'commit',
    ...{ keepForMs: 0, keepBytes: 0, tailCacheBytes: grpcLimits.grpcBatchBytes },
    logger: { info: () => {}, error: (fields, message) => say(`${message}: ${JSON.stringify(fields)}`) },
  });
  try {
    const entries = entriesOf(store);
    const { current: access } = await AccessDirectory.open(new AccessEntries(entries));
    const live = await readLive(entries);
    const close = () => logs.close();
    return { logs, groups: stored.groups, access, ...live, [Symbol.asyncDispose]: close };
  } catch (error) {
    await logs.close();
    throw error;
  }
}

function entriesOf(store: LogStore): EntryStore {
  if (!isEntryStore(store)) throw new TypeError('a data folder has entries');
  return store;
}

async function readLive(store: EntryStore): Promise<Pick<Source, 'retained' | 'sessions' | 'damaged'>> {
  const retained: Message[] = [];
  let [sessions, damaged] = [0, 0];
  for await (const entries of pagesOfEntries(store)) {
    for (const { key, value, isDamaged } of entries) {
      if (key[0] === KeyKind.session) sessions++;
      if (key[0] !== KeyKind.retained) continue;
      const message = isDamaged ? undefined : messageIn(value);
      if (message === undefined) damaged++;
      else retained.push(message);
    }
  }
  return { retained, sessions, damaged };
}

function messageIn(value: Uint8Array): Message | undefined {
  try {
    return decodeRetained(value);
  } catch {
    return undefined;
  }
}
