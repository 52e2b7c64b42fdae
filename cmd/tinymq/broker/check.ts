import { showOverview } from '../../../internal/admin/operations/overview.ts';
import { printableText } from '../../../internal/lib/printable.ts';
import type { Values as OptionValues } from '../../cli/options/option.ts';
import { UsageError } from '../../cli/options/program.ts';
import { type Command, type Context, invocationOf } from '../../cli/run-program.ts';
import { print } from '../access/output.ts';
import { NotRunning, withBroker } from '../reach/reach.ts';
import { counted } from '../report.ts';
import { type Finding, STATES, type State } from './finding.ts';
import { checkProgram } from './flags.ts';
import { prometheusText } from './prometheus-text.ts';
import type { Overview } from './status.ts';

type Values = OptionValues<typeof checkProgram.options>;

/** Whatever goes wrong is an answer here too: a monitoring system reads the exit code and the first line. */
export const check: Command = {
  program: checkProgram,
  async run(argv, context) {
    const { finding, values } = await checked(argv, context);
    if (values?.json) print({ ...finding, exitCode: STATES[finding.state] });
    else if (values?.format === 'prometheus') process.stdout.write(prometheusText(finding));
    else process.stdout.write(`${nagiosLine(finding)}\n`);
    return STATES[finding.state];
  },
};

async function checked(
  argv: readonly string[],
  context: Context,
): Promise<{ finding: Finding; values: Values | undefined }> {
  let values: Values | undefined;
  try {
    const invocation = await invocationOf(checkProgram, argv, context);
    values = invocation.values;
    const overview = await withBroker(invocation, (broker) => broker.call(showOverview, {}));
    return { finding: findingOf(overview), values };
  } catch (error) {
    const isOurs = error instanceof UsageError || (error instanceof Error && error.name === 'Failure');
    if (!isOurs || context.stop.aborted) throw error;
    const state = error instanceof NotRunning ? 'CRITICAL' : 'UNKNOWN';
    return { finding: { state, said: error.message, overview: undefined }, values };
  }
}

const STATE_OF_HEALTH: Readonly<Record<string, State>> = { pass: 'OK', warn: 'WARNING', fail: 'CRITICAL' };

function findingOf(overview: Overview): Finding {
  const { health, checks, doors, version } = overview;
  const problems = Object.entries(checks).filter(([, { status }]) => status !== 'pass');
  const connections = doors.reduce((sum, door) => sum + door.connections, 0);
  const said =
    problems.length === 0
      ? `tinymq ${version}, ${counted(connections, 'connection')}`
      : problems.map(([name, { problem, status }]) => `${name}: ${problem ?? status}`).join('; ');
  return { state: STATE_OF_HEALTH[health] ?? 'UNKNOWN', said, overview };
}

/** Text and performance data, as the guidelines of the Nagios plugins have them. */
function nagiosLine({ state, said, overview }: Finding): string {
  // The bar and line breaks have a meaning there.
  const text = printableText(said).replaceAll('|', '/');
  return `TINYMQ ${state} - ${text}${overview === undefined ? '' : ` | ${performanceData(overview)}`}`;
}

function performanceData({
  doors,
  store,
  sessions,
  subscriptions,
  retained,
  logs,
  droppedByCode,
}: Overview): string {
  const sum = (field: 'connections' | 'messagesIn' | 'messagesOut') =>
    doors.reduce((all, door) => all + door[field], 0);
  const dropped = Object.values(droppedByCode).reduce((all, count) => all + count, 0);
  const figures: [string, number | undefined, string?][] = [
    ['connections', sum('connections')],
    ['messages_in', sum('messagesIn'), 'c'],
    ['messages_out', sum('messagesOut'), 'c'],
    ['dropped', dropped, 'c'],
    ...(
      [
        ['sessions', sessions],
        ['subscriptions', subscriptions],
        ['retained', retained],
        ['logs', logs],
      ] as const
    ).map(([name, value]): [string, number] => [name, value]),
    ['store', store.bytes, 'B'],
    ['disk_free', store.freeBytes, 'B'],
  ];
  return figures
    .filter(([, value]) => value !== undefined)
    .map(([name, value, unit = '']) => `${name}=${value}${unit};;;0`)
    .join(' ');
}
