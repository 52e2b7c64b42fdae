import { HpackDecoder } from '../../internal/protocol/http2/hpack/decoder.ts';

/** A frame as a test reads it. */
export interface ReadFrame {
  type: number;
  flags: number;
  stream: number;
  payload: Buffer;
}

/** Cuts bytes into whole frames. */
export function readFrames(bytes: Buffer): ReadFrame[] {
  const frames: ReadFrame[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUIntBE(at, 3);
    const stream = bytes.readUInt32BE(at + 5) & 0x7fff_ffff;
    const payload = bytes.subarray(at + 9, at + 9 + length);
    if (payload.length < length) throw new Error('a frame that is cut off');
    frames.push({ type: bytes[at + 3], flags: bytes[at + 4], stream, payload });
    at += 9 + length;
  }
  return frames;
}

/** The fields of header blocks, in the order in which they came. */
export class FieldReader {
  readonly #decoder = new HpackDecoder(4_096);

  read(block: Uint8Array): Record<string, string> {
    const fields: Record<string, string> = {};
    this.#decoder.decode(block, 0, block.length, 100_000, {
      add: ({ name, value }) => {
        fields[name] = value;
      },
    });
    return fields;
  }
}
