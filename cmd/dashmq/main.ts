import { brokerLineOfDashmq, dashmqProgram } from '../../internal/config/dashmq.ts';
import { runProgram } from '../shared/run-program.ts';

let brokerLine: string[] | undefined;
await runProgram(dashmqProgram, async ({ values, given, operands }) => {
  brokerLine = brokerLineOfDashmq(values, given, operands);
});
if (brokerLine !== undefined) {
  process.argv = [...process.argv.slice(0, 2), ...brokerLine];
  await import('../broker/main.ts');
}
