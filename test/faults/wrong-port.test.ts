import { once } from 'node:events';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { apiVersions } from '../../internal/protocol/kafka/apis/18-api-versions.ts';
import { encodeRequest } from '../../internal/protocol/kafka/exchange.ts';
import { Client } from '../../pkg/client/index.ts';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';

/*
 * A client that comes to the wrong port was told nothing, and the log spoke of "a request of 369295622 bytes" where
 * somebody tried TLS on Kafka's port. Each door now names each protocol, and answers in its words where it has some.
 */

let broker: RunningBroker;
const lines: { fields: Record<string, unknown>; message: string }[] = [];
const urls: Record<string, string> = {};

beforeAll(async () => {
  const note = (fields: object, message: string) => lines.push({ fields: { ...fields }, message });
  broker = await startBroker({
    listen: ['tcp://127.0.0.1:0', 'ws://127.0.0.1:0'],
    kafka: { listen: ['tcp://127.0.0.1:0'] },
    grpc: { listen: ['tcp://127.0.0.1:0'] },
    memory: true,
    logger: { debug() {}, info() {}, warn: note, error: note },
  });
  for (const { url, door } of broker.listeners) urls[url.startsWith('ws') ? 'ws' : door] = url;
});
afterAll(() => broker.close());
beforeEach(() => {
  lines.length = 0;
});

/** What a door says to some bytes until it closes. */
async function answerTo(door: string, bytes: Uint8Array): Promise<Buffer> {
  const socket = connect(portOf(door), '127.0.0.1');
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.write(bytes);
  await once(socket, 'end');
  socket.destroy();
  return Buffer.concat(chunks);
}

const portOf = (door: string) => Number(urls[door].split(':').at(-1));
/** In the log a listener has the name of its transport. */
const listenerOf = (door: string) => `tcp://127.0.0.1:${portOf(door)}`;

const FIRST_BYTES: Record<string, Uint8Array> = {
  TLS: Buffer.from('16030100050100000100', 'hex'),
  'HTTP/1': Buffer.from('GET /topics HTTP/1.1\r\nHost: x\r\n\r\n'),
  'HTTP/2': Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', 'latin1'),
  MQTT: Buffer.from('101100044d5154540502003c00000461626364', 'hex'),
  Kafka: Buffer.concat(encodeRequest(apiVersions, 0, { correlationId: 1, clientId: 'rdkafka' }, {})),
  'tinymq frames': Buffer.from('00000000000000000178', 'hex'),
};

interface Expected {
  /** The first bytes of the answer, in hex; undefined for none. */
  begins: string | undefined;
  /** What is said to people. */
  says: RegExp;
  /** The listener that is right. */
  right: string | undefined;
}

const ANSWERS: Record<string, Expected> = {
  TLS: { begins: '15030100020228', says: /^.{7}$/s, right: undefined },
  'HTTP/1': {
    begins: Buffer.from('HTTP/1.1 ').toString('hex'),
    says: /^HTTP\/1\.1 (400|505) .*This port speaks .*WebSockets are served at ws:/s,
    right: 'ws',
  },
  'HTTP/2': {
    begins: '000000040000000000',
    says: /this port speaks .*HTTP\/2 is served at grpc:/,
    right: 'grpc',
  },
  MQTT: { begins: '20', says: /this port speaks .*MQTT is served at tcp:/, right: 'frames' },
  Kafka: { begins: undefined, says: /^$/, right: 'kafka' },
  'tinymq frames': {
    begins: '090000',
    says: /unsupported-protocol: this port speaks .*served at tcp:/,
    right: 'frames',
  },
};

const FOREIGN: Record<string, string[]> = {
  frames: ['TLS', 'HTTP/1', 'HTTP/2', 'Kafka'],
  kafka: ['TLS', 'HTTP/1', 'HTTP/2', 'MQTT', 'tinymq frames'],
  grpc: ['TLS', 'HTTP/1', 'MQTT', 'Kafka', 'tinymq frames'],
};

describe.each(Object.entries(FOREIGN))('the port of %s', (door, protocols) => {
  it.each(protocols)('names a client of %s, and tells it where to go', async (protocol) => {
    const { begins = '', says, right } = ANSWERS[protocol];
    const answer = await answerTo(door, FIRST_BYTES[protocol]);
    expect(answer.toString('hex', 0, begins.length / 2)).toBe(begins);
    expect(answer.toString()).toMatch(says);
    const served = right && urls[right];
    const code = 'unsupported-protocol';
    const reason = `the client speaks ${protocol}, which this listener does not`;
    expect(lines).toEqual([
      {
        message: `a client speaks ${protocol}, which this listener does not`,
        fields: { door, code, reason, remote: expect.any(String), listener: listenerOf(door), served },
      },
    ]);
  });

  it('ends the handshake of a client that speaks TLS', async () => {
    const [error] = await once(connectTls(portOf(door), '127.0.0.1'), 'error');
    expect(error.message).toMatch(/alert/);
  });
});

it.each(['kafka', 'grpc'])('the SDK at the port of %s says what it is', async (door) => {
  const client = new Client({ address: `127.0.0.1:${portOf(door)}`, clientId: 'lost' });
  await expect(client.connect()).rejects.toMatchObject({
    code: 'unsupported-protocol',
    message: expect.stringContaining(`served at ${urls.frames}`),
  });
});
