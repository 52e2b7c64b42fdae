import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { collectGarbage } from '../support/garbage.ts';
import { requestOf, TestClient } from './grpc-client.ts';
import { openTestDoor, type TestDoor } from './grpc-door.ts';
import { callHeaders, Flag, frame, headerBlock, RawHttp2, Setting, Type } from './raw-http2.ts';

/*
 * Clients that break the rules of HTTP/2, or keep to them with ill will. Whatever they do, memory stays bounded, their
 * connection is closed where that is called for, and others are served.
 */

let door: TestDoor;
let raw: RawHttp2;

async function openDoor(settings: object = {}): Promise<void> {
  door = await openTestDoor({ settings });
  await door.client.unary('CreateTopic', { topic: 't' });
  raw = new RawHttp2(door.door.url);
}

beforeEach(() => openDoor());
afterEach(async () => {
  raw.close();
  await door.close();
});

const consumePath = '/smq.SuhaibMessageQueue/StreamConsume';
const gauge = (name: string) => door.metrics.snapshot()[name] ?? 0;

/** Others are served, and of the hostile connection nothing is left. */
async function expectUnharmed(): Promise<void> {
  expect(await door.client.unary('Connect', {})).toEqual({});
  await vi.waitUntil(() => gauge('grpc_connections') === 1 && gauge('grpc_calls') === 0, { timeout: 30_000 });
}

describe('a frame that is not allowed closes the connection', () => {
  it.each<[string, () => Uint8Array[]]>([
    ['DATA on stream 0', () => [frame(Type.data, 0, 0, Buffer.alloc(5))]],
    ['DATA on a stream that is not open', () => [frame(Type.data, 0, 5, Buffer.alloc(5))]],
    ['HEADERS on a stream of the server', () => [frame(Type.headers, Flag.endHeaders, 2, callHeaders('/'))]],
    ['HEADERS that are no HPACK', () => [frame(Type.headers, Flag.endHeaders, 1, Buffer.alloc(9, 0xff))]],
    ['a SETTINGS of 5 bytes', () => [frame(Type.settings, 0, 0, Buffer.alloc(5))]],
    ['a window beyond 2^31', () => [frame(Type.settings, 0, 0, Buffer.from('0004ffffffff', 'hex'))]],
    ['a WINDOW_UPDATE of 0', () => [frame(Type.windowUpdate, 0, 0, Buffer.alloc(4))]],
    ['CONTINUATION of nothing', () => [frame(Type.continuation, Flag.endHeaders, 1, Buffer.alloc(3))]],
    ['a PUSH_PROMISE', () => [frame(Type.push, Flag.endHeaders, 1, Buffer.alloc(9))]],
    ['a PING of 7 bytes', () => [frame(Type.ping, 0, 0, Buffer.alloc(7))]],
    ['a frame of 16 MiB', () => [Buffer.from('ffffff0000000000010000', 'hex')]],
    [
      'other frames inside a header block',
      () => [frame(Type.headers, 0, 1, callHeaders('/')), frame(Type.ping, 0, 0, Buffer.alloc(8))],
    ],
  ])('%s', async (_what, frames) => {
    raw.start();
    raw.send(...frames());
    await raw.closed;
    await expectUnharmed();
  });

  it.each(['GET / HTTP/1.1\r\nHost: x\r\n\r\n', '\0'.repeat(64), 'PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n'])(
    'what is no HTTP/2: %j',
    async (words) => {
      raw.send(Buffer.from(words));
      await raw.closed;
      await expectUnharmed();
    },
  );
});

