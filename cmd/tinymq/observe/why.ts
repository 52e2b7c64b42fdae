import { type ShownFate, showFates } from '../../../internal/admin/operations/why.ts';
import { quoted } from '../../../internal/errors.ts';
import { printableText } from '../../../internal/lib/printable.ts';
import { command } from '../../cli/run-program.ts';
import { print } from '../access/output.ts';
import { withBroker } from '../reach/reach.ts';
import { whyProgram } from './flags.ts';

export const why = command(whyProgram, async (invocation) => {
  const { values, operands } = invocation;
  const [name] = operands;
  const question = { name, code: values.code, limit: values.limit };
  const { fates } = await withBroker(invocation, (broker) => broker.call(showFates, question));
  if (values.json) print(fates);
  else process.stdout.write(fates.length === 0 ? nothing(name) : `${fates.map(lines).join('\n\n')}\n`);
});

function nothing(name: string | undefined): string {
  const of = name === undefined ? '' : ` of ${quoted(name)}`;
  return `Nothing${of} was refused, dropped, expired, throttled or disconnected lately.\n`;
}

/** What happened, to whom and with what, and what to do. */
function lines(fate: ShownFate): string {
  const { at, outcome, code, message, rule, cause, remedy } = fate;
  const said = [
    `${at}  ${outcome}: ${code}${times(fate)}`,
    `  ${subject(fate)}`,
    `  why: ${message}`,
    ...(rule === undefined || message.includes(rule) ? [] : [`  rule: ${rule}`]),
    ...(cause === undefined ? [] : [`  cause: ${cause}`]),
    `  what to do: ${remedy}`,
  ];
  return said.map(printableText).join('\n');
}

function times({ count, since, bytes }: ShownFate): string {
  const often = count === 1 ? '' : ` (${count} times${since === undefined ? '' : ` since ${since}`})`;
  return bytes === undefined ? often : `${often}, ${bytes} bytes`;
}

function subject({ client, user, remote, door, topic }: ShownFate): string {
  const named = Object.entries({ client, user, topic, door, from: remote });
  const known = named.filter(([, value]) => value !== undefined);
  return known.length === 0
    ? 'nobody in particular'
    : known.map(([what, value]) => `${what} ${value}`).join(', ');
}
