import { jsonLine } from '../../../internal/lib/printable.ts';
import { entryName } from '../../../internal/persistence/entry-keys.ts';
import type { Verifying } from '../../../internal/store/sqlite/verify.ts';
import { type Command, complain, EXIT_DONE, EXIT_FAILED, invocationOf } from '../../cli/run-program.ts';
import { Progress } from '../import/progress.ts';
import { reporter } from '../report.ts';
import { verifyProgram } from './flags.ts';
import { logsSnapshotByBroker, snapshotFoldersByBroker } from './snapshots.ts';
import { toldByStore } from './told.ts';
import { contentText, readWhole } from './verifying.ts';

export const verify: Command = {
  program: verifyProgram,
  async run(argv, context) {
    const { values, operands, stop } = await invocationOf(verifyProgram, argv, context);
    const [file] = operands;
    const directories = values['kafka-log-dir'];
    const what = file ?? (directories.length > 0 ? directories.join(', ') : values['data-dir']);
    const progress = new Progress(process.stderr, values.quiet);
    const found = await toldByStore(stop, () =>
      verifying(file, directories, values['data-dir']).then((reading) => readWhole(reading, progress, stop)),
    );
    const isWhole = found.problems.length === 0;
    if (values.json) process.stdout.write(jsonLine({ verified: what, isWhole, ...found }));
    for (const problem of found.problems) complain(verifyProgram.name, problem);
    if (isWhole && !values.json) reporter(values.quiet)(`${what} is whole: ${contentText(found)}.`);
    return isWhole ? EXIT_DONE : EXIT_FAILED;
  },
};

/** Only who verifies needs a runtime that has SQLite. */
async function verifying(
  file: string | undefined,
  directories: readonly string[],
  folder: string,
): Promise<Verifying> {
  if (file !== undefined) {
    const { verifyBackup } = await import('../../../internal/store/sqlite/verify.ts');
    return verifyBackup(file, entryName);
  }
  const { verifyDataFolder, verifyLogDirectories } = await import(
    '../../../internal/store/data-folder/verify.ts'
  );
  if (directories.length > 0) {
    return verifyLogDirectories(directories, () => snapshotFoldersByBroker(directories));
  }
  return verifyDataFolder(folder, entryName, () => logsSnapshotByBroker(folder));
}
