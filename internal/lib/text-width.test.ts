import { describe, expect, it } from 'vitest';
import { cutToWidth, padToWidth, textWidth } from './text-width.ts';

describe('the width of a text on a terminal', () => {
  it.each([
    ['', 0],
    ['sensors/hall', 12],
    ['Zürich', 6],
    ['Zu\u0308rich', 6],
    ['温度', 4],
    ['センサー', 8],
    ['ｾﾝｻｰ', 4],
    ['한국어', 6],
    ['\u1112\u1161\u11ab', 2],
    ['ＡＢ', 4],
    ['😀', 2],
    ['👨‍👩‍👧', 2],
    ['🇨🇭', 2],
    ['👍🏽', 2],
    ['☎', 1],
    ['☎\ufe0f', 2],
    ['1\ufe0f\u20e3', 2],
    ['a\u200bb', 2],
    ['𠮷', 2],
    ['…─│', 3],
    ['שלום', 4],
    ['नमस्ते', 4],
  ])('%s', (text, width) => {
    expect(textWidth(text)).toBe(width);
  });
});

describe('a text that is cut', () => {
  it.each([
    ['sensors/hall', 12, 'sensors/hall'],
    ['sensors/hall', 8, 'sensors…'],
    ['温度計', 6, '温度計'],
    ['温度計', 5, '温度…'],
    ['温度計', 4, '温…'],
    ['👨‍👩‍👧👨‍👩‍👧', 3, '👨‍👩‍👧…'],
    ['abc', 1, '…'],
    ['abc', 0, ''],
  ])('%s to %i columns', (text, width, shown) => {
    expect(cutToWidth(text, width)).toBe(shown);
  });

  it('is padded by columns, not by characters', () => {
    expect(padToWidth('温度', 6)).toBe('温度  ');
    expect(padToWidth('温度計', 4)).toBe('温度計');
  });
});
