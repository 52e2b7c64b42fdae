import { afterEach, describe, expect, expectTypeOf, it, vi } from 'vitest';
import { FrameType } from '../../internal/protocol/frame/frame.ts';
import { answerLikeABroker, FakeBroker } from '../../test/support/fake-broker.ts';
import { startBroker } from '../embed/index.ts';
import {
  Client,
  ClosedError,
  ConnectError,
  type ConnectOptions,
  connect,
  InvalidTopicError,
  type Message,
  type PublishOptions,
  RefusedError,
  type Subscription,
  TimeoutError,
} from './index.ts';

const fast: ConnectOptions = { clientId: 'c', reconnect: { minDelayMs: 1, maxDelayMs: 5 } };
const clients: Client[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
});

async function open(url: string, options: ConnectOptions = {}): Promise<Client> {
  const client = await connect(url, { ...fast, ...options });
  clients.push(client);
  return client;
}

describe('connecting', () => {
  it('sends CONNECT and waits for CONNACK', async () => {
    await using broker = await FakeBroker.start();
    const client = await open(broker.url);
    const names = 'refusals positions acks once delivery retain headers expiry options offsets';
    const bytes = Buffer.concat(broker.chunks);
    expect(bytes.subarray(0, 3).toString('hex') + bytes.subarray(-3).toString('hex')).toBe('000000000163');
    expect(Buffer.from(broker.frames[0].payload).toString()).toMatch(
      new RegExp(`^${names} window=256 producer=[0-9a-f]{24} acked=0$`),
    );
    expect([client.state, client.connected, client.clientId]).toEqual(['connected', true, 'c']);
  });

  it('makes up an id of its own', async () => {
    await using broker = await FakeBroker.start();
    const one = await open(broker.url, { clientId: undefined });
    const other = await open(broker.url, { clientId: undefined });
    expect(one.clientId).toMatch(/^client-[0-9a-f]{12}$/);
    expect(one.clientId).not.toBe(other.clientId);
  });

  it.each([
    ['tcp://127.0.0.1:1', 'cannot connect to tcp://127.0.0.1:1: connection refused'],
    ['tcp://localhost:1', 'cannot connect to tcp://localhost:1: connection refused'],
    ['unix:///nowhere/broker.sock', 'cannot connect to unix:///nowhere/broker.sock: no such socket file'],
    ['ws://127.0.0.1:1', 'cannot connect to ws://127.0.0.1:1: connection refused'],
  ])('to nobody at %s rejects with one clear line', async (url, message) => {
    const error = await connect(url).catch((reason) => reason);
    expect(error).toBeInstanceOf(ConnectError);
    expect(error.message).toBe(message);
  });

  it.each(['localhost', 'http://localhost:1883', 'tcp://localhost:99999', 'tcp://local/host'])(
    'to %s is no address',
    async (url) => {
      await expect(async () => connect(url)).rejects.toThrow(/is not an address/);
    },
  );

  it('rejects when nobody answers in time', async () => {
    await using broker = await FakeBroker.start();
    broker.answer = () => {};
    await expect(connect(broker.url, { connectTimeoutMs: 20 })).rejects.toThrow(TimeoutError);
  });

  it('rejects with the words of a broker that refuses', async () => {
    await using broker = await FakeBroker.start();
    broker.answer = (_, socket) => {
      broker.send(FrameType.disconnect, '', 'not-authorized: nobody knows you');
      socket.end();
    };
    const error = await connect(broker.url).catch((reason) => reason);
    expect(error).toBeInstanceOf(RefusedError);
    expect([error.code, error.message]).toEqual(['not-authorized', 'not-authorized: nobody knows you']);
  });

  it('is aborted by a signal, with its reason', async () => {
    await using broker = await FakeBroker.start();
    broker.answer = () => {};
    const controller = new AbortController();
    const attempt = connect(broker.url, { signal: controller.signal });
    controller.abort(new Error('changed my mind'));
    await expect(attempt).rejects.toThrow('changed my mind');
  });

  it('keeps trying where it is told to', async () => {
    const broker = await FakeBroker.start();
    await broker[Symbol.asyncDispose]();
    const client = new Client({ ...fast, url: broker.url, connectRetry: true });
    clients.push(client);
    const attempts: number[] = [];
    client.on('reconnecting', ({ attempt }) => attempts.push(attempt));
    const connected = client.connect().catch((error) => error);
    await vi.waitUntil(() => attempts.length >= 3, { timeout: 20_000 });
    await client.close();
    expect(await connected).toBeInstanceOf(ClosedError);
    expect(attempts.slice(0, 3)).toEqual([1, 2, 3]);
  });
});

