import { InvalidMessageError, InvalidTopicError, TinymqError } from './errors.ts';
import type { Message } from './message.ts';
import { checkNames, type OptionNames } from './options.ts';
import type { PublishOptions } from './publish-options.ts';
import type { InputOf, OutputOf, StandardResult, StandardSchema } from './standard-schema.ts';
import type { SubscribeOptions } from './subscribe-options.ts';
import type { Subscription } from './subscription.ts';

/** What a typed topic needs of a client. */
export interface TypedClient {
  publish(topic: string, payload: string | Uint8Array, options?: PublishOptions): true | Promise<true>;
  subscribe(
    filter: string,
    handler?: (message: Message) => unknown,
    options?: SubscribeOptions,
  ): Promise<Subscription>;
  /** @internal */
  report(error: unknown): void;
}

/** How values of a topic become payloads. What these throw makes a message invalid. */
export interface TopicCodec {
  /** Default: JSON. */
  encode?: (value: unknown) => string | Uint8Array;
  /** Default: JSON. */
  decode?: (message: Message) => unknown;
}

export interface TypedSubscribeOptions extends SubscribeOptions {
  /**
   * Gets what does not fit the schema, which is then dealt with. Default: it is rejected, so that it does not come again, and told by an
   * `error` event.
   */
  onInvalid?: (error: InvalidMessageError, message: Message) => unknown;
}

/** A message whose payload fits the schema of its topic. */
export interface TypedMessage<Value> {
  readonly value: Value;
  readonly message: Message;
}

/** A subscription to a typed topic; without a handler it is iterated. */
export interface TypedSubscription<Value> extends AsyncIterable<TypedMessage<Value>>, AsyncDisposable {
  readonly filter: string;
  unsubscribe(): Promise<void>;
}

/**
 * A topic, or a filter, whose messages fit a schema. It belongs to no client, so that publishers and subscribers can share it:
 *
 *     const temperature = topic('rooms/+/temperature', z.object({ celsius: z.number() }));
 *     await temperature.subscribe(client, ({ celsius }, message) => console.log(message.topic, celsius));
 *     await temperature.at('hall').publish(client, { celsius: 22.5 });
 *
 * A value is checked before it is published, and published as it was given: whoever receives it applies the schema himself.
 */
export class TypedTopic<Schema extends StandardSchema> {
  readonly filter: string;
  readonly schema: Schema;
  readonly #codec: Required<TopicCodec>;
  readonly #order = new Order();

  /** @internal */
  constructor(filter: string, schema: Schema, codec: TopicCodec) {
    checkNames(codec, CODEC_OPTIONS, 'topic');
    if (schema?.['~standard']?.version !== 1)
      throw new TinymqError(
        'invalid-option',
        'a schema is a validator that follows Standard Schema, version 1',
      );
    this.filter = filter;
    this.schema = schema;
    this.#codec = { encode: toJson, decode: (message) => message.json(), ...codec };
  }

  /**
   * The topic with these in place of its wildcards, in their order; what a last `#` stands for may be several levels, or none.
   *
   * @throws TinymqError `invalid-option` where they are more than its wildcards, InvalidTopicError.
   */
  at(...levels: string[]): TypedTopic<Schema> {
    return new TypedTopic(filled(this.filter, levels), this.schema, this.#codec);
  }

  /**
   * Publishes a value, as the `publish` of the client does.
   *
   * @throws InvalidMessageError where it does not fit the schema; nothing was published. The promise rejects with it where the schema
   *   takes its time.
   */
  publish(client: TypedClient, value: InputOf<Schema>, options?: PublishOptions): true | Promise<true> {
    const result = this.schema['~standard'].validate(value);
    const send = (checked: StandardResult<unknown>) => {
      if (checked.issues !== undefined) throw new InvalidMessageError(this.filter, checked.issues);
      return client.publish(this.filter, this.#encoded(value), options);
    };
    return this.#order.run(result, send);
  }

  /**
   * Subscribes, with a handler for what fits the schema, or to be iterated. See the `subscribe` of the client.
   *
   * @throws what that throws.
   */
  async subscribe(
    client: TypedClient,
    handler?: (value: OutputOf<Schema>, message: Message) => unknown,
    { onInvalid, ...options }: TypedSubscribeOptions = {},
  ): Promise<TypedSubscription<OutputOf<Schema>>> {
    const invalid =
      onInvalid ?? ((error: InvalidMessageError, message: Message) => refuse(client, error, message));
    const order = new Order();
    const take = (message: Message) => {
      const deal = (read: Read) =>
        'error' in read ? invalid(read.error, message) : handler!(read.value as OutputOf<Schema>, message);
      const read = this.#read(message);
      return order.run(read, deal);
    };
    const subscription = await client.subscribe(this.filter, handler && take, options);
    return new Typed(subscription, (message) => this.#read(message), invalid);
  }

  #encoded(value: unknown): string | Uint8Array {
    try {
      return this.#codec.encode(value);
    } catch (error) {
      throw new InvalidMessageError(this.filter, [{ message: (error as Error).message }]);
    }
  }

  /** What a message says. */
  #read(message: Message): Read | Promise<Read> {
    let decoded: unknown;
    try {
      decoded = this.#codec.decode(message);
    } catch (error) {
      return { error: new InvalidMessageError(message.topic, [{ message: (error as Error).message }]) };
    }
    const result = this.schema['~standard'].validate(decoded);
    return isPromise(result) ? result.then((checked) => readOf(checked, message)) : readOf(result, message);
  }
}

/** Defines a topic, or a filter, whose messages fit a schema; see {@link TypedTopic}. */
export function topic<Schema extends StandardSchema>(
  filter: string,
  schema: Schema,
  codec: TopicCodec = {},
): TypedTopic<Schema> {
  return new TypedTopic(filter, schema, codec);
}

/** What a message says, or what is wrong with it. */
type Read = { value: unknown } | { error: InvalidMessageError };

const CODEC_OPTIONS: OptionNames<TopicCodec> = { encode: true, decode: true };

function toJson(value: unknown): string {
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) throw new TypeError(`JSON has no ${typeof value}`);
  return text;
}

