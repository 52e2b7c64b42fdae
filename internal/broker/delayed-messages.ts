import type { Identity } from '../access/identity.ts';
import type { DueTimes, Schedule } from '../lib/schedule.ts';
import type { Message } from './delivery/publication.ts';
import type { Receipt } from './delivery/receipt.ts';

/** A message that waits for its time. */
export interface DelayedMessage {
  message: Message;
  /** When it is due, by the time of day; undefined while that is open, as it is of the will of a client that is there. */
  dueAtMs: number | undefined;
  /** How long it is delayed from the moment that makes it known when it is due. */
  delayMs: number;
  /** How long it is wanted from when it is published; undefined: for ever. */
  expiryMs: number | undefined;
  /** Who is asked about when it is published: who sent it. */
  owner?: Identity | undefined;
}

/** Where delayed messages last. */
export interface DelayedStore {
  /** Remembers a message, in the place of the one with this key. */
  putDelayed(key: string, delayed: DelayedMessage, receipt?: Receipt): void;
  deleteDelayed(key: string): void;
}

export interface DelayedMessagesParts {
  schedule: Schedule;
  store: DelayedStore;
  /**
   * Publishes a message that is due. It is forgotten in the turn, and so in the transaction, in which this is called: what
   * keeps it now lasts with that.
   */
  publish(key: string, delayed: DelayedMessage): void;
  /** Whether one may be published here, or was by somebody else; the store has it no more then. Default: always. */
  mayPublish?: ((key: string) => true | Promise<boolean>) | undefined;
}

/** Messages that are published at a time, each under a key. They are kept, so that they outlast the broker. */
export class DelayedMessages {
  readonly #schedule: Schedule;
  readonly #store: DelayedStore;
  readonly #publish: DelayedMessagesParts['publish'];
  readonly #mayPublish: NonNullable<DelayedMessagesParts['mayPublish']>;
  readonly #messages = new Map<string, DelayedMessage>();
  readonly #due: DueTimes<string>;

  constructor({ schedule, store, publish, mayPublish = () => true }: DelayedMessagesParts) {
    this.#schedule = schedule;
    this.#store = store;
    this.#publish = publish;
    this.#mayPublish = mayPublish;
    this.#due = schedule.kind((key, nowMs) => this.#look(key, nowMs));
  }

  get(key: string): DelayedMessage | undefined {
    return this.#messages.get(key);
  }

  /** Whether the message of a key should have been published by now. */
  isDue(key: string): boolean {
    const dueAtMs = this.#messages.get(key)?.dueAtMs;
    return dueAtMs !== undefined && dueAtMs <= this.#schedule.clock.now();
  }

  /**
   * Keeps a message until it is due, in the place of the one with this key.
   *
   * @param receipt held until the store has it.
   */
  put(key: string, delayed: DelayedMessage, receipt?: Receipt): void {
    this.#messages.set(key, delayed);
    if (delayed.dueAtMs !== undefined && delayed.dueAtMs <= this.#schedule.clock.now()) {
      this.publish(key);
      return;
    }
    this.#store.putDelayed(key, delayed, receipt);
    this.#await(key, delayed.dueAtMs);
  }

  /** Takes over what the store has; it is published no earlier than `notBeforeMs`, however long it is due. */
  restore(key: string, delayed: DelayedMessage, notBeforeMs: number): void {
    this.#messages.set(key, delayed);
    this.#await(key, delayed.dueAtMs, notBeforeMs);
  }

  delete(key: string): void {
    if (this.#messages.delete(key)) this.#store.deleteDelayed(key);
  }

  /** Publishes the message of a key now, if there is one. */
  publish(key: string): void {
    const delayed = this.#messages.get(key);
    if (delayed === undefined) return;
    const mayPublish = this.#mayPublish(key);
    if (mayPublish === true) {
      this.delete(key);
      this.#publish(key, delayed);
      return;
    }
    this.forget(key);
    void mayPublish.then((isOurs) => {
      if (isOurs) this.#publish(key, delayed);
    });
  }

  /** Somebody else has published it. */
  forget(key: string): void {
    this.#messages.delete(key);
  }

  #await(key: string, dueAtMs: number | undefined, notBeforeMs = 0): void {
    if (dueAtMs !== undefined) this.#due.add(Math.max(dueAtMs, notBeforeMs), key);
  }

  #look(key: string, nowMs: number): void {
    const delayed = this.#messages.get(key);
    if (delayed?.dueAtMs === undefined) return;
    if (delayed.dueAtMs <= nowMs) this.publish(key);
    else this.#await(key, delayed.dueAtMs);
  }
}
