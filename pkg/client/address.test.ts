import { describe, expect, it } from 'vitest';
import { type Network, parseAddress, parseUrl, urlOf } from './address.ts';
import { type ConnectOptions, reconnectDelayMs, settingsOf } from './options.ts';

describe('a URL', () => {
  it.each([
    ['tcp://localhost:1883', 'tcp://localhost:1883'],
    ['tcp://broker', 'tcp://broker:1883'],
    ['tcp://:1884', 'tcp://localhost:1884'],
    ['tcp://', 'tcp://localhost:1883'],
    ['tls://host', 'tls://host:8883'],
    ['mqtt://host', 'tcp://host:1883'],
    ['mqtts://host', 'tls://host:8883'],
    ['ssl://host:1', 'tls://host:1'],
    ['TCP://host', 'tcp://host:1883'],
    ['tcp://[::1]:1883', 'tcp://[::1]:1883'],
    ['tcp://[fe80::1%eth0]', 'tcp://[fe80::1%eth0]:1883'],
    ['tcp://10.0.0.1:1/', 'tcp://10.0.0.1:1'],
    ['unix:///tmp/broker.sock', 'unix:///tmp/broker.sock'],
    ['unix://broker.sock', 'unix://broker.sock'],
    ['ws://host:8080/path?x=1', 'ws://host:8080/path?x=1'],
    ['ws://host', 'ws://host:80'],
    ['wss://host', 'wss://host:443'],
  ])('%s is %s', (given, meant) => {
    expect(urlOf(parseUrl(given))).toBe(meant);
    expect(urlOf(parseUrl(meant))).toBe(meant);
  });

  it.each([
    '',
    'localhost',
    'localhost:1883',
    'http://localhost',
    'tcp:localhost',
    'tcp://host:0',
    'tcp://host:65536',
    'tcp://host:',
    'tcp://host:port',
    'tcp://::1:1883',
    'tcp://[::1',
    'tcp://host/path',
    'tcp://3883',
    'constructor://host',
    'kafka://host',
    'tcp://user@host:1:2',
    'unix://',
  ])('%j is refused', (url) => {
    expect(() => parseUrl(url)).toThrow(expect.objectContaining({ code: 'invalid-address' }));
  });
});

describe('a network and an address', () => {
  it.each<[Network, string, string]>([
    ['tcp', 'localhost:1883', 'tcp://localhost:1883'],
    ['tcp', ':1883', 'tcp://localhost:1883'],
    ['tcp', '[::1]:1883', 'tcp://[::1]:1883'],
    ['unix', '/tmp/broker.sock', 'unix:///tmp/broker.sock'],
    ['ws', 'localhost:8080/mqtt', 'ws://localhost:8080/mqtt'],
  ])('%s %s is %s', (network, address, url) => {
    expect(urlOf(parseAddress(network, address))).toBe(url);
  });
});

describe('the options', () => {
  it.each<[ConnectOptions, string]>([
    [{}, 'tcp://localhost:1883'],
    [{ network: 'tls' }, 'tls://localhost:8883'],
    [{ network: 'unix' }, 'unix:///tmp/broker.sock'],
    [{ address: 'host:1' }, 'tcp://host:1'],
    [{ url: 'ws://host:1', network: 'tcp', address: 'other' }, 'ws://host:1'],
  ])('%o lead to %s', (options, url) => {
    expect(urlOf(settingsOf(options).address)).toBe(url);
  });

  it('have their defaults, also where undefined is given', () => {
    const settings = settingsOf({ keepAliveMs: undefined, reconnect: { minDelayMs: undefined } });
    expect(settings).toMatchObject({
      connectTimeoutMs: 10_000,
      requestTimeoutMs: 10_000,
      keepAliveMs: 30_000,
      reconnect: { minDelayMs: 100, maxDelayMs: 30_000, maxAttempts: Number.POSITIVE_INFINITY },
      connectRetry: false,
      highWaterMarkBytes: 1_048_576,
      maxMessageBytes: 1_073_741_824,
    });
    expect(settingsOf({ reconnect: false }).reconnect).toBeUndefined();
  });

  it('delays double up to the longest, and any part of them is waited', () => {
    const settings = { minDelayMs: 100, maxDelayMs: 30_000, maxAttempts: 1 };
    for (const [failures, longestMs] of [
      [1, 100],
      [2, 200],
      [5, 1600],
      [20, 30_000],
      [5000, 30_000],
    ] as const) {
      const delays = Array.from({ length: 300 }, () => reconnectDelayMs(failures, settings));
      expect(Math.max(...delays)).toBeLessThanOrEqual(longestMs);
      expect(Math.min(...delays)).toBeGreaterThanOrEqual(0);
      expect(Math.max(...delays) - Math.min(...delays)).toBeGreaterThan(longestMs / 2);
    }
  });
});
