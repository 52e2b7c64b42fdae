import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonLine, jsonPayload, printable, printableText } from './printable.ts';

describe('printable', () => {
  it.each<[string, string | number[], string]>([
    ['plain text', 'Temperature: 22.5 C', 'Temperature: 22.5 C'],
    ['letters of every kind', 'größer 温度 🌡️', 'größer 温度 🌡️'],
    ['line breaks and tabs', 'a\nb\r\tc', 'a\\nb\\r\\tc'],
    ['an escape sequence', '\u001b[2J', '\\x1b[2J'],
    ['the second block of control characters', '\u009b31m', '\\x9b31m'],
    ['a change of direction', 'a\u202eb', 'a\\u202eb'],
    ['line separators', 'a\u2028b', 'a\\u2028b'],
    ['bytes that are not UTF-8', [0x61, 0xff, 0x00, 0x5c], 'a\\xff\\x00\\\\'],
    ['a backslash that means nothing', 'C:\\dir "\\"', 'C:\\dir "\\"'],
    ['a backslash that could be read as an escape', '\\n \\x1b', '\\\\n \\\\x1b'],
    ['nothing', '', ''],
  ])('shows %s', (_, payload, expected) => {
    expect(printable(typeof payload === 'string' ? Buffer.from(payload) : Uint8Array.from(payload))).toBe(
      expected,
    );
  });

  it('shows any bytes without a control character', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => expectHarmless(printable(bytes))));
  });

  it('shows any text without a control character', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expectHarmless(printableText(text));
        expectHarmless(printable(Buffer.from(text)));
      }),
    );
  });

  it('shows different bytes differently', () => {
    const shortBytes = fc.uint8Array({ maxLength: 6 });
    const escapes = fc.stringMatching(/^[\\xnrt0-9a-f\n]{0,6}$/).map((text) => Buffer.from(text));
    fc.assert(
      fc.property(fc.oneof(shortBytes, escapes), fc.oneof(shortBytes, escapes), (one, other) => {
        if (Buffer.compare(one, other) === 0) return;
        if (!isText(one) || !isText(other)) return;
        expect(printable(one)).not.toBe(printable(other));
      }),
    );
  });

  it('looks only at the bytes of the view', () => {
    const whole = Buffer.from('\u001b[2Jhot\u001b[2J');
    expect(printable(whole.subarray(4, 7))).toBe('hot');
  });
});

describe('jsonLine', () => {
  it('is one line of JSON without a control character', () => {
    expect(jsonLine({ a: '\u009b31m\u202e\n' })).toBe('{"a":"\\u009b31m\\u202e\\n"}\n');
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const line = jsonLine({ text });
        expectHarmless(line.slice(0, -1));
        expect(JSON.parse(line)).toEqual({ text });
      }),
    );
  });
});

describe('jsonPayload', () => {
  it('is text where it can be, and gives back the bytes in any case', () => {
    expect(jsonPayload(Buffer.from('a\n"ü"'))).toEqual({ payload: 'a\n"ü"' });
    expect(jsonPayload(Uint8Array.of(0xff))).toEqual({ payload: '/w==', encoding: 'base64' });
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const { payload, encoding } = JSON.parse(JSON.stringify(jsonPayload(bytes)));
        expect(Buffer.from(payload, encoding ?? 'utf8')).toEqual(Buffer.from(bytes));
      }),
    );
  });
});

function isText(bytes: Uint8Array): boolean {
  return Buffer.from(bytes).toString().includes('\ufffd') === false;
}

function expectHarmless(shown: string): void {
  expect(shown).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u);
}
