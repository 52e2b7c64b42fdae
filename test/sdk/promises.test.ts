import { afterEach, describe, expect, it } from 'vitest';
import { encodeAck } from '../../internal/protocol/frame/acknowledgements.ts';
import { encodeFrame, FrameBit, FrameType } from '../../internal/protocol/frame/frame.ts';
import {
  type Client,
  type ConnectOptions,
  connect,
  type Message,
  UnsupportedError,
} from '../../pkg/client/index.ts';
import {
  type BrokerOptions,
  Faults,
  MovableClock,
  type RunningBroker,
  startBroker,
} from '../../pkg/embed/index.ts';
import { FakeBroker } from '../support/fake-broker.ts';

const FAST: ConnectOptions = { reconnect: { minDelayMs: 1, maxDelayMs: 5 } };
let broker: RunningBroker;
let faults: Faults;
let clock: MovableClock;
const clients: Client[] = [];

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close().catch(() => {})));
  await broker?.close();
});

async function started(options: BrokerOptions = {}): Promise<string> {
  faults = new Faults();
  clock = new MovableClock();
  const common = { listen: ['tcp://localhost:0'], memory: true, sysIntervalMs: 0, record: true };
  broker = await startBroker({ ...common, faults, clock, ...options });
  return broker.url;
}

async function open(options: ConnectOptions = {}): Promise<Client> {
  const client = await connect(broker.url, { ...FAST, ...options });
  clients.push(client);
  return client;
}

const published = (filter = '#') => broker.received(filter).map((message) => message.text());

/** What comes to a subscription, in its order. */
class Inbox {
  readonly messages: Message[] = [];
  #wake = () => {};

  readonly take = (message: Message): void => {
    this.messages.push(message);
    this.#wake();
  };

  async until(count: number): Promise<Message[]> {
    while (this.messages.length < count) await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.messages;
  }
}

describe('a message of QoS 1', () => {
  it('is acknowledged when it is there', async () => {
    await started();
    const client = await open();
    expect(await client.publish('a', 'x', { qos: 1 })).toBe(true);
    expect(published()).toEqual(['x']);
  });

  it('is sent again where its acknowledgement was lost, and all before it keep their order', async () => {
    await started();
    const client = await open({ clientId: 'kitchen' });
    faults.loseAcknowledgements({ client: 'kitchen' });
    await Promise.all(['1', '2', '3'].map((text) => client.publish('a', text, { qos: 1 })));
    expect(published().slice(-3)).toEqual(['1', '2', '3']);
    expect(published().length).toBeGreaterThan(3);
  });

  it('waits while there is no broker, within its bounds', async () => {
    await started();
    const client = await open({ clientId: 'kitchen', queue: { messages: 2 } });
    const lost = new Promise((resolve) => client.on('disconnect', resolve));
    faults.refuseClients(() => ({ code: 'too-many-clients', reason: 'full' }));
    faults.cut('kitchen');
    await lost;
    const both = [client.publish('a', '1', { qos: 1 }), client.publish('a', '2', { qos: 1 })];
    await expect(client.publish('a', '3', { qos: 1 })).rejects.toMatchObject({ code: 'queue-full' });
    expect(published()).toEqual([]);
    faults.clear();
    await Promise.all(both);
    expect(published()).toEqual(['1', '2']);
  });

  it('that is refused rejects, and those behind it are delivered', async () => {
    await started({
      guard: {
        mayConnect: () => undefined,
        mayPublish: (_, topic) => (topic === 'secret' ? 'no' : undefined),
        maySubscribe: () => undefined,
      },
    });
    const client = await open();
    const [one, two, three] = ['a', 'secret', 'b'].map((topic) => client.publish(topic, 'x', { qos: 1 }));
    await expect(two).rejects.toMatchObject({ code: 'not-authorized', topic: 'secret' });
    expect(await Promise.all([one, three])).toEqual([true, true]);
  });

  it('is acknowledged before the client is closed', async () => {
    await started();
    const client = await open();
    const acknowledged = client.publish('a', 'x', { qos: 1 });
    await client.close();
    expect(await acknowledged).toBe(true);
  });
});

