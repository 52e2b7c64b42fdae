import { mkdtempSync, rmSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { makeCertificates } from '../../certs/make.ts';
import type { ShownFate } from '../../internal/admin/operations/why.ts';
import { FrameType } from '../../internal/protocol/frame/frame.ts';
import { DataFolderStore } from '../../internal/store/data-folder/data-folder-store.ts';
import { StoreUnavailableError } from '../../internal/store/store-error.ts';
import { type BrokerOptions, type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { connectMqtt } from '../mqtt/client.ts';
import { getJson, post } from '../support/http-door.ts';
import { openStream, RawClient } from '../support/raw-client.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-why-lost-'));
let options: BrokerOptions;
let broker: RunningBroker;

beforeAll(async () => {
  const dataDir = join(folder, 'data');
  const { serverCert: certFile, serverKey: keyFile } = await makeCertificates(join(folder, 'certs'));
  options = {
    ...{ dataDir, keep: [{ filter: 'kept/#' }], tls: { certFile, keyFile } },
    listen: ['tcp://127.0.0.1:0', 'tls://127.0.0.1:0', 'wss://127.0.0.1:0'],
    kafka: { listen: ['tls://127.0.0.1:0'] },
    grpc: { listen: ['grpcs://127.0.0.1:0'] },
    http: { listen: ['http://127.0.0.1:0', 'https://127.0.0.1:0'] },
  };
  broker = await startBroker(options);
});
afterAll(async () => {
  await broker.close();
  rmSync(folder, { recursive: true });
});

function urlOf(scheme: string, door?: string): string {
  return broker.listeners.find(
    (each) => each.url.startsWith(`${scheme}:`) && (door === undefined || each.door === door),
  )!.url;
}

async function fatesOf(question: string): Promise<readonly ShownFate[]> {
  return (await getJson<{ fates: ShownFate[] }>(`${urlOf('http')}/why?${question}`)).fates;
}

/** How often something happened, as the last fate of a question says. */
async function countOf(question: string): Promise<number> {
  return (await fatesOf(question))[0]?.count ?? 0;
}

/** Waits until the last fate of a question is this one. */
function expectFate(question: string, fate: object): Promise<void> {
  return vi.waitFor(async () => expect((await fatesOf(question))[0]).toMatchObject(fate), PATIENCE);
}

const PATIENCE = { timeout: 20_000, interval: 20 };

/** Keeps a message, as soon as the store works again. */
function keep(topic: string, text: string): Promise<void> {
  return vi.waitFor(
    async () => expect((await post(urlOf('http'), `${topic}?qos=1`, text)).status).toBe(204),
    PATIENCE,
  );
}

/** Takes the messages of all logs away from the store, or puts them back: it can neither read nor write them meanwhile. */
function setReadable(isReadable: boolean): void {
  vi.restoreAllMocks();
  if (isReadable) return;
  for (const method of ['append', 'read'] as const) {
    vi.spyOn(DataFolderStore.prototype, method).mockImplementation(async () => {
      throw new StoreUnavailableError('failed', 'no batch can be found');
    });
  }
}

describe('why tells of connections that were never open', () => {
  it.each([
    ['frames', 'tls'],
    ['frames', 'wss'],
    ['kafka', 'tls'],
    ['grpc', 'grpcs'],
    ['http', 'https'],
  ])('at the door %s, over %s: a client that does not speak TLS', async (door, scheme) => {
    const socket = connectTcp(Number(new URL(urlOf(scheme, door)).port), '127.0.0.1');
    const question = 'code=tls-handshake-failed';
    const before = await countOf(question);
    socket.on('error', () => {});
    socket.write('no handshake at all\r\n');
    await expectFate(question, {
      ...{ outcome: 'unopened', message: expect.stringContaining('does not speak TLS') },
      ...{ remote: '127.0.0.1', count: before + 1 },
    });
    socket.destroy();
  });
});

describe('why tells of messages that no log could keep', () => {
  const UNKEPT = { outcome: 'unkept', code: 'store-unavailable', cause: expect.stringContaining('batch') };

  it.each([
    [
      'frames',
      async (topic: string): Promise<void> => {
        const client = new RawClient(await openStream(urlOf('tcp')), 'l-frames');
        client.send(FrameType.connect, '', '');
        await client.expect(FrameType.connack);
        client.publish(topic, 'hello');
        await client.ping();
        client.stream.destroy();
      },
    ],
    [
      'mqtt',
      async (topic: string): Promise<void> => {
        const client = await connectMqtt(urlOf('tcp'), 5, { clientId: 'l-mqtt' });
        client.publish(topic, 'hello');
        client.disconnect(0);
        await client.ended();
      },
    ],
    ['http', async (topic: string): Promise<void> => void (await post(urlOf('http'), topic, 'hello'))],
  ] as const)('and that nobody promised to keep: %s', async (door, publish) => {
    const topic = `kept/${door}`;
    await keep(topic, 'first');
    const before = await countOf(`topic=${topic}&code=store-unavailable`);
    setReadable(false);
    try {
      await publish(topic);
      await expectFate(`topic=${topic}`, { ...UNKEPT, topic, count: before + 1 });
    } finally {
      setReadable(true);
    }
    await keep(topic, 'again');
  });
});

describe('why tells of logs that cannot be read', () => {
  it('a replay of frames, and a stream of HTTP', async () => {
    await keep('kept/read', 'x');
    // What was written lately is read from memory.
    await broker.close();
    broker = await startBroker(options);
    setReadable(false);
    try {
      const client = new RawClient(await openStream(urlOf('tcp')), 'r-frames');
      client.send(FrameType.connect, '', '');
      await client.expect(FrameType.connack);
      client.send(FrameType.subscribe, '$replay/earliest/kept/read');
      const unreadable = { code: 'log-unreadable', topic: expect.stringContaining('kept/read') };
      await expectFate('client=r-frames', { ...unreadable, door: 'frames' });
      client.stream.destroy();
      const stream = await fetch(`${urlOf('http')}/topics/kept/read?follow&from=earliest&client=r-http`);
      await stream.text().catch(() => {});
      await expectFate('client=r-http', { code: 'log-unreadable', door: 'http' });
    } finally {
      setReadable(true);
    }
  });
});