describe('publishing', () => {
  it('gathers what is published in one turn into one write, byte for byte', async () => {
    await using broker = await FakeBroker.start();
    const client = await open(broker.url);
    broker.chunks.length = 0;
    client.publish('a', 'text');
    client.publish('a', Uint8Array.of(0, 255));
    client.publish('ü', 'é'.repeat(40));
    await client.ping();
    const expected = [
      '02 0001 61 00000004 74657874 0001 63',
      '02 0001 61 00000002 00ff 0001 63',
      `02 0002 c3bc 00000050 ${'c3a9'.repeat(40)} 0001 63`,
      '07 0000 00000000 0001 63',
    ];
    expect(Buffer.concat(broker.chunks).toString('hex')).toBe(expected.join('').replaceAll(' ', ''));
    expect(broker.chunks).toHaveLength(1);
  });

  it('says to wait above the high-water mark, and drained() and the result tell when to go on', async () => {
    await using broker = await FakeBroker.start();
    const client = await open(broker.url, { highWaterMarkBytes: 100_000 });
    broker.sockets[0].pause();
    const payload = new Uint8Array(10_000);
    let result = client.publish('a', payload);
    let published = 1;
    while (result === true && published < 10_000) {
      result = client.publish('a', payload);
      published++;
      if (published % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(result).toBeInstanceOf(Promise);
    let isDrained = false;
    const drained = client.drained().then(() => {
      isDrained = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(isDrained).toBe(false);
    broker.sockets[0].resume();
    expect(await result).toBe(true);
    await drained;
    await client.ping();
    expect(broker.frames.filter(({ type }) => type === FrameType.publish)).toHaveLength(published);
  });

  it('does not let what a caller does with its buffer afterwards change a message', async () => {
    await using broker = await FakeBroker.start();
    const client = await open(broker.url);
    const payload = Buffer.from('before');
    client.publish('a', payload);
    payload.fill('x');
    await client.ping();
    expect(Buffer.from(broker.frames[1].payload).toString()).toBe('before');
  });

  it('throws at once for a topic that may not be published to, and when closed', async () => {
    await using broker = await FakeBroker.start();
    const client = await open(broker.url);
    for (const topic of ['', 'a/+', '#', '$SYS/x', 'a\0']) {
      expect(() => client.publish(topic, '')).toThrow(InvalidTopicError);
    }
    await client.close();
    expect(() => client.publish('a', '')).toThrow(ClosedError);
    expect(() => new Client({ url: broker.url }).publish('a', '')).toThrow('not connected yet');
  });

  it('tells by an event that the broker refused a message', async () => {
    await using broker = await startBroker({ listen: ['tcp://127.0.0.1:0'], maxMessageBytes: 10 });
    const client = await open(broker.url);
    const refused = new Promise<unknown>((resolve) => client.on('error', resolve));
    client.publish('a', 'more than ten bytes');
    expect(await refused).toMatchObject({ name: 'RefusedError', code: 'message-too-large' });
    await vi.waitUntil(() => client.connected, { timeout: 20_000 });
  });
});

describe('subscribing', () => {
  it('calls the handlers of every filter that matches, though the broker sends one copy', async () => {
    await using broker = await startBroker({ listen: ['tcp://127.0.0.1:0'] });
    const client = await open(broker.url);
    const seen: string[] = [];
    await client.subscribe('a/#', ({ topic }) => seen.push(`# ${topic}`));
    const plus = await client.subscribe('a/+', ({ topic }) => seen.push(`+ ${topic}`));
    await client.subscribe('a/+', ({ topic }) => seen.push(`again ${topic}`));
    client.on('message', ({ topic }) => seen.push(`message ${topic}`));
    client.setMessageHandler((topic, payload, clientId) =>
      seen.push(`${topic} ${payload.length} ${clientId}`),
    );
    client.publish('a/b', 'xyz');
    await client.ping();
    expect(seen).toEqual(['# a/b', '+ a/b', 'again a/b', 'a/b 3 c', 'message a/b']);
    expect(broker.stats()).toMatchObject({ subscriptions: 2, messages_delivered_total: 1 });
    seen.length = 0;
    await plus.unsubscribe();
    client.publish('a/b', '');
    await client.ping();
    expect(seen).not.toContain('+ a/b');
    await client.unsubscribe('a/+');
    expect(broker.stats().subscriptions).toBe(1);
  });

  it('is iterated, and leaving the loop unsubscribes', async () => {
    await using broker = await startBroker({ listen: ['tcp://127.0.0.1:0'] });
    const client = await open(broker.url);
    const texts: string[] = [];
    const subscription = await client.subscribe('n');
    for (let number = 0; number < 5; number++) client.publish('n', String(number));
    for await (const message of subscription) {
      texts.push(message.text());
      if (texts.length === 5) break;
    }
    expect(texts).toEqual(['0', '1', '2', '3', '4']);
    expect(broker.stats().subscriptions).toBe(0);
  });

  it('makes the broker wait for an iterator that falls behind, and loses nothing', async () => {
    await using broker = await startBroker({ listen: ['tcp://127.0.0.1:0'], slowConsumerWaitMs: 60_000 });
    const reader = await open(broker.url, { clientId: 'reader' });
    const writer = await open(broker.url, { clientId: 'writer' });
    const subscription = await reader.subscribe('n');
    const count = 20_000;
    const payload = 'x'.repeat(1000);
    const written = (async () => {
      for (let number = 0; number < count; number++) await writer.publish('n', `${number} ${payload}`);
      await writer.ping();
    })();
    let next = 0;
    for await (const message of subscription) {
      expect(Number.parseInt(message.text(), 10)).toBe(next);
      if (next % 5000 === 0) await new Promise((resolve) => setTimeout(resolve, 20));
      if (++next === count) break;
    }
    await written;
    expect(broker.stats().messages_dropped_total).toBe(0);
  });

  it('rejects a filter that breaks the rules before anything is sent', async () => {
    await using broker = await FakeBroker.start();
    const client = await open(broker.url);
    await expect(client.subscribe('a/#/b')).rejects.toThrow("filter 'a/#/b': # must be the whole last level");
    expect(broker.seen()).toEqual(['0']);
  });

  it('rejects what the broker refuses, and goes on with the rest', async () => {
    const guard = {
      mayConnect: () => undefined,
      mayPublish: () => undefined,
      maySubscribe: (_: unknown, filter: string) => (filter === 'secret' ? 'not there' : undefined),
    };
    await using broker = await startBroker({ listen: ['tcp://127.0.0.1:0'], guard });
    const client = await open(broker.url);
    const seen: string[] = [];
    await client.subscribe('open', (message) => seen.push(message.text()));
    await expect(client.subscribe('secret')).rejects.toMatchObject({ code: 'not-authorized' });
    await vi.waitUntil(() => client.connected && broker.stats().subscriptions === 1, { timeout: 20_000 });
    client.publish('open', 'still here');
    await client.ping();
    expect(seen).toEqual(['still here']);
  });

  it('rejects when no SUBACK comes, and when its signal is aborted', async () => {
    await using broker = await FakeBroker.start();
    broker.answer = (frame, socket) => frame.type === FrameType.connect && answerLikeABroker(frame, socket);
    const client = await open(broker.url, { requestTimeoutMs: 20 });
    await expect(client.subscribe('a')).rejects.toThrow('no SUBACK came within 20 ms');
    await expect(client.subscribe('a', undefined, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
    await expect(client.ping()).rejects.toThrow('no PONG came within 20 ms');
  });

  it('works with a broker whose SUBACK names no filter, as the original’s', async () => {
    await using broker = await FakeBroker.start();
    broker.answer = (frame, socket) => answerLikeABroker({ ...frame, topic: '' }, socket);
    const client = await open(broker.url);
    const [one, other] = await Promise.all([
      client.subscribe('a', () => {}),
      client.subscribe('b', () => {}),
    ]);
    expect([one.filter, other.filter]).toEqual(['a', 'b']);
    await one.unsubscribe();
  });

  it('reports what a handler throws and goes on', async () => {
    await using broker = await startBroker({ listen: ['tcp://127.0.0.1:0'] });
    const client = await open(broker.url);
    const errors: string[] = [];
    client.on('error', (error) => errors.push((error as Error).message));
    await client.subscribe('a', () => {
      throw new Error('thrown');
    });
    await client.subscribe('a', async () => {
      throw new Error('rejected');
    });
    client.publish('a', '');
    await client.ping();
    expect(errors).toEqual(['thrown', 'rejected']);
  });
});

describe('a connection that breaks off', () => {
  it('is opened again: first the filters, then what was published meanwhile', async () => {
    await using broker = await FakeBroker.start();
    const client = await open(broker.url);
    await client.subscribe('a/#', () => {});
    await client.subscribe('b', () => {});
    broker.frames.length = 0;
    broker.cut();
    await new Promise<void>((resolve) => client.on('disconnect', () => resolve()));
    client.publish('meanwhile', '');
    await new Promise<void>((resolve) => client.on('connect', () => resolve()));
    await client.ping();
    expect(broker.seen()).toEqual(['0', '3 a/#', '3 b', '2 meanwhile', '7']);
  });

  it('keeps what is published meanwhile within the high-water mark', async () => {
    const broker = await FakeBroker.start();
    const client = await open(broker.url, { highWaterMarkBytes: 1000 });
    await broker[Symbol.asyncDispose]();
    await vi.waitUntil(() => client.state === 'reconnecting', { timeout: 20_000 });
    let published = 0;
    while (client.publish('a', 'x'.repeat(90)) === true) published++;
    expect(published).toBeLessThan(11);
  });

  it('is given up after maxAttempts, with the reason', async () => {
    const broker = await FakeBroker.start();
    const client = await open(broker.url, { reconnect: { minDelayMs: 1, maxDelayMs: 1, maxAttempts: 2 } });
    const closed = new Promise((resolve) => client.on('close', resolve));
    const iterated = client.subscribe('a').then(async (subscription) => {
      for await (const _ of subscription);
    });
    await client.ping();
    await broker[Symbol.asyncDispose]();
    expect(await closed).toBeInstanceOf(ConnectError);
    await expect(iterated).rejects.toThrow(ConnectError);
    expect(client.state).toBe('closed');
  });

  it('is not opened again where that was not wanted, nor after a takeover', async () => {
    await using broker = await startBroker({ listen: ['tcp://127.0.0.1:0'] });
    const older = await open(broker.url, { clientId: 'same' });
    const closed = new Promise<unknown>((resolve) => older.on('close', resolve));
    await open(broker.url, { clientId: 'same' });
    expect(await closed).toMatchObject({ code: 'taken-over' });
    await using fake = await FakeBroker.start();
    const once = await open(fake.url, { reconnect: false });
    const ended = new Promise<unknown>((resolve) => once.on('close', resolve));
    fake.cut();
    expect(await ended).toMatchObject({ code: 'connection-lost' });
  });

  it('is noticed by keep-alive when the broker no longer answers', async () => {
    await using broker = await FakeBroker.start();
    const client = await open(broker.url, { keepAliveMs: 20 });
    broker.answer = (frame, socket) => frame.type === FrameType.connect && answerLikeABroker(frame, socket);
    const reason = await new Promise<Error>((resolve) => client.on('disconnect', resolve));
    expect(reason.message).toBe('the broker did not answer a PING within 20 ms');
    expect(broker.seen()).toContain('7');
  });

  it('ends when what comes is no frame', async () => {
    await using broker = await FakeBroker.start();
    const client = await open(broker.url, { maxMessageBytes: 10, reconnect: false });
    const closed = new Promise<unknown>((resolve) => client.on('close', resolve));
    broker.send(FrameType.publish, 'a', 'more than ten bytes');
    expect(await closed).toMatchObject({ code: 'protocol-error' });
  });
});

describe('closing', () => {
  it('sends what was published, says DISCONNECT, and can be repeated', async () => {
    await using broker = await FakeBroker.start();
    const client = await open(broker.url);
    for (let index = 0; index < 3; index++) client.publish('a', '');
    await Promise.all([client.close(), client.close(), client.disconnect()]);
    await vi.waitUntil(() => broker.frames.length === 5, { timeout: 20_000 });
    expect(broker.seen()).toEqual(['0', '2 a', '2 a', '2 a', '9']);
    expect(client.state).toBe('closed');
  });

  it('ends iterators and whatever still waits', async () => {
    await using broker = await FakeBroker.start();
    const client = await open(broker.url);
    const subscription = await client.subscribe('a');
    const next = subscription[Symbol.asyncIterator]().next();
    broker.answer = () => {};
    const ping = client.ping();
    const unanswered = client.subscribe('b');
    await client.close();
    expect(await next).toEqual({ done: true, value: undefined });
    await expect(ping).rejects.toThrow(/closed/);
    await expect(unanswered).rejects.toThrow(ClosedError);
  });

  it('happens at the end of a scope, and by the signal', async () => {
    await using broker = await FakeBroker.start();
    const controller = new AbortController();
    let kept: Client;
    {
      await using scoped = await connect(broker.url, fast);
      kept = scoped;
    }
    expect(kept.state).toBe('closed');
    const other = await open(broker.url, { signal: controller.signal });
    const closed = new Promise((resolve) => other.on('close', resolve));
    controller.abort();
    expect(await closed).toBeUndefined();
  });
});

describe('the public types', () => {
  it('are what the documentation says', () => {
    expectTypeOf(connect).returns.toEqualTypeOf<Promise<Client>>();
    expectTypeOf<Client['publish']>().parameters.toEqualTypeOf<
      [string, string | Uint8Array, PublishOptions?]
    >();
    expectTypeOf<Client['publish']>().returns.toEqualTypeOf<true | Promise<true>>();
    expectTypeOf<Client['subscribe']>().returns.toEqualTypeOf<Promise<Subscription>>();
    expectTypeOf<Subscription>().toExtend<AsyncIterable<Message>>();
    expectTypeOf<Client>().toExtend<AsyncDisposable>();
    expectTypeOf<Message['payload']>().toEqualTypeOf<Uint8Array>();
  });
});
