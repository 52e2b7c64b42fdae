import { type CrcUpdate, crcTables, type FoldDistances, loadWasmCrc } from '../lib/wasm-crc.ts';

/**
 * CRC-32C (Castagnoli), the checksum of a Kafka record batch, of `bytes` from `start` to before `end`.
 *
 * Node's zlib.crc32 is the other polynomial. A hundred bytes are quickest in JavaScript; longer runs are
 * worth the copy into a WebAssembly memory, where it goes several times as fast.
 *
 * @param crc the checksum of the bytes before these, to go on with; 0 at the beginning.
 * @returns an unsigned 32-bit number.
 */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length, crc = 0): number {
  if (end - start < WASM_FROM_BYTES) return ~bySlicing(~crc, bytes, start, end) >>> 0;
  // Compiled when the first batch comes: it costs a broker at rest five megabytes.
  update ??= loadWasmCrc(tables, FOLD_DISTANCES) ?? bySlicing;
  return ~update(~crc, bytes, start, end) >>> 0;
}

/** Below this the call and the copy cost more than they save (measured). */
const WASM_FROM_BYTES = 128;
/** The polynomial divides a sum of six powers of x^64 (found by trying all of them). */
const FOLD_DISTANCES: FoldDistances = [65, 155, 170, 195, 209];

const tables = crcTables(0x82f6_3b78);
let update: CrcUpdate | undefined;

/** Eight bytes a step, each looked up in a table of its own. */
function bySlicing(state: number, bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  for (const whole = end - 7; at < whole; at += 8) {
    state ^= bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    state =
      tables[0x700 | (state & 0xff)] ^
      tables[0x600 | ((state >>> 8) & 0xff)] ^
      tables[0x500 | ((state >>> 16) & 0xff)] ^
      tables[0x400 | (state >>> 24)] ^
      tables[0x300 | bytes[at + 4]] ^
      tables[0x200 | bytes[at + 5]] ^
      tables[0x100 | bytes[at + 6]] ^
      tables[bytes[at + 7]];
  }
  for (; at < end; at++) state = tables[(state ^ bytes[at]) & 0xff] ^ (state >>> 8);
  return state;
}
