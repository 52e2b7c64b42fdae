import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import { beforeAll, describe, expect, it } from 'vitest';
import { makeCertificates } from '../../certs/make.ts';
import { encodeFrame, FrameType } from '../../internal/protocol/frame/frame.ts';
import { startBrokerProcess } from '../support/broker-process.ts';
import { eventually } from '../support/eventually.ts';
import { connectRaw, RawClient } from '../support/raw-client.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-'));
const ACCEPTED = 20_000;
let tlsFlags: string[];
let trusting: ConnectionOptions;

beforeAll(async () => {
  const { ca, serverCert, serverKey } = await makeCertificates(folder);
  tlsFlags = ['-tls-cert', serverCert, '-tls-key', serverKey];
  trusting = { ca: readFileSync(ca), servername: 'localhost' };
  return () => rmSync(folder, { recursive: true });
});

describe('SIGTERM under load', () => {
  it.each([
    ['tcp', () => ['-address', 'localhost:0']],
    ['tls', () => ['-address', 'localhost:0', ...tlsFlags]],
    ['unix', () => ['-network', 'unix', '-address', join(folder, 'shutdown.sock')]],
    ['ws', () => ['-network', 'ws', '-address', 'localhost:0']],
  ])(
    'delivers what was accepted, without holes, says good-bye and ends with 0: %s',
    async (network, flags) => {
      await using broker = await startBrokerProcess(flags());
      const tls = network === 'tls' ? trusting : undefined;
      const subscriber = await connectRaw(broker.url, 'subscriber', tls);
      const publisher = await connectRaw(broker.url, 'publisher', tls);
      await subscriber.subscribe('load');
      const received = followNumbers(subscriber);

      const load = keepPublishing(publisher);
      await eventually(() => load.pongs() > 0, 'the answer to the PING after the messages that count');
      const ended = await broker.stop();

      expect(ended).toMatchObject({ code: 0, signal: null });
      await subscriber.closed();
      await publisher.closed();
      expect(
        received.numbers.findIndex((number, index) => number !== index),
        'a hole at',
      ).toBe(-1);
      expect(received.numbers.length).toBeGreaterThanOrEqual(ACCEPTED);
      expect(received.reason()).toBe('server-shutdown: The broker is stopping.');
      expect(load.reason()).toBe('server-shutdown: The broker is stopping.');
    },
  );

  it('delivers it to a subscriber that is slower than its publisher', async () => {
    await using broker = await startBrokerProcess([
      ...['-address', 'localhost:0', '-slow-consumer-wait', '60', '-shutdown-timeout', '50'],
    ]);
    const subscriber = await connectRaw(broker.url, 'subscriber');
    const publisher = await connectRaw(broker.url, 'publisher');
    await subscriber.subscribe('load');
    const received = followNumbers(subscriber);
    subscriber.stream.on('data', () => {
      subscriber.stream.pause();
      setTimeout(() => subscriber.stream.resume(), 1);
    });
    const load = keepPublishing(publisher, 4096);
    await eventually(() => load.pongs() > 0, 'the answer to the PING after the messages that count');
    expect(await broker.stop()).toMatchObject({ code: 0 });
    await subscriber.closed();
    await publisher.closed();
    expect(
      received.numbers.findIndex((number, index) => number !== index),
      'a hole at',
    ).toBe(-1);
    expect(received.numbers.length).toBeGreaterThanOrEqual(ACCEPTED);
    expect(received.reason()).toBe('server-shutdown: The broker is stopping.');
  });
});

