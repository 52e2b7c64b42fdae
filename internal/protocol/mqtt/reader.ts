import { MqttError } from './mqtt-error.ts';

/** Value of a variable byte integer that can be written (MQTT 5, section 1.5.5). */
export const MAX_VARINT = 268_435_455;
/** Bytes of the longest one. */
export const MAX_VARINT_BYTES = 4;

// ignoreBOM keeps a leading U+FEFF, which is a character like any other. [MQTT-1.5.4-3]
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Reads the fields of one packet one after another. Lengths are checked before anything is made of them. */
export class FieldReader {
  at: number;
  readonly end: number;
  readonly #bytes: Uint8Array;
  readonly #packet: string;

  /** @param packet what is being read, for messages: `CONNECT`. */
  constructor(bytes: Uint8Array, start: number, end: number, packet: string) {
    this.#bytes = bytes;
    this.at = start;
    this.end = end;
    this.#packet = packet;
  }

  get remaining(): number {
    return this.end - this.at;
  }

  uint8(field: string): number {
    this.#need(1, field);
    return this.#bytes[this.at++];
  }

  uint16(field: string): number {
    this.#need(2, field);
    const value = (this.#bytes[this.at] << 8) | this.#bytes[this.at + 1];
    this.at += 2;
    return value;
  }

  uint32(field: string): number {
    return this.uint16(field) * 0x1_0000 + this.uint16(field);
  }

  varint(field: string): number {
    let value = 0;
    for (let index = 0; index < MAX_VARINT_BYTES; index++) {
      const byte = this.uint8(field);
      value += (byte & 0x7f) * 128 ** index;
      if (byte >= 0x80) continue;
      // [MQTT-1.5.5-1] as few bytes as it takes.
      if (index > 0 && byte === 0) throw this.malformed(`${field} takes more bytes than it needs`);
      return value;
    }
    throw this.malformed(`${field} is longer than ${MAX_VARINT_BYTES} bytes`);
  }

  /** [MQTT-1.5.4-1] well-formed UTF-8 without surrogates, [MQTT-1.5.4-2] without NUL. */
  text(field: string): string {
    const bytes = this.binary(field);
    let text: string;
    try {
      text = strictUtf8.decode(bytes);
    } catch {
      throw this.malformed(`${field} is not UTF-8`);
    }
    if (text.includes('\0')) throw this.malformed(`${field} has a NUL character`);
    return text;
  }

  /** A view of what is read from. */
  binary(field: string): Uint8Array {
    const length = this.uint16(field);
    this.#need(length, field);
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }

  /** All that is left. */
  rest(): Uint8Array {
    const rest = this.#bytes.subarray(this.at, this.end);
    this.at = this.end;
    return rest;
  }

  /** A reader of the next `length` bytes, which this one then has behind it. */
  part(length: number, field: string): FieldReader {
    this.#need(length, field);
    const part = new FieldReader(this.#bytes, this.at, this.at + length, this.#packet);
    this.at += length;
    return part;
  }

  expectEnd(): void {
    if (this.remaining > 0) throw this.malformed(`${this.remaining} bytes behind its end`);
  }

  malformed(problem: string): MqttError {
    return new MqttError('malformedPacket', `${this.#packet}: ${problem}`);
  }

  violated(problem: string): MqttError {
    return new MqttError('protocolError', `${this.#packet}: ${problem}`);
  }

  #need(bytes: number, field: string): void {
    if (this.remaining < bytes) throw this.malformed(`${field} reaches over its end`);
  }
}
