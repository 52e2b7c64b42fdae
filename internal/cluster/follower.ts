import { setTimeout as pause } from 'node:timers/promises';
import { createInbox, type Msg, nanos } from '@nats-io/transport-node';
import {
  followerBeatMs,
  followerDelayMs,
  followerLookMs,
  followerSilenceMs,
  lastReadTries,
  replicaRetryMs,
} from '../limits/cluster.ts';
import { StoreUnavailableError } from '../store/store-error.ts';
import type { JetStream, StreamMessage } from './jetstream.ts';

/** What is followed of a stream. */
export interface Followed {
  readonly stream: string;
  /** Undefined for all subjects. */
  readonly filter?: string;
  readonly isHeadersOnly: boolean;
}

/** How long it takes until another consumer takes the place of a lost one: a server that ends has lost many. */
const BEGIN_AGAIN_AFTER_MS = 100;
/** What the reply subject of each message of a consumer begins with; beats and questions have another, or none. */
const DELIVERED = '$JS.ACK.';
const IDLE_BEAT = 'Idle Heartbeat';
const INFLIGHT_BYTES_SUBJECT = 'FlowControl Request';

/**
 * Follows a stream for as long as it takes. Consumers of JetStream die with their server without a word; so each is
 * told to beat, and another one takes its place where it is silent, where one of its messages was lost on the way, or where a message
 * does not follow on those before.
 * A consumer whose server is behind the others beats as well, and says that nothing is new: where nothing comes, the leader of the
 * stream is asked.
 *
 * @param after the sequence behind which it begins, asked each time.
 * @param take says false where the message does not follow, and throws where it cannot be read. It comes again, unless it counts as
 *   taken by what `after` says.
 * @param noted told how many messages are behind the last one that came.
 */
export function follow(
  jetStream: JetStream,
  followed: Followed,
  after: () => number,
  take: (message: StreamMessage) => boolean,
  noted: (pending: number) => void = () => {},
): () => void {
  let isEnded = false;
  let end = () => {};
  let again: NodeJS.Timeout | undefined;
  let pauseMs = BEGIN_AGAIN_AFTER_MS;
  // One consumer at a time, whoever asks for another.
  const begin = () => {
    clearTimeout(again);
    end();
    if (isEnded || jetStream.connection.isClosed()) return;
    end = consume(
      jetStream,
      followed,
      { deliver_policy: 'by_start_sequence', opt_start_seq: after() + 1 },
      {
        isKnown: (sequence) => sequence <= after(),
        noted,
        take(message) {
          const follows = isTaken(message);
          // What is missing may be missing there for a while.
          pauseMs = follows ? BEGIN_AGAIN_AFTER_MS : followerBeatMs;
          return follows;
        },
        lost() {
          again = setTimeout(begin, pauseMs).unref();
        },
      },
    );
  };
  function isTaken(message: StreamMessage): boolean {
    try {
      return take(message);
    } catch (error) {
      jetStream.noteForeign(message.subject, (error as Error).message);
      return false;
    }
  }
  begin();
  let before: number | undefined;
  const look = async () => {
    const taken = after();
    const isStill = taken === before;
    before = taken;
    if (!isStill || !(await hasMore(jetStream, followed, taken))) return;
    await new Promise((resolve) => setTimeout(resolve, followerDelayMs));
    if (after() === taken) begin();
  };
  const timer = setInterval(() => void look(), followerLookMs).unref();
  return () => {
    isEnded = true;
    clearInterval(timer);
    clearTimeout(again);
    end();
  };
}

/** Whether the leader of the stream has a message behind a sequence; false where it does not say. */
async function hasMore(jetStream: JetStream, { stream, filter }: Followed, after: number): Promise<boolean> {
  try {
    return await jetStream.has(stream, filter ?? '>', after + 1);
  } catch {
    return false;
  }
}

/** The last messages of all subjects of a filter, in their order: complete up to the moment of asking. */
export async function lastOfSubjects(jetStream: JetStream, followed: Followed): Promise<StreamMessage[]> {
  const last = new Map<string, StreamMessage>();
  await eachLast(jetStream, followed, (message) => last.set(message.subject, message));
  return [...last.values()].sort((a, b) => a.sequence - b.sequence);
}

