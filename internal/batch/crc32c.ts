import { loadWasmCrc32c, type WasmCrc32c } from './crc32c-wasm.ts';

/**
 * CRC-32C (Castagnoli), the checksum of a Kafka record batch, of `bytes` from `start` to before `end`.
 *
 * Node's zlib.crc32 is the other polynomial. A hundred bytes are quickest in JavaScript; longer runs are
 * worth the copy into a WebAssembly memory, where 64-bit loads make it three times as fast.
 *
 * @param crc the checksum of the bytes before these, to go on with; 0 at the beginning.
 * @returns an unsigned 32-bit number.
 */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length, crc = 0): number {
  if (end - start < WASM_FROM_BYTES) return bySlicing(bytes, start, end, crc);
  // Compiled when the first batch comes: it costs a broker at rest five megabytes.
  wasm ??= loadWasmCrc32c(tables) ?? NO_WASM;
  if (wasm === NO_WASM) return bySlicing(bytes, start, end, crc);
  let state = ~crc;
  for (let at = start; at < end; at += wasm.room.length) {
    const until = Math.min(end, at + wasm.room.length);
    wasm.room.set(bytes.subarray(at, until));
    state = wasm.update(state, until - at);
  }
  return ~state >>> 0;
}

/** Below this the call and the copy cost more than they save (measured). */
const WASM_FROM_BYTES = 128;
const POLYNOMIAL = 0x82f6_3b78;
const SLICES = 16;

const tables = makeTables();
/** The runtime has no WebAssembly. */
const NO_WASM: WasmCrc32c = { room: new Uint8Array(0), update: (state) => state };
let wasm: WasmCrc32c | undefined;

/** Eight bytes a step, each looked up in a table of its own. */
function bySlicing(bytes: Uint8Array, start: number, end: number, crc: number): number {
  let state = ~crc;
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
  return ~state >>> 0;
}

/** Table n, at n * 256, says what a byte does to the checksum when n more bytes follow it. */
function makeTables(): Int32Array {
  const made = new Int32Array(SLICES * 256);
  for (let byte = 0; byte < 256; byte++) {
    let state = byte;
    for (let bit = 0; bit < 8; bit++) state = state & 1 ? (state >>> 1) ^ POLYNOMIAL : state >>> 1;
    made[byte] = state;
  }
  for (let index = 256; index < made.length; index++) {
    const before = made[index - 256];
    made[index] = (before >>> 8) ^ made[before & 0xff];
  }
  return made;
}
