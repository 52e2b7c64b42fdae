import fc from 'fast-check';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { readFrames } from '../../../../test/grpc/http2-frames.ts';
import { Mutants } from '../../../../test/grpc/mutants.ts';
import { callHeaders, Flag, frame, headerBlock, Setting, Type } from '../../../../test/grpc/raw-http2.ts';
import { FakeConnection } from '../../../../test/support/fake-connection.ts';
import { HeaderField } from '../../../protocol/http2/header-field.ts';
import { Http2Code, type Http2Error } from '../../../protocol/http2/http2-error.ts';
import { Http2Connection, type Http2Events, type Http2Settings } from './connection.ts';
import type { Http2Stream, StreamHandler } from './stream.ts';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const STATUS = [{ field: new HeaderField(':status', '200'), isRepeated: true }];
const TRAILERS = [{ field: new HeaderField('grpc-status', '0'), isRepeated: true }];
const SETTINGS: Http2Settings = {
  callsPerConnection: 16_384,
  connectTimeoutMs: 10_000,
  keepAliveAfterMs: 60_000,
  keepAliveTimeoutMs: 20_000,
  minPingIntervalMs: 10_000,
  windowBytes: 4 * 2 ** 20,
};

/** A server that sends back what comes, and notes what happens. */
class Echo implements Http2Events {
  readonly connection = new FakeConnection();
  readonly http2: Http2Connection;
  readonly streams = new Map<number, Http2Stream>();
  readonly gone: number[] = [];
  readonly errors: Http2Error[] = [];
  readonly surprises: unknown[] = [];
  foreignBytes: string | undefined;
  received = 0;

  constructor(settings: Partial<Http2Settings> = {}) {
    this.http2 = new Http2Connection(this.connection, { ...SETTINGS, ...settings }, this);
  }

  opened(stream: Http2Stream): void {
    this.streams.set(stream.id, stream);
    stream.handler = {
      data: (bytes, start, end) => {
        this.received += end - start;
        stream.write([new Uint8Array(bytes.subarray(start, end))], () => {});
      },
      ended: () => stream.end(TRAILERS),
      gone: () => this.gone.push(stream.id),
    } satisfies StreamHandler;
    stream.respond(STATUS);
  }

  openedTooLarge(stream: Http2Stream): void {
    stream.respond(STATUS);
    stream.end();
  }

  foreign(first: Uint8Array): void {
    this.foreignBytes = Buffer.from(first).toString('latin1');
  }

  failed(error: Http2Error): void {
    this.errors.push(error);
  }

  unexpected(error: unknown): void {
    this.surprises.push(error);
  }

  closed(): void {}

  start(settings: Buffer = Buffer.alloc(0)): void {
    this.send(PREFACE, frame(Type.settings, 0, 0, settings));
  }

  send(...frames: Uint8Array[]): void {
    this.connection.handler.bytes(Buffer.concat(frames));
  }

  /** What was sent since the last call, when everything that can be taken was. */
  async sent() {
    let pauses = -1;
    while (pauses !== this.connection.pauses || pauses > 0) {
      pauses = this.connection.pauses;
      await new Promise((resolve) => setImmediate(resolve));
      if (this.connection.isFull) break;
    }
    const bytes = Buffer.concat(this.connection.written);
    this.connection.written.length = 0;
    return readFrames(bytes);
  }

  async sentOf(type: number) {
    return (await this.sent()).filter((found) => found.type === type);
  }
}

let echo: Echo;
beforeEach(() => {
  echo = new Echo();
});

const call = (stream: number, flags = 0, more: Record<string, string> = {}) =>
  frame(Type.headers, Flag.endHeaders | flags, stream, callHeaders('/a/b', more));
const data = (stream: number, length: number, flags = 0) =>
  frame(Type.data, flags, stream, Buffer.alloc(length, stream));
const uint32 = (value: number) => Buffer.from(value.toString(16).padStart(8, '0'), 'hex');
const setting = (id: number, value: number) => Buffer.concat([Buffer.of(0, id), uint32(value)]);
const windowUpdate = (stream: number, increment: number) =>
  frame(Type.windowUpdate, 0, stream, uint32(increment));
