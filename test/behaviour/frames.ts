import type { ConnectionOptions } from 'node:tls';
import { expect } from 'vitest';
import { encodeFrame, FrameType } from '../../internal/protocol/frame/frame.ts';
import { connect } from '../../pkg/client/index.ts';
import { connectRaw, openStream, type RawClient } from '../support/raw-client.ts';
import type { DoorClient, DoorUnderTest, Offence, Received } from './door.ts';

const hex = (type: number, topic: string) =>
  Buffer.from(encodeFrame(type, topic, '', 'kitchen')).toString('hex');

/** The frames, and the SDK that speaks them. */
export const frames: DoorUnderTest = {
  name: 'frames',
  namesSenders: true,
  conversation: [
    { what: 'CONNECT', send: hex(FrameType.connect, ''), answer: hex(FrameType.connack, '') },
    { what: 'SUBSCRIBE', send: hex(FrameType.subscribe, 'a/+'), answer: hex(FrameType.suback, 'a/+') },
    { what: 'UNSUBSCRIBE', send: hex(FrameType.unsubscribe, 'a/+'), answer: hex(FrameType.unsuback, 'a/+') },
    {
      what: 'UNSUBSCRIBE from nothing',
      send: hex(FrameType.unsubscribe, 'never'),
      answer: hex(FrameType.unsuback, 'never'),
    },
    { what: 'PING', send: hex(FrameType.ping, ''), answer: hex(FrameType.pong, '') },
    { what: 'DISCONNECT', send: hex(FrameType.disconnect, ''), answer: '' },
  ],
  open: openStream,
  connect: async (url, clientId, tls) => new FramesClient(await connectRaw(url, clientId, tls)),
  encodePublish: (topic, payload, sender) => encodeFrame(FrameType.publish, topic, payload, sender),
  library: publishWithSdk,
};

class FramesClient implements DoorClient {
  readonly #raw: RawClient;

  constructor(raw: RawClient) {
    this.#raw = raw;
  }

  get stream() {
    return this.#raw.stream;
  }

  subscribe(...filters: string[]): Promise<void> {
    return this.#raw.subscribe(...filters);
  }

  unsubscribe(filter: string): Promise<void> {
    return this.#raw.unsubscribe(filter);
  }

  publish(topic: string, payload: string | Uint8Array): void {
    this.#raw.publish(topic, payload);
  }

  ping(): Promise<void> {
    return this.#raw.ping();
  }

  async messages(count: number): Promise<Received[]> {
    const received = await this.#raw.messages(count);
    return received.map(({ type, topic, payload, clientId }) => {
      expect(type).toBe(FrameType.publish);
      return { topic, payload, sender: clientId };
    });
  }

  expectSilence(): Promise<void> {
    return this.#raw.expectSilence();
  }

  async expectEnd(reason: RegExp): Promise<void> {
    expect(await this.#raw.expectRefusal()).toMatch(reason);
  }

  /** Every offence ends the connection. */
  offend({ kind, name }: Offence, reason: RegExp): Promise<void> {
    this.#raw.send(FrameType[kind], name);
    return this.expectEnd(reason);
  }
}

async function publishWithSdk(url: string, tls: ConnectionOptions | undefined, count: number) {
  await using sdk = await connect(url, {
    clientId: 'sdk',
    tls: {
      ca: tls?.ca as Buffer,
      cert: tls?.cert as Buffer,
      key: tls?.key as Buffer,
      serverName: tls?.servername,
    },
  });
  const subscription = await sdk.subscribe('library/+');
  for (let index = 0; index < count; index++) await sdk.publish(`library/${index % 3}`, `ü${index}`);
  const received: { topic: string; text: string }[] = [];
  for await (const message of subscription) {
    expect(message.clientId).toBe('sdk');
    received.push({ topic: message.topic, text: message.text() });
    if (received.length === count) break;
  }
  expect(await sdk.ping()).toBeGreaterThan(0);
  return received;
}
