import { statSync } from 'node:fs';
import type { ImportedTopic } from '../../../internal/doors/grpc/takeover/import-smq.ts';
import { Failure } from '../../../internal/lib/failure.ts';
import { jsonLine, printableText } from '../../../internal/lib/printable.ts';
import { openLogs } from '../../cli/open-logs.ts';
import { UsageError } from '../../cli/options/program.ts';
import { command, complain } from '../../cli/run-program.ts';
import { counted } from '../report.ts';
import { importSmqProgram } from './flags.ts';
import { Progress, percentOf } from './progress.ts';
import { stoppableCopy } from './stoppable-copy.ts';

const NAME = importSmqProgram.name;

export const importSmq = command(importSmqProgram, async ({ values, operands, stop }) => {
  const [file] = operands;
  const into = values['data-dir'];
  demandFile(file);
  // Only who imports needs a runtime that has SQLite.
  const takeover = await import('../../../internal/doors/grpc/takeover/import-smq.ts');
  const { isSqliteFile } = await import('../../../internal/doors/grpc/takeover/original-database.ts');
  // Before a folder comes to be for nothing.
  if (!isSqliteFile(file)) throw new Failure(`${file} is not a database of SMQ: it is no file of SQLite`);
  const logs = await openLogs(into, (text) => complain(NAME, text));
  const progress = new Progress(process.stderr, values.quiet);
  const topics = await stoppableCopy(
    stop,
    progress,
    () => logs.close(),
    () =>
      takeover.importSmq(file, logs, ({ topic, done, of }) =>
        progress.tell(() => `${printableText(topic)}: ${done} of ${of} messages (${percentOf(done, of)} %)`),
      ),
  );
  if (values.json) process.stdout.write(jsonLine({ from: file, into, topics }));
  else if (!values.quiet) process.stdout.write(summaryOf(topics, into));
  reportTaken(topics);
});

/** @throws UsageError where it is none. */
function demandFile(file: string): void {
  const found = statSync(file, { throwIfNoEntry: false });
  if (found === undefined) throw new UsageError(`there is no file ${file}`);
  if (!found.isFile()) throw new UsageError(`${file} is no file`);
}

function summaryOf(topics: readonly ImportedTopic[], into: string): string {
  const imported = topics.filter(({ outcome }) => outcome === 'imported');
  const messages = imported.reduce((sum, topic) => sum + topic.messages, 0);
  const before = topics.filter(({ outcome }) => outcome === 'before').length;
  const more = before === 0 ? '' : `; ${counted(before, 'topic')} had been copied before`;
  return `Copied ${counted(imported.length, 'topic')} with ${counted(messages, 'message')} into ${into}${more}.\n`;
}

/** @throws Failure where anything was left out: a script should not take it for a success. */
function reportTaken(topics: readonly ImportedTopic[]): void {
  const taken = topics.filter(({ outcome }) => outcome === 'taken');
  for (const { topic } of taken)
    complain(NAME, `topic '${topic}': there is another one of that name already`);
  if (taken.length > 0) throw new Failure(`${counted(taken.length, 'topic')} left out, all others copied`);
}
