import type { Channel } from '../../../broker/delivery/channel.ts';
import type { Receipt } from '../../../broker/delivery/receipt.ts';
import { BrokerError } from '../../../errors.ts';
import { Fifo } from '../../../lib/fifo.ts';
import { encodePacket } from '../../../protocol/mqtt/encode.ts';
import { PACKET_NAMES, type Packet, type Version } from '../../../protocol/mqtt/packet.ts';
import { NO_PROPERTIES, type Properties } from '../../../protocol/mqtt/properties.ts';
import type { Agreement } from '../negotiate.ts';

/** A packet that may say why. */
type Answer = Packet & { properties: Properties };

/** An answer that waits for its receipt, or for the answers before it. */
interface Waiting {
  bytes: Uint8Array;
  /** Undefined where it promises nothing that anybody has to keep. */
  receipt: Receipt | undefined;
  sent: ((problem?: BrokerError) => void) | undefined;
}

/**
 * Sends the answers to one client, in the order of what they answer [MQTT-4.6.0-2] [MQTT-4.6.0-3], and those that promise
 * something not before the promise is kept.
 */
export class Answers {
  readonly #channel: Channel;
  readonly #version: Version;
  readonly #agreement: Agreement;
  readonly #waiting = new Fifo<Waiting>();
  #isClosed = false;
  #whenAllSent: (() => void) | undefined;

  constructor(channel: Channel, version: Version, agreement: Agreement) {
    this.#channel = channel;
    this.#version = version;
    this.#agreement = agreement;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Sends an answer that promises nothing that has to be written. */
  now(bytes: Uint8Array): void {
    this.#channel.control(bytes);
  }

  /**
   * Sends an answer behind the ones before it.
   *
   * @param receipt of what it promises; undefined: nothing that has to be kept.
   * @param sent called when it is sent, or with a problem instead where the promise cannot be kept.
   */
  inOrder(bytes: Uint8Array, receipt?: Receipt, sent?: (problem?: BrokerError) => void): void {
    if (this.#isClosed) return;
    const isSettled = receipt === undefined || receipt.isSettled;
    if (this.#waiting.length === 0 && isSettled) {
      this.#send(bytes, receipt?.problem, sent);
      return;
    }
    // Its owner may use one that nobody held for other work.
    this.#waiting.push({ bytes, receipt: receipt?.isUsed ? receipt : undefined, sent });
    if (!isSettled) receipt.whenSettled(this.#sendSettled);
  }

  /** The connection is gone: nobody waits for an answer any more. */
  close(): void {
    this.#isClosed = true;
    this.#waiting.clear();
    this.#whenAllSent = undefined;
  }

  /** Calls when the last answer that waits now is sent; never where the connection is gone before. */
  whenAllSent(call: () => void): void {
    this.#whenAllSent = call;
  }

  readonly #sendSettled = (): void => {
    for (let first = this.#waiting.first; first !== undefined; first = this.#waiting.first) {
      const { bytes, receipt, sent } = first;
      if (receipt?.isSettled === false) return;
      this.#waiting.shift();
      this.#send(bytes, receipt?.problem, sent);
    }
    const call = this.#whenAllSent;
    this.#whenAllSent = undefined;
    call?.();
  };

  #send(bytes: Uint8Array, problem: BrokerError | undefined, sent: Waiting['sent']): void {
    if (problem === undefined) this.#channel.control(bytes);
    sent?.(problem);
  }

  /**
   * A packet in bytes, with a reason string where the client wants one and it fits [MQTT-3.4.2-2].
   *
   * @throws BrokerError `packet-too-large`: the client asked for so much that it takes no answer of this size.
   */
  encode(packet: Answer, reason?: string): Uint8Array {
    if (this.#version !== 5) return encodePacket(packet, this.#version);
    return encodeWithin(this.#agreement, packet, reason);
  }
}

/**
 * A packet of version 5 that the client takes.
 *
 * @throws BrokerError `packet-too-large` [MQTT-3.1.2-24].
 */
export function encodeWithin(agreement: Agreement, packet: Answer, reason?: string): Uint8Array {
  const bytes = reason === undefined ? encodePacket(packet, 5) : encodeWithReason(packet, reason, agreement);
  const { maximumPacketSizeBytes } = agreement;
  if (bytes.length <= maximumPacketSizeBytes) return bytes;
  const name = PACKET_NAMES[packet.type];
  const sizes = `${bytes.length} bytes; at most ${maximumPacketSizeBytes} are taken`;
  throw new BrokerError('packet-too-large', `${name} has ${sizes}`);
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
