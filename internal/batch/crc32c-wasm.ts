/**
 * CRC-32C as a WebAssembly module of one function, assembled here: sixteen bytes a step with two 64-bit loads
 * and sixteen table look-ups, of which only four depend on the step before.
 */

/** The loaded module. */
export interface WasmCrc32c {
  /** The memory for the bytes to be summed; more than its length takes several rounds. */
  room: Uint8Array;
  /** Goes on from `state` (inverted, as the algorithm keeps it) over the first `length` bytes of the room. */
  update(state: number, length: number): number;
}

/**
 * Compiles the module around these sixteen tables of 256 words; undefined where the runtime has no
 * WebAssembly (`node --jitless`).
 */
export function loadWasmCrc32c(tables: Int32Array): WasmCrc32c | undefined {
  const { WebAssembly } = globalThis as { WebAssembly?: WasmRuntime };
  if (WebAssembly === undefined) return undefined;
  const { memory, update } = new WebAssembly.Instance(new WebAssembly.Module(assembleModule())).exports;
  new Int32Array(memory.buffer).set(tables);
  return {
    room: new Uint8Array(memory.buffer, ROOM_OFFSET),
    update: (state, length) => update(state, ROOM_OFFSET, ROOM_OFFSET + length),
  };
}

/** The part of the runtime's interface that is used here; Node's types leave it to a browser's. */
interface WasmRuntime {
  Module: new (code: Uint8Array) => object;
  Instance: new (module: object) => { exports: WasmExports };
}

interface WasmExports {
  memory: { buffer: ArrayBuffer };
  update(state: number, at: number, end: number): number;
}

/** The tables fill the beginning of the memory. */
const ROOM_OFFSET = 16 * 256 * 4;
/** Two pages of 64 KiB: a batch of the size that producers usually send goes in one round. */
const MEMORY_PAGES = 2;

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

// The locals of the function: its three parameters, then two of its own.
const STATE = 0;
const AT = 1;
const LIMIT = 2;
const FIRST = 3;
const SECOND = 4;

function assembleModule(): Uint8Array {
  const header = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
  const type = section(1, [1, 0x60, 3, I32, I32, I32, 1, I32]);
  const functions = section(3, [1, 0]);
  const memory = section(5, [1, 0x00, MEMORY_PAGES]);
  const exported = section(7, [2, ...name('memory'), 0x02, 0, ...name('update'), 0x00, 0]);
  const body = [1, 2, I64, ...sixteenByteSteps(), ...singleByteSteps(), LOCAL_GET, STATE, END];
  const code = section(10, [1, ...leb128(body.length), ...body]);
  return new Uint8Array([...header, ...type, ...functions, ...memory, ...exported, ...code]);
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
