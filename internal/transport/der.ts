/** One element of DER (X.690): what it is, and its content. */
export interface DerElement {
  readonly tag: number;
  readonly content: Uint8Array;
}

/** The elements that lie one behind the other. @throws Error where they do not end with the bytes. */
export function derElements(bytes: Uint8Array): DerElement[] {
  const elements: DerElement[] = [];
  let offset = 0;
  while (offset < bytes.length) {
    const { tag, begin, end } = headerAt(bytes, offset);
    if (end > bytes.length) throw new Error('an element is longer than what holds it');
    elements.push({ tag, content: bytes.subarray(begin, end) });
    offset = end;
  }
  return elements;
}

/** The elements of the one element that the bytes are. @throws Error where it is not of this kind. */
export function derContent(element: DerElement | undefined, tag: number): DerElement[] {
  if (element?.tag !== tag) throw new Error('an element is missing, or of another kind');
  return derElements(element.content);
}

const LONG_FORM = 0x80;

function headerAt(bytes: Uint8Array, offset: number): { tag: number; begin: number; end: number } {
  const [tag, first] = [bytes[offset]!, bytes[offset + 1]];
  if (first === undefined || (tag & 0x1f) === 0x1f)
    throw new Error('an element has no length, or a long tag');
  if (first < LONG_FORM) return { tag, begin: offset + 2, end: offset + 2 + first };
  const lengthBytes = first & ~LONG_FORM;
  if (lengthBytes < 1 || lengthBytes > 3) throw new Error('an element has no definite length');
  let length = 0;
  for (let index = 0; index < lengthBytes; index++) length = length * 256 + (bytes[offset + 2 + index] ?? 0);
  const begin = offset + 2 + lengthBytes;
  return { tag, begin, end: begin + length };
}

/** An object identifier as people write it: `2.5.4.3`. */
export function derObjectId(content: Uint8Array): string {
  const arcs: number[] = [];
  let arc = 0;
  for (const byte of content) {
    arc = arc * 128 + (byte & 0x7f);
    if (byte < 0x80) {
      arcs.push(arc);
      arc = 0;
    }
  }
  const [first = 0, ...rest] = arcs;
  const top = Math.min(2, Math.floor(first / 40));
  return [top, first - top * 40, ...rest].join('.');
}
