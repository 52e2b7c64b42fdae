import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesOf, fromHex, GOLDEN_MEANINGS } from '../../../test/golden/frames.ts';
import { expectBytes } from '../../../test/support/hex-dump.ts';
import {
  type CountBit,
  encodeAck,
  encodeCredit,
  encodeReturn,
  numberedRefusal,
  parseAck,
  parseCredit,
  parseNumberedRefusal,
  parseReturn,
} from './acknowledgements.ts';
import { FrameDecoder } from './decoder.ts';
import { encodeFrame, FrameBit, FrameError, FrameType, MAX_PAYLOAD_BYTES } from './frame.ts';
import { formatOffer, formatOfferAnswer, parseOffer, parseOfferAnswer } from './offer.ts';
import { type FrameProperties, payloadWith, readProperties } from './properties.ts';

const utf8 = new TextEncoder();

describe.each(GOLDEN_MEANINGS)('golden frame: $name', (golden) => {
  const bytes = bytesOf(golden);
  const { means } = golden;
  const [frame] = new FrameDecoder(MAX_PAYLOAD_BYTES).frames(bytes);
  const { payload } = frame;

  it('has the values', () => {
    expect(frame).toMatchObject({ type: golden.type, topic: golden.topic, clientId: golden.clientId });
    expectBytes(encodeFrame(golden.type, golden.topic, golden.payload, golden.clientId), bytes);
  });

  it('means what it says', () => {
    const bits = (golden.type & (FrameBit.acknowledged | FrameBit.once)) as CountBit;
    if (means.counted !== undefined) {
      expect(bits).toBe(means.counted === 'acks' ? FrameBit.acknowledged : FrameBit.once);
    } else if (means.ack !== undefined) {
      expect(parseAck(payload)).toEqual(means.ack);
      expectBytes(encodeAck(bits, means.ack.upTo, means.ack.ranges), bytes);
    } else if (means.return !== undefined) {
      expect(parseReturn(payload)).toEqual(means.return);
      expectBytes(encodeReturn(means.return), bytes);
    } else if (means.credit !== undefined) {
      expect(parseCredit(payload)).toEqual(means.credit);
      expectBytes(encodeCredit(means.credit), bytes);
    } else if (means.refused !== undefined) {
      expect(parseNumberedRefusal(payload)).toEqual(means.refused);
      expectBytes(numberedRefusal(means.refused.number, means.refused.reason), payload);
    } else if (means.properties !== undefined) {
      const properties = fromFile(means.properties) as FrameProperties;
      const read = readProperties(payload, 0, payload.length);
      expect(read.properties).toEqual(properties);
      expectBytes(payloadWith(properties, payload.subarray(read.messageStart)), payload);
    } else if (means.offer !== undefined) {
      const offer = fromFile(means.offer);
      expect(parseOffer(payload)).toEqual(offer);
      expect(
        Buffer.from(payload)
          .toString()
          .endsWith(` ${formatOffer(offer)}`),
      ).toBe(true);
    } else {
      expect(parseOfferAnswer(payload)).toEqual(means.answer);
      expect(
        Buffer.from(payload)
          .toString()
          .endsWith(` ${formatOfferAnswer(means.answer!)}`),
      ).toBe(true);
    }
  });
});

describe('properties', () => {
  it('are read as they were written', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 30 }).filter((one) => !one.includes('\0'));
    const yes = fc.constant(true as const);
    const place = fc.record({
      partition: fc.nat(),
      offset: fc.maxSafeNat(),
      logId: fc.uint8Array({ minLength: 16, maxLength: 16 }),
      log: text,
    });
    const properties: fc.Arbitrary<FrameProperties> = fc.record(
      {
        retain: yes,
        expiresInMs: fc.maxSafeNat(),
        headers: fc.array(fc.tuple(text, text), { minLength: 1, maxLength: 5 }),
        contentType: text,
        correlationData: fc.uint8Array(),
        replyTo: text,
        isText: yes,
        place,
        isAgain: yes,
        acknowledged: yes,
        noLocal: yes,
        retainHandling: fc.constantFrom('always' as const, 'if new' as const, 'never' as const),
        retainAsPublished: yes,
        starts: fc.array(place, { minLength: 1, maxLength: 4 }),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(properties, fc.uint8Array(), (wanted, message) => {
        const payload = payloadWith(wanted, message);
        const read = readProperties(payload, 0, payload.length);
        expect(read.properties).toEqual(wanted);
        expectBytes(payload.subarray(read.messageStart), message);
      }),
    );
  });

  it('that are any bytes are read, or refused as frames are, and nothing behind them is looked at', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          expect(readProperties(bytes, 0, bytes.length).messageStart).toBeLessThanOrEqual(bytes.length);
        } catch (error) {
          expect(error).toBeInstanceOf(FrameError);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    ['no length', '000000'],
    ['a block that is longer than the payload', '0000000101'],
    ['a value that is longer than the block', '000000060100000002ff'],
    ['a head that is cut off', '0000000401000000'],
    ['one twice', '0000000a01000000000100000000'],
    ['a value where there is none', '00000006010000000100'],
    ['an expiry beyond all use', '0000000d0200000008ffffffffffffffff'],
    ['an expiry of two bytes', '000000070200000002ffff'],
    ['a header whose name is cut off', '0000000703000000020005'],
    ['no UTF-8', '000000060400000001ff'],
    ['NUL in a text', '00000006040000000100'],
    ['a retain handling that there is not', '00000006120000000103'],
    ['a place that is cut off', '000000060800000001ff'],
    ['more bytes than there may be', `00040001${'00'.repeat(262_145)}`],
  ])('with %s are refused', (_, hex) => {
    const bytes = fromHex(hex);
    expect(() => readProperties(bytes, 0, bytes.length)).toThrow(FrameError);
  });

  it('that nobody knows are passed over', () => {
    const bytes = fromHex('0000000c fa 00000002 ffff 01 00000000 6869');
    expect(readProperties(bytes, 0, bytes.length)).toEqual({
      properties: { retain: true },
      ids: new Set([0xfa, 1]),
      messageStart: 16,
    });
  });

  it('that do not fit are refused by their writer', () => {
    expect(() => payloadWith({ contentType: 'x'.repeat(65_536) }, new Uint8Array(0))).toThrow(FrameError);
    const headers = Array.from({ length: 10 }, (): [string, string] => ['n', 'x'.repeat(65_000)]);
    expect(() => payloadWith({ headers }, new Uint8Array(0))).toThrow(FrameError);
  });
});

