import { type FileHandle, open, rm } from 'node:fs/promises';
import { exportRetained } from '../../../internal/admin/operations/retained.ts';
import { Failure } from '../../../internal/lib/failure.ts';
import { jsonLine } from '../../../internal/lib/printable.ts';
import { systemReason } from '../../../internal/lib/system-reason.ts';
import { command } from '../../cli/run-program.ts';
import { report } from '../access/output.ts';
import { Progress, percentOf } from '../import/progress.ts';
import { type RunningBroker, withBroker } from '../reach/reach.ts';
import { counted } from '../report.ts';
import { retainedExportProgram } from './flags.ts';

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
  await handle.sync();
  return count;
}

/** Payloads may be secret: only the owner reads them. Nothing is left where it fails. */
async function intoNewFile<T>(file: string, write: (handle: FileHandle) => Promise<T>): Promise<T> {
  const handle = await open(file, 'wx', 0o600).catch((error: unknown) => {
    throw new Failure(`cannot write ${file}: ${systemReason(error)}`);
  });
  try {
    return await write(handle);
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
}
