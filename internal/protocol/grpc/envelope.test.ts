import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ENVELOPE_BYTES, MessageReader, writeEnvelope } from './envelope.ts';
import { GrpcError, Status } from './status.ts';

function enveloped(message: Uint8Array, flag = 0): Uint8Array {
  const bytes = new Uint8Array(ENVELOPE_BYTES + message.length);
  bytes.set(message, writeEnvelope(bytes, 0, message.length));
  bytes[0] = flag;
  return bytes;
}

/** Reads chunks; what came, each with whether it is compressed. */
function read(chunks: readonly Uint8Array[], maxMessageBytes = 1_000_000) {
  const found: [Uint8Array, boolean][] = [];
  const reader = new MessageReader(maxMessageBytes, (bytes, start, end, isCompressed) => {
    found.push([bytes.slice(start, end), isCompressed]);
  });
  for (const chunk of chunks) reader.push(chunk);
  return { found, reader };
}

describe('messages of a call', () => {
  it('are found however the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.uint8Array({ maxLength: 300 }), fc.boolean()), { maxLength: 20 }),
        fc.array(fc.nat(400), { maxLength: 40 }),
        (messages, cuts) => {
          const stream = Buffer.concat(messages.map(([message, flag]) => enveloped(message, Number(flag))));
          const chunks: Uint8Array[] = [];
          let at = 0;
          for (const cut of cuts) {
            // What was read of a chunk must not be read again after somebody wrote over it.
            chunks.push(new Uint8Array(stream.subarray(at, at + cut)));
            at = Math.min(stream.length, at + cut);
          }
          chunks.push(new Uint8Array(stream.subarray(at)));
          const found: [Uint8Array, boolean][] = [];
          const reader = new MessageReader(1000, (bytes, start, end, isCompressed) => {
            found.push([bytes.slice(start, end), isCompressed]);
          });
          for (const chunk of chunks) {
            reader.push(chunk);
            chunk.fill(0xff);
          }
          expect(found).toEqual(messages);
          expect(reader.isAtBoundary).toBe(true);
          expect(reader.heldBytes).toBe(0);
        },
      ),
    );
  });

  it('reserve no more than twice what arrived, whatever they claim', () => {
    const { found, reader } = read([Uint8Array.of(0, 0x3f, 0xff, 0xff, 0xff)], 2 ** 30);
    for (let sent = 5; sent < 100_000; sent += 1_000) {
      reader.push(new Uint8Array(1_000));
      expect(reader.heldBytes).toBeLessThanOrEqual(2 * (sent + 1_000) + 64);
    }
    expect(found).toEqual([]);
    expect(reader.isAtBoundary).toBe(false);
    reader.clear();
    expect(reader.heldBytes).toBe(0);
  });

  it('reserve no more than they take', () => {
    const { reader } = read([enveloped(new Uint8Array(100_000)).subarray(0, 99_000)]);
    reader.push(new Uint8Array(500));
    expect(reader.heldBytes).toBe(100_005);
  });

  it.each([
    ['above the limit', [0, 0, 0, 0, 11], Status.RESOURCE_EXHAUSTED, 'larger than max (11 vs. 10)'],
    ['of four GiB', [0, 0xff, 0xff, 0xff, 0xff], Status.RESOURCE_EXHAUSTED, '(4294967295 vs. 10)'],
    ['with an unknown flag', [2, 0, 0, 0, 0], Status.INTERNAL, 'unexpected payload format 2'],
  ])('%s are refused as soon as their envelope is there', (_what, envelope, status, text) => {
    for (const chunks of [[Uint8Array.from(envelope)], envelope.map((byte) => Uint8Array.of(byte))]) {
      try {
        read(chunks, 10);
        expect.unreachable();
      } catch (error) {
        expect(error).toBeInstanceOf(GrpcError);
        expect((error as GrpcError).status).toBe(status);
        expect((error as GrpcError).message).toContain(text);
      }
    }
  });
});
