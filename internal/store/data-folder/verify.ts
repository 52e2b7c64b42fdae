import { dirname, join } from 'node:path';
import { isFormatted } from '../kafka-directory/format.ts';
import { removeSnapshot } from '../kafka-directory/snapshot.ts';
import { verifyKafkaDirectories } from '../kafka-directory/verify.ts';
import { type NameOfEntry, type Verified, type Verifying, verifyFolder } from '../sqlite/verify.ts';
import { LOGS_FOLDER } from './logs-folder.ts';

/** Makes a snapshot of logs and tells its folders; undefined where nobody has them, and they are read where they lie. */
export type TakeSnapshot = () => Promise<readonly string[] | undefined>;

/** Reads the whole store of a data folder; a broker may have it meanwhile. */
export async function* verifyDataFolder(
  directory: string,
  nameOfEntry: NameOfEntry,
  takeSnapshot: TakeSnapshot,
): Verifying {
  const values = yield* verifyFolder(directory, nameOfEntry);
  const logs = join(directory, LOGS_FOLDER);
  if (!isFormatted(logs)) return values;
  return bothOf(values, yield* verifyLogDirectories([logs], takeSnapshot));
}

/** The same for log directories. */
export async function* verifyLogDirectories(
  directories: readonly string[],
  takeSnapshot: TakeSnapshot,
): Verifying {
  const folders = await takeSnapshot();
  if (folders === undefined) return yield* verifyKafkaDirectories(directories);
  try {
    const found = yield* verifyKafkaDirectories(folders);
    // A snapshot has the same files, and nobody finds it afterwards.
    const problems = found.problems.map((problem) =>
      folders.reduce((text, folder) => text.replaceAll(folder, dirname(folder)), problem),
    );
    return { ...found, problems };
  } finally {
    await removeSnapshot(folders);
  }
}

function bothOf(values: Verified, logs: Verified): Verified {
  return {
    topics: values.topics + logs.topics,
    batches: values.batches + logs.batches,
    records: values.records + logs.records,
    bytes: values.bytes + logs.bytes,
    entries: values.entries + logs.entries,
    unchecked: values.unchecked + logs.unchecked,
    problems: [...values.problems, ...logs.problems],
  };
}
