import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startBroker } from '../../pkg/embed/index.ts';
import { chromium } from '../interop/support/toolchains.ts';
import { openPage, useBrowser } from './browser.ts';

const browser = chromium();
const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** The page in docs/sdk.md that uses the SDK without a bundler. */
function pageOfDocs(): string {
  const [, page] = /```html\n(.*?)```/s.exec(readFileSync(`${ROOT}docs/sdk.md`, 'utf8'))!;
  return page!;
}

/** A server of files, as any web server: the page, and the built SDK beside it. */
async function serve(page: string): Promise<string> {
  const server = createServer(({ url }, response) => {
    const isPage = url === '/';
    response.setHeader('content-type', isPage ? 'text/html' : 'text/javascript');
    if (isPage) response.end(page);
    else if (url === '/client.browser.js') response.end(readFileSync(`${ROOT}dist/client.browser.js`));
    else response.writeHead(404).end();
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('a page without a bundler', () => {
  if ('missing' in browser) {
    it(browser.missing, ({ skip }) => skip());
    return;
  }
  useBrowser(browser.there);

  it('publishes and receives by the SDK that a script element loads, as docs/sdk.md shows', async () => {
    await using broker = await startBroker({ listen: ['ws://127.0.0.1:0'], memory: true, record: true });
    const docs = pageOfDocs();
    expect(docs).toContain('ws://localhost:8083');
    const { page } = await openPage(await serve(docs.replace('ws://localhost:8083', broker.url)));
    await page.getByText('rooms/hall/temp 22.5').waitFor();
    expect(broker.received('rooms/#').map(({ topic }) => topic)).toEqual(['rooms/hall/temp']);
    // The page goes on receiving what others publish.
    broker.publish('rooms/attic/temp', '30');
    await page.getByText('rooms/attic/temp 30').waitFor();
    // Behind its broker it would try to connect again.
    await page.close();
  });
});