/**
 * The same without keeping them: calls `take` with each and resolves behind the last. A replica leaves out what is damaged there, without
 * a word; so what came is compared with what the leader counts, and what is missing is asked of the others, and comes behind the rest.
 *
 * @param take throws where a message cannot be read, which is passed over.
 */
export async function eachLast(
  jetStream: JetStream,
  followed: Followed,
  take: (message: StreamMessage) => void,
): Promise<void> {
  const { stream, filter } = followed;
  const found = new Set<string>();
  const takeFound = (message: StreamMessage) => {
    found.add(message.subject);
    passingOver(jetStream, take)(message);
  };
  await readLast(jetStream, followed, takeFound);
  const counts = await jetStream.subjects(stream, filter);
  let missing = [...counts.keys()].filter((subject) => !found.has(subject));
  for (let tries = 0; missing.length > 0 && tries < lastReadTries; tries++) {
    if (tries > 0) await pause(replicaRetryMs);
    for (const subject of missing) {
      const message = await jetStream.lastAnywhere(stream, subject);
      if (message !== undefined) takeFound(message);
    }
    missing = missing.filter((subject) => !found.has(subject));
  }
  for (const subject of missing) {
    // It may have been deleted meanwhile.
    const isLost = (await jetStream.subjects(stream, subject)).size > 0;
    if (isLost) jetStream.noteLost(subject, 'no server that was asked can read it');
  }
}

function passingOver(jetStream: JetStream, take: (message: StreamMessage) => void) {
  return (message: StreamMessage): void => {
    try {
      take(message);
    } catch (error) {
      jetStream.noteForeign(message.subject, (error as Error).message);
    }
  };
}

/**
 * Reads the last messages from one replica. What is replaced while this reads comes behind all others, and may be replaced again before
 * it comes; so the leader of the stream is asked some more times what the last one is.
 */
function readLast(
  jetStream: JetStream,
  followed: Followed,
  take: (message: StreamMessage) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const { stream, filter } = followed;
    let taken = 0;
    /** Undefined as long as the first list is not read. */
    let until: number | undefined;
    let asked = 0;
    let isAsking = false;
    const end = consume(
      jetStream,
      followed,
      { deliver_policy: 'last_per_subject' },
      {
        take(message, pending) {
          take(message);
          taken = message.sequence;
          if (until === undefined ? pending === 0 : taken >= until) void reached();
          return true;
        },
        began(pending) {
          if (pending === 0) void reached();
        },
        // What JetStream says is pending may stay above nothing where subjects got newer messages meanwhile.
        idle: done,
        lost: (error) => reject(error),
      },
    );
    async function reached(): Promise<void> {
      if (isAsking) return;
      if (asked++ === LAST_ASKED_TIMES) return done();
      isAsking = true;
      try {
        until = await jetStream.lastSequence(stream, filter);
        if (taken >= until) done();
      } catch {
        // Then it ends with an idle beat.
      } finally {
        isAsking = false;
      }
    }
    function done(): void {
      end();
      resolve();
    }
  });
}

/** All messages of a filter up to a sequence, in their order. What is above it may come too. */
export function eachUntil(
  jetStream: JetStream,
  followed: Followed,
  sequence: number,
  take: (message: StreamMessage) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = consume(
      jetStream,
      followed,
      { deliver_policy: 'all' },
      {
        take(message) {
          take(message);
          if (message.sequence >= sequence) done();
          return true;
        },
        idle: done,
        lost: reject,
      },
    );
    function done(): void {
      end();
      resolve();
    }
  });
}

/** More changes than that in a row would have to pass a reader by that is as far as the stream. */
const LAST_ASKED_TIMES = 5;

interface Consuming {
  /** Whether a message is left out: an owner hears all that it wrote once more. */
  isKnown?(sequence: number): boolean;
  /** @returns false where the message does not follow on those before: the consumer ends as lost. */
  take(message: StreamMessage, pending: number): boolean;
  /** It is there, with so many messages for now. */
  began?(pending: number): void;
  /** So many messages are behind the last one that came. */
  noted?(pending: number): void;
  /** It has nothing more for now. */
  idle?(): void;
  /** It ended by itself. */
  lost(error: Error): void;
}

