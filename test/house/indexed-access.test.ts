import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Rooms in which what an index finds may be undefined for the compiler, so that a `!` behind one means that somebody looked.
 */
const CHECKED = [
  /^internal\/(batch|groups|lib|live|log|observe|persistence|protocol|server|store)\//,
  /^internal\/broker\/(retained|routing|sessions)\//,
  /^internal\/broker\/[a-z-]+\.ts/,
  /^internal\/doors\/(clients|grpc|kafka|mqtt|sys)\//,
  /^internal\/doors\/[a-z-]+\.ts/,
];

/**
 * Files that take bytes apart, or tables of numbers: their bounds are asked once for many bytes, by the loop or by a check before it.
 * A `!` would stand behind nearly every index there and say nothing, and another way to read a byte would cost time.
 */
const OF_BYTES = [
  'internal/batch/compression/lz4.ts',
  'internal/batch/compression/snappy.ts',
  'internal/batch/crc32c.ts',
  'internal/batch/record-batch.ts',
  'internal/batch/record-cursor.ts',
  'internal/protocol/first-bytes.ts',
  'internal/protocol/frame/cursor.ts',
  'internal/protocol/frame/rest-of-frame.ts',
  'internal/protocol/grpc/envelope.ts',
  'internal/protocol/grpc/read-message.ts',
  'internal/protocol/http2/frame-cursor.ts',
  'internal/protocol/http2/frame.ts',
  'internal/protocol/http2/hpack/decoder.ts',
  'internal/protocol/http2/hpack/huffman-code.ts',
  'internal/protocol/http2/hpack/huffman.ts',
  'internal/protocol/http2/padding.ts',
  'internal/protocol/http2/settings.ts',
  'internal/protocol/kafka/reader.ts',
  'internal/protocol/mqtt/cursor.ts',
  'internal/protocol/mqtt/decode-connect.ts',
  'internal/protocol/mqtt/publish-fields.ts',
  'internal/protocol/mqtt/reader.ts',
  'internal/protocol/smq/produce-request.ts',
];

// tsc has the option for a whole program only.
it('an index may find nothing, for the compiler too', async () => {
  const args = ['--noEmit', '--pretty', 'false', '--noUncheckedIndexedAccess'];
  const { stdout } = await promisify(execFile)(`${root}node_modules/.bin/tsc`, args, {
    cwd: root,
    maxBuffer: 64 * 1024 * 1024,
  }).catch((failed: { stdout: string }) => failed);
  const lines = stdout.split('\n').filter((line) => !/\.test\.ts\(/.test(line));
  const found = lines.filter((line) => CHECKED.some((room) => room.test(line)));
  const isOfBytes = (line: string) => OF_BYTES.some((file) => line.startsWith(`${file}(`));
  expect(found.filter((line) => !isOfBytes(line))).toEqual([]);
  // Whoever needs no exception any more is not on the list.
  expect(OF_BYTES.filter((file) => !found.some((line) => line.startsWith(`${file}(`)))).toEqual([]);
}, 300_000);
