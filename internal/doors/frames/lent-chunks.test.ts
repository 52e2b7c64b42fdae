import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { connectMqtt } from '../../../test/mqtt/client.ts';
import { subscribe } from '../../../test/support/frame-words.ts';
import { openStream, RawClient } from '../../../test/support/raw-client.ts';
import { lentChunk } from '../../broker/delivery/lent-chunk.ts';
import { ANY_CREDIT, encodeCredit } from '../../protocol/frame/acknowledgements.ts';
import { encodeFrame, type Frame, FrameType } from '../../protocol/frame/frame.ts';
import { PacketType } from '../../protocol/mqtt/packet.ts';
import { startBroker } from '../../server/start-broker.ts';

const MiB = 1024 ** 2;
const SENT_BYTES = 48 * MiB;
const PATIENCE = { timeout: 120_000, interval: 50 };
/** Of messages that are gathered in one write, and of such that are written as they lie. */
const SIZES = [16, 1_000, 1_000, 1_000, 5_000, 70_000];

let broker: Awaited<ReturnType<typeof startBroker>>;
let url: string;
/** Of each chunk that was lent, whether it was given back. */
let lent: boolean[];

beforeEach(async () => {
  broker = await startBroker({
    listen: ['tcp://127.0.0.1:0', 'ws://127.0.0.1:0'],
    keep: [{ filter: 'kept/#' }],
    memory: true,
    slowConsumerWaitMs: 60_000,
  });
  url = broker.listeners[0]!.url;
  lent = [];
  const { lend } = lentChunk;
  vi.spyOn(lentChunk, 'lend').mockImplementation((bytes, take) => {
    const isGivenBack = lend.call(lentChunk, bytes, take);
    lent.push(isGivenBack);
    // Whoever still looks at it sees that it is not its own any more.
    if (isGivenBack) bytes.fill(0xee);
    return isGivenBack;
  });
});

afterEach(async () => {
  vi.restoreAllMocks();
  await broker.close();
});

describe('chunks of much that is published', () => {
  it('are lent, and subscribers of all kinds get each message as it was sent', async () => {
    const fast = await subscriber('fast');
    const slow = await subscriber('slow');
    const second = setInterval(() => {
      if (slow.client.stream.isPaused()) slow.client.stream.resume();
      else slow.client.stream.pause();
    }, 20);
    const sent = await publishMuch('a/b');
    await vi.waitFor(() => expect(fast.digest()).toBe(sent), PATIENCE);
    clearInterval(second);
    slow.client.stream.resume();
    await vi.waitFor(() => expect(slow.digest()).toBe(sent), PATIENCE);
    expect(lent.length).toBeGreaterThan(50);
    expect(lent).toContain(true);
  });

  it.each(['flow', 'delivery', 'options session session-expiry=60 delivery'])(
    'are kept for one that agreed on %s',
    async (offer) => {
      const other = await subscriber('other', offer);
      if (offer === 'flow') {
        for (let step = 0; step < 200; step++)
          setTimeout(
            () => other.client.stream.write(encodeCredit({ messages: 20, bytes: ANY_CREDIT })),
            step,
          );
        setTimeout(
          () => other.client.stream.write(encodeCredit({ messages: ANY_CREDIT, bytes: ANY_CREDIT })),
          300,
        );
      }
      const sent = await publishMuch('a/b');
      await vi.waitFor(() => expect(other.digest()).toBe(sent), PATIENCE);
      expect(lent.length).toBeGreaterThan(50);
    },
  );

  it('are kept for a WebSocket, for MQTT and for a log', async () => {
    const page = await subscriber('page', '', broker.listeners[1]!.url);
    const fast = await subscriber('fast');
    const mqtt = await connectMqtt(url, 5);
    await mqtt.subscribe('#', 0);
    const digest = digestOf();
    const reading = (async () => {
      for (let count = 0; count < messagesToSend(); count++) {
        const { topic, payload } = await mqtt.next(PacketType.publish);
        digest.add({ topic, payload });
      }
    })();
    const sent = await publishMuch('kept/b');
    await vi.waitFor(() => expect(fast.digest()).toBe(sent), PATIENCE);
    await vi.waitFor(() => expect(page.digest()).toBe(sent), PATIENCE);
    await reading;
    expect(digest.value()).toBe(sent);
    const replay = await subscriber('replay', '', url, '$replay/earliest/kept/b');
    await vi.waitFor(() => expect(replay.digest()).toBe(sent), PATIENCE);
  });

  it('are lent between others that ask for something', async () => {
    const fast = await subscriber('fast');
    const publisher = await connected('publisher');
    publisher.consume(() => {});
    const sent = await publishMuch('a/b', publisher, (count) =>
      count % 700 === 0 ? subscribe(`never/${count}`, {}, 'publisher') : undefined,
    );
    await vi.waitFor(() => expect(fast.digest()).toBe(sent), PATIENCE);
    expect(lent).toContain(true);
    expect(lent).toContain(false);
  });
});

/** A digest of messages in their order. */
function digestOf() {
  const hash = createHash('sha256');
  return {
    add({ topic, payload }: Pick<Frame, 'topic' | 'payload'>) {
      hash.update(topic).update(payload);
    },
    value: () => hash.copy().digest('hex'),
  };
}

async function connected(clientId: string, offer = '', to = url): Promise<RawClient> {
  const client = new RawClient(await openStream(to), clientId);
  client.send(FrameType.connect, '', offer);
  await client.expect(FrameType.connack);
  return client;
}

async function subscriber(clientId: string, offer = '', to = url, filter = '#') {
  const client = await connected(clientId, offer, to);
  client.stream.write(subscribe(filter, {}, clientId));
  await client.expect(FrameType.suback);
  const digest = digestOf();
  client.consume((frame) => {
    if (frame.topic !== '') digest.add(frame);
  });
  return { client, digest: digest.value };
}

function messagesToSend(): number {
  const roundBytes = SIZES.reduce((sum, size) => sum + size, 0);
  return SIZES.length * Math.ceil(SENT_BYTES / roundBytes);
}

/** Publishes messages of several sizes, in runs of each; the digest of what subscribers are to get. */
async function publishMuch(
  topic: string,
  publisher?: RawClient,
  between: (count: number) => Uint8Array | undefined = () => undefined,
): Promise<string> {
  const { stream, clientId } = publisher ?? (await connected('publisher'));
  const digest = digestOf();
  for (let count = 0; count < messagesToSend(); count++) {
    const size = SIZES[Math.floor(count / 50) % SIZES.length]!;
    const payload = Buffer.alloc(size, `${count},`);
    digest.add({ topic, payload });
    const other = between(count);
    if (other !== undefined) stream.write(other);
    if (stream.write(encodeFrame(FrameType.publish, topic, payload, clientId))) continue;
    await new Promise((resolve) => stream.once('drain', resolve));
  }
  return digest.value();
}
