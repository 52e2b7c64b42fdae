import { ResponseError, TinymqError } from './errors.ts';
import type { HeaderValues } from './headers.ts';
import type { Message } from './message.ts';
import type { PublishOptions } from './publish-options.ts';
import { randomName } from './random-name.ts';
import { type Deferred, defer } from './requests.ts';
import type { SubscribeOptions } from './subscribe-options.ts';
import type { Subscription } from './subscription.ts';
import { within } from './timing.ts';

/** How to ask. */
export interface RequestOptions extends Omit<PublishOptions, 'replyTo' | 'correlation'> {
  /** How long an answer may take, in milliseconds. Default: 10,000. */
  timeoutMs?: number;
  /** Ends the wait. */
  signal?: AbortSignal;
}

/** An answer: its payload, or that with what goes with it; `undefined` is an empty one. */
export type Answer =
  | string
  | Uint8Array
  | undefined
  | (Pick<PublishOptions, 'headers' | 'contentType' | 'expiresIn'> & { payload: string | Uint8Array });

/** What asking and responding need from a client. */
export interface AskingClient {
  readonly clientId: string;
  publish(topic: string, payload: string | Uint8Array, options?: PublishOptions): true | Promise<true>;
  subscribe(
    filter: string,
    handler: (message: Message) => unknown,
    options?: SubscribeOptions,
  ): Promise<Subscription>;
}

/** A header of an answer that says why there is none. */
const FAILED = 'tinymq-error';
const ANSWER_TIMEOUT_MS = 10_000;

/** Requests and their answers: messages with a topic for the answer, and what that is to be known by. */
export class Asking {
  readonly #client: AskingClient;
  /** Nobody can guess it, and so answer in another's place. */
  readonly #replyTo = `replies/${randomName(16)}`;
  readonly #waiting = new Map<string, Deferred<Message>>();
  #listening: Promise<Subscription> | undefined;
  #last = 0;

  constructor(client: AskingClient) {
    this.#client = client;
  }

  /** @throws TimeoutError, ResponseError, and what `publish` and `subscribe` throw. */
  async request(
    topic: string,
    payload: string | Uint8Array,
    { timeoutMs = ANSWER_TIMEOUT_MS, signal, ...options }: RequestOptions = {},
  ): Promise<Message> {
    signal?.throwIfAborted();
    await this.#listen();
    const id = String(++this.#last);
    const answered = defer<Message>();
    this.#waiting.set(id, answered);
    try {
      const correlation = new TextEncoder().encode(id);
      const sent = this.#client.publish(topic, payload, { ...options, replyTo: this.#replyTo, correlation });
      // One that is refused gets no answer.
      if (options.qos) Promise.resolve(sent).catch(answered.reject);
      const answer = await within(answered.promise, `no answer to '${topic}' came`, timeoutMs, signal);
      const failure = answer.headers[FAILED];
      if (failure !== undefined) throw new ResponseError([failure].flat()[0]!);
      return answer;
    } finally {
      this.#waiting.delete(id);
    }
  }

  respond(
    filter: string,
    handler: (message: Message) => Answer | Promise<Answer>,
    options?: SubscribeOptions,
  ): Promise<Subscription> {
    if (typeof handler !== 'function') throw new TypeError('a handler is a function; options come third');
    return this.#client.subscribe(filter, (message) => this.#answer(message, handler), options);
  }

  /** One subscription for all answers; one that failed is tried again with the next request. */
  #listen(): Promise<Subscription> {
    this.#listening ??= this.#client
      .subscribe(this.#replyTo, (message) => this.#take(message))
      .catch((error) => {
        this.#listening = undefined;
        throw error;
      });
    return this.#listening;
  }

  #take(message: Message): void {
    const { correlation } = message;
    if (correlation !== undefined) this.#waiting.get(new TextDecoder().decode(correlation))?.resolve(message);
  }

  async #answer(message: Message, handler: (message: Message) => Answer | Promise<Answer>): Promise<void> {
    const { replyTo, correlation } = message;
    let answer: Answer;
    try {
      answer = await handler(message);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      if (replyTo !== undefined)
        await this.#send(replyTo, correlation, { payload: '', headers: { [FAILED]: why } });
      throw error;
    }
    if (replyTo !== undefined) await this.#send(replyTo, correlation, answer);
  }

  async #send(replyTo: string, correlation: Uint8Array | undefined, answer: Answer): Promise<void> {
    const isPlain = answer === undefined || typeof answer === 'string' || answer instanceof Uint8Array;
    const { payload, ...options } = isPlain ? { payload: answer ?? '' } : answer;
    if (payload === undefined) throw new TinymqError('invalid-payload', 'an answer has a payload');
    await this.#client.publish(replyTo, payload, { ...(options as { headers?: HeaderValues }), correlation });
  }
}
