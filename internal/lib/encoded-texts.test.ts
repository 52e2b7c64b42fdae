import { expect, it } from 'vitest';
import { EncodedTexts } from './encoded-texts.ts';

it('gives the UTF-8 of every text, however many there are', () => {
  const texts = new EncodedTexts(3);
  for (const text of ['', 'a', 'ä\ufeff', '\u{1f600}', 'a', 'long'.repeat(1_000), '', 'b', 'c', 'd', 'a']) {
    expect(Buffer.from(texts.bytesOf(text))).toEqual(Buffer.from(text));
  }
});

it('gives the same bytes again while it remembers them', () => {
  const texts = new EncodedTexts(2);
  const first = texts.bytesOf('a');
  expect(texts.bytesOf('a')).toBe(first);
  texts.bytesOf('b');
  texts.bytesOf('c');
  expect(texts.bytesOf('a')).not.toBe(first);
});
