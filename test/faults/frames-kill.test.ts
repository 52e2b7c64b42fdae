import fc from 'fast-check';
import { expect, it } from 'vitest';
import { encodeAck, parseAck } from '../../internal/protocol/frame/acknowledgements.ts';
import { FrameBit, FrameType } from '../../internal/protocol/frame/frame.ts';
import { parseOfferAnswer } from '../../internal/protocol/frame/offer.ts';
import { useLastingBrokers } from '../mqtt/lasting-broker.ts';
import type { BrokerProcess } from '../support/broker-process.ts';
import { eventually } from '../support/eventually.ts';
import { connect, counted, subscribe } from '../support/frame-words.ts';
import { openStream, RawClient } from '../support/raw-client.ts';
import { rounds, torturePatienceMs } from '../support/torture.ts';

const startBroker = useLastingBrokers();
/** 1,000 of them by `make torture`. */
const CYCLES = rounds(6, 100);
const FLAGS = ['-log', 'kept/#', '-fsync', 'commit', '-session-queue', '1000000'];
const TOPICS = ['kept/a', 'kept/b', 'live/c'];

/**
 * A publisher that is killed as often as its broker: what it has to send and the last number that was acknowledged outlast it, the
 * latter as it was written to its disk some time ago.
 */
class KilledPublisher {
  readonly sent: string[] = [];
  /** The last number that was acknowledged, and what its disk has of that. */
  acknowledged = 0;
  #written = 0;
  #client: RawClient | undefined;

  async connect(broker: BrokerProcess): Promise<void> {
    this.#client?.stream.destroy();
    const client = new RawClient(await openStream(broker.url), 'publisher');
    this.#client = client;
    client.stream.write(connect('publisher', `once producer=p acked=${this.#written}`));
    const { payload } = await client.expect(FrameType.connack);
    const { last = -1 } = parseOfferAnswer(payload);
    expect(last).toBeGreaterThanOrEqual(this.#written);
    expect(last).toBeLessThanOrEqual(this.sent.length);
    client.consume(({ type, payload: said }) => {
      if (type === (FrameType.acknowledge | FrameBit.once)) this.acknowledged = parseAck(said).upTo;
    });
    this.#send(last + 1);
  }

  publish(count: number): void {
    const first = this.sent.length + 1;
    for (let number = first; number < first + count; number++) {
      this.sent.push(TOPICS[number % TOPICS.length]!);
    }
    this.#send(first);
  }

  /** Its process ends: it comes back with what its disk has. */
  die(writtenPart: number): void {
    this.#client?.stream.destroy();
    this.#written += Math.floor((this.acknowledged - this.#written) * writtenPart);
  }

  async settle(): Promise<void> {
    await eventually(() => this.acknowledged === this.sent.length, 'all acknowledgements');
  }

  #send(from: number): void {
    const frames: Uint8Array[] = [];
    for (let number = from; number <= this.sent.length; number++) {
      frames.push(counted(this.sent[number - 1]!, String(number)));
    }
    this.#client!.stream.write(Buffer.concat(frames));
  }
}

it(
  'exactly once outlasts kill -9 of the broker and of the publisher: nothing is lost, nothing is twice',
  async () => {
    const restart = () => startBroker('frames', FLAGS);
    const publisher = new KilledPublisher();
    let broker = await restart();
    await openSession(broker);
    const random = fc.sample(
      fc.record({ count: fc.nat(150), waitMs: fc.nat(60), written: fc.nat(4) }),
      CYCLES,
    );
    for (const { count, waitMs, written } of random) {
      await publisher.connect(broker);
      publisher.publish(count);
      // However long that takes: what is acknowledged by now differs from cycle to cycle.
      await new Promise((resolve) => setTimeout(resolve, waitMs));
      await broker.stop('SIGKILL');
      publisher.die(written / 4);
      broker = await restart();
    }
    await publisher.connect(broker);
    await publisher.settle();
    expect(await replayed(broker)).toEqual(wanted(publisher, 'kept/'));
    expect(await ofSession(broker, publisher.sent.length)).toEqual(wanted(publisher, ''));
    await broker.stop('SIGKILL');
  },
  torturePatienceMs(240_000) * 4,
);

/** The numbers of all messages to topics that begin so, by topic. */
function wanted({ sent }: KilledPublisher, prefix: string): Map<string, number[]> {
  const all = new Map<string, number[]>();
  for (const [index, topic] of sent.entries()) {
    if (topic.startsWith(prefix)) all.set(topic, [...(all.get(topic) ?? []), index + 1]);
  }
  return all;
}

const SESSION = 'delivery session session-expiry=never';

async function openSession(broker: BrokerProcess): Promise<void> {
  const client = new RawClient(await openStream(broker.url), 'subscriber');
  client.stream.write(connect('subscriber', SESSION));
  await client.expect(FrameType.connack);
  client.stream.write(subscribe('#', { acknowledged: true }, 'subscriber'));
  await client.expect(FrameType.suback);
  client.stream.destroy();
}

/** What waited for a client that was away all the time. */
async function ofSession(broker: BrokerProcess, count: number): Promise<Map<string, number[]>> {
  const client = new RawClient(await openStream(broker.url), 'subscriber');
  const found = new Map<string, number[]>();
  let got = 0;
  client.consume(({ type, topic, payload }) => {
    if (type === FrameType.connack) return;
    add(found, topic, payload);
    client.stream.write(encodeAck(FrameBit.acknowledged, ++got));
  });
  client.stream.write(connect('subscriber', SESSION));
  await eventually(() => got >= count, `${count} messages of the session`);
  client.stream.destroy();
  return found;
}

/** What the logs have. */
async function replayed(broker: BrokerProcess): Promise<Map<string, number[]>> {
  const client = new RawClient(await openStream(broker.url), 'reader');
  client.stream.write(connect('reader'));
  await client.expect(FrameType.connack);
  const found = new Map<string, number[]>();
  client.send(FrameType.subscribe, '$replay/earliest/kept/#');
  await client.expect(FrameType.suback);
  let quiet = 0;
  client.consume(({ topic, payload }) => {
    quiet = 0;
    add(found, topic, payload);
  });
  // Everything is in the logs by now; the last of it has come when nothing more does.
  while (quiet++ < 20) await new Promise((resolve) => setTimeout(resolve, 50));
  client.stream.destroy();
  return found;
}

function add(found: Map<string, number[]>, topic: string, payload: Uint8Array): void {
  found.set(topic, [...(found.get(topic) ?? []), Number(Buffer.from(payload).toString())]);
}
