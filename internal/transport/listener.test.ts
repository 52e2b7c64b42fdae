import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import type { Connection, ConnectionHandler } from './connection.ts';
import { parseEndpoint } from './endpoint.ts';
import { ListenError, type Listener, type ListenerOptions, listen } from './listener.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-listener-'));
const cleanUp: (() => unknown)[] = [];

afterEach(async () => {
  vi.restoreAllMocks();
  for (const step of cleanUp.splice(0)) await step();
});

afterAll(() => rmSync(folder, { recursive: true }));

describe('a listener that cannot open', () => {
  it('leaves nothing listening where the mode of its socket is refused', async () => {
    const path = join(folder, 'mode.sock');
    await expect(open(`unix://${path}`, { socketMode: 0o1_000_000_000_000 })).rejects.toThrow(ListenError);
    expect(await isReachable(path)).toBe(false);
    expect(existsSync(path)).toBe(false);
  });

  it('takes another free port where that of one address of localhost is taken on the other', async () => {
    const original = Server.prototype.listen;
    const asked: unknown[] = [];
    vi.spyOn(Server.prototype, 'listen').mockImplementation(function (this: Server, ...args: unknown[]) {
      const { host, port } = args[0] as { host: string; port: number };
      asked.push(host);
      if (host !== '::1') return original.apply(this, args as Parameters<typeof original>);
      const code = asked.length < 6 ? 'EADDRINUSE' : 'EADDRNOTAVAIL';
      expect(port).toBeGreaterThan(0);
      setImmediate(() => this.emit('error', Object.assign(new Error(code), { code })));
      return this;
    });
    const { listener } = await open('tcp://localhost:0');
    expect(asked).toEqual(['127.0.0.1', '::1', '127.0.0.1', '::1', '127.0.0.1', '::1']);
    expect(await isReachable(Number(listener.url.split(':').at(-1)))).toBe(true);
  });

  it('says so at once where a named port is taken on one address', async () => {
    const { listener } = await open('tcp://127.0.0.1:0');
    const port = listener.url.split(':').at(-1);
    await expect(open(`tcp://localhost:${port}`)).rejects.toMatchObject({
      name: 'ListenError',
      code: 'EADDRINUSE',
      url: `tcp://localhost:${port}`,
    });
  });

  it.each([
    ['tcp://no-such-host.invalid:0', /no such host|getaddrinfo/],
    ['unix:///no/such/folder/at.all', /the path is|no such folder|permission|may not/],
    [`unix://${folder}/${'x'.repeat(200)}`, /the path of a unix socket has at most 10\d bytes/],
    ['tls://127.0.0.1:0', /it needs -tls-cert and -tls-key/],
    ['wss://127.0.0.1:0', /it needs -tls-cert and -tls-key/],
  ])('on %s says why in one line', async (url, reason) => {
    const error: Error = await open(url).then(
      () => expect.fail('it opened'),
      (refusal) => refusal,
    );
    expect(error).toBeInstanceOf(ListenError);
    expect(error.message).toMatch(new RegExp(`^cannot listen on .*: .*(${reason.source})`));
    expect(error.message).not.toContain('\n');
  });
});

