import type { FileHandle } from 'node:fs/promises';
import { listLogs, showLog } from '../../../internal/admin/operations/logs.ts';
import { exportLog } from '../../../internal/admin/operations/records.ts';
import { quoted } from '../../../internal/errors.ts';
import { jsonLine } from '../../../internal/lib/printable.ts';
import type { OffsetSpan } from '../../../internal/live/log-records.ts';
import { isInternalTopic } from '../../../internal/log/names.ts';
import { topicConfig } from '../../../internal/log/topic-configs.ts';
import { command, complain, EXIT_DONE, EXIT_FAILED } from '../../cli/run-program.ts';
import { report } from '../access/output.ts';
import { Progress, percentOf } from '../import/progress.ts';
import { type LogKeeper, withLogs } from '../reach/logs.ts';
import { counted } from '../report.ts';
import { logsExportProgram } from './flags.ts';
import { intoNewFile } from './new-file.ts';
import { allPages } from './pages.ts';

/** The line before the records of a log. */
export interface LogLine {
  readonly log: string;
  readonly partitions: number;
  /** As they were set for it. */
  readonly settings: Readonly<Record<string, string>>;
}

/** The last line, by which a file that was cut is known. */
export interface EndLine {
  readonly records: number;
}

const MOST_LOGS = 1_000_000;

/** Offsets that a batch had which is damaged. */
interface Damaged extends OffsetSpan {
  readonly log: string;
  readonly partition: number;
}

export const exportLogs = command(logsExportProgram, async (invocation) => {
  const [file, ...named] = invocation.operands;
  const { values, stop } = invocation;
  const progress = new Progress(process.stderr, values.quiet);
  const damaged: Damaged[] = [];
  const done = await withLogs(logsExportProgram.name, invocation, false, (keeper) =>
    intoNewFile(file!, async (handle) => {
      const names = named.length > 0 ? [...new Set(named)] : await allNames(keeper);
      let records = 0;
      for (const name of names) {
        records += await copyLog(keeper, name, handle, progress, stop, (found) => damaged.push(found));
      }
      await handle.appendFile(jsonLine({ records } satisfies EndLine));
      return { logs: names.length, records };
    }),
  ).finally(() => progress.end());
  for (const { log, partition, first, last } of damaged) {
    const where = `log ${quoted(log)} partition ${partition}, offsets ${first} to ${last}`;
    complain(logsExportProgram.name, `${where}: damaged on the disk, left out`);
  }
  report(
    values,
    { file, ...done, damaged },
    `Wrote ${counted(done.records, 'record')} of ${counted(done.logs, 'log')} into ${file}.`,
  );
  return damaged.length === 0 ? EXIT_DONE : EXIT_FAILED;
});

async function allNames(keeper: LogKeeper): Promise<string[]> {
  const logs = await allPages(
    MOST_LOGS,
    (page) => keeper.call(listLogs, page),
    (page) => page.logs,
  );
  return logs.map(({ name }) => name).filter((name) => !isInternalTopic(name));
}

/** @returns how many records there were. */
async function copyLog(
  keeper: LogKeeper,
  name: string,
  handle: FileHandle,
  progress: Progress,
  stop: AbortSignal,
  tellDamaged: (damaged: Damaged) => void,
): Promise<number> {
  const { partitionCount, settings } = await keeper.call(showLog, { name });
  const known = Object.entries(settings).filter(([setting]) => topicConfig(setting) !== undefined);
  const line: LogLine = { log: name, partitions: partitionCount, settings: Object.fromEntries(known) };
  await handle.appendFile(jsonLine(line));
  let count = 0;
  for (let partition = 0; partition < partitionCount; partition++) {
    let from: number | undefined = 0;
    // What comes while it is copied is not waited for.
    for (let until: number | undefined; from !== undefined && from < (until ?? 1 + from); ) {
      stop.throwIfAborted();
      const page: Awaited<ReturnType<typeof exportLog.run>> = await keeper.call(exportLog, {
        name,
        partition,
        from,
      });
      const { records, next, end, damaged } = page;
      until ??= end;
      if (damaged !== undefined) tellDamaged({ log: name, partition, ...damaged });
      await handle.appendFile(records.map(jsonLine).join(''));
      count += records.length;
      from = next;
      const at = Math.min(next ?? until, until);
      progress.tell(() => `${name} [${partition}]: ${at} of ${until} (${percentOf(at, until ?? 0)} %)`);
    }
  }
  return count;
}
