/**
 * SASLprep (RFC 4013), which makes the same password of the same characters however a keyboard composed them.
 *
 * It differs from the RFC in two points. Characters that Unicode did not have in 2002 are taken as they are now and not
 * refused as unassigned. And which characters are written from right to left follows from their script, not from the
 * tables of that time.
 *
 * @returns undefined for text that may not be used.
 */
export function prepared(text: string): string | undefined {
  if (PLAIN.test(text)) return text;
  const mapped = text.replace(OTHER_SPACES, ' ').replace(MAPPED_TO_NOTHING, '').normalize('NFKC');
  return PROHIBITED.test(mapped) || hasMixedDirections(mapped) ? undefined : mapped;
}

/** Most text needs no second look. */
const PLAIN = /^[ -~]*$/;
/** Table C.1.2 of RFC 3454. */
const OTHER_SPACES = /[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/g;
/** Table B.1 of RFC 3454. */
const MAPPED_TO_NOTHING =
  /\u00ad|\u034f|\u1806|[\u180b-\u180d]|[\u200b-\u200d]|\u2060|[\ufe00-\ufe0f]|\ufeff/g;
/** Tables C.2 to C.9 of RFC 3454: controls, private use, surrogates, marks of direction, tags. */
const PROHIBITED =
  /[\p{Cc}\p{Co}\p{Cs}\p{Noncharacter_Code_Point}\u1680\u2000-\u200f\u2028-\u202f\u205f-\u2063\u206a-\u206f\u06dd\u070f\u180e\u2ff0-\u2ffb\ufff9-\ufffd\u{1d173}-\u{1d17a}\u{e0001}\u{e0020}-\u{e007f}]|\u0340|\u0341/u;

const FROM_RIGHT =
  /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}\p{Script=Samaritan}\p{Script=Mandaic}]/u;
const RIGHT_LETTER = new RegExp(`(?=\\p{L})${FROM_RIGHT.source}`, 'u');
const LEFT_LETTER = new RegExp(`(?!${FROM_RIGHT.source})\\p{L}`, 'u');

/** RFC 3454, section 6: text from right to left has no letter of the other kind, and begins and ends with its own. */
function hasMixedDirections(text: string): boolean {
  if (!RIGHT_LETTER.test(text)) return false;
  const characters = [...text];
  const [first, last] = [characters[0], characters.at(-1)!];
  return LEFT_LETTER.test(text) || !RIGHT_LETTER.test(first) || !RIGHT_LETTER.test(last);
}
