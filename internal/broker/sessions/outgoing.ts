import type { Message } from '../delivery/publication.ts';
import type { Receipt } from '../delivery/receipt.ts';

/** A message on its way to a client, as a store keeps it. */
export interface StoredOutgoing {
  /** @param receipt held until its new state is durable. */
  changed(receipt?: Receipt): void;
  /** It is needed no longer. */
  forget(): void;
}

/** A message on its way to a client that acknowledges it. */
export interface Outgoing {
  readonly message: Message;
  readonly qos: 1 | 2;
  readonly retain: boolean;
  readonly identifiers: readonly number[];
  /** The shared filter that it came by, if it did. */
  readonly shared: string | undefined;
  /** Its place in the session, which is never given again. */
  readonly sequence: number;
  /** 0 until it is sent for the first time. */
  packetId: number;
  /** Whether the client has it already, and only its release is left to be acknowledged (QoS 2). */
  isReleased: boolean;
  /** Whether it was read from the retained store, which has it if it is to be sent anew. */
  isBorrowed?: boolean;
  /** What the store keeps of it; the store's own. */
  stored?: StoredOutgoing;
}
