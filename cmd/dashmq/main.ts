import { brokerLineOfDashmq, dashmqProgram } from '../../internal/config/dashmq.ts';
import { runBroker } from '../broker/command.ts';
import { runProgram } from '../shared/run-program.ts';

await runProgram(dashmqProgram, ({ values, texts, operands, stop, version }) =>
  runBroker('dashmq', brokerLineOfDashmq(values, texts, operands), { stop, version }),
);
