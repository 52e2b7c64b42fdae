import type { Message } from '../delivery/publication.ts';
import type { Receipt } from '../delivery/receipt.ts';

/** A message on its way to a client, as a store keeps it. */
export interface StoredOutgoing {
  /** @param receipt held until its new state is durable. */
  changed(receipt?: Receipt): void;
  /** It is needed no longer. */
  forget(): void;
}

/**
 * How far a message is on its way: it waits, it was sent, or its client has it and only that is still to be agreed on, as QoS
 * 2 asks. It is done when it is forgotten.
 */
export type OutgoingStep = 'waits' | 'sent' | 'received';

/** A message on its way to a client that acknowledges it. */
export interface Outgoing {
  readonly message: Message;
  readonly qos: 1 | 2;
  readonly retain: boolean;
  /** Of the subscriptions that it came by. */
  readonly tags: readonly number[];
  /** The shared filter that it came by, if it did. */
  readonly shared: string | undefined;
  /** Its place in the session, which is never given again. */
  readonly sequence: number;
  /** The number by which its client names it; 0 until it is sent for the first time. */
  token: number;
  step: OutgoingStep;
  /** Whether its client gave it back, and may know it therefore when it comes again. */
  wasReturned?: boolean;
  /** Whether it was read from the retained store, which has it if it is to be sent anew. */
  isBorrowed?: boolean;
  /** What the store keeps of it; the store's own. */
  stored?: StoredOutgoing;
}

/** What a session says of a message that it is to send. */
export type OutgoingOptions = Pick<Outgoing, 'qos' | 'retain' | 'tags'> & Partial<Pick<Outgoing, 'shared'>>;
