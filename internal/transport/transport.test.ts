import { existsSync, mkdtempSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import type { Connection } from './connection.ts';
import { endpointUrl, parseEndpoint } from './endpoint.ts';
import { type Listener, type ListenerOptions, listen } from './listener.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-transport-'));
const opened: Listener[] = [];

afterEach(async () => {
  for (const listener of opened.splice(0)) await listener.close();
});

describe('an endpoint', () => {
  it.each([
    ['tcp://localhost:1883', { scheme: 'tcp', host: 'localhost', port: 1883 }],
    ['tcp://:1883', { scheme: 'tcp', host: '', port: 1883 }],
    ['tls://[::1]:0', { scheme: 'tls', host: '::1', port: 0 }],
    ['ws://0.0.0.0:65535', { scheme: 'ws', host: '0.0.0.0', port: 65_535 }],
    ['unix:///tmp/broker.sock', { scheme: 'unix', path: '/tmp/broker.sock' }],
    ['unix://broker.sock', { scheme: 'unix', path: 'broker.sock' }],
  ])('is read from %s, and written the same', (url, endpoint) => {
    expect(parseEndpoint(url)).toEqual(endpoint);
    expect(endpointUrl(parseEndpoint(url))).toBe(url);
  });

  it.each([
    ['localhost:1883', /begins with tcp:\/\//],
    ['http://localhost:1883', /begins with tcp:\/\//],
    ['tcp://localhost', /is not an address: an address is host:port/],
    ['tcp://localhost:65536', /up to 65535/],
    ['tcp://local host:x', /is not an address: an address is host:port/],
    ['unix://', /names no socket file/],
  ])('is not read from %s', (url, message) => {
    expect(() => parseEndpoint(url)).toThrow(message);
  });
});

describe('a tcp listener', () => {
  it('takes a free port for port 0, and every address of localhost', async () => {
    const { listener } = await open('tcp://localhost:0');
    const { port } = new URL(listener.url.replace('tcp', 'http'));
    expect(Number(port)).toBeGreaterThan(0);
    await reach({ host: '127.0.0.1', port: Number(port) });
    if (await hasIpv6()) await reach({ host: '::1', port: Number(port) });
  });

  it('says in one line that its port is taken', async () => {
    const { listener } = await open('tcp://127.0.0.1:0');
    await expect(open(listener.url)).rejects.toThrow(
      `cannot listen on ${listener.url}: the port is taken by another program`,
    );
  });
});

describe('a connection whose peer has ended', () => {
  it('says so when all that came before could be taken, and still sends', async () => {
    const { listener, connections } = await open('tcp://127.0.0.1:0');
    const client = connect({
      host: '127.0.0.1',
      port: Number(new URL(listener.url).port),
      allowHalfOpen: true,
    });
    const heard: string[] = [];
    client.on('data', (chunk) => heard.push(String(chunk)));
    const connection = await vi.waitFor(() => {
      if (connections.length === 0) throw new Error('nobody has connected');
      return connections[0];
    });
    const calls: string[] = [];
    connection.handler = {
      bytes: (chunk) => {
        calls.push(String(chunk));
        // Nothing more comes but the end, and the socket has no bytes left to keep it.
        connection.pause();
        connection.pause();
      },
      drained() {},
      ended: () => calls.push('ended'),
      closed: () => calls.push('closed'),
    };
    client.end('all of it');
    await vi.waitFor(() => expect(calls).toEqual(['all of it']), { timeout: 10_000 });
    // Another connection makes the whole way meanwhile.
    await reach({ host: '127.0.0.1', port: Number(new URL(listener.url).port) });
    connection.resume();
    await new Promise((resolve) => setImmediate(resolve));
    expect(calls).toEqual(['all of it']);
    connection.resume();
    await vi.waitFor(() => expect(calls).toEqual(['all of it', 'ended']), { timeout: 10_000 });
    connection.write([Buffer.from('answer')]);
    connection.end();
    await vi.waitFor(() => expect(calls).toEqual(['all of it', 'ended', 'closed']), { timeout: 10_000 });
    expect(heard.join('')).toBe('answer');
  });
});

describe('a unix socket', () => {
  it('has the mode that was asked for', async () => {
    const path = join(folder, 'mode.sock');
    await open(`unix://${path}`, { socketMode: 0o600 });
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('takes the place of one whose program has died', async () => {
    const path = join(folder, 'stale.sock');
    await leaveStaleSocket(path);
    await open(`unix://${path}`);
    await reach({ path });
  });

  it('does not take the place of one that is alive', async () => {
    const url = `unix://${join(folder, 'alive.sock')}`;
    const { connections } = await open(url);
    await expect(open(url)).rejects.toThrow(`cannot listen on ${url}: another program listens there`);
    await reach({ path: join(folder, 'alive.sock') });
    expect(connections.length).toBeGreaterThan(0);
  });

  it('does not take the place of a file that is no socket', async () => {
    const path = join(folder, 'precious.txt');
    writeFileSync(path, 'keep me');
    await expect(open(`unix://${path}`)).rejects.toThrow('the file there is not a socket');
    expect(existsSync(path)).toBe(true);
  });

  it('is gone when the listener is closed', async () => {
    const path = join(folder, 'gone.sock');
    const { listener } = await open(`unix://${path}`);
    await listener.close();
    expect(existsSync(path)).toBe(false);
  });
});

describe('a WebSocket listener', () => {
  it.each([
    [undefined, true],
    ['http://localhost', true],
    ['http://localhost:3000', true],
    ['https://127.0.0.1:8443', true],
    ['http://[::1]:8080', true],
    ['http://localhost.evil.example', false],
    ['http://evil.example', false],
    ['http://evil.example/localhost', false],
    ['null', false],
  ])('with the usual origins and a page of %s: %s', async (origin, isWelcome) => {
    const { listener } = await open('ws://127.0.0.1:0');
    expect(await upgrades(listener.url, origin)).toBe(isWelcome);
  });

  // All of 127.0.0.0/8 leads here, and is no address of the usual origins.
  it.runIf(process.platform === 'linux')('lets in the pages of the address that is dialled', async () => {
    const { listener } = await open('ws://127.0.0.2:0');
    expect(await upgrades(listener.url, 'http://127.0.0.2:3000')).toBe(true);
    expect(await upgrades(listener.url, 'http://127.0.0.3')).toBe(false);
    expect(await upgrades(listener.url, 'http://rebound.example')).toBe(false);
  });

  it('lets in the pages that -ws-origin names', async () => {
    const options = { webSocket: { ...webSocket, origins: ['https://*.example.com'] } };
    const { listener } = await open('ws://127.0.0.1:0', options);
    expect(await upgrades(listener.url, 'https://app.example.com')).toBe(true);
    expect(await upgrades(listener.url, 'https://app.example.com.evil.example')).toBe(false);
  });

  it('tells an ordinary HTTP client what it is', async () => {
    const { listener } = await open('ws://127.0.0.1:0');
    const response = await fetch(listener.url.replace('ws', 'http'));
    expect([response.status, await response.text()]).toEqual([426, 'This port speaks WebSocket.\n']);
  });

  it('refuses text messages', async () => {
    const { listener } = await open('ws://127.0.0.1:0');
    const client = new WebSocket(listener.url);
    client.on('open', () => client.send('text'));
    const code = await new Promise((resolve) => client.on('close', resolve));
    expect(code).toBe(1003);
  });
});

const webSocket = {
  maxMessageBytes: 1000,
  subprotocols: ['tinymq'],
};

async function open(url: string, options: Partial<ListenerOptions> = {}) {
  const connections: Connection[] = [];
  const listener = await listen(
    parseEndpoint(url),
    {
      socketMode: 0o660,
      maxConnections: 100,
      handshakeTimeoutMs: 10_000,
      lingerMs: 100,
      tcpKeepAliveAfterMs: 60_000,
      highWaterMarkBytes: 65_536,
      webSocket,
      ...options,
    },
    { connection: (connection) => connections.push(connection), problem() {} },
  );
  opened.push(listener);
  return { listener, connections };
}

function reach(where: { host?: string; port?: number; path?: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(where as { path: string }, () => {
      socket.destroy();
      resolve();
    });
    socket.on('error', reject);
  });
}

/** A socket file stays behind when its server is not closed but its handle is. */
async function leaveStaleSocket(path: string): Promise<void> {
  const { execFileSync } = await import('node:child_process');
  const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  try {
    execFileSync(process.execPath, ['-e', script]);
  } catch {
    expect(existsSync(path)).toBe(true);
  }
}

async function hasIpv6(): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.on('error', () => resolve(false));
    server.listen(0, '::1', () => server.close(() => resolve(true)));
  });
}

function upgrades(url: string, origin: string | undefined): Promise<boolean> {
  return new Promise((resolve) => {
    const client = new WebSocket(url, ['tinymq'], { origin });
    client.on('open', () => {
      client.terminate();
      resolve(true);
    });
    client.on('error', () => resolve(false));
  });
}
