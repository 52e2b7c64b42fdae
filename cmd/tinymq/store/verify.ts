import { jsonLine } from '../../../internal/lib/printable.ts';
import { entryName } from '../../../internal/persistence/entry-keys.ts';
import { type Command, complain, EXIT_DONE, EXIT_FAILED, invocationOf } from '../../cli/run-program.ts';
import { Progress } from '../import/progress.ts';
import { reporter } from '../report.ts';
import { verifyProgram } from './flags.ts';
import { toldByStore } from './told.ts';
import { contentText, readWhole } from './verifying.ts';

export const verify: Command = {
  program: verifyProgram,
  async run(argv, context) {
    const { values, operands, stop } = await invocationOf(verifyProgram, argv, context);
    const [file] = operands;
    const what = file ?? values['data-dir'];
    const { verifyBackup, verifyFolder } = await import('../../../internal/store/sqlite/verify.ts');
    const progress = new Progress(process.stderr, values.quiet);
    const found = await toldByStore(stop, () =>
      readWhole(
        file === undefined ? verifyFolder(what, entryName) : verifyBackup(file, entryName),
        progress,
        stop,
      ),
    );
    const isWhole = found.problems.length === 0;
    if (values.json) process.stdout.write(jsonLine({ verified: what, isWhole, ...found }));
    for (const problem of found.problems) complain(verifyProgram.name, problem);
    if (isWhole && !values.json) reporter(values.quiet)(`${what} is whole: ${contentText(found)}.`);
    return isWhole ? EXIT_DONE : EXIT_FAILED;
  },
};
