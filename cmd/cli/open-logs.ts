import * as grpcLimits from '../../internal/limits/grpc.ts';
import type { Logs } from '../../internal/log/logs.ts';
import { type KafkaLogDirs, openStoredLogs } from '../../internal/server/stored-logs.ts';

/**
 * Opens the topics in a broker's folder without a broker, for a copy into them. Nothing is deleted that does not say so
 * itself.
 *
 * @param say is told of what fails in the background, in lines for people.
 * @throws StoreError where the folder cannot be used, for example because a broker has it.
 */
export async function openLogs(directory: string | KafkaLogDirs, say: (line: string) => void): Promise<Logs> {
  const { logs } = await openStoredLogs({
    place: directory,
    fsync: 'commit',
    keepForMs: 0,
    keepBytes: 0,
    // One batch: nobody reads what is copied.
    tailCacheBytes: grpcLimits.grpcBatchBytes,
    logger: {
      info: () => {},
      error: (fields, message) => {
        // Whoever reads a damaged batch is told by the read.
        if (!('kind' in fields && fields.kind === 'corrupt')) say(`${message}: ${JSON.stringify(fields)}`);
      },
    },
  });
  return logs;
}
