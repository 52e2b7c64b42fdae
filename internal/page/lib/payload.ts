/** Payloads as people look at them: text, JSON, bytes. */

/** A payload is shown up to here; more is for whoever saves it. */
export const SHOWN_BYTES = 65_536;

export type PayloadView = 'text' | 'json' | 'hex';

/** The bytes of a payload as the door tells it: text, or base64. */
export function payloadBytes({
  payload,
  encoding,
}: {
  payload: string;
  encoding?: 'base64';
}): Uint8Array<ArrayBuffer> {
  return encoding === 'base64'
    ? Uint8Array.from(atob(payload), (character) => character.charCodeAt(0))
    : new TextEncoder().encode(payload);
}

/** The payload as a line of text for a list. */
export function preview({ payload, encoding }: { payload: string; encoding?: 'base64' }): string {
  if (encoding === 'base64')
    return `${hexBytes(payloadBytes({ payload: payload.slice(0, 64), encoding }))} …`;
  return payload.slice(0, 300).replace(/\s+/g, ' ');
}

/** The payload as JSON with a line for each value; undefined where it is none. */
export function prettyJson(text: string): string | undefined {
  if (!/^\s*[[{"\-\dtfn]/.test(text)) return undefined;
  try {
    return JSON.stringify(JSON.parse(text), undefined, 2);
  } catch {
    return undefined;
  }
}

/** How a payload is shown where nobody chose: objects as JSON, text as text, anything else as bytes. */
export function likelyView({ payload, encoding }: { payload: string; encoding?: 'base64' }): PayloadView {
  if (encoding === 'base64') return 'hex';
  return /^\s*[[{]/.test(payload) && prettyJson(payload) !== undefined ? 'json' : 'text';
}

const PER_LINE = 16;

/** Lines of `offset  bytes  |text|`. */
export function hexDump(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += PER_LINE) {
    const line = bytes.subarray(at, at + PER_LINE);
    const text = [...line]
      .map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.'))
      .join('');
    lines.push(`${at.toString(16).padStart(8, '0')}  ${hexBytes(line).padEnd(3 * PER_LINE - 1)}  |${text}|`);
  }
  return lines.join('\n');
}

function hexBytes(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
}