describe('a connection', () => {
  it('is silent while it is paused, as often as it was paused', async () => {
    const { accept, dial } = await opened();
    const client = await dial();
    const connection = await accept();
    const chunks: string[] = [];
    connection.handler = handler({ bytes: (chunk) => chunks.push(Buffer.from(chunk).toString()) });
    connection.pause();
    connection.pause();
    client.write('a');
    connection.resume();
    // Another connection makes the whole way meanwhile.
    (await dial()).end();
    await accept();
    expect(chunks).toEqual([]);
    connection.resume();
    await eventually(() => expect(chunks).toEqual(['a']));
  });

  it('says when to wait, and when there is room again; all bytes come in order', async () => {
    const { accept, dial } = await opened();
    const client = await dial();
    client.pause();
    const connection = await accept();
    let drained = 0;
    connection.handler = handler({ drained: () => drained++ });
    let sent = 0;
    let hasRoom = true;
    while (hasRoom) {
      const some = Array.from({ length: 10 }, () => Buffer.alloc(6_553, sent++ % 251));
      hasRoom = connection.write(some);
    }
    expect(drained).toBe(0);
    const received: Buffer[] = [];
    client.on('data', (chunk) => received.push(chunk)).resume();
    await eventually(() => expect(drained).toBeGreaterThan(0));
    connection.end();
    await new Promise((resolve) => client.on('close', resolve));
    const bytes = Buffer.concat(received);
    expect(bytes.length).toBe(sent * 6_553);
    for (let index = 0; index < sent; index++) expect(bytes[index * 6_553]).toBe(index % 251);
  });

  it('ends with its last word, and still reads what the client goes on sending', async () => {
    const { accept, dial } = await opened();
    const client = await dial(true);
    const connection = await accept();
    let heard = 0;
    connection.handler = handler({ bytes: (chunk) => (heard += chunk.length) });
    const words: string[] = [];
    client.on('data', (chunk) => words.push(chunk.toString()));
    const ended = new Promise((resolve) => client.on('end', resolve));
    connection.end(Buffer.from('the last word'));
    connection.end(Buffer.from('nothing after it'));
    await ended;
    expect(words.join('')).toBe('the last word');
    client.write('more');
    await eventually(() => expect(heard).toBe(4));
  });

  it('is gone after lingering, though the client never closes', async () => {
    const { accept, dial } = await opened({ lingerMs: 50 });
    const client = await dial(true);
    client.on('error', () => {});
    const connection = await accept();
    const closed = new Promise<unknown>((resolve) => {
      connection.handler = handler({ closed: resolve });
    });
    const sending = setInterval(() => client.write('more'), 1);
    cleanUp.push(() => clearInterval(sending));
    connection.end();
    await closed;
  });

  it('tells that the client will send no more, and that it is gone', async () => {
    const { accept, dial } = await opened();
    const client = await dial();
    const connection = await accept();
    const events: string[] = [];
    const closed = new Promise<void>((resolve) => {
      connection.handler = handler({
        ended: () => {
          events.push('ended');
          connection.end();
        },
        closed: () => {
          events.push('closed');
          resolve();
        },
      });
    });
    client.end();
    await closed;
    expect(events).toEqual(['ended', 'closed']);
    expect(connection.remote).toMatch(/^127\.0\.0\.1:\d+$/);
  });

  it('tells what broke it', async () => {
    const { accept, dial } = await opened();
    const client = await dial();
    const connection = await accept();
    const closed = new Promise<Error | undefined>((resolve) => {
      connection.handler = handler({ closed: resolve });
    });
    client.resetAndDestroy();
    expect(await closed).toMatchObject({ code: 'ECONNRESET' });
  });
});

/** Waits for as long as a stalled machine may need. */
function eventually<T>(check: () => T): Promise<T> {
  return vi.waitFor(check, { timeout: 30_000, interval: 10 });
}

function handler(some: Partial<ConnectionHandler>): ConnectionHandler {
  return { bytes() {}, drained() {}, ended() {}, closed() {}, ...some };
}

async function open(url: string, options: Partial<ListenerOptions> = {}) {
  const connections: Connection[] = [];
  const listener: Listener = await listen(
    parseEndpoint(url),
    {
      socketMode: 0o660,
      maxConnections: 100,
      handshakeTimeoutMs: 10_000,
      lingerMs: 10_000,
      tcpKeepAliveAfterMs: 60_000,
      highWaterMarkBytes: 65_536,
      webSocket: { origins: [], maxMessageBytes: 1000, subprotocols: [] },
      ...options,
    },
    { connection: (connection) => connections.push(connection), problem() {} },
  );
  cleanUp.push(() => listener.close());
  return { listener, connections };
}

/** An open tcp listener, with both ends of its connections in hand. */
async function opened(options: Partial<ListenerOptions> = {}) {
  const { listener, connections } = await open('tcp://127.0.0.1:0', options);
  const port = Number(listener.url.split(':').at(-1));

  async function dial(allowHalfOpen = false): Promise<Socket> {
    const socket = connect({ host: '127.0.0.1', port, allowHalfOpen });
    cleanUp.push(() => socket.destroy());
    await new Promise((resolve) => socket.on('connect', resolve));
    return socket;
  }

  function accept(): Promise<Connection> {
    return eventually(() => {
      const connection = connections.shift();
      if (connection === undefined) throw new Error('nobody has connected');
      return connection;
    });
  }

  return { dial, accept };
}

function isReachable(where: string | number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = typeof where === 'string' ? connect(where) : connect(where, '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
