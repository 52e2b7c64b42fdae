import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GOLDEN_BATCHES, IDEMPOTENT_BATCH, LEGACY_MESSAGE_SETS } from '../../test/golden/record-batches.ts';
import { RecordBatchError, type RecordBatchErrorCode } from './batch-error.ts';
import { BatchBuilder, buildBatch, type NewRecord } from './build.ts';
import { CODECS } from './compression/compression.ts';
import { type KafkaRecord, records } from './read.ts';
import {
  BatchHeader,
  checkBatch,
  parseBatchHeader,
  sealBatch,
  setBaseOffset,
  setLogAppendTime,
  setMaxTimestamp,
} from './record-batch.ts';
import { type BatchLimits, validateBatches } from './validate.ts';

const LIMITS: BatchLimits = { maxBatchBytes: 1 << 20, maxExpandedBytes: 1 << 20 };

describe.each(GOLDEN_BATCHES)('a batch of kafka-python, compression $name', (golden) => {
  const batch = fromHex(golden.hex);

  it('has the header that was written', () => {
    expect(parseBatchHeader(batch, 0)).toMatchObject({
      at: 0,
      end: batch.length,
      baseOffset: 0,
      batchLength: batch.length - 12,
      magic: 2,
      crc: golden.crc,
      codec: golden.codec,
      timestampType: 'create',
      isTransactional: false,
      isControl: false,
      lastOffset: golden.records.length - 1,
      baseTimestamp: golden.records[0].timestamp,
      maxTimestamp: golden.maxTimestamp,
      producerId: -1,
      producerEpoch: -1,
      baseSequence: -1,
      recordCount: golden.records.length,
    });
  });

  it('has the records that were written', () => {
    expect(readAll(batch)).toEqual(plain(golden.records));
  });

  it('is valid, alone and after another', () => {
    const seen: unknown[] = [];
    const two = Buffer.concat([batch, batch]);
    const count = validateBatches(two, LIMITS, (header, maxTimestamp) =>
      seen.push([header.at, header.end, header.recordCount, maxTimestamp]),
    );
    expect(count).toBe(2 * golden.records.length);
    expect(seen).toEqual([
      [0, batch.length, golden.records.length, golden.maxTimestamp],
      [batch.length, two.length, golden.records.length, golden.maxTimestamp],
    ]);
  });

  it('is refused wherever it is cut off', () => {
    for (let length = 1; length < batch.length; length++) {
      expect(codeOf(() => validateBatches(batch.subarray(0, length), LIMITS))).toBe('truncated');
    }
  });

  it('is refused or unchanged, whatever bit is flipped', () => {
    for (let at = 0; at < batch.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const changed = batch.slice();
        changed[at] ^= 1 << bit;
        const code = codeOf(() => validateBatches(changed, LIMITS));
        if (code !== 'nothing') continue;
        // The checksum leaves out the base offset and the leader epoch, which are the broker's to set.
        expect(at < 8 || (at >= 12 && at < 16), `byte ${at}`).toBe(true);
        expect(readAll(changed)).toEqual(plain(golden.records));
      }
    }
  });

  it('never does more than refuse, whatever byte is changed under a right checksum', () => {
    for (let at = 16; at < batch.length; at++) {
      for (const flip of [0x01, 0x02, 0x40, 0x80, 0xff]) {
        const changed = batch.slice();
        changed[at] ^= flip;
        sealBatch(changed, 0);
        codeOf(() => validateBatches(changed, LIMITS));
        codeOf(() => readAll(changed));
      }
    }
  });
});

