import { Failure } from '../../../internal/lib/failure.ts';
import { jsonLine } from '../../../internal/lib/printable.ts';
import { entryName } from '../../../internal/persistence/entry-keys.ts';
import { openStoredAccess } from '../../../internal/server/stored-access.ts';
import { command, complain } from '../../cli/run-program.ts';
import { Progress } from '../import/progress.ts';
import { reporter } from '../report.ts';
import { restoreProgram } from './flags.ts';
import { toldByStore } from './told.ts';
import { contentText, readWhole } from './verifying.ts';

export const restore = command(restoreProgram, async ({ values, operands, stop }) => {
  const file = operands[0]!;
  const folder = values['data-dir'];
  const { restoreStore } = await import('../../../internal/store/sqlite/backup.ts');
  const { verifyBackup } = await import('../../../internal/store/sqlite/verify.ts');
  const progress = new Progress(process.stderr, values.quiet);
  const found = await toldByStore(stop, async () => {
    const verified = await readWhole(verifyBackup(file, entryName), progress, stop);
    for (const problem of verified.problems) complain(restoreProgram.name, problem);
    if (verified.problems.length > 0) throw new Failure(`${file} is damaged; nothing was restored`);
    await restoreStore(file, folder);
    // Opened once, the folder also says that it has users, so that no broker starts there without them.
    await using _stored = await openStoredAccess(folder);
    return verified;
  });
  if (values.json) process.stdout.write(jsonLine({ file, into: folder, ...shown(found) }));
  else reporter(values.quiet)(`Restored ${contentText(found)} into ${folder}.`);
});

function shown({ problems: _, ...rest }: { problems: string[] }): object {
  return rest;
}
