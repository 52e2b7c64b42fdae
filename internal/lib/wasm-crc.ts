/**
 * Checksums of 32 bits (CRC) as a WebAssembly module that is assembled here, for any polynomial.
 *
 * Its `update` takes sixteen bytes a step with two 64-bit loads and sixteen table look-ups, of which only four depend on the step
 * before. Its `fold` needs no tables: where the polynomial divides 1 + x^a + x^b + …, with all exponents multiples of 64, a word of 64
 * bits may be taken away where it is, and added to five others behind it, and the checksum stays the same. So all words but the last
 * ones go at a few loads each, sixteen bytes at a time, and the last ones are looked up.
 */

/** Goes on from `state` (inverted, as the algorithm keeps it) over the bytes from `start` to before `end`. */
export type CrcUpdate = (state: number, bytes: Uint8Array, start: number, end: number) => number;

/**
 * How far behind a word those lie that it is added to, in words of 64 bits, upwards. All are so far that what was stored is in the
 * cache when it is loaded.
 */
export type FoldDistances = readonly [number, number, number, number, number];

/** Compiles the module; undefined where the runtime has no WebAssembly (`node --jitless`). */
export function loadWasmCrc(
  tables: Int32Array,
  distances: FoldDistances,
  hasVectors = areVectorsThere(),
): CrcUpdate | undefined {
  const { WebAssembly } = globalThis as { WebAssembly?: WasmRuntime };
  if (WebAssembly === undefined) return undefined;
  const places = placesFor(distances);
  const module = new WebAssembly.Module(assembleModule(distances, places, hasVectors));
  const { memory, update, fold } = new WebAssembly.Instance(module).exports;
  new Int32Array(memory.buffer).set(tables);
  const room = new Uint8Array(memory.buffer);
  const { roomAt, roomBytes, lastAt, windowBytes } = places;

  /** Bytes that fit the room. */
  function take(state: number, bytes: Uint8Array, start: number, end: number): number {
    const foldedBytes = (end - start - windowBytes) & -FOLD_STEP_BYTES;
    if (fold === undefined || foldedBytes < FOLD_FROM_BYTES) {
      room.set(bytes.subarray(start, end), roomAt);
      return update(state, roomAt, roomAt + end - start);
    }
    const foldedEnd = roomAt + foldedBytes;
    room.set(bytes.subarray(start, start + foldedBytes), roomAt);
    room.fill(0, foldedEnd, foldedEnd + gapOf(windowBytes));
    room.set(bytes.subarray(start + foldedBytes, end), lastAt);
    fold(state, foldedEnd);
    return update(0, lastAt, lastAt + end - start - foldedBytes);
  }

  return (state, bytes, start, end) => {
    for (let at = start; at < end; at += roomBytes) {
      state = take(state, bytes, at, Math.min(end, at + roomBytes));
    }
    return state;
  };
}

/** Table n, at n * 256, says what a byte does to the checksum when n more bytes follow it. */
export function crcTables(reversedPolynomial: number): Int32Array {
  const made = new Int32Array(SLICES * 256);
  for (let byte = 0; byte < 256; byte++) {
    let state = byte;
    for (let bit = 0; bit < 8; bit++) state = state & 1 ? (state >>> 1) ^ reversedPolynomial : state >>> 1;
    made[byte] = state;
  }
  for (let index = 256; index < made.length; index++) {
    const before = made[index - 256]!;
    made[index] = (before >>> 8) ^ made[before & 0xff]!;
  }
  return made;
}

/** The part of the runtime's interface that is used here; Node's types leave it to a browser's. */
interface WasmRuntime {
  Module: new (code: Uint8Array) => object;
  Instance: new (module: object) => { exports: WasmExports };
  validate(code: Uint8Array): boolean;
}

interface WasmExports {
  memory: { buffer: ArrayBuffer };
  update(state: number, at: number, end: number): number;
  /** Of what lies from the room's beginning on; what is left to be looked up lies at `lastAt` then. */
  fold?(state: number, end: number): void;
}

/** Where things lie in the memory, and how long they are. */
interface Places {
  readonly roomAt: number;
  readonly roomBytes: number;
  /** For what is not folded, and a little more. */
  readonly lastAt: number;
  /** How far the furthest word lies that another one is added to. */
  readonly windowBytes: number;
}

const SLICES = 16;
/** The tables fill the beginning of the memory. */
const TABLE_BYTES = 4 * 256 * SLICES;
/** Two pages of 64 KiB: a batch of the size that producers usually send goes in one round. */
const MEMORY_PAGES = 2;
const VECTOR_BYTES = 16;
const FOLD_STEP_BYTES = 4 * VECTOR_BYTES;
/** For less the words that are looked up are most of it. */
const FOLD_FROM_BYTES = 1_024;

