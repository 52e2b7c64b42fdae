import type { ErrorCode } from '../../errors.ts';
import type { Channel } from '../delivery/channel.ts';
import type { Encoding, Message, Qos } from '../delivery/publication.ts';

/** How a connection sends what its session gives it. */
export interface Outlet {
  readonly channel: Channel;
  /** Whether runs of plain messages may go into the channel as they are. */
  readonly takesRuns: boolean;
  /** How runs stand in bytes of which it takes each message with QoS 1; undefined where it takes such messages one by one. */
  readonly runs?: RunsTaken | undefined;
  /** Whether the client gets one copy of a message that comes by a group and by another of its filters. */
  readonly takesOneCopy: boolean;
  /** Messages that the client takes before it acknowledges any. */
  readonly window: number;
  /**
   * Sends a message. Returns why the client cannot take it, if so: it then counts as delivered.
   *
   * @param token the number, from 1 to 65,535, by which the client names it when it acknowledges it; 0 with QoS 0.
   */
  send(message: Message, delivery: SentAs, token: number, isAgain: boolean): ErrorCode | undefined;
  /** Sends a run as {@link runs} says. `token` is that of all of its messages, or of the first one. */
  sendRun?(bytes: Uint8Array, count: number, token: number): void;
  /** Tells the client that it is known to have a message of QoS 2, which is not sent again. */
  confirm(token: number): void;
}

/** The runs that a client takes. */
export interface RunsTaken {
  readonly encoding: Encoding;
  /** Whether each of their messages has a token of its own: that of the one before, and one more. */
  readonly haveTokens: boolean;
}

/** What a client is told with a message. */
export interface SentAs {
  qos: Qos;
  retain: boolean;
  /** Of the subscriptions that it came by. */
  tags: readonly number[];
  /** Whether it comes from the retained store, no faster than the client takes it: then it is never dropped on its way. */
  isFromStore?: boolean;
}
