import { runBroker } from '../broker/command.ts';
import { brokerProgram } from '../broker/flags.ts';
import {
  type Command,
  complain,
  EXIT_DONE,
  EXIT_FAILED,
  EXIT_USAGE,
  runCommand,
} from '../cli/run-program.ts';
import { dataFolderOf, takeOver } from './database.ts';
import { readSmqCommandLine } from './flags.ts';

const smqCommand: Command = {
  program: { ...brokerProgram, name: 'smq' },
  async run(argv, context) {
    const read = readSmqCommandLine(argv, process.env, brokerProgram.options);
    if (read.kind !== 'run') {
      // As the original does, both go to the standard error.
      if (!(await isWritten(read.text))) return EXIT_FAILED;
      return read.kind === 'help' ? EXIT_DONE : EXIT_USAGE;
    }
    const dataFolder = dataFolderOf(read.dbPath);
    const line = async () => ({ argv: [...read.broker, '-data-dir', dataFolder] });
    return runBroker('smq', line, context, {
      prepare: () => takeOver(read.dbPath, dataFolder, (line) => complain('smq', line)),
      started() {
        for (const note of read.notes) process.stderr.write(`${note}\n`);
      },
    });
  },
};

function isWritten(text: string): Promise<boolean> {
  return new Promise((resolve) => process.stderr.write(text, (error) => resolve(!error)));
}

runCommand(smqCommand);
