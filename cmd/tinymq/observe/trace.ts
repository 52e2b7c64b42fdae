import { type ShownStep, traceMessages } from '../../../internal/admin/operations/trace.ts';
import { printableText } from '../../../internal/lib/printable.ts';
import { command } from '../../cli/run-program.ts';
import { print } from '../access/output.ts';
import { withBroker } from '../reach/reach.ts';
import { note } from '../report.ts';
import { traceProgram } from './flags.ts';

export const trace = command(traceProgram, async (invocation) => {
  const { values, operands } = invocation;
  const show = values.json ? print : (step: ShownStep) => void process.stdout.write(`${line(step)}\n`);
  const begun = () => {
    if (!values.json) note(`Watching for ${values.for} s.`);
  };
  await withBroker(invocation, (broker) =>
    broker.watch(traceMessages, { name: operands[0], for: values.for }, show, begun),
  );
});

/** When, what, with which topic and whom, and what else there is to say. */
function line({ at, step, topic, client, ...more }: ShownStep): string {
  const { filters, message, rule, ...fields } = more;
  const said = [
    ...(filters === undefined || filters.length === 0 ? [] : [`by ${filters.join(' and ')}`]),
    ...Object.entries(fields).map(([name, value]) => `${name}=${value}`),
    ...(message === undefined ? [] : [`(${message})`]),
    ...(rule === undefined || message?.includes(rule) ? [] : [rule]),
  ];
  const time = at.slice('2026-01-01T'.length, -1);
  return printableText([time, step.padEnd(12), topic ?? '-', client ?? '-', ...said].join('  '));
}