describe('building', () => {
  it('makes the same bytes as kafka-python', () => {
    const golden = GOLDEN_BATCHES.find(({ codec }) => codec === 'none')!;
    // It writes 0 for the leader epoch, which no producer knows; brokers set it.
    expect(toHex(buildBatch(golden.records, { partitionLeaderEpoch: -1 }))).toBe(
      toHex(withEpoch(fromHex(golden.hex), -1)),
    );
  });

  it('makes the same bytes as kafka-python for an idempotent producer', () => {
    const batch = buildBatch([{ timestamp: 1_700_000_000_000, key: utf8('a'), value: utf8('b') }], {
      producerId: 4242,
      producerEpoch: 7,
      baseSequence: 100,
      isTransactional: true,
    });
    expect(toHex(batch)).toBe(toHex(withEpoch(fromHex(IDEMPOTENT_BATCH), -1)));
    expect(parseBatchHeader(batch, 0)).toMatchObject({
      producerId: 4242,
      producerEpoch: 7,
      baseSequence: 100,
      isTransactional: true,
    });
  });

  it('gives back any records, in any compression', () => {
    fc.assert(
      fc.property(
        fc.array(anyRecord(), { minLength: 1, maxLength: 40 }),
        fc.constantFrom(...CODECS),
        fc.nat({ max: 2 ** 40 }),
        (written, compression, baseOffset) => {
          const batch = buildBatch(written, { compression, baseOffset });
          expect(validateBatches(batch, LIMITS)).toBe(written.length);
          const header = parseBatchHeader(batch, 0);
          expect(header.maxTimestamp).toBe(Math.max(...written.map(({ timestamp }) => timestamp)));
          const read = [...records(batch, header, LIMITS.maxExpandedBytes)];
          expect(read.map(({ offset }) => offset)).toEqual(written.map((_, index) => baseOffset + index));
          expect(read.map(plainRecord)).toEqual(plain(written));
        },
      ),
    );
  });

  it('begins anew after each batch, and never writes to one that it gave away', () => {
    const builder = new BatchBuilder(1);
    const source = utf8('>key=value<');
    builder.append(5, source, 1, 4, source, 5, 10);
    expect(builder.count).toBe(1);
    const first = builder.finish();
    expect(first).toHaveLength(fromHex(IDEMPOTENT_BATCH).length + 2 + 4);
    const copy = first.slice();
    expect(builder.count).toBe(0);
    for (let index = 0; index < 100; index++) builder.append(7, null, 0, 0, source, 0, source.length);
    const second = builder.finish({ baseOffset: 1 });
    expect(first).toEqual(copy);
    expect(readAll(first)).toEqual([{ timestamp: 5, key: 'key', value: 'value', headers: [] }]);
    expect(readAll(second)).toHaveLength(100);
    expect(parseBatchHeader(second, 0).baseTimestamp).toBe(7);
  });

  it('keeps records whose length is about to take one more byte', () => {
    const around = (middle: number) =>
      Array.from({ length: 100 }, (_, index) => Math.max(0, middle - 50 + index));
    const written = [40, 8_170, 1_048_560].flatMap(around).map((size) => ({
      timestamp: 0,
      key: null,
      value: new Uint8Array(size).fill(size),
    }));
    for (const record of written) {
      const batch = buildBatch([record], { baseOffset: 1 });
      // Attributes, time, offset, no key and no headers take a byte each.
      const body = 5 + varintSize(record.value.length) + record.value.length;
      expect(batch).toHaveLength(61 + varintSize(body) + body);
      const [read] = records(batch, parseBatchHeader(batch, 0), 0);
      expect(Buffer.compare(read.value!, record.value)).toBe(0);
    }
  });

  it('says how large the batch is going to be', () => {
    const builder = new BatchBuilder();
    builder.append(0, null, 0, 0, utf8('x'.repeat(500)), 0, 500);
    const expected = builder.sizeBytes;
    expect(builder.finish()).toHaveLength(expected);
  });

  it('refuses a batch of nothing', () => {
    expect(() => buildBatch([])).toThrow(RangeError);
  });
});

