import type { Connection } from '../transport/connection.ts';

/** A protocol's way into the broker. Any door works over any transport. */
export interface Door {
  readonly name: string;
  /** Takes a connection over. `first` is what has arrived on it so far; it may be empty. */
  open(connection: Connection, first: Uint8Array): void;
  /** Lets what was accepted be delivered, tells every client that the broker stops, and closes. */
  close(timeoutMs: number): Promise<void>;
}
