import { join } from 'node:path';
import { jsonLine } from '../../../internal/lib/printable.ts';
import type { BackedUp } from '../../../internal/store/data-folder/backup.ts';
import { LOGS_FOLDER } from '../../../internal/store/data-folder/logs-folder.ts';
import type { CopyProgress } from '../../../internal/store/sqlite/backup.ts';
import { UsageError } from '../../cli/options/program.ts';
import { command, complain, EXIT_DONE, EXIT_FAILED } from '../../cli/run-program.ts';
import { demandLogDirectory } from '../import/kafka.ts';
import { Progress, percentOf } from '../import/progress.ts';
import { reporter } from '../report.ts';
import { backupProgram } from './flags.ts';
import { snapshotFoldersOf, snapshotOfFolder } from './snapshots.ts';
import { toldByStore } from './told.ts';

export const backup = command(backupProgram, async ({ values, given, operands, stop }) => {
  const file = operands[0]!;
  const directories = values['kafka-log-dir'];
  const isOfKafka = directories.length > 0;
  if (isOfKafka && given.has('data-dir')) {
    throw new UsageError('-data-dir and -kafka-log-dir are two stores: make a backup of each');
  }
  const folder = isOfKafka ? directories.join(', ') : values['data-dir'];
  const progress = new Progress(process.stderr, values.quiet);
  const tell = (copiedBytes: number, totalBytes: number) => {
    stop.throwIfAborted();
    progress.tell(() => `${percentOf(copiedBytes, totalBytes)} % of ${(totalBytes / 1e6).toFixed(1)} MB`);
  };
  const { bytes, damaged } = await toldByStore(stop, () =>
    isOfKafka ? backUpDirectories(directories, file, tell) : backUp(folder, file, tell),
  ).finally(() => progress.end());
  for (const { topic, partition, baseOffset, lastOffset } of damaged) {
    const where = `topic '${topic}' partition ${partition}, offsets ${baseOffset} to ${lastOffset}`;
    complain(backupProgram.name, `${where}: they are damaged in the store, and not in the backup`);
  }
  if (values.json) process.stdout.write(jsonLine({ from: folder, file, bytes, damaged: damaged.length }));
  else reporter(values.quiet)(`Copied the store of ${folder} into ${file} (${(bytes / 1e6).toFixed(1)} MB).`);
  return damaged.length === 0 ? EXIT_DONE : EXIT_FAILED;
});

async function backUpDirectories(
  directories: readonly string[],
  file: string,
  progress: CopyProgress,
): Promise<BackedUp> {
  for (const directory of directories) demandLogDirectory(directory);
  const { backUpLogDirectories } = await import('../../../internal/store/data-folder/backup.ts');
  return backUpLogDirectories(file, () => snapshotFoldersOf(directories), progress);
}

/** Only who copies needs a runtime that has SQLite. A folder without segment files is copied as the version before would. */
async function backUp(folder: string, file: string, progress: CopyProgress): Promise<BackedUp> {
  const { isFormatted } = await import('../../../internal/store/kafka-directory/format.ts');
  if (isFormatted(join(folder, LOGS_FOLDER))) {
    const { backUpFolder } = await import('../../../internal/store/data-folder/backup.ts');
    return backUpFolder(folder, file, () => snapshotOfFolder(folder), progress);
  }
  const { backUpStore } = await import('../../../internal/store/sqlite/backup.ts');
  return { bytes: await backUpStore(folder, file, progress), damaged: [] };
}
