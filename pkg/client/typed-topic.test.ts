import { afterEach, beforeEach, describe, expect, expectTypeOf, it } from 'vitest';
import { type RunningBroker, startBroker } from '../embed/index.ts';
import { type Client, connect, type Message, type StandardSchema, type TypedTopic, topic } from './index.ts';

interface Given {
  celsius: number;
  at: string;
}
interface Made {
  celsius: number;
  at: Date;
}

/** A validator as those of libraries: it makes a date of a text. */
function reading(isSlow: (value: unknown) => boolean = () => false): StandardSchema<Given, Made> {
  const check = (value: unknown) => {
    const { celsius, at } = (value ?? {}) as Partial<Given>;
    if (typeof celsius !== 'number')
      return { issues: [{ message: 'a number is needed', path: [{ key: 'celsius' }] }] };
    if (typeof at !== 'string') return { issues: [{ message: 'a text is needed', path: ['at'] }] };
    return { value: { celsius, at: new Date(at) } };
  };
  return {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: (value) =>
        isSlow(value) ? new Promise((resolve) => setImmediate(resolve, check(value))) : check(value),
    },
  };
}

const AT = '2026-11-29T10:00:00.000Z';
const temperature = topic('rooms/+/temperature', reading());
let broker: RunningBroker;
let client: Client;

beforeEach(async () => {
  broker = await startBroker({ listen: ['tcp://localhost:0'], memory: true, record: true });
  client = await connect(broker.url);
});
afterEach(async () => {
  await client.close();
  await broker.close();
});

/** The next error that belongs to no call. */
const told = () => new Promise((resolve) => client.on('error', resolve));

describe('a typed topic', () => {
  it('checks what is published, and brings what the schema makes of it', async () => {
    const came = Promise.withResolvers<[Made, Message]>();
    await temperature.subscribe(client, (value, message) => {
      expectTypeOf(value).toEqualTypeOf<Made>();
      came.resolve([value, message]);
    });
    const hall = temperature.at('hall');
    expectTypeOf(hall).toEqualTypeOf<TypedTopic<StandardSchema<Given, Made>>>();
    await hall.publish(client, { celsius: 22.5, at: AT }, { qos: 1 });
    const [value, message] = await came.promise;
    expect([value, message.topic]).toEqual([{ celsius: 22.5, at: new Date(AT) }, 'rooms/hall/temperature']);
    expect(message.json()).toEqual({ celsius: 22.5, at: AT });
  });

  it('publishes nothing that does not fit', async () => {
    const hall = temperature.at('hall');
    // @ts-expect-error the compiler says so too
    expect(() => hall.publish(client, { celsius: 'hot', at: AT })).toThrow(
      expect.objectContaining({
        code: 'invalid-message',
        topic: 'rooms/hall/temperature',
        message: 'a message to rooms/hall/temperature does not fit its schema: celsius: a number is needed',
        issues: [{ message: 'a number is needed', path: [{ key: 'celsius' }] }],
      }),
    );
    await client.ping();
    expect(broker.received('#')).toEqual([]);
  });

  it('is iterated, and ends with the loop', async () => {
    const readings = await temperature.subscribe(client);
    for (const celsius of [1, 2, 3]) temperature.at('hall').publish(client, { celsius, at: AT });
    const seen: number[] = [];
    for await (const { value, message } of readings) {
      expectTypeOf(value).toEqualTypeOf<Made>();
      expectTypeOf(message).toEqualTypeOf<Message>();
      if (seen.push(value.celsius) === 3) break;
    }
    expect(seen).toEqual([1, 2, 3]);
    await client.ping();
    expect(broker.stats().subscriptions).toBe(0);
  });

  it('keeps the order of what a slow validator checks, on both sides', async () => {
    const slow = topic(
      'a',
      reading((value) => (value as Given).celsius % 3 !== 0),
    );
    const seen: number[] = [];
    await slow.subscribe(client, ({ celsius }) => void seen.push(celsius));
    const numbers = Array.from({ length: 30 }, (_, index) => index + 1);
    await Promise.all(numbers.map((celsius) => topicOf(slow, celsius)));
    await expect(slow.publish(client, {} as Given)).rejects.toMatchObject({ code: 'invalid-message' });
    await client.ping();
    await expect.poll(() => seen.length, { timeout: 30_000 }).toBe(30);
    expect(seen).toEqual(numbers);
  });

  it('takes another encoding than JSON', async () => {
    const csv = topic('a', reading(), {
      encode: (value) => Object.values(value as Given).join(),
      decode: (message) => {
        const [celsius, at] = message.text().split(',');
        return { celsius: Number(celsius), at };
      },
    });
    const came = new Promise((resolve) => csv.subscribe(client, resolve));
    await client.ping();
    await csv.publish(client, { celsius: 7, at: AT });
    expect(await came).toEqual({ celsius: 7, at: new Date(AT) });
    expect(broker.received('a')[0]!.text()).toBe(`7,${AT}`);
  });

  it('has its wildcards filled', () => {
    const all = topic('a/+/b/#', reading());
    expect(all.at('x', 'y', 'z').filter).toBe('a/x/b/y/z');
    expect(all.at('x').filter).toBe('a/x/b');
    expect(topic('a/+/+', reading()).at('x').filter).toBe('a/x/+');
    expect(() => topic('a/+', reading()).at('x', 'y')).toThrow('a/+ has no wildcards for 2 levels');
    expect(() => all.at('x/y')).toThrow('a level has no / + or #');
    expect(() => temperature.publish(client, { celsius: 1, at: AT })).toThrow(
      expect.objectContaining({ code: 'invalid-topic' }),
    );
    expect(() => topic('a', {} as StandardSchema)).toThrow('a validator that follows Standard Schema');
    expect(() => topic('a', reading(), { parse: 1 } as object)).toThrow('parse is not an option of topic');
    expect(() => topic('a', topicless()).publish(client, undefined)).toThrow('JSON has no undefined');
  });
});

