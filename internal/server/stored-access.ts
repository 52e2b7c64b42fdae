import { AccessDirectory } from '../access/directory.ts';
import { DirectoryPolicy } from '../access/directory-policy.ts';
import { RulePolicy } from '../access/rules/rule-policy.ts';
import { Standing } from '../access/standing.ts';
import { HashQueue } from '../access/users/hash-queue.ts';
import { passwordMaker } from '../access/users/passwords.ts';
import type { AdminParts } from '../admin/operation.ts';
import { AccessEntries } from '../persistence/access-entries.ts';
import type { EntryStore } from '../store/entry-store.ts';
import { sharedLogOf } from './access.ts';
import { MarkedAccess } from './has-users.ts';
import type { KafkaLogDirs } from './stored-logs.ts';

/** Users and rules of a broker that does not run. */
export interface StoredAccessParts extends AsyncDisposable {
  readonly parts: AdminParts;
}

/**
 * Opens the store in a folder, or in the directories of a Kafka, for users and rules.
 *
 * @throws StoreError where that cannot be done, for example because a broker has it.
 */
export async function openStoredAccess(place: string | KafkaLogDirs): Promise<StoredAccessParts> {
  const store = await storeIn(place);
  try {
    const folder = typeof place === 'string' ? place : place.directories[0]!;
    const directory = await AccessDirectory.open(new MarkedAccess(new AccessEntries(store), folder));
    const rules = new DirectoryPolicy(directory, new Standing(directory), new RulePolicy({ sharedLogOf }));
    const makePassword = passwordMaker(new HashQueue());
    return { parts: { directory, rules, makePassword }, [Symbol.asyncDispose]: () => store.close() };
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function storeIn(place: string | KafkaLogDirs): Promise<EntryStore & { close(): Promise<void> }> {
  if (typeof place === 'string') {
    const { SqliteStore } = await import('../store/sqlite/sqlite-store.ts');
    const store = new SqliteStore({ directory: place, fsync: 'commit' });
    await store.open();
    return store;
  }
  const { KafkaDirectoryStore } = await import('../store/kafka-directory/kafka-directory-store.ts');
  const store = new KafkaDirectoryStore({ ...place, directories: [...place.directories], fsync: 'commit' });
  await store.open();
  return store;
}
