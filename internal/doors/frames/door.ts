import type { Connection } from '../../transport/connection.ts';
import type { ClientConnections } from '../clients/client-connections.ts';
import { type ClientDoorParts, clientConnections, clientServices } from '../clients/client-door.ts';
import type { Door } from '../door.ts';
import { FrameConnection, type FrameConnectionParts } from './connection.ts';

/** The door of tinymq's own frames (docs/frames.md). */
export class FramesDoor implements Door {
  readonly name = 'frames';
  readonly #parts: FrameConnectionParts;
  readonly #connections: ClientConnections<FrameConnection>;

  constructor(parts: ClientDoorParts) {
    this.#parts = { ...clientServices(parts), closed: (connection) => this.#connections.delete(connection) };
    this.#connections = clientConnections(parts, () => parts.keepAliveMs);
  }

  open(connection: Connection, first: Uint8Array): void {
    const opened = new FrameConnection(connection, this.#parts);
    this.#connections.add(opened);
    if (first.length > 0) opened.bytes(first);
  }

  async close(timeoutMs: number): Promise<void> {
    await this.#connections.close(timeoutMs);
  }
}
