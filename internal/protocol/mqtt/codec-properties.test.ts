import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GOLDEN_PACKETS } from '../../../test/golden/mqtt-packets.ts';
import { anyPacket } from '../../../test/mqtt/arbitrary-packets.ts';
import { PartialUnit } from '../partial.ts';
import { PacketCursor } from './cursor.ts';
import { decodePacket } from './decode.ts';
import { encodePacket, publishBytes } from './encode.ts';
import { MqttError } from './mqtt-error.ts';
import { type Packet, PacketType, VERSIONS, type Version } from './packet.ts';
import { FIRST_FAILURE, mayCarry } from './reason-codes.ts';

const MAX_PACKET_BYTES = 64 * 1024;

/** All packets of a stream that comes in these chunks. */
function decodeAll(chunks: readonly Uint8Array[], version: Version): Packet[] {
  const cursor = new PacketCursor(MAX_PACKET_BYTES);
  const partial = new PartialUnit();
  const packets: Packet[] = [];
  for (const chunk of chunks) {
    let at = 0;
    if (!partial.isEmpty) {
      at = partial.fill(chunk, cursor);
      const whole = partial.takeWhole(cursor);
      if (whole === undefined) continue;
      packets.push(decodePacket(whole, cursor, version));
    }
    while (cursor.read(chunk, at, chunk.length)) {
      packets.push(decodePacket(chunk, cursor, version));
      at = cursor.end;
    }
    if (at < chunk.length) partial.keep(chunk, at, chunk.length);
  }
  expect(partial.isEmpty).toBe(true);
  return packets;
}

function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...places.map((place) => place % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return ends.map((end, index) => bytes.subarray(index === 0 ? 0 : ends[index - 1], end));
}

describe.each([...VERSIONS])('any packet of version %i', (version) => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(anyPacket(version), (packet) => {
        expect(decodeAll([new Uint8Array(encodePacket(packet, version))], version)).toEqual([packet]);
      }),
      { numRuns: 1000 },
    );
  });

  it('is the same however the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.array(anyPacket(version), { minLength: 1, maxLength: 4 }),
        fc.array(fc.nat(), { maxLength: 8 }),
        (packets, places) => {
          const stream = new Uint8Array(
            Buffer.concat(packets.map((packet) => encodePacket(packet, version))),
          );
          expect(decodeAll(cut(stream, places), version)).toEqual(packets);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('knows its size before it is written', () => {
    fc.assert(
      fc.property(anyPacket(version), (packet) => {
        if (packet.type !== PacketType.publish) return;
        expect(publishBytes(packet, version)).toBe(encodePacket(packet, version).length);
      }),
      { numRuns: 500 },
    );
  });

  it('throws nothing but MqttError with a reason for DISCONNECT or CONNACK, whatever happens to it', () => {
    const seeds = GOLDEN_PACKETS.filter(({ versions }) => versions.includes(version)).map(({ hex }) =>
      Buffer.from(hex.replaceAll(' ', ''), 'hex'),
    );
    const mutation = fc.record({
      at: fc.nat(),
      byte: fc.nat(255),
      how: fc.constantFrom('set', 'insert', 'remove'),
    });
    fc.assert(
      fc.property(
        fc.constantFrom(...seeds),
        fc.array(mutation, { minLength: 1, maxLength: 4 }),
        (seed, changes) => {
          const bytes = [...seed];
          for (const { at, byte, how } of changes) {
            const inserted = how === 'remove' ? [] : [byte];
            bytes.splice(at % (bytes.length + 1), how === 'insert' ? 0 : 1, ...inserted);
          }
          expectReadOrRefused(Uint8Array.from(bytes), version);
        },
      ),
      { numRuns: 5000 },
    );
  });
});

function expectReadOrRefused(bytes: Uint8Array, version: Version): void {
  const cursor = new PacketCursor(MAX_PACKET_BYTES);
  try {
    for (let at = 0; cursor.read(bytes, at, bytes.length); at = cursor.end) {
      expect(cursor.end).toBeGreaterThan(at);
      decodePacket(bytes, cursor, version);
    }
  } catch (error) {
    if (!(error instanceof MqttError)) throw error;
    expect(error.reasonCode).toBeGreaterThanOrEqual(FIRST_FAILURE);
    const isKnown = mayCarry('disconnect', error.reasonCode) || mayCarry('connack', error.reasonCode);
    expect(isKnown).toBe(true);
  }
}