describe('a message of QoS 2', () => {
  it('comes once, however often its acknowledgement is lost, and the count goes on', async () => {
    await started({ keep: [{ filter: 'kept/#' }] });
    const [client, receiver] = [await open({ clientId: 'kitchen' }), await open()];
    const inbox = new Inbox();
    await receiver.subscribe('kept/#', inbox.take, { qos: 1 });
    const texts = Array.from({ length: 20 }, (_, index) => String(index));
    for (const text of texts) {
      if (Number(text) % 5 === 2) faults.loseAcknowledgements({ client: 'kitchen' });
      expect(await client.publish('kept/a', text, { qos: 2 })).toBe(true);
    }
    await receiver.ping();
    expect(inbox.messages.map((message) => message.text())).toEqual(texts);
    const replayed = new Inbox();
    await receiver.subscribe('kept/#', replayed.take, { from: 'earliest' });
    expect((await replayed.until(texts.length)).map((message) => message.text())).toEqual(texts);
  });

  // What the broker keeps of a count may say less than what was acknowledged: only the client knows that for sure. It said
  // nothing of it, took such a broker for one that had lost the count, and sent what was on its way under another name.
  it('tells on a new connection up to which number it has answers', async () => {
    await using fake = await FakeBroker.start();
    const offers: string[] = [];
    fake.answer = ({ type, payload }, socket) => {
      if (type === FrameType.connect) {
        socket.write(encodeFrame(FrameType.connack, '', `once last=${offers.length}`, 'kitchen'));
        offers.push(/acked=\d+/.exec(Buffer.from(payload).toString())?.[0] ?? 'nothing');
      } else if (type === (FrameType.publish | FrameBit.once)) {
        socket.write(encodeAck(FrameBit.once, 1));
      }
    };
    const client = await connect(fake.url, { ...FAST, clientId: 'kitchen' });
    clients.push(client);
    await client.publish('a', '1', { qos: 2 });
    const back = new Promise((resolve) => client.on('connect', resolve));
    fake.cut();
    await back;
    expect(offers).toEqual(['acked=0', 'acked=1']);
  });
});

describe('what goes with a message', () => {
  it('arrives as it was published, also at other protocols', async () => {
    await started();
    const [sender, receiver] = [await open({ clientId: 'kitchen' }), await open()];
    const inbox = new Inbox();
    await receiver.subscribe('a/#', inbox.take);
    const options = { headers: { unit: 'C', tag: ['1', '2'] }, contentType: 'text/plain', expiresIn: 60_000 };
    const correlation = Uint8Array.of(1, 2);
    sender.publish('a/b', '22.5', { ...options, replyTo: 'answers', correlation, retain: true });
    const [message] = await inbox.until(1);
    const { topic, clientId, qos, retained, redelivered } = message;
    expect({ topic, clientId, qos, retained, redelivered }).toEqual({
      ...{ topic: 'a/b', clientId: 'kitchen', qos: 0, retained: false, redelivered: false },
    });
    expect([message.headers, message.contentType, message.replyTo, message.correlation]).toEqual([
      ...[options.headers, 'text/plain', 'answers', correlation],
    ]);
    expect(message.text()).toBe('22.5');
    expect(message.expiresIn).toBeGreaterThan(50_000);
    const late = new Inbox();
    await receiver.subscribe('a/+', late.take);
    const [kept] = await late.until(1);
    expect([kept.retained, kept.headers]).toEqual([true, options.headers]);
    const { headers, contentType } = options;
    expect(broker.received('a/b')[0]).toMatchObject({ headers, contentType, correlation, retain: true });
  });

  it('is refused where it says nothing', async () => {
    await started();
    const client = await open();
    expect(() => client.publish('a', 'x', { qos: 3 as 2 })).toThrow('qos is 0, 1 or 2, not 3');
    expect(() => client.publish('a', 'x', { expiresIn: 0 })).toThrow('expiresIn is a number from 1 on');
    expect(() => client.publish('a', 'x', { replyTo: 'a/+' })).toThrow("'a/+'");
    expect(() => client.publish('a', 'x', { retian: true } as object)).toThrow('did you mean retain?');
  });
});

