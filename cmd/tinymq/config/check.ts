import { type Command, invocationOf } from '../../cli/run-program.ts';
import { configCheckProgram } from './flags.ts';

export const check: Command = {
  program: configCheckProgram,
  async run(argv, context) {
    const { values, operands } = await invocationOf(configCheckProgram, argv, context);
    // All of a broker, which no other command needs.
    const { runBroker } = await import('../../broker/command.ts');
    const switches = [`-json=${values.json}`, `-quiet=${values.quiet}`];
    const line = ['-check-config', '-config', operands[0], ...switches];
    return runBroker(configCheckProgram.name, async () => ({ argv: line }), context);
  },
};
