import { afterEach, describe, expect, it, vi } from 'vitest';
import { FrameType } from '../../internal/protocol/frame/frame.ts';
import { answerLikeABroker, FakeBroker } from '../../test/support/fake-broker.ts';
import { startBroker } from '../embed/index.ts';
import { Client, ClosedError, type ConnectOptions, connect, RefusedError, TimeoutError } from './index.ts';

const fast: ConnectOptions = { clientId: 'c', reconnect: { minDelayMs: 1, maxDelayMs: 5 } };
const clients: Client[] = [];
const patiently = { timeout: 20_000 };

afterEach(async () => {
  for (const client of clients.splice(0)) await client.close().catch(() => {});
});

async function open(url: string, options: ConnectOptions = {}): Promise<Client> {
  const client = await connect(url, { ...fast, ...options });
  clients.push(client);
  return client;
}

function next(client: Client, name: 'connect' | 'disconnect' | 'error' | 'close'): Promise<unknown> {
  return new Promise((resolve) => {
    client.on(name, resolve);
  });
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('the original’s style', () => {
  // setMessageHandler and subscribe(filter) without a handler filled the queue of an iterator that never came; after
  // 1,000 messages the client stopped reading for good. Messages must go on to the message handler.
  it('goes on beyond the messages that an iterator would hold', async () => {
    await using broker = await startBroker({ listen: ['tcp://127.0.0.1:0'], slowConsumerWaitMs: 60_000 });
    const client = new Client({ ...fast, url: broker.url });
    clients.push(client);
    let received = 0;
    client.setMessageHandler(() => received++);
    await client.connect();
    await client.subscribe('a');
    const writer = await open(broker.url, { clientId: 'writer' });
    const payload = 'x'.repeat(1000);
    for (let index = 0; index < 20_000; index++) await writer.publish('a', payload);
    await vi.waitUntil(() => received === 20_000, patiently);
  });
});

describe('reading while an iterator is behind', () => {
  // The SUBACK lay behind messages that were not read because the iterator was behind: the loop that awaited the
  // SUBACK could not take them, and waited until the timeout.
  it('goes on as far as an answer that is awaited', async () => {
    await using broker = await startBroker({ listen: ['tcp://127.0.0.1:0'], slowConsumerWaitMs: 60_000 });
    const client = await open(broker.url, { requestTimeoutMs: 20_000 });
    const writer = await open(broker.url, { clientId: 'writer' });
    const subscription = await client.subscribe('a', undefined, { queueSize: 10 });
    for (let index = 0; index < 1000; index++) writer.publish('a', String(index));
    await writer.ping();
    let expected = 0;
    for await (const message of subscription) {
      expect(message.text()).toBe(String(expected++));
      if (expected === 5) {
        await client.subscribe('b', () => {});
        await client.ping();
      }
      if (expected === 1000) break;
    }
  });

  // The handshake of a new connection was not read either, so that every attempt timed out.
  it('does not keep a connection from being opened again', async () => {
    await using broker = await FakeBroker.start();
    const client = await open(broker.url);
    client.pause();
    broker.cut();
    await next(client, 'disconnect');
    await vi.waitUntil(() => client.connected, patiently);
    let received = 0;
    client.on('message', () => received++);
    broker.send(FrameType.publish, 'a', '');
    await turn();
    await turn();
    expect(received).toBe(0);
    client.resume();
    await vi.waitUntil(() => received === 1, patiently);
  });

  it('stops the broker, and holds no more than its queue and what was read in one go', async () => {
    await using broker = await FakeBroker.start();
    const client = await open(broker.url);
    const subscription = await client.subscribe('a', undefined, { queueSize: 10 });
    const socket = broker.sockets[0];
    const payload = 'x'.repeat(60_000);
    let sent = 0;
    while (!socket.writableNeedDrain || sent < 500) {
      broker.send(FrameType.publish, 'a', payload);
      if (++sent % 20 === 0) await turn();
    }
    let isDrained = false;
    socket.once('drain', () => {
      isDrained = true;
    });
    for (let index = 0; index < 100; index++) await turn();
    expect(isDrained).toBe(false);
    let received = 0;
    for await (const message of subscription) {
      expect(message.size).toBe(payload.length);
      if (++received === sent) break;
    }
    expect(received).toBe(sent);
  });

  // The second of two calls took the place of the first, which then never settled.
  it('serves several calls of next() in order', async () => {
    await using broker = await FakeBroker.start();
    const client = await open(broker.url);
    const iterator = (await client.subscribe('a'))[Symbol.asyncIterator]();
    const both = Promise.all([iterator.next(), iterator.next()]);
    broker.send(FrameType.publish, 'a', '1');
    broker.send(FrameType.publish, 'a', '2');
    expect((await both).map(({ value }) => value.text())).toEqual(['1', '2']);
    const rest = Promise.all([iterator.next(), iterator.next()]);
    await client.close();
    expect((await rest).map(({ done }) => done)).toEqual([true, true]);
  });
});

describe('listeners that throw', () => {
  // What a listener of 'connect' threw was taken for a broken frame: the connection was dropped and opened again for
  // ever. One of 'disconnect' kept the client from reconnecting and ended the process.
  it.each(['connect', 'disconnect', 'reconnecting'] as const)('on %s are reported, no more', async (name) => {
    await using broker = await FakeBroker.start();
    const client = new Client({ ...fast, url: broker.url });
    clients.push(client);
    const errors: string[] = [];
    client.on('error', (error) => errors.push((error as Error).message));
    client.on(name, () => {
      throw new Error('mine');
    });
    client.on(name, async () => {
      throw new Error('mine, later');
    });
    await client.connect();
    broker.cut();
    await next(client, 'disconnect');
    await vi.waitUntil(() => client.connected, patiently);
    await client.ping();
    expect(new Set(errors)).toEqual(new Set(['mine', 'mine, later']));
    expect(broker.seen()).toEqual(['0', '0', '7']);
  });
});

describe('requests and a connection that breaks off', () => {
  // An UNSUBSCRIBE that had not been sent was sent on the next connection, behind the SUBSCRIBE of a newer
  // subscription to the same filter, which was then dead.
  it('do not outlive it', async () => {
    await using broker = await FakeBroker.start();
    const client = await open(broker.url);
    const subscription = await client.subscribe('a', () => {});
    const pinged = client.ping();
    await pinged;
    // Nothing leaves the client any more, so that the requests wait in its outbox.
    broker.sockets[0].pause();
    while (client.publish('filler', new Uint8Array(100_000)) === true) await turn();
    broker.frames.length = 0;
    const unsubscribed = subscription.unsubscribe();
    const failed = expect(client.ping()).rejects.toMatchObject({ code: 'connection-lost' });
    broker.cut();
    await next(client, 'disconnect');
    await unsubscribed;
    await failed;
    await client.subscribe('a', () => {});
    await client.ping();
    const seen = broker.seen().filter((frame) => frame !== '2 filler');
    expect(seen).toEqual(['0', '3 a', '7']);
  });

  it('a subscribe that was under way is asked again, until its time is over', async () => {
    await using broker = await FakeBroker.start();
    const client = await open(broker.url, { requestTimeoutMs: 20_000 });
    broker.answer = (frame, socket) => {
      if (frame.type === FrameType.subscribe && broker.sockets.length === 1) broker.cut();
      else answerLikeABroker(frame, socket);
    };
    expect((await client.subscribe('a')).filter).toBe('a');
    expect(broker.seen()).toEqual(['0', '3 a', '0', '3 a']);
  });

  it('while the client says that it broke off, it does not say that it is connected', async () => {
    await using broker = await FakeBroker.start();
    const client = await open(broker.url);
    const seen: unknown[] = [];
    const done = new Promise<void>((resolve) => {
      client.on('disconnect', () => {
        seen.push(client.state);
        client.publish('meanwhile', new Uint8Array(200_000));
        client.publish('meanwhile', 'x');
        resolve(client.subscribe('a', () => {}).then(() => {}));
      });
    });
    broker.cut();
    await done;
    await client.ping();
    expect(seen).toEqual(['reconnecting']);
    expect(broker.seen()).toEqual(['0', '0', '3 a', '2 meanwhile', '2 meanwhile', '7']);
  });

  // CONNACK and then something unreadable in the same chunk.
  it('right after the handshake is noticed', async () => {
    await using broker = await FakeBroker.start();
    broker.answer = (frame, socket) => {
      if (broker.sockets.length > 1) answerLikeABroker(frame, socket);
      else
        socket.end(
          Buffer.from('010000000000000001' + '63' + '090000' + '00000003' + '627965' + '0000', 'hex'),
        );
    };
    const client = await open(broker.url);
    await vi.waitUntil(() => client.connected && broker.sockets.length === 2, patiently);
    await client.ping();
  });
});

describe('answers that come too late', () => {
  // They were taken for the answer to the next request.
  it('belong to nobody else', async () => {
    await using broker = await FakeBroker.start();
    const client = await open(broker.url, { requestTimeoutMs: 50 });
    broker.answer = () => {};
    await expect(client.ping()).rejects.toThrow(TimeoutError);
    let isAnswered = false;
    const second = client.ping().then(() => {
      isAnswered = true;
    });
    const message = new Promise((resolve) => client.on('message', resolve));
    broker.send(FrameType.pong, '', '');
    broker.send(FrameType.publish, 'after', '');
    await message;
    await turn();
    expect(isAnswered).toBe(false);
    broker.send(FrameType.pong, '', '');
    await second;
  });
});

describe('refusals', () => {
  // Every connection asked again for a filter that had once been granted and was refused now: 500 connections a
  // second. The subscription must end, with the error, and the rest go on.
  it('of a filter that was granted before end its subscriptions', async () => {
    await using broker = await FakeBroker.start();
    const client = await open(broker.url);
    const iterated = await client.subscribe('secret');
    const other: string[] = [];
    await client.subscribe('open', ({ topic }) => other.push(topic));
    const error = next(client, 'error');
    broker.answer = (frame, socket) => {
      if (frame.topic !== 'secret') return answerLikeABroker(frame, socket);
      broker.send(FrameType.disconnect, '', "not-authorized: filter 'secret': no longer");
      socket.end();
    };
    broker.cut();
    await expect(iterated[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'not-authorized' });
    expect(await error).toBeInstanceOf(RefusedError);
    await vi.waitUntil(() => client.connected, patiently);
    await client.ping();
    broker.send(FrameType.publish, 'open', '');
    await vi.waitUntil(() => other.length === 1, patiently);
    expect(broker.seen().filter((frame) => frame === '3 secret')).toHaveLength(2);
  });

  // The refusal of a message rejected a subscribe that happened to wait.
  it('of a message do not reject a subscribe behind it', async () => {
    const guard = {
      mayConnect: () => undefined,
      mayPublish: (_: unknown, topic: string) => (topic === 'forbidden' ? 'no' : undefined),
      maySubscribe: () => undefined,
    };
    await using broker = await startBroker({ listen: ['tcp://127.0.0.1:0'], guard });
    const client = await open(broker.url);
    const error = next(client, 'error');
    client.publish('forbidden', '');
    const subscription = await client.subscribe('a', () => {});
    expect(await error).toMatchObject({ code: 'not-authorized' });
    expect(subscription.filter).toBe('a');
    expect(client.connected).toBe(true);
  });

  // One message that the broker refused ended the connection, and the five behind it were lost.
  it.each([
    ['the guard', 'forbidden', 'x', 'not-authorized'],
    ['the largest size', 'large', 'x'.repeat(11), 'message-too-large'],
  ])('of a message by %s end nothing, and those behind it arrive', async (_, topic, payload, code) => {
    const guard = {
      mayConnect: () => undefined,
      mayPublish: (_: unknown, wanted: string) => (wanted === 'forbidden' ? 'no' : undefined),
      maySubscribe: () => undefined,
    };
    await using broker = await startBroker({ listen: ['tcp://127.0.0.1:0'], guard, maxMessageBytes: 10 });
    const client = await open(broker.url);
    const events: unknown[] = [];
    client.on('error', (error) => events.push(error));
    client.on('disconnect', (error) => events.push(error));
    const seen: string[] = [];
    await client.subscribe('a', (message) => seen.push(message.text()));
    client.publish(topic, payload);
    for (let number = 0; number < 5; number++) client.publish('a', String(number));
    await client.ping();
    expect(seen).toEqual(['0', '1', '2', '3', '4']);
    expect(events).toMatchObject([{ name: 'RefusedError', code, topic }]);
  });

  // `no-log` was not known to be of a SUBSCRIBE: the client connected and asked again for ten seconds, then said that
  // no answer came, and its other subscriptions had no messages meanwhile.
  it('of a replay reject at once, and the rest goes on', async () => {
    await using broker = await startBroker({ listen: ['tcp://127.0.0.1:0'] });
    const client = await open(broker.url, { requestTimeoutMs: 600_000 });
    const events: unknown[] = [];
    for (const name of ['disconnect', 'error'] as const) client.on(name, (error) => events.push(error));
    const seen: string[] = [];
    await client.subscribe('a', (message) => seen.push(message.text()));
    const refused = client.subscribe('a', () => {}, { from: 'earliest' });
    client.publish('a', 'meanwhile');
    await expect(refused).rejects.toMatchObject({
      name: 'RefusedError',
      code: 'no-log',
      topic: '$replay/earliest/a',
    });
    await client.subscribe('b', (message) => seen.push(message.text()));
    client.publish('b', 'afterwards');
    await client.ping();
    expect(seen).toEqual(['meanwhile', 'afterwards']);
    expect(events).toEqual([]);
  });

  it('of a replay by a broker that can only disconnect reject at once too', async () => {
    await using broker = await FakeBroker.start();
    const client = await open(broker.url, { requestTimeoutMs: 600_000 });
    broker.answer = (frame, socket) => {
      if (!frame.topic.startsWith('$replay/')) return answerLikeABroker(frame, socket);
      broker.send(FrameType.disconnect, '', 'no-log: this broker keeps no log');
      socket.end();
    };
    await expect(client.subscribe('a', () => {}, { from: 'earliest' })).rejects.toMatchObject({
      code: 'no-log',
    });
    await vi.waitUntil(() => client.connected, patiently);
    await client.subscribe('a', () => {});
    await client.ping();
    expect(broker.seen()).toEqual(['0', '3 $replay/earliest/a', '0', '3 a', '7']);
  });

  it('of positions lets a replay begin again, as brokers that know none do', async () => {
    await using broker = await FakeBroker.start();
    const client = await open(broker.url);
    const seen: string[] = [];
    await client.subscribe('a', (message) => seen.push(`${message.text()} ${message.offset}`), {
      from: 'earliest',
    });
    broker.send(FrameType.publish, 'a', 'kept');
    await vi.waitUntil(() => seen.length === 1, patiently);
    broker.cut();
    await vi.waitUntil(() => broker.seen().length === 4, patiently);
    const asked = broker.frames.filter(({ type }) => type === FrameType.subscribe);
    expect(asked.map(({ topic, payload }) => [topic, payload.length])).toEqual([
      ['$replay/earliest/a', 0],
      ['$replay/earliest/a', 0],
    ]);
    expect(seen).toEqual(['kept undefined']);
  });

  it('of what was granted before end its subscriptions, and the connection stays', async () => {
    await using broker = await FakeBroker.start();
    const client = await open(broker.url);
    const iterated = await client.subscribe('secret');
    const error = next(client, 'error');
    broker.send(FrameType.subscribeRefused, 'secret', 'log-unreadable: the disk is gone');
    await expect(iterated[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'log-unreadable' });
    expect(await error).toMatchObject({ topic: 'secret' });
    await client.ping();
    expect(broker.sockets).toHaveLength(1);
  });

  it('of a CONNECT end the attempts, unless they pass', async () => {
    await using broker = await FakeBroker.start();
    let reason = 'too-many-clients: 1 client is connected';
    broker.answer = (frame, socket) => {
      if (frame.type !== FrameType.connect) return;
      broker.send(FrameType.disconnect, '', reason);
      socket.end();
    };
    const client = new Client({ ...fast, url: broker.url, connectRetry: true });
    clients.push(client);
    const connecting = client.connect();
    connecting.catch(() => {});
    await vi.waitUntil(() => broker.sockets.length >= 3, patiently);
    reason = 'unsupported-protocol: not here';
    await expect(connecting).rejects.toMatchObject({ code: 'unsupported-protocol' });
    expect(client.state).toBe('closed');
  });
});

describe('keep-alive', () => {
  // A subscriber that received all the time never sent a PING, and a broker with -keepalive closed it.
  it('lets the broker know of a client that only receives', async () => {
    await using broker = await FakeBroker.start();
    const client = await open(broker.url, { keepAliveMs: 40 });
    const traffic = setInterval(() => broker.send(FrameType.publish, 'a', ''), 5);
    await vi.waitUntil(() => broker.seen().filter((frame) => frame === '7').length >= 2, patiently);
    clearInterval(traffic);
    expect(broker.sockets).toHaveLength(1);
    expect(client.connected).toBe(true);
  });

  it('does not take the time in which the program was busy for silence', async () => {
    await using broker = await FakeBroker.start();
    const client = await open(broker.url, { keepAliveMs: 100 });
    for (let index = 0; index < 3; index++) {
      await vi.waitUntil(() => broker.seen().at(-1) === '7', patiently);
      const endMs = performance.now() + 400;
      while (performance.now() < endMs);
      broker.frames.length = 0;
    }
    await client.ping();
    expect(broker.sockets).toHaveLength(1);
  });
});

describe('closing', () => {
  it('waits for a broker that takes its time with the last messages', async () => {
    await using broker = await FakeBroker.start();
    const client = await open(broker.url, { requestTimeoutMs: 20_000 });
    broker.sockets[0].pause();
    let published = 0;
    do published++;
    while (client.publish('a', new Uint8Array(100_000)) === true || published < 200);
    let isClosed = false;
    const closed = client.close().then(() => {
      isClosed = true;
    });
    for (let index = 0; index < 20; index++) await turn();
    expect([isClosed, client.state]).toEqual([false, 'closing']);
    broker.sockets[0].resume();
    await closed;
    await vi.waitUntil(() => broker.seen().at(-1) === '9', patiently);
    expect(broker.frames.filter(({ type }) => type === FrameType.publish)).toHaveLength(published);
  });

  // It resolved as if everything had been sent.
  it('rejects where the broker does not take what was published', async () => {
    await using broker = await FakeBroker.start();
    const client = await open(broker.url, { requestTimeoutMs: 30 });
    broker.sockets[0].pause();
    for (let index = 0; index < 200; index++) client.publish('a', new Uint8Array(100_000));
    await expect(client.close()).rejects.toThrow('the broker did not take all messages within 30 ms');
    expect(client.state).toBe('closed');
    expect(() => client.publish('a', '')).toThrow(ClosedError);
  });

  it('rejects where the connection breaks off before everything is sent', async () => {
    await using broker = await FakeBroker.start();
    const client = await open(broker.url);
    broker.sockets[0].pause();
    while (client.publish('a', new Uint8Array(100_000)) === true) await turn();
    const closed = client.close();
    broker.cut();
    await expect(closed).rejects.toMatchObject({ code: 'connection-lost' });
    expect(client.state).toBe('closed');
  });

  // A message that the broker refused after the client had begun to close was nobody's business.
  it('reports a refusal that comes meanwhile', async () => {
    await using broker = await FakeBroker.start();
    const client = await open(broker.url);
    const error = next(client, 'error');
    broker.answer = (frame, socket) => {
      if (frame.type !== FrameType.publish) return;
      broker.send(FrameType.disconnect, '', 'message-too-large: payload of 1 bytes');
      socket.end();
    };
    client.publish('a', 'x');
    await client.close();
    expect(await error).toMatchObject({ code: 'message-too-large' });
  });

  // drained() waited for ever.
  it('leaves nobody waiting for room', async () => {
    const broker = await FakeBroker.start();
    const client = await open(broker.url, { highWaterMarkBytes: 100 });
    await broker[Symbol.asyncDispose]();
    await vi.waitUntil(() => !client.connected, patiently);
    let waiting: true | Promise<true> = true;
    while (waiting === true) waiting = client.publish('a', 'x'.repeat(50));
    const drained = client.drained();
    const rejections = [
      expect(waiting).rejects.toThrow(ClosedError),
      expect(drained).rejects.toThrow(ClosedError),
    ];
    await client.close();
    await Promise.all(rejections);
    await expect(client.drained()).rejects.toThrow(ClosedError);
  });
});

describe('a signal', () => {
  it('that ends attempts which are repeated rejects with its reason', async () => {
    const broker = await FakeBroker.start();
    await broker[Symbol.asyncDispose]();
    const controller = new AbortController();
    const client = new Client({ ...fast, url: broker.url, connectRetry: true, signal: controller.signal });
    clients.push(client);
    const connecting = client.connect();
    client.on('reconnecting', () => controller.abort(new Error('changed my mind')));
    await expect(connecting).rejects.toThrow('changed my mind');
    expect(client.state).toBe('closed');
  });

  it('ends a subscription', async () => {
    await using broker = await FakeBroker.start();
    const client = await open(broker.url);
    const controller = new AbortController();
    const subscription = await client.subscribe('a', undefined, { signal: controller.signal });
    const loop = (async () => {
      for await (const _ of subscription);
    })();
    controller.abort();
    await loop;
    await client.ping();
    expect(broker.seen()).toEqual(['0', '3 a', '5 a', '7']);
  });
});

describe('what is no option and no payload', () => {
  it.each([
    [{ keepAliveMs: -1 }, 'keepAliveMs is a number from 0 on, not -1'],
    [{ highWaterMarkBytes: Number.NaN }, 'highWaterMarkBytes is a number from 1 on, not NaN'],
    [{ connectTimeoutMs: '1' as never }, 'connectTimeoutMs is a number from 1 on, not 1'],
    [{ reconnect: { minDelayMs: 0 } }, 'minDelayMs is a number from 1 on, not 0'],
    // Names that are wrong were passed over, and showed when the option would have mattered.
    [{ clientid: 'a' } as never, 'clientid is not an option of connect; did you mean clientId?'],
    [{ colour: 'red' } as never, 'colour is not an option of connect'],
    [{ toString: 1 } as never, 'toString is not an option of connect'],
    [
      { reconnect: { maxDelay: 1 } as never },
      'maxDelay is not an option of reconnect; did you mean maxDelayMs?',
    ],
    [{ tls: { servername: 'a' } as never }, 'servername is not an option of tls; did you mean serverName?'],
  ])('%o is refused', (options, message) => {
    expect(() => new Client(options)).toThrow(message);
  });

  // An infinite time made the timer fire at once.
  it('but Infinity is a time', async () => {
    await using broker = await FakeBroker.start();
    const forever = Number.POSITIVE_INFINITY;
    const times = { connectTimeoutMs: forever, requestTimeoutMs: forever, keepAliveMs: forever };
    const client = await open(broker.url, times);
    broker.answer = () => {};
    const ping = client.ping().then(() => 'answered');
    for (let index = 0; index < 20; index++) await turn();
    broker.send(FrameType.pong, '', '');
    expect(await ping).toBe('answered');
  });

  it('an option of subscribe that there is not is refused, before anything is sent', async () => {
    await using broker = await FakeBroker.start();
    const client = await open(broker.url);
    await expect(client.subscribe('a', () => {}, { form: 'earliest' } as never)).rejects.toMatchObject({
      code: 'invalid-option',
      message: 'form is not an option of subscribe; did you mean from?',
    });
    expect(broker.seen()).toEqual(['0']);
  });

  it('a handler that is no function is refused', async () => {
    await using broker = await FakeBroker.start();
    const client = await open(broker.url);
    await expect(client.subscribe('a', {} as never)).rejects.toThrow('a handler is a function');
    await expect(client.subscribe('a', undefined, { queueSize: 0 })).rejects.toThrow('queueSize is a number');
    expect(broker.seen()).toEqual(['0']);
  });
});
