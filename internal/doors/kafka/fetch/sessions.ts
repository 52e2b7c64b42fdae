import { randomInt } from 'node:crypto';
import { fetchSessionIdleMs, maxFetchSessionPartitions, maxFetchSessions } from '../../../limits/kafka.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';

/** A partition that a client fetches, with its state in the last answer. */
export interface FetchedPartition {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
  currentLeaderEpoch: number;
  fetchOffset: number;
  lastFetchedEpoch: number;
  partitionMaxBytes: number;
  /** -1 before the first answer. */
  toldHighWatermark: number;
  toldFirstOffset: number;
  /** Whether the last answer was an error, which is told again. */
  wasRefused: boolean;
}

/** One client's list of partitions, so that it needs to send and to be told only what changes (KIP-227). */
export interface FetchSession {
  readonly id: number;
  /** The epoch that the next request has. */
  nextEpoch: number;
  /** Those that had something last time come last, so that each has its turn. */
  readonly partitions: Map<string, FetchedPartition>;
  lastUsedMs: number;
}

/** The session of no session: every request is whole. */
export const NO_SESSION = 0;
const INITIAL_EPOCH = 0;
/** Ends the session, or asks for none. */
export const FINAL_EPOCH = -1;
const MAX_EPOCH = 2 ** 31 - 1;

export type PartitionKey = Pick<FetchedPartition, 'topic' | 'topicId' | 'partition'>;

export function partitionKey({ topic, topicId, partition }: PartitionKey): string {
  return `${partition} ${topicId} ${topic}`;
}

/** The partitions that a request asks for, once its session is known. */
export interface FetchPlan {
  /** Undefined where nothing is remembered: none was wanted, there was no room, or all of it is forgotten. */
  readonly session: FetchSession | undefined;
  /** Whether partitions without news are left out of the answer. */
  readonly isIncremental: boolean;
  readonly partitions: Iterable<FetchedPartition>;
}

/** All fetch sessions of a broker. */
export class FetchSessions {
  /** The one that was quiet longest first. */
  readonly #sessions = new Map<number, FetchSession>();
  #partitions = 0;

  get size(): number {
    return this.#sessions.size;
  }

  /**
   * Finds or begins the session of a request.
   *
   * @param asked the partitions that the request names. @param forgotten those that the session is to forget.
   * @returns an error code where the request does not fit its session.
   */
  plan(
    sessionId: number,
    epoch: number,
    asked: readonly FetchedPartition[],
    forgotten: readonly PartitionKey[],
    nowMs: number,
  ): FetchPlan | KafkaErrorCode {
    if (epoch === INITIAL_EPOCH || epoch === FINAL_EPOCH) {
      this.#end(sessionId);
      const session = epoch === INITIAL_EPOCH ? this.#begin(asked, nowMs) : undefined;
      return { session, isIncremental: false, partitions: session?.partitions.values() ?? asked };
    }
    const session = this.#sessions.get(sessionId);
    if (session === undefined) return KafkaErrorCode.fetchSessionIdNotFound;
    if (session.nextEpoch !== epoch) return KafkaErrorCode.invalidFetchSessionEpoch;
    session.nextEpoch = epoch === MAX_EPOCH ? 1 : epoch + 1;
    session.lastUsedMs = nowMs;
    this.#sessions.delete(sessionId);
    this.#sessions.set(sessionId, session);
    this.#update(session, asked, forgotten);
    if (session.partitions.size === 0) {
      this.#end(sessionId);
      return { session: undefined, isIncremental: true, partitions: [] };
    }
    return { session, isIncremental: true, partitions: [...session.partitions.values()] };
  }

  /** A partition had something: in the next answer it comes after the others. */
  moveToEnd({ partitions }: FetchSession, partition: FetchedPartition): void {
    const key = partitionKey(partition);
    if (!partitions.delete(key)) return;
    partitions.set(key, partition);
  }

  /** Undefined where there is no room: then the client goes on without a session. */
  #begin(asked: readonly FetchedPartition[], nowMs: number): FetchSession | undefined {
    if (!this.#makeRoom(asked.length, nowMs)) return undefined;
    const partitions = new Map(asked.map((partition) => [partitionKey(partition), partition]));
    const session = { id: this.#newId(), nextEpoch: INITIAL_EPOCH + 1, partitions, lastUsedMs: nowMs };
    this.#sessions.set(session.id, session);
    this.#partitions += partitions.size;
    return session;
  }

  #update(
    session: FetchSession,
    asked: readonly FetchedPartition[],
    forgotten: readonly PartitionKey[],
  ): void {
    const { partitions } = session;
    this.#partitions -= partitions.size;
    for (const partition of asked) {
      const known = partitions.get(partitionKey(partition));
      if (known === undefined) {
        partitions.set(partitionKey(partition), partition);
      } else {
        known.currentLeaderEpoch = partition.currentLeaderEpoch;
        known.fetchOffset = partition.fetchOffset;
        known.lastFetchedEpoch = partition.lastFetchedEpoch;
        known.partitionMaxBytes = partition.partitionMaxBytes;
      }
    }
    for (const partition of forgotten) partitions.delete(partitionKey(partition));
    this.#partitions += partitions.size;
    // It answers this request; its client begins anew with the next.
    if (this.#partitions > maxFetchSessionPartitions) this.#end(session.id);
  }

  #makeRoom(partitionCount: number, nowMs: number): boolean {
    for (const { id, lastUsedMs } of this.#sessions.values()) {
      if (this.#hasRoom(partitionCount) || lastUsedMs + fetchSessionIdleMs > nowMs) break;
      this.#end(id);
    }
    return this.#hasRoom(partitionCount);
  }

  #hasRoom(partitionCount: number): boolean {
    return (
      this.#sessions.size < maxFetchSessions && this.#partitions + partitionCount <= maxFetchSessionPartitions
    );
  }

  #end(sessionId: number): void {
    const session = this.#sessions.get(sessionId);
    if (session === undefined) return;
    this.#partitions -= session.partitions.size;
    this.#sessions.delete(sessionId);
  }

  #newId(): number {
    for (;;) {
      const id = randomInt(1, 2 ** 31);
      if (!this.#sessions.has(id)) return id;
    }
  }
}
