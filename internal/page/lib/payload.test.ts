import { describe, expect, it } from 'vitest';
import { hexDump, likelyView, payloadBytes, prettyJson, preview } from './payload.ts';

const binary = { payload: 'AP8=', encoding: 'base64' } as const;

describe('a payload', () => {
  it.each([
    [{ payload: '{"a":1}' }, 'json'],
    [{ payload: ' [1] ' }, 'json'],
    [{ payload: '{"a":' }, 'text'],
    [{ payload: '22.5' }, 'text'],
    [{ payload: '' }, 'text'],
    [binary, 'hex'],
  ] as const)('%j is shown as %s', (message, view) => expect(likelyView(message)).toBe(view));

  it('has its bytes, whether it came as text or as base64', () => {
    expect([...payloadBytes({ payload: 'ü' })]).toEqual([0xc3, 0xbc]);
    expect([...payloadBytes(binary)]).toEqual([0x00, 0xff]);
  });

  it('is a line in a list', () => {
    expect(preview({ payload: 'a\n b' })).toBe('a b');
    expect(preview(binary)).toBe('00 ff …');
  });

  it('is JSON only where it is JSON', () => {
    expect(prettyJson('22')).toBe('22');
    expect(prettyJson('nope')).toBeUndefined();
    expect(prettyJson('<b>')).toBeUndefined();
  });

  it('is dumped sixteen bytes a line', () => {
    expect(hexDump(new TextEncoder().encode('0123456789abcdef\n'))).toBe(
      '00000000  30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66  |0123456789abcdef|\n' +
        `00000010  0a${' '.repeat(45)}  |.|`,
    );
  });
});
