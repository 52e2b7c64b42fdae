import fc from 'fast-check';
import { expect, it } from 'vitest';
import { encodePublish } from './encode.ts';
import { PacketType, type Qos, type Version } from './packet.ts';
import { NO_PROPERTIES } from './properties.ts';
import { numberPackets, withNoProperties, withoutPacketIds, withoutProperties } from './publish-runs.ts';

/** Around each length at which the remaining length takes another byte. */
const anyPayloadBytes = fc.oneof(
  fc.integer({ min: 0, max: 200 }),
  fc.integer({ min: 16_300, max: 16_400 }),
  fc.constantFrom(2_097_135, 2_097_140, 2_097_145),
);
const anyMessages = fc.array(fc.tuple(fc.constantFrom('a', 'ü/b', 'x'.repeat(120)), anyPayloadBytes), {
  minLength: 1,
  maxLength: 5,
});

function runOf(messages: readonly [string, number][], version: Version, qos: Qos, first: number): Uint8Array {
  return Buffer.concat(
    messages.map(([topic, payloadBytes], index) =>
      encodePublish(
        {
          ...{ type: PacketType.publish, topic, payload: new Uint8Array(payloadBytes).fill(index + 1) },
          ...{ qos, retain: false, dup: false, packetId: first + index, properties: NO_PROPERTIES },
        },
        version,
      ),
    ),
  );
}

it.each([4, 5] as const)(
  'a run gets other packet identifiers, or none, as the encoder writes it, version %i',
  (version) => {
    fc.assert(
      fc.property(anyMessages, fc.integer({ min: 1, max: 65_500 }), (messages, first) => {
        const run = runOf(messages, version, 1, 7);
        expect(Buffer.compare(withoutPacketIds(run), runOf(messages, version, 0, 0))).toBe(0);
        const room = Buffer.concat([Buffer.of(1, 2, 3), run, Buffer.of(4)]);
        numberPackets(room, 3, room.length - 1, first);
        const numbered = Buffer.concat([
          Buffer.of(1, 2, 3),
          runOf(messages, version, 1, first),
          Buffer.of(4),
        ]);
        expect(Buffer.compare(room, numbered)).toBe(0);
      }),
      { numRuns: 60 },
    );
  },
);

it('a run is in another version what the encoder writes in that', () => {
  fc.assert(
    fc.property(anyMessages, (messages) => {
      const [old, now] = [runOf(messages, 4, 1, 7), runOf(messages, 5, 1, 7)];
      expect(Buffer.compare(withNoProperties(old), now)).toBe(0);
      expect(Buffer.compare(withoutProperties(now), old)).toBe(0);
    }),
    { numRuns: 60 },
  );
});
