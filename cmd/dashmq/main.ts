import { runBroker } from '../broker/command.ts';
import { type Command, invocationOf, runCommand } from '../cli/run-program.ts';
import { brokerLineOfDashmq, dashmqProgram } from './flags.ts';

const dashmqCommand: Command = {
  program: dashmqProgram,
  async run(argv, context) {
    const line = async () => {
      const { values, texts, operands, origins } = await invocationOf(dashmqProgram, argv, context);
      return { argv: brokerLineOfDashmq(values, texts, operands), origins };
    };
    return runBroker('dashmq', line, context);
  },
};

runCommand(dashmqCommand);
