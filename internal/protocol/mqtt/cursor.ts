import { MqttError } from './mqtt-error.ts';
import { fixedFlags, PACKET_NAMES, PacketType } from './packet.ts';
import { MAX_VARINT_BYTES } from './reader.ts';

/**
 * Finds where a packet lies, without making anything: one cursor serves a connection for all its life. The fields are
 * valid after {@link read} said true, and until it is called again.
 *
 *     [type:4 bits][flags:4 bits][remaining length: 1 to 4 bytes][body]
 */
export class PacketCursor {
  /** A {@link PacketType}. */
  type = 0;
  flags = 0;
  /** Where the body begins: what the remaining length counts. */
  bodyStart = 0;
  /** Where the body and with it the packet ends. */
  end = 0;
  /** Whether flags that a packet has no use for may have any value, as in version 3.1 (section 2.1). */
  disregardsFlags = false;

  readonly #maxPacketBytes: number;

  /** @param maxPacketBytes the largest packet that is accepted, its fixed header included. */
  constructor(maxPacketBytes: number) {
    this.#maxPacketBytes = maxPacketBytes;
  }

  /**
   * Looks at the packet that begins at `at`; whether it is complete before `limit`.
   *
   * @throws MqttError `malformedPacket` for a type, flags or a length that there are not; `packetTooLarge` as soon as
   *   the length is there to be read.
   */
  read(bytes: Uint8Array, at: number, limit: number): boolean {
    if (!this.#readHeader(bytes, at, limit)) return false;
    return this.end <= limit;
  }

  /** How many bytes of the packet at `at` are needed to know more about it, given that it is not complete. */
  bytesWanted(bytes: Uint8Array, at: number, limit: number): number {
    if (this.#readHeader(bytes, at, limit)) return this.end - at;
    return limit - at + 1;
  }

  #readHeader(bytes: Uint8Array, at: number, limit: number): boolean {
    if (at >= limit) return false;
    const first = bytes[at];
    const type = first >>> 4;
    const flags = first & 0x0f;
    if (type !== PacketType.publish) this.#checkFirstByte(type, flags);
    let length = 0;
    let next = at + 1;
    for (let shift = 0; ; shift += 7) {
      if (next === limit) return false;
      const byte = bytes[next++];
      length |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
      if (next - at > MAX_VARINT_BYTES) {
        throw new MqttError(
          'malformedPacket',
          `the remaining length takes more than ${MAX_VARINT_BYTES} bytes`,
        );
      }
    }
    const end = next + length;
    if (end - at > this.#maxPacketBytes) throw this.#tooLarge(type, end - at);
    this.type = type;
    this.flags = flags;
    this.bodyStart = next;
    this.end = end;
    return true;
  }

  /** [MQTT-2.1.3-1] flags that are reserved have the value that is listed. */
  #checkFirstByte(type: number, flags: number): void {
    if (type === 0) throw new MqttError('malformedPacket', 'there is no packet type 0');
    // What they may be depends on the version, which is not known yet.
    if (type === PacketType.connect || this.disregardsFlags) return;
    const expected = fixedFlags(type);
    if (flags === expected) return;
    throw new MqttError('malformedPacket', `${PACKET_NAMES[type]} with flags ${flags}, not ${expected}`);
  }

  #tooLarge(type: number, packetBytes: number): MqttError {
    return new MqttError(
      'packetTooLarge',
      `${PACKET_NAMES[type]} of ${packetBytes} bytes; at most ${this.#maxPacketBytes} are accepted`,
    );
  }
}
