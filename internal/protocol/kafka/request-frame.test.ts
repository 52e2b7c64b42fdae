import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KafkaProtocolError } from './protocol-error.ts';
import { RequestFrames } from './request-frame.ts';

const MAX_BYTES = 1000;

describe('a stream of requests', () => {
  it('is cut in the same places, whatever chunks it comes in', () => {
    const requests = fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 10 });
    const cuts = fc.array(fc.nat({ max: 1000 }), { maxLength: 20 });
    const property = fc.property(requests, cuts, fc.boolean(), (sent, places, isDrained) => {
      const stream = Buffer.concat(sent.map(framed));
      const frames = new RequestFrames(MAX_BYTES);
      const received: string[] = [];
      for (const chunk of split(stream, places)) {
        frames.push(chunk);
        // A door that has enough for now leaves the rest where it is.
        if (isDrained) received.push(...drain(frames));
      }
      received.push(...drain(frames));
      expect(received).toEqual(sent.map(hex));
      expect(frames.isBetweenRequests).toBe(true);
      expect(frames.reservedBytes).toBe(0);
    });
    fc.assert(property, { numRuns: 300 });
  });

  it('is not copied where a request lies in one chunk', () => {
    const chunk = Buffer.concat([framed(Uint8Array.of(1, 2)), framed(Uint8Array.of(3))]);
    const frames = new RequestFrames(MAX_BYTES);
    frames.push(chunk);
    expect(frames.next()!.buffer).toBe(chunk.buffer);
    expect(hex(frames.next()!)).toBe('03');
    expect(frames.next()).toBeUndefined();
  });

  it('gives a request that was put together from memory that is not used again', () => {
    const frames = new RequestFrames(MAX_BYTES);
    const stream = Buffer.concat([framed(Buffer.alloc(10, 1)), framed(Buffer.alloc(10, 2))]);
    frames.push(stream.subarray(0, 8));
    expect(frames.next()).toBeUndefined();
    frames.push(stream.subarray(8, 20));
    const first = frames.next()!;
    expect(frames.next()).toBeUndefined();
    frames.push(stream.subarray(20));
    expect(hex(frames.next()!)).toBe('02'.repeat(10));
    expect(hex(first)).toBe('01'.repeat(10));
  });
});

describe('a claimed size', () => {
  it.each([
    ['above the bound', '000003e9', 'request of 1001 bytes; at most 1000 are accepted'],
    ['of almost 2 GiB', '7fffffff', 'request of 2147483647 bytes; at most 1000 are accepted'],
    ['below zero', 'ffffffff', 'request of -1 bytes; at most 1000 are accepted'],
  ])('%s is refused as soon as it is there, after what came before it', (_, size, message) => {
    for (const cut of [0, 5, 6, 8]) {
      const stream = Buffer.concat([framed(Uint8Array.of(9)), Buffer.from(size, 'hex')]);
      const frames = new RequestFrames(MAX_BYTES);
      frames.push(stream.subarray(0, cut));
      const received = drain(frames);
      frames.push(stream.subarray(cut));
      if (received.length === 0) expect(hex(frames.next()!)).toBe('09');
      const refused = expect(() => frames.next());
      refused.toThrow(KafkaProtocolError);
      expect(() => frames.next()).toThrow(message);
    }
  });

  it('that is accepted reserves little more than what arrived', () => {
    const frames = new RequestFrames(2 ** 30);
    frames.push(Buffer.from('40000000', 'hex'));
    let arrived = 4;
    for (const size of [1, 7, 100, 1000, 10_000, 100_000, 1_000_000]) {
      expect(frames.next()).toBeUndefined();
      frames.push(Buffer.alloc(size));
      arrived += size;
      expect(frames.next()).toBeUndefined();
      expect(frames.reservedBytes).toBeLessThanOrEqual(Math.max(2 * arrived, Math.min(8 * arrived, 131_072)));
    }
    expect(frames.isBetweenRequests).toBe(false);
  });

  it('reserves no more than it says, however much came', () => {
    const frames = new RequestFrames(MAX_BYTES);
    const request = framed(Buffer.alloc(1000));
    frames.push(request.subarray(0, 900));
    expect(frames.next()).toBeUndefined();
    expect(frames.reservedBytes).toBe(1004);
  });
});

function framed(request: Uint8Array): Buffer {
  const size = Buffer.alloc(4);
  size.writeInt32BE(request.length);
  return Buffer.concat([size, request]);
}

function split(bytes: Buffer, places: number[]): Buffer[] {
  const ends = places.filter((place) => place < bytes.length).sort((one, other) => one - other);
  return [...ends, bytes.length].map((end, index) => bytes.subarray(index === 0 ? 0 : ends[index - 1], end));
}

function drain(frames: RequestFrames): string[] {
  const received: string[] = [];
  for (let request = frames.next(); request !== undefined; request = frames.next())
    received.push(hex(request));
  return received;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
