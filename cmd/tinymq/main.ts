import { chooseCommand } from '../../internal/config/suite.ts';
import { runCommands } from '../shared/run-program.ts';
import { tinymqSuite } from './suite.ts';

await runCommands('tinymq', (version) => chooseCommand(tinymqSuite, process.argv.slice(2), version));