function consume(
  jetStream: JetStream,
  { stream, filter, isHeadersOnly }: Followed,
  policy: object,
  { isKnown, take, began, noted, idle, lost }: Consuming,
): () => void {
  const inbox = createInbox();
  const { connection } = jetStream;
  if (connection.isClosed()) {
    queueMicrotask(() => lost(unavailable('the connection is closed')));
    return () => {};
  }
  let heardAtMs = performance.now();
  let isLost = false;
  /** What is sent while this side goes to another server is lost without a word; so what comes is counted. */
  let received = 0;
  const timer = setInterval(() => {
    if (performance.now() - heardAtMs > followerSilenceMs)
      fail(unavailable('a consumer of JetStream is silent'));
  }, followerBeatMs).unref();
  const subscription = connection.subscribe(inbox, {
    callback(_error, message) {
      heardAtMs = performance.now();
      // Headers are read by whoever looks at them.
      if (message.reply?.startsWith(DELIVERED) !== true) {
        answerStatus(message);
        if ((deliveredBefore(message) ?? received) !== received) fail(lostOnTheWay());
        else if (isIdle(message)) idle?.();
        return;
      }
      const { sequence, number, pending } = placeOf(message);
      if (number !== ++received) {
        fail(lostOnTheWay());
        return;
      }
      noted?.(pending);
      if (isKnown?.(sequence)) return;
      const { subject, headers, data } = message;
      if (!take({ subject, sequence, headers, body: data }, pending))
        fail(unavailable('a message is missing'));
    },
  });
  const end = () => {
    clearInterval(timer);
    subscription.unsubscribe();
  };
  function fail(error: Error): void {
    if (isLost || subscription.isClosed()) return;
    isLost = true;
    end();
    lost(error);
  }
  const config = {
    ...{
      ...policy,
      deliver_subject: inbox,
      ack_policy: 'none',
      max_deliver: 1,
      mem_storage: true,
      num_replicas: 1,
    },
    ...{ headers_only: isHeadersOnly, flow_control: true, idle_heartbeat: nanos(followerBeatMs) },
    ...{ inactive_threshold: nanos(10 * followerSilenceMs), filter_subject: filter },
  };
  jetStream
    .ask<{ num_pending: number }>(`CONSUMER.CREATE.${stream}`, { stream_name: stream, config })
    .then(({ num_pending }) => {
      noted?.(num_pending);
      began?.(num_pending);
    }, fail);
  return end;
}

function unavailable(reason: string): StoreUnavailableError {
  return new StoreUnavailableError('failed', reason);
}

function lostOnTheWay(): StoreUnavailableError {
  return unavailable('a message of a consumer was lost on the way');
}

/** How many messages its consumer has sent before a beat. */
function deliveredBefore({ headers }: Msg): number | undefined {
  const count = headers?.get('Nats-Last-Consumer') ?? '';
  return count === '' ? undefined : Number(count);
}

/** A beat of a consumer that has delivered all, and does not wait for this side. */
function isIdle({ headers }: Msg): boolean {
  return headers?.description === IDLE_BEAT && !headers.get('Nats-Consumer-Stalled');
}

/** A beat, or the question whether this side keeps up. */
function answerStatus(message: Msg): void {
  if (message.headers?.description === INFLIGHT_BYTES_SUBJECT) message.respond();
  const stalled = message.headers?.get('Nats-Consumer-Stalled');
  if (stalled !== undefined && stalled !== '') message.respond();
}

/**
 * Which message of the stream a consumer delivers, its number among those of this consumer, and how many are behind it, from its reply
 * subject: $JS.ACK.<domain>.<account>.<stream>.… or $JS.ACK.<stream>.…
 */
export function placeOf({ reply = '' }: Msg): { sequence: number; number: number; pending: number } {
  const words = reply.split('.');
  const at = words.length > 9 ? 7 : 5;
  return { sequence: Number(words[at]), number: Number(words[at + 1]), pending: Number(words[at + 3]) };
}
