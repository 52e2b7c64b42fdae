import type { DelayedStore } from '../delayed-messages.ts';
import type { Publication } from '../delivery/publication.ts';
import type { Receipt } from '../delivery/receipt.ts';
import { noRetainedStore, type RetainedStore } from '../retained/retained.ts';
import type { NumberingStore } from './numberings.ts';
import type { Outgoing } from './outgoing.ts';
import type { SentRun } from './sent-runs.ts';
import type { Subscription } from './subscription.ts';

/** The durable part of a session beside its messages. */
export interface SessionRecord {
  clientId: string;
  /** Whose it is; undefined: an anonymous client's. */
  user: string | undefined;
  /** The groups that its client showed. */
  groups?: readonly string[] | undefined;
  /** How long it outlasts its connection; Infinity: for ever; undefined: as long as the broker says. */
  expiryMs: number | undefined;
  /** When its connection ended, by `Date.now()`; undefined while there is one. */
  endedAtMs: number | undefined;
  subscriptions: readonly Subscription[];
  /** The filters whose retained messages have not all arrived: a broker that starts anew begins with them again. */
  owedFilters?: readonly string[];
}

/**
 * Where sessions last. Writes are remembered in the order of the calls, and what is written in one turn lasts together. A
 * message that changes before it is written is written as it is then. A receipt that is handed over is held until the
 * write is durable, or has failed.
 */
export interface SessionStore extends RetainedStore, DelayedStore, NumberingStore {
  /** Whether so much waits to be written that what can be sent later should be. */
  readonly isBusy: boolean;
  putSession(record: SessionRecord, receipt?: Receipt): void;
  /** Forgets a session; its messages were forgotten before. */
  deleteSession(clientId: string): void;
  /** Remembers a message of a session, or its new state. */
  putOutgoing(clientId: string, outgoing: Outgoing, receipt?: Receipt): void;
  deleteOutgoing(outgoing: Outgoing): void;
  /**
   * Remembers a run that is sent to a client now, so far as it is not acknowledged soon; false where the store wants its messages one
   * by one, and at once. It calls `unfold` when they are to be written after all.
   */
  putRun(clientId: string, run: SentRun, publication: Publication, unfold: () => void): boolean;
  /**
   * Remembers that a QoS 2 message has arrived, which its sender names by this token.
   *
   * @param isKept whether the log of its topic has it; true where there is none.
   */
  putReceived(clientId: string, token: number, isKept: boolean, receipt?: Receipt): void;
  deleteReceived(clientId: string, token: number, receipt?: Receipt): void;
}

/** The store of sessions that end with the process. */
export const noSessionStore: SessionStore = {
  ...noRetainedStore,
  isBusy: false,
  putSession() {},
  deleteSession() {},
  putDelayed() {},
  deleteDelayed() {},
  putNumbering() {},
  deleteNumbering() {},
  putOutgoing() {},
  deleteOutgoing() {},
  putRun: () => true,
  putReceived() {},
  deleteReceived() {},
};
