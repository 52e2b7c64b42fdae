import type { ConnectionOptions } from 'node:tls';
import { expect } from 'vitest';
import {
  ANY_CREDIT,
  encodeAck,
  encodeCredit,
  parseNumberedRefusal,
} from '../../internal/protocol/frame/acknowledgements.ts';
import { EXTENSIONS, formatExtensions } from '../../internal/protocol/frame/extensions.ts';
import { encodeFrame, type Frame, FrameBit, FrameType } from '../../internal/protocol/frame/frame.ts';
import { formatOffer, formatOfferAnswer } from '../../internal/protocol/frame/offer.ts';
import { payloadWith, readProperties } from '../../internal/protocol/frame/properties.ts';
import { connect } from '../../pkg/client/index.ts';
import { eventually } from '../support/eventually.ts';
import { subscribe } from '../support/frame-words.ts';
import { openStream, RawClient } from '../support/raw-client.ts';
import type { DoorClient, DoorUnderTest, Offence, Received } from './door.ts';

const { acknowledged, once, properties } = FrameBit;
const NAMES = formatExtensions(EXTENSIONS.filter((name) => name !== 'credentials'));
const WINDOW = 1_024;
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const plain = (type: number, topic: string, payload = '') =>
  hex(encodeFrame(type, topic, payload, 'kitchen'));

/** The frames with everything that a client may agree on, in use. */
export const promisingFrames: DoorUnderTest = {
  name: 'frames with every option',
  namesSenders: true,
  conversation: [
    {
      what: 'CONNECT',
      send: plain(FrameType.connect, '', offer('kitchen')),
      answer: plain(FrameType.connack, '', `${NAMES} ${formatOfferAnswer({ window: WINDOW, last: 0 })}`),
    },
    {
      what: 'SUBSCRIBE',
      send: hex(subscribe('a/+', { acknowledged: true, noLocal: true, retainHandling: 'never' }, 'kitchen')),
      answer: plain(FrameType.suback, 'a/+'),
    },
    { what: 'PUBLISH', send: hex(encodePublish('a', 'one', 'kitchen')), answer: hex(encodeAck(once, 1)) },
    {
      what: 'PUBLISH in the other count',
      send: hex(encodePublish('a', 'four', 'kitchen')),
      answer: hex(encodeAck(acknowledged, 1)),
    },
    {
      what: 'UNSUBSCRIBE',
      send: plain(FrameType.unsubscribe, 'a/+'),
      answer: plain(FrameType.unsuback, 'a/+'),
    },
    { what: 'PING', send: plain(FrameType.ping, ''), answer: plain(FrameType.pong, '') },
    { what: 'DISCONNECT', send: plain(FrameType.disconnect, ''), answer: '' },
  ],
  open: openStream,
  connect: openPromising,
  encodePublish,
  library: publishWithSdk,
};

function offer(producer: string): string {
  return `${NAMES} ${formatOffer({ sessionExpiryMs: 0, startsClean: true, producer, acknowledged: 0 })}`;
}

/** Counted in one way or the other, and every third one with properties. */
function encodePublish(topic: string, payload: string | Uint8Array, sender: string): Uint8Array {
  const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
  const kind = bytes.length % 3;
  if (kind === 0) return encodeFrame(FrameType.publish | once, topic, bytes, sender);
  if (kind === 1) return encodeFrame(FrameType.publish | acknowledged, topic, bytes, sender);
  const said = payloadWith({ headers: [['unit', 'C']], expiresInMs: 3_600_000 }, bytes);
  return encodeFrame(FrameType.publish | acknowledged | properties, topic, said, sender);
}

async function openPromising(
  url: string,
  clientId: string,
  tls: ConnectionOptions | undefined,
): Promise<DoorClient> {
  const raw = new RawClient(await openStream(url, tls), clientId);
  raw.send(FrameType.connect, '', offer(`p-${process.pid}-${performance.now()}`));
  await raw.expect(FrameType.connack);
  raw.stream.write(encodeCredit({ messages: ANY_CREDIT, bytes: ANY_CREDIT }));
  return new PromisingClient(raw);
}

