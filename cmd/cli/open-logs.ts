import * as grpcLimits from '../../internal/limits/grpc.ts';
import * as logLimits from '../../internal/limits/log.ts';
import { Logs } from '../../internal/log/logs.ts';

/**
 * Opens the topics in a broker's folder without a broker, for a copy into them. Nothing is deleted that does not say so
 * itself.
 *
 * @param say is told of what fails in the background, in lines for people.
 * @throws StoreError where the folder cannot be used, for example because a broker has it.
 */
export async function openLogs(directory: string, say: (line: string) => void): Promise<Logs> {
  const { SqliteStore } = await import('../../internal/store/sqlite/sqlite-store.ts');
  const logs = new Logs({
    store: new SqliteStore({ directory, fsync: 'commit' }),
    tailCacheBytes: grpcLimits.grpcBatchBytes,
    retentionEveryMs: logLimits.retentionEveryMs,
    retentionMs: 0,
    retentionBytes: 0,
    logger: { info: () => {}, error: (fields, message) => say(`${message}: ${JSON.stringify(fields)}`) },
  });
  await logs.open();
  return logs;
}
