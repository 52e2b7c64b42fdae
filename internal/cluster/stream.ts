/**
 * What a shard asks of its stream. JetStream is behind it, and a fake one in the simulation: all that is decided about
 * ownership and rounds knows nothing else of either.
 */
export interface ShardStream {
  /** The last sequence, as the leader of the stream says; it may be one that was replaced and does not know yet. */
  lastSequence(): Promise<number>;
  /**
   * Stores messages one behind the other, all or none, if the last sequence is the expected one. Of an `unknown` outcome
   * anything is possible: stored, refused, or stored later.
   */
  publish(messages: readonly ShardMessage[], expectedLast: number): Promise<Outcome>;
  /**
   * The messages above one sequence up to another, which is that of a message that is there. Those that are gone are left out.
   * Rejects where they cannot be had for the moment.
   */
  readBetween(after: number, last: number): Promise<StoredMessage[]>;
  /**
   * Hands over all messages above what `after` says, in their order, for as long as it takes: it begins anew from there where what
   * is behind it stops without a word, and where `take` says that a message does not follow on those before. Bodies of record
   * batches may be left out. Returns what ends it.
   */
  follow(after: () => number, take: (message: StoredMessage) => boolean): () => void;
  /** Has another replica lead, where that is possible. */
  changeLeader(): Promise<void>;
}

export interface ShardMessage {
  /** Within the shard; see messages.ts. */
  readonly subject: string;
  /** What there is to know without the body, as text in one header. */
  readonly facts: string;
  /** The state of the producer that sent it, as base64. */
  readonly producer?: string | undefined;
  readonly body: Uint8Array;
  /** Whether earlier messages of the subject go with it. */
  readonly isRollup?: boolean;
}

export interface StoredMessage extends ShardMessage {
  readonly sequence: number;
}

export type Outcome =
  /** With the sequence of the last of them. */
  | { kind: 'stored'; last: number }
  /** The last sequence is another one. */
  | { kind: 'refused' }
  /** Nobody leads the stream: nothing of it is stored, or ever will be. */
  | { kind: 'unheard' }
  | { kind: 'unknown'; reason: string };
