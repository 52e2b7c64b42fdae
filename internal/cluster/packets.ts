import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node';
import { isCount, within } from '../lib/shape.ts';
import { listen, type NoteMessage } from './foreign-messages.ts';
import { isNode } from './messages.ts';

export interface PacketsParts {
  readonly connection: NatsConnection;
  readonly isConnected: () => boolean;
  /** What its subjects begin with. */
  readonly name: string;
  readonly self: number;
  readonly noteForeign: NoteMessage;
}

/** Of the largest packet, in parts as small as servers with the smallest `max_payload` take. */
const isCountOfParts = within(1, 64);

/** A packet of which parts are here. */
interface Partial {
  readonly packet: string;
  readonly parts: Uint8Array[];
}

/**
 * Packets between nodes, on a connection of their own: at most once, in order. One that is larger than NATS carries goes in parts; one
 * of which a part is missing is dropped, and so is what is sent while NATS is away.
 */
export class Packets {
  readonly #parts: PacketsParts;
  readonly #listeners = new Set<(from: number, packet: Uint8Array) => void>();
  readonly #subscription: Subscription;
  /** By the node that sends. */
  readonly #partial = new Map<string, Partial>();
  #sent = 0;

  constructor(parts: PacketsParts) {
    this.#parts = parts;
    const { connection, name, self, noteForeign } = parts;
    const take = ({ subject, data }: Msg) => this.#take(subject, data);
    this.#subscription = listen(connection, `${name}.live.${self}.>`, take, noteForeign);
  }

  send(node: number, packet: Uint8Array): void {
    const { connection, isConnected, name, self } = this.#parts;
    if (!isConnected()) return;
    const maxBytes = connection.info!.max_payload;
    const count = Math.max(1, Math.ceil(packet.length / maxBytes));
    const subject = `${name}.live.${node}.${self}.${++this.#sent}`;
    for (let index = 0; index < count; index++) {
      const part = packet.subarray(index * maxBytes, (index + 1) * maxBytes);
      connection.publish(`${subject}.${index}.${count}`, part);
    }
  }

  onMessage(listener: (from: number, packet: Uint8Array) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#subscription.unsubscribe();
  }

  #take(subject: string, part: Uint8Array): void {
    const [count, index, packet, from] = subject.split('.').reverse() as [string, string, string, string];
    const isOther = isNode(Number(from)) && Number(from) !== this.#parts.self;
    const isPart = isOther && isCountOfParts(Number(count)) && isCount(Number(index));
    if (!isPart) throw new Error('its subject does not say what it is a part of');
    if (count === '1') {
      this.#tell(from, part);
      return;
    }
    const known = this.#partial.get(from);
    const parts = known?.packet === packet ? known.parts : [];
    if (parts.length !== Number(index)) {
      this.#partial.delete(from);
      return;
    }
    parts.push(part);
    if (parts.length < Number(count)) {
      this.#partial.set(from, { packet, parts });
      return;
    }
    this.#partial.delete(from);
    this.#tell(from, Buffer.concat(parts));
  }

  #tell(from: string, packet: Uint8Array): void {
    for (const listener of [...this.#listeners]) listener(Number(from), packet);
  }
}