describe('acknowledgements', () => {
  it.each([
    ['nothing', ''],
    ['half a number', '00000000'],
    ['half a range', `${'00'.repeat(8)}${'00'.repeat(8)}`],
    ['a number beyond all counts', 'ffffffffffffffff'],
    ['a range below', '0000000000000005 0000000000000003 0000000000000009'],
    ['a range that ends before it begins', '0000000000000005 0000000000000009 0000000000000008'],
  ])('of %s are refused', (_, hex) => {
    expect(() => parseAck(fromHex(hex))).toThrow(FrameError);
  });

  it('name no more ranges than fit', () => {
    const ranges = Array.from({ length: 100 }, (_, index): [number, number] => [
      2 * index + 2,
      2 * index + 2,
    ]);
    const [frame] = new FrameDecoder(2_000).frames(encodeAck(FrameBit.acknowledged, 0, ranges));
    expect(parseAck(frame.payload).ranges).toEqual(ranges.slice(0, 63));
  });

  it.each([
    ['a RETURN', parseReturn, '0000000000000001 000000'],
    ['a RETURN that is no text', parseReturn, '0000000000000001 00000000 ff'],
    ['a CREDIT', parseCredit, '00000000000000'],
    ['a CREDIT', parseCredit, '000000000000000000'],
    ['a refusal', parseNumberedRefusal, '00000000000000'],
  ])('are refused where %s has no meaning', (_, parse, hex) => {
    expect(() => parse(fromHex(hex))).toThrow(FrameError);
  });
});

describe('an offer', () => {
  it.each([
    'session-expiry=',
    'session-expiry=-1',
    'session-expiry=1e3',
    'session-expiry=4294967296',
    'session-start=dirty',
    'window=0',
    'window=65536',
    'producer=',
    'producer=a/b',
    `producer=${'x'.repeat(65)}`,
    'will=***',
    'will-delay=soon',
    'window=1 window=1',
  ])('of %s is refused', (words) => {
    expect(() => parseOffer(utf8.encode(`session ${words}`))).toThrow(FrameError);
  });

  it('says for ever, and to begin anew', () => {
    const offer = { sessionExpiryMs: Number.POSITIVE_INFINITY, startsClean: true };
    expect(formatOffer(offer)).toBe('session-expiry=never session-start=clean');
    expect(parseOffer(utf8.encode(`session ${formatOffer(offer)} tomorrow a=b`))).toEqual(offer);
  });
});

it('an ACK is one of the types that carry their payload however short messages have to be', () => {
  const ack = encodeAck(FrameBit.acknowledged, 1);
  expect(new FrameDecoder(1).frames(ack)).toHaveLength(1);
  expect(ack[0]! & ~FrameBit.acknowledged).toBe(FrameType.acknowledge);
});

/** What a file can say of values: bytes as hex digits. */
function fromFile(values: Record<string, unknown>): Record<string, unknown> {
  const { correlationData, will, place, starts, ...others } = values as {
    correlationData?: string;
    will?: string;
    place?: { logId: string };
    starts?: { logId: string }[];
  };
  return {
    ...others,
    ...(correlationData === undefined ? {} : { correlationData: fromHex(correlationData) }),
    ...(will === undefined ? {} : { will: fromHex(will) }),
    ...(place === undefined ? {} : { place: placeOf(place) }),
    ...(starts === undefined ? {} : { starts: starts.map(placeOf) }),
  };
}

function placeOf(place: { logId: string }): object {
  return { ...place, logId: fromHex(place.logId) };
}
