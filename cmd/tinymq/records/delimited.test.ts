import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { delimited } from './delimited.ts';

async function piecesOf(chunks: Uint8Array[], delimiter: Uint8Array, max?: number): Promise<Uint8Array[]> {
  async function* stream() {
    yield* chunks;
  }
  const pieces: Uint8Array[] = [];
  for await (const some of delimited(stream(), delimiter, max)) pieces.push(...some);
  return pieces;
}

/** Texts out of few characters, so that delimiters meet everywhere. */
const text = fc.string({ unit: fc.constantFrom('a', 'b', '\n') });

describe('a stream with delimiters', () => {
  it('gives the same pieces however it comes in chunks', async () => {
    const delimiter = fc.constantFrom('\n', 'ab', 'aab', 'a\n');
    await fc.assert(
      fc.asyncProperty(fc.array(text), delimiter, async (chunks, delimiter) => {
        const pieces = await piecesOf(
          chunks.map((chunk) => Buffer.from(chunk)),
          Buffer.from(delimiter),
        );
        const expected = chunks
          .join('')
          .split(delimiter)
          .filter((piece) => piece !== '');
        expect(pieces.map((piece) => Buffer.from(piece).toString())).toEqual(expected);
      }),
    );
  });

  it('ends where a piece grows beyond all bounds', async () => {
    const chunks = Array<Uint8Array>(3).fill(Buffer.alloc(10, 'x'));
    await expect(piecesOf(chunks, Buffer.from('\n'), 25)).rejects.toThrow('is longer than 25 bytes');
    expect((await piecesOf(chunks, Buffer.from('\n'), 30)).length).toBe(1);
  });
});