describe('a subscription that acknowledges', () => {
  it('gets what was published with a promise again where the connection broke off before', async () => {
    await started();
    const sender = await open();
    const receiver = await open({ clientId: 'hall', session: { expiresIn: 60_000 } });
    const inbox = new Inbox();
    await receiver.subscribe('a', inbox.take, { ack: 'manual' });
    await sender.publish('a', '1', { qos: 1 });
    const [first] = await inbox.until(1);
    expect([first.qos, first.redelivered]).toEqual([1, false]);
    const lost = new Promise((resolve) => receiver.on('disconnect', resolve));
    faults.cut('hall');
    await lost;
    await sender.publish('a', '2', { qos: 1 });
    const [, again, second] = await inbox.until(3);
    expect([again.text(), again.redelivered, second.text()]).toEqual(['1', true, '2']);
    // A word about a connection that is gone is none.
    first.ack();
    again.ack();
    second.ack();
    await receiver.ping();
    faults.cut('hall');
    await sender.publish('a', '3', { qos: 1 });
    expect((await inbox.until(4)).map((message) => message.text())).toEqual(['1', '1', '2', '3']);
  });

  it('gives a message back for later, and for good', async () => {
    await started();
    const sender = await open();
    const receiver = await open({ clientId: 'hall' });
    const inbox = new Inbox();
    await receiver.subscribe('a', inbox.take, { qos: 1, ack: 'manual' });
    await sender.publish('a', 'later', { qos: 1 });
    await sender.publish('a', 'never', { qos: 1 });
    const [later, never] = await inbox.until(2);
    later.retry({ after: 60_000, reason: 'busy' });
    never.reject('no such device');
    await receiver.ping();
    expect(inbox.messages).toHaveLength(2);
    await clock.advance(60_000);
    const [, , again] = await inbox.until(3);
    expect([again.text(), again.redelivered]).toEqual(['later', true]);
    again.ack();
  });

  it('acknowledges by itself when the handler is done, or the loop asks for the next one', async () => {
    await started();
    const sender = await open();
    const receiver = await open({ clientId: 'hall', session: { expiresIn: 60_000 }, window: 1 });
    let finish = () => {};
    const texts: string[] = [];
    await receiver.subscribe(
      'handled',
      (message) => {
        texts.push(message.text());
        return new Promise<void>((resolve) => (finish = resolve));
      },
      { qos: 1 },
    );
    await sender.publish('handled', '1', { qos: 1 });
    await sender.publish('handled', '2', { qos: 1 });
    await receiver.ping();
    expect(texts).toEqual(['1']);
    finish();
    await expect.poll(() => texts).toEqual(['1', '2']);
    finish();
    const looped: string[] = [];
    const subscription = await receiver.subscribe('looped', undefined, { qos: 1 });
    for (const text of ['1', '2']) await sender.publish('looped', text, { qos: 1 });
    for await (const message of subscription) {
      looped.push(message.text());
      await receiver.ping();
      if (looped.length === 2) break;
    }
    expect(looped).toEqual(['1', '2']);
  });

  it('of a session that goes on waits for whoever subscribes again in another process', async () => {
    await started();
    const sender = await open();
    const options = { clientId: 'hall', session: { expiresIn: 60_000 } };
    const before = await open(options);
    await before.subscribe('a', () => {}, { qos: 1 });
    await before.close();
    await sender.publish('a', 'meanwhile', { qos: 1 });
    const after = await open(options);
    await after.ping();
    const inbox = new Inbox();
    await after.subscribe('a', inbox.take, { qos: 1 });
    expect((await inbox.until(1))[0].text()).toBe('meanwhile');
  });

  it('leaves out what it does not want', async () => {
    await started();
    await broker.publish('a', 'retained', { retain: true });
    const client = await open();
    const inbox = new Inbox();
    await client.subscribe('a', inbox.take, { noLocal: true, retained: 'none' });
    client.publish('a', 'own');
    await client.ping();
    await broker.publish('a', 'other');
    expect((await inbox.until(1)).map((message) => message.text())).toEqual(['other']);
    await expect(client.subscribe('a', inbox.take)).rejects.toThrow('with other options already');
    await expect(client.subscribe('b', inbox.take, { qos: 0, ack: 'manual' })).rejects.toThrow(
      'nothing to acknowledge',
    );
  });
});

describe('a will', () => {
  it('is published when the connection breaks off, and not when the client closes', async () => {
    await started();
    const will = { topic: 'gone', payload: 'hall', headers: { why: 'lost' }, retain: true };
    const client = await open({ clientId: 'hall', will, reconnect: false });
    faults.cut('hall');
    const [message] = await broker.untilReceived('gone');
    expect(message).toMatchObject({ clientId: 'hall', headers: { why: 'lost' }, retain: true });
    const other = await open({ clientId: 'attic', will: { topic: 'gone' } });
    await Promise.all([other.close(), client.close().catch(() => {})]);
    expect(broker.received('gone')).toHaveLength(1);
  });
});

// A broker that knows nothing of a promise must not make one that nobody keeps.
describe('a broker that does not offer it', () => {
  it('has nothing done with less, in silence', async () => {
    await using plain = await FakeBroker.start();
    const client = await connect(plain.url, { ...FAST, clientId: 'c' });
    clients.push(client);
    for (const options of [
      { qos: 1 },
      { qos: 2 },
      { retain: true },
      { headers: { a: 'b' } },
      { expiresIn: 1 },
    ] as const) {
      expect(() => client.publish('a', 'x', options)).toThrow(UnsupportedError);
    }
    for (const options of [{ qos: 1 }, { ack: 'manual' }, { noLocal: true }, { retained: 'none' }] as const) {
      await expect(client.subscribe('a', () => {}, options)).rejects.toMatchObject({ code: 'not-supported' });
    }
    for (const options of [{ session: { expiresIn: 1 } }, { will: { topic: 'a' } }]) {
      await expect(connect(plain.url, { ...FAST, clientId: 'd', ...options })).rejects.toMatchObject({
        code: 'not-supported',
      });
    }
    client.publish('a', 'plain');
    await client.ping();
    expect(plain.seen()).toEqual(['0', '0', '0', '2 a', '7']);
  });
});