const reset = (stream: number) => frame(Type.reset, 0, stream, uint32(8));
const codeOf = (payload: Buffer) => payload.readUInt32BE(payload.length >= 8 ? 4 : 0);

describe('a conversation', () => {
  it('begins with SETTINGS, once the client has said the preface (RFC 9113, 3.4)', async () => {
    echo.send(PREFACE.subarray(0, 20));
    expect(await echo.sent()).toEqual([]);
    echo.send(PREFACE.subarray(20));
    expect((await echo.sent()).map(({ type }) => type)).toEqual([Type.settings, Type.windowUpdate]);
  });

  it('is the same however it is cut', async () => {
    const answers = async (seed: number, sizes: readonly number[]) => {
      const found = new Echo();
      const bytes = Buffer.concat(new Mutants(seed).conversation().pieces);
      for (let at = 0, turn = 0; at < bytes.length; turn++) {
        const end = at + sizes[turn % sizes.length];
        if (!found.connection.isEnded) found.send(bytes.subarray(at, end));
        at = end;
      }
      await found.sent();
      expect(found.surprises).toEqual([]);
      return {
        received: found.received,
        streams: [...found.streams.keys()],
        errors: found.errors.map(String),
      };
    };
    const sizes = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(fc.nat(), sizes, async (seed, cuts) => {
        expect(await answers(seed, cuts)).toEqual(await answers(seed, [1_000_000]));
      }),
    );
  });

  it('that is none is handed back with all that came', () => {
    echo.send(Buffer.from('PRI * HT'));
    echo.send(Buffer.from('TP/1.1\r\n'));
    expect(echo.foreignBytes).toBe('PRI * HTTP/1.1\r\n');
  });

  it('is written once a turn', async () => {
    echo.start();
    await echo.sent();
    const write = vi.spyOn(echo.connection, 'write');
    for (let stream = 1; stream < 65; stream += 2) echo.send(call(stream), data(stream, 10, Flag.endStream));
    await new Promise((resolve) => setImmediate(resolve));
    expect(write).toHaveBeenCalledTimes(1);
    expect(echo.gone).toHaveLength(32);
  });
});

