import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import { mayOpen } from './page-origins.ts';

function opens(
  origin: string,
  host: string | undefined,
  localAddress: string | undefined,
  globs?: string[],
): boolean {
  return mayOpen({ headers: { origin, host }, socket: { localAddress } } as IncomingMessage, globs);
}

// A page that a web server beside the broker serves by its IP address could not connect, though it was dialled by the same.
describe('a page of the address that it dials', () => {
  it.each([
    ['http://192.168.1.5', '192.168.1.5:8083', '192.168.1.5'],
    ['https://192.168.1.5:8443', '192.168.1.5', '192.168.1.5'],
    ['http://192.168.1.5', '192.168.1.5:8083', '::ffff:192.168.1.5'],
    ['http://[fd00::5]:3000', '[fd00::5]:8083', 'fd00::5'],
    ['http://[FD00:0:0::5]', '[fd00::5]:8083', 'fd00::5'],
    ['http://[fe80::1]', '[fe80::1]:8083', 'fe80::1%eth0'],
    ['http://[::ffff:192.168.1.5]', '[::ffff:192.168.1.5]:8083', '::ffff:192.168.1.5'],
  ])('may connect: %s to %s at %s', (origin, host, local) => {
    expect(opens(origin, host, local)).toBe(true);
  });

  it.each([
    ['of another address', 'http://192.168.1.6', '192.168.1.5:8083', '192.168.1.5'],
    ['that dials another address', 'http://192.168.1.5', '192.168.1.6:8083', '192.168.1.5'],
    ['of an address that is not at this end', 'http://203.0.113.9', '203.0.113.9:8083', '192.168.1.5'],
    ['of a name that leads here', 'http://evil.example', 'evil.example:8083', '192.168.1.5'],
    ['that dials a name', 'http://192.168.1.5', 'evil.example:8083', '192.168.1.5'],
    ['of a name like an address', 'http://192.168.1.5.evil.example', '192.168.1.5:8083', '192.168.1.5'],
    [
      'with somebody before the address',
      'http://192.168.1.5@evil.example',
      '192.168.1.5:8083',
      '192.168.1.5',
    ],
    ['of another scheme', 'ftp://192.168.1.5', '192.168.1.5:8083', '192.168.1.5'],
    ['without an origin that can be told', 'null', '192.168.1.5:8083', '192.168.1.5'],
    ['that says nothing of what it dials', 'http://192.168.1.5', undefined, '192.168.1.5'],
    ['of a connection that is gone', 'http://192.168.1.5', '192.168.1.5:8083', undefined],
  ])('may not where it is one %s', (_, origin, host, local) => {
    expect(opens(origin, host, local)).toBe(false);
  });

  it('may not where -ws-origin names others', () => {
    expect(opens('http://192.168.1.5', '192.168.1.5', '192.168.1.5', ['https://*.example.com'])).toBe(false);
    expect(opens('http://192.168.1.5', '192.168.1.5', '192.168.1.5', ['http://192.168.1.5'])).toBe(true);
  });
});
