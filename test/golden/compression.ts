/**
 * Compressed bytes from the libraries that Kafka's Python client uses (gzip of the standard library,
 * python-snappy 0.7, kafka-python 3.0 for the framing, lz4 4.4, zstandard 0.25), as hex digits.
 */
import type { Codec } from '../../internal/batch/compression/compression.ts';

export interface GoldenCompression {
  name: string;
  codec: Codec;
  hex: string;
  expanded: Uint8Array;
  /** Lengths after which it looks whole, in a format that does not say where it ends. */
  wholeAt?: readonly number[];
}

const bytes = (text: string) => new TextEncoder().encode(text);
const ascending = (count: number) => Uint8Array.from({ length: count }, (_, index) => index);

/** Words that repeat, bytes that do not, and a long run. */
const mixed = Buffer.concat([
  bytes('sensors/kitchen/temp 21.5 '.repeat(3)),
  bytes('and then something else entirely; '),
  ascending(64),
  bytes('a'.repeat(200)),
]);

const noise = Uint8Array.from({ length: 64 }, (_, index) => (index * index * 7 + index) % 251);

/** A little more than one block of 64 KiB, whose second block repeats what only the first one has. */
const acrossBlocks = Buffer.concat([new Uint8Array(65_472), noise, noise, new Uint8Array(100), noise]);

export const GOLDEN_COMPRESSIONS: readonly GoldenCompression[] = [
  {
    name: 'gzip',
    codec: 'gzip',
    hex: [
      '1f8b08000000000002032b4ecd2bce2f2ad6cfce2c49ce48cdd32f49cd2d503032d4335528264326312f45a10428a450',
      '9c9f9b5a92919997ae909a539caa909a579259949a5369adc0c0c8c4ccc2cac6cec1c9c5cdc3cbc72f2028242c222a26',
      '2e2129252d232b27afa0a8a4aca2aaa6aea1a9a5ada3aba76f6068646c626a666e6169656d636b679f384c000085e467',
      '8e78010000',
    ].join(''),
    expanded: mixed,
  },
  {
    name: 'raw snappy',
    codec: 'snappy',
    hex: [
      'f8026473656e736f72732f6b69746368656e2f74656d702032312e3520ce1a00f065616e64207468656e20736f6d6574',
      '68696e6720656c736520656e746972656c793b20000102030405060708090a0b0c0d0e0f101112131415161718191a1b',
      '1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f61616161fe0400fe0400fe04',
      '000104',
    ].join(''),
    expanded: mixed,
  },
  {
    name: 'snappy in blocks of 128 bytes (xerial)',
    codec: 'snappy',
    hex: [
      '82534e415050590000000001000000010000005380016473656e736f72732f6b69746368656e2f74656d702032312e35',
      '20ce1a00c4616e64207468656e20736f6d657468696e6720656c736520656e746972656c793b20000102030405060708',
      '090a0b0c0d0e0f0000003c8001c8101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031',
      '32333435363738393a3b3c3d3e3f616161fe020032020000000009780061fe0100da0100',
    ].join(''),
    expanded: mixed,
    wholeAt: [16, 103, 167],
  },
  {
    name: 'lz4 of independent blocks with its size',
    codec: 'lz4',
    hex: [
      '04224d1868407801000000000000068e000000ff0b73656e736f72732f6b69746368656e2f74656d702032312e35201a',
      '0021ff55616e64207468656e20736f6d657468696e6720656c736520656e746972656c793b2000010203040506070809',
      '0a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f30313233343536373839',
      '3a3b3c3d3e3f61610200ae50616161616100000000',
    ].join(''),
    expanded: mixed,
  },
  {
    name: 'lz4 with all its checksums',
    codec: 'lz4',
    hex: [
      '04224d187c407801000000000000a28e000000ff0b73656e736f72732f6b69746368656e2f74656d702032312e35201a',
      '0021ff55616e64207468656e20736f6d657468696e6720656c736520656e746972656c793b2000010203040506070809',
      '0a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f30313233343536373839',
      '3a3b3c3d3e3f61610200ae506161616161c10fc5f6000000007a47733f',
    ].join(''),
    expanded: mixed,
  },
  {
    name: 'lz4 that is stored',
    codec: 'lz4',
    hex: [
      '04224d18684028000000000000007528000080000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c',
      '1d1e1f202122232425262700000000',
    ].join(''),
    expanded: ascending(40),
  },
  {
    name: 'zstd with its size',
    codec: 'zstd',
    hex: [
      '28b52ffd6078004d0400d40773656e736f72732f6b69746368656e2f74656d702032312e3520616e64207468656e2073',
      '6f6d657468696e6720656c736520656e746972656c793b20000102030405060708090a0b0c0d0e0f1011121314151617',
      '18191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f61020023114745d3',
      'e71c03',
    ].join(''),
    expanded: mixed,
  },
  {
    name: 'zstd of a stream with a checksum',
    codec: 'zstd',
    hex: [
      '28b52ffd04584d0400d40773656e736f72732f6b69746368656e2f74656d702032312e3520616e64207468656e20736f',
      '6d657468696e6720656c736520656e746972656c793b20000102030405060708090a0b0c0d0e0f101112131415161718',
      '191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f61020023114745d3e7',
      '1c03d4c84efb',
    ].join(''),
    expanded: mixed,
  },
  {
    name: 'lz4 whose second block refers to the first',
    codec: 'lz4',
    hex: [
      '04224d1844405e460100001f000100',
      'ff'.repeat(256),
      'adf030081e4274b40763cd4ad06910c0835433201b243b6093d42885f06ef58f37e8ac7e5e4c48526a90c40b5bb92aa4',
      '31c77027e7ba9b8a8792abd20c4fa00471ec120000000f40002e0f0100510fa40027504fa00471ec00000000f1a30d1b',
    ].join(''),
    expanded: acrossBlocks,
  },
];
