import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

/** A browser of the machine may take long to start while others work on it. */
const PATIENCE_MS = 120_000;

const FLAGS = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
  // Any name is this machine, so that a page can come from a foreign one.
  '--host-resolver-rules=MAP *.example 127.0.0.1',
];

export interface Page {
  /** The name of the machine that the page comes from, as the browser believes. */
  host: string;
  query: Record<string, string>;
  /** The page itself and what it loads, by path. */
  files: Record<string, string>;
}

/** Opens a page in a browser without a window, and returns what it posts to `/result`. */
export async function openPage(browser: string, { host, query, files }: Page): Promise<unknown> {
  const profile = mkdtempSync(join(tmpdir(), 'tinymq-browser-'));
  const { promise: result, resolve, reject } = Promise.withResolvers<unknown>();
  const server = createServer(async (request, response) => {
    const path = new URL(request.url!, 'http://page').pathname;
    if (request.method === 'POST' && path === '/result') {
      resolve(await bodyOf(request));
      response.end();
      return;
    }
    const file = files[path];
    const type = path.endsWith('.js') ? 'text/javascript' : 'text/html; charset=utf-8';
    response.writeHead(file === undefined ? 404 : 200, { 'Content-Type': type });
    response.end(file === undefined ? '' : readFileSync(file));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const url = `http://${host}:${port}/?${new URLSearchParams(query)}`;
  // A group of its own: the browser is many processes.
  const child = spawn(browser, [...FLAGS, `--user-data-dir=${profile}`, url], { detached: true });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      said = (said + chunk).slice(-10_000);
    });
  }
  const fail = (what: string) => reject(new Error(`the browser ${what}: ${said}`));
  child.once('error', (error) => fail(error.message));
  const closed = new Promise<void>((resolve) => {
    child.once('close', (code, signal) => {
      fail(`ended with ${signal ?? code}`);
      resolve();
    });
  });
  const patience = setTimeout(() => fail('did not post a result'), PATIENCE_MS);
  try {
    return await result;
  } finally {
    clearTimeout(patience);
    if (child.pid !== undefined) {
      process.kill(-child.pid, 'SIGKILL');
      await closed;
    }
    server.closeAllConnections();
    server.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  return JSON.parse(await text(request));
}