function readOf(result: StandardResult<unknown>, { topic: name }: Message): Read {
  if (result.issues !== undefined) return { error: new InvalidMessageError(name, result.issues) };
  return { value: result.value };
}

function refuse(client: TypedClient, error: InvalidMessageError, message: Message): void {
  message.reject(error.message);
  client.report(error);
}

function filled(filter: string, levels: readonly string[]): string {
  const invalid = levels.find((level) => /[/+#]/.test(level));
  if (invalid !== undefined) throw new InvalidTopicError('topic', invalid, 'a level has no / + or #');
  const left = [...levels];
  const taken = filter.split('/').flatMap((level) => {
    if (level === '#') return left.splice(0);
    if (level !== '+') return level;
    return left.length === 0 ? level : left.shift()!;
  });
  if (left.length > 0)
    throw new TinymqError('invalid-option', `${filter} has no wildcards for ${levels.length} levels`);
  return taken.join('/');
}

/**
 * Does things in the order of the calls, though a validator may take its time with some of them. As long as nothing has to wait, they are
 * done at once.
 */
class Order {
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();

  run<Waited, Result>(
    waited: Waited | Promise<Waited>,
    goOn: (value: Waited) => Result,
  ): Result | Promise<Awaited<Result>> {
    if (this.#waiting === 0 && !isPromise(waited)) return goOn(waited);
    this.#waiting++;
    const begun = this.#begin(this.#last, waited, goOn);
    this.#last = begun.catch(() => {});
    return begun.then(async ({ result }): Promise<Awaited<Result>> => await result);
  }

  /** Does it when its turn has come; the next one need not wait for what becomes of it. */
  async #begin<Waited, Result>(
    before: Promise<unknown>,
    waited: Waited | Promise<Waited>,
    goOn: (value: Waited) => Result,
  ): Promise<{ result: Result }> {
    try {
      await Promise.allSettled([before, waited]);
      return { result: goOn(await waited) };
    } finally {
      this.#waiting--;
    }
  }
}

/** Of another realm too, as test runners have them. */
function isPromise<Value>(value: Value | Promise<Value>): value is Promise<Value> {
  return typeof (value as { then?: unknown } | undefined)?.then === 'function';
}

class Typed<Value> implements TypedSubscription<Value> {
  readonly #subscription: Subscription;
  readonly #read: (message: Message) => Read | Promise<Read>;
  readonly #invalid: (error: InvalidMessageError, message: Message) => unknown;

  constructor(
    subscription: Subscription,
    read: (message: Message) => Read | Promise<Read>,
    invalid: (error: InvalidMessageError, message: Message) => unknown,
  ) {
    this.#subscription = subscription;
    this.#read = read;
    this.#invalid = invalid;
  }

  get filter(): string {
    return this.#subscription.filter;
  }

  unsubscribe(): Promise<void> {
    return this.#subscription.unsubscribe();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.unsubscribe();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<TypedMessage<Value>, undefined> {
    for await (const message of this.#subscription) {
      const read = await this.#read(message);
      if ('error' in read) await this.#invalid(read.error, message);
      else yield { value: read.value as Value, message };
    }
  }
}