/** Before the room, and between its bytes and what lies last, are zeros: nothing lies there that is added. */
function placesFor(distances: FoldDistances): Places {
  const windowBytes = 8 * distances[4];
  const roomAt = TABLE_BYTES + gapOf(windowBytes);
  const lastAt = MEMORY_PAGES * 65_536 - gapOf(windowBytes);
  return { roomAt, roomBytes: lastAt - gapOf(windowBytes) - roomAt, lastAt, windowBytes };
}

function gapOf(windowBytes: number): number {
  return (windowBytes + 2 * FOLD_STEP_BYTES) & -FOLD_STEP_BYTES;
}

/** Vectors of 128 bits came to WebAssembly later, and some processors have none. */
function areVectorsThere(): boolean {
  const { WebAssembly } = globalThis as { WebAssembly?: WasmRuntime };
  const distances: FoldDistances = [2, 3, 4, 5, 6];
  return WebAssembly?.validate(assembleModule(distances, placesFor(distances), true)) ?? false;
}

// Value types, and the few instructions that are used, by their names in the specification.
const I32 = 0x7f;
const I64 = 0x7e;
const EMPTY = 0x40;
const BLOCK = 0x02;
const LOOP = 0x03;
const END = 0x0b;
const BR = 0x0c;
const BR_IF = 0x0d;
const LOCAL_GET = 0x20;
const LOCAL_SET = 0x21;
const I32_LOAD = 0x28;
const I64_LOAD = 0x29;
const I32_LOAD8_U = 0x2d;
const I32_STORE = 0x36;
const I32_CONST = 0x41;
const I64_CONST = 0x42;
const I32_GE_U = 0x4f;
const I32_GT_U = 0x4b;
const I32_ADD = 0x6a;
const I32_AND = 0x71;
const I32_XOR = 0x73;
const I32_SHL = 0x74;
const I32_SHR_U = 0x76;
const I64_XOR = 0x85;
const I64_SHL = 0x86;
const I64_SHR_U = 0x88;
const I32_WRAP_I64 = 0xa7;
const I64_EXTEND_I32_U = 0xad;
const VECTOR_LOAD = [0xfd, 0x00];
const VECTOR_STORE = [0xfd, 0x0b];
const VECTOR_XOR = [0xfd, 0x51];

// The locals of `update`: its three parameters, then two of its own.
const STATE = 0;
const AT = 1;
const LIMIT = 2;
const FIRST = 3;
const SECOND = 4;

// Those of `fold`: its two parameters, then two of its own.
const FOLD_END = 1;
/** A window before the word that is folded. */
const FROM = 2;
const TO = 3;

function assembleModule(distances: FoldDistances, places: Places, hasFold: boolean): Uint8Array {
  const header = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
  const types = section(1, [2, 0x60, 3, I32, I32, I32, 1, I32, 0x60, 2, I32, I32, 0]);
  const functions = section(3, hasFold ? [2, 0, 1] : [1, 0]);
  const memory = section(5, [1, 0x00, MEMORY_PAGES]);
  const exports = [
    [...name('memory'), 0x02, 0],
    [...name('update'), 0x00, 0],
  ];
  if (hasFold) exports.push([...name('fold'), 0x00, 1]);
  const exported = section(7, [exports.length, ...exports.flat()]);
  const bodies = [[1, 2, I64, ...sixteenByteSteps(), ...singleByteSteps(), LOCAL_GET, STATE, END]];
  if (hasFold) bodies.push([1, 2, I32, ...foldSteps(distances, places), END]);
  const code = section(10, [bodies.length, ...bodies.flatMap((body) => [...leb128(body.length), ...body])]);
  return new Uint8Array([...header, ...types, ...functions, ...memory, ...exported, ...code]);
}

function foldSteps(distances: FoldDistances, { roomAt, lastAt, windowBytes }: Places): number[] {
  const lastEnd = lastAt + windowBytes;
  return [
    // The state goes into the first bytes.
    ...[...constant(roomAt), ...constant(roomAt), I32_LOAD, 2, 0, LOCAL_GET, STATE, I32_XOR, I32_STORE, 2, 0],
    ...[...constant(roomAt - windowBytes), LOCAL_SET, FROM],
    ...until(
      [LOCAL_GET, FROM, ...constant(windowBytes), I32_ADD, LOCAL_GET, FOLD_END, I32_GE_U],
      [
        ...[0, 1, 2, 3].flatMap((vector) => {
          const offset = vector * VECTOR_BYTES;
          const added = [LOCAL_GET, FROM, ...loadVector(offset + windowBytes), ...sum(distances, offset)];
          return [LOCAL_GET, FROM, ...added, ...storeVector(offset + windowBytes)];
        }),
        ...[LOCAL_GET, FROM, ...constant(FOLD_STEP_BYTES), I32_ADD, LOCAL_SET, FROM],
      ],
    ),
    // What is added to those that are left.
    ...[...constant(lastAt), LOCAL_SET, TO],
    ...until(
      [LOCAL_GET, TO, ...constant(lastEnd), I32_GE_U],
      [
        ...[LOCAL_GET, TO, LOCAL_GET, TO, ...loadVector(0), ...sum(distances, 0), ...storeVector(0)],
        ...[LOCAL_GET, FROM, ...constant(VECTOR_BYTES), I32_ADD, LOCAL_SET, FROM],
        ...[LOCAL_GET, TO, ...constant(VECTOR_BYTES), I32_ADD, LOCAL_SET, TO],
      ],
    ),
  ];
}