describe('what ends the connection', () => {
  it.each<[string, string, number, () => Uint8Array[]]>([
    ['DATA on stream 0', 'RFC 9113 6.1', 1, () => [data(0, 1)]],
    ['DATA on an idle stream', 'RFC 9113 5.1', 1, () => [data(1, 1)]],
    ['padding beyond the frame', 'RFC 9113 6.1', 1, () => [call(1), frame(Type.data, 8, 1, Buffer.of(9, 1))]],
    ['HEADERS on stream 2', 'RFC 9113 5.1.1', 1, () => [call(2)]],
    ['HEADERS behind a later stream', 'RFC 9113 5.1.1', 1, () => [call(5), call(3)]],
    ['HEADERS on a closed stream', 'RFC 9113 5.1', 5, () => [call(1, 1), reset(1), call(1)]],
    ['DATA on a closed stream', 'RFC 9113 5.1', 5, () => [call(1), reset(1), data(1, 1)]],
    ['a header block that is none', 'RFC 7541 2.3.3', 9, () => [frame(Type.headers, 4, 1, Buffer.of(0x80))]],
    ['a priority that is cut', 'RFC 9113 6.2', 6, () => [frame(Type.headers, 0x24, 1, Buffer.of(0, 0))]],
    [
      'a frame inside a header block',
      'RFC 9113 6.10',
      1,
      () => [frame(Type.headers, 0, 1, Buffer.of(0x82)), data(1, 1)],
    ],
    [
      'CONTINUATION of another stream',
      'RFC 9113 6.10',
      1,
      () => [frame(Type.headers, 0, 1, Buffer.of(0x82)), frame(9, 4, 3, Buffer.of(0x82))],
    ],
    ['RST_STREAM on an idle stream', 'RFC 9113 6.4', 1, () => [reset(1)]],
    ['RST_STREAM of 3 bytes', 'RFC 9113 6.4', 6, () => [call(1), frame(Type.reset, 0, 1, Buffer.alloc(3))]],
    ['SETTINGS on a stream', 'RFC 9113 6.5', 1, () => [frame(Type.settings, 0, 1, Buffer.alloc(0))]],
    ['SETTINGS ACK with bytes', 'RFC 9113 6.5', 6, () => [frame(Type.settings, 1, 0, Buffer.alloc(6))]],
    ['SETTINGS of 7 bytes', 'RFC 9113 6.5', 6, () => [frame(Type.settings, 0, 0, Buffer.alloc(7))]],
    ['ENABLE_PUSH of 2', 'RFC 9113 6.5.2', 1, () => [frame(Type.settings, 0, 0, setting(2, 2))]],
    [
      'a MAX_FRAME_SIZE that is small',
      'RFC 9113 6.5.2',
      1,
      () => [frame(Type.settings, 0, 0, setting(5, 100))],
    ],
    [
      'an INITIAL_WINDOW_SIZE of 2^31',
      'RFC 9113 6.5.2',
      3,
      () => [frame(Type.settings, 0, 0, setting(4, 2 ** 31))],
    ],
    [
      'an INITIAL_WINDOW_SIZE that is too much for a stream',
      'RFC 9113 6.9.2',
      3,
      () => [call(1), windowUpdate(1, 2 ** 31 - 65_536), frame(Type.settings, 0, 0, setting(4, 2 ** 31 - 1))],
    ],
    ['PUSH_PROMISE', 'RFC 9113 8.4', 1, () => [frame(Type.push, 4, 1, Buffer.alloc(4))]],
    ['PING on a stream', 'RFC 9113 6.7', 1, () => [frame(Type.ping, 0, 1, Buffer.alloc(8))]],
    ['PING of 7 bytes', 'RFC 9113 6.7', 6, () => [frame(Type.ping, 0, 0, Buffer.alloc(7))]],
    ['GOAWAY on a stream', 'RFC 9113 6.8', 1, () => [frame(Type.goaway, 0, 1, Buffer.alloc(8))]],
    ['GOAWAY of 7 bytes', 'RFC 9113 6.8', 6, () => [frame(Type.goaway, 0, 0, Buffer.alloc(7))]],
    ['WINDOW_UPDATE of 0', 'RFC 9113 6.9', 1, () => [windowUpdate(0, 0)]],
    ['WINDOW_UPDATE of 3 bytes', 'RFC 9113 6.9', 6, () => [frame(Type.windowUpdate, 0, 0, Buffer.alloc(3))]],
    ['a window beyond 2^31 - 1', 'RFC 9113 6.9.1', 3, () => [windowUpdate(0, 2 ** 31 - 1)]],
    ['WINDOW_UPDATE on an idle stream', 'RFC 9113 5.1', 1, () => [windowUpdate(1, 1)]],
    ['CONTINUATION of nothing', 'RFC 9113 6.10', 1, () => [frame(9, 4, 1, Buffer.alloc(0))]],
    ['PRIORITY on stream 0', 'RFC 9113 6.3', 1, () => [frame(Type.priority, 0, 0, Buffer.alloc(5))]],
    [
      'a stream that depends on itself',
      'RFC 7540 5.3.1',
      1,
      () => [frame(Type.priority, 0, 1, Buffer.of(0, 0, 0, 1, 0))],
    ],
    ['a frame that is too large', 'RFC 9113 4.2', 6, () => [Buffer.from('004001000000000001', 'hex')]],
  ])('%s (%s)', async (_what, rule, code, frames) => {
    echo.start();
    await echo.sent();
    echo.send(...frames());
    const goAway = (await echo.sentOf(Type.goaway))[0];
    expect([codeOf(goAway.payload), echo.errors.map((error) => error.rule)]).toEqual([code, [rule]]);
    expect(echo.connection.isEnded).toBe(true);
    expect(echo.gone).toHaveLength(echo.streams.size);
    expect(echo.surprises).toEqual([]);
  });

  it('a first frame that is not SETTINGS (RFC 9113, 3.4)', async () => {
    echo.send(PREFACE, call(1));
    expect((await echo.sentOf(Type.goaway)).map(({ payload }) => codeOf(payload))).toEqual([1]);
  });

  // A connection that had said GOAWAY with a call open, and then broke a rule, stayed until the keep-alive ended it.
  it('also after the client has said GOAWAY (RFC 9113, 5.4.1)', async () => {
    echo.start();
    echo.send(call(1), frame(Type.goaway, 0, 0, Buffer.alloc(8)), data(1, 5));
    expect(echo.connection.isEnded).toBe(false);
    echo.send(frame(Type.ping, 0, 0, Buffer.alloc(7)));
    expect(echo.connection.isEnded).toBe(true);
    expect(echo.gone).toEqual([1]);
  });
});

