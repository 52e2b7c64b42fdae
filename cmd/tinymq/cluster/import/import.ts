import { Failure } from '../../../../internal/lib/failure.ts';
import { printableText } from '../../../../internal/lib/printable.ts';
import { isInternalTopic } from '../../../../internal/log/names.ts';
import { StoreError } from '../../../../internal/store/store-error.ts';
import { command, complain, EXIT_DONE, EXIT_FAILED } from '../../../cli/run-program.ts';
import { print, printTable } from '../../access/output.ts';
import { countText } from '../../broker/words.ts';
import { Progress } from '../../import/progress.ts';
import { type RunningBroker, withBroker } from '../../reach/reach.ts';
import type { Place } from '../../reach/target.ts';
import { counted } from '../../report.ts';
import { clusterImportProgram } from '../flags.ts';
import { type CopiedGroups, copyGroups } from './copy-groups.ts';
import { type CopiedLog, LogCopy } from './copy-logs.ts';
import { type CopiedAccess, copyAccess, copyRetained } from './copy-rest.ts';
import type { Source } from './source.ts';

interface Imported extends CopiedAccess {
  readonly logs: readonly CopiedLog[];
  readonly groups: CopiedGroups;
  readonly retained: number;
  /** They stay where they are. */
  readonly sessionsLeft: number;
}

export const importFolder = command(clusterImportProgram, async (invocation) => {
  const { values, operands, stop } = invocation;
  const note = (line: string) => complain(clusterImportProgram.name, printableText(line));
  const progress = new Progress(process.stderr, values.quiet);
  // Only who imports needs a runtime that has SQLite.
  const { openSource } = await import('./source.ts');
  await using source = await toldAsFailure(() => openSource(operands[0]!, note));
  if (source.damaged > 0) note(`${counted(source.damaged, 'retained message')} cannot be read, and stay`);
  const imported = await withBroker(invocation, (broker) =>
    importInto(broker, invocation, source, { stop, progress, note, compares: !values['no-compare'] }),
  ).finally(() => progress.end());
  if (values.json) print(imported);
  else if (!values.quiet) printImported(imported);
  for (const refused of imported.groups.refused) note(refused);
  for (const { log, differing } of imported.logs) {
    if (differing?.length) note(`log ${log} is another one there: partitions ${differing.join(', ')}`);
  }
  const isSame = imported.logs.every(({ differing = [] }) => differing.length === 0);
  return isSame && imported.groups.refused.length === 0 ? EXIT_DONE : EXIT_FAILED;
});

interface Parts {
  readonly stop: AbortSignal;
  readonly progress: Progress;
  readonly compares: boolean;
  note(line: string): void;
}

async function importInto(
  broker: RunningBroker,
  place: Place,
  source: Source,
  { compares, ...parts }: Parts,
): Promise<Imported> {
  const copy = new LogCopy(source.logs, broker, parts);
  const topics = [...source.logs.topics()].filter(({ name }) => !isInternalTopic(name));
  const logs: CopiedLog[] = [];
  for (const topic of topics) logs.push(await copy.copy(topic));
  const groups = await copyGroups(source.groups, broker, place);
  const retained = await copyRetained(source.retained, broker);
  if (compares) for (const [index, topic] of topics.entries()) await copy.compare(topic, logs[index]!);
  const access = await copyAccess(source.access, broker);
  return { logs, groups, retained, ...access, sessionsLeft: source.sessions };
}

/** @throws Failure for what the store says against it */
async function toldAsFailure<T>(open: () => Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    const hint = error.code === 'locked' ? '; stop that broker, or import a backup of it' : '';
    throw new Failure(`${error.message}${hint}`);
  }
}

function printImported({ logs, groups, retained, users, rules, limits, sessionsLeft }: Imported): void {
  if (logs.length > 0) {
    printTable(
      ['LOG', 'PARTITIONS', 'OFFSETS', 'IMPORTED NOW', 'THERE'],
      logs.map(({ log, partitions, offsets, imported, differing }) => [
        ...[log, String(partitions), countText(offsets), countText(imported)],
        differing === undefined ? 'not compared' : differing.length === 0 ? 'the same' : 'differs',
      ]),
    );
  }
  const parts = [
    `${counted(groups.imported, 'offset')} of ${counted(groups.groups, 'group')}`,
    counted(retained, 'retained message'),
    `${counted(users, 'user')}, ${counted(rules, 'rule')} and ${counted(limits, 'limit')} are new there`,
  ];
  process.stdout.write(`${parts.join(', ')}.\n`);
  if (sessionsLeft > 0) {
    const stay = `${counted(sessionsLeft, 'session')}, with what waits in them, stay where they are.`;
    process.stdout.write(`${stay}\n`);
  }
}