describe('what a broker writes into a batch', () => {
  it('the offset and epoch leave it valid', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.nat({ max: 0x7fff_ffff }), (offset, epoch) => {
        const bytes = Buffer.concat([new Uint8Array(3), buildBatch(three())]);
        setBaseOffset(bytes, 3, offset, epoch);
        const header = parseBatchHeader(bytes, 3);
        checkBatch(bytes, header);
        expect([header.baseOffset, header.partitionLeaderEpoch]).toEqual([offset, epoch]);
      }),
    );
  });

  it('a corrected time leaves it valid', () => {
    const batch = buildBatch(three());
    setMaxTimestamp(batch, 0, 1_800_000_000_000);
    let latest = 0;
    validateBatches(batch, LIMITS, (header, maxTimestamp) => {
      expect(header.maxTimestamp).toBe(1_800_000_000_000);
      latest = maxTimestamp;
    });
    expect(latest).toBe(3);
  });

  it('log append time is the time of every record', () => {
    const batch = buildBatch(three(), { compression: 'gzip' });
    setLogAppendTime(batch, 0, 99);
    checkBatch(batch, parseBatchHeader(batch, 0));
    expect(readAll(batch).map(({ timestamp }) => timestamp)).toEqual([99, 99, 99]);
  });
});

describe('what a broker refuses', () => {
  it.each(LEGACY_MESSAGE_SETS)('a message set of magic $magic', ({ hex }) => {
    expect(codeOf(() => validateBatches(fromHex(hex), LIMITS))).toBe('unsupported-magic');
  });

  it.each<[string, RecordBatchErrorCode, (batch: Uint8Array) => void]>([
    ['a magic from the future', 'unsupported-magic', (batch) => batch.set([3], 16)],
    ['a batch length of 0', 'corrupt-message', (batch) => batch.set([0, 0, 0, 0], 8)],
    ['a negative batch length', 'corrupt-message', (batch) => batch.set([0xff], 8)],
    ['a batch length beyond the end', 'truncated', (batch) => batch.set([0, 1], 8)],
    ['a compression that is not known', 'unsupported-compression', (batch) => batch.set([5], 22)],
    ['a control batch', 'invalid-record', (batch) => batch.set([0x20], 22)],
    ['log append time', 'invalid-timestamp', (batch) => batch.set([0x08], 22)],
    ['a last offset that is not count - 1', 'invalid-record', (batch) => batch.set([5], 26)],
    ['a base offset beyond 2^53', 'corrupt-message', (batch) => batch.set([0x00, 0x20], 0)],
    ['a producer id beyond 2^53', 'corrupt-message', (batch) => batch.set([0x7f], 43)],
    ['a base timestamp beyond 2^53', 'invalid-timestamp', (batch) => batch.set([0x7f], 27)],
    ['a producer without a sequence', 'invalid-record', (batch) => batch.fill(0, 43, 51)],
    [
      'no records',
      'invalid-record',
      (batch) => batch.set([0xff, 0xff, 0xff, 0xff], 23) ?? batch.set([0], 60),
    ],
    ['more records than promised', 'invalid-record', (batch) => batch.set([1], 26) ?? batch.set([2], 60)],
    ['fewer records than promised', 'invalid-record', (batch) => batch.set([3], 26) ?? batch.set([4], 60)],
    [
      'two billion records',
      'invalid-record',
      (batch) => batch.set([0x7f, 0xff, 0xff, 0xfe], 23) ?? batch.set([0x7f, 0xff, 0xff, 0xff], 57),
    ],
    // The first record: length, attributes, timestamp, offset, key length, value length, value, header count.
    ['a record longer than the batch', 'invalid-record', (batch) => batch.set([0x7e], 61)],
    ['a record of negative length', 'invalid-record', (batch) => batch.set([0x01], 61)],
    ['a record shorter than its fields', 'invalid-record', (batch) => batch.set([0x0c], 61)],
    ['an offset out of order', 'invalid-record', (batch) => batch.set([0x02], 64)],
    ['a key of -2 bytes', 'invalid-record', (batch) => batch.set([0x03], 65)],
    ['a value that is cut off', 'invalid-record', (batch) => batch.set([0x10], 66)],
    ['-2 headers', 'invalid-record', (batch) => batch.set([0x03], 68)],
    ['headers that are not there', 'invalid-record', (batch) => batch.set([0x02], 68)],
  ])('%s', (_name, code, spoil) => {
    const batch = buildBatch(three());
    spoil(batch);
    if (code !== 'truncated' && code !== 'corrupt-message') sealBatch(batch, 0);
    expect(codeOf(() => validateBatches(batch, LIMITS))).toBe(code);
  });

  it.each([
    ['more bytes than fields', '00 00 00 01 02 61 00 6200'],
    ['a length of six bytes', '00 00 00 818080808000 00 00'],
    ['a time of eleven bytes', '00 8080808080808080808000 00 01 01 00'],
  ])('a record with %s', (_what, hex) => {
    const body = fromHex(hex.replaceAll(' ', ''));
    const header = buildBatch(three().slice(0, 1)).subarray(0, 61);
    const batch = Buffer.concat([header, [body.length * 2], body].map((part) => Uint8Array.from(part)));
    batch.writeInt32BE(batch.length - 12, 8);
    sealBatch(batch, 0);
    expect(codeOf(() => validateBatches(batch, LIMITS))).toBe('invalid-record');
  });

  it('a wrong checksum', () => {
    const batch = buildBatch(three());
    batch[17] ^= 1;
    expect(codeOf(() => validateBatches(batch, LIMITS))).toBe('corrupt-message');
  });

  it('a batch above the limit, of which only the header has come', () => {
    const batch = buildBatch(three());
    const limits = { ...LIMITS, maxBatchBytes: batch.length - 1 };
    expect(codeOf(() => validateBatches(batch.subarray(0, 61), limits))).toBe('too-large');
    expect(validateBatches(batch, { ...LIMITS, maxBatchBytes: batch.length })).toBe(3);
  });

  it.each(CODECS.filter((codec) => codec !== 'none'))('a bomb of %s', (compression) => {
    const bomb = buildBatch([{ timestamp: 0, key: null, value: new Uint8Array(2 << 20) }], { compression });
    expect(codeOf(() => validateBatches(bomb, LIMITS))).toBe('too-large');
    expect(codeOf(() => readAll(bomb))).toBe('too-large');
  });

  it('a record without a key where keys are needed', () => {
    const limits = { ...LIMITS, requireKeys: true };
    const keyed = { timestamp: 0, key: utf8(''), value: null };
    expect(validateBatches(buildBatch([keyed]), limits)).toBe(1);
    const error = errorOf(() => validateBatches(buildBatch([keyed, { ...keyed, key: null }]), limits));
    expect(error).toMatchObject({ code: 'invalid-record', recordIndex: 1 });
  });

  it('nothing at all', () => {
    expect(codeOf(() => validateBatches(new Uint8Array(0), LIMITS))).toBe('invalid-record');
  });

  it('a timestamp of which the sum is beyond 2^53', () => {
    const batch = buildBatch([{ timestamp: 2 ** 53 - 1, key: null, value: null }]);
    batch[63] = 0x02;
    sealBatch(batch, 0);
    expect(codeOf(() => validateBatches(batch, LIMITS))).toBe('invalid-timestamp');
  });
});

