import type { Message } from './message.ts';

/** What a client tells its listeners. */
export interface ClientEvents {
  /** The broker let the client in, for the first time or again. */
  connect: undefined;
  /** The connection ended, for this reason. */
  disconnect: Error;
  /** The client will try again. */
  reconnecting: { attempt: number; delayMs: number; cause: Error };
  /**
   * Something went wrong that belongs to no call: a handler threw, or the broker refused a message, as a
   * {@link RefusedError} that names its topic; or it ended a subscription that it had granted.
   */
  error: unknown;
  /** The client is closed for good; with an error where it did not close itself. */
  close: Error | undefined;
  /** A message, once, however many subscriptions it matches. */
  message: Message;
}

export type ClientState = 'new' | 'connecting' | 'connected' | 'reconnecting' | 'closing' | 'closed';

/** Tells the listeners of an event. */
export type Tell = <Name extends keyof ClientEvents>(name: Name, value: ClientEvents[Name]) => void;
