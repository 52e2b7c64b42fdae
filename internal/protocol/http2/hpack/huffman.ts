import { connectionError } from '../http2-error.ts';
import { END_OF_STRING, huffmanCode } from './huffman-code.ts';

const { codes, bits } = huffmanCode();
/** Half a byte at a time: no code is so short that two symbols end in it. */
const STEP_BITS = 4;
const STEPS = 2 ** STEP_BITS;
/** There are as many inner nodes in a binary tree as symbols, less one. */
const STATES = bits.length - 1;
const FAILED = 0xffff;
const NO_SYMBOL = -1;

/**
 * The code as an automaton: a state for each inner node of its tree. For each state and each half of a byte: the state
 * that follows, and the symbol that ends on the way there.
 */
const nextState = new Uint16Array(STATES * STEPS);
const symbolOn = new Int16Array(STATES * STEPS);
/** Whether a string may end in a state: what is left is less than a byte of ones (RFC 7541, section 5.2). */
const mayEnd = new Uint8Array(STATES);
buildAutomaton();

/**
 * Decodes a string.
 *
 * @param into has room for what the shortest codes would make of it: 8 bytes for each 5.
 * @returns where the string ends in `into`, from 0 on.
 * @throws Http2Error COMPRESSION_ERROR for what is no such string.
 */
export function decodeHuffman(bytes: Uint8Array, start: number, end: number, into: Uint8Array): number {
  let state = 0;
  let length = 0;
  for (let at = start; at < end; at++) {
    const byte = bytes[at];
    for (let step = state * STEPS + (byte >>> STEP_BITS), half = 0; ; half = 1) {
      const symbol = symbolOn[step];
      if (symbol !== NO_SYMBOL) into[length++] = symbol;
      state = nextState[step];
      if (state === FAILED) throw badString('the symbol EOS in a string');
      if (half === 1) break;
      step = state * STEPS + (byte & (STEPS - 1));
    }
  }
  if (mayEnd[state] === 0) throw badString('a string whose padding is too long or not of ones');
  return length;
}

/** How many bytes the code makes of a text of one byte for each character. */
export function huffmanLength(text: string): number {
  let sum = 0;
  for (let index = 0; index < text.length; index++) sum += bits[text.charCodeAt(index) & 0xff];
  return Math.ceil(sum / 8);
}

/** Writes the code of a text at `at`. Returns where it ends. */
export function encodeHuffman(text: string, into: Uint8Array, at: number): number {
  // At most 7 bits are left over, and codes have at most 30: more than an integer of 32 bits, less than a double.
  let pending = 0;
  let pendingBits = 0;
  for (let index = 0; index < text.length; index++) {
    const symbol = text.charCodeAt(index) & 0xff;
    pending = pending * 2 ** bits[symbol] + codes[symbol];
    pendingBits += bits[symbol];
    while (pendingBits >= 8) {
      pendingBits -= 8;
      const byte = Math.floor(pending / 2 ** pendingBits);
      into[at++] = byte;
      pending -= byte * 2 ** pendingBits;
    }
  }
  if (pendingBits > 0) {
    const padding = 8 - pendingBits;
    into[at++] = pending * 2 ** padding + 2 ** padding - 1;
  }
  return at;
}

/** A node of the tree: two nodes or symbols, by the next bit. */
interface Node {
  readonly state: number;
  readonly next: [Node | number | undefined, Node | number | undefined];
}

function buildAutomaton(): void {
  const nodes = buildTree();
  for (const node of nodes) {
    for (let half = 0; half < STEPS; half++) setStep(node, half, nodes[0]);
  }
  let node: Node | number | undefined = nodes[0];
  for (let depth = 0; depth < 8 && typeof node === 'object'; depth++) {
    mayEnd[node.state] = 1;
    node = node.next[1];
  }
}

function setStep(from: Node, half: number, root: Node): void {
  const step = from.state * STEPS + half;
  let node = from;
  symbolOn[step] = NO_SYMBOL;
  for (let bit = STEP_BITS - 1; bit >= 0; bit--) {
    const next = node.next[((half >>> bit) & 1) as 0 | 1];
    if (next === END_OF_STRING) {
      nextState[step] = FAILED;
      return;
    }
    if (typeof next === 'number') symbolOn[step] = next;
    node = typeof next === 'object' ? next : root;
  }
  nextState[step] = node.state;
}

function buildTree(): Node[] {
  const root: Node = { state: 0, next: [undefined, undefined] };
  const nodes = [root];
  for (let symbol = 0; symbol < bits.length; symbol++) {
    let node = root;
    for (let bit = bits[symbol] - 1; bit > 0; bit--) {
      const side = ((codes[symbol] >>> bit) & 1) as 0 | 1;
      let next = node.next[side] as Node | undefined;
      if (next === undefined) {
        next = { state: nodes.length, next: [undefined, undefined] };
        nodes.push(next);
        node.next[side] = next;
      }
      node = next;
    }
    node.next[(codes[symbol] & 1) as 0 | 1] = symbol;
  }
  return nodes;
}

function badString(message: string): Error {
  return connectionError('COMPRESSION_ERROR', 'RFC 7541 5.2', message);
}
