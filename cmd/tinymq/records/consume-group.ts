import type { KafkaClient } from '../../../internal/clients/kafka/client.ts';
import { commitOffsets } from '../../../internal/clients/kafka/groups.ts';
import { isNewGeneration, Member } from '../../../internal/clients/kafka/member.ts';
import { Reader, type ReaderOptions } from '../../../internal/clients/kafka/reader.ts';
import { KafkaRefusal } from '../../../internal/clients/kafka/refusal.ts';
import { ConnectionFailure } from '../../../internal/clients/socket.ts';
import { groupCommitEveryMs } from '../../../internal/limits/clients.ts';
import type { Values } from '../../cli/options/option.ts';
import type { Output } from '../../cli/output.ts';
import type { Invocation } from '../../cli/run-program.ts';
import { withKafka } from '../connect.ts';
import { note } from '../report.ts';
import type { consumeProgram } from './flags.ts';
import { positionsOf, type Start } from './start.ts';

/** What a member of a group is to read, and how. */
export interface GroupReading {
  topic: string;
  group: string;
  start: Start;
  output: Output;
  options: ReaderOptions;
}

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

type ConsumeInvocation = Omit<Invocation<(typeof consumeProgram)['options']>, 'values'> & {
  values: Values<(typeof consumeProgram)['options']>;
};

/**
 * Reads what a group gives to its new member, and keeps how far that is, until it is stopped, has read enough, or with
 * -exit has come to the end of everything it was given. Then it leaves.
 *
 * @throws KafkaRefusal and others with one clear line.
 */
export async function consumeInGroup(invocation: ConsumeInvocation, reading: GroupReading): Promise<void> {
  const { stop } = invocation;
  // A stop must not close the connection before the offsets are stored, unless nothing has been read yet.
  const giveUp = new AbortController();
  await withKafka({ ...invocation, stop: giveUp.signal }, async (client) => {
    const member = new Member(client, reading.group, reading.topic);
    const abandon = () => giveUp.abort(stop.reason);
    stop.addEventListener('abort', abandon);
    if (stop.aborted) abandon();
    await client.topic(reading.topic);
    let isDone = false;
    try {
      while (!isDone && !stop.aborted) {
        const partitions = await joinSomehow(client, member, reading.options);
        if (!invocation.values.quiet && process.stderr.isTTY) {
          note(`Group ${reading.group} gave partitions: ${partitions.join(', ') || 'none'}`);
        }
        stop.removeEventListener('abort', abandon);
        isDone = await readGeneration(client, member, partitions, invocation, reading);
        if (!isDone) stop.addEventListener('abort', abandon);
      }
    } finally {
      // Where nobody hears it, its session runs out.
      await member.leave().catch(() => {});
    }
  });
}

/** A broker that is away holds it up, and does not end it. */
async function joinSomehow(
  client: KafkaClient,
  member: Member,
  { onNote }: ReaderOptions,
): Promise<number[]> {
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    try {
      return await member.join();
    } catch (error) {
      if (!(error instanceof ConnectionFailure)) throw error;
      if (pauseMs === FIRST_PAUSE_MS) onNote(`${error.message}; trying again`);
      await client.pause(pauseMs);
    }
  }
}

/** @returns whether there is nothing more to do, rather than a new generation to take part in. */
async function readGeneration(
  client: KafkaClient,
  member: Member,
  partitions: readonly number[],
  { values, stop }: ConsumeInvocation,
  { topic, group, start, output, options }: GroupReading,
): Promise<boolean> {
  const all = partitions.map((partition) => ({ topic, partition }));
  const positions = await positionsOf(client, start, all, group);
  const stored = new Map<number, number>();
  let hasEnough = false;
  let mustRejoin = false;
  const reader = new Reader(client, topic, positions, {
    ...options,
    stopsAtEnd: values.exit,
    onRecord(record) {
      const wantsMore = options.onRecord(record);
      if (!wantsMore) hasEnough = true;
      return wantsMore;
    },
  });
  const generation = new AbortController();
  const endGeneration = () => generation.abort();
  const rejoin = () => {
    if (!generation.signal.aborted) mustRejoin = true;
    endGeneration();
  };
  generation.signal.addEventListener('abort', () => reader.stop());
  stop.addEventListener('abort', endGeneration);
  if (stop.aborted) endGeneration();
  const timer = setInterval(() => void commit().catch(rejoin), groupCommitEveryMs);
  try {
    const outcomes = await Promise.allSettled([
      reader.run().finally(endGeneration),
      member.beat(generation.signal).finally(rejoin),
    ]);
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    await commit();
  } catch (error) {
    const isReplaced = error instanceof KafkaRefusal && isNewGeneration(error);
    if (!isReplaced && !(error instanceof ConnectionFailure)) throw error;
    if (error instanceof ConnectionFailure) options.onNote(`${error.message}; trying again`);
    return hasEnough || stop.aborted;
  } finally {
    clearInterval(timer);
    stop.removeEventListener('abort', endGeneration);
  }
  return hasEnough || stop.aborted || !mustRejoin;

  /** What was printed has left this process before it counts as read. */
  async function commit(): Promise<void> {
    const moved = [...positions].filter(([partition, offset]) => stored.get(partition) !== offset);
    if (moved.length === 0) return;
    const offsets = moved.map(([partition, offset]) => ({ topic, partition, offset }));
    await output.end();
    await client.retrying(() => commitOffsets(client, group, offsets, member.membership));
    for (const [partition, offset] of moved) stored.set(partition, offset);
  }
}
