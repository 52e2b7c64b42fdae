import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { LOGS_FOLDER } from '../store/data-folder/logs-folder.ts';
import { STORE_FILE } from '../store/sqlite/store-file.ts';
import { StoreError } from '../store/store-error.ts';

/**
 * Refuses a data folder with logs, which a node of a cluster would not serve: its logs are those of the cluster.
 *
 * @throws StoreError `unsupported`, with what to do
 */
export async function refuseHiddenLogs(folder: string): Promise<void> {
  const count = Math.max(segmentedLogs(folder), await rowLogs(folder));
  if (count === 0) return;
  throw new StoreError(
    'unsupported',
    `the data folder ${folder} has ${count} ${count === 1 ? 'log' : 'logs'}, and a node of a cluster serves those of the cluster only: bring them there with tinymq logs export and tinymq logs import, or name another -data-dir`,
  );
}

/** Partitions in the form of segment files; Kafka's own topics aside. */
function segmentedLogs(folder: string): number {
  const logs = join(folder, LOGS_FOLDER);
  if (!existsSync(logs)) return 0;
  return readdirSync(logs).filter((name) => /^(?!__).+-\d+$/.test(name)).length;
}

/** Topics in the store of an older version. */
async function rowLogs(folder: string): Promise<number> {
  if (!existsSync(join(folder, STORE_FILE))) return 0;
  const { SqliteStore } = await import('../store/sqlite/sqlite-store.ts');
  const store = new SqliteStore({ directory: folder, fsync: 'os' });
  try {
    return (await store.open()).topics.length;
  } catch {
    // Whoever opens it next says why it cannot be.
    return 0;
  } finally {
    await store.close();
  }
}
