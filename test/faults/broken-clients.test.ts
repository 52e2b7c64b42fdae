import { once } from 'node:events';
import { createConnection } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { encodeFrame, FrameType } from '../../internal/protocol/frame/frame.ts';
import { type BrokerProcess, startBrokerProcess } from '../support/broker-process.ts';
import { eventually } from '../support/eventually.ts';
import { connectRaw, openStream, RawClient } from '../support/raw-client.ts';

const MiB = 1024 ** 2;
let broker: BrokerProcess;

beforeAll(async () => {
  broker = await startBrokerProcess(['-address', 'localhost:0']);
  return () => broker.stop('SIGKILL');
});

afterEach(async () => {
  await allClientsAreGone();
  await usingClient('after', async (client) => {
    await client.subscribe('alive');
    client.publish('alive', 'yes');
    expect(await client.message()).toEqual(['alive', 'yes', 'after']);
  });
  await allClientsAreGone();
});

describe('bytes that make no sense', () => {
  it('in the first frame are refused, whatever they are', async () => {
    const random = pseudoRandom(1);
    for (let round = 0; round < 300; round++) {
      const garbage = Uint8Array.from({ length: 1 + (random() % 600) }, () => random());
      const stranger = new RawClient(await openStream(broker.url), 'garbage');
      stranger.stream.end(garbage);
      await stranger.closed();
      for (const { type, payload } of stranger.waiting) {
        // A frame, unless what came looked like another protocol or was the beginning of a CONNECT.
        expect(type).toBe(FrameType.disconnect);
        expect(Buffer.from(payload).toString()).toMatch(
          /^(not-connected|invalid-client-id|message-too-large): /,
        );
      }
    }
  });

  it('after CONNECT end at most the one connection', async () => {
    const random = pseudoRandom(2);
    await usingClient('bystander', async (bystander) => {
      for (let round = 0; round < 300; round++) {
        const client = await connectRaw(broker.url, `garbage-${round}`);
        client.stream.end(Uint8Array.from({ length: 1 + (random() % 600) }, () => random()));
        await client.closed();
      }
      await bystander.expectSilence();
    });
  });

  it.each([
    ['PUBLISH', FrameType.publish, 'a'],
    ['SUBSCRIBE', FrameType.subscribe, 'a'],
    ['PING', FrameType.ping, ''],
    ['CONNACK', FrameType.connack, ''],
  ])('%s before CONNECT is refused', async (_, type, topic) => {
    const client = new RawClient(await openStream(broker.url), 'early');
    client.send(type, topic);
    expect(await client.expectRefusal()).toBe(
      `not-connected: the first frame has type ${type}, not CONNECT (0)`,
    );
  });
});

describe('clients that vanish', () => {
  it('in the middle of a frame leave nothing behind', async () => {
    const connect = encodeFrame(FrameType.connect, '', '', 'half');
    const publish = encodeFrame(FrameType.publish, 'half/topic', 'payload', 'half');
    await usingClient('half-watcher', async (watcher) => {
      await watcher.subscribe('half/#');
      for (let cut = 1; cut < publish.length; cut++) {
        const stream = await openStream(broker.url);
        const answered = once(stream, 'data');
        stream.write(Buffer.concat([connect, publish.subarray(0, cut)]));
        await answered;
        stream.destroy();
      }
      for (let cut = 1; cut < connect.length; cut++) {
        const stream = await openStream(broker.url);
        stream.end(connect.subarray(0, cut));
        stream.resume();
        await once(stream, 'close');
      }
      await watcher.expectSilence();
    });
  });

  it('a thousand of them, half of them before CONNECT, are forgotten', async () => {
    const inAGo = 100;
    for (let gone = 0; gone < 1000; gone += inAGo) {
      const comers = Array.from({ length: inAGo }, async (_, index) => {
        const stream = await openStream(broker.url);
        if (index % 2 === 0) {
          const client = new RawClient(stream, `vanishing-${gone + index}`);
          client.send(FrameType.connect);
          client.send(FrameType.subscribe, `vanish/${index}/#`);
          await client.expect(FrameType.connack);
          client.publish(`vanish/${index}/x`, 'y');
        }
        stream.destroy();
      });
      await Promise.all(comers);
    }
    await allClientsAreGone();
    expect((await broker.stats()).subscriptions).toBe(0);
  });
});

describe('lengths that are only claimed', () => {
  it('beyond the limit are refused as soon as they are read', async () => {
    const clients = await Promise.all(
      Array.from({ length: 200 }, (_, index) => connectRaw(broker.url, `claim-${index}`)),
    );
    for (const client of clients) client.stream.write(publishHeader(0xffff_ffff));
    for (const client of clients) {
      expect(await client.expectRefusal()).toBe(
        'message-too-large: payload of 4294967295 bytes; at most 16777216 are accepted',
      );
    }
  });

  it('within the limit reserve no memory for what has not arrived', async () => {
    const before = broker.memory();
    const clients = await Promise.all(
      Array.from({ length: 200 }, (_, index) => connectRaw(broker.url, `claim-${index}`)),
    );
    for (const client of clients) {
      client.stream.write(Buffer.concat([publishHeader(16 * MiB), new Uint8Array(1000)]));
    }
    // Served after what the others sent before: by now their frames have begun.
    await usingClient('claim-watcher', (watcher) => watcher.ping());
    expect(broker.memory() - before).toBeLessThan(100 * MiB);
    for (const client of clients) client.stream.destroy();
  });
});

describe('a client of another protocol', () => {
  it.each([
    // A hello of TLS 1.0 to 1.3 begins with 16 03; the answer is an alert, which ends with its reason, 0x28.
    ['TLS', Buffer.from('16030100050100000100', 'hex'), /^.{6}\($/s],
    ['HTTP/1', Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'), /^HTTP\/1\.1 400 .*tinymq frames/s],
  ])('%s gets a clean close, and the log says so', async (name, hello, answer) => {
    const socket = createConnection(portOf(broker), 'localhost');
    let received = '';
    socket.setEncoding('utf8').on('data', (text) => {
      received += text;
    });
    socket.write(hello);
    const [hadError] = await once(socket, 'close');
    expect(hadError).toBe(false);
    expect(received).toMatch(answer);
    await broker.logged({
      code: 'unsupported-protocol',
      msg: `a client speaks ${name}, which this listener does not`,
    });
  });

  it('TLS gets an end of its handshake, and the log says so', async () => {
    const socket = connectTls(portOf(broker), 'localhost');
    await once(socket, 'error');
    await broker.logged({
      code: 'unsupported-protocol',
      msg: 'a client speaks TLS, which this listener does not',
    });
  });
});

async function usingClient(id: string, use: (client: RawClient) => Promise<void>): Promise<void> {
  await using client = await connectRaw(broker.url, id);
  await use(client);
}

function allClientsAreGone(): Promise<unknown> {
  return eventually(async () => (await broker.stats()).clients === 0, 'a count of no clients');
}

/** A PUBLISH to `a` up to its payload, which is claimed to be this long. */
function publishHeader(payloadBytes: number): Uint8Array {
  const header = Buffer.from('02000161ffffffff', 'hex');
  header.writeUInt32BE(payloadBytes, 4);
  return header;
}

function portOf({ url }: BrokerProcess): number {
  return Number(/:(\d+)$/.exec(url)![1]);
}

/** Bytes that are the same in every run (Numerical Recipes' generator). */
function pseudoRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 16;
  };
}