describe('what ends a stream and nothing else', () => {
  it.each<[string, number, () => Uint8Array[]]>([
    [
      'DATA behind END_STREAM',
      Http2Code.STREAM_CLOSED,
      () => [frame(Type.settings, 0, 0, setting(4, 0)), call(1), data(1, 9, 1), data(1, 1)],
    ],
    ['a WINDOW_UPDATE of 0', Http2Code.PROTOCOL_ERROR, () => [call(1), windowUpdate(1, 0)]],
    ['a window beyond 2^31 - 1', Http2Code.FLOW_CONTROL_ERROR, () => [call(1), windowUpdate(1, 2 ** 31 - 1)]],
    [
      'trailers without END_STREAM',
      Http2Code.PROTOCOL_ERROR,
      () => [call(1), frame(Type.headers, 4, 1, headerBlock({ a: 'b' }))],
    ],
    [
      'pseudo fields in trailers',
      Http2Code.PROTOCOL_ERROR,
      () => [call(1), frame(Type.headers, 5, 1, headerBlock({ ':path': '/' }))],
    ],
    [
      'less content than it says',
      Http2Code.PROTOCOL_ERROR,
      () => [call(1, 0, { 'content-length': '5' }), data(1, 4, 1)],
    ],
    [
      'more content than it says',
      Http2Code.PROTOCOL_ERROR,
      () => [call(1, 0, { 'content-length': '5' }), data(1, 6)],
    ],
    ['an upper-case name', Http2Code.PROTOCOL_ERROR, () => [call(1, 0, { 'X-A': 'b' })]],
    ['a field of HTTP/1', Http2Code.PROTOCOL_ERROR, () => [call(1, 0, { connection: 'close' })]],
    [
      'a te that is not trailers',
      Http2Code.PROTOCOL_ERROR,
      () => [
        frame(
          Type.headers,
          4,
          1,
          headerBlock({ ':method': 'GET', ':scheme': 'http', ':path': '/', te: 'gzip' }),
        ),
      ],
    ],
    [
      'no path',
      Http2Code.PROTOCOL_ERROR,
      () => [frame(Type.headers, 4, 1, headerBlock({ ':method': 'GET', ':scheme': 'http' }))],
    ],
    ['a line break in a value', Http2Code.PROTOCOL_ERROR, () => [call(1, 0, { a: 'b\r\nc' })]],
    [
      'PRIORITY of 4 bytes',
      Http2Code.FRAME_SIZE_ERROR,
      () => [call(1), frame(Type.priority, 0, 1, Buffer.alloc(4))],
    ],
  ])('%s', async (_what, code, frames) => {
    echo.start();
    echo.send(...frames());
    expect((await echo.sentOf(Type.reset)).map(({ stream, payload }) => [stream, codeOf(payload)])).toEqual([
      [1, code],
    ]);
    expect(echo.gone).toHaveLength(echo.streams.size);
    // What the client sent before it knew is passed over, and the connection goes on.
    if (code !== Http2Code.STREAM_CLOSED) echo.send(data(1, 3), data(1, 3, Flag.endStream));
    echo.send(call(3), windowUpdate(3, 100), data(3, 3, Flag.endStream));
    expect((await echo.sentOf(Type.data)).map(({ stream }) => stream)).toEqual([3]);
    expect(echo.errors).toEqual([]);
  });
});

