import type { Channel } from '../../../broker/delivery/channel.ts';
import { BrokerError } from '../../../errors.ts';
import { encodePacket } from '../../../protocol/mqtt/encode.ts';
import { PACKET_NAMES, type Packet, type Version } from '../../../protocol/mqtt/packet.ts';
import { NO_PROPERTIES, type Properties } from '../../../protocol/mqtt/properties.ts';
import { OrderedAnswers } from '../../clients/ordered-answers.ts';
import type { Agreement } from '../negotiate.ts';

/** A packet that may say why. */
type Answer = Packet & { properties: Properties };

/**
 * Sends the answers to one client in the order of what they answer [MQTT-4.6.0-2] [MQTT-4.6.0-3], and writes them in its version.
 */
export class Answers extends OrderedAnswers {
  readonly #version: Version;
  readonly #agreement: Agreement;

  constructor(channel: Channel, version: Version, agreement: Agreement) {
    super(channel);
    this.#version = version;
    this.#agreement = agreement;
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
