import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Connection, ConnectionHandler } from './connection.ts';
import { parseEndpoint } from './endpoint.ts';
import { LENT_READ_BYTES } from './lent-reads.ts';
import { type Listener, listen } from './listener.ts';

const WORDS = 4 * 1024 * 1024;
/** Each word says where it stands, so that a word in the wrong place or written over is seen. */
const SENT = Uint32Array.from({ length: WORDS }, (_, index) => index);
const PATIENCE = { timeout: 60_000 };

const closing: (() => Promise<unknown> | undefined)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

describe('a socket that brings much', () => {
  it('is read into the same memory, by readers that say that they are done with it', async () => {
    const { connection, client } = await pair();
    const came: Uint8Array[] = [];
    const memory = new Set<ArrayBufferLike>();
    const { isEnded } = take(connection, {
      bytes: (chunk) => came.push(chunk),
      borrow(chunk) {
        came.push(new Uint8Array(chunk));
        memory.add(chunk.buffer);
        return true;
      },
    });
    client.end(bytesOf(SENT));
    await vi.waitFor(() => expect(isEnded()).toBe(true), PATIENCE);
    expect(Buffer.concat(came).equals(bytesOf(SENT))).toBe(true);
    expect([...memory].map(({ byteLength }) => byteLength)).toEqual([LENT_READ_BYTES]);
  });

  it('leaves to a reader what it keeps, and offers memory again later', async () => {
    const { connection, client } = await pair();
    const came: Uint8Array[] = [];
    const kept = new Set<ArrayBufferLike>();
    const sizes = new Set<number>();
    let reads = 0;
    const { isEnded } = take(connection, {
      bytes: (chunk) => came.push(chunk),
      borrow(chunk) {
        expect(kept.has(chunk.buffer)).toBe(false);
        sizes.add(chunk.buffer.byteLength);
        // For some time each, for some time none, and then now and then.
        reads++;
        const isDone = reads < 60 ? reads % 30 > 15 : reads % 3 > 0;
        came.push(isDone ? new Uint8Array(chunk) : chunk);
        if (!isDone) kept.add(chunk.buffer);
        return isDone;
      },
    });
    client.end(bytesOf(SENT));
    await vi.waitFor(() => expect(isEnded()).toBe(true), PATIENCE);
    expect(Buffer.concat(came).equals(bytesOf(SENT))).toBe(true);
    expect(kept.size).toBeGreaterThan(10);
    expect([...sizes].sort((a, b) => a - b)).toEqual([65_536, LENT_READ_BYTES]);
  });

  it('brings nothing while it is paused, and all in order', async () => {
    const { connection, client } = await pair();
    const came: Uint8Array[] = [];
    let isPaused = false;
    let pauses = 0;
    const pauseSometimes = (): void => {
      expect(isPaused).toBe(false);
      if (came.length % 3 > 0) return;
      isPaused = true;
      pauses++;
      connection.pause();
      const resume = (): void => {
        isPaused = false;
        connection.resume();
      };
      if (came.length % 2 > 0) setImmediate(resume);
      else setTimeout(resume, 2);
    };
    const { isEnded } = take(connection, {
      bytes(chunk) {
        came.push(chunk);
        pauseSometimes();
      },
      borrow(chunk) {
        came.push(new Uint8Array(chunk));
        pauseSometimes();
        return true;
      },
    });
    client.end(bytesOf(SENT));
    await vi.waitFor(() => expect(isEnded()).toBe(true), PATIENCE);
    expect(Buffer.concat(came).equals(bytesOf(SENT))).toBe(true);
    expect(pauses).toBeGreaterThan(10);
  });

  it('gives what is short as bytes that nobody writes again', async () => {
    const { connection, client } = await pair();
    const came: Uint8Array[] = [];
    let borrowed = 0;
    const { isEnded } = take(connection, {
      bytes: (chunk) => came.push(chunk),
      borrow(chunk) {
        borrowed++;
        came.push(new Uint8Array(chunk));
        return true;
      },
    });
    const words = bytesOf(SENT);
    client.write(words.subarray(0, words.length / 2));
    await vi.waitFor(() => expect(lengthOf(came)).toBe(words.length / 2), PATIENCE);
    expect(borrowed).toBeGreaterThan(0);
    const before = borrowed;
    for (let at = words.length / 2; at < words.length; at += words.length / 16) {
      client.write(words.subarray(at, at + 1_000));
      await vi.waitFor(() => expect(came.at(-1)?.length).toBe(1_000), PATIENCE);
      came.push(words.subarray(at + 1_000, at + words.length / 16));
    }
    client.end();
    await vi.waitFor(() => expect(isEnded()).toBe(true), PATIENCE);
    expect(Buffer.concat(came).equals(words)).toBe(true);
    expect(borrowed).toBe(before);
  });

  it('is read as ever where the reader cannot say', async () => {
    const { connection, client } = await pair();
    const came: Uint8Array[] = [];
    const { isEnded } = take(connection, { bytes: (chunk) => came.push(chunk) });
    client.end(bytesOf(SENT));
    await vi.waitFor(() => expect(isEnded()).toBe(true), PATIENCE);
    expect(Buffer.concat(came).equals(bytesOf(SENT))).toBe(true);
    expect(Math.max(...came.map(({ length }) => length))).toBeLessThanOrEqual(65_536);
  });
});

function bytesOf(words: Uint32Array): Buffer {
  return Buffer.from(words.buffer);
}

function lengthOf(chunks: readonly Uint8Array[]): number {
  return chunks.reduce((sum, { length }) => sum + length, 0);
}

function take(connection: Connection, handler: Pick<ConnectionHandler, 'bytes' | 'borrow'>) {
  let isEnded = false;
  connection.handler = {
    ...handler,
    drained() {},
    ended() {
      isEnded = true;
    },
    closed() {},
  };
  return { isEnded: () => isEnded };
}

/** A connection of a listener, and the client at its other end. */
async function pair(): Promise<{ connection: Connection; client: Socket }> {
  const connections: Connection[] = [];
  const listener: Listener = await listen(
    parseEndpoint('tcp://127.0.0.1:0'),
    {
      socketMode: 0o660,
      maxConnections: 10,
      handshakeTimeoutMs: 10_000,
      lingerMs: 100,
      tcpKeepAliveAfterMs: 60_000,
      highWaterMarkBytes: 65_536,
      webSocket: { maxMessageBytes: 1_000, subprotocols: [] },
    },
    { connection: (connection) => connections.push(connection), problem() {} },
  );
  const client = connect(Number(new URL(listener.url.replace('tcp', 'http')).port), '127.0.0.1');
  await once(client, 'connect');
  await vi.waitFor(() => expect(connections).toHaveLength(1), PATIENCE);
  closing.push(() => {
    client.destroy();
    connections[0]!.destroy();
    return listener.close();
  });
  return { connection: connections[0]!, client };
}