describe('windows', () => {
  it('of a stream bound what it is sent, byte by byte if need be (RFC 9113, 6.9.2)', async () => {
    echo.start(setting(Setting.initialWindowSize, 3));
    echo.send(call(1), data(1, 10, Flag.endStream));
    const lengths = async () => (await echo.sentOf(Type.data)).map(({ payload }) => payload.length);
    expect(await lengths()).toEqual([3]);
    echo.send(frame(Type.settings, 0, 0, setting(Setting.initialWindowSize, 1)), windowUpdate(1, 2));
    expect(await lengths()).toEqual([]);
    echo.send(windowUpdate(1, 1));
    expect(await lengths()).toEqual([1]);
    echo.send(windowUpdate(1, 100));
    expect(await lengths()).toEqual([6]);
    expect(echo.gone).toEqual([1]);
  });

  it('of the connection are shared by its streams, a frame each in turn', async () => {
    echo.start(setting(Setting.initialWindowSize, 2 ** 20));
    for (const stream of [1, 3]) echo.send(call(stream), ...Array(3).fill(data(stream, 16_384)));
    const streams = (await echo.sentOf(Type.data)).map(({ stream, payload }) => [stream, payload.length]);
    expect(streams).toEqual([
      [1, 16_384],
      [3, 16_384],
      [1, 16_384],
      [3, 16_383],
    ]);
    echo.send(windowUpdate(0, 2 ** 20));
    expect((await echo.sentOf(Type.data)).map(({ payload }) => payload.length)).toEqual([16_384, 16_384, 1]);
  });

  it('of a client that sends much grow, and what it sends is confirmed', async () => {
    echo.start();
    echo.send(call(1));
    await echo.sent();
    for (let sent = 0; sent < 2 ** 20; sent += 16_384) {
      echo.send(data(1, 16_384));
      await echo.sent();
    }
    expect(echo.received).toBe(2 ** 20);
    expect(echo.errors).toEqual([]);
  });

  it('that a client does not keep to end its stream, or its connection', async () => {
    echo.start();
    echo.send(call(1));
    echo.streams.get(1)!.pause();
    echo.send(...Array(5).fill(data(1, 16_384)));
    expect((await echo.sentOf(Type.reset)).map(({ payload }) => codeOf(payload))).toEqual([3]);
    const small = new Echo({ windowBytes: 65_535 });
    small.start();
    small.send(call(1), call(3), ...[1, 3].flatMap((stream) => Array<Buffer>(2).fill(data(stream, 16_384))));
    expect(small.errors).toEqual([]);
  });

  it('of paused streams keep what comes, and the end behind it, until they go on', async () => {
    echo.start();
    echo.send(call(1));
    const stream = echo.streams.get(1)!;
    stream.pause();
    echo.send(data(1, 16_384), data(1, 16_384), data(1, 100, Flag.endStream));
    await echo.sent();
    expect([echo.received, echo.gone]).toEqual([0, []]);
    stream.resume();
    await echo.sent();
    expect([echo.received, echo.gone]).toEqual([32_868, [1]]);
  });
});

