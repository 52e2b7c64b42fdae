import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesOf, fromHex, GOLDEN_FRAMES, type GoldenFrame } from '../../../test/golden/frames.ts';
import { FIRST_BYTES, PartialUnit } from '../partial.ts';
import { FrameCursor } from './cursor.ts';
import { FrameDecoder } from './decoder.ts';
import { encodeFrame, type Frame, FrameError, MAX_PAYLOAD_BYTES } from './frame.ts';

const anyFrame = fc.record({
  type: fc.integer({ min: 0, max: 255 }),
  topic: fc.string({ unit: 'grapheme', maxLength: 40 }),
  payload: fc.uint8Array({ maxLength: 300 }),
  clientId: fc.string({ unit: 'grapheme', maxLength: 20 }),
});

describe('encodeFrame', () => {
  it.each(GOLDEN_FRAMES)('writes $name', (golden) => {
    const { type, topic, payload, clientId } = golden;
    expect(hex(encodeFrame(type, topic, payload, clientId))).toBe(hex(bytesOf(golden)));
  });

  it('refuses a topic that does not fit its length', () => {
    expect(() => encodeFrame(2, 'x'.repeat(65_536), '', 'c')).toThrow(
      /topic of 65536 bytes; at most 65535 fit/,
    );
  });

  it('refuses a client id that does not fit its length', () => {
    expect(() => encodeFrame(0, '', '', 'ü'.repeat(32_768))).toThrow(/client id of 65536 bytes/);
  });
});

describe('FrameDecoder', () => {
  it.each(GOLDEN_FRAMES)('reads $name whole', (golden) => {
    expect(decode([bytesOf(golden)])).toEqual([valuesOf(golden)]);
  });

  it.each(GOLDEN_FRAMES)('reads $name byte by byte', (golden) => {
    const bytes = bytesOf(golden);
    expect(decode(Array.from(bytes, (byte) => Uint8Array.of(byte)))).toEqual([valuesOf(golden)]);
  });

  it('reads many frames in one chunk', () => {
    const all = Buffer.concat(GOLDEN_FRAMES.map(bytesOf));
    expect(decode([all])).toEqual(GOLDEN_FRAMES.map(valuesOf));
  });

  it('reads the same frames wherever two chunks are cut', () => {
    const short = GOLDEN_FRAMES.filter((golden) => golden.hex.length < 200);
    const all = Buffer.concat(short.map(bytesOf));
    for (let cut = 0; cut <= all.length; cut++) {
      expect(decode([all.subarray(0, cut), all.subarray(cut)])).toEqual(short.map(valuesOf));
    }
  });

  it('reads what encodeFrame wrote, cut anywhere', () => {
    const property = fc.property(
      fc.array(anyFrame, { maxLength: 10 }),
      fc.array(fc.nat(400)),
      (frames, cuts) => {
        const bytes = Buffer.concat(
          frames.map(({ type, topic, payload, clientId }) => encodeFrame(type, topic, payload, clientId)),
        );
        expect(decode(split(bytes, cuts)).map(comparable)).toEqual(frames.map(comparable));
      },
    );
    fc.assert(property);
  });

  it('throws nothing but FrameError, whatever the bytes', () => {
    const property = fc.property(fc.array(fc.uint8Array({ maxLength: 200 })), (chunks) => {
      try {
        decode(chunks, 100);
      } catch (error) {
        expect(error).toBeInstanceOf(FrameError);
      }
    });
    fc.assert(property, { numRuns: 500 });
  });

  it('refuses a claimed 4 GiB payload as soon as its length is there', () => {
    const decoder = new FrameDecoder(16);
    expect(decoder.frames(fromHex('02 0001 61 ffffff'))).toEqual([]);
    expect(() => decoder.frames(fromHex('ff'))).toThrow(
      /payload of 4294967295 bytes; at most 16 are accepted/,
    );
  });

  it('accepts the largest payload and refuses one byte more', () => {
    expect(decode([encodeFrame(2, 'a', new Uint8Array(16), 'c')], 16)).toHaveLength(1);
    expect(() => decode([encodeFrame(2, 'a', new Uint8Array(17), 'c')], 16)).toThrow(FrameError);
  });

  it.each([
    ['topic', '02 0002 c328 00000000 0001 63'],
    ['client id', '02 0001 61 00000000 0002 c328'],
  ])('refuses a %s that is not UTF-8', (field, bytes) => {
    expect(() => decode([fromHex(bytes)])).toThrow(`${field} is not UTF-8`);
  });

  it('keeps a byte order mark at the beginning of a name', () => {
    expect(decode([fromHex('02 0004 efbbbf61 00000000 0001 63')])[0].topic).toBe('\ufeffa');
  });
});

describe('PartialUnit', () => {
  it('reserves at most twice of what arrived, whatever a length claims', () => {
    const cursor = new FrameCursor(MAX_PAYLOAD_BYTES);
    const partial = new PartialUnit();
    partial.keep(fromHex('02 0001 61 40000000'), 0, 8);
    let arrived = 8;
    for (const size of [1, 7, 100, 10_000, 100_000]) {
      expect(partial.fill(new Uint8Array(size), cursor)).toBe(size);
      arrived += size;
      expect(partial.length).toBe(arrived);
      expect(partial.reservedBytes).toBeLessThanOrEqual(Math.max(FIRST_BYTES, 2 * arrived));
    }
    expect(partial.takeWhole(cursor)).toBeUndefined();
  });
});

function decode(chunks: Uint8Array[], maxPayloadBytes = MAX_PAYLOAD_BYTES): Frame[] {
  const decoder = new FrameDecoder(maxPayloadBytes);
  const frames = chunks.flatMap((chunk) => decoder.frames(chunk));
  return frames.map((frame) => ({ ...frame, payload: new Uint8Array(frame.payload) }));
}

function valuesOf({ type, topic, payload, clientId }: GoldenFrame): Frame {
  const bytes = typeof payload === 'string' ? new TextEncoder().encode(payload) : payload;
  return { type, topic, payload: new Uint8Array(bytes), clientId };
}

/** A lone surrogate cannot be written as UTF-8 and becomes U+FFFD on the way. */
function comparable({ type, topic, payload, clientId }: Frame) {
  return { type, topic: topic.toWellFormed(), payload: hex(payload), clientId: clientId.toWellFormed() };
}

function split(bytes: Uint8Array, cuts: number[]): Uint8Array[] {
  const ends = [...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length];
  let start = 0;
  return ends.map((end) => {
    const chunk = bytes.subarray(start, end);
    start = end;
    return chunk;
  });
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
