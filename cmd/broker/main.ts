import { runCommands } from '../cli/run-program.ts';
import { brokerCommand } from './command.ts';

runCommands('broker', () => ({ command: brokerCommand, argv: process.argv.slice(2) }));
