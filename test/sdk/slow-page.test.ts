import { once } from 'node:events';
import { connect as connectTcp, createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Client as PageClient } from '../../pkg/client/browser.ts';
import { CREDIT_BYTES } from '../../pkg/client/credit.ts';
import { type Client, connect } from '../../pkg/client/index.ts';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { eventually } from '../support/eventually.ts';

const MESSAGE_BYTES = 64 * 1024;
/** Of 32 MiB: far more than what may be on the way, and than what sockets take. */
const MESSAGES = 512;
/** What an iterator holds before the client pauses, and what the broker puts into one write. */
const SLACK_BYTES = 4 * 1024 * 1024;

let broker: RunningBroker;
let publisher: Client;
let page: PageClient;
let proxy: Awaited<ReturnType<typeof countingProxy>>;

beforeEach(async () => {
  // A subscriber that is slow for as long as a test wants.
  broker = await startBroker({
    listen: ['ws://127.0.0.1:0', 'tcp://127.0.0.1:0'],
    memory: true,
    slowConsumerWaitMs: 600_000,
  });
  proxy = await countingProxy(Number(new URL(broker.url).port));
  publisher = await connect(broker.listeners[1]!.url);
  page = await new PageClient({ url: `ws://127.0.0.1:${proxy.port}`, clientId: 'page' }).connect();
});
afterEach(async () => {
  proxy.cut();
  await Promise.all([page.close().catch(() => {}), publisher.close().catch(() => {})]);
  await broker.close();
});

/** Passes a connection on, and counts what goes to the client. */
async function countingProxy(port: number) {
  let bytes = 0;
  const sockets: { destroy(): void }[] = [];
  const server = createServer((client) => {
    const upstream = connectTcp(port, '127.0.0.1');
    sockets.push(client, upstream);
    for (const socket of [client, upstream]) socket.on('error', () => {});
    upstream.on('data', (chunk) => {
      bytes += chunk.length;
    });
    client.pipe(upstream).pipe(client);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as { port: number }).port,
    bytes: () => bytes,
    cut() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** Publishes all of them as fast as the broker takes them. */
async function publishAll(): Promise<void> {
  for (let index = 0; index < MESSAGES; index++) {
    const payload = Buffer.alloc(MESSAGE_BYTES);
    payload.writeUInt32BE(index);
    await publisher.publish('a', payload);
  }
  await publisher.ping();
}

const numberOf = ({ payload }: { payload: Uint8Array }) => Buffer.from(payload).readUInt32BE();

describe('a page, which cannot stop reading', () => {
  it('gets no more than its credit while its app is behind, and then all of it in its order', async () => {
    const subscription = await page.subscribe('a', undefined, { queueSize: 10 });
    const messages = subscription[Symbol.asyncIterator]();
    const published = publishAll();
    // The credit is used up to its last message.
    await eventually(() => proxy.bytes() >= CREDIT_BYTES, 'messages');
    // Answers come all the same, however long: what was to be sent was sent before.
    for (let round = 0; round < 20; round++) await page.ping();
    expect(proxy.bytes()).toBeLessThan(CREDIT_BYTES + SLACK_BYTES);
    for (let index = 0; index < MESSAGES; index++) {
      expect(numberOf((await messages.next()).value)).toBe(index);
    }
    await published;
  });

  it('gets the rest when it is resumed', async () => {
    const numbers: number[] = [];
    await page.subscribe('a', (message) => numbers.push(numberOf(message)));
    page.pause();
    const published = publishAll();
    await eventually(() => proxy.bytes() >= CREDIT_BYTES, 'messages');
    for (let round = 0; round < 20; round++) await page.ping();
    expect(proxy.bytes()).toBeLessThan(CREDIT_BYTES + SLACK_BYTES);
    page.resume();
    await published;
    await page.ping();
    await eventually(() => numbers.length === MESSAGES, 'all messages');
    expect(numbers).toEqual(Array.from({ length: MESSAGES }, (_, index) => index));
  });
});
