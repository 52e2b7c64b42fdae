import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { startBroker } from '../../pkg/embed/index.ts';

const built = new URL('../../dist/client.browser.js', import.meta.url);

describe('the SDK for browsers', () => {
  it('needs nothing but itself', () => {
    const source = readFileSync(fileURLToPath(built), 'utf8');
    expect(source).not.toMatch(/\bfrom\s*['"]|\bimport\s*\(|\brequire\s*\(|\bBuffer\b|\bprocess\./);
  });

  it('publishes, subscribes and closes over the standard’s WebSocket', async () => {
    const { connect } = (await import(built.href)) as typeof import('../../pkg/client/browser.ts');
    await using broker = await startBroker({ listen: ['ws://localhost:0'] });
    const client = await connect(broker.url, { clientId: 'page' });
    const subscription = await client.subscribe('page/#');
    for (let index = 0; index < 2000; index++) await client.publish('page/x', `ü${index}`);
    let next = 0;
    for await (const message of subscription) {
      expect(message.text()).toBe(`ü${next}`);
      if (++next === 2000) break;
    }
    await client.close();
    expect(broker.stats().clients).toBe(0);
  });

  it('says which addresses it can reach', async () => {
    const { connect } = (await import(built.href)) as typeof import('../../pkg/client/browser.ts');
    await expect(connect('tcp://localhost:1883')).rejects.toThrow(
      /a browser connects to ws:\/\/ or wss:\/\/ only/,
    );
    await expect(connect('ws://127.0.0.1:1')).rejects.toThrow(
      'cannot connect to ws://127.0.0.1:1: no WebSocket',
    );
  });
});
