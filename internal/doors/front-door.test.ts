import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeConnection } from '../../test/support/fake-connection.ts';
import { systemClock } from '../lib/clock.ts';
import { deadlineSweepMs } from '../limits/doors.ts';
import { Fates } from '../observe/fates.ts';
import { Metrics } from '../observe/metrics.ts';
import type { Connection } from '../transport/connection.ts';
import type { SharedPort } from './door.ts';
import { framesEntry } from './frames/entry.ts';
import { FrontDoor } from './front-door.ts';
import { mqttEntry } from './mqtt/entry.ts';

const CONNECT_TIMEOUT_MS = 5_000;
const MQTT_HEAD = Buffer.from('100c00044d51545404', 'hex');

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('the front door', () => {
  it.each([
    ['a CONNECT frame', [0x00, 0, 0, 0, 0, 0, 0, 0, 1, 0x61]],
    ['any other frame, which is refused there', [0x02]],
    ['noise', [0xff, 0x00, 0x17]],
    ['what begins like HTTP and is not', [...Buffer.from('GETTING')]],
  ])('passes %s on to the door of the frames, with what has arrived', (_, bytes) => {
    const { front, taken, warnings } = setUp();
    const connection = new FakeConnection();
    front.open(connection);
    expect(taken).toEqual([]);
    connection.handler.bytes(Uint8Array.from(bytes));
    expect(taken).toEqual([{ connection, first: Uint8Array.from(bytes) }]);
    expect(connection.isEnded).toBe(false);
    expect(warnings).toEqual([]);
  });

  it('passes CONNECT of MQTT on to its door, however it is cut and though empty messages of a WebSocket come', () => {
    const { front, taken, mqttTaken } = setUp();
    const connection = new FakeConnection();
    front.open(connection);
    connection.handler.bytes(new Uint8Array(0));
    expect(mqttTaken).toEqual([]);
    for (const byte of MQTT_HEAD) connection.handler.bytes(Uint8Array.of(byte));
    expect(mqttTaken.map((first) => Buffer.from(first))).toEqual([MQTT_HEAD]);
    expect(taken).toEqual([]);
  });

  it.each([
    ['CONNECT with flags, which version 3.1 allows', [0x12, ...MQTT_HEAD.subarray(1)]],
    ['what begins like TLS and is not', [0x16, 0x00]],
    ['PUBLISH', [0x3d, 0x04]],
    ['SUBSCRIBE', [0x82, 0x06]],
    ['PINGREQ', [0xc0, 0x00]],
  ])('passes %s on to the door of MQTT, which refuses it in its own way', (_, bytes) => {
    const { front, taken, mqttTaken } = setUp();
    const connection = new FakeConnection();
    front.open(connection);
    connection.handler.bytes(Uint8Array.from(bytes));
    expect([mqttTaken, taken]).toEqual([[Uint8Array.from(bytes)], []]);
  });

  it.each([
    ['TLS', Buffer.from('1603010200', 'hex'), Buffer.from('15030100020228', 'hex').toString()],
    ['Kafka', Buffer.from('00000014001200030000000100037a7a7a', 'hex'), ''],
    ['HTTP/2', Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), '\0\0\0\x04'],
    ['HTTP/1', Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'HTTP/1.1 400 Bad Request\r\n'],
    ['HTTP/1', Buffer.from('CONNECT example.com:80 HTTP/1.1\r\n\r\n'), 'HTTP/1.1 400 Bad Request\r\n'],
  ])('closes a connection of %s and says so in the log', (name, first, answer) => {
    const { front, taken, warnings } = setUp();
    const connection = new FakeConnection();
    front.open(connection);
    connection.handler.bytes(first);
    expect(taken).toEqual([]);
    expect(connection.isEnded).toBe(true);
    const written = Buffer.concat(connection.written).toString();
    expect(written.slice(0, answer.length)).toBe(answer);
    expect(written === '').toBe(answer === '');
    expect(warnings).toEqual([`unsupported-protocol: a client speaks ${name}, which this listener does not`]);
    connection.handler.bytes(first);
    connection.handler.ended();
    connection.handler.closed();
    expect(warnings).toHaveLength(1);
  });

  it('answers HTTP with as many bytes as it says', () => {
    const { front } = setUp();
    const connection = new FakeConnection();
    front.open(connection);
    connection.handler.bytes(Buffer.from('POST /x HTTP/1.1\r\n\r\n'));
    const [head, body] = Buffer.concat(connection.written).toString().split('\r\n\r\n');
    expect(Number(/Content-Length: (\d+)/.exec(head)![1])).toBe(Buffer.byteLength(body));
  });

  it('passes on who stays silent, to be told so, once the time is over', () => {
    const { front, taken } = setUp();
    const early = new FakeConnection();
    front.open(early);
    vi.advanceTimersByTime(CONNECT_TIMEOUT_MS - 2 * deadlineSweepMs);
    const late = new FakeConnection();
    front.open(late);
    expect(taken).toEqual([]);
    vi.advanceTimersByTime(3 * deadlineSweepMs);
    expect(taken).toEqual([{ connection: early, first: new Uint8Array(0) }]);
    vi.advanceTimersByTime(CONNECT_TIMEOUT_MS);
    expect(taken.map(({ connection }) => connection)).toEqual([early, late]);
  });

  it('does not count the time in which the broker itself did not run', () => {
    const { front, taken } = setUp();
    const silent = new FakeConnection();
    front.open(silent);
    const { now } = performance;
    const stopped = vi.spyOn(performance, 'now').mockImplementation(() => now.call(performance) + 3_600_000);
    vi.advanceTimersByTime(CONNECT_TIMEOUT_MS - deadlineSweepMs);
    expect(taken).toEqual([]);
    vi.advanceTimersByTime(2 * deadlineSweepMs);
    expect(taken).toHaveLength(1);
    stopped.mockRestore();
  });

  it('passes on what somebody said who goes away, or falls silent, in the middle of a word', () => {
    const { front, taken, mqttTaken } = setUp();
    const gone = new FakeConnection();
    front.open(gone);
    gone.handler.bytes(Uint8Array.of(0));
    const silent = new FakeConnection();
    front.open(silent);
    silent.handler.bytes(Uint8Array.of(0x10));
    expect([taken, mqttTaken]).toEqual([[], []]);
    gone.handler.ended();
    expect(taken).toEqual([{ connection: gone, first: Uint8Array.of(0) }]);
    vi.advanceTimersByTime(CONNECT_TIMEOUT_MS + deadlineSweepMs);
    expect(mqttTaken).toEqual([Uint8Array.of(0x10)]);
    expect(taken).toHaveLength(1);
  });

  it('forgets who goes away before saying anything', () => {
    const { front, taken } = setUp();
    const connection = new FakeConnection();
    front.open(connection);
    connection.handler.ended();
    expect(connection.isEnded).toBe(true);
    connection.handler.closed();
    vi.advanceTimersByTime(2 * CONNECT_TIMEOUT_MS);
    expect(taken).toEqual([]);
  });

  it('closes the silent when it closes, and nobody else', async () => {
    const { front } = setUp();
    const silent = new FakeConnection();
    const talking = new FakeConnection();
    front.open(silent);
    front.open(talking);
    talking.handler.bytes(Uint8Array.of(2));
    await front.close(0);
    expect([silent.isDestroyed, talking.isDestroyed]).toEqual([true, false]);
  });

  it('lets nobody in after it has closed: a handshake may end later than the listener', async () => {
    const { front, taken } = setUp();
    await front.close(0);
    const late = new FakeConnection();
    front.open(late);
    late.handler.bytes(Uint8Array.of(0));
    expect(late.isDestroyed).toBe(true);
    expect(taken).toEqual([]);
  });
});

function setUp() {
  const taken: { connection: Connection; first: Uint8Array }[] = [];
  const warnings: string[] = [];
  const frames = {
    name: 'frames',
    open: (connection: Connection, first: Uint8Array) => {
      connection.handler = new FakeConnection().handler;
      taken.push({ connection, first });
    },
    close: async () => {},
  };
  const mqttTaken: Uint8Array[] = [];
  const mqtt = { ...frames, name: 'mqtt', open: (_: Connection, first: Uint8Array) => mqttTaken.push(first) };
  const logger = {
    debug() {},
    info() {},
    warn: (fields: object, message: string) => {
      warnings.push(`${(fields as { code: string }).code}: ${message}`);
    },
    error() {},
  };
  const { recognises } = mqttEntry.listening as SharedPort;
  const front = new FrontDoor({
    owner: { door: frames, serves: framesEntry.serves },
    others: [{ door: mqtt, serves: mqttEntry.serves, recognises }],
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    fates: new Fates(new Metrics(), logger),
    clock: systemClock,
  });
  return { front, taken, mqttTaken, warnings };
}
