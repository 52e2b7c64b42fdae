import { chooseCommand } from '../cli/options/suite.ts';
import { runCommand, runCommands } from '../cli/run-program.ts';
import { brokerCommand } from './command.ts';

run(process.argv.slice(2));

function run(argv: readonly string[]): Promise<void> {
  return argv[0] === 'config' ? runConfiguration(argv) : runCommand(brokerCommand);
}

/** `broker config migrate` and the like: what `tinymq config` does, where only the broker is at hand. */
async function runConfiguration(argv: readonly string[]): Promise<void> {
  const { configuration } = await import('../tinymq/config/group.ts');
  const commands = configuration.commands.map((command) => ({
    ...command,
    program: { ...command.program, name: command.program.name.replace('tinymq', 'broker') },
  }));
  const suite = { name: 'broker', summary: 'Configures a broker.', groups: [{ ...configuration, commands }] };
  await runCommands('broker', (version) => chooseCommand(suite, argv, version));
}
