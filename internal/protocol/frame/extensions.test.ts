import { describe, expect, it } from 'vitest';
import { EXTENSIONS, formatExtensions, parseExtensions } from './extensions.ts';

describe('an offer of extensions', () => {
  it('is read as it was written', () => {
    const payload = Buffer.from(formatExtensions(EXTENSIONS));
    expect([...parseExtensions(payload)]).toEqual([...EXTENSIONS]);
  });

  it.each([
    ['nothing', ''],
    ['what nobody knows', 'tomorrow'],
    ['part of a name', 'refusal'],
    ['other letters', 'REFUSALS'],
    ['more than anybody has to say', `refusals ${'x'.repeat(16 * 1024)}`],
  ])('of %s is none', (_, payload) => {
    expect(parseExtensions(Buffer.from(payload)).size).toBe(0);
  });

  it('of bytes that are no text is none', () => {
    expect(parseExtensions(Uint8Array.of(0xff, 0x00, 0xc3)).size).toBe(0);
  });

  it('passes over what it does not know', () => {
    expect([...parseExtensions(Buffer.from('tomorrow refusals refusals'))]).toEqual(['refusals']);
  });
});