describe('floods', () => {
  const floods: [string, (stream: number) => Uint8Array[]][] = [
    ['calls that are cancelled (CVE-2023-44487)', (stream) => [call(stream), reset(stream)]],
    ['calls that we have to reset (CVE-2025-8671)', (stream) => [call(stream), windowUpdate(stream, 0)]],
    ['SETTINGS', () => [frame(Type.settings, 0, 0, Buffer.alloc(0))]],
    ['SETTINGS ACK', () => [frame(Type.settings, Flag.ack, 0, Buffer.alloc(0))]],
    ['WINDOW_UPDATE', () => [windowUpdate(0, 1)]],
    ['PRIORITY', () => [frame(Type.priority, 0, 99, Buffer.alloc(5))]],
    ['frames that are not known', () => [frame(99, 0, 0, Buffer.alloc(5))]],
    ['PING ACK', () => [frame(Type.ping, Flag.ack, 0, Buffer.alloc(8))]],
    ['empty DATA', (stream) => (stream === 1 ? [call(1)] : [frame(Type.data, 0, 1, Buffer.alloc(0))])],
  ];

  it.each(floods)('of %s end the connection', async (_what, round) => {
    echo.start();
    for (let stream = 1; stream < 100_000 && !echo.connection.isEnded; ) {
      const frames: Uint8Array[] = [];
      for (let count = 0; count < 200; count++, stream += 2) frames.push(...round(stream));
      echo.send(...frames);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const goAway = (await echo.sentOf(Type.goaway))[0];
    expect(codeOf(goAway.payload)).toBe(Http2Code.ENHANCE_YOUR_CALM);
    expect(echo.gone).toHaveLength(echo.streams.size);
  });

  it('of windows of one byte end the connection (CVE-2019-9511)', async () => {
    echo.start(setting(Setting.initialWindowSize, 0));
    echo.send(call(1), data(1, 16_384), data(1, 16_384));
    for (let count = 0; count < 300 && !echo.connection.isEnded; count++) {
      for (let at = 0; at < 100; at++) {
        if (!echo.connection.isEnded) echo.send(windowUpdate(1, 1));
        await Promise.resolve();
      }
      await echo.sent();
    }
    expect(echo.errors.map(({ code }) => code)).toEqual([Http2Code.ENHANCE_YOUR_CALM]);
  });

  it('of CONTINUATION end it (CVE-2024-27316)', async () => {
    echo.start();
    echo.send(frame(Type.headers, 0, 1, Buffer.of(0x82)));
    for (let count = 0; count < 100 && !echo.connection.isEnded; count++)
      echo.send(frame(9, 0, 1, Buffer.alloc(0)));
    expect(echo.errors.map(({ code }) => code)).toEqual([Http2Code.ENHANCE_YOUR_CALM]);
  });

  it('of fields are answered as too large', async () => {
    echo.start();
    const table = Buffer.concat([Buffer.of(0x40, 1, 0x61, 0x7f, 0xa1, 0x1e), Buffer.alloc(4_000, 0x62)]);
    echo.send(frame(Type.headers, 5, 1, Buffer.concat([table, Buffer.alloc(10_000, 0xbe)])));
    expect((await echo.sentOf(Type.headers)).map(({ stream, flags }) => [stream, flags])).toEqual([[1, 5]]);
    expect(echo.streams.size).toBe(0);
  });

  it('of questions are not read while their answers are not taken', async () => {
    const patient = new Echo({ minPingIntervalMs: 0 });
    patient.start();
    await patient.sent();
    patient.connection.isFull = true;
    const pings = Array<Buffer>(1_000).fill(frame(Type.ping, 0, 0, Buffer.alloc(8)));
    for (let round = 0; round < 10; round++) {
      patient.send(...pings);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(patient.connection.pauses).toBeGreaterThan(0);
    patient.connection.isFull = false;
    let answers = 0;
    for (let turn = 0; turn < 200; turn++) {
      patient.connection.handler.drained();
      answers += (await patient.sentOf(Type.ping)).length;
    }
    expect(answers).toBe(10_000);
    expect(patient.connection.pauses).toBe(0);
  });
});

describe('pings', () => {
  const ping = frame(Type.ping, 0, 0, Buffer.alloc(8, 7));

  it('that come too often while nothing is sent end the connection', async () => {
    echo.start();
    echo.send(...Array<Buffer>(20).fill(ping));
    const goAway = (await echo.sentOf(Type.goaway))[0];
    expect([codeOf(goAway.payload), goAway.payload.subarray(8).toString()]).toEqual([11, 'too_many_pings']);
  });

  it('are in order with each frame of DATA that is sent (gRPC A8)', async () => {
    echo.start(setting(Setting.initialWindowSize, 2 ** 24));
    echo.send(windowUpdate(0, 2 ** 24), call(1));
    for (let round = 0; round < 200; round++) {
      echo.send(data(1, 16_384));
      await echo.sent();
      echo.send(ping);
    }
    expect(echo.errors).toEqual([]);
  });
});

describe('the end', () => {
  it('comes with two GOAWAY, and after the last stream (RFC 9113, 6.8)', async () => {
    echo.start();
    echo.send(call(1));
    await echo.sent();
    echo.http2.shutDown(10_000);
    const [first, ping] = await echo.sent();
    expect([first.type, first.payload.readUInt32BE(0)]).toEqual([Type.goaway, 2 ** 31 - 1]);
    // This one was on its way.
    echo.send(call(3), frame(Type.ping, Flag.ack, 0, ping.payload), call(5));
    const frames = await echo.sent();
    const last = frames.find(({ type }) => type === Type.goaway)!;
    expect(last.payload.readUInt32BE(0)).toBe(3);
    const refused = frames.find(({ type }) => type === Type.reset)!;
    expect([refused.stream, codeOf(refused.payload)]).toEqual([5, Http2Code.REFUSED_STREAM]);
    echo.send(data(1, 3, Flag.endStream));
    expect(echo.connection.isEnded).toBe(false);
    echo.send(data(3, 3, Flag.endStream));
    await echo.sent();
    expect([echo.gone, echo.connection.isEnded]).toEqual([[1, 3], true]);
  });

  it('of a client that has said its last still brings answers to what it asked for', async () => {
    echo.start(setting(Setting.initialWindowSize, 0));
    echo.send(call(1), data(1, 3, Flag.endStream), call(3));
    echo.connection.handler.ended();
    expect(echo.gone).toEqual([3]);
    echo.http2.sweep(performance.now(), 0);
    expect(echo.connection.isDestroyed).toBe(false);
    echo.http2.sweep(performance.now() + 2_000, 0);
    expect(echo.connection.isDestroyed).toBe(true);
  });

  it('of the connection tells every stream, once', () => {
    echo.start();
    echo.send(call(1), call(3));
    echo.connection.handler.closed();
    echo.streams.get(1)!.reset(Http2Code.CANCEL);
    expect(echo.gone).toEqual([1, 3]);
  });
});

describe('a connection that is stuck is closed', () => {
  const sweepAfter = (ms: number) => echo.http2.sweep(performance.now() + ms, 0);

  it('before it has said its settings', () => {
    echo.send(PREFACE);
    sweepAfter(9_000);
    expect(echo.connection.isDestroyed).toBe(false);
    sweepAfter(11_000);
    expect(echo.connection.isDestroyed).toBe(true);
  });

  it('in a header block', () => {
    echo.start();
    echo.send(frame(Type.headers, 0, 1, Buffer.of(0x82)));
    sweepAfter(11_000);
    expect(echo.connection.isDestroyed).toBe(true);
  });

  it('when its peer does not answer', async () => {
    echo.start();
    sweepAfter(61_000);
    const [asked] = await echo.sentOf(Type.ping);
    echo.send(frame(Type.ping, Flag.ack, 0, asked.payload));
    sweepAfter(100_000);
    sweepAfter(119_000);
    expect(echo.connection.isDestroyed).toBe(false);
    sweepAfter(121_000);
    expect(echo.connection.isDestroyed).toBe(true);
  });

  it('when its peer takes nothing, whatever it sends', async () => {
    echo.start();
    await echo.sent();
    echo.connection.isFull = true;
    echo.send(frame(Type.ping, 0, 0, Buffer.alloc(8)));
    await echo.sent();
    sweepAfter(79_000);
    expect(echo.connection.isDestroyed).toBe(false);
    sweepAfter(81_000);
    expect(echo.connection.isDestroyed).toBe(true);
  });

  it('but not by time in which this process did not run', () => {
    echo.start();
    echo.http2.sweep(performance.now() + 500_000, 500_000);
    expect(echo.connection.isDestroyed).toBe(false);
  });
});
