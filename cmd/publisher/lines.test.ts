import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { linesOf } from './lines.ts';

async function split(chunks: Uint8Array[], maxLineBytes?: number): Promise<Buffer[]> {
  async function* stream() {
    yield* chunks;
  }
  const lines: Buffer[] = [];
  for await (const line of linesOf(stream(), maxLineBytes)) lines.push(Buffer.from(line));
  return lines;
}

function texts(chunks: string[], maxLineBytes?: number): Promise<string[]> {
  return split(
    chunks.map((chunk) => Buffer.from(chunk)),
    maxLineBytes,
  ).then((lines) => lines.map(String));
}

describe('linesOf', () => {
  it.each<[string, string[], string[]]>([
    ['ends each line at its line break', ['a\nb\n'], ['a', 'b']],
    ['takes a last line without one', ['a\nb'], ['a', 'b']],
    ['keeps empty lines', ['a\n\n\nb\n'], ['a', '', '', 'b']],
    ['joins what was cut', ['a', 'b\nc', '\n', 'd'], ['ab', 'c', 'd']],
    ['takes the line breaks of Windows', ['a\r\nb\r', '\nc\rd\r\n'], ['a', 'b', 'c\rd']],
    ['gives nothing for nothing', [], []],
    ['gives one empty line for a line break', ['\n'], ['']],
  ])('%s', async (_, chunks, lines) => {
    expect(await texts(chunks)).toEqual(lines);
  });

  it('keeps bytes that are not UTF-8', async () => {
    expect(await split([Uint8Array.of(0xff, 0x00, 0x0a, 0xc3)])).toEqual([
      Buffer.of(0xff, 0x00),
      Buffer.of(0xc3),
    ]);
  });

  it('gives the same lines however the bytes are cut', async () => {
    const bytes = fc.uint8Array({ maxLength: 40, max: 13 });
    await fc.assert(
      fc.asyncProperty(bytes, fc.array(fc.nat(40), { maxLength: 6 }), async (whole, cuts) => {
        const at = [0, ...cuts.filter((cut) => cut <= whole.length).sort((a, b) => a - b), whole.length];
        const pieces = at.slice(1).map((end, index) => whole.subarray(at[index], end));
        expect(await split(pieces)).toEqual(await split([whole]));
      }),
    );
  });

  it('refuses a line that has no end before it fills the memory', async () => {
    await expect(texts(['aaaa\n', 'bbb', 'bbb'], 5)).rejects.toThrow(
      'a line of the input is longer than 5 bytes',
    );
  });
});
