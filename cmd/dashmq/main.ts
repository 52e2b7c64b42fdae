import { runBroker } from '../broker/command.ts';
import { type Command, invocationOf, runCommands } from '../cli/run-program.ts';
import { brokerLineOfDashmq, dashmqProgram } from './flags.ts';

const dashmqCommand: Command = {
  program: dashmqProgram,
  async run(argv, context) {
    const { values, texts, operands } = invocationOf(dashmqProgram, argv, context);
    return runBroker('dashmq', brokerLineOfDashmq(values, texts, operands), context);
  },
};

runCommands('dashmq', () => ({ command: dashmqCommand, argv: process.argv.slice(2) }));
