import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { startBroker } from '../../pkg/embed/index.ts';
import { chromium } from '../interop/support/toolchains.ts';
import { openPage } from './chromium.ts';
import { mqttJsFolder } from './mqtt-js.ts';

const COUNT = 300;
const LARGE_BYTES = 2 * 1024 * 1024;
const browser = chromium();
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

async function files(): Promise<Record<string, string>> {
  return {
    '/': here('./clients/page.html'),
    '/mqtt.min.js': join(await mqttJsFolder(), 'node_modules/mqtt/dist/mqtt.min.js'),
    '/client.browser.js': here('../../dist/client.browser.js'),
  };
}

describe('in Chromium', { timeout: 180_000 }, () => {
  if ('missing' in browser) {
    it(browser.missing, ({ skip }) => skip());
    return;
  }
  const program = browser.there;

  it.each(['4', '5'])('MQTT.js, version %s, and the SDK exchange messages', async (version) => {
    await using broker = await startBroker({ listen: ['ws://localhost:0'] });
    const sizes = { count: String(COUNT), largeBytes: String(LARGE_BYTES) };
    const result = await openPage(program, {
      host: '127.0.0.1',
      query: { what: 'exchange', broker: broker.url, version, ...sizes },
      files: await files(),
    });
    const each = (prefix: string) => Array.from({ length: COUNT }, (_, index) => `${prefix}${index}`);
    const { fromFrames, fromMqtt } = result as Record<'fromFrames' | 'fromMqtt', string[]>;
    expect(result).not.toHaveProperty('failed');
    expect(fromFrames).toEqual([...each('to-mqtt/x ü'), 'to-mqtt/large true']);
    // Each of them was acknowledged before the next.
    expect(fromMqtt).toEqual([...each('to-frames/x ä'), 'to-frames/large true']);
    expect(broker.stats().clients).toBe(0);
  });

  it.each([
    ['of this machine may connect', 'localhost', undefined, true],
    ['of a foreign origin may not', 'evil.example', undefined, false],
    ['of an origin that the broker was told may', 'app.example', ['http://app.example:*'], true],
  ])('a page %s', async (_, host, webSocketOrigins, mayConnect) => {
    await using broker = await startBroker({ listen: ['ws://localhost:0'], webSocketOrigins });
    const query = { what: 'connect', broker: broker.url, version: '5' };
    const result = await openPage(program, { host, query, files: await files() });
    const failure = { failed: expect.any(String) };
    expect(result).toEqual(
      mayConnect ? { frames: 'connected', mqtt: 'connected' } : { frames: failure, mqtt: failure },
    );
  });
});
