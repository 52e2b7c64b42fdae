import { noRetainedStore, type RetainedStore } from '../retained/retained.ts';
import type { Outgoing } from './outgoing.ts';
import type { Subscription } from './subscription.ts';
import type { Will } from './will.ts';

/** The durable part of a session beside its messages. */
export interface SessionRecord {
  clientId: string;
  /** Whose it is; undefined: an anonymous client's. */
  user: string | undefined;
  /** How long it outlasts its connection; Infinity: for ever; undefined: as long as the broker says. */
  expiryMs: number | undefined;
  /** When its connection ended, by `Date.now()`; undefined while there is one. */
  endedAtMs: number | undefined;
  subscriptions: readonly Subscription[];
  /** The filters whose retained messages have not all arrived: a broker that starts anew begins with them again. */
  owedFilters?: readonly string[];
}

/**
 * Where sessions last. Writes are remembered in the order of the calls; {@link whenDurable} tells when. A
 * message that changes before it is written is written as it is then.
 */
export interface SessionStore extends RetainedStore {
  /** Whether so much waits to be written that what can be sent later should be. */
  readonly isBusy: boolean;
  /** A number that grows with each write. */
  readonly writes: number;
  putSession(record: SessionRecord): void;
  /** Forgets a session; its messages were forgotten before. */
  deleteSession(clientId: string): void;
  /** Remembers the will of a client, in the place of the one before. */
  putWill(clientId: string, will: Will): void;
  deleteWill(clientId: string): void;
  /** Remembers a message of a session, or its new state. */
  putOutgoing(clientId: string, outgoing: Outgoing): void;
  deleteOutgoing(clientId: string, outgoing: Outgoing): void;
  /**
   * Remembers that a QoS 2 message of this packet id has arrived.
   *
   * @param isKept whether the log of its topic has it; true where there is none.
   */
  putReceived(clientId: string, packetId: number, isKept: boolean): void;
  deleteReceived(clientId: string, packetId: number): void;
  /**
   * Calls back when everything written so far is durable, or with an error if it could not be written; at once where it
   * is durable already. Calls come in the order in which they were asked for.
   *
   * @param since what `writes` was before the first write that is asked about. An error is told to who asked first after
   *   the write that failed, and to everybody who asked about it like this.
   */
  whenDurable(done: (error?: Error) => void, since?: number): void;
}

/** The store of sessions that end with the process. */
export const noSessionStore: SessionStore = {
  ...noRetainedStore,
  isBusy: false,
  writes: 0,
  putSession() {},
  deleteSession() {},
  putWill() {},
  deleteWill() {},
  putOutgoing() {},
  deleteOutgoing() {},
  putReceived() {},
  deleteReceived() {},
  whenDurable: (done) => done(),
};
