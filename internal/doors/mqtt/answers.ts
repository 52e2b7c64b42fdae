import type { Channel } from '../../broker/channel.ts';
import type { SessionStore } from '../../broker/session-store.ts';
import { encodePacket } from '../../protocol/mqtt/encode.ts';
import type { Packet, Version } from '../../protocol/mqtt/packet.ts';
import { NO_PROPERTIES, type Properties } from '../../protocol/mqtt/properties.ts';
import type { Agreement } from './negotiate.ts';

/** A packet that may say why. */
type Answer = Packet & { properties: Properties };

/**
 * Sends the answers to one client, in the order of what they answer [MQTT-4.6.0-2] [MQTT-4.6.0-3], and those that promise
 * something not before the store keeps the promise.
 */
export class Answers {
  readonly #channel: Channel;
  readonly #store: SessionStore;
  readonly #version: Version;
  readonly #agreement: Agreement;
  /** Answers that wait for the store, or for the ones before them. */
  #waiting = 0;

  constructor(channel: Channel, store: SessionStore, version: Version, agreement: Agreement) {
    this.#channel = channel;
    this.#store = store;
    this.#version = version;
    this.#agreement = agreement;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** Sends an answer that promises nothing that has to be written. */
  now(bytes: Uint8Array): void {
    this.#channel.control(bytes);
  }

  /**
   * Sends an answer behind the ones before it.
   *
   * @param isPromise whether what was written so far has to last first.
   * @param sent called when it is sent, or with an error instead when the store has failed.
   */
  inOrder(bytes: Uint8Array, isPromise: boolean, sent?: (error?: Error) => void): void {
    if (!isPromise && this.#waiting === 0) {
      this.#channel.control(bytes);
      sent?.();
      return;
    }
    this.#waiting++;
    this.#store.whenDurable((error) => {
      this.#waiting--;
      if (error === undefined || !isPromise) this.#channel.control(bytes);
      sent?.(isPromise ? error : undefined);
    });
  }

  /** A packet in bytes, with a reason string where the client wants one and it fits [MQTT-3.4.2-2]. */
  encode(packet: Answer, reason?: string): Uint8Array {
    if (reason === undefined || this.#version !== 5) return encodePacket(packet, this.#version);
    return encodeWithReason(packet, reason, this.#agreement);
  }
}

/** A packet of version 5 with a reason string, where the client wants one and it fits. */
export function encodeWithReason(
  packet: Answer,
  reason: string,
  { wantsReasons, maximumPacketSizeBytes }: { wantsReasons: boolean; maximumPacketSizeBytes: number },
): Uint8Array {
  if (wantsReasons) {
    const properties = { ...packet.properties, reasonString: shortened(reason) };
    const bytes = encodePacket({ ...packet, properties } as Packet, 5);
    if (bytes.length <= maximumPacketSizeBytes) return bytes;
  }
  const hasProperties = Object.keys(packet.properties).length > 0;
  return encodePacket(hasProperties ? packet : ({ ...packet, properties: NO_PROPERTIES } as Packet), 5);
}

/** Characters of a reason: as much as people read, and far below what a property can hold. */
const MAX_REASON_CHARACTERS = 1_000;

function shortened(reason: string): string {
  return reason.length > MAX_REASON_CHARACTERS ? `${reason.slice(0, MAX_REASON_CHARACTERS)}…` : reason;
}