/** Acknowledges whatever is counted, and leaves out what only answers its own messages. */
class PromisingClient implements DoorClient {
  readonly stream: RawClient['stream'];
  readonly #raw: RawClient;
  readonly #messages: Received[] = [];
  readonly #answers: Frame[] = [];
  #counted = 0;
  #isAckDue = false;

  constructor(raw: RawClient) {
    this.#raw = raw;
    this.stream = raw.stream;
    raw.consume((frame) => this.#take(frame));
  }

  async subscribe(...filters: string[]): Promise<void> {
    for (const filter of filters) {
      this.stream.write(subscribe(filter, { acknowledged: true }, this.#raw.clientId));
      await this.#answer(FrameType.suback);
    }
  }

  async unsubscribe(filter: string): Promise<void> {
    this.#raw.send(FrameType.unsubscribe, filter);
    await this.#answer(FrameType.unsuback);
  }

  publish(topic: string, payload: string | Uint8Array): void {
    this.stream.write(encodePublish(topic, payload, this.#raw.clientId));
  }

  async ping(): Promise<void> {
    this.#raw.send(FrameType.ping);
    await this.#answer(FrameType.pong);
  }

  async messages(count: number): Promise<Received[]> {
    await eventually(() => this.#messages.length >= count, `${count} messages`);
    return this.#messages.splice(0, count);
  }

  async expectSilence(): Promise<void> {
    await this.ping();
    expect(this.#messages).toEqual([]);
  }

  /** What is refused alone does not end the connection. */
  async expectEnd(reason: RegExp): Promise<void> {
    await eventually(() => this.#answers.length > 0, 'a refusal');
    const { type, payload } = this.#answers.shift()!;
    const isNumbered = (type & (acknowledged | once)) !== 0;
    const said = isNumbered ? parseNumberedRefusal(payload).reason : Buffer.from(payload).toString();
    expect(said).toMatch(reason);
    if (type === FrameType.disconnect) this.stream.end();
    else await this.ping();
  }

  offend({ kind, name }: Offence, reason: RegExp): Promise<void> {
    this.#raw.send(FrameType[kind], name);
    return this.expectEnd(reason);
  }

  async #answer(type: number): Promise<void> {
    await eventually(() => this.#answers.length > 0, `an answer of type ${type}`);
    expect(this.#answers.shift()!.type).toBe(type);
  }

  #take({ type, topic, payload, clientId }: Frame): void {
    const kind = type & 0x0f;
    if (kind === FrameType.acknowledge) return;
    if (kind !== FrameType.publish) {
      this.#answers.push({ type, topic, payload, clientId });
      return;
    }
    const start = type & properties ? readProperties(payload, 0, payload.length).messageStart : 0;
    this.#messages.push({ topic, payload: payload.subarray(start), sender: clientId });
    if (type & acknowledged) this.#acknowledge();
  }

  #acknowledge(): void {
    this.#counted++;
    if (this.#isAckDue) return;
    this.#isAckDue = true;
    queueMicrotask(() => {
      this.#isAckDue = false;
      this.stream.write(encodeAck(acknowledged, this.#counted));
    });
  }
}

async function publishWithSdk(url: string, tls: ConnectionOptions | undefined, count: number) {
  await using sdk = await connect(url, {
    clientId: 'promising-sdk',
    tls: {
      ca: tls?.ca as Buffer,
      cert: tls?.cert as Buffer,
      key: tls?.key as Buffer,
      serverName: tls?.servername,
    },
  });
  const subscription = await sdk.subscribe('library/+', undefined, { qos: 1 });
  const sent: (true | Promise<true>)[] = [];
  for (let index = 0; index < count; index++) {
    sent.push(
      sdk.publish(`library/${index % 3}`, `ü${index}`, { qos: 2, headers: { index: String(index) } }),
    );
  }
  const received: { topic: string; text: string }[] = [];
  for await (const message of subscription) {
    expect(message.headers.index).toBe(String(received.length));
    received.push({ topic: message.topic, text: message.text() });
    if (received.length === count) break;
  }
  await Promise.all(sent);
  return received;
}