describe('reading', () => {
  // Real log directories hold records whose producers wrote -1 for "no headers".
  it('takes a header count of -1 for none', () => {
    const batch = buildBatch(three());
    batch[68] = 0x01;
    sealBatch(batch, 0);
    expect(validateBatches(batch, LIMITS)).toBe(3);
    expect(readAll(batch)[0].headers).toEqual([]);
  });

  it('uses one header object for many batches', () => {
    const bytes = Buffer.concat([buildBatch(three()), buildBatch(three(), { baseOffset: 3 })]);
    const header = new BatchHeader();
    const offsets: number[] = [];
    for (let at = 0; at < bytes.length; at = header.end) {
      parseBatchHeader(bytes, at, header);
      for (const record of records(bytes, header, 0)) offsets.push(record.offset);
    }
    expect(offsets).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('reads no record before it is asked for', () => {
    const batch = buildBatch(three());
    batch[69] = 0x7e;
    const read = records(batch, parseBatchHeader(batch, 0), 0);
    expect(read.next().value).toMatchObject({ offset: 0 });
    expect(codeOf(() => read.next())).toBe('invalid-record');
  });

  it('never reads on into the batch after', () => {
    const bytes = Buffer.concat([buildBatch(three().slice(0, 1)), buildBatch(three())]);
    // Record and value claim four bytes more, which the next batch would give.
    bytes[61] += 8;
    bytes[66] += 8;
    expect(codeOf(() => [...records(bytes, parseBatchHeader(bytes, 0), 0)])).toBe('invalid-record');
  });

  it('takes any bytes without failing otherwise', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (rest) => {
        const bytes = Buffer.concat([buildBatch(three()).subarray(0, 61), rest]);
        bytes.writeInt32BE(bytes.length - 12, 8);
        sealBatch(bytes, 0);
        codeOf(() => validateBatches(bytes, LIMITS));
        codeOf(() => readAll(bytes));
        codeOf(() => validateBatches(rest, LIMITS));
      }),
    );
  });
});

