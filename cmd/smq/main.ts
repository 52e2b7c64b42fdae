import { brokerProgram } from '../../internal/config/broker.ts';
import { readSmqCommandLine } from '../../internal/config/smq.ts';
import { brokerCommand } from '../broker/command.ts';
import { complain, runCommands } from '../shared/run-program.ts';
import { dataFolderOf, takeOver } from './database.ts';

const read = readSmqCommandLine(process.argv.slice(2), process.env, brokerProgram.options);
if (read.kind === 'run') {
  try {
    const dataFolder = dataFolderOf(read.dbPath);
    await takeOver(read.dbPath, dataFolder, (line) => complain('smq', line));
    for (const note of read.notes) process.stderr.write(`${note}\n`);
    const argv = [...read.broker, '-data-dir', dataFolder];
    await runCommands('smq', () => ({ command: brokerCommand, argv }));
  } catch (error) {
    complain('smq', (error as Error).message);
    process.exitCode = 1;
  }
} else {
  process.stderr.write(read.text);
  process.exitCode = read.kind === 'help' ? 0 : 2;
}
