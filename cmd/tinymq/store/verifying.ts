import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Verified, Verifying } from '../../../internal/store/sqlite/verify.ts';
import type { Progress } from '../import/progress.ts';
import { counted } from '../report.ts';

/** Reads to the end, unless somebody stops it. */
export async function readWhole(
  verifying: Verifying,
  progress: Progress,
  stop: AbortSignal,
): Promise<Verified> {
  try {
    for (;;) {
      const { done, value } = await verifying.next();
      if (done) return value;
      progress.tell(
        () => `${counted(value.batches, 'batch', 'es')}, ${(value.bytes / 1e6).toFixed(1)} MB read`,
      );
      await nextTurn();
      stop.throwIfAborted();
    }
  } finally {
    // Where it was stopped on its way, this closes the file.
    await verifying.return(undefined as never);
    progress.end();
  }
}

/** What was read, in words. */
export function contentText({ topics, records, bytes, entries, unchecked }: Verified): string {
  const logs = `${counted(topics, 'topic')} with ${counted(records, 'message')} (${(bytes / 1e6).toFixed(1)} MB)`;
  const others = `${logs} and ${entries.toLocaleString('en-US')} other ${entries === 1 ? 'entry' : 'entries'}`;
  if (unchecked === 0) return others;
  return `${others}; ${counted(unchecked, 'row')} from an older version ${unchecked === 1 ? 'has' : 'have'} no checksum and could only be read`;
}
