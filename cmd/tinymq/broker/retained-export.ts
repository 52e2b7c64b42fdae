import type { FileHandle } from 'node:fs/promises';
import { exportRetained } from '../../../internal/admin/operations/retained.ts';
import { jsonLine } from '../../../internal/lib/printable.ts';
import { command } from '../../cli/run-program.ts';
import { report } from '../access/output.ts';
import { Progress, percentOf } from '../import/progress.ts';
import { type RunningBroker, withBroker } from '../reach/reach.ts';
import { counted } from '../report.ts';
import { retainedExportProgram } from './flags.ts';
import { intoNewFile } from './new-file.ts';

const PAGE_MESSAGES = 1_000;

export const exportRetainedMessages = command(retainedExportProgram, async (invocation) => {
  const file = invocation.operands[0]!;
  const { filter, quiet } = invocation.values;
  const progress = new Progress(process.stderr, quiet);
  const messages = await intoNewFile(file, (handle) =>
    withBroker(invocation, (broker) => copy(broker, filter, handle, progress, invocation.stop)),
  ).finally(() => progress.end());
  report(
    invocation.values,
    { file, messages },
    `Wrote ${counted(messages, 'retained message')} into ${file}.`,
  );
});

/** @returns how many there were. */
async function copy(
  broker: RunningBroker,
  filter: string | undefined,
  handle: FileHandle,
  progress: Progress,
  stop: AbortSignal,
): Promise<number> {
  let count = 0;
  let after: string | undefined;
  do {
    stop.throwIfAborted();
    const { messages, total, next } = await broker.call(exportRetained, {
      ...{ filter, after, limit: PAGE_MESSAGES },
    });
    await handle.appendFile(messages.map(jsonLine).join(''));
    count += messages.length;
    progress.tell(() => `${count} of ${total} messages (${percentOf(count, Math.max(count, total))} %)`);
    after = next;
  } while (after !== undefined);
  return count;
}
