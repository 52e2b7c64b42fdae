import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemReason } from '../../internal/lib/system-reason.ts';
import type { Values } from '../cli/options/option.ts';
import { UsageError } from '../cli/options/program.ts';
import type { publisherProgram } from './flags.ts';
import { linesOf } from './lines.ts';

type PayloadValues = Pick<
  Values<typeof publisherProgram.options>,
  'message' | 'file' | 'stdin' | 'stdin-lines' | 'null' | 'interval' | 'count'
>;

/**
 * What to publish and when: each payload comes out when it is its turn.
 *
 * @param input where `-stdin-lines` and `-file -` read.
 * @param stop ends the sequence.
 * @throws UsageError where there is not exactly one source, or the file cannot be read.
 */
export async function payloadsOf(
  values: PayloadValues,
  input: NodeJS.ReadableStream,
  stop: AbortSignal,
): Promise<AsyncIterable<Uint8Array>> {
  const { message, file, stdin, null: isNull } = values;
  const sources = [message !== undefined, file !== undefined, stdin, values['stdin-lines'], isNull];
  if (sources.filter(Boolean).length !== 1) {
    throw new UsageError('say what to publish by one of -message, -file, -stdin, -stdin-lines and -null');
  }
  const { interval } = values;
  const turn = turnsOf(interval, stop);
  if (values['stdin-lines']) {
    return lines(linesOf(chunksOf(input, stop)), values.count ?? Number.POSITIVE_INFINITY, turn, stop);
  }
  const count = values.count ?? (interval === undefined ? 1 : Number.POSITIVE_INFINITY);
  return repeated(await sourceOf(values, input, stop), count, turn, stop);
}

/** The payload of the next message. */
type Source = () => Uint8Array | Promise<Uint8Array>;

async function sourceOf(
  values: PayloadValues,
  input: NodeJS.ReadableStream,
  stop: AbortSignal,
): Promise<Source> {
  const { message, file, interval } = values;
  if (message !== undefined) return always(Buffer.from(message));
  if (values.null) return always(new Uint8Array(0));
  if (values.stdin || file === '-') return always(await wholeOf(input, stop));
  const first = await contentOf(file!);
  if (interval === undefined) return always(first);
  let isFirst = true;
  return () => {
    if (!isFirst) return contentOf(file!);
    isFirst = false;
    return first;
  };
}

function always(payload: Uint8Array): Source {
  return () => payload;
}

async function contentOf(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new UsageError(`-file: cannot read ${file}: ${systemReason(error)}`);
  }
}

async function wholeOf(input: NodeJS.ReadableStream, stop: AbortSignal): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of chunksOf(input, stop)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** What arrives on a stream until it ends or the program is to stop. */
async function* chunksOf(input: NodeJS.ReadableStream, stop: AbortSignal): AsyncGenerator<Uint8Array> {
  const stream = input as NodeJS.ReadStream;
  const destroy = () => stream.destroy();
  stop.addEventListener('abort', destroy, { once: true });
  if (stop.aborted) destroy();
  try {
    yield* stream;
  } catch (error) {
    if (!stop.aborted) throw error;
  } finally {
    stop.removeEventListener('abort', destroy);
    // An input that goes on would keep the program alive.
    destroy();
  }
}

async function* lines(
  all: AsyncIterable<Uint8Array>,
  count: number,
  turn: Turn,
  stop: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let taken = 0;
  for await (const line of all) {
    await turn();
    if (stop.aborted) return;
    yield line;
    if (++taken >= count) return;
  }
}

async function* repeated(
  next: Source,
  count: number,
  turn: Turn,
  stop: AbortSignal,
): AsyncGenerator<Uint8Array> {
  for (let sent = 0; sent < count; sent++) {
    await turn();
    if (stop.aborted) return;
    yield next();
  }
}

/** Resolves when it is the next message's turn, at once for the first, or when the program is to stop. */
type Turn = () => Promise<void> | undefined;

/** Turns keep to the clock: a pause is shorter when sending took time. */
function turnsOf(pauseMs: number | undefined, stop: AbortSignal): Turn {
  if (pauseMs === undefined) return () => undefined;
  let due: number | undefined;
  return () => {
    const now = performance.now();
    due = due === undefined ? now : Math.max(due + pauseMs, now - pauseMs);
    if (due <= now) return undefined;
    return sleep(due - now, undefined, { signal: stop }).catch(() => {});
  };
}