/** Adds to a vector all those that lie at these distances before the one a window and `offset` behind FROM. */
function sum(distances: FoldDistances, offset: number): number[] {
  const windowBytes = 8 * distances[4];
  return distances.flatMap((distance) => [
    ...[LOCAL_GET, FROM, ...loadVector(offset + windowBytes - 8 * distance)],
    ...VECTOR_XOR,
  ]);
}

function loadVector(offset: number): number[] {
  return [...VECTOR_LOAD, 0, ...leb128(offset)];
}

function storeVector(offset: number): number[] {
  return [...VECTOR_STORE, 0, ...leb128(offset)];
}

function constant(value: number): number[] {
  return [I32_CONST, ...signedLeb128(value)];
}

function sixteenByteSteps(): number[] {
  return until(
    // Done when fewer than sixteen bytes are left.
    [LOCAL_GET, AT, I32_CONST, 16, I32_ADD, LOCAL_GET, LIMIT, I32_GT_U],
    [
      ...[LOCAL_GET, AT, I64_LOAD, 0, 0, LOCAL_GET, STATE, I64_EXTEND_I32_U, I64_XOR, LOCAL_SET, FIRST],
      ...[LOCAL_GET, AT, I64_LOAD, 0, 8, LOCAL_SET, SECOND],
      ...eightLookUps(SECOND, 7),
      ...eightLookUps(FIRST, 15),
      ...[I32_XOR, LOCAL_SET, STATE],
      ...[LOCAL_GET, AT, I32_CONST, 16, I32_ADD, LOCAL_SET, AT],
    ],
  );
}

/** The sum of eight look-ups, one for each byte of a local: the lowest byte in `firstTable`, then downwards. */
function eightLookUps(local: number, firstTable: number): number[] {
  const code: number[] = [];
  for (let byte = 0; byte < 8; byte++) {
    // Byte times four, which is where its word lies in a table.
    const shift =
      byte === 0 ? [I64_CONST, 2, I64_SHL] : [I64_CONST, ...signedLeb128(byte * 8 - 2), I64_SHR_U];
    code.push(LOCAL_GET, local, ...shift, I32_WRAP_I64, I32_CONST, ...signedLeb128(0x3fc), I32_AND);
    code.push(I32_LOAD, 2, ...leb128((firstTable - byte) * 1024));
    if (byte > 0) code.push(I32_XOR);
  }
  return code;
}

function singleByteSteps(): number[] {
  return until(
    [LOCAL_GET, AT, LOCAL_GET, LIMIT, I32_GE_U],
    [
      ...[LOCAL_GET, STATE, LOCAL_GET, AT, I32_LOAD8_U, 0, 0, I32_XOR],
      ...[I32_CONST, ...signedLeb128(0xff), I32_AND, I32_CONST, 2, I32_SHL, I32_LOAD, 2, 0],
      ...[LOCAL_GET, STATE, I32_CONST, 8, I32_SHR_U, I32_XOR, LOCAL_SET, STATE],
      ...[LOCAL_GET, AT, I32_CONST, 1, I32_ADD, LOCAL_SET, AT],
    ],
  );
}

/** Repeats `body` until `done` leaves something other than 0. */
function until(done: number[], body: number[]): number[] {
  return [BLOCK, EMPTY, LOOP, EMPTY, ...done, BR_IF, 1, ...body, BR, 0, END, END];
}

function section(id: number, content: number[]): number[] {
  return [id, ...leb128(content.length), ...content];
}

function name(text: string): number[] {
  return [text.length, ...new TextEncoder().encode(text)];
}

function leb128(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb128(value >>> 7)];
}

/** For constants that are not negative: the sign bit of the last byte must stay clear. */
function signedLeb128(value: number): number[] {
  return value < 0x40 ? [value] : [(value & 0x7f) | 0x80, ...signedLeb128(value >>> 7)];
}
