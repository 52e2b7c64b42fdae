import type { Message } from '../delivery/publication.ts';

/** A message that is published when a connection has ended badly. */
export interface Will {
  message: Message;
  delayMs: number;
  /** How long the message is wanted from when it is published; undefined: for ever. */
  expiryMs: number | undefined;
}