/** Records of eight bytes each: values `a`, `b`, `c` at 1, 2 and 3 ms. */
function three(): NewRecord[] {
  return ['a', 'b', 'c'].map((value, index) => ({ timestamp: index + 1, key: null, value: utf8(value) }));
}

function anyRecord(): fc.Arbitrary<NewRecord> {
  const bytes = fc.oneof(fc.constant(null), fc.uint8Array({ maxLength: 200 }));
  return fc.record({
    timestamp: fc.oneof(
      fc.integer({ min: 1_700_000_000_000, max: 1_700_000_100_000 }),
      fc.integer({ min: -1, max: 2 ** 51 }),
    ),
    key: bytes,
    value: bytes,
    headers: fc.array(fc.record({ key: fc.string({ unit: 'grapheme', maxLength: 5 }), value: bytes }), {
      maxLength: 3,
    }),
  });
}

interface PlainRecord {
  timestamp: number;
  key: string | null;
  value: string | null;
  headers: { key: string; value: string | null }[];
}

function readAll(batch: Uint8Array): PlainRecord[] {
  return [...records(batch, parseBatchHeader(batch, 0), LIMITS.maxExpandedBytes)].map(plainRecord);
}

function plain(written: readonly NewRecord[]): PlainRecord[] {
  return written.map(plainRecord);
}

/** Bytes as text, so that differences can be read. */
function plainRecord({ timestamp, key, value, headers = [] }: NewRecord | KafkaRecord): PlainRecord {
  const text = (bytes: Uint8Array | null) => (bytes === null ? null : Buffer.from(bytes).toString('latin1'));
  return {
    timestamp,
    key: text(key),
    value: text(value),
    headers: headers.map((header) => ({ key: header.key, value: text(header.value) })),
  };
}

/** What a length takes, of which the sign is one bit. */
function varintSize(value: number): number {
  return Math.max(1, Math.ceil(Math.log2(value * 2 + 1) / 7));
}

function withEpoch(batch: Uint8Array, epoch: number): Uint8Array {
  setBaseOffset(batch, 0, 0, epoch);
  return batch;
}

/** The error that is thrown; anything but a RecordBatchError fails the test. */
function errorOf(action: () => unknown): RecordBatchError | undefined {
  try {
    action();
  } catch (error) {
    if (error instanceof RecordBatchError) return error;
    throw error;
  }
  return undefined;
}

function codeOf(action: () => unknown): RecordBatchErrorCode | 'nothing' {
  return errorOf(action)?.code ?? 'nothing';
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'));
}

function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
