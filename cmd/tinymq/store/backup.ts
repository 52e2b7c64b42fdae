import { jsonLine } from '../../../internal/lib/printable.ts';
import { command } from '../../cli/run-program.ts';
import { Progress, percentOf } from '../import/progress.ts';
import { reporter } from '../report.ts';
import { backupProgram } from './flags.ts';
import { toldByStore } from './told.ts';

export const backup = command(backupProgram, async ({ values, operands, stop }) => {
  const file = operands[0]!;
  const folder = values['data-dir'];
  const progress = new Progress(process.stderr, values.quiet);
  // Only who copies needs a runtime that has SQLite.
  const { backUpStore } = await import('../../../internal/store/sqlite/backup.ts');
  const bytes = await toldByStore(stop, () =>
    backUpStore(folder, file, (copiedBytes, totalBytes) => {
      stop.throwIfAborted();
      progress.tell(() => `${percentOf(copiedBytes, totalBytes)} % of ${(totalBytes / 1e6).toFixed(1)} MB`);
    }),
  ).finally(() => progress.end());
  if (values.json) process.stdout.write(jsonLine({ from: folder, file, bytes }));
  else reporter(values.quiet)(`Copied the store of ${folder} into ${file} (${(bytes / 1e6).toFixed(1)} MB).`);
});
