import { beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { type BrokerProcess, startBrokerProcess } from '../support/broker-process.ts';

describe.each([
  { flags: [], welcome: 'http://localhost:5173', foreign: 'https://evil.example' },
  {
    flags: ['-ws-origin', 'https://*.example.com'],
    welcome: 'https://app.example.com',
    foreign: 'https://example.com.evil.example',
  },
])('a web page, with $flags', ({ flags, welcome, foreign }) => {
  let broker: BrokerProcess;

  beforeAll(async () => {
    broker = await startBrokerProcess(['-network', 'ws', '-address', 'localhost:0', ...flags]);
    return () => broker.stop('SIGKILL');
  });

  it('of this broker may connect', async () => {
    expect(await outcome(broker.url, welcome)).toBe('open');
  });

  it('of a foreign origin may not', async () => {
    expect(await outcome(broker.url, foreign)).toBe('Unexpected server response: 403');
  });

  it('that hides its origin may not', async () => {
    expect(await outcome(broker.url, 'null')).toBe('Unexpected server response: 403');
  });
});

it('a program that is no browser sends no origin, and may connect', async () => {
  await using broker = await startBrokerProcess(['-network', 'ws', '-address', 'localhost:0']);
  expect(await outcome(broker.url, undefined)).toBe('open');
});

function outcome(url: string, origin: string | undefined): Promise<string> {
  return new Promise((resolve) => {
    const webSocket = new WebSocket(url, 'tinymq', { origin });
    webSocket.on('open', () => {
      webSocket.close();
      resolve('open');
    });
    webSocket.on('error', (error) => resolve(error.message));
  });
}
