import { chooseCommand } from '../cli/options/suite.ts';
import { runCommands } from '../cli/run-program.ts';
import { tinymqSuite } from './suite.ts';

runCommands('tinymq', (version) => chooseCommand(tinymqSuite, process.argv.slice(2), version));
