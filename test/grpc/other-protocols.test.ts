import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openTestDoor, type TestDoor } from './grpc-door.ts';

/*
 * Who comes to the gRPC port with another protocol is told so in its own words, and named in the log.
 */

let door: TestDoor;
beforeEach(async () => {
  door = await openTestDoor();
});
afterEach(() => door.close());

/** What the door says to some bytes, which come in pieces, until it closes. */
async function answerTo(pieces: readonly Buffer[]): Promise<Buffer> {
  const { hostname, port } = new URL(door.door.url.replace('grpc:', 'http:'));
  const socket = connect(Number(port), hostname).setNoDelay(true);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  // The door may have closed it before it has all pieces.
  socket.on('error', () => {});
  const closed = once(socket, 'close');
  for (const piece of pieces) {
    socket.write(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await closed;
  return Buffer.concat(chunks);
}

const HTTP_1 = Buffer.from('POST /smq.SuhaibMessageQueue/Connect HTTP/1.1\r\nHost: x\r\n\r\n');
const MQTT_3 = Buffer.from('101000044d5154540402003c000461626364', 'hex');
const MQTT_5 = Buffer.from('101100044d5154540502003c00000461626364', 'hex');
const MQTT_31 = Buffer.from('101200064d51497364700302003c000461626364', 'hex');
const TLS = Buffer.from('16030100050100000100', 'hex');

const FRAMES = Buffer.from('0000000000000000016100', 'hex');
const KAFKA = Buffer.from('00000014001200030000000100037a7a7a', 'hex');

describe('a client that speaks', () => {
  it.each<[string, Buffer, string]>([
    ['HTTP/1', HTTP_1, 'HTTP/1.1 505 HTTP Version Not Supported'],
    ['MQTT', MQTT_3, '20020001'],
    ['MQTT', MQTT_31, '20020001'],
    ['MQTT', MQTT_5, '20460084431f0040'],
    ['tinymq frames', FRAMES, '09000000'],
    ['Kafka', KAFKA, ''],
    ['TLS', TLS, '15030100020228'],
  ])('%s', async (name, first, answer) => {
    for (const pieces of [[first], [first.subarray(0, 1), first.subarray(1)]]) {
      const found = await answerTo(pieces);
      expect([found.toString('hex'), found.toString('latin1')].some((form) => form.startsWith(answer))).toBe(
        true,
      );
    }
    expect(door.log.lines).toEqual(
      Array(2).fill(`warn: a client speaks ${name}, which this listener does not`),
    );
    expect(door.log.fields[0]).toMatchObject({ code: 'unsupported-protocol' });
  });

  it('nothing that is known', async () => {
    expect(await answerTo([Buffer.from('INVALID CONNECTION PREFACE')])).toHaveLength(0);
    expect(door.log.lines).toEqual(['warn: a client does not speak HTTP/2']);
  });
});

it('a request of HTTP/2 that is no call gets a line for people', async () => {
  const stream = door.client.session.request({ ':path': '/' });
  let text = '';
  stream.on('data', (chunk) => {
    text += chunk;
  });
  await once(stream, 'end');
  expect(text).toBe('This port speaks gRPC: calls of gRPC are POST requests.\n');
});

it('a unix socket is served like any other', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tinymq-grpc-'));
  const path = join(folder, 'smq.sock');
  const local = await openTestDoor({ endpoint: { scheme: 'unix', path } });
  expect(local.door.url).toBe(`unix://${path}`);
  expect(await local.client.unary('Connect', {})).toEqual({});
  await local.close();
  rmSync(folder, { recursive: true });
});
