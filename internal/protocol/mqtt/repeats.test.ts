import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PacketCursor } from './cursor.ts';
import { encodeAnswer, encodePublish } from './encode.ts';
import { PacketType, type Publish, type Version } from './packet.ts';
import { NO_PROPERTIES } from './properties.ts';
import { PublishFields } from './publish-fields.ts';
import { countAcknowledged, countNumberedRepeats, countRepeats } from './repeats.ts';

function publish(topic: string, payload: string): Publish {
  return {
    type: PacketType.publish,
    topic,
    payload: Buffer.from(payload, 'latin1'),
    qos: 0,
    retain: false,
    dup: false,
    packetId: 0,
    properties: NO_PROPERTIES,
  };
}

/** How many packets behind the first one have the same size and the same bytes before their payload. */
function countSlowly(packets: readonly Uint8Array[], head: number): number {
  const first = packets[0];
  let count = 0;
  for (const packet of packets.slice(1)) {
    const isSame =
      packet.length === first.length &&
      Buffer.compare(packet.subarray(0, head), first.subarray(0, head)) === 0;
    if (!isSame) break;
    count++;
  }
  return count;
}

function count(packets: readonly Uint8Array[], version: Version): [number, number] {
  const bytes = Buffer.concat(packets);
  const cursor = new PacketCursor(1024);
  const fields = new PublishFields();
  cursor.read(bytes, 0, bytes.length);
  fields.read(bytes, cursor.flags, cursor.bodyStart, cursor.end, version);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const head = fields.payloadStart;
  return [countRepeats(view, cursor.end, bytes.length, cursor.end, head), countSlowly(packets, head)];
}

describe('packets that repeat the one before', () => {
  it.each([4, 5] as const)('are counted like the bytes say, version %i', (version) => {
    const topic = fc.constantFrom(
      'a',
      'b',
      'ab',
      'abcdefgh',
      'abcdefgi',
      'sensors/kitchen/temperature',
      'sensors/kitchem/temperature',
      '\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff',
    );
    const message = fc.record({ topic, payload: fc.constantFrom('', 'x', 'y', 'longer') });
    fc.assert(
      fc.property(
        fc.array(fc.oneof(message, fc.constant({ topic: 'a', payload: 'x' })), { minLength: 1 }),
        (messages) => {
          const packets = messages.map(({ topic: of, payload }) =>
            encodePublish(publish(of, payload), version),
          );
          const [fast, slow] = count(packets, version);
          expect(fast).toBeLessThanOrEqual(slow);
          // Words that are no number are left to the caller.
          if (!messages[0].topic.startsWith('\xff')) expect(fast).toBe(slow);
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('does not count one that is cut', () => {
    const whole = encodePublish(publish('sensors/temp', '22.5'), 4);
    const bytes = Buffer.concat([whole, whole, whole.subarray(0, -1)]);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    expect(countRepeats(view, whole.length, bytes.length, whole.length, 16)).toBe(1);
  });
});

describe('numbered packets that repeat the one before', () => {
  it.each([4, 5] as const)('are counted whatever their identifiers are, but for 0, version %i', (version) => {
    const any = fc.record({
      topic: fc.constantFrom('a', 'b', 'abcdefgh', 'sensors/kitchen/temperature'),
      payload: fc.constantFrom('x', 'y', 'longer'),
      packetId: fc.oneof({ weight: 9, arbitrary: fc.integer({ min: 1, max: 65_535 }) }, fc.constant(0)),
      contentType: fc.oneof({ weight: 9, arbitrary: fc.constant('') }, fc.constant('t')),
    });
    const usual = any.map((one) => ({ ...one, topic: 'a', payload: 'x', contentType: '' }));
    fc.assert(
      fc.property(fc.array(fc.oneof(any, usual), { minLength: 2 }), (messages) => {
        const packets = messages.map(({ topic, payload, packetId, contentType }) => {
          const properties = contentType === '' ? NO_PROPERTIES : { contentType };
          return encodePublish({ ...publish(topic, payload), qos: 1, packetId, properties }, version);
        });
        const bytes = Buffer.concat([
          encodePublish({ ...publish('a', 'x'), qos: 1, packetId: 7 }, version),
          ...packets,
        ]);
        const size = bytes.length - Buffer.concat(packets).length;
        const idAt = 1 + 1 + 2 + 1;
        const head = size - 1;
        const isOther = ({ topic, payload, packetId, contentType }: (typeof messages)[number]) =>
          topic !== 'a' || payload.length > 1 || packetId === 0 || (version === 5 && contentType !== '');
        const expected = messages.findIndex(isOther);
        const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
        expect(countNumberedRepeats(view, size, bytes.length, size, { idAt, head })).toBe(
          expected === -1 ? messages.length : expected,
        );
      }),
      { numRuns: 1000 },
    );
  });
});

describe('acknowledgements in a row', () => {
  const acks = (...ids: number[]) => Buffer.concat(ids.map((id) => encodeAnswer(PacketType.puback, id)));
  const counted = (bytes: Buffer, first: number, at = 0) =>
    countAcknowledged(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), at, bytes.length, first);

  it('are counted as long as each is of the message behind the one before', () => {
    expect(counted(acks(5, 6, 7, 9), 5)).toBe(3);
    expect(counted(acks(5, 6, 7), 5, 4)).toBe(0);
    expect(counted(acks(5, 6, 7), 6, 4)).toBe(2);
    expect(counted(acks(5, 6).subarray(0, 7), 5)).toBe(1);
    expect(counted(acks(65_534, 65_535, 1), 65_534)).toBe(2);
  });

  it('are none where something else comes, or a reason is given', () => {
    expect(counted(Buffer.concat([encodeAnswer(PacketType.pubrec, 5), acks(6)]), 5)).toBe(0);
    expect(counted(Buffer.of(0x40, 3, 0, 5, 0x10), 5)).toBe(0);
    // What would come behind the last identifier looks like a PUBACK of three bytes and identifier 0.
    expect(counted(Buffer.concat([acks(65_535), Buffer.of(0x40, 3, 0, 0, 0)]), 65_535)).toBe(1);
  });
});
