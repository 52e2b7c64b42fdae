/** The symbol that ends nothing: it must never stand in a string (RFC 7541, section 5.2). */
export const END_OF_STRING = 256;

/** How many bits the code of each symbol has (RFC 7541, appendix B). The codes follow from that: the code is canonical. */
// biome-ignore format: sixteen a line, as symbols are counted
const BITS = Uint8Array.of(
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
  28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
  5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
  7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
  6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
  24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
  21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
  19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
  26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30,
);

export interface HuffmanCode {
  /** The code of each symbol, in its lowest bits. */
  readonly codes: Uint32Array;
  readonly bits: Uint8Array;
}

/** Symbols with shorter codes come first, and of the same length the lower ones; each code is the one before plus one. */
export function huffmanCode(): HuffmanCode {
  const symbols = Array.from(BITS.keys()).sort((a, b) => BITS[a] - BITS[b] || a - b);
  const codes = new Uint32Array(BITS.length);
  let code = 0;
  let bits = 0;
  for (const symbol of symbols) {
    code *= 2 ** (BITS[symbol] - bits);
    bits = BITS[symbol];
    codes[symbol] = code++;
  }
  return { codes, bits: BITS };
}