describe('a message that does not fit', () => {
  it('is told by an event, and the others go on', async () => {
    const seen: number[] = [];
    await temperature.subscribe(client, ({ celsius }) => void seen.push(celsius));
    const error = told();
    client.publish('rooms/hall/temperature', 'no JSON');
    client.publish('rooms/hall/temperature', JSON.stringify({ celsius: 1, at: AT }));
    expect(await error).toMatchObject({ code: 'invalid-message', topic: 'rooms/hall/temperature' });
    await client.ping();
    expect(seen).toEqual([1]);
  });

  it.each(['handler', 'iterator'])(
    'is rejected where the broker waits for an answer, and does not come again: %s',
    async (kind) => {
      const session = { clientId: 'kitchen', session: { expiresIn: 60_000 } };
      const worker = await connect(broker.url, session);
      const errors: unknown[] = [];
      worker.on('error', (error) => errors.push(error));
      const values: Made[] = [];
      if (kind === 'handler') await temperature.subscribe(worker, takeByHand(values), { ack: 'manual' });
      else void iterate(worker, values);
      await expect.poll(() => broker.stats().subscriptions, { timeout: 30_000 }).toBe(1);
      await client.publish('rooms/hall/temperature', '{}', { qos: 1 });
      await client.publish('rooms/hall/temperature', JSON.stringify({ celsius: 1, at: AT }), { qos: 1 });
      await expect.poll(() => values.length, { timeout: 30_000 }).toBe(1);
      expect(errors).toMatchObject([{ code: 'invalid-message' }]);
      await worker.close();
      const again: Message[] = [];
      const back = await connect(broker.url, session);
      await back.subscribe('#', (message) => void again.push(message));
      await back.ping();
      expect(again).toEqual([]);
      await back.close();
    },
  );

  it('is handed over where that is wanted', async () => {
    const handed: unknown[] = [];
    const came = new Promise<void>((resolve) => {
      temperature.subscribe(client, () => {}, {
        qos: 1,
        onInvalid: (error, message) => {
          expectTypeOf(message).toEqualTypeOf<Message>();
          handed.push([error.issues[0]!.message, message.text()]);
          resolve();
        },
      });
    });
    await client.ping();
    await client.publish('rooms/hall/temperature', '{"celsius":1}', { qos: 1 });
    await came;
    expect(handed).toEqual([['a text is needed', '{"celsius":1}']]);
  });
});

function takeByHand(values: Made[]) {
  return (value: Made, message: Message) => {
    values.push(value);
    message.ack();
  };
}

async function iterate(worker: Client, values: Made[]): Promise<void> {
  for await (const { value } of await temperature.subscribe(worker, undefined, { qos: 1 }))
    values.push(value);
}

function topicOf(slow: TypedTopic<StandardSchema<Given, Made>>, celsius: number): true | Promise<true> {
  return slow.publish(client, { celsius, at: AT });
}

/** Fits everything. */
function topicless(): StandardSchema {
  return { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } };
}

it('the compiler knows what is wrong', () => {
  expectTypeOf(temperature.publish).parameter(1).toEqualTypeOf<Given>();
  expectTypeOf(topic('a', topicless()).publish).parameter(1).toEqualTypeOf<unknown>();
  expectTypeOf<ReturnType<typeof temperature.publish>>().toEqualTypeOf<true | Promise<true>>();
});
