/**
 * Record batches made by kafka-python 3.0.12 (its DefaultRecordBatchBuilder and, for the older magics,
 * LegacyRecordBatchBuilder), as hex digits.
 */

import type { NewRecord } from '../../internal/batch/build.ts';
import type { Codec } from '../../internal/batch/compression/compression.ts';

export interface GoldenBatch {
  name: string;
  hex: string;
  codec: Codec;
  crc: number;
  maxTimestamp: number;
  records: readonly Required<NewRecord>[];
}

const bytes = (text: string) => new TextEncoder().encode(text);
const record = (
  timestamp: number,
  key: string | null,
  value: string | null,
  headers: Required<NewRecord>['headers'] = [],
): Required<NewRecord> => ({
  timestamp,
  key: key === null ? null : bytes(key),
  value: value === null ? null : bytes(value),
  headers,
});

/** Nulls, empty strings, headers, and times that go back. */
const variety = [
  record(1_700_000_000_000, 'k1', 'first'),
  record(1_700_000_000_005, null, 'second', [
    { key: 'trace', value: new Uint8Array([1, 2]) },
    { key: 'empty', value: null },
    { key: 'ü', value: new Uint8Array(0) },
  ]),
  record(1_699_999_999_990, 'k3', null),
  record(1_700_000_000_005, '', ''),
];

const repetitive = [
  ...variety,
  ...[100, 101, 102].map((ms) =>
    record(1_700_000_000_000 + ms, 'key', 'the same words again and again '.repeat(2)),
  ),
];

export const GOLDEN_BATCHES: readonly GoldenBatch[] = [
  {
    name: 'none',
    codec: 'none',
    crc: 0xc7a6_7e25,
    maxTimestamp: 1_700_000_000_005,
    hex: [
      '0000000000000000000000700000000002c7a67e250000000000030000018bcfe568000000018bcfe56805ffffffffff',
      'ffffffffffffffffff000000041a000000046b310a66697273740040000a02010c7365636f6e64060a74726163650401',
      '020a656d7074790104c3bc0010001304046b3301000c000a06000000',
    ].join(''),
    records: variety,
  },
  {
    name: 'gzip',
    codec: 'gzip',
    crc: 0xcd0e_b6ae,
    maxTimestamp: 1_700_000_000_102,
    hex: [
      '0000000000000000000000b80000000002cd0eb6ae0001000000060000018bcfe568000000018bcfe56866ffffffffff',
      'ffffffffffffffffff000000071f8b0800fd4b016b02ff9362606060c936e44acb2c2a2e617060e06262e4294e4dcecf',
      '4b61e32a294a4c4e656164e24acd2d28a9646439bc87418041988525db98918187818b0da8750223c309460eb6ecd4ca',
      '9a928c5485e2c4dc5485f2fca2946285c4f4c4cc3c85c4bc14288b8034c8a4538c5c5432e90c230f354c02003d07324b',
      '1d010000',
    ].join(''),
    records: repetitive,
  },
  {
    name: 'snappy',
    codec: 'snappy',
    crc: 0xed2b_125a,
    maxTimestamp: 1_700_000_000_102,
    hex: [
      '0000000000000000000000d60000000002ed2b125a0002000000060000018bcfe568000000018bcfe56866ffffffffff',
      'ffffffffffffffffff0000000782534e41505059000000000100000001000000919d02f0711a000000046b310a666972',
      '73740040000a02010c7365636f6e64060a74726163650401020a656d7074790104c3bc0010001304046b3301000c000a',
      '06000000900100c80108066b65797c7468652073616d6520776f72647320616761696e20616e6420616761696e207468',
      '652073616d6520561f002000900100ca010a066bfe4a00054a08cc010cfe4a00014a',
    ].join(''),
    records: repetitive,
  },
  {
    name: 'lz4',
    codec: 'lz4',
    crc: 0x557f_e4c6,
    maxTimestamp: 1_700_000_000_102,
    hex: [
      '0000000000000000000000c90000000002557fe4c60003000000060000018bcfe568000000018bcfe56866ffffffffff',
      'ffffffffffffffffff0000000704224d1868401d010000000000003081000000f3531a000000046b310a666972737400',
      '40000a02010c7365636f6e64060a74726163650401020a656d7074790104c3bc0010001304046b3301000c000a060000',
      '00900100c80108066b65797c7468652073616d6520776f72647320616761696e20616e640a000f1f000c004a003fca01',
      '0a4a00343fcc010c4a002c5061696e200000000000',
    ].join(''),
    records: repetitive,
  },
  {
    name: 'zstd',
    codec: 'zstd',
    crc: 0x87a5_0464,
    maxTimestamp: 1_700_000_000_102,
    hex: [
      '0000000000000000000000af000000000287a504640004000000060000018bcfe568000000018bcfe56866ffffffffff',
      'ffffffffffffffffff0000000728b52ffd601d00a5030082861821a0291d1dc45595abdfc4c4bea591649f6f9b4cf80f',
      '0b1318689cb825b9e522320509238a10c57819c3075ea79aa3d86ed86d23dee2e985147c1c19ff913e1d092b3370c01b',
      '8ec4e7259ad604b3176e4f9162ced22e61a22ffcb9c61874b0f2bf20050001d04180d38415846a20362b66',
    ].join(''),
    records: repetitive,
  },
];

/** Of producer 4242, epoch 7, sequence 100, transactional: one record, key `a`, value `b`. */
export const IDEMPOTENT_BATCH =
  '00000000000000000000003a0000000002453ab0ea0010000000000000018bcfe568000000018bcfe568000000' +
  '00000000109200070000006400000001100000000261026200';

/** Message sets of before Kafka 0.11: one message each, key `a`, value `b`. */
export const LEGACY_MESSAGE_SETS = [
  { magic: 0, hex: '000000000000000000000010a4ad2011000000000001610000000162' },
  { magic: 1, hex: '00000000000000000000001882677b2801000000018bcfe5680000000001610000000162' },
];
