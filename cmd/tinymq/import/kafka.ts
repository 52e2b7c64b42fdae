import { readdirSync, statSync } from 'node:fs';
import { Failure } from '../../../internal/lib/failure.ts';
import { jsonLine } from '../../../internal/lib/printable.ts';
import type { ImportResult } from '../../../internal/store/import.ts';
import { UsageError } from '../../cli/options/program.ts';
import { command, complain } from '../../cli/run-program.ts';
import { counted } from '../report.ts';
import { importKafkaProgram } from './flags.ts';
import { Progress } from './progress.ts';
import { stoppableCopy } from './stoppable-copy.ts';

const METADATA_LOG = '__cluster_metadata-0';

export const importKafka = command(importKafkaProgram, async ({ values, operands, stop }) => {
  const [first] = operands;
  const directories = [first, ...values['log-dir']];
  for (const directory of directories) demandLogDirectory(directory);
  // Only who imports needs a runtime that has SQLite.
  const { importLogs } = await import('../../../internal/store/import.ts');
  const { KafkaDirectoryStore } = await import(
    '../../../internal/store/kafka-directory/kafka-directory-store.ts'
  );
  const { SqliteStore } = await import('../../../internal/store/sqlite/sqlite-store.ts');
  const from = new KafkaDirectoryStore({
    directories,
    metadataDirectory: values['metadata-dir'],
    fsync: 'commit',
  });
  const into = new SqliteStore({ directory: values['data-dir'], fsync: 'commit' });
  const progress = new Progress(process.stderr, values.quiet);
  const result = await stoppableCopy(
    stop,
    progress,
    () => Promise.allSettled([from.close(), into.close()]),
    () => importLogs(from, into, (step) => progress.show(step)),
  );
  if (values.json) process.stdout.write(jsonLine({ from: directories, into: values['data-dir'], ...result }));
  else if (!values.quiet) process.stdout.write(summaryOf(result, progress.copiedBytes, values['data-dir']));
  reportUnfinished(result.unfinished);
  reportDamage(result.damaged);
});

/** @throws UsageError where it is none: a store that is opened creates what is missing. */
export function demandLogDirectory(directory: string): void {
  const found = statSync(directory, { throwIfNoEntry: false });
  if (found === undefined) throw new UsageError(`there is no folder ${directory}`);
  if (!found.isDirectory()) throw new UsageError(`${directory} is no folder`);
  if (!readdirSync(directory).some((name) => name === 'meta.properties' || name === METADATA_LOG)) {
    throw new UsageError(`${directory} is no log directory of a Kafka: it has no meta.properties`);
  }
}

function summaryOf(
  { topicCount, batchCount, groupCount }: ImportResult,
  bytes: number,
  into: string,
): string {
  const counts = `${counted(topicCount, 'topic')}, ${counted(groupCount, 'group')}`;
  return `${counts} and ${counted(batchCount, 'new batch', 'es')} are in ${into}, ${(bytes / 1e6).toFixed(1)} MB in all.\n`;
}

/** No failure: Kafka aborts such a transaction at its next start. */
function reportUnfinished(unfinished: ImportResult['unfinished']): void {
  for (const { topic, partition, firstOffset } of unfinished) {
    complain(
      'tinymq import kafka',
      `partition ${partition} of topic '${topic}': a transaction without an end, from offset ${firstOffset} on, was left out`,
    );
  }
}

/** @throws Failure where anything was left out: a script should not take it for a success. */
function reportDamage(damaged: ImportResult['damaged']): void {
  for (const { topic, partition, baseOffset, lastOffset } of damaged) {
    complain(
      'tinymq import kafka',
      `partition ${partition} of topic '${topic}': offsets ${baseOffset} to ${lastOffset} are damaged and were left out`,
    );
  }
  if (damaged.length > 0)
    throw new Failure(`${counted(damaged.length, 'damaged batch', 'es')} left out, all others copied`);
}
