import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CertificateSet, makeCertificates } from '../certs/make.ts';
import { encodeFrame, FrameType } from '../internal/protocol/frame/frame.ts';
import { connect } from '../pkg/client/index.ts';
import { startBroker } from '../pkg/embed/index.ts';
import { startBrokerProcess } from './support/broker-process.ts';
import { connectRaw, openStream, RawClient } from './support/raw-client.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-'));
const KiB = 1024;
const MAX_MESSAGE_BYTES = 2048 * KiB;
let certificates: CertificateSet;

beforeAll(async () => {
  certificates = await makeCertificates(folder);
  return () => rmSync(folder, { recursive: true });
});

/** One way to reach a broker: how it is started, and what a client needs. */
interface Way {
  name: string;
  start(): Promise<{ url: string } & AsyncDisposable>;
  tls?(): ConnectionOptions;
}

const limits = ['-max-message', '2MiB', '-channel-size', '1000'];
const tlsFlags = () => ['-tls-cert', certificates.serverCert, '-tls-key', certificates.serverKey];
const trusting = () => ({ ca: readFileSync(certificates.ca), servername: 'localhost' });
const identified = () => ({
  ...trusting(),
  cert: readFileSync(certificates.clientCert),
  key: readFileSync(certificates.clientKey),
});

const WAYS: Way[] = [
  { name: 'tcp', start: () => startBrokerProcess(['-address', 'localhost:0', ...limits]) },
  {
    name: 'tls',
    start: () => startBrokerProcess(['-address', 'localhost:0', ...tlsFlags(), ...limits]),
    tls: trusting,
  },
  {
    name: 'mutual tls',
    start: () =>
      startBrokerProcess(['-address', 'localhost:0', ...tlsFlags(), '-tls-ca', certificates.ca, ...limits]),
    tls: identified,
  },
  {
    name: 'unix socket',
    start: () =>
      startBrokerProcess(['-network', 'unix', '-address', join(folder, 'behaviour.sock'), ...limits]),
  },
  { name: 'websocket', start: () => startBrokerProcess(['-listen', 'ws://localhost:0', ...limits]) },
  {
    name: 'websocket over tls',
    start: () => startBrokerProcess(['-listen', 'wss://localhost:0', ...tlsFlags(), ...limits]),
    tls: trusting,
  },
  {
    name: 'in this process',
    start: () =>
      startBroker({ listen: ['tcp://localhost:0'], maxMessageBytes: MAX_MESSAGE_BYTES, channelSize: 1000 }),
  },
];

