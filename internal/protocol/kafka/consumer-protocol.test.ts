import { describe, expect, it } from 'vitest';
import { expectBytes } from '../../../test/support/hex-dump.ts';
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from './consumer-protocol.ts';
import { KafkaProtocolError } from './protocol-error.ts';

describe('the metadata of a consumer', () => {
  it.each([
    [0, '0000 00000001 000161 ffffffff'],
    [1, '0001 00000001 000161 ffffffff 00000001 000161 00000001 00000002'],
    [3, '0003 00000001 000161 ffffffff 00000001 000161 00000001 00000002 00000005 000172'],
  ])('of version %i', (version, hex) => {
    const value = {
      topics: ['a'],
      userData: null,
      ownedPartitions: [{ topic: 'a', partitions: [2] }],
      generationId: 5,
      rackId: 'r',
    };
    expectBytes(encodeSubscription(version, value), fromHex(hex));
    const { topics, ownedPartitions } = decodeSubscription(fromHex(hex));
    expect(topics).toEqual(['a']);
    expect(ownedPartitions).toEqual(version > 0 ? value.ownedPartitions : []);
  });

  it('of a version that is newer is read as far as it is known', () => {
    const newer = fromHex('0009 00000001 000161 ffffffff 00000000 00000005 000172 cafe');
    expect(decodeSubscription(newer)).toMatchObject({ topics: ['a'], generationId: 5, rackId: 'r' });
  });

  it.each(['', '0000', 'ffff 00000000', '0000 00000001 00'])('is refused: %s', (hex) => {
    expect(() => decodeSubscription(fromHex(hex))).toThrow(KafkaProtocolError);
  });
});

describe('the assignment of a consumer', () => {
  it('is which partitions of which topics', () => {
    const value = { assignedPartitions: [{ topic: 'a', partitions: [0, 1] }], userData: Buffer.from([7]) };
    const bytes = fromHex('0001 00000001 000161 00000002 00000000 00000001 00000001 07');
    expectBytes(encodeAssignment(1, value), bytes);
    expect(decodeAssignment(bytes)).toEqual(value);
  });
});

function fromHex(hex: string): Buffer {
  return Buffer.from(hex.replaceAll(' ', ''), 'hex');
}
