import { isUtf8 } from 'node:buffer';

/**
 * A payload or a name as text that harms no terminal: control characters, line breaks, marks that change the
 * direction of writing, and bytes that are not UTF-8 are shown as escapes.
 */
export function printable(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (isPlain(bytes)) return buffer.toString('latin1');
  if (isUtf8(bytes)) return printableText(buffer.toString('utf8'));
  return buffer.toString('latin1').replace(/[^ -~]|\\/g, escapeByte);
}

/** The same for text. */
export function printableText(text: string): string {
  return text.replace(LIKE_AN_ESCAPE, '\\\\').replace(HARMFUL, escapeCharacter);
}

/** Control characters, line separators, lone surrogates and marks that change the direction of writing. */
const HARMFUL = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;
/** A backslash that would make what follows look like one of our escapes. */
const LIKE_AN_ESCAPE = /\\(?=x[0-9a-f]{2}|u[0-9a-f]{4}|[nrt])/g;

/** Most payloads need no second look: printable ASCII without a backslash. */
function isPlain(bytes: Uint8Array): boolean {
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index]!;
    if (byte < 0x20 || byte > 0x7e || byte === 0x5c) return false;
  }
  return true;
}

const NAMED: Record<string, string | undefined> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\\': '\\\\' };

function escapeCharacter(character: string): string {
  return NAMED[character] ?? (character < '\u0100' ? escapeByte(character) : unicodeEscape(character));
}

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

function escapeByte(character: string): string {
  return NAMED[character] ?? `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
}

/** A line of JSON that harms no terminal either: beyond what JSON escapes, control characters and the like. */
export function jsonLine(value: object): string {
  return `${JSON.stringify(value).replace(HARMFUL, unicodeEscape)}\n`;
}

/** A payload inside JSON: as text where it is UTF-8, in base64 elsewhere. */
export function jsonPayload(bytes: Uint8Array): { payload: string; encoding?: 'base64' } {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (isUtf8(bytes)) return { payload: buffer.toString('utf8') };
  return { payload: buffer.toString('base64'), encoding: 'base64' };
}
