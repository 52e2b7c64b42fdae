import fc from 'fast-check';
import { expect, it } from 'vitest';
import { encodeStatusMessage, GrpcError, Status } from './status.ts';
import { parseTimeoutMs } from './timeout.ts';

it('status messages are printable ASCII, and come back as they were', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (message) => {
      const encoded = encodeStatusMessage(message);
      expect(encoded).toMatch(/^[!-~]?$|^[!-~][ -~]*[!-~]$/);
      expect(decodeURIComponent(encoded)).toBe(message);
    }),
  );
  expect(encodeStatusMessage('no message at offset')).toBe('no message at offset');
  expect(encodeStatusMessage('100% ü\n ')).toBe('100%25 %C3%BC%0A%20');
});

it('a status message is never longer than what trailers hold', () => {
  expect(new GrpcError(Status.UNKNOWN, 'x'.repeat(1_000_000)).message.length).toBeLessThan(1_000);
});

it.each([
  ['1H', 3_600_000],
  ['2M', 120_000],
  ['100S', 100_000],
  ['99999999m', 99_999_999],
  ['1500u', 1.5],
  ['1n', 1e-6],
  ['0S', 0],
])('a timeout of %s', (value, expected) => {
  expect(parseTimeoutMs(value)).toBeCloseTo(expected, 9);
});

it.each(['', 'S', '1', '-1S', '1.5S', '123456789S', '1s', '1 S', '1SS'])(
  'a timeout of %j is refused',
  (value) => {
    expect(() => parseTimeoutMs(value)).toThrow(`malformed grpc-timeout: ${value}`);
  },
);
