import { describe, expect, it } from 'vitest';
import { bytesOf, GOLDEN_MESSAGES } from '../../../test/golden/kafka-messages.ts';
import { expectBytes } from '../../../test/support/hex-dump.ts';
import { codecOf, decodeMessage, encodeMessage } from './codec.ts';
import { KafkaProtocolError } from './protocol-error.ts';
import { KafkaReader } from './reader.ts';

describe.each(GOLDEN_MESSAGES)('golden message: $name', (golden) => {
  const { message, version, value } = golden;
  const bytes = bytesOf(golden);

  it('is what the codec writes', () => {
    expectBytes(Buffer.concat(encodeMessage(message, version, value)), bytes);
  });

  it('is read as the value, to the last byte', () => {
    const reader = new KafkaReader(bytes);
    expect(comparable(codecOf(message, version).read(reader))).toMatchObject(comparable(value) as object);
    expect(reader.remaining).toBe(0);
  });

  it('is read from the middle of other bytes', () => {
    const around = Buffer.concat([Buffer.alloc(7, 0xee), bytes, Buffer.alloc(7, 0xee)]);
    const reader = new KafkaReader(around, 7);
    expect(comparable(codecOf(message, version).read(reader))).toMatchObject(comparable(value) as object);
    expect(reader.at).toBe(7 + bytes.length);
  });

  it('is refused with any byte missing', () => {
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeMessage(message, version, bytes.subarray(0, length))).toThrow(KafkaProtocolError);
    }
  });
});

/** Views and copies of bytes are the same whatever class they have. */
function comparable(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (Array.isArray(value)) return value.map(comparable);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, comparable(member)]));
}