describe.each(WAYS)('publish and subscribe: $name', ({ start, tls }) => {
  let broker: Awaited<ReturnType<Way['start']>>;
  let clients: RawClient[] = [];
  let used = 0;

  beforeAll(async () => {
    broker = await start();
    return async () => {
      for (const client of clients) client.stream.destroy();
      await broker[Symbol.asyncDispose]();
    };
  });

  async function client(id = `client-${++used}`, ...filters: string[]): Promise<RawClient> {
    const connected = await connectRaw(broker.url, id, tls?.());
    clients.push(connected);
    await connected.subscribe(...filters);
    return connected;
  }

  afterAll(() => {
    clients = [];
  });

  it('answers CONNECT, SUBSCRIBE, UNSUBSCRIBE and PING, byte for byte', async () => {
    const raw = new RawClient(await openStream(broker.url, tls?.()), 'kitchen');
    for (const [type, topic, answer] of [
      [FrameType.connect, '', FrameType.connack],
      [FrameType.subscribe, 'a/+', FrameType.suback],
      [FrameType.unsubscribe, 'a/+', FrameType.unsuback],
      [FrameType.unsubscribe, 'never', FrameType.unsuback],
      [FrameType.ping, '', FrameType.pong],
    ] as const) {
      raw.send(type, topic);
      const frame = await raw.next();
      expect(frame).toEqual({ type: answer, topic, payload: Buffer.alloc(0), clientId: 'kitchen' });
    }
    raw.send(FrameType.disconnect);
    await raw.closed();
    expect(raw.waiting).toEqual([]);
  });

  it.each([
    ['exact', 'w1/b/c', ['w1/b/c'], ['w1/b', 'w1/b/c/d', 'w1/b/C']],
    ['+', 'w2/+/c', ['w2/b/c', 'w2//c'], ['w2/c', 'w2/b/d', 'w2/b/c/d']],
    ['#', 'w3/#', ['w3', 'w3/', 'w3/b', 'w3/b/c/d'], ['w33', 'x/w3']],
    ['+ and #', '+/w4/#', ['a/w4', '/w4/x'], ['w4', 'a/b/w4']],
  ])('matches %s', async (_, filter, matching, others) => {
    const subscriber = await client(undefined, filter);
    const publisher = await client();
    for (const topic of [...others, ...matching]) publisher.publish(topic, topic);
    for (const topic of matching) expect((await subscriber.message())[0]).toBe(topic);
    await publisher.ping();
    await subscriber.expectSilence();
  });

  it('sends one copy though filters overlap, and to the publisher too', async () => {
    const subscriber = await client('overlap', 'o/#', 'o/+', 'o/a', 'o/a');
    subscriber.publish('o/a', 'x');
    expect(await subscriber.message()).toEqual(['o/a', 'x', 'overlap']);
    await subscriber.expectSilence();
    await subscriber.unsubscribe('o/#');
    await subscriber.unsubscribe('o/a');
    subscriber.publish('o/a', 'y');
    expect(await subscriber.message()).toEqual(['o/a', 'y', 'overlap']);
    await subscriber.unsubscribe('o/+');
    subscriber.publish('o/a', 'z');
    await subscriber.expectSilence();
  });

  it('gives each message of a group to one member', async () => {
    const members = [await client(undefined, '$share/g/s/#'), await client(undefined, '$share/g/s/#')];
    const publisher = await client();
    for (let index = 0; index < 10; index++) publisher.publish(`s/${index}`, '');
    await publisher.ping();
    for (const member of members) await member.messages(5);
    for (const member of members) await member.expectSilence();
  });

  it('carries every byte, nothing at all, and long topics', async () => {
    const topic = `bytes/${'ü'.repeat(32_764)}`;
    expect(Buffer.byteLength(topic)).toBe(65_534);
    const subscriber = await client(undefined, 'bytes/#');
    const publisher = await client();
    const everyByte = Uint8Array.from({ length: 256 }, (_, value) => value);
    publisher.publish(`${topic}x`, everyByte);
    publisher.publish('bytes/empty', '');
    const [first, second] = await subscriber.messages(2);
    expect(first!.topic).toBe(`${topic}x`);
    expect(Buffer.from(first!.payload)).toEqual(Buffer.from(everyByte));
    expect(second!.payload).toHaveLength(0);
  });

  it('carries the largest message, and refuses one byte more', async () => {
    const subscriber = await client(undefined, 'large');
    const publisher = await client('large-publisher');
    const largest = new Uint8Array(MAX_MESSAGE_BYTES).map((_, index) => index % 251);
    publisher.publish('large', largest);
    const [message] = await subscriber.messages(1);
    expect(Buffer.compare(message!.payload, largest)).toBe(0);
    publisher.publish('large', new Uint8Array(MAX_MESSAGE_BYTES + 1));
    expect(await publisher.expectRefusal()).toBe(
      `message-too-large: payload of ${MAX_MESSAGE_BYTES + 1} bytes; at most ${MAX_MESSAGE_BYTES} are accepted`,
    );
    await subscriber.expectSilence();
  });

  it('understands frames byte by byte, and many in one write; each says who really sent it', async () => {
    const subscriber = await client(undefined, 'cut/#');
    const publisher = await client('cutter');
    const frames = Buffer.concat([
      encodeFrame(FrameType.publish, 'cut/1', 'one', 'cutter'),
      encodeFrame(FrameType.publish, 'cut/2', '', 'cutter'),
      encodeFrame(FrameType.publish, 'cut/3', 'three', 'forged'),
      encodeFrame(FrameType.publish, 'cut/4', 'four', ''),
    ]);
    const expected = [
      ['cut/1', 'one', 'cutter'],
      ['cut/2', '', 'cutter'],
      ['cut/3', 'three', 'cutter'],
      ['cut/4', 'four', 'cutter'],
    ];
    publisher.stream.write(frames);
    for (const message of expected) expect(await subscriber.message()).toEqual(message);
    for (const byte of frames) publisher.stream.write(Uint8Array.of(byte));
    for (const message of expected) expect(await subscriber.message()).toEqual(message);
  });

  it('keeps the order of each of several publishers over 102,000 messages', async () => {
    const subscriber = await client(undefined, 'order/#');
    const publishers = [await client('p0'), await client('p1'), await client('p2')];
    const each = 34_000;
    for (const publisher of publishers) {
      const frames = Array.from({ length: each }, (_, index) =>
        encodeFrame(FrameType.publish, `order/${index % 7}`, String(index), publisher.clientId),
      );
      publisher.stream.write(Buffer.concat(frames));
    }
    const received: Record<string, number[]> = { p0: [], p1: [], p2: [] };
    for (const { payload, clientId } of await subscriber.messages(publishers.length * each)) {
      received[clientId]!.push(Number(Buffer.from(payload).toString()));
    }
    const inOrder = Array.from({ length: each }, (_, index) => index);
    expect(received).toEqual({ p0: inOrder, p1: inOrder, p2: inOrder });
  });

  it('lets a newer connection take over, and tells the older', async () => {
    const older = await client('twice', 'takeover');
    const newer = await client('twice', 'takeover');
    expect(await older.expectRefusal()).toMatch(/^taken-over: client 'twice' connected again from /);
    newer.publish('takeover', 'still here');
    expect(await newer.message()).toEqual(['takeover', 'still here', 'twice']);
    await newer.expectSilence();
  });

  it.each([
    ['a topic with a wildcard', FrameType.publish, 'a/+', /^invalid-topic: topic 'a\/\+': /],
    ['a topic of the broker', FrameType.publish, '$SYS/x', /^reserved-topic: /],
    ['a misplaced wildcard', FrameType.subscribe, 'a/#/b', /^invalid-filter: filter 'a\/#\/b': # must be/],
    ['a second CONNECT', FrameType.connect, '', /^unexpected-frame: /],
  ])('refuses %s with the reason, then closes', async (_, type, topic, reason) => {
    const offender = await client();
    offender.send(type, topic);
    expect(await offender.expectRefusal()).toMatch(reason);
  });

  it('works with the SDK', async () => {
    const material = tls?.();
    await using sdk = await connect(broker.url, {
      clientId: 'sdk',
      tls: {
        ca: material?.ca as Buffer,
        cert: material?.cert as Buffer,
        key: material?.key as Buffer,
        serverName: material?.servername,
      },
    });
    const subscription = await sdk.subscribe('sdk/+');
    for (let index = 0; index < 1000; index++) await sdk.publish(`sdk/${index % 3}`, `ü${index}`);
    let next = 0;
    for await (const message of subscription) {
      expect([message.topic, message.text(), message.clientId]).toEqual([
        `sdk/${next % 3}`,
        `ü${next}`,
        'sdk',
      ]);
      if (++next === 1000) break;
    }
    expect(await sdk.ping()).toBeGreaterThan(0);
  });
});