describe('a stop', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('with nobody there ends with 0: %s', async (signal) => {
    await using broker = await startBrokerProcess(['-address', 'localhost:0']);
    expect(await broker.stop(signal)).toMatchObject({ code: 0, signal: null });
  });

  it('waits for a stuck subscriber no longer than -shutdown-timeout', async () => {
    await using broker = await startBrokerProcess(['-address', 'localhost:0', '-shutdown-timeout', '0.5']);
    await makeStuckSubscriber(broker.url);
    expect(await broker.stop()).toMatchObject({ code: 0, signal: null });
  });

  // A publisher that was told to go was no longer held back: within the two seconds in which it was still read, it
  // filled the broker's memory with messages for a subscriber that did not take them.
  it('still holds back a publisher that does not mind being told to go', async () => {
    await using broker = await startBrokerProcess([
      ...['-address', 'localhost:0', '-slow-consumer-wait', '1h', '-shutdown-timeout', '4'],
      ...['-channel-bytes', '64KiB'],
    ]);
    const slow = await connectRaw(broker.url, 'slow');
    await slow.subscribe('load');
    slow.consume(() => {});
    slow.stream.on('data', () => {
      slow.stream.pause();
      setTimeout(() => slow.stream.resume(), 10);
    });
    const socket = createConnection({ port: portOf(broker.url), host: 'localhost', allowHalfOpen: true });
    const publisher = new RawClient(socket, 'publisher');
    publisher.send(FrameType.connect);
    await publisher.expect(FrameType.connack);
    publisher.consume(() => {});
    const frame = encodeFrame(FrameType.publish, 'load', new Uint8Array(1024 ** 2), 'publisher');
    const publishMore = () => {
      while (!socket.destroyed && socket.write(frame));
    };
    socket.on('drain', publishMore);
    publishMore();
    await eventually(() => socket.bytesWritten > 20 * frame.length, 'a publisher that is held back');

    const before = broker.memory();
    let most = 0;
    const watch = setInterval(() => {
      most = Math.max(most, broker.memory());
    }, 5);
    await broker.stop();
    clearInterval(watch);
    expect(most - before).toBeLessThan(300 * 1024 ** 2);
    slow.stream.destroy();
  });

  it('ends at once, with 1, on a second signal', async () => {
    await using broker = await startBrokerProcess(['-address', 'localhost:0', '-shutdown-timeout', '1h']);
    await makeStuckSubscriber(broker.url);
    process.kill(broker.pid, 'SIGTERM');
    await broker.logged({ msg: 'stopping: what was accepted is still delivered' });
    expect(await broker.stop('SIGTERM')).toMatchObject({ code: 1, signal: null });
  });

  it('lets nobody in any more', async () => {
    await using broker = await startBrokerProcess(['-address', 'localhost:0', '-shutdown-timeout', '1h']);
    await makeStuckSubscriber(broker.url);
    process.kill(broker.pid, 'SIGTERM');
    await broker.logged({ msg: 'stopping: what was accepted is still delivered' });
    await expect(connectRaw(broker.url, 'late')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });
});

/** Collects the numbers that messages begin with, and the reason that the broker gives at the end. */
function followNumbers(client: RawClient): { numbers: number[]; reason(): string | undefined } {
  const numbers: number[] = [];
  let reason: string | undefined;
  client.consume(({ type, payload }) => {
    if (type === FrameType.publish) numbers.push(numberOf(payload));
    if (type === FrameType.disconnect) reason = Buffer.from(payload).toString();
  });
  return { numbers, reason: () => reason };
}

/** Publishes numbered messages for as long as the broker takes them, and asks for a PONG after {@link ACCEPTED}. */
function keepPublishing(
  client: RawClient,
  payloadBytes = 64,
): { pongs(): number; reason(): string | undefined } {
  const inAGo = 500;
  let pongs = 0;
  let reason: string | undefined;
  let next = 0;
  client.consume(({ type, payload }) => {
    if (type === FrameType.pong) pongs++;
    if (type === FrameType.disconnect) reason = Buffer.from(payload).toString();
  });

  function publishMore(): void {
    if (client.stream.destroyed || client.stream.writableEnded) return;
    const frames = Array.from({ length: inAGo }, () => {
      const payload = Buffer.alloc(payloadBytes);
      payload.writeUInt32BE(next++);
      return encodeFrame(FrameType.publish, 'load', payload, client.clientId);
    });
    if (next === ACCEPTED) frames.push(encodeFrame(FrameType.ping, '', '', client.clientId));
    if (client.stream.write(Buffer.concat(frames))) setImmediate(publishMore);
    else client.stream.once('drain', publishMore);
  }

  publishMore();
  return { pongs: () => pongs, reason: () => reason };
}

/** Leaves messages in the broker for a subscriber that never reads them. */
async function makeStuckSubscriber(url: string): Promise<void> {
  const stuck = await connectRaw(url, 'stuck');
  await stuck.subscribe('stuck');
  stuck.stream.pause();
  const publisher = await connectRaw(url, 'publisher');
  for (let count = 0; count < 20; count++) publisher.publish('stuck', new Uint8Array(1024 ** 2));
  await publisher.ping();
}

function portOf(url: string): number {
  return Number(/:(\d+)$/.exec(url)![1]);
}

function numberOf(payload: Uint8Array): number {
  return new DataView(payload.buffer, payload.byteOffset).getUint32(0);
}
