import { promisify } from 'node:util';
import zlib from 'node:zlib';
import { type Pace, paced } from '../pace.ts';
import { CompressionError } from './compression-error.ts';
import { compressLz4, decompressLz4, expandLz4 } from './lz4.ts';
import { compressSnappy, decompressSnappy, expandSnappy } from './snappy.ts';

/** The compressions of Kafka, by the number that the low three bits of a batch's attributes hold. */
export const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;
export type Codec = (typeof CODECS)[number];

/**
 * Compresses as Kafka's own clients do: gzip, snappy in the framing of the Java library (xerial), LZ4 as one
 * frame of independent 64 KiB blocks, zstd as one frame. `none` gives the bytes as they are.
 */
export function compress(codec: Codec, bytes: Uint8Array): Uint8Array {
  switch (codec) {
    case 'none':
      return bytes;
    case 'gzip':
      return zlib.gzipSync(bytes, { chunkSize: ZLIB_CHUNK_BYTES });
    case 'snappy':
      return compressSnappy(bytes);
    case 'lz4':
      return compressLz4(bytes);
    case 'zstd':
      return zlib.zstdCompressSync(bytes, { chunkSize: ZLIB_CHUNK_BYTES });
  }
}

/**
 * Expands what {@link compress} or any Kafka client made; snappy with or without framing. `none` gives the
 * bytes as they are. The result may be a view of a larger buffer that nobody else writes to.
 *
 * @param maxBytes the largest result; whatever the bytes claim or hold, no more than that is made of them.
 * @throws CompressionError `corrupt`, or `too-large` where there would be more than `maxBytes`.
 */
export function decompress(codec: Codec, bytes: Uint8Array, maxBytes: number): Uint8Array {
  switch (codec) {
    case 'none':
      if (bytes.length > maxBytes) throw tooLarge(codec, maxBytes);
      return bytes;
    case 'gzip':
      return byZlib(codec, zlib.gunzipSync, bytes, maxBytes);
    case 'snappy':
      return decompressSnappy(bytes, maxBytes);
    case 'lz4':
      return decompressLz4(bytes, maxBytes);
    case 'zstd':
      return byZlib(codec, zlib.zstdDecompressSync, bytes, maxBytes);
  }
}

/**
 * {@link decompress} without holding others: in threads of the runtime, or in steps.
 *
 * @throws CompressionError as {@link decompress} does.
 */
export async function decompressPaced(
  codec: Codec,
  bytes: Uint8Array,
  maxBytes: number,
  pace: Pace,
): Promise<Uint8Array> {
  switch (codec) {
    case 'gzip':
      return byZlibThread(codec, promisify(zlib.gunzip), bytes, maxBytes);
    case 'zstd':
      return byZlibThread(codec, promisify(zlib.zstdDecompress), bytes, maxBytes);
    case 'snappy':
      return paced(expandSnappy(bytes, maxBytes), pace);
    case 'lz4':
      return paced(expandLz4(bytes, maxBytes), pace);
    case 'none':
      return decompress(codec, bytes, maxBytes);
  }
}

/** zlib's own 16 KiB make several rounds of every batch. */
const ZLIB_CHUNK_BYTES = 65_536;

/** A thread gives back each chunk by way of the event loop: larger ones make fewer rounds of what is long. */
const THREAD_CHUNK_BYTES = 1024 * 1024;

interface ZlibOptions {
  maxOutputLength: number;
  chunkSize: number;
}

function byZlib(
  codec: Codec,
  expand: (bytes: Uint8Array, options: ZlibOptions) => Uint8Array,
  bytes: Uint8Array,
  maxBytes: number,
): Uint8Array {
  try {
    return withinBound(codec, expand(bytes, zlibOptions(maxBytes, ZLIB_CHUNK_BYTES)), maxBytes);
  } catch (error) {
    throw zlibError(codec, error, maxBytes);
  }
}

async function byZlibThread(
  codec: Codec,
  expand: (bytes: Uint8Array, options: ZlibOptions) => Promise<Uint8Array>,
  bytes: Uint8Array,
  maxBytes: number,
): Promise<Uint8Array> {
  try {
    return withinBound(codec, await expand(bytes, zlibOptions(maxBytes, THREAD_CHUNK_BYTES)), maxBytes);
  } catch (error) {
    throw zlibError(codec, error, maxBytes);
  }
}

/** zlib wants at least 1; what that lets through is caught by {@link withinBound}. */
function zlibOptions(maxBytes: number, chunkSize: number): ZlibOptions {
  return { maxOutputLength: Math.max(1, maxBytes), chunkSize };
}

function withinBound(codec: Codec, expanded: Uint8Array, maxBytes: number): Uint8Array {
  if (expanded.length > maxBytes) throw tooLarge(codec, maxBytes);
  return expanded;
}

function zlibError(codec: Codec, error: unknown, maxBytes: number): unknown {
  if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') return tooLarge(codec, maxBytes);
  if (error instanceof RangeError || error instanceof CompressionError) return error;
  return new CompressionError('corrupt', `${codec}: ${(error as Error).message}`);
}

function tooLarge(codec: Codec, maxBytes: number): CompressionError {
  return new CompressionError('too-large', `${codec}: expands to more than ${maxBytes} bytes`);
}
