import { chooseCommand } from '../cli/options/suite.ts';
import { type Command, runCommands } from '../cli/run-program.ts';
import { brokerCommand } from './command.ts';

run(process.argv.slice(2));

async function run(argv: readonly string[]): Promise<void> {
  /** `broker config migrate` and the like: what `tinymq config` does, where only the broker is at hand. */
  const configuration = argv[0] === 'config' ? await configCommands() : undefined;
  await runCommands('broker', (version) =>
    configuration === undefined
      ? { command: brokerCommand, argv }
      : chooseCommand(
          {
            name: 'broker',
            summary: 'Configures a broker.',
            groups: [{ title: 'Configuration', commands: configuration }],
          },
          argv,
          version,
        ),
  );
}

async function configCommands(): Promise<readonly Command[]> {
  const { configuration: group } = await import('../tinymq/config/group.ts');
  return group.commands.map((command) => ({
    ...command,
    program: { ...command.program, name: command.program.name.replace('tinymq', 'broker') },
  }));
}
