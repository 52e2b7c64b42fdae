import type { Duplex } from 'node:stream';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { DoorClient, DoorUnderTest, Offence } from './door.ts';
import { frames } from './frames.ts';
import { promisingFrames } from './frames-promising.ts';
import { mqtt } from './mqtt.ts';
import { MAX_MESSAGE_BYTES, prepareWays, WAYS, type Way } from './ways.ts';

const DOORS = [frames, promisingFrames, mqtt(4), mqtt(5)];

prepareWays();

describe.each(WAYS)('publish and subscribe: $name', ({ start, tls }) => {
  let broker: Awaited<ReturnType<Way['start']>>;

  beforeAll(async () => {
    broker = await start();
    return () => broker[Symbol.asyncDispose]();
  });

  describe.each(DOORS)('by $name', (door) => {
    let clients: DoorClient[] = [];
    let used = 0;

    afterEach(() => {
      for (const client of clients) client.stream.destroy();
      clients = [];
    });

    async function client(id = `${door.name}-${++used}`, ...filters: string[]): Promise<DoorClient> {
      return connectTo(door, id, ...filters);
    }

    async function connectTo(to: DoorUnderTest, id: string, ...filters: string[]): Promise<DoorClient> {
      const connected = await to.connect(broker.url, id, tls?.());
      clients.push(connected);
      await connected.subscribe(...filters);
      return connected;
    }

    /** The next message, and who sent it as far as this door says that. */
    async function expectMessage(from: DoorClient, topic: string, text: string, sender?: string) {
      const [message] = await from.messages(1);
      expect([message.topic, Buffer.from(message.payload).toString()]).toEqual([topic, text]);
      if (sender !== undefined) expect(message.sender).toBe(door.namesSenders ? sender : undefined);
    }

    it('answers what a client may ask, byte for byte', async () => {
      const stream = await door.open(broker.url, tls?.());
      const received = new Bytes(stream);
      for (const { what, send, answer } of door.conversation) {
        stream.write(bytesOf(send));
        const expected = bytesOf(answer);
        expect([what, (await received.take(expected.length)).toString('hex')]).toEqual([
          what,
          expected.toString('hex'),
        ]);
      }
      expect((await received.rest()).toString('hex')).toBe('');
      stream.destroy();
    });

    it.each([
      ['exact', 'w1/b/c', ['w1/b/c'], ['w1/b', 'w1/b/c/d', 'w1/b/C']],
      ['+', 'w2/+/c', ['w2/b/c', 'w2//c'], ['w2/c', 'w2/b/d', 'w2/b/c/d']],
      ['#', 'w3/#', ['w3', 'w3/', 'w3/b', 'w3/b/c/d'], ['w33', 'x/w3']],
      ['+ and #', '+/w4/#', ['a/w4', '/w4/x'], ['w4', 'a/b/w4']],
    ])('matches %s', async (_, filter, matching, others) => {
      const subscriber = await client(undefined, filter);
      const publisher = await client();
      for (const topic of [...others, ...matching]) publisher.publish(topic, topic);
      for (const topic of matching) await expectMessage(subscriber, topic, topic);
      await publisher.ping();
      await subscriber.expectSilence();
    });

    // MQTT leaves it to the server whether overlapping filters make one copy or several (5.0, section 3.3.4): here, one.
    it('sends one copy though filters overlap, and to the publisher too', async () => {
      const subscriber = await client('overlap', 'o/#', 'o/+', 'o/a', 'o/a');
      subscriber.publish('o/a', 'x');
      await expectMessage(subscriber, 'o/a', 'x', 'overlap');
      await subscriber.expectSilence();
      await subscriber.unsubscribe('o/#');
      await subscriber.unsubscribe('o/a');
      subscriber.publish('o/a', 'y');
      await expectMessage(subscriber, 'o/a', 'y', 'overlap');
      await subscriber.unsubscribe('o/+');
      subscriber.publish('o/a', 'z');
      await subscriber.expectSilence();
    });

    it('gives each message of a group to one member', async () => {
      const filter = `$share/${door.name}/s/#`;
      const members = [await client(undefined, filter), await client(undefined, filter)];
      const publisher = await client();
      for (let index = 0; index < 10; index++) publisher.publish(`s/${index}`, '');
      await publisher.ping();
      for (const member of members) await member.messages(5);
      for (const member of members) await member.expectSilence();
    });

    it('carries every byte, nothing at all, and long topics', async () => {
      const topic = `bytes/${'ü'.repeat(32_764)}x`;
      expect(Buffer.byteLength(topic)).toBe(65_535);
      const subscriber = await client(undefined, 'bytes/#');
      const publisher = await client();
      const everyByte = Uint8Array.from({ length: 256 }, (_, value) => value);
      publisher.publish(topic, everyByte);
      publisher.publish('bytes/empty', '');
      const [first, second] = await subscriber.messages(2);
      expect(first.topic).toBe(topic);
      expect(Buffer.from(first.payload)).toEqual(Buffer.from(everyByte));
      expect(second.payload).toHaveLength(0);
    });

    it('carries the largest message, and refuses one byte more', async () => {
      const subscriber = await client(undefined, 'large');
      const publisher = await client();
      const largest = new Uint8Array(MAX_MESSAGE_BYTES).map((_, index) => index % 251);
      publisher.publish('large', largest);
      const [message] = await subscriber.messages(1);
      expect(Buffer.compare(message.payload, largest)).toBe(0);
      publisher.publish('large', new Uint8Array(MAX_MESSAGE_BYTES + 1));
      await publisher.expectEnd(
        /^message-too-large: payload of 2097153 bytes; at most 2097152 are accepted$/,
      );
      await subscriber.expectSilence();
    });

    it('understands bytes one by one, and many messages in one write; each says who really sent it', async () => {
      const subscriber = await client(undefined, 'cut/#');
      const publisher = await client('cutter');
      const messages = Buffer.concat([
        door.encodePublish('cut/1', 'one', 'cutter'),
        door.encodePublish('cut/2', '', 'cutter'),
        door.encodePublish('cut/3', 'three', 'forged'),
        door.encodePublish('cut/4', 'four', ''),
      ]);
      const expected = [
        ['cut/1', 'one'],
        ['cut/2', ''],
        ['cut/3', 'three'],
        ['cut/4', 'four'],
      ] as const;
      publisher.stream.write(messages);
      for (const [topic, text] of expected) await expectMessage(subscriber, topic, text, 'cutter');
      for (const byte of messages) publisher.stream.write(Uint8Array.of(byte));
      for (const [topic, text] of expected) await expectMessage(subscriber, topic, text, 'cutter');
    });

    it('keeps the order of each of several publishers over 102,000 messages', async () => {
      const subscriber = await client(undefined, 'order/#');
      const ids = ['p0', 'p1', 'p2'];
      const each = 34_000;
      for (const id of ids) {
        const publisher = await client(id);
        const messages = Array.from({ length: each }, (_, index) =>
          door.encodePublish(`order/${index % 7}`, `${id} ${index}`, id),
        );
        publisher.stream.write(Buffer.concat(messages));
      }
      const received: Record<string, number[]> = { p0: [], p1: [], p2: [] };
      for (const { payload, sender } of await subscriber.messages(ids.length * each)) {
        const [id, index] = Buffer.from(payload).toString().split(' ') as [string, string];
        if (door.namesSenders) expect(sender).toBe(id);
        received[id].push(Number(index));
      }
      const inOrder = Array.from({ length: each }, (_, index) => index);
      expect(received).toEqual({ p0: inOrder, p1: inOrder, p2: inOrder });
    });

    it('lets a newer connection take over, and tells the older', async () => {
      const older = await client('twice', 'takeover');
      const newer = await client('twice', 'takeover');
      await older.expectEnd(/^taken-over: client 'twice' connected again from /);
      newer.publish('takeover', 'still here');
      await expectMessage(newer, 'takeover', 'still here', 'twice');
      await newer.expectSilence();
    });

    it.each<[string, Offence, RegExp]>([
      ['a topic with a wildcard', { kind: 'publish', name: 'a/+' }, /^invalid-topic: topic 'a\/\+': /],
      ['a topic of the broker', { kind: 'publish', name: '$SYS/x' }, /^reserved-topic: /],
      [
        'a misplaced wildcard',
        { kind: 'subscribe', name: 'a/#/b' },
        /^invalid-filter: filter 'a\/#\/b': # must be/,
      ],
      ['a second CONNECT', { kind: 'connect', name: '' }, /^(unexpected-frame|protocol-error): /],
    ])('refuses %s with the reason', async (_, offence, reason) => {
      const watcher = await client(undefined, '#', '$SYS/x');
      const offender = await client();
      await offender.offend(offence, reason);
      await watcher.expectSilence();
    });

    it('reaches the clients of every door', async () => {
      const subscribers: DoorClient[] = [];
      for (const other of DOORS) {
        subscribers.push(await connectTo(other, `${other.name} from ${door.name}`, 'every/+'));
      }
      const publisher = await client();
      for (let index = 0; index < 100; index++) publisher.publish(`every/${index % 3}`, `ü${index}`);
      for (const subscriber of subscribers) {
        const messages = await subscriber.messages(100);
        expect(messages.map(({ topic, payload }) => `${topic} ${Buffer.from(payload)}`)).toEqual(
          Array.from({ length: 100 }, (_, index) => `every/${index % 3} ü${index}`),
        );
      }
    });

    it('works with the library of its users', async () => {
      const received = await door.library(broker.url, tls?.(), 1000);
      expect(received).toEqual(
        Array.from({ length: 1000 }, (_, index) => ({ topic: `library/${index % 3}`, text: `ü${index}` })),
      );
    }, 120_000);
  });
});

function bytesOf(hex: string): Buffer {
  return Buffer.from(hex.replaceAll(' ', ''), 'hex');
}

/** What comes on a stream, to be taken as so many bytes. */
class Bytes {
  readonly #stream: Duplex;
  #received = Buffer.alloc(0);
  #hasEnded = false;
  #wake: (() => void) | undefined;

  constructor(stream: Duplex) {
    this.#stream = stream;
    stream.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake?.();
    });
    for (const event of ['end', 'close', 'error']) {
      stream.on(event, () => {
        this.#hasEnded = true;
        this.#wake?.();
      });
    }
  }

  async take(length: number): Promise<Buffer> {
    await this.#until(() => this.#received.length >= length || this.#hasEnded);
    const taken = this.#received.subarray(0, length);
    this.#received = this.#received.subarray(length);
    return taken;
  }

  /** All that comes until the other side ends. */
  async rest(): Promise<Buffer> {
    await this.#until(() => this.#hasEnded);
    this.#stream.end();
    return this.#received;
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
