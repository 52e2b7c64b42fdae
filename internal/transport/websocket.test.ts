import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import type { Connection, ConnectionHandler } from './connection.ts';
import { parseEndpoint } from './endpoint.ts';
import { listen } from './listener.ts';

const MAX_MESSAGE_BYTES = 100_000;
const cleanUp: (() => unknown)[] = [];

afterEach(async () => {
  for (const step of cleanUp.splice(0)) await step();
});

describe('a connection inside a WebSocket', () => {
  it('is a stream of bytes, however the client cuts it into messages and fragments', async () => {
    const { client, connection } = await opened();
    const chunks: Buffer[] = [];
    connection.handler = handler({ bytes: (chunk) => chunks.push(Buffer.from(chunk)) });
    client.send(Buffer.from('one'));
    client.send(Buffer.alloc(0));
    client.send(Buffer.from('tw'), { fin: false });
    client.send(Buffer.from('o'), { fin: true });
    await eventually(() => expect(Buffer.concat(chunks).toString()).toBe('onetwo'));
  });

  it('writes several buffers in order', async () => {
    const { connection, received } = await opened();
    connection.write([Buffer.from('a'), Buffer.from('b')]);
    connection.write([Buffer.from('c')]);
    await eventually(() => expect(received()).toBe('abc'));
  });

  it('says when to wait, and when there is room again; all bytes come', async () => {
    const { client, connection } = await opened();
    let drained = 0;
    connection.handler = handler({ drained: () => drained++ });
    client.pause();
    let sent = 0;
    const some = Buffer.alloc(10_000);
    while (connection.write([some, some])) sent += 20_000;
    sent += 20_000;
    expect(drained).toBe(0);
    let arrived = 0;
    client.on('message', (data: Buffer) => {
      arrived += data.length;
    });
    client.resume();
    await eventually(() => expect(arrived).toBe(sent));
    await eventually(() => expect(drained).toBeGreaterThan(0));
  });

  it('is silent while it is paused, as often as it was paused', async () => {
    const { client, connection } = await opened();
    const chunks: string[] = [];
    connection.handler = handler({ bytes: (chunk) => chunks.push(Buffer.from(chunk).toString()) });
    connection.pause();
    connection.pause();
    client.send(Buffer.from('a'));
    connection.resume();
    // Another connection makes the whole way meanwhile.
    await opened();
    expect(chunks).toEqual([]);
    connection.resume();
    await eventually(() => expect(chunks).toEqual(['a']));
  });

  it('ends with its last word', async () => {
    const { client, connection, received } = await opened();
    const closed = new Promise<number>((resolve) => client.on('close', resolve));
    const gone = new Promise<unknown>((resolve) => {
      connection.handler = handler({ closed: resolve });
    });
    connection.end(Buffer.from('the last word'));
    connection.end(Buffer.from('nothing after it'));
    expect(connection.write([Buffer.from('nor this')])).toBe(true);
    expect(await closed).toBe(1000);
    expect(received()).toBe('the last word');
    expect(await gone).toBeUndefined();
  });

  it('is gone after lingering where the client does not answer the end', async () => {
    const { client, connection } = await opened([], 50);
    const gone = new Promise<unknown>((resolve) => {
      connection.handler = handler({ closed: resolve });
    });
    client.pause();
    connection.end();
    await gone;
  });

  it('is closed when a message is too long, and tells what broke it', async () => {
    const { client, connection } = await opened();
    let heard = 0;
    const gone = new Promise<Error | undefined>((resolve) => {
      connection.handler = handler({ bytes: (chunk) => (heard += chunk.length), closed: resolve });
    });
    const code = new Promise<number>((resolve) => client.on('close', resolve));
    client.send(Buffer.alloc(MAX_MESSAGE_BYTES));
    client.send(Buffer.alloc(MAX_MESSAGE_BYTES + 1));
    expect(await code).toBe(1009);
    expect(await gone).toBeInstanceOf(Error);
    expect(heard).toBe(MAX_MESSAGE_BYTES);
  });

  it('is cut off when the client pings and does not read: its answers would wait without a bound', async () => {
    const { client, connection } = await opened();
    client.pause();
    while (connection.write([Buffer.alloc(100_000)]));
    const gone = new Promise<unknown>((resolve) => {
      connection.handler = handler({ closed: resolve });
    });
    client.on('error', () => {});
    for (let count = 0; count < 1_000; count++) client.ping();
    await gone;
  });

  it('agrees to the subprotocol that it knows', async () => {
    const { client } = await opened(['other', 'tinymq']);
    expect(client.protocol).toBe('tinymq');
  });
});

describe('what does not become a WebSocket', () => {
  it('is closed after a while when a page that may not connect keeps its end open', async () => {
    const { url } = await listening([], 50);
    const socket = connectTcp({ port: Number(new URL(url).port), host: '127.0.0.1', allowHalfOpen: true });
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => {});
    let answer = '';
    socket.on('data', (chunk) => {
      answer += chunk;
    });
    socket.write(
      'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nOrigin: http://elsewhere.example\r\n' +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
    await once(socket, 'end');
    // It says more and more, until nobody is there any more.
    const talk = setInterval(() => socket.write('x'), 10);
    cleanUp.push(() => clearInterval(talk));
    await closed;
    expect(answer).toContain('403 Forbidden');
  });

  it('does not outlast the listener', async () => {
    const { listener, url } = await listening([], 10_000);
    const [socket, later] = [1, 2].map(() =>
      connectTcp({ port: Number(new URL(url).port), host: '127.0.0.1' }).on('error', () => {}),
    ) as [Socket, Socket];
    const closed = new Promise((resolve) => socket.once('close', resolve));
    // An answer on the second says that the server has the first, which says nothing.
    later.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(later, 'data');
    await listener.close();
    await closed;
  });
});

/** Waits for as long as a stalled machine may need. */
function eventually<T>(check: () => T): Promise<T> {
  return vi.waitFor(check, { timeout: 30_000, interval: 10 });
}

function handler(some: Partial<ConnectionHandler>): ConnectionHandler {
  return { bytes() {}, drained() {}, ended() {}, closed() {}, ...some };
}

/** A WebSocket, with both ends in hand. */
async function opened(protocols: string[] = [], lingerMs = 10_000) {
  const connections: Connection[] = [];
  const { url } = await listening(connections, lingerMs);
  const client = new WebSocket(url, protocols);
  cleanUp.unshift(() => client.terminate());
  const received: Buffer[] = [];
  client.on('message', (data: Buffer) => received.push(data));
  await new Promise((resolve, reject) => client.on('open', resolve).on('error', reject));
  const connection = await eventually(() => {
    if (connections.length === 0) throw new Error('nobody has connected');
    return connections[0];
  });
  return { client, connection, received: () => Buffer.concat(received).toString() };
}

async function listening(connections: Connection[], lingerMs: number) {
  const listener = await listen(
    parseEndpoint('ws://127.0.0.1:0'),
    {
      socketMode: 0o660,
      maxConnections: 100,
      handshakeTimeoutMs: 10_000,
      lingerMs,
      tcpKeepAliveAfterMs: 60_000,
      highWaterMarkBytes: 65_536,
      webSocket: { origins: [], maxMessageBytes: MAX_MESSAGE_BYTES, subprotocols: ['tinymq'] },
    },
    { connection: (connection) => connections.push(connection), problem() {} },
  );
  cleanUp.push(() => listener.close());
  return { listener, url: listener.url };
}
