import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Values } from '../../internal/config/option.ts';
import { UsageError } from '../../internal/config/program.ts';
import type { publisherProgram } from '../../internal/config/publisher.ts';

type PublisherValues = Pick<
  Values<typeof publisherProgram.options>,
  'message' | 'file' | 'stdin-lines' | 'interval' | 'count'
>;
type Payload = string | Uint8Array;

/**
 * What to publish and when: each payload comes out when it is its turn.
 *
 * @throws UsageError where there is not exactly one source, or the file cannot be read.
 */
export function payloadsOf(values: PublisherValues, stop: AbortSignal): AsyncIterable<Payload> {
  const sources = [values.message, values.file, values['stdin-lines'] || undefined];
  if (sources.filter((source) => source !== undefined).length !== 1) {
    throw new UsageError('say what to publish by one of -message, -file and -stdin-lines');
  }
  const { interval } = values;
  if (values['stdin-lines']) return paced(limited(linesOfInput(stop), values.count), interval, stop);
  const payload = values.message ?? contentOf(values.file!);
  const count = values.count ?? (interval === undefined ? 1 : Number.POSITIVE_INFINITY);
  return paced(repeated(payload, count), interval, stop);
}

function contentOf(file: string): Uint8Array {
  try {
    return readFileSync(file === '-' ? 0 : file);
  } catch (error) {
    throw new UsageError(`-file: cannot read ${file}: ${(error as NodeJS.ErrnoException).code}`);
  }
}

async function* linesOfInput(stop: AbortSignal): AsyncIterable<string> {
  const lines = createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY });
  stop.addEventListener('abort', () => lines.close());
  yield* lines;
  process.stdin.destroy();
}

async function* limited<T>(items: AsyncIterable<T>, count = Number.POSITIVE_INFINITY): AsyncIterable<T> {
  let taken = 0;
  for await (const item of items) {
    yield item;
    if (++taken >= count) return;
  }
}

async function* repeated(payload: Payload, count: number): AsyncIterable<Payload> {
  for (let sent = 0; sent < count; sent++) yield payload;
}

/** Keeps to the clock: a pause is shorter when sending took time. */
async function* paced<T>(
  items: AsyncIterable<T>,
  pauseMs: number | undefined,
  stop: AbortSignal,
): AsyncIterable<T> {
  let due = performance.now();
  let isFirst = true;
  for await (const item of items) {
    if (pauseMs !== undefined && !isFirst) {
      due = Math.max(due + pauseMs, performance.now() - pauseMs);
      await sleep(Math.max(0, due - performance.now()), undefined, { signal: stop }).catch(() => {});
    }
    isFirst = false;
    if (stop.aborted) return;
    yield item;
  }
}
