import { runBroker } from '../broker/command.ts';
import { runProgram } from '../cli/run-program.ts';
import { brokerLineOfDashmq, dashmqProgram } from './flags.ts';

await runProgram(dashmqProgram, ({ values, texts, operands, stop, version }) =>
  runBroker('dashmq', brokerLineOfDashmq(values, texts, operands), { stop, version }),
);