describe('a connection that comes to nothing is closed', () => {
  it.each<[string, (raw: RawHttp2) => void]>([
    ['one that says nothing', () => {}],
    ['one that stops in its first words', (found) => void found.send(Buffer.from('PRI * HTTP/2.0\r\n'))],
    [
      'one that does not say its settings',
      (found) => void found.send(Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')),
    ],
  ])('%s', async (_what, begin) => {
    await door.close();
    await openDoor({ connectTimeoutMs: 60 });
    begin(raw);
    await raw.closed;
    await expectUnharmed();
  });

  it('one that never ends its headers', async () => {
    await door.close();
    await openDoor({ keepAliveAfterMs: 50, keepAliveTimeoutMs: 50 });
    raw.start();
    raw.send(frame(Type.headers, 0, 1, callHeaders(consumePath).subarray(0, 20)));
    await raw.closed;
    await expectUnharmed();
  });

  it('one whose peer is gone without a word', async () => {
    await door.close();
    await openDoor({ keepAliveAfterMs: 50, keepAliveTimeoutMs: 50 });
    raw.start();
    // It reads, but answers no PING.
    await raw.closed;
    expect(raw.frames.some(({ type, flags }) => type === Type.ping && flags === 0)).toBe(true);
  });
});

describe('floods', () => {
  it('of CONTINUATION', async () => {
    raw.start();
    raw.send(frame(Type.headers, 0, 1, callHeaders(consumePath)));
    const more = frame(Type.continuation, 0, 1, headerBlock({ 'x-long': 'y'.repeat(100) }));
    const flood = setInterval(() => raw.send(...Array<Buffer>(100).fill(more)), 1);
    await raw.closed;
    clearInterval(flood);
    await expectUnharmed();
  });

  it('of header names', async () => {
    raw.start();
    const names = Object.fromEntries(
      Array.from({ length: 2_000 }, (_, index) => [`x-${index}`, 'y'.repeat(30)]),
    );
    const block = callHeaders(consumePath, names);
    const frames = [frame(Type.headers, 0, 1, block.subarray(0, 16_000))];
    for (let at = 16_000; at < block.length; at += 16_000) {
      const isLast = at + 16_000 >= block.length;
      frames.push(frame(Type.continuation, isLast ? Flag.endHeaders : 0, 1, block.subarray(at, at + 16_000)));
    }
    raw.send(...frames);
    await vi.waitUntil(() =>
      raw.frames.some(({ type }) => type === Type.reset || type === Type.goaway || type === Type.headers),
    );
    raw.close();
    await expectUnharmed();
  });

  it('of calls that are cancelled at once', async () => {
    raw.start();
    const headers = callHeaders(consumePath);
    let isClosed = false;
    raw.closed.then(() => {
      isClosed = true;
    });
    let stream = 1;
    for (let round = 0; round < 60 && !isClosed; round++) {
      const frames: Buffer[] = [];
      for (let call = 0; call < 500; call++, stream += 2) {
        frames.push(frame(Type.headers, Flag.endHeaders, stream, headers));
        frames.push(frame(Type.reset, 0, stream, Buffer.from('00000008', 'hex')));
      }
      raw.send(...frames);
      await door.client.unary('Connect', {});
    }
    // It bears what a client with many calls may cancel, and no more.
    await raw.closed;
    await expectUnharmed();
  });

  it('of PING', async () => {
    await door.close();
    await openDoor({ minPingIntervalMs: 10_000 });
    raw.start();
    for (let index = 0; index < 20; index++) raw.send(frame(Type.ping, 0, 0, Buffer.alloc(8, index)));
    await raw.closed;
    const goaway = raw.frames.find(({ type }) => type === Type.goaway);
    expect(goaway?.payload.readUInt32BE(4)).toBe(11);
    expect(goaway?.payload.subarray(8).toString()).toBe('too_many_pings');
    await expectUnharmed();
  });

  it('of SETTINGS', async () => {
    raw.start();
    const flood = setInterval(
      () => raw.send(...Array<Buffer>(1_000).fill(frame(Type.settings, 0, 0, Buffer.alloc(0)))),
      1,
    );
    // Its answers fill up because it does not read them.
    raw.socket.pause();
    await vi.waitUntil(() => raw.socket.writableLength > 1_000_000 || raw.socket.closed, { timeout: 30_000 });
    clearInterval(flood);
    raw.close();
    await expectUnharmed();
  });

  it('of empty DATA', async () => {
    raw.start();
    raw.send(frame(Type.headers, Flag.endHeaders, 1, callHeaders('/smq.SuhaibMessageQueue/StreamProduce')));
    const empty = frame(Type.data, 0, 1, Buffer.alloc(0));
    for (let index = 0; index < 20; index++) raw.send(...Array<Buffer>(1_000).fill(empty));
    expect(await door.client.unary('Connect', {})).toEqual({});
    raw.close();
    await expectUnharmed();
  });
});

describe('pings that are in order', () => {
  it('of a client that gets messages', async () => {
    await door.close();
    await openDoor({ minPingIntervalMs: 10_000 });
    const follower = door.client.call('StreamConsume', [{ topic: 't' }]);
    for (let index = 1; index <= 40; index++) {
      await door.client.unary('Produce', { topic: 't', message: Buffer.from('a') });
      await follower.received(index);
      await new Promise((resolve) => door.client.session.ping(resolve));
    }
    follower.stream.close();
    raw.close();
    await expectUnharmed();
  });
});

describe('windows that are never opened', () => {
  it('cost little memory, and others get their messages', async () => {
    const message = new Uint8Array(100_000);
    for (let index = 0; index < 20; index++) await door.client.unary('Produce', { topic: 't', message });
    collectGarbage();
    const before = process.memoryUsage().arrayBuffers;
    raw.start({ [Setting.initialWindowSize]: 0 });
    const request = frame(
      Type.data,
      Flag.endStream,
      0,
      requestOf('StreamConsume', { topic: 't', offset: 1 }),
    );
    for (let stream = 1; stream <= 2_001; stream += 2) {
      const own = Buffer.from(request);
      own.writeUInt32BE(stream, 5);
      raw.send(frame(Type.headers, Flag.endHeaders, stream, callHeaders(consumePath)), own);
    }
    await vi.waitUntil(() => gauge('grpc_calls') === 1_001, { timeout: 30_000 });
    const follower = door.client.call('StreamConsume', [{ topic: 't', offset: 1 }]);
    await follower.received(20);
    collectGarbage();
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(200_000_000);
    follower.stream.close();
    raw.close();
    await expectUnharmed();
  });
});

// The runtime counts what waits for a client, and refuses further calls of its connection above a limit.
it('a large response that is not read leaves other calls of the connection alone', async () => {
  await door.client.unary('Produce', { topic: 't', message: new Uint8Array(64 << 20) });
  const slow = new TestClient(door.door.url);
  const downloads = Array.from({ length: 20 }, (_, index) =>
    slow.call(index % 2 === 0 ? 'Consume' : 'BulkRetrieve', [
      { topic: 't', ...(index % 2 === 0 && { offset: 1 }) },
    ]),
  );
  for (const { stream, ended } of downloads) {
    ended.catch(() => {});
    stream.pause();
  }
  await vi.waitUntil(() => gauge('grpc_calls') === 20, { timeout: 30_000 });
  expect(await slow.unary('Connect', {})).toEqual({});
  downloads[0].stream.resume();
  expect((await downloads[0].ended).status).toBe(0);
  slow.close();
  raw.close();
  await expectUnharmed();
});

describe('messages that never end', () => {
  it('reserve what arrived, not what they claim', async () => {
    collectGarbage();
    const before = process.memoryUsage().arrayBuffers;
    raw.start();
    const beginning = Buffer.concat([Buffer.of(0, 0x3f, 0xff, 0xff, 0xff), Buffer.alloc(100)]);
    for (let stream = 1; stream <= 1_001; stream += 2) {
      raw.send(
        frame(Type.headers, Flag.endHeaders, stream, callHeaders('/smq.SuhaibMessageQueue/Produce')),
        frame(Type.data, 0, stream, beginning),
      );
    }
    await vi.waitUntil(() => gauge('grpc_calls') === 501, { timeout: 30_000 });
    collectGarbage();
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20_000_000);
    raw.close();
    await expectUnharmed();
  });
});

it('ten thousand streams on one connection get their messages', async () => {
  const client = new TestClient(door.door.url);
  const calls = Array.from({ length: 10_000 }, () =>
    client.call('StreamConsume', [{ topic: 't', offset: 1 }]),
  );
  for (const call of calls) call.ended.catch(() => {});
  await vi.waitUntil(() => gauge('grpc_calls') === 10_000, { timeout: 50_000 });
  await door.client.unary('Produce', { topic: 't', message: Buffer.from('to all') });
  for (const call of calls) expect(await call.received(1)).toMatchObject([{ offset: 1n }]);
  client.close();
  raw.close();
  await expectUnharmed();
});

it('a thousand connections are served', async () => {
  const clients = Array.from({ length: 1_000 }, () => new TestClient(door.door.url));
  const answers = await Promise.all(
    clients.map((client) => client.unary('Produce', { topic: 't', message: Buffer.from('a') })),
  );
  const offsets = answers.map(({ offset }) => Number(offset)).sort((a, b) => a - b);
  expect(offsets).toEqual(Array.from({ length: 1_000 }, (_, index) => index + 1));
  for (const client of clients) client.close();
  raw.close();
  await expectUnharmed();
});
