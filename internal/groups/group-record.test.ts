import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type GroupRecord, readGroup, writeGroup } from './group-record.ts';

const text = fc.string({ unit: 'binary', maxLength: 20 });
const bytes = fc.uint8Array({ maxLength: 50 });

const member = fc.record({
  id: text,
  instanceId: fc.option(text),
  clientId: text,
  clientHost: text,
  protocolType: fc.constant('consumer'),
  sessionTimeoutMs: fc.nat(),
  rebalanceTimeoutMs: fc.nat(),
  protocols: fc.array(fc.tuple(text, bytes), { maxLength: 4 }).map((list) => new Map(list)),
  assignment: bytes,
});

const group: fc.Arbitrary<GroupRecord> = fc.record({
  state: fc.constantFrom('Empty', 'PreparingRebalance', 'CompletingRebalance', 'Stable'),
  generationId: fc.nat(),
  protocolType: fc.constant('consumer'),
  protocolName: fc.option(text),
  leaderId: fc.option(text),
  emptySinceMs: fc.option(fc.maxSafeNat(), { nil: undefined }),
  members: fc.array(member, { maxLength: 5 }),
});

describe('the record of a group', () => {
  it('brings back what was written', () => {
    fc.assert(
      fc.property(group, (one) => {
        expect(readGroup(writeGroup(one))).toEqual(one);
      }),
    );
  });

  it('has this layout', () => {
    const one: GroupRecord = {
      state: 'Stable',
      generationId: 7,
      protocolType: 'consumer',
      protocolName: 'range',
      leaderId: 'm',
      emptySinceMs: undefined,
      members: [
        {
          id: 'm',
          instanceId: null,
          clientId: 'c',
          clientHost: '::1',
          protocolType: 'consumer',
          sessionTimeoutMs: 45_000,
          rebalanceTimeoutMs: 300_000,
          protocols: new Map([['range', Uint8Array.of(1, 2)]]),
          assignment: Uint8Array.of(3),
        },
      ],
    };
    expect(Buffer.from(writeGroup(one)).toString('hex')).toBe(
      [
        '01 03 00000007 bff0000000000000',
        '00000008 636f6e73756d6572',
        '00000005 72616e6765',
        '00000001 6d',
        '00000001',
        '00000001 6d',
        'ffffffff',
        '00000001 63',
        '00000003 3a3a31',
        '0000afc8 000493e0',
        '00000001 00000005 72616e6765 00000002 0102',
        '00000001 03',
      ]
        .join('')
        .replaceAll(' ', ''),
    );
  });

  it('that is cut or of a version that is not known is refused, whatever its bytes say', () => {
    fc.assert(
      fc.property(group, fc.nat(), (one, cut) => {
        const whole = writeGroup(one);
        expect(() => readGroup(whole.subarray(0, cut % whole.length))).toThrow(RangeError);
        whole[0] = 2;
        expect(() => readGroup(whole)).toThrow('the format 2 of a group is not known');
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
        try {
          readGroup(Uint8Array.of(1, ...noise));
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }),
    );
  });
});
