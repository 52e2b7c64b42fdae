import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PacketCursor } from './cursor.ts';
import { encodePublish } from './encode.ts';
import { PacketType, type Publish, type Version } from './packet.ts';
import { NO_PROPERTIES } from './properties.ts';
import { PublishFields } from './publish-fields.ts';
import { countRepeats } from './repeats.ts';

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
