/** How many columns of a terminal a text takes: two for wide characters (CJK, emoji), none for marks that combine. */
export function textWidth(text: string): number {
  if (ASCII.test(text)) return text.length;
  let width = 0;
  for (const { segment } of GRAPHEMES.segment(text)) width += graphemeWidth(segment);
  return width;
}

/** A text that takes at most so many columns; where it is cut, it ends with `…`. */
export function cutToWidth(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  if (width < 1) return '';
  let shown = '';
  let left = width - 1;
  for (const { segment } of GRAPHEMES.segment(text)) {
    left -= graphemeWidth(segment);
    if (left < 0) break;
    shown += segment;
  }
  return `${shown}…`;
}

/** A text with spaces behind it, so that it takes so many columns. */
export function padToWidth(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - textWidth(text)));
}

const ASCII = /^[ -~]*$/;
/** What is one character for people: a flag, a family, a letter with its accents. */
const GRAPHEMES = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
/** Marks, characters of format, and the vowels and endings of Hangul that stand in the block of the letter before. */
const NO_WIDTH = /[\p{Mn}\p{Me}\p{Cf}\p{Cc}\u1160-\u11ff]/u;
/** Pictures, and what the variation selector 16 or a mark for keys makes one. */
const PICTURE = /\p{Emoji_Presentation}|\p{Emoji}[\ufe0f\u20e3]/u;

function graphemeWidth(grapheme: string): number {
  if (PICTURE.test(grapheme)) return 2;
  let width = 0;
  for (const character of grapheme) {
    if (!NO_WIDTH.test(character)) width += isWide(character.codePointAt(0)!) ? 2 : 1;
  }
  return width;
}

/** First and last of the blocks that are wide or fullwidth in Unicode Standard Annex 11, without pictures. */
const WIDE_BLOCKS: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2329, 0x232a],
  [0x2e80, 0x303e],
  [0x3041, 0x4dbf],
  [0x4e00, 0xa4cf],
  [0xa960, 0xa97c],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe10, 0xfe19],
  [0xfe30, 0xfe6b],
  [0xff01, 0xff60],
  [0xffe0, 0xffe6],
  [0x16fe0, 0x18dff],
  [0x1aff0, 0x1b2ff],
  [0x1f200, 0x1f2ff],
  [0x20000, 0x3fffd],
];

function isWide(codePoint: number): boolean {
  return WIDE_BLOCKS.some(([first, last]) => codePoint >= first && codePoint <= last);
}
