import { brokerLineOfDashmq, dashmqProgram } from '../../internal/config/dashmq.ts';
import { brokerCommand } from '../broker/command.ts';
import { runProgram } from '../shared/run-program.ts';

await runProgram(dashmqProgram, ({ values, given, operands, stop, version }) =>
  brokerCommand.run(brokerLineOfDashmq(values, given, operands), { stop, version }),
);
