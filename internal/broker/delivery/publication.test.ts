import { describe, expect, it, vi } from 'vitest';
import { type Encoding, Publication } from './publication.ts';

describe('Publication', () => {
  it('is its own bytes in its own encoding, without a copy', () => {
    const plain = encoding('plain');
    const bytes = Buffer.from('..abc..');
    const publication = new Publication(plain).set(bytes, 2, 5, 1);
    expect(Buffer.from(publication.as(plain)).toString()).toBe('abc');
    expect(publication.as(plain).buffer).toBe(bytes.buffer);
    expect(publication.as(plain)).toBe(publication.view());
  });

  it('is encoded once for each other encoding', () => {
    const plain = encoding('plain');
    const loud = encoding('loud');
    const quiet = encoding('quiet');
    const publication = new Publication(plain).set(Buffer.from('..abc..'), 2, 5, 1);
    expect(text(publication.as(loud))).toBe('loud abc');
    expect(text(publication.as(quiet))).toBe('quiet abc');
    expect(publication.as(loud)).toBe(publication.as(loud));
    expect(loud.encode).toHaveBeenCalledTimes(1);
    expect(quiet.encode).toHaveBeenCalledTimes(1);
    expect(plain.encode).not.toHaveBeenCalled();
  });

  it('forgets what it was when it becomes the next run', () => {
    const loud = encoding('loud');
    const publication = new Publication(encoding('plain')).set(Buffer.from('one'), 0, 3, 1);
    const first = publication.view();
    expect(text(publication.as(loud))).toBe('loud one');
    publication.set(Buffer.from('two'), 0, 3, 2);
    expect(text(publication.view())).toBe('two');
    expect(text(publication.as(loud))).toBe('loud two');
    expect(text(first)).toBe('one');
    expect(publication.count).toBe(2);
  });
});

/** One message a run; what it writes begins with its name. */
function encoding(name: string): Encoding {
  return {
    name,
    decode: (run) => [{ topic: 't', clientId: 'c', payload: run }],
    encode: vi.fn(([message]) => Buffer.from(`${name} ${Buffer.from(message!.payload)}`)),
  };
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}
